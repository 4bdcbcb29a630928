//! `POST /v4/openim/query_online_status`. Errors have HTTP status 200, as those of Tencent's own server do.

use std::collections::HashMap;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::TencentEndpoints;
use crate::api::online::{AdminCredentials, OnlineError, OnlineResult};
use crate::auth::user_sig::UserSigError;
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

/// Returns the online state of users, and their platforms and custom statuses when the query asks for them.
pub async fn query(request: HttpRequest, body: Bytes, tencent: web::Data<TencentEndpoints>) -> HttpResponse {
    let parameters: HashMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let caller = AdminCredentials {
        app: parameter("sdkappid").parse().ok(),
        identifier: parameter("identifier"),
        user_sig: parameter("usersig"),
    };
    let results = async {
        tencent.online.authorize(&caller)?;
        let query: OnlineQuery = serde_json::from_slice(&body).map_err(|_| OnlineError::Malformed)?;
        let results = tencent.online.query(&query.names).await?;
        Ok((query, results))
    };
    match results.await {
        Ok((query, results)) => success(&query, &results),
        Err(error) => {
            let peer = Peer::of(&request);
            tencent.services.refusals.record(Dialect::Tencent, reason(error), peer.refused());
            failure(error)
        }
    }
}

/// Returns the reason for metrics and logs.
fn reason(error: OnlineError) -> RefusalReason {
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
    respond(&OnlineReply {
        action_status: "OK",
        error_info: String::new(),
        error_code: 0,
        query_result: Some(known),
        error_list: unknown,
    })
}

fn failure(error: OnlineError) -> HttpResponse {
    respond(&OnlineReply {
        action_status: "FAIL",
        error_info: error.to_string(),
        error_code: error.code(),
        query_result: None,
        error_list: Vec::new(),
    })
}

fn respond(reply: &OnlineReply<'_>) -> HttpResponse {
    let text = serde_json::to_string(reply).expect("these types always serialize");
    // `no-store` keeps presence data out of caches.
    HttpResponse::Ok().content_type("application/json").insert_header((header::CACHE_CONTROL, "no-store")).body(text)
}
