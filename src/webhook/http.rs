//! Sends requests to a receiver. This is the only part of the webhooks that does IO.

use std::sync::Arc;
use std::time::Duration;

use awc::error::SendRequestError;
use awc::{Client, Connector};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::shape::SignedRequest;

/// Maximum number of bytes that are read of a response. A response that is read whole leaves the connection usable.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// Why a receiver did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The status of the response is not 2xx.
    #[error("it answered {0}")]
    Refused(u16),
    /// No response came in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// The request could not be sent.
    #[error("{0}")]
    Unreachable(String),
}

/// An HTTP client for one receiver. It stays on the thread that created it.
pub struct ReceiverClient {
    client: Client,
    timeout: Duration,
}

impl ReceiverClient {
    /// A client that waits up to `timeout` for a response. Without `tls` it cannot reach `https`.
    pub fn new(tls: Option<Arc<ClientConfig>>, timeout: Duration) -> Self {
        let connector = Connector::new().timeout(timeout);
        let connector = match tls {
            Some(tls) => connector.rustls_0_23(tls),
            None => connector,
        };
        // A redirect is a refusal: events go only to the URLs of the configuration.
        let client = Client::builder().connector(connector).timeout(timeout).disable_redirects().finish();
        Self { client, timeout }
    }

    /// Posts a signed request. Fails unless the receiver takes it.
    pub async fn post(&self, signed: SignedRequest) -> Result<(), PostError> {
        let attempt = async {
            let mut request = self.client.post(signed.url).content_type("application/json");
            for header in signed.headers {
                request = request.insert_header(header);
            }
            let mut response = request.send_body(signed.body).await.map_err(post_error)?;
            let status = response.status();
            if !status.is_success() {
                return Err(PostError::Refused(status.as_u16()));
            }
            // Only the status counts. The body is read so that the connection can be used again.
            let _ignored = response.body().limit(MAX_RESPONSE_BYTES).await;
            Ok(())
        };
        tokio::time::timeout(self.timeout, attempt).await.unwrap_or(Err(PostError::TimedOut))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors, most of which are handled alike")]
fn post_error(error: SendRequestError) -> PostError {
    match error {
        SendRequestError::Timeout => PostError::TimedOut,
        error => PostError::Unreachable(error.to_string()),
    }
}

/// Returns TLS that uses the certificate store of the system.
pub fn tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, _unusable) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(rustls::Error::General("the system's certificate store has no usable certificate".into()));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
