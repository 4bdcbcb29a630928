//! The endpoints for operators and load balancers: `/health`, `/ready`, `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, web};

use crate::metrics::Metrics;

/// Whether the server accepts new clients. Clones share one value.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Sets whether the server accepts new clients.
    pub fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Ordering::Relaxed);
    }

    /// Returns whether the server accepts new clients.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds the routes; `/metrics` only with metrics.
pub fn configure(metrics: Option<Metrics>, readiness: Readiness) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config.route("/health", web::get().to(async || HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))));
        config.route(
            "/ready",
            web::get().to(move || {
                let is_ready = readiness.get();
                async move { ready_response(is_ready) }
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

fn ready_response(is_ready: bool) -> HttpResponse {
    if is_ready {
        HttpResponse::Ok().json(serde_json::json!({ "status": "ready" }))
    } else {
        HttpResponse::ServiceUnavailable().json(serde_json::json!({ "status": "draining" }))
    }
}
