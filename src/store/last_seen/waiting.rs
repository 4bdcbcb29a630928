//! Sightings that wait to be written, merged by user.
//!
//! Bounded in users and in bytes of text; past that further users are refused (and counted), while those that wait
//! already go on merging. Two maps: one fills while the other is being written, and a reader looks through both.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::presence::id::UserId;
use crate::presence::last_seen::Activity;

/// Users that wait at most, the ones being written among them.
const MAX_USERS: usize = 2_000_000;

/// Bytes of text that wait at most.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Sightings, one a user.
pub type Activities = HashMap<UserId, Activity>;

/// What waits.
#[derive(Debug, Default)]
pub struct Waiting {
    filling: Activities,
    writing: Arc<Activities>,
    /// Of the text in `filling`.
    bytes: usize,
    /// Of the text in `writing`.
    writing_bytes: usize,
}

impl Waiting {
    /// Takes a sighting in. False: it was refused.
    pub fn add(&mut self, user: UserId, sighting: Activity) -> bool {
        let added = sighting.text_bytes();
        if added > 0 && self.bytes + self.writing_bytes + added > MAX_BYTES {
            return false;
        }
        if let Some(waiting) = self.filling.get_mut(&user) {
            let before = waiting.text_bytes();
            waiting.then(sighting);
            self.bytes = self.bytes - before + waiting.text_bytes();
            return true;
        }
        if self.len() >= MAX_USERS {
            return false;
        }
        self.bytes += added;
        self.filling.insert(user, sighting);
        true
    }

    /// What is to be written: everything that has filled up, after what could not be written before.
    pub fn begin(&mut self) -> Arc<Activities> {
        if self.writing.is_empty() {
            self.writing = Arc::new(std::mem::take(&mut self.filling));
            self.writing_bytes = self.bytes;
        } else {
            let writing = Arc::make_mut(&mut self.writing);
            for (user, sighting) in self.filling.drain() {
                writing.entry(user).or_default().then(sighting);
            }
            self.writing_bytes = writing.values().map(Activity::text_bytes).sum();
        }
        self.bytes = 0;
        self.writing.clone()
    }

    /// It has been written.
    pub fn end(&mut self) {
        self.writing = Arc::default();
        self.writing_bytes = 0;
    }

    /// What waits of a user: (what is being written, what comes after it).
    pub fn of(&self, user: UserId) -> (Option<Activity>, Option<Activity>) {
        (self.writing.get(&user).cloned(), self.filling.get(&user).cloned())
    }

    /// Users of whom something waits.
    pub fn len(&self) -> usize {
        self.filling.len() + self.writing.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::last_seen::LastSeen;
    use crate::presence::status::StatusText;
    use crate::presence::time::Timestamp;
    use uuid::Uuid;

    fn user(number: usize) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number as u128))
    }

    #[test]
    fn past_the_bound_new_users_are_refused_and_known_ones_merge() {
        let mut waiting = Waiting::default();
        let at = Activity::online(Timestamp::from_secs(1));
        for number in 0..MAX_USERS {
            assert!(waiting.add(user(number), at.clone()));
        }
        assert!(!waiting.add(user(MAX_USERS), at.clone()));
        assert!(waiting.add(user(7), at.clone()));
        waiting.begin();
        assert!(!waiting.add(user(7), at.clone()), "what is being written still takes its place");
        waiting.end();
        assert!(waiting.add(user(MAX_USERS), at));
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn past_the_bound_of_text_no_more_text_is_taken_but_ticks_are() {
        let mut waiting = Waiting::default();
        let text = StatusText::new(&"x".repeat(StatusText::MAX_BYTES)).unwrap();
        let state = |text: &StatusText| Activity::active(Timestamp::from_secs(1), Some(text.clone()));
        let most = MAX_BYTES / StatusText::MAX_BYTES;
        for number in 0..most {
            assert!(waiting.add(user(number), state(&text)));
        }
        assert!(!waiting.add(user(most), state(&text)));
        assert!(waiting.add(user(most), Activity::online(Timestamp::from_secs(1))));
        waiting.begin();
        assert!(!waiting.add(user(most), state(&text)), "what is being written counts");
        waiting.begin();
        assert!(!waiting.add(user(most), state(&text)), "what could not be written counts");
        waiting.end();
        assert!(waiting.add(user(most), state(&text)));
    }

    #[test]
    fn what_could_not_be_written_is_written_with_what_came_after_it() {
        let mut waiting = Waiting::default();
        waiting.add(user(1), Activity::active(Timestamp::from_secs(5), None));
        waiting.begin();
        waiting.add(user(1), Activity::online(Timestamp::from_secs(7)));
        let mut record = LastSeen::default();
        waiting.begin()[&user(1)].apply(&mut record);
        assert_eq!((record.active.as_secs(), record.online.as_secs()), (5, 7));
    }
}
