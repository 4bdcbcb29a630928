//! The routes of all methods with their OpenAPI descriptions, generated from the list in `api::users`, and the two
//! routes that take several calls: `/api/batch` and `/api`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Route, web};

use super::batch::{self as batches, BatchReplies, BatchRequest};
use super::json::{MalformedBody, value};
use super::respond::{ResultOrError, json, reply, text};
use super::{ServerApi, api_key, legacy as legacy_calls};
use crate::api::users::methods::for_each_method;
use crate::api::users::{ApiMethod, MalformedParameters, parameters, read_parameters, results};
use crate::http::body::{Body, BodyError};

type Api = web::Data<ServerApi>;

macro_rules! define_routes {
    ($(
        $(#[$doc:meta])+
        $method:ident = $function:ident($parameters:ident) -> $result:ident,
        number: $number:expr $(, grpc: $response:ident)?;
    )+) => {
        /// Returns every path with its route.
        pub fn routes() -> Vec<(&'static str, Route)> {
            vec![
                $((concat!("/api/", stringify!($function)), web::post().to($function)),)+
                ("/api/batch", web::post().to(batch)),
                ("/api", web::post().to(legacy)),
            ]
        }

        $(
            $(#[$doc])+
            #[utoipa::path(post, path = concat!("/api/", stringify!($function)), request_body = parameters::$parameters,
                responses((status = 200, body = inline(ResultOrError<results::$result>))))]
            pub async fn $function(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
                call(ApiMethod::$method, request, payload, api).await
            }
        )+
    };
}

for_each_method!(define_routes);

/// Executes several calls.
#[utoipa::path(post, path = "/api/batch", request_body = BatchRequest, responses((status = 200, body = BatchReplies)))]
pub async fn batch(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    let bytes = match read_body(&request, payload, &api).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let replies = match value(&bytes).and_then(|body| Ok(read_parameters::<BatchRequest>(body)?)) {
        Ok(request) => batches::execute(&api, request).await,
        Err(malformed) => Err(malformed),
    };
    replies.map_or_else(bad_request, |replies| json(HttpResponse::Ok(), &replies))
}

/// Executes calls of clients of Centrifugo before version 5: one object after another, and one line for each reply.
#[utoipa::path(post, path = "/api",
    request_body(content = String, content_type = "application/json",
        example = json!({"id": 1, "method": "get_user_status", "params": {"users": ["42"]}})),
    responses((status = 200, body = String, content_type = "application/json")))]
pub async fn legacy(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    let bytes = match read_body(&request, payload, &api).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let lines = legacy_calls::execute(&api, &bytes).await;
    lines.map_or_else(bad_request, |lines| HttpResponse::Ok().content_type("application/json").body(lines))
}

async fn call(method: ApiMethod, request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    let bytes = match read_body(&request, payload, &api).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    match value(&bytes).and_then(|parameters| Ok(method.call(parameters)?)) {
        Ok(call) => reply(&request, &api, api.users.call(call).await),
        Err(malformed) => bad_request(malformed),
    }
}

/// Checks the key, then reads the body. A caller without the key cannot make the server read one.
async fn read_body(request: &HttpRequest, payload: web::Payload, api: &ServerApi) -> Result<Body, HttpResponse> {
    if !api_key::is_valid(request, api) {
        api.users.metrics.api().keyless.inc();
        return Err(HttpResponse::Unauthorized().finish());
    }
    api.bodies.read(request, payload).await.map_err(|error| {
        let (status, sentence) = match error {
            BodyError::TooLarge => (error.status(), "Request Entity Too Large\n"),
            BodyError::Busy => (error.status(), "Service Unavailable\n"),
            BodyError::TimedOut => (error.status(), "Request Timeout\n"),
            BodyError::Encoding => (error.status(), "Unsupported Media Type\n"),
            BodyError::Corrupt => (error.status(), "Bad Request\n"),
            // Centrifugo's answer.
            BodyError::Unreadable => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n"),
        };
        text(HttpResponse::build(status), sentence)
    })
}

fn bad_request(MalformedBody: MalformedBody) -> HttpResponse {
    text(HttpResponse::BadRequest(), "Bad Request\n")
}

impl From<MalformedParameters> for MalformedBody {
    fn from(MalformedParameters: MalformedParameters) -> Self {
        Self
    }
}
