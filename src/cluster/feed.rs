//! Follows one bucket's events in order and detects gaps. Pure: the caller reports what arrived, and the feed returns what
//! to do.
//!
//! Every event names the clock of the event before it. An event that continues the feed is applied at once. Any other event
//! waits until the log has been read (*catching up*). If the log does not lead from the feed's clock to the event, every
//! watched user of the bucket is read again (*resync*). A tick names the clock while nothing happens, so that the loss of
//! the last event is noticed.

use std::collections::VecDeque;

use super::message::{BucketClock, BucketEvent};

/// Maximum number of events that wait while the log is being read. When the queue is full it is dropped, and the events are
/// read from Redis afterwards.
const MAX_WAITING: usize = 4096;

/// The position in one bucket's sequence of events.
#[derive(Debug, Default)]
pub struct Feed {
    /// The clock of the last applied event.
    at: BucketClock,
    state: FeedState,
    /// Events that arrived while Redis was being read.
    waiting: VecDeque<BucketEvent>,
    /// Events were missed while Redis was being read.
    again: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FeedState {
    /// There is no subscription, and nothing is known.
    #[default]
    Away,
    /// Every event up to the last message has been applied.
    Live,
    /// Redis is being read.
    Reading,
}

/// What the caller has to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedSteps {
    /// Events to apply.
    pub apply: Vec<BucketEvent>,
    /// Then what to read from Redis.
    pub read: Option<FeedRead>,
}

/// What to read from Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedRead {
    /// The bucket's clock, then its log after this clock.
    Log(BucketClock),
    /// The bucket's clock, then all its watched users.
    Everything,
}

impl Feed {
    /// Takes in an event that arrived.
    pub fn event(&mut self, event: BucketEvent) -> FeedSteps {
        match self.state {
            FeedState::Away => FeedSteps::default(),
            FeedState::Live if event.previous == self.at => {
                self.at = event.clock;
                FeedSteps { apply: vec![event], read: None }
            }
            FeedState::Live if event.clock <= self.at => FeedSteps::default(),
            FeedState::Live => {
                self.waiting.push_back(event);
                self.read_log()
            }
            FeedState::Reading => {
                if self.waiting.len() < MAX_WAITING {
                    self.waiting.push_back(event);
                } else {
                    self.waiting.clear();
                    self.again = true;
                }
                FeedSteps::default()
            }
        }
    }

    /// Takes in a tick that arrived. A tick older than the last event means that Redis lost events, or that the tick was
    /// under way while the log was read. Reading the log tells which.
    pub fn tick(&mut self, clock: BucketClock) -> FeedSteps {
        if self.state == FeedState::Live && clock != self.at { self.read_log() } else { FeedSteps::default() }
    }

    /// Reports that events may be missing: the subscription is new, or messages were dropped.
    pub fn missed(&mut self) -> FeedSteps {
        match self.state {
            FeedState::Away => self.read_everything(),
            FeedState::Live => self.read_log(),
            FeedState::Reading => {
                self.again = true;
                FeedSteps::default()
            }
        }
    }

    /// Reports that Redis has another history than before: everything known is invalid.
    pub fn forget(&mut self) -> FeedSteps {
        if self.state == FeedState::Reading {
            // The result of the current read is of the new history, or it will not fit. It is read again in either case.
            self.at = 0;
            self.again = true;
            return FeedSteps::default();
        }
        self.read_everything()
    }

    /// Takes in the log: the bucket's clock before the read, and the events after the requested clock.
    pub fn log_read(&mut self, clock: BucketClock, events: Vec<BucketEvent>) -> FeedSteps {
        let last = events.last().map_or(self.at, |event| event.clock);
        let fits = events.iter().try_fold(self.at, |at, event| (event.previous == at).then_some(event.clock)).is_some();
        if !fits || clock < self.at || clock > last {
            return self.read_everything();
        }
        self.at = last;
        self.resume(events)
    }

    /// Reports that all watched users were read and taken over. `clock` is the bucket's clock before the read.
    pub fn everything_read(&mut self, clock: BucketClock) -> FeedSteps {
        self.at = clock;
        self.resume(Vec::new())
    }

    /// Reports that Redis could not be read. The caller calls [`Feed::missed`] when it can read again.
    pub fn not_read(&mut self) {
        self.state = FeedState::Away;
        self.waiting.clear();
        self.again = false;
    }

    /// Returns whether everything up to the last message has been applied.
    pub fn is_live(&self) -> bool {
        self.state == FeedState::Live
    }

    /// Returns whether nothing is known and nothing is being read.
    pub fn is_away(&self) -> bool {
        self.state == FeedState::Away
    }

    /// Continues with the events that waited.
    fn resume(&mut self, mut apply: Vec<BucketEvent>) -> FeedSteps {
        self.state = FeedState::Live;
        if std::mem::take(&mut self.again) {
            return FeedSteps { apply, ..self.read_log() };
        }
        while let Some(event) = self.waiting.pop_front() {
            if event.clock <= self.at {
                continue;
            }
            if event.previous != self.at {
                self.waiting.push_front(event);
                return FeedSteps { apply, ..self.read_log() };
            }
            self.at = event.clock;
            apply.push(event);
        }
        FeedSteps { apply, read: None }
    }

    fn read_log(&mut self) -> FeedSteps {
        self.state = FeedState::Reading;
        FeedSteps { apply: Vec::new(), read: Some(FeedRead::Log(self.at)) }
    }

    fn read_everything(&mut self) -> FeedSteps {
        self.state = FeedState::Reading;
        FeedSteps { apply: Vec::new(), read: Some(FeedRead::Everything) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(previous: BucketClock, clock: BucketClock) -> BucketEvent {
        BucketEvent { previous, clock, changes: Vec::new() }
    }

    /// Makes a feed that has applied everything up to `at`.
    fn live(at: BucketClock) -> Feed {
        let mut feed = Feed::default();
        assert_eq!(feed.missed().read, Some(FeedRead::Everything));
        assert_eq!(feed.everything_read(at), FeedSteps::default());
        feed
    }

    fn clocks(steps: &FeedSteps) -> Vec<BucketClock> {
        steps.apply.iter().map(|event| event.clock).collect()
    }

    #[test]
    fn the_next_event_is_applied_and_an_old_one_is_not() {
        let mut feed = live(5);
        assert_eq!(clocks(&feed.event(event(5, 7))), [7]);
        assert_eq!(feed.event(event(5, 7)), FeedSteps::default());
        assert_eq!(feed.tick(7), FeedSteps::default());
        assert!(feed.is_live());
    }

    #[test]
    fn a_gap_is_closed_from_the_log() {
        let mut feed = live(5);
        assert_eq!(feed.event(event(8, 9)).read, Some(FeedRead::Log(5)));
        assert_eq!(feed.event(event(9, 11)), FeedSteps::default(), "waits");
        let steps = feed.log_read(9, vec![event(5, 8), event(8, 9)]);
        assert_eq!((clocks(&steps), steps.read), (vec![8, 9, 11], None));
    }

    #[test]
    fn a_tick_notices_that_the_last_event_was_lost() {
        let mut feed = live(5);
        assert_eq!(feed.tick(9).read, Some(FeedRead::Log(5)));
        assert_eq!(clocks(&feed.log_read(9, vec![event(5, 9)])), [9]);
    }

    #[test]
    fn a_tick_that_was_under_way_during_a_read_does_no_harm() {
        let mut feed = live(9);
        assert_eq!(feed.tick(5).read, Some(FeedRead::Log(9)));
        assert_eq!(feed.log_read(9, Vec::new()), FeedSteps::default());
        assert!(feed.is_live());
    }

    #[test]
    fn everything_is_read_if_the_log_has_a_gap() {
        let cases = [
            (9, vec![event(8, 9)], "it was trimmed"),
            (9, Vec::new(), "it is gone"),
            (3, Vec::new(), "Redis went back"),
            (9, vec![event(5, 7), event(8, 9)], "it has a hole"),
        ];
        for (clock, log, why) in cases {
            let mut feed = live(5);
            feed.tick(9);
            assert_eq!(feed.log_read(clock, log).read, Some(FeedRead::Everything), "{why}");
            let steps = feed.everything_read(clock);
            assert_eq!((steps.apply.len(), steps.read), (0, None), "{why}");
        }
    }

    #[test]
    fn events_that_arrive_during_a_resync_are_applied_after_it() {
        let mut feed = Feed::default();
        assert_eq!(feed.event(event(1, 2)), FeedSteps::default(), "not subscribed");
        feed.missed();
        feed.event(event(4, 5));
        feed.event(event(5, 6));
        assert_eq!(clocks(&feed.everything_read(5)), [6]);
    }

    #[test]
    fn a_flood_during_a_read_is_dropped_and_read_again() {
        let mut feed = live(0);
        feed.tick(1);
        (1..=5000).for_each(|clock| assert_eq!(feed.event(event(clock, clock + 1)), FeedSteps::default()));
        assert!(feed.waiting.len() <= MAX_WAITING);
        let steps = feed.log_read(1, vec![event(0, 1)]);
        assert_eq!((clocks(&steps), steps.read), (vec![1], Some(FeedRead::Log(1))));
    }

    /// Redis from the feed's point of view: a log of limited length, and a clock.
    struct History {
        log: Vec<BucketEvent>,
        kept: usize,
    }

    impl History {
        fn clock(&self) -> BucketClock {
            self.log.last().map_or(0, |event| event.clock)
        }

        /// Carries out the steps and the steps that follow from them. `known` is the clock that the follower knows.
        fn serve(&self, feed: &mut Feed, steps: FeedSteps, known: &mut BucketClock) {
            let mut steps = steps;
            loop {
                for event in &steps.apply {
                    assert_eq!(event.previous, *known, "out of order");
                    *known = event.clock;
                }
                steps = match steps.read {
                    None => break,
                    Some(FeedRead::Log(after)) => {
                        let trimmed = self.log.len().saturating_sub(self.kept);
                        let rest = self.log[trimmed..].iter().filter(|event| event.clock > after).cloned().collect();
                        feed.log_read(self.clock(), rest)
                    }
                    Some(FeedRead::Everything) => {
                        *known = self.clock();
                        feed.everything_read(self.clock())
                    }
                };
            }
        }
    }

    proptest! {
        #[test]
        fn the_feed_ends_at_the_truth_and_skips_no_event_whatever_is_lost(
            steps in prop::collection::vec((0..10_u8, 1..5_u64), 1..200),
            kept in 1..20_usize,
        ) {
            let mut history = History { log: Vec::new(), kept };
            let mut feed = Feed::default();
            let mut known = 0;
            let first = feed.missed();
            history.serve(&mut feed, first, &mut known);
            for (what, by) in steps {
                let steps = match what {
                    // Redis loses its latest event.
                    0 => { history.log.pop(); FeedSteps::default() }
                    // The link drops; another is made.
                    1 => feed.missed(),
                    2 => feed.tick(history.clock()),
                    // An event, which arrives or does not.
                    _ => {
                        let previous = history.clock();
                        let next = event(previous, known.max(previous) + by);
                        history.log.push(next.clone());
                        if what < 6 { FeedSteps::default() } else { feed.event(next) }
                    }
                };
                history.serve(&mut feed, steps, &mut known);
            }
            let last = feed.tick(history.clock());
            history.serve(&mut feed, last, &mut known);
            prop_assert_eq!(known, history.clock());
            prop_assert!(feed.is_live());
        }
    }
}
