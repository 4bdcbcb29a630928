//! Checks the credentials and profiles that clients send, with Nakama's rules and sentences
//! (`server/api_authenticate.go`). Lengths are in bytes.

use std::collections::BTreeMap;

use super::ApiError;
use crate::presence::id::{InvalidUsername, Username};

/// Maximum length of a password. Longer ones would only cost time to hash.
const MAX_PASSWORD_BYTES: usize = 1024;

/// Maximum size of what a client attaches to its tokens.
const MAX_VARS_BYTES: usize = 8192;

/// Checks a custom id: 6 to 128 bytes.
pub fn custom_id(id: &str) -> Result<(), ApiError> {
    opaque_id("Custom ID", id, 6)
}

/// Checks a device id: 10 to 128 bytes.
pub fn device_id(id: &str) -> Result<(), ApiError> {
    opaque_id("Device ID", id, 10)
}

fn opaque_id(what: &str, id: &str, min_bytes: usize) -> Result<(), ApiError> {
    if id.is_empty() {
        return Err(ApiError::invalid(format!("{what} is required.")));
    }
    if has_space_or_control(id) {
        return Err(ApiError::invalid(format!("{what} invalid, no spaces or control characters allowed.")));
    }
    if !(min_bytes..=128).contains(&id.len()) {
        return Err(ApiError::invalid(format!("{what} invalid, must be {min_bytes}-128 bytes.")));
    }
    Ok(())
}

/// Checks an e-mail address: the form `.+@.+\..+`, 10 to 255 bytes.
pub fn email(address: &str) -> Result<(), ApiError> {
    if has_space_or_control(address) {
        return Err(ApiError::invalid("Invalid email address, no spaces or control characters allowed."));
    }
    let has_form = address.split_once('@').is_some_and(|(local, domain)| {
        let dot_inside =
            domain.char_indices().any(|(at, character)| character == '.' && at > 0 && at + 1 < domain.len());
        !local.is_empty() && dot_inside
    });
    if !has_form {
        return Err(ApiError::invalid("Invalid email address format."));
    }
    if !(10..=255).contains(&address.len()) {
        return Err(ApiError::invalid("Invalid email address, must be 10-255 bytes."));
    }
    Ok(())
}

/// Checks a password: 8 to 1024 bytes.
pub fn password(password: &str) -> Result<(), ApiError> {
    if password.len() < 8 {
        return Err(ApiError::invalid("Password must be at least 8 characters long."));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(ApiError::invalid(format!("Password must be at most {MAX_PASSWORD_BYTES} bytes long.")));
    }
    Ok(())
}

/// Checks what a client attaches to its tokens: at most 8192 bytes, so that the server accepts every token that it
/// issues.
pub fn vars(vars: &BTreeMap<String, String>) -> Result<(), ApiError> {
    // Quotes, colon and comma take six bytes, and JSON may need six bytes for one byte of a text.
    let bytes: usize = vars.iter().map(|(name, value)| escaped_len(name) + escaped_len(value) + 6).sum();
    if bytes > MAX_VARS_BYTES {
        return Err(ApiError::invalid(format!("Session variables must be at most {MAX_VARS_BYTES} bytes long.")));
    }
    Ok(())
}

fn escaped_len(text: &str) -> usize {
    text.bytes().map(|byte| if byte.is_ascii_control() || byte == b'"' || byte == b'\\' { 6 } else { 1 }).sum()
}

/// Checks a username. A space is allowed, although Nakama's sentence says otherwise.
pub fn username(text: &str) -> Result<Username, ApiError> {
    Username::new(text).map_err(|error| {
        ApiError::invalid(match error {
            InvalidUsername::ControlCharacter => "Username invalid, no spaces or control characters allowed.",
            InvalidUsername::Length => "Username invalid, must be 1-128 bytes.",
        })
    })
}

/// Checks a text of a profile: at most 255 bytes.
pub fn profile_text(what: &str, text: &str) -> Result<(), ApiError> {
    if text.len() > 255 {
        return Err(ApiError::invalid(format!("Invalid {what}, must be 0-255 bytes.")));
    }
    Ok(())
}

fn has_space_or_control(text: &str) -> bool {
    text.chars().any(|character| character.is_whitespace() || character.is_control())
}
