//! Checks the credentials and profiles that clients send, with Nakama's rules and sentences
//! (`server/api_authenticate.go`). Lengths are in bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use precis_profiles::UsernameCasePreserved;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;

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

/// Checks a new username by RFC 8265, section 3.4 (UsernameCasePreserved), and returns it in the normal form of that
/// profile: full-width and half-width characters are mapped, the text is in Unicode's form NFC. Refuses invisible,
/// direction-changing and compatibility characters, symbols, and spaces at an end. Case is kept.
pub fn new_username(text: &str) -> Result<Username, ApiError> {
    username(text)?;
    let refused = || {
        ApiError::invalid(
            "Username invalid, only letters and digits of any script, ASCII punctuation and inner spaces allowed.",
        )
    };
    // The profile is about userparts. Spaces may stand between them.
    let mut parts = Vec::new();
    for part in text.split(' ') {
        parts.push(if part.is_empty() {
            "".into()
        } else {
            UsernameCasePreserved::enforce(part).map_err(|_| refused())?
        });
    }
    let is_empty = |part: Option<&Cow<'_, str>>| part.is_none_or(|part| part.is_empty());
    if is_empty(parts.first()) || is_empty(parts.last()) {
        return Err(refused());
    }
    username(&parts.join(" "))
}

/// Checks a username that may exist. A space is allowed, although Nakama's sentence says otherwise. Accounts of earlier
/// versions may have names that [`new_username`] refuses.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_username_is_mapped_or_refused_as_rfc_8265_says() {
        for (text, mapped) in [
            ("alice", "alice"),
            ("Alice", "Alice"),
            ("alice.smith@example.com", "alice.smith@example.com"),
            ("foo bar", "foo bar"),
            ("Jürgen", "Jürgen"),
            ("Ju\u{308}rgen", "Jürgen"),
            ("\u{ff41}\u{ff4c}\u{ff49}\u{ff43}\u{ff45}", "alice"),
            ("\u{ff76}\u{ff9e}", "\u{30ac}"),
            ("fußball", "fußball"),
            ("π", "π"),
            ("Σ", "Σ"),
            ("小明", "小明"),
            ("אבג", "אבג"),
            ("l\u{b7}l", "l\u{b7}l"),
        ] {
            let name = new_username(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(name.as_str(), mapped, "{text:?}");
        }
        for text in [
            " alice",
            "alice ",
            " ",
            "alice\u{a0}",
            "al\u{200b}ice",
            "al\u{200d}ice",
            "alice\u{200c}",
            "al\u{2060}ice",
            "\u{feff}alice",
            "al\u{ad}ice",
            "\u{202e}ecila",
            "alice\u{200e}",
            "\u{2066}alice\u{2069}",
            "\u{fb01}sh",
            "\u{212b}ngstr\u{f6}m",
            "henry\u{2163}",
            "\u{1d400}lice",
            "a\u{2003}b",
            "x\u{b2}",
            "\u{221e}",
            "\u{265a}",
            "a\u{5d0}b1\u{5d1}",
            "\u{e000}",
            "\u{378}",
            "\u{b7}",
        ] {
            assert!(new_username(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(text in any::<String>()) {
            if let Ok(name) = new_username(&text) {
                prop_assert_eq!(new_username(name.as_str()).unwrap(), name);
            }
        }
    }
}
