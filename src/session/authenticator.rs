//! Who a client is that says so by its first message.

use bytestring::ByteString;

use crate::auth::connection::{ConnectionTokens, TokenError};
use crate::clock::Clock;
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// Reads tokens.
pub trait Authenticator: Send + Sync {
    /// Whose token this is. `now` is the time that the session measures by, and so is the time in the answer.
    fn authenticate(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError>;
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// None: nobody in particular.
    pub user: Option<UserId>,
    /// What others see; none where the user's name in the application cannot be shown.
    pub username: Option<Username>,
    /// What others may know of the connection: JSON.
    pub info: Option<ByteString>,
    /// When the connection needs another token.
    pub expires: Option<Timestamp>,
}

/// Tokens as Centrifugo has them. They are dated by the time of day; a connection's deadlines are not.
pub struct TokenAuthenticator {
    tokens: ConnectionTokens,
    clock: Clock,
}

impl TokenAuthenticator {
    /// These tokens, read by this clock's time of day.
    pub fn new(tokens: ConnectionTokens, clock: &Clock) -> Self {
        Self { tokens, clock: clock.clone() }
    }
}

impl Authenticator for TokenAuthenticator {
    fn authenticate(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let today = self.clock.time_of_day();
        let claims = self.tokens.verify(token, today)?;
        Ok(Identity {
            user: (!claims.user.is_empty()).then(|| UserId::from_name(&claims.user)),
            username: Username::new(&claims.user).ok(),
            info: claims.info.map(ByteString::from),
            expires: claims.expires.map(|expires| now + expires.since(today)),
        })
    }
}
