//! Follows one bucket's events in order, and says when some are missing. Pure: told what arrived, returns what to do.
//!
//! Every event names the clock of the one before it. What fits is applied at once; what does not fit waits until the log
//! has been read (*catching up*); where the log does not lead from here to there, everything that is watched in the
//! bucket is read anew (*resync*). A tick names the clock while nothing happens, so that a lost last event is noticed.

use std::collections::VecDeque;

use super::event::{BucketClock, Event};

/// Events that wait while the log is being read; past that they are dropped and read from Redis afterwards.
const MAX_WAITING: usize = 4096;

/// The place in one bucket's events.
#[derive(Debug, Default)]
pub struct Feed {
    /// The clock of the last event applied.
    at: BucketClock,
    state: State,
    waiting: VecDeque<Event>,
    /// Something was missed while Redis was being read.
    again: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No subscription, nothing is known.
    #[default]
    Away,
    /// In order.
    Live,
    /// Redis is being read.
    Reading,
}

/// What to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Events to apply.
    pub apply: Vec<Event>,
    /// Something to read from Redis.
    pub read: Option<Read>,
}

/// What to read from Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The bucket's clock, then its log after this clock.
    Log(BucketClock),
    /// The bucket's clock, then everything that is watched in it.
    Everything,
}

impl Feed {
    /// An event arrived.
    pub fn event(&mut self, event: Event) -> Steps {
        match self.state {
            State::Away => Steps::default(),
            State::Live if event.previous == self.at => {
                self.at = event.clock;
                Steps { apply: vec![event], read: None }
            }
            State::Live if event.clock <= self.at => Steps::default(),
            State::Live => {
                self.waiting.push_back(event);
                self.read_log()
            }
            State::Reading => {
                if self.waiting.len() < MAX_WAITING {
                    self.waiting.push_back(event);
                } else {
                    self.waiting.clear();
                    self.again = true;
                }
                Steps::default()
            }
        }
    }

    /// A tick arrived. One that is older than the last event means that Redis lost some, unless it was under way while
    /// the log was read; the log tells.
    pub fn tick(&mut self, clock: BucketClock) -> Steps {
        if self.state == State::Live && clock != self.at { self.read_log() } else { Steps::default() }
    }

    /// Events may have been missed: the subscription is new, or messages were dropped.
    pub fn missed(&mut self) -> Steps {
        match self.state {
            State::Away => self.read_everything(),
            State::Live => self.read_log(),
            State::Reading => {
                self.again = true;
                Steps::default()
            }
        }
    }

    /// Redis has another history than before: nothing that is known counts.
    pub fn forget(&mut self) -> Steps {
        if self.state == State::Reading {
            // What is being read is of the new history or will not fit; it is read once more in either case.
            self.at = 0;
            self.again = true;
            return Steps::default();
        }
        self.read_everything()
    }

    /// The log was read: the bucket's clock before that, and the events after the clock asked for.
    pub fn log_read(&mut self, clock: BucketClock, events: Vec<Event>) -> Steps {
        let last = events.last().map_or(self.at, |event| event.clock);
        let fits = events.iter().try_fold(self.at, |at, event| (event.previous == at).then_some(event.clock)).is_some();
        if !fits || clock < self.at || clock > last {
            return self.read_everything();
        }
        self.at = last;
        self.resume(events)
    }

    /// Everything that is watched was read and stands; the bucket's clock was this before.
    pub fn everything_read(&mut self, clock: BucketClock) -> Steps {
        self.at = clock;
        self.resume(Vec::new())
    }

    /// Redis could not be read: the caller asks again when it can.
    pub fn not_read(&mut self) {
        self.state = State::Away;
        self.waiting.clear();
        self.again = false;
    }

    /// Whether everything up to the last message has been applied.
    pub fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Whether nothing is known and nothing is being read.
    pub fn is_away(&self) -> bool {
        self.state == State::Away
    }

    /// Goes on with what waited.
    fn resume(&mut self, mut apply: Vec<Event>) -> Steps {
        self.state = State::Live;
        if std::mem::take(&mut self.again) {
            return Steps { apply, ..self.read_log() };
        }
        while let Some(event) = self.waiting.pop_front() {
            if event.clock <= self.at {
                continue;
            }
            if event.previous != self.at {
                self.waiting.push_front(event);
                return Steps { apply, ..self.read_log() };
            }
            self.at = event.clock;
            apply.push(event);
        }
        Steps { apply, read: None }
    }

    fn read_log(&mut self) -> Steps {
        self.state = State::Reading;
        Steps { apply: Vec::new(), read: Some(Read::Log(self.at)) }
    }

    fn read_everything(&mut self) -> Steps {
        self.state = State::Reading;
        Steps { apply: Vec::new(), read: Some(Read::Everything) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(previous: BucketClock, clock: BucketClock) -> Event {
        Event { previous, clock, changes: Vec::new() }
    }

    /// A feed that has everything up to `at`.
    fn live(at: BucketClock) -> Feed {
        let mut feed = Feed::default();
        assert_eq!(feed.missed().read, Some(Read::Everything));
        assert_eq!(feed.everything_read(at), Steps::default());
        feed
    }

    fn clocks(steps: &Steps) -> Vec<BucketClock> {
        steps.apply.iter().map(|event| event.clock).collect()
    }

    #[test]
    fn what_fits_is_applied_and_what_is_old_is_not() {
        let mut feed = live(5);
        assert_eq!(clocks(&feed.event(event(5, 7))), [7]);
        assert_eq!(feed.event(event(5, 7)), Steps::default());
        assert_eq!(feed.tick(7), Steps::default());
        assert!(feed.is_live());
    }

    #[test]
    fn a_gap_is_closed_from_the_log() {
        let mut feed = live(5);
        assert_eq!(feed.event(event(8, 9)).read, Some(Read::Log(5)));
        assert_eq!(feed.event(event(9, 11)), Steps::default(), "waits");
        let steps = feed.log_read(9, vec![event(5, 8), event(8, 9)]);
        assert_eq!((clocks(&steps), steps.read), (vec![8, 9, 11], None));
    }

    #[test]
    fn a_tick_notices_that_the_last_event_was_lost() {
        let mut feed = live(5);
        assert_eq!(feed.tick(9).read, Some(Read::Log(5)));
        assert_eq!(clocks(&feed.log_read(9, vec![event(5, 9)])), [9]);
    }

    #[test]
    fn a_tick_that_was_under_way_while_the_log_was_read_does_no_harm() {
        let mut feed = live(9);
        assert_eq!(feed.tick(5).read, Some(Read::Log(9)));
        assert_eq!(feed.log_read(9, Vec::new()), Steps::default());
        assert!(feed.is_live());
    }

    #[test]
    fn where_the_log_does_not_lead_on_everything_is_read() {
        let cases = [
            (9, vec![event(8, 9)], "it was trimmed"),
            (9, Vec::new(), "it is gone"),
            (3, Vec::new(), "Redis went back"),
            (9, vec![event(5, 7), event(8, 9)], "it has a hole"),
        ];
        for (clock, log, why) in cases {
            let mut feed = live(5);
            feed.tick(9);
            assert_eq!(feed.log_read(clock, log).read, Some(Read::Everything), "{why}");
            let steps = feed.everything_read(clock);
            assert_eq!((steps.apply.len(), steps.read), (0, None), "{why}");
        }
    }

    #[test]
    fn what_came_while_everything_was_read_is_applied_after_it() {
        let mut feed = Feed::default();
        assert_eq!(feed.event(event(1, 2)), Steps::default(), "not subscribed");
        feed.missed();
        feed.event(event(4, 5));
        feed.event(event(5, 6));
        assert_eq!(clocks(&feed.everything_read(5)), [6]);
    }

    #[test]
    fn a_flood_while_redis_is_read_is_dropped_and_read_again() {
        let mut feed = live(0);
        feed.tick(1);
        (1..=5000).for_each(|clock| assert_eq!(feed.event(event(clock, clock + 1)), Steps::default()));
        assert!(feed.waiting.len() <= MAX_WAITING);
        let steps = feed.log_read(1, vec![event(0, 1)]);
        assert_eq!((clocks(&steps), steps.read), (vec![1], Some(Read::Log(1))));
    }

    /// Redis as a feed sees it: a log of a limited length, and a clock.
    struct History {
        log: Vec<Event>,
        kept: usize,
    }

    impl History {
        fn clock(&self) -> BucketClock {
            self.log.last().map_or(0, |event| event.clock)
        }

        /// Carries a read out and what comes of it; returns the clocks known afterwards.
        fn serve(&self, feed: &mut Feed, steps: Steps, known: &mut BucketClock) {
            let mut steps = steps;
            loop {
                for event in &steps.apply {
                    assert_eq!(event.previous, *known, "out of order");
                    *known = event.clock;
                }
                steps = match steps.read {
                    None => break,
                    Some(Read::Log(after)) => {
                        let trimmed = self.log.len().saturating_sub(self.kept);
                        let rest = self.log[trimmed..].iter().filter(|event| event.clock > after).cloned().collect();
                        feed.log_read(self.clock(), rest)
                    }
                    Some(Read::Everything) => {
                        *known = self.clock();
                        feed.everything_read(self.clock())
                    }
                };
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_lost_the_feed_ends_at_the_truth_and_never_skips_one(
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
                    0 => { history.log.pop(); Steps::default() }
                    // The link drops; another is made.
                    1 => feed.missed(),
                    2 => feed.tick(history.clock()),
                    // An event, which arrives or does not.
                    _ => {
                        let previous = history.clock();
                        let next = event(previous, known.max(previous) + by);
                        history.log.push(next.clone());
                        if what < 6 { Steps::default() } else { feed.event(next) }
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
