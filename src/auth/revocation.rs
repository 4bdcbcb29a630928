//! Which tokens of one user are revoked: a list of logins, and the instant from which on tokens are valid.
//!
//! The rules are pure; `store::revocations` keeps the record of each user. A record is bounded: it lists at most
//! [`MAX_LOGINS`] logins. A further logout drops the oldest one and moves the instant past its logout, which also revokes
//! the tokens of the same user that are older than that. So the cost of logouts is a cost per user, and a logout is never
//! refused. A record expires with the tokens that it revokes.

#[cfg(test)]
mod tests;

use std::time::Duration;

use uuid::Uuid;

use crate::presence::time::Timestamp;

/// Maximum number of logins that a record lists.
pub const MAX_LOGINS: usize = 32;

/// The two kinds of tokens of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Authenticates requests.
    Session,
    /// Is exchanged for a new pair.
    Refresh,
}

/// A login with revoked tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedLogin {
    /// Id of the login, which all its tokens have.
    pub token_id: Uuid,
    /// Time of the last logout of this login.
    pub at: Timestamp,
    /// When its last revoked session token is expired. The epoch means that they are not revoked.
    pub sessions_until: Timestamp,
    /// The same for refresh tokens.
    pub refreshes_until: Timestamp,
}

impl RevokedLogin {
    fn until(&self, kind: TokenKind) -> Timestamp {
        match kind {
            TokenKind::Session => self.sessions_until,
            TokenKind::Refresh => self.refreshes_until,
        }
    }

    fn expires(&self) -> Timestamp {
        self.sessions_until.max(self.refreshes_until)
    }
}

/// A logout of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Time of the logout.
    pub now: Timestamp,
    /// Maximum lifetime of a token that is issued now.
    pub lifetime: Duration,
    /// What it revokes.
    pub tokens: RevokedTokens,
}

/// The tokens that a logout revokes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokedTokens {
    /// Tokens of these logins.
    Of(Vec<RevokedLogin>),
    /// Every token that was issued before this second.
    All,
}

/// The record of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserRevocations {
    /// Tokens that were issued before are revoked. A whole second, because tokens have whole seconds.
    pub valid_from: Timestamp,
    /// When the last token that was issued before `valid_from` is expired.
    pub valid_from_until: Timestamp,
    /// Revoked logins, by the time of their last logout.
    pub logins: Vec<RevokedLogin>,
}

impl UserRevocations {
    /// Takes in a logout, and forgets what has expired.
    pub fn apply(&mut self, revocation: &Revocation) {
        let &Revocation { now, lifetime, ref tokens } = revocation;
        self.expire(now);
        match tokens {
            RevokedTokens::All => self.revoke_before(now.as_secs(), now + lifetime),
            RevokedTokens::Of(logins) => logins.iter().for_each(|login| self.revoke_login(*login, now + lifetime)),
        }
    }

    /// Returns whether a token is revoked. `issued` is the second in which it was issued.
    pub fn is_revoked(&self, token_id: Uuid, kind: TokenKind, issued: Timestamp, now: Timestamp) -> bool {
        let is_listed = |login: &RevokedLogin| login.token_id == token_id && login.until(kind) > now;
        issued < self.valid_from || self.logins.iter().any(is_listed)
    }

    /// Returns when every token that the record revokes is expired.
    pub fn expires(&self) -> Timestamp {
        self.logins.iter().map(RevokedLogin::expires).fold(self.valid_from_until, Timestamp::max)
    }

    fn expire(&mut self, now: Timestamp) {
        self.logins.retain(|login| login.expires() > now);
        if self.valid_from_until <= now {
            (self.valid_from, self.valid_from_until) = Default::default();
        }
    }

    fn revoke_login(&mut self, mut login: RevokedLogin, until: Timestamp) {
        if let Some(position) = self.logins.iter().position(|known| known.token_id == login.token_id) {
            let known = self.logins.remove(position);
            login.sessions_until = login.sessions_until.max(known.sessions_until);
            login.refreshes_until = login.refreshes_until.max(known.refreshes_until);
        }
        if self.logins.len() >= MAX_LOGINS {
            let oldest = self.logins.remove(0);
            // Its last token may have been issued in the very second of the logout.
            self.revoke_before(oldest.at.as_secs().saturating_add(1), until);
        }
        self.logins.push(login);
    }

    fn revoke_before(&mut self, second: u64, until: Timestamp) {
        self.valid_from = self.valid_from.max(Timestamp::from_secs(second));
        self.valid_from_until = self.valid_from_until.max(until);
    }
}
