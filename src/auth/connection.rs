//! Centrifugo's connection tokens: JWTs that an application signs for its users. `keys.rs` has the keys of the
//! configuration.

mod keys;
#[cfg(test)]
mod tests;

use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::numeric_date::NumericDate;
use crate::config::centrifugo::CentrifugoTokenConfig;
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

pub use keys::UnusableKey;
use keys::{VerificationKey, keys};

/// Maximum length of a token, in bytes. Longer ones are not read.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is expired or not valid yet. The client may come with another one.
    #[error("token expired")]
    Expired,
    /// It is malformed, or no key of the configuration has signed it.
    #[error("invalid token")]
    Invalid,
}

/// The content of a connection token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionClaims {
    /// The user's id in the application. Empty means an anonymous client.
    pub user: String,
    /// What other users may know of the connection, in compact JSON.
    pub info: Option<String>,
    /// When the connection needs another token. `None` means never.
    pub expires: Option<Timestamp>,
}

/// Verifies connection tokens.
pub struct ConnectionTokens {
    keys: Vec<VerificationKey>,
    /// Value that `aud` must have. Empty means any.
    audience: String,
    /// Value that `iss` must have. Empty means any.
    issuer: String,
}

#[derive(Deserialize)]
struct ConnectionPayload<'a> {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    exp: Option<NumericDate>,
    #[serde(default)]
    nbf: Option<NumericDate>,
    #[serde(default)]
    expire_at: Option<NumericDate>,
    #[serde(default)]
    aud: Option<AudienceClaim>,
    #[serde(default)]
    iss: Option<String>,
    /// Subscription tokens have a channel. They are not connection tokens.
    #[serde(default)]
    channel: Option<String>,
    #[serde(default, borrow)]
    info: Option<&'a RawValue>,
    #[serde(default)]
    b64info: Option<String>,
}

/// `aud`: one audience or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum AudienceClaim {
    One(String),
    Several(Vec<String>),
}

impl AudienceClaim {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

impl ConnectionTokens {
    /// Uses the keys of the configuration.
    pub fn new(config: &CentrifugoTokenConfig) -> Result<Self, UnusableKey> {
        super::token::install_crypto();
        Ok(Self { keys: keys(config)?, audience: config.audience.clone(), issuer: config.issuer.clone() })
    }

    /// Returns the claims of a valid token.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<ConnectionClaims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.as_deref();
        let mut keys = self.keys.iter().filter(|key| key.matches(header.alg, kid, now));
        let raw = keys.find_map(|key| payload(token, header.alg, key)).ok_or(TokenError::Invalid)?;
        self.claims(raw.get(), now)
    }

    fn claims(&self, payload: &str, now: Timestamp) -> Result<ConnectionClaims, TokenError> {
        let payload: ConnectionPayload<'_> = serde_json::from_str(payload).map_err(|_| TokenError::Invalid)?;
        let is_nil = |sub: &String| UserId::parse(sub).is_some_and(UserId::is_nil);
        let is_foreign = payload.sub.as_ref().is_some_and(is_nil)
            || payload.channel.is_some_and(|channel| !channel.is_empty())
            || !self.audience.is_empty() && !payload.aud.is_some_and(|aud| aud.contains(&self.audience))
            || !self.issuer.is_empty() && payload.iss.as_deref() != Some(&self.issuer);
        if is_foreign {
            return Err(TokenError::Invalid);
        }
        let seconds = now.as_secs();
        if payload.exp.is_some_and(|exp| exp.0 <= seconds) || payload.nbf.is_some_and(|nbf| nbf.0 > seconds) {
            return Err(TokenError::Expired);
        }
        let expires = match payload.expire_at {
            Some(NumericDate(0)) => None,
            Some(at) => Some(at),
            None => payload.exp,
        };
        Ok(ConnectionClaims {
            user: payload.sub.unwrap_or_default(),
            info: info(payload.info, payload.b64info.as_deref())?,
            expires: expires.map(|at| Timestamp::from_secs(at.0)),
        })
    }
}

/// Returns the payload when this key has signed the token.
fn payload(token: &str, algorithm: Algorithm, key: &VerificationKey) -> Option<Box<RawValue>> {
    let mut validation = Validation::new(algorithm);
    // `ConnectionTokens::claims` checks the claims: the library has other rules and another clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Box<RawValue>>(token, &key.key, &validation).ok().map(|decoded| decoded.claims)
}

/// Returns the info in one line. `info` takes precedence over `b64info`.
fn info(info: Option<&RawValue>, base64: Option<&str>) -> Result<Option<String>, TokenError> {
    use base64::Engine as _;
    match (info, base64) {
        (Some(info), _) => compact(info),
        (None, Some(text)) if !text.is_empty() => {
            let json = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| TokenError::Invalid)?;
            compact(serde_json::from_slice(&json).map_err(|_| TokenError::Invalid)?)
        }
        (None, _) => Ok(None),
    }
}

/// Removes the spaces and line breaks between the tokens of a JSON value, and changes nothing else: numbers, the order of
/// fields and escapes belong to the application. `None` means null.
fn compact(json: &RawValue) -> Result<Option<String>, TokenError> {
    // A raw value may have any depth, and numbers and escapes that most clients cannot read.
    let value: serde_json::Value = serde_json::from_str(json.get()).map_err(|_| TokenError::Invalid)?;
    let (mut in_text, mut escaped) = (false, false);
    let stays = |character: &char| {
        if in_text {
            (in_text, escaped) = (escaped || *character != '"', !escaped && *character == '\\');
            return true;
        }
        in_text = *character == '"';
        !character.is_ascii_whitespace()
    };
    Ok((!value.is_null()).then(|| json.get().chars().filter(stays).collect()))
}
