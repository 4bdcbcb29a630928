//! `POST /v2/account/session/refresh` and `POST /v2/session/logout`.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::authenticate::SessionBody;
use super::read::json_body;
use super::respond::{NakamaError, ok};
use super::{NakamaEndpoints, authorize};

/// The body of a refresh.
#[derive(Default, Deserialize)]
pub struct RefreshBody {
    token: Option<String>,
    vars: Option<BTreeMap<String, String>>,
}

/// The body of a logout: the tokens to revoke.
#[derive(Default, Deserialize)]
pub struct LogoutBody {
    token: Option<String>,
    #[serde(alias = "refreshToken")]
    refresh_token: Option<String>,
}

/// Issues a new pair of tokens.
pub async fn refresh(
    request: HttpRequest,
    payload: web::Payload,
    nakama: web::Data<NakamaEndpoints>,
) -> Result<HttpResponse, NakamaError> {
    authorize::server_key(&request, &nakama)?;
    let body: RefreshBody = json_body(&request, payload, &nakama).await?;
    let token = body.token.unwrap_or_default();
    let tokens = nakama.accounts.refresh(&token, body.vars.unwrap_or_default()).await?;
    Ok(ok(&SessionBody::new(false, tokens)))
}

/// Revokes tokens. Open WebSockets stay open.
pub async fn logout(
    request: HttpRequest,
    payload: web::Payload,
    nakama: web::Data<NakamaEndpoints>,
) -> Result<HttpResponse, NakamaError> {
    let caller = authorize::caller(&request, &nakama).await?;
    let body: LogoutBody = json_body(&request, payload, &nakama).await?;
    let (session, refresh) = (body.token.unwrap_or_default(), body.refresh_token.unwrap_or_default());
    nakama.accounts.logout(&caller, &session, &refresh).await?;
    Ok(ok(&serde_json::json!({})))
}
