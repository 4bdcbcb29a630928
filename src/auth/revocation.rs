//! Who logged out: token ids that are good no longer, and users all of whose older tokens are.
//!
//! In memory, as Nakama keeps it: gone at a restart. An entry is kept for as long as the tokens it speaks of could live,
//! then swept; a log-out sweeps what has expired when the list has doubled since the last sweep. At [`MAX_REVOCATIONS`] entries a
//! log-out is refused.

use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;
use uuid::Uuid;

use super::token::Claims;
use crate::config::NakamaConfig;
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

/// Entries kept at most: some 50 MB.
const MAX_REVOCATIONS: usize = 1_000_000;

/// The list is full: nothing was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tokens are revoked already")]
pub struct RevocationsFull;

/// The list of what is revoked.
pub struct Revocations {
    session_life: Duration,
    refresh_life: Duration,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    /// Until when the tokens could live.
    sessions: HashMap<Uuid, Timestamp>,
    refreshes: HashMap<Uuid, Timestamp>,
    /// Tokens issued before then are revoked.
    users: HashMap<UserId, Timestamp>,
    /// Sweep when there are this many.
    sweep_at: usize,
}

impl Revocations {
    /// Nothing revoked yet.
    pub fn new(config: &NakamaConfig) -> Self {
        Self {
            session_life: config.token_expiry.0,
            refresh_life: config.refresh_token_expiry.0,
            lists: Mutex::default(),
        }
    }

    /// Whether a session token with these claims is revoked.
    pub fn session_revoked(&self, claims: &Claims) -> bool {
        let lists = self.lists.lock();
        lists.sessions.contains_key(&claims.token_id) || lists.issued_too_early(claims, self.session_life)
    }

    /// Whether a refresh token with these claims is revoked.
    pub fn refresh_revoked(&self, claims: &Claims) -> bool {
        let lists = self.lists.lock();
        lists.refreshes.contains_key(&claims.token_id) || lists.issued_too_early(claims, self.refresh_life)
    }

    /// Revokes this login's session tokens.
    pub fn revoke_session(&self, claims: &Claims, now: Timestamp) -> Result<(), RevocationsFull> {
        let mut lists = self.lists.lock();
        lists.make_room(now, self.session_life.max(self.refresh_life))?;
        // A refreshed token of the same login may live as long as one made just now.
        lists.sessions.insert(claims.token_id, now + self.session_life);
        Ok(())
    }

    /// Revokes this login's refresh tokens.
    pub fn revoke_refresh(&self, claims: &Claims, now: Timestamp) -> Result<(), RevocationsFull> {
        let mut lists = self.lists.lock();
        lists.make_room(now, self.session_life.max(self.refresh_life))?;
        lists.refreshes.insert(claims.token_id, now + self.refresh_life);
        Ok(())
    }

    /// Revokes all of a user's tokens that were made before this second.
    pub fn revoke_all(&self, user: UserId, now: Timestamp) -> Result<(), RevocationsFull> {
        let mut lists = self.lists.lock();
        lists.make_room(now, self.session_life.max(self.refresh_life))?;
        lists.users.insert(user, Timestamp::from_secs(now.as_secs()));
        Ok(())
    }
}

impl Lists {
    /// Nakama compares the time a token was made, which is its expiry less its life: a refreshed token keeps `iat`.
    fn issued_too_early(&self, claims: &Claims, life: Duration) -> bool {
        self.users.get(&claims.user).is_some_and(|&revoked| claims.expires < revoked + life)
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.refreshes.len() + self.users.len()
    }

    fn make_room(&mut self, now: Timestamp, longest_life: Duration) -> Result<(), RevocationsFull> {
        if self.len() < self.sweep_at.min(MAX_REVOCATIONS) {
            return Ok(());
        }
        self.sessions.retain(|_, &mut until| until > now);
        self.refreshes.retain(|_, &mut until| until > now);
        self.users.retain(|_, &mut revoked| revoked + longest_life > now);
        self.sweep_at = (self.len() * 2).max(1024);
        if self.len() < MAX_REVOCATIONS { Ok(()) } else { Err(RevocationsFull) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap as Environment};

    use super::*;
    use crate::config::{Overrides, load};

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + secs)
    }

    fn revocations() -> Revocations {
        Revocations::new(&load(&Overrides::default(), Environment::new()).unwrap().nakama)
    }

    /// A session token made at that second.
    fn session(made: u64) -> Claims {
        Claims {
            token_id: Uuid::new_v4(),
            user: UserId::from_name("alice"),
            username: None,
            vars: BTreeMap::new(),
            expires: at(made + 3600),
            issued: at(0),
        }
    }

    #[test]
    fn a_log_out_revokes_one_login_and_one_kind_of_token() {
        let revocations = revocations();
        let (left, stays) = (session(0), session(0));
        revocations.revoke_session(&left, at(1)).unwrap();
        assert!(revocations.session_revoked(&left));
        assert!(!revocations.refresh_revoked(&left));
        assert!(!revocations.session_revoked(&stays));
    }

    #[test]
    fn a_log_out_everywhere_revokes_what_was_made_before_that_second() {
        let revocations = revocations();
        revocations.revoke_all(UserId::from_name("alice"), at(10)).unwrap();
        assert!(revocations.session_revoked(&session(9)));
        assert!(!revocations.session_revoked(&session(10)));
        let other = Claims { user: UserId::from_name("bob"), ..session(9) };
        assert!(!revocations.session_revoked(&other));
    }

    #[test]
    fn the_list_does_not_grow_for_ever() {
        let revocations = revocations();
        for round in 0..20 {
            for _ in 0..1000 {
                revocations.revoke_session(&session(0), at(round * 4000)).unwrap();
            }
        }
        let kept = revocations.lists.lock().len();
        assert!(kept < 5000, "{kept} kept");
    }

    #[test]
    fn a_full_list_refuses_until_what_is_in_it_expires() {
        let revocations = revocations();
        for _ in 0..MAX_REVOCATIONS {
            let id = Uuid::new_v4();
            revocations.lists.lock().sessions.insert(id, at(3600));
        }
        assert_eq!(revocations.revoke_session(&session(0), at(1)), Err(RevocationsFull));
        assert_eq!(revocations.revoke_session(&session(0), at(3600)), Ok(()));
    }
}
