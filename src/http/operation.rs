//! What operators and load balancers look at: `/health`, `/ready`, `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, web};

use crate::metrics::Metrics;

/// Whether the server takes new clients.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says so from here on.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Whether it does.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds the routes.
pub fn configure(metrics: Option<Metrics>, readiness: Readiness) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config.route("/health", web::get().to(async || HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))));
        config.route(
            "/ready",
            web::get().to(move || {
                let ready = readiness.get();
                async move { answer_ready(ready) }
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

fn answer_ready(ready: bool) -> HttpResponse {
    if ready {
        HttpResponse::Ok().json(serde_json::json!({ "status": "ready" }))
    } else {
        HttpResponse::ServiceUnavailable().json(serde_json::json!({ "status": "draining" }))
    }
}
