//! Which password is computed next: as many at the same time as there are cores, logins and sign-ups in turn.

use std::time::Duration;

use super::fair_queue::FairQueue;
use crate::auth::client_network::ClientNetwork;

/// Maximum number of passwords of one kind that wait for a core.
pub const MAX_WAITING: usize = 512;

/// Low estimate of the passwords that a core computes in a second.
const PER_CORE_AND_SECOND: usize = 20;

/// The kinds of work. Each has a queue of its own, so that a flood of one kind does not delay the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordWork {
    /// Checks a password.
    Login,
    /// Hashes a new password.
    SignUp,
}

/// The work that runs and waits. `T` wakes the work that waits.
pub struct Schedule<T> {
    logins: FairQueue<T>,
    sign_ups: FairQueue<T>,
    /// The kind that starts next when both wait.
    next: PasswordWork,
    running: usize,
    cores: usize,
}

impl<T> Schedule<T> {
    /// Makes an idle schedule.
    pub fn new(cores: usize) -> Self {
        Self {
            logins: FairQueue::new(MAX_WAITING),
            sign_ups: FairQueue::new(MAX_WAITING),
            next: PasswordWork::Login,
            running: 0,
            cores,
        }
    }

    /// Takes a core, if one is free. A free core means that nothing waits.
    pub fn try_start(&mut self) -> bool {
        let is_free = self.running < self.cores;
        self.running += usize::from(is_free);
        is_free
    }

    /// Queues work. Returns the work that has no place when the queue is full.
    pub fn wait(&mut self, work: PasswordWork, client: ClientNetwork, waiting: T) -> Option<T> {
        self.queue(work).push(client, waiting)
    }

    /// Ends work. Returns the work that takes its core.
    pub fn finish(&mut self) -> Option<T> {
        let (first, second) = match self.next {
            PasswordWork::Login => (PasswordWork::Login, PasswordWork::SignUp),
            PasswordWork::SignUp => (PasswordWork::SignUp, PasswordWork::Login),
        };
        self.next = second;
        let started = self.queue(first).pop().or_else(|| self.queue(second).pop());
        self.running -= usize::from(started.is_none());
        started
    }

    /// Returns when work of this kind that has no place may come again: when those that wait now are done.
    pub fn retry_after(&self, work: PasswordWork) -> Duration {
        let waiting = match work {
            PasswordWork::Login => self.logins.len(),
            PasswordWork::SignUp => self.sign_ups.len(),
        };
        Duration::from_secs(1 + (waiting / (self.cores * PER_CORE_AND_SECOND)) as u64)
    }

    fn queue(&mut self, work: PasswordWork) -> &mut FairQueue<T> {
        match work {
            PasswordWork::Login => &mut self.logins,
            PasswordWork::SignUp => &mut self.sign_ups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> ClientNetwork {
        ClientNetwork::new(Some([192, 0, 2, number].into()))
    }

    #[test]
    fn a_login_does_not_wait_for_the_sign_ups_before_it() {
        let mut schedule = Schedule::new(2);
        assert!(schedule.try_start() && schedule.try_start() && !schedule.try_start());
        for number in 0..MAX_WAITING {
            assert_eq!(schedule.wait(PasswordWork::SignUp, client(1), format!("sign-up {number}")), None);
        }
        assert!(schedule.wait(PasswordWork::SignUp, client(1), "too many".into()).is_some());
        assert_eq!(schedule.wait(PasswordWork::Login, client(1), "login".into()), None);
        assert_eq!(schedule.finish().as_deref(), Some("login"));
        assert_eq!(schedule.finish().as_deref(), Some("sign-up 0"));
        assert_eq!(schedule.retry_after(PasswordWork::SignUp), Duration::from_secs(1 + 511 / 40));
        assert_eq!(schedule.retry_after(PasswordWork::Login), Duration::from_secs(1));
    }

    #[test]
    fn logins_and_sign_ups_take_turns_and_the_last_frees_the_core() {
        let mut schedule = Schedule::new(1);
        assert!(schedule.try_start());
        for number in 0..2 {
            schedule.wait(PasswordWork::Login, client(1), format!("login {number}"));
            schedule.wait(PasswordWork::SignUp, client(1), format!("sign-up {number}"));
        }
        let order: Vec<String> = std::iter::from_fn(|| schedule.finish()).collect();
        assert_eq!(order, ["login 0", "sign-up 0", "login 1", "sign-up 1"]);
        assert!(schedule.try_start() && !schedule.try_start());
    }
}
