//! Commands and replies in protobuf; the bytes are captures of the protobuf build of centrifuge-js 5.8.0.

use super::*;
use crate::dialect::centrifugo::protobuf::Protobuf;

fn protobuf() -> &'static dyn Protocol {
    Format::Protobuf.protocol()
}

fn decode(bytes: &[u8]) -> Decoded {
    protobuf().decode(Incoming::Binary(bytes))
}

fn bytes(frame: &Frame) -> &[u8] {
    frame.as_binary().expect("a binary frame")
}

const CONNECT_AND_SUBSCRIBE: &[u8] =
    b"\x08\x08\x01\x22\x04\x22\x02\x6a\x73\x11\x08\x02\x2a\x0d\x0a\x09status:42\x70\x01";
const RPC: &[u8] = b"\x1c\x08\x03\x6a\x18\x0a\x02{}\x12\x12update_user_status";

#[test]
fn frames_of_centrifuge_js_decode() {
    assert_eq!(commands(decode(CONNECT_AND_SUBSCRIBE)), [connect(""), subscribe("42")]);
    assert_eq!(commands(decode(RPC)), [Command::MarkActive(None)]);
    assert_eq!(decode(&[0]), Decoded::Pong);
}

#[test]
fn replies_are_encoded_as_clients_expect_them() {
    let connect = CommandReply::Connect { client: "c-1".into(), version: "0.1", ttl: None, ping: Some(2) };
    let reply = |id, answer: &CommandReply| Protobuf::reply(id, answer);
    assert_eq!(bytes(&reply(1, &connect)), b"\x12\x08\x01\x2a\x0e\x0a\x03c-1\x12\x030.1\x38\x02\x40\x01");
    assert_eq!(bytes(&reply(2, &CommandReply::Subscribe { data: String::new() })), b"\x04\x08\x02\x32\x00");
    assert_eq!(bytes(&reply(3, &CommandReply::Rpc)), b"\x04\x08\x03\x6a\x00");
    assert_eq!(
        bytes(&Protobuf::publication("status:42", r#"{"online":1}"#)),
        b"\x1d\x22\x1b\x12\x09status:42\x22\x0e\x22\x0c{\"online\":1}"
    );
    assert_eq!(bytes(&protobuf().ping().unwrap()), [0]);
    let error = CommandReply::Error(Code::TooManyRequests);
    assert_eq!(bytes(&reply(4, &error)), b"\x1b\x08\x04\x12\x17\x08\x6f\x12\x11too many requests\x18\x01");
    assert_eq!(bytes(&reply(5, &CommandReply::Unsubscribe)), b"\x04\x08\x05\x3a\x00");
    let info = PresenceEntry { user: "42".into(), client: "c".into(), conn_info: Some("{}".into()) };
    assert_eq!(
        bytes(&reply(6, &CommandReply::Presence(vec![info]))),
        b"\x16\x08\x06\x4a\x12\x0a\x10\x0a\x01c\x12\x0b\x0a\x0242\x12\x01c\x1a\x02{}"
    );
    assert_eq!(bytes(&reply(6, &CommandReply::Presence(vec![]))), b"\x04\x08\x06\x4a\x00");
    assert_eq!(
        bytes(&reply(7, &CommandReply::PresenceStats { clients: 2, users: 1 })),
        b"\x08\x08\x07\x52\x04\x08\x02\x10\x01"
    );
    assert_eq!(bytes(&reply(8, &CommandReply::Refresh { ttl: Some(3) })), b"\x08\x08\x08\x72\x04\x18\x01\x20\x03");
}

#[test]
fn a_subscription_and_its_publications_contain_the_presence() {
    let tag = tag(decode(b"\x11\x08\x02\x2a\x0d\x0a\x09status:42\x70\x01"));
    let reply = protobuf().follow_reply(&tag, &[snapshot(&["dnd"])]);
    let shown = r#"{"user":"42","online":true,"statuses":["dnd"],"active":1627107289,"state":"dnd"}"#;
    assert!(bytes(&reply[0]).ends_with(shown.as_bytes()), "{reply:?}");
    let publisher = protobuf().publisher().unwrap();
    let push = publisher.publication(&ClientAlias("status:42".into()), &publisher.body(&snapshot(&["dnd"])));
    assert!(bytes(&push).ends_with(shown.as_bytes()), "{push:?}");
}

#[test]
fn refusals_are_errors_of_the_request() {
    for (_, reply) in replies() {
        let frames = protobuf().reply(&tag(decode(RPC)), &reply);
        assert_eq!(bytes(&frames[0])[1..4], [0x08, 0x03, 0x12], "{frames:?}");
    }
}
