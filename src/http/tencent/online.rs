//! `POST /v4/openim/query_online_status`. A failure is told with HTTP 200, as Tencent's own server does.

use std::collections::HashMap;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::Tencent;
use crate::api::online::{Caller, Found, OnlineError};

#[derive(Deserialize)]
struct Query {
    #[serde(rename = "To_Account")]
    accounts: Vec<String>,
    #[serde(rename = "IsNeedDetail", default)]
    detail: u8,
    #[serde(rename = "IsReturnCustomStatus", default)]
    custom: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    action_status: &'static str,
    error_info: String,
    error_code: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_result: Option<Vec<Account<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_list: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct Account<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "Status")]
    status: &'static str,
    #[serde(rename = "CustomStatus", skip_serializing_if = "Option::is_none")]
    custom: Option<&'a str>,
    #[serde(rename = "Detail", skip_serializing_if = "Option::is_none")]
    detail: Option<Vec<Device<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Device<'a> {
    platform: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct Failed<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "ErrorCode")]
    code: u32,
}

/// Who of these is online, on which platforms.
pub async fn query(request: HttpRequest, body: Bytes, tencent: web::Data<Tencent>) -> HttpResponse {
    let parameters: HashMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let given = |name: &str| parameters.get(name).map_or("", String::as_str);
    let caller =
        Caller { app: given("sdkappid").parse().ok(), identifier: given("identifier"), user_sig: given("usersig") };
    let found = async {
        tencent.online.admit(&caller)?;
        let query: Query = serde_json::from_slice(&body).map_err(|_| OnlineError::Malformed)?;
        let found = tencent.online.query(&query.accounts).await?;
        Ok((query, found))
    };
    match found.await {
        Ok((query, found)) => succeed(&query, &found),
        Err(error) => fail(error),
    }
}

fn succeed(query: &Query, found: &[Found]) -> HttpResponse {
    let mut results = Vec::new();
    let mut failed = Vec::new();
    for one in found {
        match one {
            Found::Unknown(name) => failed.push(Failed { name, code: 70_107 }),
            Found::Known { name, status, text, platforms } => results.push(Account {
                name,
                status: status.word(),
                custom: (query.custom == 1).then_some(text),
                detail: (query.detail == 1 && !platforms.is_empty())
                    .then(|| platforms.iter().map(|platform| Device { platform, status: "Online" }).collect()),
            }),
        }
    }
    answer(&Answer {
        action_status: "OK",
        error_info: String::new(),
        error_code: 0,
        query_result: Some(results),
        error_list: failed,
    })
}

fn fail(error: OnlineError) -> HttpResponse {
    answer(&Answer {
        action_status: "FAIL",
        error_info: error.to_string(),
        error_code: error.code(),
        query_result: None,
        error_list: Vec::new(),
    })
}

fn answer(answer: &Answer<'_>) -> HttpResponse {
    let text = serde_json::to_string(answer).expect("these types always serialize");
    // What users are doing is not to lie in a cache.
    HttpResponse::Ok().content_type("application/json").insert_header((header::CACHE_CONTROL, "no-store")).body(text)
}
