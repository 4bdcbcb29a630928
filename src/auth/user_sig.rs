//! Tencent Chat's userSig: the application's backend signs the id of a user (`tls-sig-api-v2`).
//!
//! A userSig is a JSON object with an HMAC-SHA256 over some of its fields, compressed with zlib, in base64 with `*-_`
//! in place of `+/=`.

#[cfg(test)]
mod tests;

use std::io::{Read, Write as _};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::config::value::Secret;
use crate::presence::member_name::MemberName;
use crate::presence::time::Timestamp;

/// Maximum length of a userSig, in bytes. Longer ones are not read.
pub const MAX_TEXT_BYTES: usize = 1024;

/// Maximum size of the decompressed JSON, in bytes.
const MAX_JSON_BYTES: usize = 4096;

/// Why a userSig is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserSigError {
    /// It is expired.
    #[error("the userSig is expired")]
    Expired,
    /// It is malformed, or its signature does not verify.
    #[error("the userSig is malformed or its signature does not verify")]
    Invalid,
    /// It is valid for another user.
    #[error("the userSig is another user's")]
    OtherUser,
    /// It is for another app.
    #[error("the SDKAppID is not this server's")]
    OtherApp,
}

/// The JSON object, with its fields in the order of Tencent's package.
#[derive(Serialize, Deserialize)]
struct UserSigDocument {
    #[serde(rename = "TLS.ver")]
    version: String,
    #[serde(rename = "TLS.identifier")]
    identifier: String,
    #[serde(rename = "TLS.sdkappid")]
    app: u64,
    #[serde(rename = "TLS.time")]
    time: u64,
    #[serde(rename = "TLS.expire")]
    expire: u64,
    #[serde(rename = "TLS.userbuf", default, skip_serializing_if = "Option::is_none")]
    userbuf: Option<String>,
    #[serde(rename = "TLS.sig")]
    signature: String,
}

impl UserSigDocument {
    /// Returns the text that is signed.
    fn signed(&self) -> String {
        let Self { identifier, app, time, expire, .. } = self;
        let userbuf = self.userbuf.as_ref().map(|userbuf| format!("TLS.userbuf:{userbuf}\n")).unwrap_or_default();
        format!("TLS.identifier:{identifier}\nTLS.sdkappid:{app}\nTLS.time:{time}\nTLS.expire:{expire}\n{userbuf}",)
    }
}

/// Signs and verifies userSigs of one app.
pub struct UserSigs {
    app: u64,
    key: hmac::Key,
}

impl UserSigs {
    /// Uses the SDKAppID and the secret of the app.
    pub fn new(app: u64, secret: &Secret) -> Self {
        Self { app, key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose()) }
    }

    /// Returns a userSig that is valid from `now` for `lifetime`, in whole seconds.
    pub fn make(&self, member: &MemberName, lifetime: Duration, now: Timestamp) -> String {
        let mut document = UserSigDocument {
            version: "2.0".into(),
            identifier: member.as_str().into(),
            app: self.app,
            time: now.as_secs(),
            expire: lifetime.as_secs(),
            userbuf: None,
            signature: String::new(),
        };
        document.signature = STANDARD.encode(hmac::sign(&self.key, document.signed().as_bytes()));
        let json = serde_json::to_vec(&document).expect("a document always serializes");
        let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
        let written = compressed.write_all(&json).and_then(|()| compressed.finish());
        STANDARD
            .encode(written.expect("a vector takes everything"))
            .replace('+', "*")
            .replace('/', "-")
            .replace('=', "_")
    }

    /// Checks that `text` is a valid userSig of `member` at this time, and that the client's `app` is this server's.
    pub fn verify(&self, app: u64, member: &MemberName, text: &str, now: Timestamp) -> Result<(), UserSigError> {
        if app != self.app {
            return Err(UserSigError::OtherApp);
        }
        let document = read(text).ok_or(UserSigError::Invalid)?;
        if document.app != self.app {
            return Err(UserSigError::OtherApp);
        }
        let signature = STANDARD.decode(&document.signature).map_err(|_| UserSigError::Invalid)?;
        // Compares in constant time.
        hmac::verify(&self.key, document.signed().as_bytes(), &signature).map_err(|_| UserSigError::Invalid)?;
        if document.identifier != member.as_str() {
            return Err(UserSigError::OtherUser);
        }
        if document.time.saturating_add(document.expire) <= now.as_secs() {
            return Err(UserSigError::Expired);
        }
        Ok(())
    }
}

fn read(text: &str) -> Option<UserSigDocument> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let compressed = STANDARD.decode(text.replace('*', "+").replace('-', "/").replace('_', "=")).ok()?;
    let mut json = Vec::new();
    // Reads one byte more than allowed, to notice that there is more.
    let limit = u64::try_from(MAX_JSON_BYTES).expect("a small number") + 1;
    ZlibDecoder::new(compressed.as_slice()).take(limit).read_to_end(&mut json).ok()?;
    if json.len() > MAX_JSON_BYTES {
        return None;
    }
    let document: UserSigDocument = serde_json::from_slice(&json).ok()?;
    (document.version == "2.0").then_some(document)
}
