//! Metrics of HTTP connections and requests.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Metrics of HTTP, over all routes.
#[derive(Clone, Debug, Default)]
pub struct HttpMetrics {
    /// Requests that are not HTTP, or have too long a head.
    pub malformed: Counter,
    /// Connections closed because a request or the reading of a response took too long.
    pub timed_out: Counter,
    /// Request bodies refused: too large, too many at once, in an unknown encoding, incomplete.
    pub bodies_refused: Counter,
}

impl HttpMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("http_malformed", "Requests that are not HTTP or too long", self.malformed.clone());
        registry.register("http_timed_out", "Connections closed because a client was slow", self.timed_out.clone());
        registry.register("http_bodies_refused", "Request bodies refused", self.bodies_refused.clone());
    }
}
