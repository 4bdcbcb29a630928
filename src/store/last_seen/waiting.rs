//! Activities that wait to be written, merged by user.
//!
//! Bounded in users and in bytes of text. When full, further users are refused (and counted), while activities of users that
//! wait already are merged. There are two maps: one fills while the other is being written. A reader looks into both.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::presence::id::UserId;
use crate::presence::last_seen::Activity;

/// Maximum number of users that wait, including those being written.
const MAX_USERS: usize = 2_000_000;

/// Maximum number of bytes of text that wait.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Activities, one per user.
pub type Activities = HashMap<UserId, Activity>;

/// The activities that wait.
#[derive(Debug, Default)]
pub struct WaitingActivities {
    filling: Activities,
    writing: Arc<Activities>,
    /// Bytes of text in `filling`.
    bytes: usize,
    /// Bytes of text in `writing`.
    writing_bytes: usize,
}

impl WaitingActivities {
    /// Takes in an activity. Returns false if it was refused.
    pub fn add(&mut self, user: UserId, activity: Activity) -> bool {
        let added = activity.text_bytes();
        if added > 0 && self.bytes + self.writing_bytes + added > MAX_BYTES {
            return false;
        }
        if let Some(waiting) = self.filling.get_mut(&user) {
            let before = waiting.text_bytes();
            waiting.then(activity);
            self.bytes = self.bytes - before + waiting.text_bytes();
            return true;
        }
        if self.len() >= MAX_USERS {
            return false;
        }
        self.bytes += added;
        self.filling.insert(user, activity);
        true
    }

    /// Begins a write of everything that waits, after what could not be written before.
    pub fn begin(&mut self) -> Arc<Activities> {
        if self.writing.is_empty() {
            self.writing = Arc::new(std::mem::take(&mut self.filling));
            self.writing_bytes = self.bytes;
        } else {
            let writing = Arc::make_mut(&mut self.writing);
            for (user, activity) in self.filling.drain() {
                writing.entry(user).or_default().then(activity);
            }
            self.writing_bytes = writing.values().map(Activity::text_bytes).sum();
        }
        self.bytes = 0;
        self.writing.clone()
    }

    /// Ends a successful write.
    pub fn end(&mut self) {
        self.writing = Arc::default();
        self.writing_bytes = 0;
    }

    /// Returns the waiting activity of a user: (the one being written, the one after it).
    pub fn of(&self, user: UserId) -> (Option<Activity>, Option<Activity>) {
        (self.writing.get(&user).cloned(), self.filling.get(&user).cloned())
    }

    /// Returns the number of users with a waiting activity.
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
    fn when_full_new_users_are_refused_and_known_ones_are_merged() {
        let mut waiting = WaitingActivities::default();
        let at = Activity::online(Timestamp::from_secs(1));
        for number in 0..MAX_USERS {
            assert!(waiting.add(user(number), at.clone()));
        }
        assert!(!waiting.add(user(MAX_USERS), at.clone()));
        assert!(waiting.add(user(7), at.clone()));
        waiting.begin();
        assert!(!waiting.add(user(7), at.clone()), "users that are being written count");
        waiting.end();
        assert!(waiting.add(user(MAX_USERS), at));
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn when_full_of_text_more_text_is_refused_but_online_times_are_taken() {
        let mut waiting = WaitingActivities::default();
        let text = StatusText::new(&"x".repeat(StatusText::MAX_BYTES)).unwrap();
        let state = |text: &StatusText| Activity::active(Timestamp::from_secs(1), Some(text.clone()));
        let count = MAX_BYTES / StatusText::MAX_BYTES;
        for number in 0..count {
            assert!(waiting.add(user(number), state(&text)));
        }
        assert!(!waiting.add(user(count), state(&text)));
        assert!(waiting.add(user(count), Activity::online(Timestamp::from_secs(1))));
        waiting.begin();
        assert!(!waiting.add(user(count), state(&text)), "text that is being written counts");
        waiting.begin();
        assert!(!waiting.add(user(count), state(&text)), "text that could not be written counts");
        waiting.end();
        assert!(waiting.add(user(count), state(&text)));
    }

    #[test]
    fn activities_that_could_not_be_written_are_written_with_the_later_ones() {
        let mut waiting = WaitingActivities::default();
        waiting.add(user(1), Activity::active(Timestamp::from_secs(5), None));
        waiting.begin();
        waiting.add(user(1), Activity::online(Timestamp::from_secs(7)));
        let mut record = LastSeen::default();
        waiting.begin()[&user(1)].apply(&mut record);
        assert_eq!((record.active.as_secs(), record.online.as_secs()), (5, 7));
    }
}
