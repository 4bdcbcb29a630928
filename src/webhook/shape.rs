//! Formats events for receivers and signs them.
//!
//! Both shapes carry the headers of Standard Webhooks (standardwebhooks.com): `webhook-id` (the same for every
//! attempt),
//! `webhook-timestamp` (Unix seconds of the attempt) and, with a key, `webhook-signature`: `v1,` and the base64 of
//! HMAC-SHA256 over `id.timestamp.body`. The key is the text of `webhook.secret_key` without decoding.

use awc::http::Uri;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::change::{Loss, StateChange, Transition, WebhookEvent};
use crate::config::WebhookShape;
use crate::config::value::Secret;
use crate::presence::time::Timestamp;

/// Formats the requests to one receiver.
#[derive(Debug)]
pub struct RequestWriter {
    /// URL of the receiver.
    pub url: Uri,
    /// Format of the body and the query.
    pub shape: WebhookShape,
    /// Signs events. `None` leaves them unsigned.
    pub key: Option<Secret>,
    /// SDKAppID, for Tencent's format.
    pub sdk_app_id: u64,
}

/// A complete request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// The URL with its query.
    pub url: String,
    /// Headers in addition to `content-type: application/json`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// An event in the format of hereabouts.
#[derive(Serialize)]
struct OwnBody<'a> {
    id: String,
    r#type: &'static str,
    /// Milliseconds since the Unix epoch.
    timestamp: u64,
    data: OwnData<'a>,
}

#[derive(Serialize)]
struct OwnData<'a> {
    user: &'a str,
    reason: &'static str,
    platform: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip: Option<String>,
}

/// An event in Tencent's format (its documentation of the state-change callback).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TencentBody<'a> {
    callback_command: &'static str,
    event_time: u64,
    info: TencentInfo<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TencentInfo<'a> {
    action: &'static str,
    #[serde(rename = "To_Account")]
    to_account: &'a str,
    reason: &'static str,
}

const TENCENT_COMMAND: &str = "State.StateChange";

impl RequestWriter {
    /// Returns the request for one attempt to deliver an event, at this time of day.
    pub fn write(&self, event: &WebhookEvent, time_of_day: Timestamp) -> SignedRequest {
        let (url, body) = match self.shape {
            WebhookShape::Hereabouts => (self.url.to_string(), own_body(event)),
            WebhookShape::Tencent => (self.tencent_url(&event.change), tencent_body(&event.change)),
        };
        let (id, timestamp) = (event.id.to_string(), time_of_day.as_secs().to_string());
        let mut headers = vec![("webhook-id", id.clone()), ("webhook-timestamp", timestamp.clone())];
        if let Some(key) = &self.key {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
            let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
            headers.push(("webhook-signature", format!("v1,{}", STANDARD.encode(tag))));
        }
        SignedRequest { url, headers, body }
    }

    fn tencent_url(&self, change: &StateChange) -> String {
        let address = change.client_ip.map(|address| address.to_string());
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("SdkAppid", &self.sdk_app_id.to_string())
            .append_pair("CallbackCommand", TENCENT_COMMAND)
            .append_pair("contenttype", "json")
            .append_pair("ClientIP", address.as_deref().unwrap_or_default())
            .append_pair("OptPlatform", &change.platform)
            .finish();
        let joint = if self.url.query().is_some() { '&' } else { '?' };
        format!("{}{joint}{query}", self.url)
    }
}

fn own_body(event: &WebhookEvent) -> String {
    let change = &event.change;
    let (kind, reason) = match change.transition {
        Transition::Login => ("user.login", "register"),
        Transition::Logout => ("user.logout", "unregister"),
        Transition::Disconnect(Loss::LinkClosed) => ("user.disconnect", "link_close"),
        Transition::Disconnect(Loss::TimedOut) => ("user.disconnect", "timeout"),
    };
    let data = OwnData {
        user: &change.native_id,
        reason,
        platform: &change.platform,
        client_ip: change.client_ip.map(|address| address.to_string()),
    };
    to_json(&OwnBody { id: event.id.to_string(), r#type: kind, timestamp: millis(change.at), data })
}

fn tencent_body(change: &StateChange) -> String {
    let (action, reason) = match change.transition {
        Transition::Login => ("Login", "Register"),
        Transition::Logout => ("Logout", "Unregister"),
        Transition::Disconnect(Loss::LinkClosed) => ("Disconnect", "LinkClose"),
        Transition::Disconnect(Loss::TimedOut) => ("Disconnect", "TimeOut"),
    };
    let info = TencentInfo { action, to_account: &change.native_id, reason };
    to_json(&TencentBody { callback_command: TENCENT_COMMAND, event_time: millis(change.at), info })
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("texts and numbers are JSON")
}

fn millis(time: Timestamp) -> u64 {
    time.as_micros() / 1000
}
