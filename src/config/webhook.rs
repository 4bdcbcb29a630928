//! Settings of the webhooks.

use awc::http::Uri;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::value::{Period, Secret, ranged, secret_or_none};

/// The most receivers there can be.
const MAX_URLS: usize = 8;

/// Who is told of logins, logouts and losses, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The receivers; each gets every event. None is off.
    #[serde(deserialize_with = "urls")]
    pub urls: Vec<Uri>,
    /// What an event looks like.
    pub shape: WebhookShape,
    /// Signs events; none leaves them unsigned.
    #[serde(deserialize_with = "secret_or_none")]
    pub secret_key: Option<Secret>,
    /// How long a loss waits for the client to come back before it is told; 0 tells it at once.
    #[serde(deserialize_with = "ranged::<0, 3600, _, _>")]
    pub grace_seconds: u64,
    /// Events that may wait for one receiver; past that the oldest is dropped.
    #[serde(deserialize_with = "ranged::<1, 10_000_000, _, _>")]
    pub queue: usize,
    /// Requests under way to one receiver.
    #[serde(deserialize_with = "ranged::<1, 256, _, _>")]
    pub parallel: usize,
    /// How long a receiver may take to answer.
    pub timeout: Period,
    /// Bound of the first delay after a failure; it doubles with each further one.
    pub retry_first: Period,
    /// The longest delay after a failure.
    pub retry_longest: Period,
    /// An event that fails when it is older than this is given up.
    pub retry_for: Period,
}

/// The shapes there are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum WebhookShape {
    /// Our own: JSON, signed as Standard Webhooks.
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
    fn what_is_no_url_is_refused() {
        for text in ["here", "ftp://example.com/", "/in", &["http://a/"; 9].join(" ")] {
            let refusal = urls_of(text).expect_err(text);
            assert!(refusal.starts_with("webhook.urls") && refusal.contains("http or https"), "{refusal}");
        }
    }
}
