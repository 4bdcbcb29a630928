//! The data of a `status:` channel, in the reply to a subscription and in each publication:
//! `{"user":"42","online":true,"statuses":["dnd"],"active":1627107289,"last_online":1627107289,"state":"dnd"}`.
//!
//! `statuses` contains the text of each visible connection, the one that changed last at the end. `state` is the last state
//! text from `update_user_status`, or else the last of those texts that is not empty. Times are whole Unix seconds. Unknown
//! values are left out.

use serde::Serialize;

use crate::presence::diff::Snapshot;
use crate::presence::last_seen::LastSeen;
use crate::presence::status::StatusText;

#[derive(Serialize)]
struct Shown<'a> {
    online: bool,
    statuses: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_online: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
}

/// Returns the data without the user's name: the object without its opening brace.
pub(super) fn body(snapshot: &Snapshot) -> String {
    let statuses: Vec<&str> = snapshot.presences.iter().map(|presence| presence.status.as_str()).collect();
    let LastSeen { active, online, state } = &snapshot.last_seen;
    let said = state.as_ref().map(StatusText::as_str);
    let known = |seconds| (seconds > 0).then_some(seconds);
    written(&Shown {
        online: !statuses.is_empty(),
        state: said.or_else(|| statuses.iter().rev().copied().find(|text| !text.is_empty())),
        statuses,
        active: known(active.as_secs()),
        last_online: known(online.as_secs()),
    })
}

/// Returns the data of a user that cannot exist.
pub(super) fn absent() -> String {
    written(&Shown { online: false, statuses: Vec::new(), active: None, last_online: None, state: None })
}

fn written(shown: &Shown<'_>) -> String {
    let mut text = serde_json::to_string(shown).expect("these types always serialize");
    text.remove(0);
    text
}

/// Returns the whole object.
pub(super) fn data(user: &str, body: &str) -> String {
    format!("{{\"user\":{},{body}", json_string(user))
}

/// Returns a text as a JSON string.
pub(super) fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("a text always serializes")
}
