//! The server API under `/api`: Centrifugo's shape, `POST /api/<method>` with a JSON body and a key.
//!
//! A request is looked at in this order: path (404), method (405), key (401), body (400), and then it is answered with
//! 200, its error in the body (Centrifugo's server). [`calls`] has the routes, [`request`] and [`response`] the bodies,
//! [`method`] what joins them to `api::users`; [`batch`] and [`legacy`] take several calls at once; [`document`] describes
//! it all as OpenAPI.

mod batch;
mod calls;
mod document;
mod json;
mod key;
mod legacy;
mod method;
mod request;
mod respond;
mod response;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpResponse, Route, web};

use crate::api::users::Users;
use crate::config::value::Secret;
use crate::config::{ErrorMode, HttpApiConfig};

/// What the endpoints work with; shared by all workers.
pub struct ServerApi {
    /// The operations.
    pub users: Arc<Users>,
    /// None: nobody may call.
    key: Option<Secret>,
    error_mode: ErrorMode,
}

impl ServerApi {
    /// The operations behind the configured key.
    pub fn new(users: Arc<Users>, config: &HttpApiConfig) -> Self {
        Self { users, key: config.key.clone(), error_mode: config.error_mode }
    }
}

/// Adds the routes; `swagger`: with the page to browse them.
pub fn configure(swagger: bool) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        document::configure(swagger, config);
        for (path, route) in calls::routes() {
            config.service(resource(path, route));
        }
        config.service(web::resource("/api/{unknown:.*}").default_service(web::to(not_found)));
    }
}

/// A path that takes POST only.
fn resource(path: &str, route: Route) -> actix_web::Resource {
    let refused = async || HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "POST")).finish();
    web::resource(path).route(route).default_service(web::to(refused))
}

async fn not_found() -> HttpResponse {
    respond::text(HttpResponse::NotFound(), "404 page not found\n")
}
