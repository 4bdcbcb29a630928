use awc::http::Uri;

use super::super::shape::RequestWriter;
use super::*;
use crate::config::WebhookShape;
use crate::config::value::Secret;

fn writer(url: &'static str, shape: WebhookShape, key: Option<&str>) -> RequestWriter {
    RequestWriter { url: Uri::from_static(url), shape, key: key.map(Secret::new), sdk_app_id: 1_400_000_000 }
}

#[test]
fn the_format_of_hereabouts() {
    let writer = writer("http://example.com/in?x=1", WebhookShape::Hereabouts, None);
    let request = writer.write(&event("alice", Transition::Login, 77), Timestamp::from_secs(80));
    assert_eq!(request.url, "http://example.com/in?x=1");
    assert_eq!(
        request.body,
        r#"{"id":"00000000-0000-0000-0000-00000000004d","type":"user.login","timestamp":77000,"data":{"user":"alice","reason":"register","platform":"Web","client_ip":"192.0.2.7"}}"#
    );
    let id = "00000000-0000-0000-0000-00000000004d".to_owned();
    assert_eq!(request.headers, [("webhook-id", id), ("webhook-timestamp", "80".to_owned())]);
}

#[test]
fn the_format_of_tencent() {
    for (url, query) in [("http://example.com/in", "?"), ("http://example.com/in?x=1", "&")] {
        let writer = writer(url, WebhookShape::Tencent, None);
        let request = writer.write(&event("alice", Transition::Disconnect(Loss::TimedOut), 77), Timestamp::default());
        let rest =
            "SdkAppid=1400000000&CallbackCommand=State.StateChange&contenttype=json&ClientIP=192.0.2.7&OptPlatform=Web";
        assert_eq!(request.url, format!("{url}{query}{rest}"));
        assert_eq!(
            request.body,
            r#"{"CallbackCommand":"State.StateChange","EventTime":77000,"Info":{"Action":"Disconnect","To_Account":"alice","Reason":"TimeOut"}}"#
        );
    }
}

#[test]
fn every_transition_has_its_words() {
    let words = [
        (Transition::Login, "user.login", "register", "Login", "Register"),
        (Transition::Logout, "user.logout", "unregister", "Logout", "Unregister"),
        (Transition::Disconnect(Loss::LinkClosed), "user.disconnect", "link_close", "Disconnect", "LinkClose"),
        (Transition::Disconnect(Loss::TimedOut), "user.disconnect", "timeout", "Disconnect", "TimeOut"),
    ];
    for (transition, kind, reason, action, tencent_reason) in words {
        let body =
            |shape| writer("http://a/", shape, None).write(&event("a", transition, 1), Timestamp::default()).body;
        let own: serde_json::Value = serde_json::from_str(&body(WebhookShape::Hereabouts)).unwrap();
        assert_eq!((&own["type"], &own["data"]["reason"]), (&kind.into(), &reason.into()));
        let tencent: serde_json::Value = serde_json::from_str(&body(WebhookShape::Tencent)).unwrap();
        assert_eq!((&tencent["Info"]["Action"], &tencent["Info"]["Reason"]), (&action.into(), &tencent_reason.into()));
    }
}

#[test]
fn a_user_id_cannot_change_the_query_or_the_body() {
    let mut change = change("alice", Transition::Login, 1);
    change.native_id = r#"a","Reason":"x"#.into();
    change.platform = "Web&CallbackCommand=Other".into();
    let event = WebhookEvent { id: Uuid::nil(), change };
    let request = writer("http://a/", WebhookShape::Tencent, None).write(&event, Timestamp::default());
    assert!(request.url.ends_with("&OptPlatform=Web%26CallbackCommand%3DOther"), "{}", request.url);
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["Info"]["To_Account"], r#"a","Reason":"x"#);
}

/// The signature was made with the npm package `standardwebhooks` 1.1.1 (`new Webhook(key, {format: 'raw'})`).
#[test]
fn the_signature_is_that_of_standard_webhooks() {
    let writer = writer("http://a/", WebhookShape::Hereabouts, Some("a key of our own"));
    let request = writer.write(&event("alice", Transition::Login, 77), Timestamp::from_secs(1_700_000_000));
    assert_eq!(request.headers[2], ("webhook-signature", "v1,JohKkaK+y8v4vfk8ar6WZAj8oJ+W+V1MQArtzGK3NmU=".to_owned()));
}
