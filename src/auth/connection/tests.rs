//! Tokens as an application signs them.

use std::collections::HashMap;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::config::value::Secret;
use crate::config::{Overrides, load};

const NOW: u64 = 1_795_220_273;

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn tokens(change: impl FnOnce(&mut CentrifugoTokenConfig)) -> ConnectionTokens {
    let mut config = load(&Overrides::default(), HashMap::new()).unwrap().centrifugo.client.token;
    change(&mut config);
    ConnectionTokens::new(&config).unwrap()
}

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

fn signed(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn hs256(claims: &Value) -> String {
    signed(Algorithm::HS256, &EncodingKey::from_secret(b"secret"), None, claims)
}

/// A key pair of an application: what it signs with, and the public half in PEM.
struct Pair {
    sign: EncodingKey,
    public: String,
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

fn rsa() -> Pair {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(private.as_ref());
    let private = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    Pair { sign: EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(), public: pem(public.as_ref()) }
}

fn ec() -> Pair {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let private = pair.to_pkcs8v1().unwrap();
    Pair { sign: EncodingKey::from_ec_der(private.as_ref()), public: pem(public.as_ref()) }
}

fn user(claims: Result<ConnectionClaims, TokenError>) -> Result<String, TokenError> {
    claims.map(|claims| claims.user)
}

#[test]
fn the_token_of_centrifugos_own_tests_is_anonymous_and_never_expires() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MzgwNzg4MjR9.\
                 MTb3higWfFW04E9-8wmTFOcf4MEm-rMDQaNKJ1VU_n4";
    let claims = tokens(|_| {}).verify(token, now()).unwrap();
    assert_eq!(claims, ConnectionClaims { user: String::new(), info: None, expires: None });
}

#[test]
fn the_claims_are_read() {
    let verify = |claims: Value| tokens(|_| {}).verify(&hs256(&claims), now()).unwrap();
    let all = verify(
        json!({"sub": "42", "exp": NOW + 60, "nbf": NOW, "iat": 1, "jti": "x", "aud": "any", "iss": 7.to_string(),
        "info": {"name": "Bob", "tags": [1]}, "meta": {}, "channels": ["a"], "surprise": 1}),
    );
    assert_eq!(all.user, "42");
    assert_eq!(all.info.as_deref(), Some(r#"{"name":"Bob","tags":[1]}"#));
    assert_eq!(all.expires, Some(Timestamp::from_secs(NOW + 60)));
    assert_eq!(verify(json!({"b64info": "eyJhIjoxfQ=="})).info.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(verify(json!({"info": null, "channel": ""})).info, None);
    assert_eq!(verify(json!({"exp": 1e12, "expire_at": 0})).expires, None, "the connection does not expire");
    assert_eq!(verify(json!({"exp": NOW + 9, "expire_at": NOW + 5})).expires, Some(Timestamp::from_secs(NOW + 5)));
}

#[test]
fn an_info_keeps_its_numbers_its_order_and_its_escapes() {
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let info = |text: &str| {
        let token = hs256(&json!({"b64info": encoded(text)}));
        tokens(|_| {}).verify(&token, now()).map(|claims| claims.info)
    };
    assert_eq!(
        info("{ \"b\" : 1.50,\r\n\"a\":[1e3 , 12345678901234567890, -0.0], \"b\":\"x \\\\\\\" y\\u00e9\"}\n")
            .unwrap()
            .as_deref(),
        Some(r#"{"b":1.50,"a":[1e3,12345678901234567890,-0.0],"b":"x \\\" y\u00e9"}"#)
    );
    assert_eq!(info(" null "), Ok(None));
    for wrong in ["{", "1e999", r#""\ud800""#, &"[".repeat(5000)] {
        assert_eq!(info(wrong), Err(TokenError::Invalid), "{wrong}");
    }
}

#[test]
fn a_token_expires_at_its_second_and_begins_at_another() {
    let verify = |claims: Value| user(tokens(|_| {}).verify(&hs256(&claims), now()));
    assert_eq!(verify(json!({"sub": "42", "exp": NOW})), Err(TokenError::Expired));
    assert_eq!(verify(json!({"sub": "42", "exp": NOW as f64 + 0.5})), Err(TokenError::Expired));
    assert_eq!(verify(json!({"sub": "42", "exp": -1})), Err(TokenError::Expired));
    assert_eq!(verify(json!({"sub": "42", "nbf": NOW + 1})), Err(TokenError::Expired));
    assert_eq!(verify(json!({"sub": "42", "exp": NOW + 1, "nbf": NOW})), Ok("42".into()));
}

#[test]
fn text_that_is_not_a_connection_token_is_invalid() {
    let good = hs256(&json!({"sub": "42"}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let flipped = format!("{message}.{}", signature.chars().rev().collect::<String>());
    let none = format!("eyJhbGciOiJub25lIn0.{}.", message.split('.').nth(1).unwrap());
    let key = EncodingKey::from_secret(b"another");
    let foreign = signed(Algorithm::HS256, &key, None, &json!({"sub": "42"}));
    for token in [
        String::new(),
        "x".into(),
        message.into(),
        flipped,
        none,
        foreign,
        "a.".repeat(20_000),
        hs256(&json!({"sub": 42})),
        hs256(&json!({"sub": "42", "channel": "status:42"})),
        hs256(&json!({"sub": "00000000-0000-0000-0000-000000000000"})),
        hs256(&json!({"sub": "42", "exp": "soon"})),
        hs256(&json!("42")),
        hs256(&json!({"b64info": "%"})),
        signed(Algorithm::RS256, &rsa().sign, None, &json!({"sub": "42"})),
    ] {
        assert_eq!(tokens(|_| {}).verify(&token, now()), Err(TokenError::Invalid), "{token}");
    }
    let unset = tokens(|config| config.hmac_secret_key = None);
    assert_eq!(unset.verify(&good, now()), Err(TokenError::Invalid), "no key is set");
}

#[test]
fn an_empty_hmac_key_is_no_key() {
    let token = signed(Algorithm::HS256, &EncodingKey::from_secret(b""), None, &json!({"sub": "42"}));
    let unset = tokens(|config| config.hmac_secret_key = None);
    assert_eq!(unset.verify(&token, now()), Err(TokenError::Invalid));
}

#[test]
fn every_algorithm_is_read_with_its_key() {
    let (rsa, ec) = (rsa(), ec());
    let pems = tokens(|config| {
        config.rsa_public_key = rsa.public.clone();
        config.ecdsa_public_key = ec.public.clone();
    });
    let hmac = EncodingKey::from_secret(b"secret");
    for (algorithm, key) in [
        (Algorithm::HS256, &hmac),
        (Algorithm::HS384, &hmac),
        (Algorithm::HS512, &hmac),
        (Algorithm::RS256, &rsa.sign),
        (Algorithm::RS512, &rsa.sign),
        (Algorithm::ES256, &ec.sign),
    ] {
        let token = signed(algorithm, key, None, &json!({"sub": "42"}));
        assert_eq!(user(pems.verify(&token, now())), Ok("42".into()), "{algorithm:?}");
    }
    // The public key as an HMAC key: the algorithm decides which keys are tried.
    let confused = EncodingKey::from_secret(rsa.public.as_bytes());
    let token = signed(Algorithm::HS256, &confused, None, &json!({"sub": "42"}));
    assert_eq!(pems.verify(&token, now()), Err(TokenError::Invalid));
}

#[test]
fn a_key_set_replaces_all_other_keys() {
    let (rsa, ec) = (rsa(), ec());
    let jwk = |pair: &Pair, algorithm, kid: &str| {
        let mut jwk = Jwk::from_encoding_key(&pair.sign, algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        jwk
    };
    let keys = vec![jwk(&rsa, Algorithm::RS256, "rsa-1"), jwk(&ec, Algorithm::ES256, "ec-1")];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, serde_json::to_string(&JwkSet { keys }).unwrap()).unwrap();
    let set = tokens(|config| config.jwks_file = path);
    let claims = json!({"sub": "42"});
    for kid in [Some("rsa-1"), None] {
        assert_eq!(
            user(set.verify(&signed(Algorithm::RS256, &rsa.sign, kid, &claims), now())),
            Ok("42".into()),
            "{kid:?}"
        );
    }
    let named = |kid| signed(Algorithm::ES256, &ec.sign, Some(kid), &claims);
    assert_eq!(user(set.verify(&named("ec-1"), now())), Ok("42".into()));
    assert_eq!(set.verify(&named("ec-2"), now()), Err(TokenError::Invalid));
    assert_eq!(set.verify(&hs256(&claims), now()), Err(TokenError::Invalid));
}

#[test]
fn a_replaced_key_is_accepted_until_its_time() {
    let old = |claims: &Value| signed(Algorithm::HS256, &EncodingKey::from_secret(b"old"), None, claims);
    for (until, expected) in [(0, true), (NOW + 1, true), (NOW, false)] {
        let rotated = tokens(|config| {
            config.hmac_previous_secret_key = secret("old");
            config.hmac_previous_secret_key_valid_until = until;
        });
        assert_eq!(rotated.verify(&old(&json!({"sub": "42"})), now()).is_ok(), expected, "{until}");
        assert!(rotated.verify(&hs256(&json!({"sub": "42"})), now()).is_ok());
    }
}

#[test]
fn audience_and_issuer_are_checked_when_they_are_set() {
    let strict = tokens(|config| {
        config.audience = "here".into();
        config.issuer = "app".into();
    });
    let verify = |claims: Value| user(strict.verify(&hs256(&claims), now()));
    assert_eq!(verify(json!({"sub": "42", "aud": "here", "iss": "app"})), Ok("42".into()));
    assert_eq!(verify(json!({"sub": "42", "aud": ["there", "here"], "iss": "app"})), Ok("42".into()));
    for claims in
        [json!({}), json!({"aud": "there", "iss": "app"}), json!({"aud": "here"}), json!({"aud": [], "iss": "app"})]
    {
        assert_eq!(verify(claims.clone()), Err(TokenError::Invalid), "{claims}");
    }
}

#[test]
fn a_key_that_cannot_be_used_names_its_setting() {
    let refusal = |change: &dyn Fn(&mut CentrifugoTokenConfig)| {
        let mut config = load(&Overrides::default(), HashMap::new()).unwrap().centrifugo.client.token;
        change(&mut config);
        ConnectionTokens::new(&config).err().expect("unusable").to_string()
    };
    let line = refusal(&|config| config.rsa_public_key = "abc".into());
    assert_eq!(line, "centrifugo.client.token.rsa_public_key: expected a public key in PEM");
    let line = refusal(&|config| config.jwks_file = "/nowhere/keys.json".into());
    assert!(line.contains("jwks_file") && line.contains("/nowhere/keys.json"), "{line}");
}
