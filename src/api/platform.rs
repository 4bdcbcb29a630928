//! Reads the platform of a client from its info.

use serde::Deserialize;

#[derive(Deserialize)]
struct ClientPlatform {
    platform: String,
}

/// Returns the platform that a client names in its info, or `None` when the info is no JSON object that names one: in a
/// token of Centrifugo the application may put anything there.
pub fn platform_in(info: &str) -> Option<String> {
    serde_json::from_str(info).ok().map(|ClientPlatform { platform }| platform)
}
