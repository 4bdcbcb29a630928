//! The endpoints for operators and load balancers: `/health`, `/ready`, `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, web};

use crate::metrics::Metrics;

/// Whether the server accepts new clients. Clones share one value.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// False before the start, while the server drains, and while the node is isolated.
    accepting: Arc<AtomicBool>,
    /// False while the store cannot write.
    writable: Arc<AtomicBool>,
}

/// Why the server accepts no new clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It starts, drains, or is isolated from its cluster.
    Draining,
    /// The store cannot write.
    Unwritable,
}

impl Readiness {
    /// A server that accepts no clients yet, with the flag of its store.
    pub fn new(writable: Arc<AtomicBool>) -> Self {
        Self { accepting: Arc::default(), writable }
    }

    /// Sets whether the server accepts new clients.
    pub fn set(&self, is_accepting: bool) {
        self.accepting.store(is_accepting, Ordering::Relaxed);
    }

    /// Returns why the server accepts no new clients, if it does not.
    pub fn get(&self) -> Result<(), Unready> {
        if !self.accepting.load(Ordering::Relaxed) {
            Err(Unready::Draining)
        } else if !self.writable.load(Ordering::Relaxed) {
            Err(Unready::Unwritable)
        } else {
            Ok(())
        }
    }
}

/// Adds the routes; `/metrics` only with metrics.
pub fn configure(metrics: Option<Metrics>, readiness: Readiness) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config.route("/health", web::get().to(async || HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))));
        config.route(
            "/ready",
            web::get().to(move || {
                let readiness = readiness.get();
                async move { ready_response(readiness) }
            }),
        );
        if let Some(metrics) = metrics {
            config.route(
                "/metrics",
                web::get().to(move || {
                    let text = metrics.text();
                    async move { HttpResponse::Ok().content_type(OPEN_METRICS).body(text) }
                }),
            );
        }
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn ready_response(readiness: Result<(), Unready>) -> HttpResponse {
    let refused = |status: &str| HttpResponse::ServiceUnavailable().json(serde_json::json!({ "status": status }));
    match readiness {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({ "status": "ready" })),
        Err(Unready::Draining) => refused("draining"),
        Err(Unready::Unwritable) => refused("store unwritable"),
    }
}
