//! Reads request bodies within bounds: on the size of a body, before and after it is inflated, on the memory of all
//! bodies that are read at once, and on the time.
//!
//! Handlers check keys and tokens first, so that a stranger cannot make the server read. actix's own extractors
//! inflate each chunk as a whole, a thousand times its size; this module inflates in steps of 32 KiB ([`decoder`]).

mod budget;
mod decoder;
mod error;

use std::ops::Deref;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::config::ServerConfig;
use crate::metrics::Metrics;
use budget::{BodyBudget, BodyShare};
use decoder::{BodyDecoder, ContentEncoding};
pub use error::BodyError;

/// A body that was read. Holds its share of the memory until it is dropped.
pub struct Body {
    bytes: Vec<u8>,
    _share: BodyShare,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads bodies. Clones share the memory.
#[derive(Clone)]
pub struct BodyReader {
    /// Maximum size of a body, as sent and inflated.
    max_bytes: usize,
    /// Maximum duration of the wait for memory.
    timeout: Duration,
    budget: BodyBudget,
    metrics: Metrics,
}

impl BodyReader {
    /// Reads within the bounds of the configuration.
    pub fn new(config: &ServerConfig, metrics: &Metrics) -> Self {
        Self {
            max_bytes: config.max_body_bytes,
            timeout: config.request_timeout.0,
            budget: BodyBudget::new(config.max_body_memory),
            metrics: metrics.clone(),
        }
    }

    /// Reads a whole body. Refuses it at the first sign that it exceeds a bound.
    pub async fn read(&self, request: &HttpRequest, payload: web::Payload) -> Result<Body, BodyError> {
        let read = self.try_read(request, payload).await;
        if read.is_err() {
            self.metrics.http().bodies_refused.inc();
        }
        read
    }

    async fn try_read(&self, request: &HttpRequest, mut payload: web::Payload) -> Result<Body, BodyError> {
        let encoding = ContentEncoding::of(request.headers()).ok_or(BodyError::Encoding)?;
        if announced_length(request).is_some_and(|length| length > self.max_bytes) {
            return Err(BodyError::TooLarge);
        }
        let share = self.budget.share(encoding.decoder_bytes());
        let share = timeout(self.timeout, share).await.map_err(|_| BodyError::Busy)?;
        let mut decoder = BodyDecoder::new(encoding, self.max_bytes, share);
        let mut sent = 0;
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| unreadable(&error))?;
            sent += chunk.len();
            if sent > self.max_bytes {
                return Err(BodyError::TooLarge);
            }
            decoder.decode(&chunk)?;
        }
        let (bytes, share) = decoder.finish()?;
        Ok(Body { bytes, _share: share })
    }
}

/// Returns the announced length. A length that is no number was refused with the head.
fn announced_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors")]
fn unreadable(error: &PayloadError) -> BodyError {
    match error {
        PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => BodyError::TimedOut,
        PayloadError::Overflow => BodyError::TooLarge,
        _ => BodyError::Unreadable,
    }
}
