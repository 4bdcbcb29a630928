//! Sends requests to a receiver. The only part of the webhooks that does IO.

use std::sync::Arc;
use std::time::Duration;

use awc::error::SendRequestError;
use awc::{Client, Connector};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::shape::SignedRequest;

/// How much of an answer is read, so that the connection can be used again, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// Why a receiver does not have an event.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It answered, but not with 2xx.
    #[error("it answered {0}")]
    Refused(u16),
    /// It did not answer in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// It could not be asked.
    #[error("{0}")]
    Unreachable(String),
}

/// A client for one receiver; stays on the thread it was made on.
pub struct Http {
    client: Client,
    timeout: Duration,
}

impl Http {
    /// A client that gives up on an answer after `timeout`. Without `tls` it reaches no `https`.
    pub fn new(tls: Option<Arc<ClientConfig>>, timeout: Duration) -> Self {
        let connector = Connector::new().timeout(timeout);
        let connector = match tls {
            Some(tls) => connector.rustls_0_23(tls),
            None => connector,
        };
        // An answer that sends us elsewhere is a refusal: events go where the configuration says, and nowhere else.
        let client = Client::builder().connector(connector).timeout(timeout).disable_redirects().finish();
        Self { client, timeout }
    }

    /// Posts a signed request.
    pub async fn post(&self, signed: SignedRequest) -> Result<(), Failure> {
        let attempt = async {
            let mut request = self.client.post(signed.url).content_type("application/json");
            for header in signed.headers {
                request = request.insert_header(header);
            }
            let mut response = request.send_body(signed.body).await.map_err(failure)?;
            let status = response.status();
            if !status.is_success() {
                return Err(Failure::Refused(status.as_u16()));
            }
            // The status decides; what else is said only has to be out of the way.
            let _said = response.body().limit(MAX_RESPONSE_BYTES).await;
            Ok(())
        };
        tokio::time::timeout(self.timeout, attempt).await.unwrap_or(Err(Failure::TimedOut))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors, most of which are told alike")]
fn failure(error: SendRequestError) -> Failure {
    match error {
        SendRequestError::Timeout => Failure::TimedOut,
        error => Failure::Unreachable(error.to_string()),
    }
}

/// TLS that trusts what this machine trusts.
pub fn tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, _unusable) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(rustls::Error::General("this machine trusts no certificate authority".into()));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
