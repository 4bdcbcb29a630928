//! The keys that verify connection tokens.

use std::fs::read_to_string;
use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::config::centrifugo::CentrifugoTokenConfig;
use crate::presence::time::Timestamp;

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];

/// A setting has no usable key. The text names the setting and the reason, not the key.
#[derive(Debug, thiserror::Error)]
#[error("centrifugo.client.token.{setting}: {reason}")]
pub struct UnusableKey {
    setting: &'static str,
    reason: String,
}

/// One key.
pub(super) struct VerificationKey {
    pub key: DecodingKey,
    /// Algorithms that may use the key.
    algorithms: &'static [Algorithm],
    /// Id of the key in a key set.
    id: Option<String>,
    /// Time from which the key is not accepted. `None` means no such time.
    until: Option<Timestamp>,
}

impl VerificationKey {
    /// Returns whether the key may have signed a token with this header.
    pub(super) fn matches(&self, algorithm: Algorithm, kid: Option<&str>, now: Timestamp) -> bool {
        let is_named = match (&self.id, kid) {
            (Some(id), Some(kid)) => id == kid,
            (Some(_), None) | (None, _) => true,
        };
        is_named && self.algorithms.contains(&algorithm) && self.until.is_none_or(|until| now < until)
    }
}

/// Returns all keys of the configuration.
pub(super) fn keys(config: &CentrifugoTokenConfig) -> Result<Vec<VerificationKey>, UnusableKey> {
    if !config.jwks_file.as_os_str().is_empty() {
        return key_set(&config.jwks_file);
    }
    let mut keys = Vec::new();
    let mut add = |key, algorithms, until| keys.push(VerificationKey { key, algorithms, id: None, until });
    if let Some(secret) = &config.hmac_secret_key {
        add(DecodingKey::from_secret(secret.expose()), HMAC, None);
    }
    if let Some(secret) = &config.hmac_previous_secret_key {
        let until = config.hmac_previous_secret_key_valid_until;
        add(DecodingKey::from_secret(secret.expose()), HMAC, (until > 0).then(|| Timestamp::from_secs(until)));
    }
    if !config.rsa_public_key.is_empty() {
        let key = DecodingKey::from_rsa_pem(config.rsa_public_key.as_bytes());
        add(key.map_err(|_| no_pem("rsa_public_key"))?, RSA, None);
    }
    if !config.ecdsa_public_key.is_empty() {
        let key = DecodingKey::from_ec_pem(config.ecdsa_public_key.as_bytes());
        // The curve of the key decides which of the two verifies.
        add(key.map_err(|_| no_pem("ecdsa_public_key"))?, &[Algorithm::ES256, Algorithm::ES384], None);
    }
    Ok(keys)
}

fn no_pem(setting: &'static str) -> UnusableKey {
    UnusableKey { setting, reason: "expected a public key in PEM".to_owned() }
}

fn key_set(path: &Path) -> Result<Vec<VerificationKey>, UnusableKey> {
    let refuse = |reason: String| UnusableKey { setting: "jwks_file", reason: format!("{}: {reason}", path.display()) };
    let text = read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let set: JwkSet = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    let keys: Vec<VerificationKey> = set.keys.iter().filter_map(public_key).collect();
    if keys.is_empty() { Err(refuse("expected at least one RSA, EC or Ed25519 key".to_owned())) } else { Ok(keys) }
}

/// Returns a public key of a known kind. Other keys of a set are ignored: they are for other purposes.
fn public_key(jwk: &Jwk) -> Option<VerificationKey> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's kinds, which grow")]
    let algorithms: &'static [Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => RSA,
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => &[Algorithm::EdDSA],
        _ => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(VerificationKey { key, algorithms, id: jwk.common.key_id.clone(), until: None })
}
