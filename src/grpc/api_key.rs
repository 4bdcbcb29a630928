//! Checks the key of gRPC callers.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::config::value::Secret;
use crate::metrics::Metrics;

/// Refuses callers without the key. The metadata `authorization` must be exactly `apikey KEY`, also when it is there
/// several times; it is compared in constant time. Without a configured key every caller is admitted, which the
/// configuration allows on loopback only.
#[derive(Clone)]
pub struct ApiKeyInterceptor {
    expected: Option<Arc<[u8]>>,
    metrics: Metrics,
}

impl ApiKeyInterceptor {
    /// Checks for the configured key.
    pub fn new(key: Option<&Secret>, metrics: &Metrics) -> Self {
        let expected = key.map(|key| [b"apikey ", key.expose()].concat().into());
        Self { expected, metrics: metrics.clone() }
    }
}

impl Interceptor for ApiKeyInterceptor {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(key) = &self.expected else { return Ok(request) };
        let mut given = request.metadata().get_all("authorization").iter().peekable();
        if given.peek().is_some() && given.all(|given| given.as_bytes().ct_eq(key).into()) {
            return Ok(request);
        }
        self.metrics.api().keyless.inc();
        Err(Status::unauthenticated("unauthenticated"))
    }
}
