//! Nakama's dialect: the most frequent messages, as JSON and as protobuf.

use divan::Bencher;
use hereabouts::dialect::nakama::Format;
use hereabouts::outbox::RequestTag;
use prost::encoding::string;
use serde_json::{Value, json};

use crate::message::{Message, decode, nested};
use crate::samples;

const FORMATS: [Format; 2] = [Format::Json, Format::Protobuf];

/// Field numbers of `rtapi/realtime.proto`: the messages of the envelope, and the first and only field of each.
const STATUS_FOLLOW: u32 = 26;
const STATUS_UPDATE: u32 = 29;
const CID: u32 = 1;
const FIRST: u32 = 1;

/// `status_presence_event` with one join and one leave, which is encoded once for all followers.
#[divan::bench(args = FORMATS)]
fn encode_event(bencher: Bencher, format: Format) {
    let codec = format.protocol().as_codec();
    let update = samples::update();
    bencher.bench(|| codec.diff(divan::black_box(&update)));
}

/// `status`, the reply to a follow of `USERS` visible users.
#[divan::bench(args = FORMATS, consts = [1, 100])]
fn encode_snapshots<const USERS: u32>(bencher: Bencher, format: Format) {
    let codec = format.protocol().as_codec();
    let snapshots = samples::snapshots(USERS);
    let tag = RequestTag(Some("17".into()));
    bencher.bench(|| codec.follow_reply(&tag, divan::black_box(&snapshots)));
}

/// `status_update`.
#[divan::bench(args = FORMATS)]
fn decode_update(bencher: Bencher, format: Format) {
    let status = samples::status(1).as_str().to_owned();
    let message = match format {
        Format::Json => text(&json!({ "cid": "17", "status_update": { "status": status } })),
        // A `StringValue` in a `StatusUpdate`.
        Format::Protobuf => binary(STATUS_UPDATE, &nested(FIRST, &strings(&[status]))),
    };
    decode(bencher, format.protocol(), &message);
}

/// `status_follow` of `USERS` users by id.
#[divan::bench(args = FORMATS, consts = [1, 100])]
fn decode_follow<const USERS: u32>(bencher: Bencher, format: Format) {
    let ids: Vec<String> = (0..USERS).map(|number| samples::user(number).to_string()).collect();
    let message = match format {
        Format::Json => text(&json!({ "cid": "17", "status_follow": { "user_ids": ids } })),
        Format::Protobuf => binary(STATUS_FOLLOW, &strings(&ids)),
    };
    decode(bencher, format.protocol(), &message);
}

/// Encodes an envelope as JSON.
fn text(envelope: &Value) -> Message {
    Message::Text(envelope.to_string())
}

/// Encodes an envelope as protobuf, with a message in the field with this number.
fn binary(number: u32, message: &[u8]) -> Message {
    let mut envelope = Vec::new();
    string::encode(CID, &"17".to_owned(), &mut envelope);
    envelope.extend(nested(number, message));
    Message::Binary(envelope)
}

/// Encodes a message with a repeated first field.
fn strings(texts: &[String]) -> Vec<u8> {
    let mut message = Vec::new();
    string::encode_repeated(FIRST, texts, &mut message);
    message
}
