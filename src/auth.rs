//! Authentication: tokens, their revocation, and passwords.
//!
//! [`Auth`] issues, verifies and revokes the tokens of Nakama's clients: [`token`] signs and reads them, [`revocation`]
//! remembers logouts. [`connection`] reads the connection tokens of Centrifugo's clients, [`user_sig`] Tencent Chat's
//! userSigs, [`password`] hashes passwords.

pub mod connection;
pub mod password;
pub mod revocation;
pub mod token;
pub mod user_sig;

use crate::clock::Clock;
use crate::config::NakamaConfig;
use crate::presence::id::{UserId, Username};

use revocation::{Revocations, RevocationsFull};
use token::{Claims, InvalidToken, TokenPair, Tokens, Vars};

/// Issues, verifies and revokes the tokens of Nakama's clients.
pub struct Auth {
    tokens: Tokens,
    revocations: Revocations,
    clock: Clock,
}

impl Auth {
    /// Uses the keys and lifetimes of the configuration.
    pub fn new(config: &NakamaConfig, clock: &Clock) -> Self {
        Self { tokens: Tokens::new(config), revocations: Revocations::new(config), clock: clock.clone() }
    }

    /// Issues a pair of tokens for a login.
    pub fn issue(&self, user: UserId, username: &Username, vars: Vars) -> TokenPair {
        self.tokens.issue(user, username, vars, self.clock.time_of_day())
    }

    /// Issues a new pair for the holder of a refresh token: same login, current username. `vars` replace the old ones
    /// unless they are empty.
    pub fn reissue(&self, claims: &Claims, username: &Username, vars: Vars) -> TokenPair {
        self.tokens.reissue(claims, username, vars, self.clock.time_of_day())
    }

    /// Returns the claims of a session token. Refuses a token that is invalid, expired or revoked.
    pub fn verify_session(&self, token: &str) -> Result<Claims, InvalidToken> {
        let claims = self.tokens.verify_session(token, self.clock.time_of_day())?;
        if self.revocations.is_session_revoked(&claims) { Err(InvalidToken) } else { Ok(claims) }
    }

    /// Returns the claims of a refresh token. Refuses a token that is invalid, expired or revoked.
    pub fn verify_refresh(&self, token: &str) -> Result<Claims, InvalidToken> {
        let claims = self.tokens.verify_refresh(token, self.clock.time_of_day())?;
        if self.revocations.is_refresh_revoked(&claims) { Err(InvalidToken) } else { Ok(claims) }
    }

    /// Revokes the session tokens of this login, including the refreshed ones.
    pub fn revoke_session(&self, claims: &Claims) -> Result<(), RevocationsFull> {
        self.revocations.revoke_session(claims, self.clock.time_of_day())
    }

    /// Revokes the refresh tokens of this login.
    pub fn revoke_refresh(&self, claims: &Claims) -> Result<(), RevocationsFull> {
        self.revocations.revoke_refresh(claims, self.clock.time_of_day())
    }

    /// Revokes every token of the user that was issued before this second.
    pub fn revoke_all(&self, user: UserId) -> Result<(), RevocationsFull> {
        self.revocations.revoke_all(user, self.clock.time_of_day())
    }
}
