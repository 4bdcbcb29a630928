//! Authentication of clients by connection tokens, for the [in-band handshake](super::handshake).

use bytestring::ByteString;

use crate::auth::connection::{ConnectionTokens, TokenError};
use crate::clock::Clock;
use crate::presence::id::{UserId, Username};
use crate::presence::member_name::MemberName;
use crate::presence::time::Timestamp;

/// Verifies connection tokens.
pub trait Authenticator: Send + Sync {
    /// Returns the identity that a token proves. `now` is on the session's clock, and so is the expiry in the result.
    fn authenticate(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError>;
}

/// The identity that a token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `None` means an anonymous client.
    pub user: Option<UserId>,
    /// The name that others see. `None` if the application's name for the user is no valid username.
    pub username: Option<Username>,
    /// What others may know about the connection: JSON.
    pub info: Option<ByteString>,
    /// When the token expires. `None` means never.
    pub expires: Option<Timestamp>,
}

/// Verifies Centrifugo's connection tokens. Tokens are dated by the time of day; deadlines of a connection are on the
/// session's clock.
pub struct TokenAuthenticator {
    tokens: ConnectionTokens,
    clock: Clock,
}

impl TokenAuthenticator {
    /// Verifies `tokens` by the time of day of `clock`.
    pub fn new(tokens: ConnectionTokens, clock: &Clock) -> Self {
        Self { tokens, clock: clock.clone() }
    }
}

impl Authenticator for TokenAuthenticator {
    fn authenticate(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let today = self.clock.time_of_day();
        let claims = self.tokens.verify(token, today)?;
        // A user that the server API could not name could not be disconnected.
        let name = (!claims.user.is_empty()).then(|| MemberName::new(&claims.user)).transpose();
        let name = name.map_err(|_| TokenError::Invalid)?;
        Ok(Identity {
            user: name.as_ref().map(MemberName::user),
            username: Username::new(&claims.user).ok(),
            info: claims.info.map(ByteString::from),
            expires: claims.expires.map(|expires| now + expires.since(today)),
        })
    }
}
