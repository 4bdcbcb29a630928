//! Nakama's REST API, as far as it is about accounts, and `/ws`.
//!
//! [`read`] and [`respond`] have the conventions that all endpoints share, [`authorize`] checks keys and tokens, [`refusals`] records the refused requests. Each
//! other file has the endpoints of one noun.

mod account;
mod authenticate;
mod authorize;
mod read;
mod refusals;
mod respond;
mod session;
mod socket;
mod users;

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::dev::HttpServiceFactory;
use actix_web::http::{Method, header};
use actix_web::middleware::{Compress, DefaultHeaders, from_fn};
use actix_web::{HttpResponse, Resource, Route, web};
pub use respond::not_found;

use crate::api::accounts::Accounts;
use crate::api::token_authority::TokenAuthority;
use crate::config::value::Secret;
use crate::http::body::BodyReader;
use crate::session::Services;

/// What the endpoints work with. All workers share it.
pub struct NakamaEndpoints {
    /// The operations on accounts.
    pub accounts: Accounts,
    /// Verifies session tokens.
    pub auth: Arc<TokenAuthority>,
    /// Key that authentication calls need.
    pub server_key: Secret,
    /// Reads request bodies.
    pub bodies: BodyReader,
    /// What sessions need.
    pub services: Arc<Services>,
}

/// `/ws`. Apart from the REST API, because no middleware may wrap a long-lived connection.
pub fn socket() -> Resource {
    web::resource("/ws").route(web::get().to(socket::upgrade)).default_service(web::to(respond::not_found))
}

/// The REST API.
pub fn rest() -> impl HttpServiceFactory {
    let headers = DefaultHeaders::new()
        .add((header::CACHE_CONTROL, "no-store, no-cache, must-revalidate"))
        .add((header::VARY, "Accept-Encoding"));
    web::scope("/v2")
        .wrap(from_fn(refusals::record))
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

/// Nakama's `GET /`, served when the demo page is switched off: status 200 without a body.
pub fn root(config: &mut web::ServiceConfig) {
    config.route("/", web::get().to(HttpResponse::Ok));
}

/// A path. Other HTTP methods than its own get status 501, as from Nakama's gateway.
fn resource<const N: usize>(path: &str, routes: [Route; N]) -> Resource {
    let resource = web::resource(path).default_service(web::to(respond::not_implemented));
    routes.into_iter().fold(resource, Resource::route)
}

/// Every page may call, also a sandboxed one (`Origin: null`), because a call needs a key or a token.
fn cors() -> Cors {
    Cors::default()
        .allow_any_origin()
        .send_wildcard()
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allow_any_header()
        .disable_vary_header()
        .max_age(86_400)
}
