//! `POST /v2/account/authenticate/{custom,device,email}`.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::read::{QueryParameters, json_body};
use super::respond::{NakamaError, ok};
use super::{NakamaEndpoints, authorize};
use crate::api::accounts::{Credentials, LoginOptions};
use crate::auth::client_network::ClientNetwork;
use crate::auth::token::TokenPair;
use crate::session::Peer;

/// The body of a login by an id.
#[derive(Default, Deserialize)]
pub struct IdBody {
    id: Option<String>,
    vars: Option<BTreeMap<String, String>>,
}

/// The body of a login by a password.
#[derive(Default, Deserialize)]
pub struct EmailBody {
    email: Option<String>,
    password: Option<String>,
    vars: Option<BTreeMap<String, String>>,
}

/// The tokens of a login. `created` is left out when it is false.
#[derive(Serialize)]
pub struct SessionBody {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    created: bool,
    token: String,
    refresh_token: String,
}

impl SessionBody {
    /// The tokens of a new login. `created` means that the login created the account.
    pub fn new(created: bool, tokens: TokenPair) -> Self {
        Self { created, token: tokens.session, refresh_token: tokens.refresh }
    }
}

/// Logs in by an id of the application's own.
pub async fn custom(
    request: HttpRequest,
    payload: web::Payload,
    nakama: web::Data<NakamaEndpoints>,
) -> Result<HttpResponse, NakamaError> {
    let query = LoginQuery::checked(&request, &nakama)?;
    let body: IdBody = json_body(&request, payload, &nakama).await?;
    authenticate(query, &nakama, Credentials::Custom(body.id.unwrap_or_default()), body.vars).await
}

/// Logs in by the id of a device.
pub async fn device(
    request: HttpRequest,
    payload: web::Payload,
    nakama: web::Data<NakamaEndpoints>,
) -> Result<HttpResponse, NakamaError> {
    let query = LoginQuery::checked(&request, &nakama)?;
    let body: IdBody = json_body(&request, payload, &nakama).await?;
    authenticate(query, &nakama, Credentials::Device(body.id.unwrap_or_default()), body.vars).await
}

/// Logs in by e-mail address and password, or by username and password.
pub async fn email(
    request: HttpRequest,
    payload: web::Payload,
    nakama: web::Data<NakamaEndpoints>,
) -> Result<HttpResponse, NakamaError> {
    let query = LoginQuery::checked(&request, &nakama)?;
    let EmailBody { email, password, vars } = json_body(&request, payload, &nakama).await?;
    let credentials = Credentials::Email { email: email.unwrap_or_default(), password: password.unwrap_or_default() };
    authenticate(query, &nakama, credentials, vars).await
}

/// What the query of a login says, and which network it comes from.
struct LoginQuery {
    create: bool,
    username: Option<String>,
    client: ClientNetwork,
}

impl LoginQuery {
    /// Reads the query and checks the server key.
    fn checked(request: &HttpRequest, nakama: &NakamaEndpoints) -> Result<Self, NakamaError> {
        let query = QueryParameters::of(request);
        let create = query.boolean("create")?.unwrap_or(true);
        authorize::server_key(request, nakama)?;
        let username = query.first("username").filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Self { create, username, client: ClientNetwork::new(Peer::of(request).ip) })
    }
}

async fn authenticate(
    query: LoginQuery,
    nakama: &NakamaEndpoints,
    credentials: Credentials,
    vars: Option<BTreeMap<String, String>>,
) -> Result<HttpResponse, NakamaError> {
    let LoginQuery { create, username, client } = query;
    let options = LoginOptions { create, username, vars: vars.unwrap_or_default(), client };
    let login = nakama.accounts.authenticate(credentials, options).await?;
    Ok(ok(&SessionBody::new(login.created, login.tokens)))
}
