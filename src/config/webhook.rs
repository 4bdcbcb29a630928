//! Settings of the webhooks.

use awc::http::Uri;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::value::{Period, Secret, ranged, secret_or_none};

/// Maximum number of receivers.
const MAX_URLS: usize = 8;

/// Receivers of logins, logouts and lost connections, and how events are delivered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// URLs of the receivers. Each receiver gets every event. An empty list switches webhooks off.
    #[serde(deserialize_with = "urls")]
    pub urls: Vec<Uri>,
    /// Format of events.
    pub shape: WebhookShape,
    /// Key that signs events. `None` leaves them unsigned.
    #[serde(deserialize_with = "secret_or_none")]
    pub secret_key: Option<Secret>,
    /// How long a lost connection waits for the client to come back before it is sent. 0 sends it at once.
    #[serde(deserialize_with = "ranged::<0, 3600, _, _>")]
    pub grace_seconds: u64,
    /// Maximum number of events that wait for one receiver. A full queue drops the oldest.
    #[serde(deserialize_with = "ranged::<1, 10_000_000, _, _>")]
    pub queue: usize,
    /// Maximum number of requests under way to one receiver.
    #[serde(deserialize_with = "ranged::<1, 256, _, _>")]
    pub parallel: usize,
    /// How long a receiver may take to respond.
    pub timeout: Period,
    /// Bound of the delay after the first failure. It doubles with each further failure.
    pub retry_first: Period,
    /// Maximum delay after a failure.
    pub retry_longest: Period,
    /// Age from which an event that fails is dropped.
    pub retry_for: Period,
}

/// Formats of events.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum WebhookShape {
    /// The format of hereabouts: JSON, signed as Standard Webhooks.
    Hereabouts,
    /// Tencent Chat's `State.StateChange`.
    Tencent,
}

impl TryFrom<String> for WebhookShape {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "hereabouts" => Ok(Self::Hereabouts),
            "tencent" => Ok(Self::Tencent),
            _ => Err("expected \"hereabouts\" or \"tencent\""),
        }
    }
}

/// Reads URLs separated by spaces.
fn urls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Uri>, D::Error> {
    // A URL may have a password in it, so it stays out of the message.
    let refusal = || D::Error::custom("expected at most 8 URLs of http or https, separated by spaces");
    let text = String::deserialize(deserializer).map_err(|_| refusal())?;
    let urls: Vec<Uri> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map_err(|_| refusal())?;
    let fine = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    if urls.len() > MAX_URLS || !urls.iter().all(fine) {
        return Err(refusal());
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::{Overrides, load};

    fn urls_of(text: &str) -> Result<Vec<String>, String> {
        let environment = HashMap::from([("HEREABOUTS_WEBHOOK__URLS".to_owned(), text.to_owned())]);
        let config = load(&Overrides::default(), environment).map_err(|error| error.to_string())?;
        Ok(config.webhook.urls.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn urls_are_separated_by_spaces() {
        assert_eq!(urls_of(""), Ok(vec![]));
        let two = "http://127.0.0.1:9/in https://example.com/hook?x=1";
        assert_eq!(urls_of(two), Ok(two.split(' ').map(str::to_owned).collect()));
    }

    #[test]
    fn text_that_is_not_a_url_is_refused() {
        for text in ["here", "ftp://example.com/", "/in", &["http://a/"; 9].join(" ")] {
            let refusal = urls_of(text).expect_err(text);
            assert!(refusal.starts_with("webhook.urls") && refusal.contains("http or https"), "{refusal}");
        }
    }
}
