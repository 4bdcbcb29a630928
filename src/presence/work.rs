//! A budget for the work that one client causes: a token bucket that goes into debt.

use std::time::Duration;

use super::time::Timestamp;

/// Units of work that one frame costs, whatever is in it.
const FRAME_UNITS: usize = 1;

/// Bytes of a frame that cost one more unit.
const UNIT_BYTES: usize = 1024;

/// Maximum time that debt stops a client. Below every usual pong timeout, so that a client that is only read late still
/// answers pings in time.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How much work a client may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimit {
    /// Units per second. Zero means no limit.
    pub rate: u32,
    /// Units that an idle client saves up.
    pub burst: u32,
}

impl WorkLimit {
    /// Returns the time in which a client earns this many units.
    fn time_for(self, units: usize) -> Duration {
        let micros = (units as u64).saturating_mul(1_000_000).checked_div(u64::from(self.rate));
        Duration::from_micros(micros.unwrap_or_default())
    }
}

/// The budget of one client. A charge is never refused: it may lead into debt, and the client must pause until the debt is
/// paid off. So a single large message is always handled, and the next one waits.
#[derive(Clone, Copy, Debug)]
pub struct WorkBudget {
    limit: WorkLimit,
    /// When the work charged so far is paid off (GCRA's theoretical arrival time). Takes less memory than a level and a
    /// time.
    paid_at: Timestamp,
}

impl WorkBudget {
    /// Creates a full budget.
    pub fn new(limit: WorkLimit) -> Self {
        Self { limit, paid_at: Timestamp::default() }
    }

    /// Returns the units that a frame with a payload of this many bytes costs.
    pub fn frame_units(bytes: usize) -> usize {
        FRAME_UNITS + bytes / UNIT_BYTES
    }

    /// Returns the units that a reply of this many bytes costs, so that a small request for a large reply is not cheap.
    pub fn reply_units(bytes: usize) -> usize {
        bytes / UNIT_BYTES
    }

    /// Charges work. Returns until when the client must pause, or `None` if the budget suffices.
    pub fn charge(&mut self, units: usize, now: Timestamp) -> Option<Timestamp> {
        if self.limit.rate == 0 {
            return None;
        }
        let burst = self.limit.time_for(self.limit.burst as usize);
        let paid_at = self.paid_at.max(now) + self.limit.time_for(units);
        self.paid_at = paid_at.min(now + burst + MAX_PAUSE);
        let debt = self.paid_at.since(now).saturating_sub(burst);
        (!debt.is_zero()).then(|| now + debt)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000 + millis * 1000)
    }

    #[test]
    fn an_idle_client_saves_up_a_burst_and_then_pauses_for_its_debt() {
        let mut budget = WorkBudget::new(WorkLimit { rate: 10, burst: 5 });
        assert_eq!(budget.charge(5, at(0)), None, "the whole burst");
        assert_eq!(budget.charge(1, at(0)), Some(at(100)));
        assert_eq!(budget.charge(1, at(100)), Some(at(200)), "one unit each 100 ms");
        assert_eq!(budget.charge(1, at(300)), None);
        assert_eq!(budget.charge(5, at(60_000)), None, "a burst, not a minute's earnings");
        assert_eq!(budget.charge(1, at(60_000)), Some(at(60_100)));
    }

    #[test]
    fn a_pause_has_a_maximum() {
        let mut budget = WorkBudget::new(WorkLimit { rate: 10, burst: 5 });
        assert_eq!(budget.charge(1_000_000, at(0)), Some(at(5000)));
        assert_eq!(budget.charge(usize::MAX, at(0)), Some(at(5000)));
        assert_eq!(budget.charge(5, at(5500)), None, "the rest of the debt is forgiven");
    }

    #[test]
    fn without_a_limit_no_client_pauses() {
        let mut budget = WorkBudget::new(WorkLimit { rate: 0, burst: 5 });
        assert_eq!(budget.charge(usize::MAX, at(0)), None);
    }

    #[test]
    fn a_frame_costs_its_header_and_its_bytes() {
        assert_eq!([0, 1023, 1024, 65_536].map(WorkBudget::frame_units), [1, 1, 2, 65]);
    }

    proptest! {
        /// A client that pauses when it must gets no more in any span than a burst and what the span earns, apart from the
        /// charge that leads into debt.
        #[test]
        fn no_span_has_more_work_than_a_burst_and_its_earnings(
            charges in prop::collection::vec((0..50_usize, 0..400_000_u64), 1..100),
            rate in 10..1000_u32,
            burst in 0..100_u32,
        ) {
            let mut budget = WorkBudget::new(WorkLimit { rate, burst });
            let (mut now, mut done) = (1_000_000_000, Vec::new());
            for (units, gap) in charges {
                now += gap;
                done.push((now, units as u64));
                let until = budget.charge(units, Timestamp::from_micros(now));
                now = until.map_or(now, Timestamp::as_micros);
            }
            for start in 0..done.len() {
                let mut sum = 0;
                for &(to, units) in &done[start..] {
                    let earned = u64::from(rate) * (to - done[start].0) / 1_000_000 + 1;
                    prop_assert!(sum <= u64::from(burst) + earned, "{} > {} + {}", sum, burst, earned);
                    sum += units;
                }
            }
        }
    }
}
