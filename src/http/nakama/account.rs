//! `GET` and `PUT /v2/account`, and the JSON of an account.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::read::json_body;
use super::respond::{NakamaError, ok};
use super::{NakamaEndpoints, authorize};
use crate::api::accounts::{AccountView, ProfileUpdate};
use crate::presence::time::Timestamp;

/// `api.User`. Fields without a value are left out.
#[derive(Serialize)]
pub struct UserBody {
    id: String,
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    avatar_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    lang_tag: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    location: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    timezone: String,
    /// JSON in a string. This server stores none.
    metadata: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    online: bool,
    create_time: String,
    update_time: String,
}

impl From<&AccountView> for UserBody {
    fn from(view: &AccountView) -> Self {
        let AccountView { account, online } = view;
        let profile = account.profile.clone();
        Self {
            id: account.id.to_string(),
            username: account.username.to_string(),
            display_name: profile.display_name,
            avatar_url: profile.avatar_url,
            lang_tag: profile.lang_tag,
            location: profile.location,
            timezone: profile.timezone,
            metadata: "{}",
            online: *online,
            create_time: rfc3339(account.created),
            update_time: rfc3339(account.updated),
        }
    }
}

/// `api.Account`.
#[derive(Serialize)]
struct AccountBody<'a> {
    user: UserBody,
    wallet: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<DeviceBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_id: Option<&'a str>,
}

#[derive(Serialize)]
struct DeviceBody<'a> {
    id: &'a str,
}

/// The body of `PUT /v2/account`. A missing field stays as it is.
#[derive(Default, Deserialize)]
pub struct UpdateBody {
    username: Option<String>,
    #[serde(alias = "displayName")]
    display_name: Option<String>,
    #[serde(alias = "avatarUrl")]
    avatar_url: Option<String>,
    #[serde(alias = "langTag")]
    lang_tag: Option<String>,
    location: Option<String>,
    timezone: Option<String>,
}

/// Returns the caller's own account.
pub async fn get(request: HttpRequest, nakama: web::Data<NakamaEndpoints>) -> Result<HttpResponse, NakamaError> {
    let caller = authorize::caller(&request, &nakama).await?;
    let view = nakama.accounts.account(caller.user).await?;
    let account = &view.account;
    Ok(ok(&AccountBody {
        user: UserBody::from(&view),
        wallet: "{}",
        email: account.email.as_deref(),
        devices: account.devices.iter().map(|id| DeviceBody { id }).collect(),
        custom_id: account.custom_id.as_deref(),
    }))
}

/// Changes the caller's profile.
pub async fn update(
    request: HttpRequest,
    payload: web::Payload,
    nakama: web::Data<NakamaEndpoints>,
) -> Result<HttpResponse, NakamaError> {
    let caller = authorize::caller(&request, &nakama).await?;
    let body: UpdateBody = json_body(&request, payload, &nakama).await?;
    let update = ProfileUpdate {
        username: body.username,
        display_name: body.display_name,
        avatar_url: body.avatar_url,
        lang_tag: body.lang_tag,
        location: body.location,
        timezone: body.timezone,
    };
    nakama.accounts.update(caller.user, update).await?;
    Ok(ok(&serde_json::json!({})))
}

fn rfc3339(time: Timestamp) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}
