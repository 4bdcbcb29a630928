//! Reminds sessions of their deadlines: one sweep for all of them in place of a timer each.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::outbox::Address;
use crate::presence::time::Timestamp;

/// A reminder comes at most that late.
const STEP: Duration = Duration::from_millis(100);

/// Steps that are that late mean that the process stood still (a paused machine, or one with far too much to do). What
/// clients said meanwhile is then read for as long, before anybody is held to a deadline.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Who has to be reminded when. Holds an entry for each session, and for one that has ended until its time has come.
#[derive(Default)]
pub struct DeadlineTimer {
    /// By the step in which it is due.
    timer_due: Mutex<BTreeMap<u64, Vec<Address>>>,
}

impl DeadlineTimer {
    /// Begins to make the rounds, as long as somebody holds them. Needs a running actix system.
    pub fn start(clock: &Clock) -> Arc<Self> {
        let deadline_timer = Arc::new(Self::default());
        actix_web::rt::spawn(Self::run(Arc::downgrade(&deadline_timer), clock.clone()));
        deadline_timer
    }

    async fn run(deadline_timer: Weak<Self>, clock: Clock) {
        loop {
            // Not by the clock of deadlines, which is told how late it is in tests.
            let begin = Instant::now();
            tokio::time::sleep(STEP).await;
            let late = begin.elapsed().saturating_sub(STEP);
            if late >= STANDSTILL {
                log::warn!(seconds = late.as_secs_f64(); "stood still; hearing what clients said meanwhile first");
                tokio::time::sleep(STANDSTILL).await;
            }
            let Some(deadline_timer) = deadline_timer.upgrade() else { return };
            deadline_timer.sweep(clock.now());
        }
    }

    /// Reminds this session at that time.
    pub fn remind(&self, address: &Address, at: Timestamp) {
        self.timer_due.lock().entry(step(at) + 1).or_default().push(address.clone());
    }

    fn sweep(&self, now: Timestamp) {
        loop {
            let mut timer_due = self.timer_due.lock();
            let Some(first) = timer_due.first_entry().filter(|first| *first.key() <= step(now)) else { return };
            let addresses = first.remove();
            drop(timer_due);
            addresses.iter().for_each(|address| address.remind());
        }
    }
}

fn step(at: Timestamp) -> u64 {
    at.as_micros() / u64::try_from(STEP.as_micros()).expect("below a second")
}
