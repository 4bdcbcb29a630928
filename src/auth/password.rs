//! Passwords: hashed with Argon2id (RFC 9106) on threads apart from those that serve clients.
//!
//! [`schedule`] says which password is computed next, with a [`fair_queue`] for each kind of work. [`failures`] counts
//! wrong passwords.

mod failures;
mod fair_queue;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::auth::client_network::ClientNetwork;
use crate::clock::Clock;
use crate::config::LimitsConfig;
use crate::presence::id::UserId;

use failures::{Failures, Guesser};
use schedule::{PasswordWork, Schedule};

/// Why a password was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is not that of the account.
    #[error("wrong password")]
    Wrong,
    /// The client had too many wrong passwords for the account recently. This one was not checked.
    #[error("too many wrong passwords, try again in {} s", retry_after.as_secs().max(1))]
    TooMany {
        /// Time until the next one is checked.
        retry_after: Duration,
    },
    /// Too many passwords wait for a core.
    #[error("the server is busy")]
    Busy {
        /// Time until those that wait now are done.
        retry_after: Duration,
    },
    /// The server could not compute the hash.
    #[error("password hashing failed")]
    Failed,
}

/// Hashes and verifies passwords.
pub struct Passwords {
    schedule: SharedSchedule,
    failures: Arc<Mutex<Failures>>,
    clock: Clock,
}

/// The schedule with a sender for each password that waits. It sends the turn.
type SharedSchedule = Arc<Mutex<Schedule<oneshot::Sender<Turn>>>>;

impl Passwords {
    /// Uses the limits of the configuration.
    pub fn new(limits: &LimitsConfig, clock: &Clock) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            schedule: Arc::new(Mutex::new(Schedule::new(cores))),
            failures: Arc::new(Mutex::new(Failures::new(limits.login_failures, limits.login_failures_window.0))),
            clock: clock.clone(),
        }
    }

    /// Returns the hash of a new password in PHC string format.
    pub async fn hash(&self, client: ClientNetwork, password: String) -> Result<String, PasswordError> {
        let turn = self.turn(PasswordWork::SignUp, client).await?;
        turn.run(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()))
            .await?
            .map_err(|_| PasswordError::Failed)
    }

    /// Checks the password of a user against its hash. `None` means that the user has no password: every password is wrong
    /// then, and takes the same time.
    pub async fn verify(
        &self,
        client: ClientNetwork,
        user: UserId,
        password: String,
        hash: Option<String>,
    ) -> Result<(), PasswordError> {
        let guesser = (client, user);
        self.refuse_guessing(&guesser)?;
        let turn = self.turn(PasswordWork::Login, client).await?;
        // Once more: guesses that came at the same time may have failed meanwhile.
        self.refuse_guessing(&guesser)?;
        let (failures, clock) = (self.failures.clone(), self.clock.clone());
        let work = move || {
            let verified = check(&password, hash.as_deref());
            // Before the core is free: the next guess must see this failure.
            if verified == Err(PasswordError::Wrong) {
                failures.lock().count(guesser, clock.now());
            }
            verified
        };
        turn.run(work).await.flatten()
    }

    fn refuse_guessing(&self, guesser: &Guesser) -> Result<(), PasswordError> {
        match self.failures.lock().wait(guesser, self.clock.now()) {
            Some(retry_after) => Err(PasswordError::TooMany { retry_after }),
            None => Ok(()),
        }
    }

    /// Waits for a core.
    async fn turn(&self, work: PasswordWork, client: ClientNetwork) -> Result<Turn, PasswordError> {
        let (waiting, retry_after) = {
            let mut schedule = self.schedule.lock();
            if schedule.try_start() {
                return Ok(Turn { schedule: self.schedule.clone(), is_over: false });
            }
            let (sender, waiting) = oneshot::channel();
            // The sender without a place is dropped, and its receiver notices.
            drop(schedule.wait(work, client, sender));
            (waiting, schedule.retry_after(work))
        };
        waiting.await.map_err(|_| PasswordError::Busy { retry_after })
    }
}

fn check(password: &str, hash: Option<&str>) -> Result<(), PasswordError> {
    let Some(hash) = hash else {
        let _equal_work = Argon2::default().hash_password(password.as_bytes());
        return Err(PasswordError::Wrong);
    };
    let hash = PasswordHash::new(hash).map_err(|_| PasswordError::Failed)?;
    Argon2::default().verify_password(password.as_bytes(), &hash).map_err(|_| PasswordError::Wrong)
}

/// A core. When it is dropped, the next password takes the core.
struct Turn {
    schedule: SharedSchedule,
    /// The core has another owner.
    is_over: bool,
}

impl Turn {
    /// Computes on a thread that may block. The core is busy until the computation ends, also without a caller.
    async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(self);
            result
        });
        done.await.map_err(|_| PasswordError::Failed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        while !std::mem::replace(&mut self.is_over, true) {
            let next = self.schedule.lock().finish();
            let Some(next) = next else { return };
            if let Err(mut refused) = next.send(Self { schedule: self.schedule.clone(), is_over: false }) {
                // That client is gone. This turn passes the core to the one after it.
                refused.is_over = true;
                self.is_over = false;
            }
        }
    }
}
