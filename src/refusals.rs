//! Refusals of clients can be seen: each is counted by its reason, and one line in a while names the client.

use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::LogConfig;
use crate::log_limit::{LogLimit, REFUSAL_INTERVAL};
use crate::metrics::{Metrics, RefusalReason};
use crate::presence::dialect::Dialect;
use crate::presence::id::UserId;

/// Maximum length in bytes of an origin in a line. Clients choose it.
const MAX_ORIGIN_BYTES: usize = 100;

/// Counts refusals and writes lines about them. Cheap to clone.
#[derive(Clone)]
pub struct Refusals(Arc<Inner>);

struct Inner {
    metrics: Metrics,
    clock: Clock,
    lines: LogLimit<(Dialect, RefusalReason)>,
    /// Whether lines name addresses and users.
    names_clients: bool,
}

/// A client that is refused, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct RefusedClient<'a> {
    /// The page that the client runs on, as the client says.
    pub origin: Option<&'a str>,
    /// The user that it authenticated as.
    pub user: Option<UserId>,
    /// Its address.
    pub address: Option<IpAddr>,
}

impl Refusals {
    /// Counts in `metrics`.
    pub fn new(config: &LogConfig, clock: &Clock, metrics: &Metrics) -> Self {
        Self(Arc::new(Inner {
            metrics: metrics.clone(),
            clock: clock.clone(),
            lines: LogLimit::new(REFUSAL_INTERVAL),
            names_clients: config.addresses,
        }))
    }

    /// Counts a refusal. Writes a line, unless there was one for this reason a moment ago.
    pub fn record(&self, dialect: Dialect, reason: RefusalReason, client: RefusedClient<'_>) {
        let Inner { metrics, clock, lines, names_clients } = &*self.0;
        metrics.refusals().refuse(dialect, reason);
        let Some(left_out) = lines.admit((dialect, reason), clock.now()) else { return };
        let named = if *names_clients { client } else { RefusedClient { origin: client.origin, ..Default::default() } };
        log::info!("refused: {}", line(dialect, reason, named, left_out));
    }
}

/// Returns the words of a line. Texts of clients are quoted, so that they cannot forge a line.
fn line(dialect: Dialect, reason: RefusalReason, client: RefusedClient<'_>, left_out: u64) -> String {
    let mut line = format!("dialect={} reason={}", dialect.name(), reason.name());
    if let Some(origin) = client.origin {
        let end = origin.floor_char_boundary(MAX_ORIGIN_BYTES);
        line += &format!(" origin={:?}", &origin[..end]);
    }
    if let Some(user) = client.user {
        line += &format!(" user={user}");
    }
    if let Some(address) = client.address {
        line += &format!(" address={}", address.to_canonical());
    }
    if left_out > 0 {
        line += &format!(" more={left_out}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_is_refused_and_cannot_be_forged() {
        let client = RefusedClient {
            origin: Some("https://a\nrefused: reason=none"),
            user: UserId::parse("f13ead91-7889-4f81-afd8-ab814be9a6d0"),
            address: "::ffff:192.0.2.1".parse().ok(),
        };
        assert_eq!(
            line(Dialect::Nakama, RefusalReason::Origin, client, 3),
            "dialect=nakama reason=origin origin=\"https://a\\nrefused: reason=none\" \
             user=f13ead91-7889-4f81-afd8-ab814be9a6d0 address=192.0.2.1 more=3"
        );
        let nobody = line(Dialect::Tencent, RefusalReason::PendingLimit, RefusedClient::default(), 0);
        assert_eq!(nobody, "dialect=tencent reason=pending_limit");
        let origin = "é".repeat(200);
        let long = RefusedClient { origin: Some(&origin), ..RefusedClient::default() };
        assert_eq!(line(Dialect::Nakama, RefusalReason::Origin, long, 0).matches('é').count(), 50);
    }

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let names: std::collections::HashSet<&str> = RefusalReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), RefusalReason::ALL.len());
    }
}
