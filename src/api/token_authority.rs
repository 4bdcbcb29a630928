//! The tokens of Nakama's clients: issue, verification against the revoked ones, revocation.

use std::sync::Arc;
use std::time::Duration;

use super::{ApiError, ErrorKind};
use crate::auth::revocation::{Revocation, RevokedLogin, RevokedTokens, TokenKind};
use crate::auth::token::{Claims, InvalidToken, TokenPair, Tokens, Vars};
use crate::clock::Clock;
use crate::config::NakamaConfig;
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::revocations::RevocationStore;

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejection {
    /// It is malformed, expired or revoked, or another server issued it. Callers do not learn which.
    #[error("invalid token")]
    Invalid,
    /// The server cannot find out now whether it is revoked.
    #[error(transparent)]
    Unchecked(#[from] StoreError),
}

impl From<InvalidToken> for TokenRejection {
    fn from(InvalidToken: InvalidToken) -> Self {
        Self::Invalid
    }
}

impl TokenRejection {
    /// Returns the error for the caller. `sentence` is for an invalid token.
    pub fn into_error(self, sentence: &'static str) -> ApiError {
        match self {
            Self::Invalid => ApiError::new(ErrorKind::Unauthenticated, sentence),
            Self::Unchecked(error) => error.into(),
        }
    }
}

/// Issues, verifies and revokes the tokens of Nakama's clients.
pub struct TokenAuthority {
    tokens: Tokens,
    store: Arc<dyn RevocationStore>,
    clock: Clock,
    session_lifetime: Duration,
    refresh_lifetime: Duration,
}

impl TokenAuthority {
    /// Uses the keys and lifetimes of the configuration.
    pub fn new(config: &NakamaConfig, store: Arc<dyn RevocationStore>, clock: &Clock) -> Self {
        Self {
            tokens: Tokens::new(config),
            store,
            clock: clock.clone(),
            session_lifetime: config.token_expiry.0,
            refresh_lifetime: config.refresh_token_expiry.0,
        }
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

    /// Returns the claims of a session token.
    pub async fn verify_session(&self, token: &str) -> Result<Claims, TokenRejection> {
        let claims = self.tokens.verify_session(token, self.clock.time_of_day())?;
        self.refuse_revoked(claims, TokenKind::Session).await
    }

    /// Returns the claims of a refresh token.
    pub async fn verify_refresh(&self, token: &str) -> Result<Claims, TokenRejection> {
        let claims = self.tokens.verify_refresh(token, self.clock.time_of_day())?;
        self.refuse_revoked(claims, TokenKind::Refresh).await
    }

    /// Revokes the session tokens of one login and the refresh tokens of another, or the same, login of a user. That
    /// includes the tokens that were or will be refreshed from them.
    pub async fn revoke(
        &self,
        user: UserId,
        session: Option<&Claims>,
        refresh: Option<&Claims>,
    ) -> Result<(), StoreError> {
        let now = self.clock.time_of_day();
        let login = |claims: &Claims| RevokedLogin {
            token_id: claims.token_id,
            at: now,
            sessions_until: Timestamp::default(),
            refreshes_until: Timestamp::default(),
        };
        // A refreshed token may expire as late as one issued now. An application's own token may expire later.
        let session = session.map(|claims| RevokedLogin {
            sessions_until: claims.expires.max(now + self.session_lifetime),
            ..login(claims)
        });
        let refresh = refresh.map(|claims| RevokedLogin {
            refreshes_until: claims.expires.max(now + self.refresh_lifetime),
            ..login(claims)
        });
        let logins = session.into_iter().chain(refresh).collect();
        self.store.revoke(user, self.revocation(RevokedTokens::Of(logins), now)).await
    }

    /// Revokes every token of the user that was issued before this second.
    pub async fn revoke_all(&self, user: UserId) -> Result<(), StoreError> {
        self.store.revoke(user, self.revocation(RevokedTokens::All, self.clock.time_of_day())).await
    }

    fn revocation(&self, tokens: RevokedTokens, now: Timestamp) -> Revocation {
        Revocation { now, lifetime: self.session_lifetime.max(self.refresh_lifetime), tokens }
    }

    async fn refuse_revoked(&self, claims: Claims, kind: TokenKind) -> Result<Claims, TokenRejection> {
        let record = match self.store.revocations(claims.user).await {
            Ok(record) => record,
            // The write replaces the damaged record: nobody knows what it revoked, and the user can log in again.
            Err(StoreError::Damaged(_)) => {
                self.revoke_all(claims.user).await?;
                return Err(TokenRejection::Invalid);
            }
            Err(error) => return Err(error.into()),
        };
        let lifetime = match kind {
            TokenKind::Session => self.session_lifetime,
            TokenKind::Refresh => self.refresh_lifetime,
        };
        // As in Nakama, the time of issue is the expiry without the lifetime: a refreshed token keeps `iat`.
        let issued = Timestamp::from_secs(claims.expires.as_secs().saturating_sub(lifetime.as_secs()));
        let is_revoked = record.is_revoked(claims.token_id, kind, issued, self.clock.time_of_day());
        if is_revoked { Err(TokenRejection::Invalid) } else { Ok(claims) }
    }
}
