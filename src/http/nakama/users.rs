//! `GET /v2/user?ids=…&usernames=…`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::account::UserBody;
use super::read::QueryParameters;
use super::respond::{NakamaError, ok};
use super::{NakamaEndpoints, authorize};

#[derive(Serialize)]
struct UsersBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<UserBody>,
}

/// Returns accounts by id and username. Ignores unknown ones.
pub async fn get(request: HttpRequest, nakama: web::Data<NakamaEndpoints>) -> Result<HttpResponse, NakamaError> {
    let caller = authorize::caller(&request, &nakama).await?;
    let query = QueryParameters::of(&request);
    let users = nakama.accounts.users(caller.user, &query.all("ids"), &query.all("usernames")).await?;
    Ok(ok(&UsersBody { users: users.iter().map(UserBody::from).collect() }))
}
