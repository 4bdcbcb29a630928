//! Tencent Chat's dialect: the most frequent messages.

use divan::Bencher;
use hereabouts::dialect::tencent::protocol;
use hereabouts::outbox::{ClientAlias, RequestTag};
use hereabouts::presence::member_name::MemberName;
use hereabouts::session::listing::{Listing, ListingKind};
use serde_json::{Value, json};

use crate::message::{Message, decode};
use crate::samples;

/// Returns `count` names of users.
fn names(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("player_{number:06}")).collect()
}

/// The part of a notification that is the same for all followers, which is encoded once.
#[divan::bench]
fn encode_status(bencher: Bencher) {
    let publisher = protocol().as_codec().publisher().expect("it publishes");
    let after = samples::updated();
    bencher.bench(|| publisher.body(divan::black_box(&after)));
}

/// `onUserStatusUpdated` around that part, which is encoded per follower: each may use another name for the user.
#[divan::bench]
fn encode_notification(bencher: Bencher) {
    let publisher = protocol().as_codec().publisher().expect("it publishes");
    let (topic, body) = (ClientAlias("player_000001".into()), publisher.body(&samples::updated()));
    bencher.bench(|| publisher.publication(divan::black_box(&topic), divan::black_box(&body)));
}

/// The result of `subscribeUserStatus` of `USERS` visible users.
#[divan::bench(consts = [1, 100])]
fn encode_subscribed<const USERS: u32>(bencher: Bencher) {
    let names = names(USERS).iter().map(|name| MemberName::new(name).expect("it is short")).collect();
    let listing = Listing { kind: ListingKind::Subscription, names, failures: Vec::new() };
    let (snapshots, tag) = (samples::snapshots(USERS), RequestTag(Some("17".into())));
    bencher.bench(|| protocol().listed(&tag, divan::black_box(&listing), divan::black_box(&snapshots)));
}

/// `setSelfStatus`.
#[divan::bench]
fn decode_set(bencher: Bencher) {
    let status = samples::status(1);
    decode(bencher, protocol(), &call("setSelfStatus", &json!({ "customStatus": status.as_str() })));
}

/// `subscribeUserStatus` of `USERS` users: each name is mapped to a user id.
#[divan::bench(consts = [1, 100])]
fn decode_subscribe<const USERS: u32>(bencher: Bencher) {
    decode(bencher, protocol(), &call("subscribeUserStatus", &json!({ "userIDList": names(USERS) })));
}

/// `heartbeat`, which an idle client sends.
#[divan::bench]
fn decode_heartbeat(bencher: Bencher) {
    decode(bencher, protocol(), &call("heartbeat", &json!({})));
}

fn call(method: &str, params: &Value) -> Message {
    Message::Text(json!({ "jsonrpc": "2.0", "id": 17, "method": method, "params": params }).to_string())
}
