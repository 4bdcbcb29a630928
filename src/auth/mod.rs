//! Who somebody is: tokens, their revocation, and passwords.
//!
//! [`connection`] reads the tokens of Centrifugo's clients. [`token`] signs and reads Nakama's, [`revocation`] remembers who logged out, [`password`] hashes. [`Auth`] is what the rest of
//! the server asks.

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

/// Issues tokens and says whose a token is.
pub struct Auth {
    tokens: Tokens,
    revocations: Revocations,
    clock: Clock,
}

impl Auth {
    /// With the keys and lives of the configuration.
    pub fn new(config: &NakamaConfig, clock: &Clock) -> Self {
        Self { tokens: Tokens::new(config), revocations: Revocations::new(config), clock: clock.clone() }
    }

    /// A pair of tokens for a login.
    pub fn issue(&self, user: UserId, username: &Username, vars: Vars) -> TokenPair {
        self.tokens.issue(user, username, vars, self.clock.time_of_day())
    }

    /// A new pair for the holder of a refresh token: same login, current username. `vars` replace the old ones unless
    /// they are empty.
    pub fn reissue(&self, claims: &Claims, username: &Username, vars: Vars) -> TokenPair {
        self.tokens.reissue(claims, username, vars, self.clock.time_of_day())
    }

    /// Whose session token this is, if it is sound, not expired and not revoked.
    pub fn verify_session(&self, token: &str) -> Result<Claims, InvalidToken> {
        let claims = self.tokens.verify_session(token, self.clock.time_of_day())?;
        if self.revocations.session_revoked(&claims) { Err(InvalidToken) } else { Ok(claims) }
    }

    /// Whose refresh token this is, if it is sound, not expired and not revoked.
    pub fn verify_refresh(&self, token: &str) -> Result<Claims, InvalidToken> {
        let claims = self.tokens.verify_refresh(token, self.clock.time_of_day())?;
        if self.revocations.refresh_revoked(&claims) { Err(InvalidToken) } else { Ok(claims) }
    }

    /// Revokes the session tokens of this login, the refreshed ones too.
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
