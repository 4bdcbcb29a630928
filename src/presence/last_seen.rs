//! What is kept of a user without connections: when it was last online, when it was last active, its state text.

use std::time::Duration;

use super::status::StatusText;
use super::time::Timestamp;

/// The last-seen record of one user (Centrifugo's user status).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastSeen {
    /// When the user last reported activity, in whole seconds. Zero means never.
    pub active: Timestamp,
    /// When a connection of the user was last visible, in whole seconds. Zero means never.
    pub online: Timestamp,
    /// Its last state text, kept until it sends another.
    pub state: Option<StatusText>,
}

impl LastSeen {
    /// Merges an earlier record: times only grow, and a state text in this record wins.
    pub fn remember(&mut self, earlier: Self) {
        self.active = self.active.max(earlier.active);
        self.online = self.online.max(earlier.online);
        self.state = self.state.take().or(earlier.state);
    }

    /// Returns whether the record is older than `after`, so that the user counts as never seen.
    pub fn is_expired(&self, now: Timestamp, after: Duration) -> bool {
        self.active.max(self.online) + after <= now
    }
}

/// An update of a last-seen record, or several in their order. Applying the same update twice changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The earlier record is deleted first.
    forget: bool,
    active: Timestamp,
    online: Timestamp,
    state: Option<StatusText>,
}

impl Activity {
    /// A connection of the user was visible at this time of day.
    pub fn online(at: Timestamp) -> Self {
        Self { online: whole_seconds(at), ..Self::default() }
    }

    /// The user was active at this time of day. `None` keeps its state text.
    pub fn active(at: Timestamp, state: Option<StatusText>) -> Self {
        Self { active: whole_seconds(at), state, ..Self::default() }
    }

    /// The record is deleted.
    pub fn forgotten() -> Self {
        Self { forget: true, ..Self::default() }
    }

    /// Adds a later update.
    pub fn then(&mut self, later: Self) {
        if later.forget {
            *self = later;
            return;
        }
        self.active = self.active.max(later.active);
        self.online = self.online.max(later.online);
        if later.state.is_some() {
            self.state = later.state;
        }
    }

    /// Applies the update to a record. Times only grow, even if a clock goes back.
    pub fn apply(&self, record: &mut LastSeen) {
        if self.forget {
            *record = LastSeen::default();
        }
        record.active = record.active.max(self.active);
        record.online = record.online.max(self.online);
        if self.state.is_some() {
            record.state.clone_from(&self.state);
        }
    }

    /// The earlier record is deleted first.
    pub fn forgets(&self) -> bool {
        self.forget
    }

    /// Returns when the user was online, if the update contains nothing else.
    pub fn only_online(&self) -> Option<Timestamp> {
        let more = self.forget || self.active > Timestamp::default() || self.state.is_some();
        (!more).then_some(self.online)
    }

    /// Returns the number of bytes of text in it.
    pub fn text_bytes(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.as_str().len())
    }
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.as_secs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_activity() -> impl Strategy<Value = Activity> {
        let at = (1..50_u64).prop_map(Timestamp::from_secs);
        let state = prop::option::of("[ab]?").prop_map(|text| text.map(|text| StatusText::new(&text).unwrap()));
        prop_oneof![
            4 => at.clone().prop_map(Activity::online),
            4 => (at, state).prop_map(|(at, state)| Activity::active(at, state)),
            1 => Just(Activity::forgotten()),
        ]
    }

    fn record() -> impl Strategy<Value = LastSeen> {
        prop::collection::vec(any_activity(), 0..4).prop_map(|last_seen| {
            let mut record = LastSeen::default();
            last_seen.iter().for_each(|last_seen| last_seen.apply(&mut record));
            record
        })
    }

    proptest! {
        #[test]
        fn merged_updates_equal_single_ones_and_repeating_changes_nothing(
            before in record(),
            last_seen in prop::collection::vec(any_activity(), 1..6),
        ) {
            let mut one_by_one = before.clone();
            last_seen.iter().for_each(|last_seen| last_seen.apply(&mut one_by_one));
            let mut merged = last_seen[0].clone();
            last_seen[1..].iter().for_each(|later| merged.then(later.clone()));
            let mut at_once = before;
            merged.apply(&mut at_once);
            prop_assert_eq!(&at_once, &one_by_one);
            merged.apply(&mut at_once);
            prop_assert_eq!(at_once, one_by_one);
        }
    }

    #[test]
    fn a_record_expires_after_the_last_of_its_times() {
        let mut record = LastSeen::default();
        Activity::online(Timestamp::from_micros(100_900_000)).apply(&mut record);
        assert_eq!(record.online, Timestamp::from_secs(100), "whole seconds");
        Activity::active(Timestamp::from_secs(150), None).apply(&mut record);
        assert!(!record.is_expired(Timestamp::from_secs(159), Duration::from_secs(10)));
        assert!(record.is_expired(Timestamp::from_secs(160), Duration::from_secs(10)));
    }
}
