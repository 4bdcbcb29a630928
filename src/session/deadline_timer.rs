//! Wakes sessions at their deadlines: one coarse timer for all sessions, instead of one timer each.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::outbox::Address;
use crate::presence::time::Timestamp;

/// Resolution of the timer: a session wakes up to this much too late.
const STEP: Duration = Duration::from_millis(100);

/// A step that is this late means that the process stood still (a paused or overloaded machine). The timer then waits for
/// as long again before it enforces deadlines, so that sessions first read what their clients sent meanwhile.
const STANDSTILL: Duration = Duration::from_secs(1);

/// The schedule of all sessions. Holds one entry for each session, and keeps the entry of an ended session until its time.
#[derive(Default)]
pub struct DeadlineTimer {
    /// The sessions by the step in which they are due.
    schedule: Mutex<BTreeMap<u64, Vec<Address>>>,
}

impl DeadlineTimer {
    /// Starts the timer. It runs as long as the returned handle exists. Needs a running actix system.
    pub fn start(clock: &Clock) -> Arc<Self> {
        let deadline_timer = Arc::new(Self::default());
        actix_web::rt::spawn(Self::run(Arc::downgrade(&deadline_timer), clock.clone()));
        deadline_timer
    }

    async fn run(deadline_timer: Weak<Self>, clock: Clock) {
        loop {
            // Measures real time, not the clock of the deadlines: tests set that clock.
            let begin = Instant::now();
            tokio::time::sleep(STEP).await;
            let late = begin.elapsed().saturating_sub(STEP);
            if late >= STANDSTILL {
                log::warn!(seconds = late.as_secs_f64(); "the process stood still; reading what clients sent meanwhile before enforcing deadlines");
                tokio::time::sleep(STANDSTILL).await;
            }
            let Some(deadline_timer) = deadline_timer.upgrade() else { return };
            deadline_timer.sweep(clock.now());
        }
    }

    /// Wakes this session at this time.
    pub fn schedule(&self, address: &Address, at: Timestamp) {
        self.schedule.lock().entry(step(at) + 1).or_default().push(address.clone());
    }

    fn sweep(&self, now: Timestamp) {
        loop {
            let mut schedule = self.schedule.lock();
            let Some(first) = schedule.first_entry().filter(|first| *first.key() <= step(now)) else { return };
            let addresses = first.remove();
            drop(schedule);
            addresses.iter().for_each(|address| address.remind());
        }
    }
}

fn step(at: Timestamp) -> u64 {
    at.as_micros() / u64::try_from(STEP.as_micros()).expect("below a second")
}
