//! `POST /v2/account/authenticate/{custom,device,email}`.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::read::{Json, Query};
use super::respond::{Failure, ok};
use super::{Nakama, authorize};
use crate::api::accounts::{Login, LoginOptions};
use crate::auth::token::TokenPair;

#[derive(Default, Deserialize)]
pub struct IdBody {
    id: Option<String>,
    vars: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
pub struct EmailBody {
    email: Option<String>,
    password: Option<String>,
    vars: Option<BTreeMap<String, String>>,
}

/// A session on the wire; `created` is written only when true.
#[derive(Serialize)]
pub struct SessionBody {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    created: bool,
    token: String,
    refresh_token: String,
}

impl SessionBody {
    pub fn new(created: bool, tokens: TokenPair) -> Self {
        Self { created, token: tokens.session, refresh_token: tokens.refresh }
    }
}

/// By an id of the application's own.
pub async fn custom(
    request: HttpRequest,
    nakama: web::Data<Nakama>,
    Json(body): Json<IdBody>,
) -> Result<HttpResponse, Failure> {
    authenticate(&request, &nakama, Login::Custom(body.id.unwrap_or_default()), body.vars).await
}

/// By a device's id.
pub async fn device(
    request: HttpRequest,
    nakama: web::Data<Nakama>,
    Json(body): Json<IdBody>,
) -> Result<HttpResponse, Failure> {
    authenticate(&request, &nakama, Login::Device(body.id.unwrap_or_default()), body.vars).await
}

/// By e-mail address and password, or by username and password.
pub async fn email(
    request: HttpRequest,
    nakama: web::Data<Nakama>,
    Json(body): Json<EmailBody>,
) -> Result<HttpResponse, Failure> {
    let EmailBody { email, password, vars } = body;
    let login = Login::Email { email: email.unwrap_or_default(), password: password.unwrap_or_default() };
    authenticate(&request, &nakama, login, vars).await
}

async fn authenticate(
    request: &HttpRequest,
    nakama: &Nakama,
    login: Login,
    vars: Option<BTreeMap<String, String>>,
) -> Result<HttpResponse, Failure> {
    let query = Query::of(request);
    let create = query.boolean("create")?.unwrap_or(true);
    authorize::server_key(request, nakama)?;
    let username = query.first("username").filter(|name| !name.is_empty()).map(str::to_owned);
    let options = LoginOptions { create, username, vars: vars.unwrap_or_default() };
    let session = nakama.accounts.authenticate(login, options).await?;
    Ok(ok(&SessionBody::new(session.created, session.tokens)))
}
