//! The server API under `/api`: Centrifugo's form, `POST /api/<method>` with a JSON body and a key.
//!
//! A request is checked in this order, that of Centrifugo's server: path (404), method (405), key (401), body (400).
//! Then the response is 200 with the result or the error in its body. [`calls`] has the routes, generated from the list
//! of methods in `api::users`; [`batch`] and [`legacy`] take several calls at once; [`document`] describes all of it as
//! OpenAPI; [`respond`] writes responses, [`json`] reads bodies, [`api_key`] checks the key.

mod api_key;
mod batch;
mod calls;
mod document;
mod json;
mod legacy;
mod respond;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpResponse, Route, web};

use crate::api::users::Users;
use crate::config::value::Secret;
use crate::config::{ErrorMode, HttpApiConfig};
use crate::http::body::BodyReader;
pub use document::SwaggerPage;

/// What the endpoints work with. All workers share it.
pub struct ServerApi {
    /// The methods.
    pub users: Arc<Users>,
    /// Reads request bodies.
    bodies: BodyReader,
    /// Key of the callers. `None` means that every call is refused.
    key: Option<Secret>,
    /// How errors are sent unless the caller asks for the other mode.
    error_mode: ErrorMode,
}

impl ServerApi {
    /// The methods behind the configured key.
    pub fn new(users: Arc<Users>, bodies: BodyReader, config: &HttpApiConfig) -> Self {
        Self { users, bodies, key: config.key.clone(), error_mode: config.error_mode }
    }
}

/// Adds the routes.
pub fn configure(page: SwaggerPage) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        document::configure(page, config);
        for (path, route) in calls::routes() {
            config.service(post_only(path, route));
        }
        config.service(web::resource("/api/{unknown:.*}").default_service(web::to(not_found)));
    }
}

/// A resource that refuses every HTTP method except POST.
fn post_only(path: &str, route: Route) -> actix_web::Resource {
    let refused = async || HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "POST")).finish();
    web::resource(path).route(route).default_service(web::to(refused))
}

async fn not_found() -> HttpResponse {
    respond::text(HttpResponse::NotFound(), "404 page not found\n")
}
