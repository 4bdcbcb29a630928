//! `POST /v4/openim/query_online_status`. Errors have HTTP status 200, as those of Tencent's own server do; only a body
//! that was not read has another.

use std::collections::HashMap;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::TencentEndpoints;
use crate::api::online::{AdminCredentials, OnlineError, OnlineResult};
use crate::auth::user_sig::UserSigError;
use crate::http::body::BodyError;
use crate::metrics::RefusalReason;
use crate::presence::dialect::Dialect;
use crate::session::Peer;

#[derive(Deserialize)]
struct OnlineQuery {
    #[serde(rename = "To_Account")]
    names: Vec<String>,
    /// 1 asks for the platforms of each user.
    #[serde(rename = "IsNeedDetail", default)]
    needs_detail: u8,
    /// 1 asks for the custom status of each user.
    #[serde(rename = "IsReturnCustomStatus", default)]
    returns_custom_status: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OnlineReply<'a> {
    action_status: &'static str,
    error_info: String,
    error_code: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_result: Option<Vec<KnownUser<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_list: Vec<UnknownUser<'a>>,
}

#[derive(Serialize)]
struct KnownUser<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "Status")]
    state: &'static str,
    #[serde(rename = "CustomStatus", skip_serializing_if = "Option::is_none")]
    custom_status: Option<&'a str>,
    #[serde(rename = "Detail", skip_serializing_if = "Option::is_none")]
    detail: Option<Vec<PlatformState<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PlatformState<'a> {
    platform: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct UnknownUser<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "ErrorCode")]
    code: u32,
}

/// Why a query gets no result.
enum QueryError {
    /// The operation fails.
    Operation(OnlineError),
    /// The body was not read.
    Body(BodyError),
}

impl From<OnlineError> for QueryError {
    fn from(error: OnlineError) -> Self {
        Self::Operation(error)
    }
}

impl From<BodyError> for QueryError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

/// Returns the online state of users, and their platforms and custom statuses when the query asks for them.
pub async fn query(request: HttpRequest, payload: web::Payload, tencent: web::Data<TencentEndpoints>) -> HttpResponse {
    let results = async {
        authorize(&request, &tencent)?;
        let body = tencent.bodies.read(&request, payload).await?;
        let query: OnlineQuery = serde_json::from_slice(&body).map_err(|_| OnlineError::Malformed)?;
        drop(body);
        let results = tencent.online.query(&query.names).await?;
        Ok((query, results))
    };
    match results.await {
        Ok((query, results)) => success(&query, &results),
        Err(error) => {
            let peer = Peer::of(&request);
            tencent.services.refusals.record(Dialect::Tencent, reason(&error), peer.refused());
            failure(&error)
        }
    }
}

/// Returns the reason for metrics and logs.
fn reason(error: &QueryError) -> RefusalReason {
    let error = match error {
        QueryError::Operation(error) => error,
        QueryError::Body(error) => return error.reason(),
    };
    match error {
        OnlineError::UserSig(UserSigError::Expired) => RefusalReason::TokenExpired,
        OnlineError::UserSig(UserSigError::Invalid | UserSigError::OtherUser | UserSigError::OtherApp) => {
            RefusalReason::Token
        }
        OnlineError::NoAdmin => RefusalReason::NotPermitted,
        OnlineError::Malformed | OnlineError::Count => RefusalReason::Message,
        OnlineError::Busy => RefusalReason::Busy,
    }
}

fn authorize(request: &HttpRequest, tencent: &TencentEndpoints) -> Result<(), OnlineError> {
    let parameters: HashMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    tencent.online.authorize(&AdminCredentials {
        app: parameter("sdkappid").parse().ok(),
        identifier: parameter("identifier"),
        user_sig: parameter("usersig"),
    })
}

fn success(query: &OnlineQuery, results: &[OnlineResult]) -> HttpResponse {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for result in results {
        match result {
            OnlineResult::Unknown(name) => unknown.push(UnknownUser { name, code: 70_107 }),
            OnlineResult::Known { name, state, text, platforms } => known.push(KnownUser {
                name,
                state: state.as_str(),
                custom_status: (query.returns_custom_status == 1).then_some(text),
                detail: (query.needs_detail == 1 && !platforms.is_empty())
                    .then(|| platforms.iter().map(|platform| PlatformState { platform, status: "Online" }).collect()),
            }),
        }
    }
    respond(
        StatusCode::OK,
        &OnlineReply {
            action_status: "OK",
            error_info: String::new(),
            error_code: 0,
            query_result: Some(known),
            error_list: unknown,
        },
    )
}

fn failure(error: &QueryError) -> HttpResponse {
    let (status, code, info) = match error {
        QueryError::Operation(error) => (StatusCode::OK, error.code(), error.to_string()),
        QueryError::Body(error) => (error.status(), body_code(*error), error.to_string()),
    };
    respond(
        status,
        &OnlineReply {
            action_status: "FAIL",
            error_info: info,
            error_code: code,
            query_result: None,
            error_list: Vec::new(),
        },
    )
}

/// Returns Tencent's number of a body that was not read.
fn body_code(error: BodyError) -> u32 {
    match error {
        BodyError::TooLarge => 93_000,
        BodyError::Encoding | BodyError::Corrupt => 90_001,
        BodyError::Busy | BodyError::TimedOut | BodyError::Unreadable => 60_008,
    }
}

fn respond(status: StatusCode, reply: &OnlineReply<'_>) -> HttpResponse {
    let text = serde_json::to_string(reply).expect("these types always serialize");
    HttpResponse::build(status)
        .content_type("application/json")
        // Keeps presence data out of caches.
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text)
}
