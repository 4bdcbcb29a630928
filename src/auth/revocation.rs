//! Logouts: ids of revoked tokens, and users with all older tokens revoked.
//!
//! The list is in memory, as Nakama's is: a restart empties it. An entry stays for the maximum lifetime of the tokens
//! that it revokes. A logout removes expired entries when the list has doubled after the last removal. At
//! [`MAX_REVOCATIONS`] entries a logout is refused.

use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;
use uuid::Uuid;

use super::token::Claims;
use crate::config::NakamaConfig;
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

/// Maximum number of entries, about 50 MB.
const MAX_REVOCATIONS: usize = 1_000_000;

/// The list is full, and nothing was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tokens are revoked already")]
pub struct RevocationsFull;

/// The list of revoked tokens.
pub struct Revocations {
    session_lifetime: Duration,
    refresh_lifetime: Duration,
    lists: Mutex<RevokedTokens>,
}

#[derive(Default)]
struct RevokedTokens {
    /// Revoked session tokens by id, with the latest time at which they expire.
    sessions: HashMap<Uuid, Timestamp>,
    /// The same for refresh tokens.
    refreshes: HashMap<Uuid, Timestamp>,
    /// Users, with the time before which all their tokens are revoked.
    users: HashMap<UserId, Timestamp>,
    /// Number of entries at which expired ones are removed.
    sweep_at: usize,
}

impl Revocations {
    /// A list without entries, for tokens with the lifetimes of the configuration.
    pub fn new(config: &NakamaConfig) -> Self {
        Self {
            session_lifetime: config.token_expiry.0,
            refresh_lifetime: config.refresh_token_expiry.0,
            lists: Mutex::default(),
        }
    }

    /// Returns whether a session token with these claims is revoked.
    pub fn is_session_revoked(&self, claims: &Claims) -> bool {
        let lists = self.lists.lock();
        lists.sessions.contains_key(&claims.token_id) || lists.issued_too_early(claims, self.session_lifetime)
    }

    /// Returns whether a refresh token with these claims is revoked.
    pub fn is_refresh_revoked(&self, claims: &Claims) -> bool {
        let lists = self.lists.lock();
        lists.refreshes.contains_key(&claims.token_id) || lists.issued_too_early(claims, self.refresh_lifetime)
    }

    /// Revokes the session tokens of this login.
    pub fn revoke_session(&self, claims: &Claims, now: Timestamp) -> Result<(), RevocationsFull> {
        let mut lists = self.lists.lock();
        lists.make_room(now, self.session_lifetime.max(self.refresh_lifetime))?;
        // A refreshed token of the same login may expire as late as one issued now.
        lists.sessions.insert(claims.token_id, now + self.session_lifetime);
        Ok(())
    }

    /// Revokes the refresh tokens of this login.
    pub fn revoke_refresh(&self, claims: &Claims, now: Timestamp) -> Result<(), RevocationsFull> {
        let mut lists = self.lists.lock();
        lists.make_room(now, self.session_lifetime.max(self.refresh_lifetime))?;
        lists.refreshes.insert(claims.token_id, now + self.refresh_lifetime);
        Ok(())
    }

    /// Revokes all tokens of a user that were issued before this second.
    pub fn revoke_all(&self, user: UserId, now: Timestamp) -> Result<(), RevocationsFull> {
        let mut lists = self.lists.lock();
        lists.make_room(now, self.session_lifetime.max(self.refresh_lifetime))?;
        lists.users.insert(user, Timestamp::from_secs(now.as_secs()));
        Ok(())
    }
}

impl RevokedTokens {
    /// Returns whether a token was issued before all tokens of its user were revoked. Like Nakama, computes the time of
    /// issue from the expiry and the lifetime, because a refreshed token keeps `iat`.
    fn issued_too_early(&self, claims: &Claims, lifetime: Duration) -> bool {
        self.users.get(&claims.user).is_some_and(|&revoked| claims.expires < revoked + lifetime)
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.refreshes.len() + self.users.len()
    }

    fn make_room(&mut self, now: Timestamp, max_lifetime: Duration) -> Result<(), RevocationsFull> {
        if self.len() < self.sweep_at.min(MAX_REVOCATIONS) {
            return Ok(());
        }
        self.sessions.retain(|_, &mut until| until > now);
        self.refreshes.retain(|_, &mut until| until > now);
        self.users.retain(|_, &mut revoked| revoked + max_lifetime > now);
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

    /// The claims of a session token that was issued at this second.
    fn session(issued: u64) -> Claims {
        Claims {
            token_id: Uuid::new_v4(),
            user: UserId::from_name("alice"),
            username: None,
            vars: BTreeMap::new(),
            expires: at(issued + 3600),
            issued: at(0),
        }
    }

    #[test]
    fn a_logout_revokes_one_login_and_one_kind_of_token() {
        let revocations = revocations();
        let (revoked, other) = (session(0), session(0));
        revocations.revoke_session(&revoked, at(1)).unwrap();
        assert!(revocations.is_session_revoked(&revoked));
        assert!(!revocations.is_refresh_revoked(&revoked));
        assert!(!revocations.is_session_revoked(&other));
    }

    #[test]
    fn a_logout_of_all_devices_revokes_tokens_issued_before_that_second() {
        let revocations = revocations();
        revocations.revoke_all(UserId::from_name("alice"), at(10)).unwrap();
        assert!(revocations.is_session_revoked(&session(9)));
        assert!(!revocations.is_session_revoked(&session(10)));
        let other = Claims { user: UserId::from_name("bob"), ..session(9) };
        assert!(!revocations.is_session_revoked(&other));
    }

    #[test]
    fn expired_entries_are_removed() {
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
    fn a_full_list_refuses_logouts_until_entries_expire() {
        let revocations = revocations();
        for _ in 0..MAX_REVOCATIONS {
            let id = Uuid::new_v4();
            revocations.lists.lock().sessions.insert(id, at(3600));
        }
        assert_eq!(revocations.revoke_session(&session(0), at(1)), Err(RevocationsFull));
        assert_eq!(revocations.revoke_session(&session(0), at(3600)), Ok(()));
    }
}
