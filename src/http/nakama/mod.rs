//! Nakama's REST, as far as it is about accounts, and `/ws`.
//!
//! [`respond`] and [`read`] hold the conventions that all endpoints share; the others are one file a noun.

mod account;
mod authenticate;
mod authorize;
mod read;
mod respond;
mod session;
mod socket;
mod users;

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::dev::HttpServiceFactory;
use actix_web::http::{Method, header};
use actix_web::middleware::{Compress, DefaultHeaders};
use actix_web::{HttpResponse, Resource, Route, web};
pub use respond::not_found;

use crate::api::accounts::Accounts;
use crate::auth::Auth;
use crate::config::value::Secret;
use crate::session::Services;

/// What the endpoints work with; shared by all workers.
pub struct Nakama {
    /// The operations.
    pub accounts: Accounts,
    /// Tokens.
    pub auth: Arc<Auth>,
    /// Key of the authentication calls.
    pub server_key: Secret,
    /// What sessions need.
    pub services: Arc<Services>,
}

/// `/ws`. By itself, because nothing may be wrapped around a connection that lasts.
pub fn socket() -> Resource {
    web::resource("/ws").route(web::get().to(socket::upgrade)).default_service(web::to(respond::not_found))
}

/// The REST endpoints.
pub fn rest() -> impl HttpServiceFactory {
    let headers = DefaultHeaders::new()
        .add((header::CACHE_CONTROL, "no-store, no-cache, must-revalidate"))
        .add((header::VARY, "Accept-Encoding"));
    web::scope("/v2")
        .wrap(headers)
        .wrap(Compress::default())
        .wrap(cors())
        .service(resource("/account/authenticate/custom", [web::post().to(authenticate::custom)]))
        .service(resource("/account/authenticate/device", [web::post().to(authenticate::device)]))
        .service(resource("/account/authenticate/email", [web::post().to(authenticate::email)]))
        .service(resource("/account/session/refresh", [web::post().to(session::refresh)]))
        .service(resource("/session/logout", [web::post().to(session::logout)]))
        .service(resource("/account", [web::get().to(account::get), web::put().to(account::update)]))
        .service(resource("/user", [web::get().to(users::get)]))
        .default_service(web::to(respond::not_found))
}

/// `/healthcheck`, which needs no key.
pub fn healthcheck() -> impl HttpServiceFactory {
    web::resource("/healthcheck")
        .wrap(cors())
        .route(web::get().to(async || respond::ok(&serde_json::json!({}))))
        .default_service(web::to(respond::not_implemented))
}

/// Nakama's `GET /`, where the demo page is switched off: 200 and nothing.
pub fn root(config: &mut web::ServiceConfig) {
    config.route("/", web::get().to(HttpResponse::Ok));
}

/// A path; another method than its own is answered 501, as Nakama's gateway does.
fn resource<const N: usize>(path: &str, routes: [Route; N]) -> Resource {
    let resource = web::resource(path).default_service(web::to(respond::not_implemented));
    routes.into_iter().fold(resource, Resource::route)
}

/// Any page may ask, a sandboxed one (`Origin: null`) too: what counts is the key or token.
fn cors() -> Cors {
    Cors::default()
        .allow_any_origin()
        .send_wildcard()
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allow_any_header()
        .disable_vary_header()
        .max_age(86_400)
}
