//! `GET /v2/user?ids=…&usernames=…`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::account::UserBody;
use super::read::Query;
use super::respond::{Failure, ok};
use super::{Nakama, authorize};

#[derive(Serialize)]
struct UsersBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<UserBody>,
}

/// Accounts by id and username; unknown ones are passed over.
pub async fn get(request: HttpRequest, nakama: web::Data<Nakama>) -> Result<HttpResponse, Failure> {
    let caller = authorize::caller(&request, &nakama)?;
    let query = Query::of(&request);
    let users = nakama.accounts.users(caller.user, &query.all("ids"), &query.all("usernames")).await?;
    Ok(ok(&UsersBody { users: users.iter().map(UserBody::from).collect() }))
}
