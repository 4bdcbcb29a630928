//! What answers look like.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::ServerApi;
use super::response::{ErrorBody, ResultBody};
use crate::api::ApiError;
use crate::api::users::{Failure, Reply};
use crate::config::ErrorMode;

#[derive(Serialize)]
struct Success {
    result: ResultBody,
}

#[derive(Serialize)]
struct InBand {
    error: ErrorBody,
}

/// One call's answer: the result, or the error in the way that the caller or the configuration wants it.
pub fn answer(request: &HttpRequest, api: &ServerApi, result: Result<Reply, ApiError>) -> HttpResponse {
    let failure = match result {
        Ok(reply) => return json(HttpResponse::Ok(), &Success { result: reply.into() }),
        Err(error) => Failure::from(error),
    };
    let asked = request.headers().get("x-centrifugo-error-mode").is_some_and(|mode| mode == "transport");
    if asked || api.error_mode == ErrorMode::Transport {
        return json(HttpResponse::build(status(failure.code)), &ErrorBody::from(failure));
    }
    json(HttpResponse::Ok(), &InBand { error: failure.into() })
}

fn status(code: u32) -> StatusCode {
    match code {
        102 | 104 => StatusCode::NOT_FOUND,
        107 | 108 => StatusCode::BAD_REQUEST,
        112 => StatusCode::RANGE_NOT_SATISFIABLE,
        113 => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A body in JSON.
pub fn json(mut response: HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let text = serde_json::to_string(body).expect("these types always serialize");
    response.content_type("application/json").insert_header(no_store()).body(text)
}

/// A sentence, as Go's `http.Error` writes it.
pub fn text(mut response: HttpResponseBuilder, text: &'static str) -> HttpResponse {
    response
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(no_store())
        .body(text)
}

/// What users are doing is not to lie in a cache.
fn no_store() -> (header::HeaderName, &'static str) {
    (header::CACHE_CONTROL, "no-store")
}
