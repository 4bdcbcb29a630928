//! The routes, each with its description.

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Route, web};

use super::batch::{BatchReplies, BatchRequest};
use super::json::{Malformed, body, value};
use super::method::Method;
use super::request::{
    ConnectionsRequest, DeleteUserStatusRequest, DisconnectRequest, GetPresenceRequest, GetUserStatusRequest,
    InfoRequest, ListRequest, PeopleRequest, UpdateUserStatusRequest,
};
use super::respond::{answer, json, text};
use super::response::{
    ConnectionsResult, EmptyResult, GetPresenceResult, GetUserStatusResult, InfoResult, PeopleResult,
};
use super::{ServerApi, batch as batches, key, legacy as old};

/// Every path with its route.
pub fn routes() -> [(&'static str, Route); 15] {
    [
        ("/api/update_user_status", web::post().to(update_user_status)),
        ("/api/get_user_status", web::post().to(get_user_status)),
        ("/api/delete_user_status", web::post().to(delete_user_status)),
        ("/api/get_presence", web::post().to(get_presence)),
        ("/api/connections", web::post().to(connections)),
        ("/api/disconnect", web::post().to(disconnect)),
        ("/api/info", web::post().to(info)),
        ("/api/friends_add", web::post().to(friends_add)),
        ("/api/friends_remove", web::post().to(friends_remove)),
        ("/api/friends_list", web::post().to(friends_list)),
        ("/api/block", web::post().to(block)),
        ("/api/unblock", web::post().to(unblock)),
        ("/api/block_list", web::post().to(block_list)),
        ("/api/batch", web::post().to(batch)),
        ("/api", web::post().to(legacy)),
    ]
}

type Api = web::Data<ServerApi>;

/// Says that users did something just now, and what they say of themselves.
#[utoipa::path(post, path = "/api/update_user_status", request_body = UpdateUserStatusRequest,
    responses((status = 200, body = inline(super::document::Answer<EmptyResult>))))]
pub async fn update_user_status(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::UpdateUserStatus, request, payload, api).await
}

/// When users were last active and online, and what they say of themselves.
#[utoipa::path(post, path = "/api/get_user_status", request_body = GetUserStatusRequest,
    responses((status = 200, body = inline(super::document::Answer<GetUserStatusResult>))))]
pub async fn get_user_status(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::GetUserStatus, request, payload, api).await
}

/// Forgets what is kept of users.
#[utoipa::path(post, path = "/api/delete_user_status", request_body = DeleteUserStatusRequest,
    responses((status = 200, body = inline(super::document::Answer<EmptyResult>))))]
pub async fn delete_user_status(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::DeleteUserStatus, request, payload, api).await
}

/// Everything about users: who is online, on which connections, with what status, and when it was last seen.
#[utoipa::path(post, path = "/api/get_presence", request_body = GetPresenceRequest,
    responses((status = 200, body = inline(super::document::Answer<GetPresenceResult>))))]
pub async fn get_presence(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::GetPresence, request, payload, api).await
}

/// All connections of a user, the invisible ones too.
#[utoipa::path(post, path = "/api/connections", request_body = ConnectionsRequest,
    responses((status = 200, body = inline(super::document::Answer<ConnectionsResult>))))]
pub async fn connections(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::Connections, request, payload, api).await
}

/// Closes connections of a user.
#[utoipa::path(post, path = "/api/disconnect", request_body = DisconnectRequest,
    responses((status = 200, body = inline(super::document::Answer<EmptyResult>))))]
pub async fn disconnect(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::Disconnect, request, payload, api).await
}

/// The server itself.
#[utoipa::path(post, path = "/api/info", request_body = InfoRequest,
    responses((status = 200, body = inline(super::document::Answer<InfoResult>))))]
pub async fn info(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::Info, request, payload, api).await
}

/// Adds friends of a user.
#[utoipa::path(post, path = "/api/friends_add", request_body = PeopleRequest,
    responses((status = 200, body = inline(super::document::Answer<EmptyResult>))))]
pub async fn friends_add(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::FriendsAdd, request, payload, api).await
}

/// Takes friends of a user away.
#[utoipa::path(post, path = "/api/friends_remove", request_body = PeopleRequest,
    responses((status = 200, body = inline(super::document::Answer<EmptyResult>))))]
pub async fn friends_remove(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::FriendsRemove, request, payload, api).await
}

/// The friends of a user.
#[utoipa::path(post, path = "/api/friends_list", request_body = ListRequest,
    responses((status = 200, body = inline(super::document::Answer<PeopleResult>))))]
pub async fn friends_list(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::FriendsList, request, payload, api).await
}

/// Has a user look absent to these, everywhere and at once.
#[utoipa::path(post, path = "/api/block", request_body = PeopleRequest,
    responses((status = 200, body = inline(super::document::Answer<EmptyResult>))))]
pub async fn block(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::Block, request, payload, api).await
}

/// Has a user be seen by these again.
#[utoipa::path(post, path = "/api/unblock", request_body = PeopleRequest,
    responses((status = 200, body = inline(super::document::Answer<EmptyResult>))))]
pub async fn unblock(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::Unblock, request, payload, api).await
}

/// To whom a user looks absent.
#[utoipa::path(post, path = "/api/block_list", request_body = ListRequest,
    responses((status = 200, body = inline(super::document::Answer<PeopleResult>))))]
pub async fn block_list(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    call(Method::BlockList, request, payload, api).await
}

/// Several calls at once.
#[utoipa::path(post, path = "/api/batch", request_body = BatchRequest, responses((status = 200, body = BatchReplies)))]
pub async fn batch(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    let bytes = match admit(&request, payload, &api).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let replies = match value(&bytes).and_then(body::<BatchRequest>) {
        Ok(request) => batches::carry_out(&api, request).await,
        Err(malformed) => Err(malformed),
    };
    replies.map_or_else(refuse, |replies| json(HttpResponse::Ok(), &replies))
}

/// Calls of clients of Centrifugo before version 5: objects one after the other, answers on a line each.
#[utoipa::path(post, path = "/api",
    request_body(content = String, content_type = "application/json",
        example = json!({"id": 1, "method": "get_user_status", "params": {"users": ["42"]}})),
    responses((status = 200, body = String, content_type = "application/json")))]
pub async fn legacy(request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    let bytes = match admit(&request, payload, &api).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let lines = old::carry_out(&api, &bytes).await;
    lines.map_or_else(refuse, |lines| HttpResponse::Ok().content_type("application/json").body(lines))
}

async fn call(method: Method, request: HttpRequest, payload: web::Payload, api: Api) -> HttpResponse {
    let bytes = match admit(&request, payload, &api).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    match value(&bytes).and_then(|params| method.command(params)) {
        Ok(command) => answer(&request, &api, api.users.call(command).await),
        Err(malformed) => refuse(malformed),
    }
}

/// Checks the key, and reads the body only then.
async fn admit(request: &HttpRequest, payload: web::Payload, api: &ServerApi) -> Result<Bytes, HttpResponse> {
    if !key::is_held(request, api) {
        api.users.metrics.api().keyless.inc();
        return Err(HttpResponse::Unauthorized().finish());
    }
    Bytes::from_request(request, &mut payload.into_inner()).await.map_err(|error| {
        match error.as_error::<PayloadError>() {
            Some(PayloadError::Overflow) => text(HttpResponse::PayloadTooLarge(), "Request Entity Too Large\n"),
            Some(_) | None => text(HttpResponse::InternalServerError(), "Internal Server Error\n"),
        }
    })
}

fn refuse(Malformed: Malformed) -> HttpResponse {
    text(HttpResponse::BadRequest(), "Bad Request\n")
}
