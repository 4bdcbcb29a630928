//! Malformed messages: some are refused, some end the connection, none causes a panic.

use proptest::prelude::*;

use super::*;

fn decode(text: &str) -> Decoded {
    Format::Json.protocol().decode(Incoming::Text(text))
}

fn is_fatal(decoded: &Decoded) -> bool {
    matches!(decoded, Decoded::Fatal(frames, closing) if frames.is_empty() && closing.code == 3501)
}

#[test]
fn a_message_that_cannot_be_decoded_ends_the_connection() {
    for message in [
        "",
        " \n ",
        "{",
        "null",
        "[]",
        "1",
        "\"x\"",
        "{}x",
        "x{}",
        r#"{"id":1}"#,
        r#"{"id":1,"nope":{}}"#,
        r#"{"id":-1,"connect":{}}"#,
        r#"{"id":4294967296,"connect":{}}"#,
        r#"{"id":"1","connect":{}}"#,
        r#"{"id":1,"connect":[]}"#,
        r#"{"id":1,"connect":{"token":5}}"#,
        r#"{"id":1,"connect":{},"connect":{}}"#,
        r#"{"id":1,"ping":{}}"#,
        r#"{"id":1,"subscribe":{}}"#,
        r#"{"id":1,"subscribe":{"channel":""}}"#,
        r#"{"id":1,"unsubscribe":{}}"#,
        r#"{"id":1,"presence":{}}"#,
        r#"{"id":1,"presence_stats":{}}"#,
    ] {
        let decoded = decode(message);
        let fatal = match &decoded {
            Decoded::Batch(batch) => batch.last().is_some_and(is_fatal),
            other => is_fatal(other),
        };
        assert!(fatal, "{message}: {decoded:?}");
    }
    let deep = format!("{{\"id\":1,\"x\":{}", "[".repeat(60_000));
    assert!(is_fatal(&decode(&deep)));
    for bytes in [&[][..], &[5], &[2, 8], &[2, 8, 1], &[0xff; 12], &[4, 8, 1, 0x2a, 0x7f]] {
        assert!(is_fatal(&Format::Protobuf.protocol().decode(Incoming::Binary(bytes))), "{bytes:?}");
    }
    assert!(is_fatal(&Format::Protobuf.protocol().decode(Incoming::Text("{}"))));
}

#[test]
fn commands_before_a_malformed_one_count() {
    let Decoded::Batch(batch) = decode("{\"id\":1,\"connect\":{}}\n{\n{\"id\":2,\"connect\":{}}") else {
        panic!("no batch")
    };
    assert!(matches!(&batch[..], [Decoded::Command(_), last] if is_fatal(last)), "{batch:?}");
}

#[test]
fn a_message_of_too_many_commands_ends_the_connection() {
    let decoded = |count: usize| {
        let (text, bytes) = ("{}".repeat(count), vec![0; count]);
        let protobuf = Format::Protobuf.protocol().decode(Incoming::Binary(&bytes));
        assert_eq!(decode(&text), protobuf, "{count}");
        protobuf
    };
    let Decoded::Batch(most) = decoded(MAX_COMMANDS) else { panic!("no batch") };
    assert!(most.len() == MAX_COMMANDS && most.iter().all(|part| *part == Decoded::Pong));
    for count in [MAX_COMMANDS + 1, 65_536] {
        let Decoded::Batch(parts) = decoded(count) else { panic!("no batch") };
        assert_eq!(parts.len(), MAX_COMMANDS + 1);
        assert!(parts.last().is_some_and(is_fatal));
    }
}

#[test]
fn commands_that_are_not_served_are_refused() {
    let error = |code: u32, message: &str| format!(r#"{{"id":1,"error":{{"code":{code},"message":"{message}"}}}}"#);
    let long = format!(r#"{{"id":1,"subscribe":{{"channel":"status:{}"}}}}"#, "x".repeat(256));
    let state =
        format!(r#"{{"id":1,"rpc":{{"method":"update_user_status","data":{{"state":"{}"}}}}}}"#, "x".repeat(2049));
    let cases = [
        (r#"{"id":1,"subscribe":{"channel":"news"}}"#, error(102, "unknown channel")),
        (r#"{"id":1,"subscribe":{"channel":"status:"}}"#, error(102, "unknown channel")),
        (r#"{"id":1,"subscribe":{"channel":"Status:42"}}"#, error(102, "unknown channel")),
        (r#"{"id":1,"subscribe":{"channel":"$status:42"}}"#, error(102, "unknown channel")),
        (r#"{"id":1,"presence":{"channel":"news"}}"#, error(102, "unknown channel")),
        (r#"{"id":1,"presence_stats":{"channel":"news"}}"#, error(102, "unknown channel")),
        (r#"{"id":1,"subscribe":{"channel":"status:a\nb"}}"#, error(107, "bad request")),
        (&long, error(107, "bad request")),
        (&state, error(107, "bad request")),
        (r#"{"id":1,"rpc":{"method":"update_user_status","data":{"state":5}}}"#, error(107, "bad request")),
        (r#"{"id":1,"rpc":{"method":"update_user_status","data":"dnd"}}"#, error(107, "bad request")),
        (r#"{"id":1,"rpc":{}}"#, error(104, "method not found")),
        (r#"{"id":1,"publish":{"channel":"status:42","data":{}}}"#, error(103, "permission denied")),
        (r#"{"id":1,"history":{"channel":"status:42"}}"#, error(108, "not available")),
        (r#"{"id":1,"sub_refresh":{"channel":"status:42"}}"#, error(108, "not available")),
    ];
    for (message, expected) in cases {
        assert_eq!(decode(message), Decoded::Refused(vec![Frame::text(&expected)]), "{message}");
    }
}

/// Fragments of commands in random combinations.
fn nonsense() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\n",
        "\"id\"",
        "1",
        "0",
        "-1",
        "1e9",
        "null",
        "\"connect\"",
        "\"subscribe\"",
        "\"rpc\"",
        "\"channel\"",
        "\"status:42\"",
        "\"data\"",
        "\"method\"",
        "\"update_user_status\"",
        "\"\\ud800\"",
        "é",
        "\u{0}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Messages of real clients, some with several commands.
const JSON: &[&[u8]] = &[
    br#"{"id":3,"rpc":{"method":"update_user_status","data":{"state":"dnd"}}}"#,
    br#"{"connect":{"token":"tok1","name":"js","version":"1.2.3"},"id":1}
{"subscribe":{"channel":"status:42","flag":1},"id":2}"#,
    br#"{"presence":{"channel":"status:42"},"id":5}
{"presence_stats":{"channel":"status:42"},"id":6}
{}"#,
    br#"{"refresh":{"token":"tok2"},"id":7}"#,
    br#"{"id": 2, "unsubscribe": {"channel": "status:42"}}"#,
];
const PROTOBUF: &[&[u8]] = &[
    b"\x08\x08\x01\x22\x04\x22\x02js\x11\x08\x02\x2a\x0d\x0a\x09status:42\x70\x01",
    b"\x1c\x08\x03\x6a\x18\x0a\x02{}\x12\x12update_user_status",
    b"\x00",
];

/// Damage to a message.
#[derive(Clone, Debug)]
enum Harm {
    Change(usize, u8),
    Insert(usize, u8),
    Cut(usize),
    /// A part is repeated: from, to, at.
    Repeat(usize, usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = || 0..200_usize;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Change(at, byte)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Insert(at, byte)),
        at().prop_map(Harm::Cut),
        (at(), at(), at()).prop_map(|(from, to, at)| Harm::Repeat(from, to, at)),
    ]
}

/// A damaged message. The positions of the damage are relative to its length.
fn broken(messages: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(messages), prop::collection::vec(harm(), 1..5)).prop_map(|(message, harms)| {
        let mut bytes = message.to_vec();
        for harm in harms {
            let place = |at: usize| at % (bytes.len() + 1);
            match harm {
                Harm::Change(at, byte) => {
                    let at = place(at);
                    bytes.splice(at..bytes.len().min(at + 1), [byte]);
                }
                Harm::Insert(at, byte) => bytes.insert(place(at), byte),
                Harm::Cut(at) => bytes.truncate(place(at)),
                Harm::Repeat(from, to, at) => {
                    let (from, to, at) = (place(from).min(place(to)), place(from).max(place(to)), place(at));
                    let part = bytes[from..to].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_json_input_panics(message in nonsense(), bytes in broken(JSON)) {
        decode(&message);
        decode(&String::from_utf8_lossy(&bytes));
        Format::Json.protocol().decode(Incoming::Binary(&bytes));
    }

    #[test]
    fn no_protobuf_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), other in broken(PROTOBUF)) {
        Format::Protobuf.protocol().decode(Incoming::Binary(&bytes));
        Format::Protobuf.protocol().decode(Incoming::Binary(&other));
    }
}
