//! Centrifugo's dialect: the most frequent messages, as JSON and as protobuf.

use divan::Bencher;
use hereabouts::dialect::centrifugo::Format;
use hereabouts::outbox::ClientAlias;
use prost::encoding::{string, uint32};
use serde_json::{Value, json};

use crate::message::{Message, decode, nested};
use crate::samples;

const FORMATS: [Format; 2] = [Format::Json, Format::Protobuf];

/// Field numbers of `client.proto`: id and requests of a command, channel of a subscription, data and method of a call.
const ID: u32 = 1;
const SUBSCRIBE: u32 = 5;
const RPC: u32 = 13;
const CHANNEL: u32 = 1;
const DATA: u32 = 1;
const METHOD: u32 = 2;

/// The part of a publication that is the same for all followers, which is encoded once.
#[divan::bench]
fn encode_presence(bencher: Bencher) {
    let publisher = Format::Json.protocol().as_codec().publisher().expect("it publishes");
    let after = samples::updated();
    bencher.bench(|| publisher.body(divan::black_box(&after)));
}

/// A publication around that part, which is encoded per follower: each may use another name for the user.
#[divan::bench(args = FORMATS)]
fn encode_publication(bencher: Bencher, format: Format) {
    let publisher = format.protocol().as_codec().publisher().expect("it publishes");
    let (topic, body) = (ClientAlias("status:player_000001".into()), publisher.body(&samples::updated()));
    bencher.bench(|| publisher.publication(divan::black_box(&topic), divan::black_box(&body)));
}

/// `subscribe`, which is a follow.
#[divan::bench(args = FORMATS)]
fn decode_subscribe(bencher: Bencher, format: Format) {
    let channel = "status:player_000001".to_owned();
    let message = match format {
        Format::Json => text(&json!({ "id": 17, "subscribe": { "channel": channel } })),
        Format::Protobuf => {
            let mut request = Vec::new();
            string::encode(CHANNEL, &channel, &mut request);
            binary(SUBSCRIBE, &request)
        }
    };
    decode(bencher, format.protocol(), &message);
}

/// `rpc` of `update_user_status` with a state.
#[divan::bench(args = FORMATS)]
fn decode_update(bencher: Bencher, format: Format) {
    let data = json!({ "state": samples::status(1).as_str() });
    let method = "update_user_status".to_owned();
    let message = match format {
        Format::Json => text(&json!({ "id": 17, "rpc": { "method": method, "data": data } })),
        Format::Protobuf => {
            let mut request = nested(DATA, data.to_string().as_bytes());
            string::encode(METHOD, &method, &mut request);
            binary(RPC, &request)
        }
    };
    decode(bencher, format.protocol(), &message);
}

fn text(command: &Value) -> Message {
    Message::Text(command.to_string())
}

/// Encodes a command as protobuf, after its length, with a request in the field with this number.
fn binary(number: u32, request: &[u8]) -> Message {
    let mut command = Vec::new();
    uint32::encode(ID, &17, &mut command);
    command.extend(nested(number, request));
    let mut delimited = Vec::new();
    prost::encoding::encode_varint(command.len() as u64, &mut delimited);
    delimited.extend(command);
    Message::Binary(delimited)
}
