//! Writes responses: results, errors, and the plain texts of Go's HTTP server.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;

use super::ServerApi;
use crate::api::ApiError;
use crate::api::users::{ApiErrorBody, ApiReply};
use crate::config::ErrorMode;

#[derive(Serialize)]
struct ResultBody {
    result: ApiReply,
}

#[derive(Serialize)]
struct InBandError {
    error: ApiErrorBody,
}

/// What the OpenAPI document says of a response: either a result or an error.
#[derive(Serialize, ToSchema)]
pub struct ResultOrError<T> {
    /// Present when the call succeeded.
    #[schema(inline = false)]
    result: Option<T>,
    /// Present when the call failed.
    error: Option<ApiErrorBody>,
}

/// Responds to one call with its result, or with its error in the mode that the caller or the configuration asks for.
pub fn reply(request: &HttpRequest, api: &ServerApi, result: Result<ApiReply, ApiError>) -> HttpResponse {
    let error = match result {
        Ok(result) => return json(HttpResponse::Ok(), &ResultBody { result }),
        Err(error) => ApiErrorBody::from(error),
    };
    let asks_for_status = request.headers().get("x-centrifugo-error-mode").is_some_and(|mode| mode == "transport");
    if asks_for_status || api.error_mode == ErrorMode::Transport {
        return json(HttpResponse::build(status(error.code)), &error);
    }
    json(HttpResponse::Ok(), &InBandError { error })
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

/// Responds with a body in JSON.
pub fn json(mut response: HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let text = serde_json::to_string(body).expect("these types always serialize");
    response.content_type("application/json").insert_header(no_store()).body(text)
}

/// Responds with a sentence, as Go's `http.Error` writes it.
pub fn text(mut response: HttpResponseBuilder, text: &'static str) -> HttpResponse {
    response
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(no_store())
        .body(text)
}

/// Keeps presence data out of caches.
fn no_store() -> (header::HeaderName, &'static str) {
    (header::CACHE_CONTROL, "no-store")
}
