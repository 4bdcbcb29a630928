//! Who a client is that says so by its first message.

use bytestring::ByteString;

use crate::auth::connection::{ConnectionTokens, TokenError};
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// Reads tokens.
pub trait Authenticator: Send + Sync {
    /// Whose token this is.
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

impl Authenticator for ConnectionTokens {
    fn authenticate(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let claims = self.verify(token, now)?;
        Ok(Identity {
            user: (!claims.user.is_empty()).then(|| UserId::from_name(&claims.user)),
            username: Username::new(&claims.user).ok(),
            info: claims.info.map(ByteString::from),
            expires: claims.expires,
        })
    }
}
