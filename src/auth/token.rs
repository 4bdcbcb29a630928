//! Nakama's tokens: JWTs (RFC 7519) signed with HMAC-SHA256. Session tokens and refresh tokens have different keys.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, aws_lc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::numeric_date::NumericDate;
use crate::config::NakamaConfig;
use crate::config::value::Secret;
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// The header exactly as Nakama writes it.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Maximum length of a token, in bytes. Longer ones are not read.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Values that a client attaches to its login.
pub type Vars = BTreeMap<String, String>;

/// The token is not valid. Callers do not learn why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid token")]
pub struct InvalidToken;

/// The content of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Id of the login. Both tokens of a pair have it, and all pairs that replace them.
    pub token_id: Uuid,
    /// The user.
    pub user: UserId,
    /// The username at the time of issue. `None` means that an application issued the token without one.
    pub username: Option<Username>,
    /// Values that the client attached.
    pub vars: Vars,
    /// The first second at which the token is expired.
    pub expires: Timestamp,
    /// Time of the login, in whole seconds.
    pub issued: Timestamp,
}

/// A session token and the token that renews it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// Authenticates requests.
    pub session: String,
    /// Is exchanged for a new pair.
    pub refresh: String,
}

/// The payload, with its fields in Nakama's order.
#[derive(Serialize, Deserialize)]
struct NakamaPayload {
    tid: String,
    uid: String,
    #[serde(default)]
    usn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vrs: Option<Vars>,
    exp: u64,
    #[serde(default)]
    iat: u64,
    /// Nakama writes none. An application's own token may have one (RFC 7519 section 4.1.5).
    #[serde(default, skip_serializing)]
    nbf: Option<NumericDate>,
}

/// Key and lifetime of one kind of token.
struct Signer {
    sign: EncodingKey,
    check: DecodingKey,
    lifetime: Duration,
}

/// Signs and reads both kinds of tokens.
pub struct Tokens {
    session: Signer,
    refresh: Signer,
    validation: Validation,
}

impl Tokens {
    /// Uses the keys and lifetimes of the configuration.
    pub fn new(config: &NakamaConfig) -> Self {
        install_crypto();
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is checked in `verify`: the library accepts a token in its last second, and cannot use our clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self {
            session: Signer::new(&config.encryption_key, config.token_expiry.0),
            refresh: Signer::new(&config.refresh_encryption_key, config.refresh_token_expiry.0),
            validation,
        }
    }

    /// Issues a pair for a login at this time.
    pub fn issue(&self, user: UserId, username: &Username, vars: Vars, now: Timestamp) -> TokenPair {
        self.pair(Uuid::new_v4(), user, username, vars, now, now)
    }

    /// Issues a pair for the login of these claims.
    pub fn reissue(&self, claims: &Claims, username: &Username, vars: Vars, now: Timestamp) -> TokenPair {
        let vars = if vars.is_empty() { claims.vars.clone() } else { vars };
        self.pair(claims.token_id, claims.user, username, vars, claims.issued, now)
    }

    fn pair(
        &self,
        token_id: Uuid,
        user: UserId,
        username: &Username,
        vars: Vars,
        issued: Timestamp,
        now: Timestamp,
    ) -> TokenPair {
        let mut payload = NakamaPayload {
            tid: token_id.to_string(),
            uid: user.to_string(),
            usn: username.to_string(),
            vrs: (!vars.is_empty()).then_some(vars),
            exp: (now + self.session.lifetime).as_secs(),
            iat: issued.as_secs(),
            nbf: None,
        };
        let session = self.session.sign(&payload);
        payload.exp = (now + self.refresh.lifetime).as_secs();
        TokenPair { session, refresh: self.refresh.sign(&payload) }
    }

    /// Returns the claims of a session token.
    pub fn verify_session(&self, token: &str, now: Timestamp) -> Result<Claims, InvalidToken> {
        self.verify(&self.session, token, now)
    }

    /// Returns the claims of a refresh token.
    pub fn verify_refresh(&self, token: &str, now: Timestamp) -> Result<Claims, InvalidToken> {
        self.verify(&self.refresh, token, now)
    }

    fn verify(&self, signer: &Signer, token: &str, now: Timestamp) -> Result<Claims, InvalidToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken);
        }
        let decoded = jsonwebtoken::decode::<NakamaPayload>(token, &signer.check, &self.validation);
        let payload = decoded.map_err(|_| InvalidToken)?.claims;
        if payload.exp <= now.as_secs() || payload.nbf.is_some_and(|nbf| nbf.0 > now.as_secs()) {
            return Err(InvalidToken);
        }
        Ok(Claims {
            token_id: Uuid::try_parse(&payload.tid).map_err(|_| InvalidToken)?,
            user: UserId::parse(&payload.uid).filter(|user| !user.is_nil()).ok_or(InvalidToken)?,
            username: Username::new(&payload.usn).ok(),
            vars: payload.vrs.unwrap_or_default(),
            expires: Timestamp::from_secs(payload.exp),
            issued: Timestamp::from_secs(payload.iat),
        })
    }
}

impl Signer {
    fn new(key: &Secret, lifetime: Duration) -> Self {
        let (sign, check) = (EncodingKey::from_secret(key.expose()), DecodingKey::from_secret(key.expose()));
        Self { sign, check, lifetime }
    }

    fn sign(&self, payload: &NakamaPayload) -> String {
        let payload = serde_json::to_vec(payload).expect("a payload always serializes");
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(payload));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.sign, Algorithm::HS256);
        format!("{message}.{}", signature.expect("HMAC takes a key of any length"))
    }
}

/// Chooses the cryptographic library of `jsonwebtoken`. It panics at its first token when two are linked and none is
/// chosen.
pub(super) fn install_crypto() {
    let provider: &'static CryptoProvider = &aws_lc::DEFAULT_PROVIDER;
    // Fails when another server of this process has chosen before, which is the same choice.
    let _already_chosen = provider.install_default();
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::{Overrides, load};

    fn tokens() -> Tokens {
        Tokens::new(&load(&Overrides::default(), HashMap::new()).unwrap().nakama)
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_795_220_273 + secs)
    }

    fn alice() -> (UserId, Username) {
        (UserId::parse("d9f0b526-7889-4f81-afd8-ab814be9a6d0").unwrap(), Username::new("alice").unwrap())
    }

    fn decoded(part: &str) -> String {
        String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_written_as_nakama_writes_it() {
        let (user, name) = alice();
        let vars = Vars::from([("a".into(), "b".into())]);
        let pair = tokens().issue(user, &name, vars, at(0));
        let parts: Vec<&str> = pair.session.split('.').collect();
        assert_eq!(decoded(parts[0]), r#"{"alg":"HS256","typ":"JWT"}"#);
        let payload = decoded(parts[1]);
        let expected = r#""uid":"d9f0b526-7889-4f81-afd8-ab814be9a6d0","usn":"alice","vrs":{"a":"b"},"exp":1795223873,"iat":1795220273}"#;
        assert!(payload.starts_with(r#"{"tid":""#) && payload.ends_with(expected), "{payload}");
        let bare = tokens().issue(user, &name, Vars::new(), at(0));
        assert!(!decoded(bare.session.split('.').nth(1).unwrap()).contains("vrs"));
    }

    #[test]
    fn both_tokens_of_a_pair_share_their_id_and_neither_passes_for_the_other() {
        let (user, name) = alice();
        let pair = tokens().issue(user, &name, Vars::new(), at(0));
        let session = tokens().verify_session(&pair.session, at(1)).unwrap();
        let refresh = tokens().verify_refresh(&pair.refresh, at(1)).unwrap();
        assert_eq!(session.token_id, refresh.token_id);
        assert_eq!((session.user, session.username), (user, Some(name)));
        assert_eq!(tokens().verify_session(&pair.refresh, at(1)), Err(InvalidToken));
        assert_eq!(tokens().verify_refresh(&pair.session, at(1)), Err(InvalidToken));
    }

    #[test]
    fn a_token_is_valid_until_the_second_in_which_it_expires() {
        let (user, name) = alice();
        let pair = tokens().issue(user, &name, Vars::new(), at(0));
        assert!(tokens().verify_session(&pair.session, at(3599)).is_ok());
        assert_eq!(tokens().verify_session(&pair.session, at(3600)), Err(InvalidToken));
        assert!(tokens().verify_refresh(&pair.refresh, at(24 * 3600 - 1)).is_ok());
    }

    #[test]
    fn a_refreshed_pair_belongs_to_the_same_login() {
        let (user, name) = alice();
        let vars = Vars::from([("a".into(), "b".into())]);
        let first = tokens().issue(user, &name, vars.clone(), at(0));
        let login = tokens().verify_refresh(&first.refresh, at(10)).unwrap();
        let renamed = Username::new("alicia").unwrap();
        let second = tokens().reissue(&login, &renamed, Vars::new(), at(10));
        let claims = tokens().verify_session(&second.session, at(10)).unwrap();
        assert_eq!((claims.token_id, claims.issued, &claims.vars), (login.token_id, login.issued, &vars));
        assert_eq!((claims.username, claims.expires), (Some(renamed.clone()), at(3610)));
        let replaced = tokens().reissue(&login, &renamed, Vars::from([("c".into(), "d".into())]), at(10));
        assert!(tokens().verify_session(&replaced.session, at(10)).unwrap().vars.contains_key("c"));
    }

    #[test]
    fn a_token_that_this_server_did_not_issue_is_refused() {
        let (user, name) = alice();
        let good = tokens().issue(user, &name, Vars::new(), at(0)).session;
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, payload) = message.split_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let hs512 = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512","typ":"JWT"}"#);
        let nobody = format!("{header}.{}", URL_SAFE_NO_PAD.encode(r#"{"tid":"x","uid":"y","exp":9999999999}"#));
        let flipped = format!("{message}.{}", signature.chars().rev().collect::<String>());
        for token in [
            String::new(),
            "x".into(),
            flipped,
            message.into(),
            format!("{none}.{payload}."),
            format!("{hs512}.{payload}.{signature}"),
            format!("{nobody}.{signature}"),
            "a.".repeat(20_000),
        ] {
            assert_eq!(tokens().verify_session(&token, at(1)), Err(InvalidToken), "{token}");
        }
    }

    #[test]
    fn a_signed_token_must_name_a_uuid_and_an_expiry() {
        let signer = tokens().session;
        let signed = |payload: &str| {
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(payload));
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &signer.sign, Algorithm::HS256).unwrap();
            format!("{message}.{signature}")
        };
        let id = "d9f0b526-7889-4f81-afd8-ab814be9a6d0";
        let good = signed(&format!(r#"{{"tid":"{id}","uid":"{id}","exp":9999999999,"iat":9999999998}}"#));
        assert!(tokens().verify_session(&good, at(0)).is_ok(), "issued in the future is fine");
        let from = |nbf: &str| signed(&format!(r#"{{"tid":"{id}","uid":"{id}","exp":9999999999,"nbf":{nbf}}}"#));
        for past in ["0", "1795220273", "1795220273.9", "-1", "null"] {
            assert!(tokens().verify_session(&from(past), at(0)).is_ok(), "nbf {past}");
        }
        for future in ["1795220274", "1795220274.5", "1e300", "\"1\"", "{}"] {
            assert_eq!(tokens().verify_session(&from(future), at(0)), Err(InvalidToken), "nbf {future}");
        }
        let nil = Uuid::nil();
        for payload in [
            format!(r#"{{"tid":"{id}","uid":"{nil}","exp":9999999999}}"#),
            format!(r#"{{"tid":"{id}","uid":"bob","exp":9999999999}}"#),
            format!(r#"{{"tid":"{id}","uid":"{id}"}}"#),
            format!(r#"{{"tid":"{id}","uid":"{id}","exp":"soon"}}"#),
        ] {
            assert_eq!(tokens().verify_session(&signed(&payload), at(0)), Err(InvalidToken), "{payload}");
        }
    }
}
