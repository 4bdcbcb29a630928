//! Results, errors and notifications, as they are written.

use serde::Serialize;
use serde_json::value::RawValue;

use super::code::{Code, Error};
use crate::outbox::{Frame, Frames, RequestTag};
use crate::presence::diff::Snapshot;
use crate::presence::general_status::GeneralStatus;
use crate::presence::subscriptions::DeliveredStatus;
use crate::session::command::Reply;
use crate::session::listing::{CatchUp, Listing, ListingKind, MemberFailure, MemberFailureReason};
use crate::session::member::{MemberReply, MemberStatus};

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedIn<'a> {
    #[serde(rename = "userID")]
    user: &'a str,
    heartbeat_timeout: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    success_user_list: Vec<&'a RawValue>,
    failure_user_list: Vec<Failed<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Unsubscribed<'a> {
    failure_user_list: [Failed<'a>; 0],
}

#[derive(Serialize)]
struct Failed<'a> {
    #[serde(rename = "userID")]
    user: &'a str,
    code: i32,
    message: &'static str,
}

#[derive(Serialize)]
struct Refused<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Retry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Retry {
    limit: usize,
    count: usize,
    retry_after_ms: u64,
}

/// The numbers of Tencent's own typings.
fn number(general: GeneralStatus) -> u8 {
    match general {
        GeneralStatus::Online => 1,
        GeneralStatus::Offline => 2,
        GeneralStatus::Unlogined => 3,
    }
}

/// The rest of a status object, after the user's name.
pub(super) fn body(general: GeneralStatus, text: &str) -> String {
    format!(r#""statusType":{},"customStatus":{}}}"#, number(general), json(text))
}

/// A whole status.
pub(super) fn status(name: &str, body: &str) -> String {
    format!(r#"{{"userID":{},{body}"#, json(name))
}

/// The notification of these statuses.
pub(super) fn updated(statuses: &[String]) -> Frame {
    let list = statuses.join(",");
    Frame::text(&format!(r#"{{"jsonrpc":"2.0","method":"onUserStatusUpdated","params":[{list}]}}"#))
}

/// Tells the client that the server stops and that it should reconnect. Not part of Tencent's interface: the close frame
/// says the same, but some clients do not see it.
pub(super) fn shutting_down() -> Frame {
    Frame::text(r#"{"jsonrpc":"2.0","method":"onServerShutdown","params":{"reconnect":true}}"#)
}

/// What the session answers.
pub(super) fn reply(tag: &RequestTag, reply: &Reply) -> Frames {
    let reply = match reply {
        Reply::Member(reply) => reply,
        Reply::Refused(refusal) => return error(tag, &refusal.into()),
        // These never occur in this dialect.
        Reply::Pong | Reply::Done | Reply::Connected(_) | Reply::Refreshed { .. } | Reply::Connections(_) => {
            return result(tag, &Empty {});
        }
    };
    match reply {
        MemberReply::Alive | MemberReply::LoggedOut => result(tag, &Empty {}),
        MemberReply::CustomStatusSet(status) => result(tag, &raw(&written(status))),
        MemberReply::Statuses(statuses, failures) => lists(tag, statuses.iter().map(written).collect(), failures),
        MemberReply::Unsubscribed => result(tag, &Unsubscribed { failure_user_list: [] }),
        MemberReply::Refused(refusal) => error(tag, &refusal.into()),
    }
}

fn written(status: &MemberStatus) -> String {
    self::status(status.name.as_str(), &body(status.general, &status.text))
}

/// The answer to a login or a subscription, and the notifications that follow a login.
pub(super) fn listed(tag: &RequestTag, listing: &Listing, snapshots: &[Snapshot]) -> Frames {
    let shown = listing.names.iter().zip(snapshots);
    let statuses = shown.map(|(name, shown)| status(name.as_str(), &body(shown.general_status(), shown.text())));
    match &listing.kind {
        ListingKind::Subscription => lists(tag, statuses.collect(), &listing.failures),
        ListingKind::Login { heartbeat, catch_up } => {
            let user = listing.names.first().map_or("", |name| name.as_str());
            let mut frames = result(tag, &LoggedIn { user, heartbeat_timeout: heartbeat.as_secs() });
            let due = catch_up.iter().zip(snapshots).map(|(catch_up, shown)| is_due(*catch_up, shown));
            let news: Vec<String> = statuses.zip(due).filter(|&(_, due)| due).map(|(status, _)| status).collect();
            frames.extend((!news.is_empty()).then(|| updated(&news)));
            frames
        }
    }
}

fn is_due(catch_up: CatchUp, shown: &Snapshot) -> bool {
    match catch_up {
        CatchUp::Nothing => false,
        CatchUp::IfOnline => shown.general_status() == GeneralStatus::Online,
        CatchUp::UnlessDelivered(delivered) => {
            delivered != Some(DeliveredStatus::of(shown.general_status(), shown.text()))
        }
    }
}

fn lists(tag: &RequestTag, statuses: Vec<String>, failures: &[MemberFailure]) -> Frames {
    let statuses: Vec<Box<RawValue>> = statuses.iter().map(|status| raw(status)).collect();
    let failed = failures.iter().map(|failure| {
        let (code, message) = match failure.reason {
            MemberFailureReason::Oneself => (Code::InvalidParameter, "invalid parameter: oneself"),
            MemberFailureReason::NoAccount => (Code::NoAccount, Code::NoAccount.message()),
        };
        Failed { user: failure.name.as_str(), code: code as i32, message }
    });
    let success_user_list = statuses.iter().map(AsRef::as_ref).collect();
    result(tag, &Listed { success_user_list, failure_user_list: failed.collect() })
}

fn result(tag: &RequestTag, result: &impl Serialize) -> Frames {
    answered(tag, "result", result)
}

/// An error.
pub(super) fn error(tag: &RequestTag, error: &Error) -> Frames {
    let data = error.retry.map(|(limit, retry_after_ms)| Retry { limit, count: limit, retry_after_ms });
    answered(tag, "error", &Refused { code: error.code as i32, message: &error.message, data })
}

/// Nothing where no answer is wanted.
fn answered(tag: &RequestTag, name: &str, body: &impl Serialize) -> Frames {
    let Some(id) = &tag.0 else { return Vec::new() };
    vec![Frame::text(&format!(r#"{{"jsonrpc":"2.0","id":{id},"{name}":{}}}"#, json(body)))]
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("these types always serialize")
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("it was written here")
}
