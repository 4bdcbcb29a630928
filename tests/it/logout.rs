//! Logouts that outlive the server.

use actix_web::http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::binary::Server;
use crate::world::PATIENCE;

/// `Basic` with the development server key.
const SERVER_KEY: &str = "Basic ZGVmYXVsdGtleTo=";

async fn post(server: &Server, path: &str, authorization: &str, body: Value) -> (u16, Value) {
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let request = client.post(format!("http://{}{path}", server.address)).insert_header((AUTHORIZATION, authorization));
    let mut response = request.send_json(&body).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn logs_in(server: &Server) -> Value {
    let path = "/v2/account/authenticate/custom";
    let (status, session) = post(server, path, SERVER_KEY, json!({"id": "custom-1"})).await;
    assert_eq!(status, 200, "{session}");
    session
}

/// Returns the status of a request with the session token, and that of a refresh.
async fn accepted(server: &Server, session: &Value) -> (u16, u16) {
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    let account = client.get(format!("http://{}/v2/account", server.address)).insert_header((AUTHORIZATION, bearer));
    let by_session = account.send().await.unwrap().status().as_u16();
    let body = json!({"token": session["refresh_token"]});
    (by_session, post(server, "/v2/account/session/refresh", SERVER_KEY, body).await.0)
}

#[actix_web::test]
async fn tokens_stay_revoked_after_the_server_was_killed() {
    let server = Server::start(&[]);
    let (first, second) = (logs_in(&server).await, logs_in(&server).await);
    assert_eq!(accepted(&server, &first).await, (200, 200));
    let bearer = format!("Bearer {}", first["token"].as_str().unwrap());
    let body = json!({"token": first["token"], "refresh_token": first["refresh_token"]});
    assert_eq!(post(&server, "/v2/session/logout", &bearer, body).await, (200, json!({})));
    assert_eq!(accepted(&server, &first).await, (401, 401));
    let server = Server::start_in(server.crash(), &[]);
    assert_eq!(accepted(&server, &first).await, (401, 401), "the restart revived a token");
    assert_eq!(accepted(&server, &second).await, (200, 200), "another login of the user");
    assert_eq!(server.stop(), (Some(0), vec![]));
}

#[actix_web::test]
async fn a_user_who_logs_out_hundreds_of_times_is_never_refused_a_logout() {
    let server = Server::start(&[]);
    for _ in 0..200 {
        let session = logs_in(&server).await;
        let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
        let body = json!({"token": session["token"], "refresh_token": session["refresh_token"]});
        let (status, answer) = post(&server, "/v2/session/logout", &bearer, body).await;
        // Within one second, a full list revokes logins of that second as well.
        assert!(status == 200 || status == 401, "{status} {answer}");
        assert_eq!(accepted(&server, &session).await, (401, 401));
    }
    assert_eq!(server.stop(), (Some(0), vec![]));
}
