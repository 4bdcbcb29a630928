//! Envelopes in protobuf, byte for byte.

use super::*;

fn protobuf() -> &'static dyn Protocol {
    Format::Protobuf.protocol()
}

fn decode(bytes: &[u8]) -> Decoded {
    protobuf().decode(Incoming::Binary(bytes))
}

fn bytes(frames: &[Frame]) -> &[u8] {
    match frames {
        [frame] => frame.as_binary().expect("a binary frame"),
        other => panic!("not one binary frame: {other:?}"),
    }
}

/// Parses hexadecimal digits with quoted text between them: `0a01 "1"`.
fn hex(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            out.extend(part.bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(u8::is_ascii_hexdigit).collect();
        for pair in digits.chunks(2) {
            out.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
    }
    out
}

#[test]
fn the_recorded_requests_decode() {
    let follow_one = hex(&format!("0a0132 d20126 0a24 \"{BOB}\""));
    let unfollow_one = hex(&format!("0a0136 e20126 0a24 \"{BOB}\""));
    let cases = [
        (hex("0a0131 820200"), Some("1"), Command::Ping),
        (hex("820200"), None, Command::Ping),
        (hex("0a0130 8a0200"), Some("0"), Command::Nothing),
        (follow_one, Some("2"), follow(&[BOB], &[])),
        (hex("0a0135 d20100"), Some("5"), follow(&[], &[])),
        (hex("0a0135 d20105 1203 \"bob\""), Some("5"), follow(&[], &["bob"])),
        (hex("0a0132 ea0106 0a04 0a02 6869"), Some("2"), status("hi")),
        (hex("0a0133 ea0104 0a02 0a00"), Some("3"), status("")),
        (hex("0a0133 ea0102 0a00"), Some("3"), status("")),
        (hex("0a0134 ea0100"), Some("4"), Command::SetStatus(None)),
        (unfollow_one, Some("6"), Command::Unfollow(vec![user(BOB)])),
    ];
    for (frame, cid, command) in cases {
        assert_eq!(decode(&frame), request(cid, command), "{frame:02x?}");
    }
}

#[test]
fn the_recorded_replies_are_encoded_byte_for_byte() {
    assert_eq!(bytes(&protobuf().reply(&tag("1"), &Reply::Pong)), hex("0a0131 8a0200"));
    assert_eq!(bytes(&protobuf().reply(&tag("2"), &Reply::Done)), hex("0a0132"));
    assert_eq!(bytes(&protobuf().follow_reply(&tag("2"), &[])), hex("0a0132 ca0100"));
    let eve = presence(SESSION, "abcdefghijk", "");
    assert_eq!(
        bytes(&protobuf().follow_reply(&tag("3"), &[snapshot(BOB, vec![eve])])),
        hex(&format!("0a0133 ca015d 0a5b 0a24\"{BOB}\" 1224\"{SESSION}\" 1a0b\"abcdefghijk\" 2a00"))
    );
    let Decoded::Refused(error) = decode(&hex("0a0134 d20105 0a03 \"bad\"")) else { panic!("not refused") };
    assert_eq!(bytes(&error), hex("0a0134 5a1b 0803 1217 \"Invalid user identifier\""));
}

#[test]
fn the_recorded_events_are_encoded_byte_for_byte() {
    let bob = |before: Option<&str>, after: Option<&str>| {
        let shown =
            |status: Option<&str>| status.map(|status| presence(SESSION, "abcdefghijk", status)).into_iter().collect();
        Diff { joins: shown(after), leaves: shown(before), ..bob_diff(None, None) }
    };
    let shown = format!("0a24\"{BOB}\" 1224\"{SESSION}\" 1a0b\"abcdefghijk\"");
    assert_eq!(bytes(&protobuf().diff(&bob(None, Some("")))), hex(&format!("da015d 125b {shown} 2a00")));
    assert_eq!(
        bytes(&protobuf().diff(&bob(Some(""), Some("hi")))),
        hex(&format!("da01be01 125f {shown} 2a04 0a02 6869 1a5b {shown} 2a00"))
    );
    assert_eq!(bytes(&protobuf().diff(&bob(Some(""), None))), hex(&format!("da015d 1a5b {shown} 2a00")));
}

#[test]
fn unknown_fields_are_ignored_and_the_last_message_counts() {
    assert_eq!(decode(&hex("0a0131 820200 ca3e03 \"abc\"")), request(Some("1"), Command::Ping));
    assert_eq!(decode(&hex("0a0131 820200 8a0200")), request(Some("1"), Command::Nothing));
}

#[test]
fn garbage_gets_an_error_and_then_nakamas_close_frame() {
    for frame in [hex("ff"), hex("0a05 31"), hex("0a02 c328 820200"), hex("0a0131 ea0105 0a03 0a01 ff"), hex("0800")] {
        let (error, code, reason) = closing(decode(&frame));
        assert_eq!((code, reason.as_str()), (1000, "received malformed payload"), "{frame:02x?}");
        assert!(!error.is_empty());
    }
}

#[test]
fn an_empty_envelope_and_a_server_message_get_an_error_and_a_close_frame() {
    for frame in [hex(""), hex("0a0131"), hex("0a0131 ca3e03 \"abc\"")] {
        let (error, code, reason) = closing(decode(&frame));
        assert_eq!((code, reason.as_str()), (1000, "error processing message"), "{frame:02x?}");
        assert!(bytes(&error).ends_with(b"Missing message."), "{error:?}");
    }
    for frame in [hex("0a0131 ca0100"), hex("0a0131 6200"), hex("0a0131 5a00")] {
        let (error, code, _) = closing(decode(&frame));
        assert_eq!(code, 1000);
        assert!(bytes(&error).ends_with(b"Unrecognized message."), "{frame:02x?}: {error:?}");
    }
}

#[test]
fn a_text_frame_on_a_protobuf_socket_closes_it() {
    let (_, code, reason) = closing(protobuf().decode(Incoming::Text("{}")));
    assert_eq!((code, reason.as_str()), (1000, "received unexpected WebSocket message type"));
}

#[test]
fn messages_out_of_scope_get_an_error_with_their_cid_and_the_socket_stays() {
    // match_join is 16, rpc is 24.
    for frame in [hex("0a0139 820105 0a03 \"abc\""), hex("0a0139 c20105 0a03 \"abc\"")] {
        let Decoded::Refused(error) = decode(&frame) else { panic!("not refused: {frame:02x?}") };
        assert!(bytes(&error).starts_with(&hex("0a0139 5a")), "{error:?}");
    }
}

#[test]
fn no_frame_is_larger_than_sixty_kib() {
    let frames = protobuf().follow_reply(&tag("1"), &crowd(4096, "hi"));
    assert!(frames.len() > 1);
    assert!(frames.iter().all(|frame| frame.size() <= 60 * 1024));
}

#[test]
fn random_bytes_never_panic() {
    use proptest::prelude::*;
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..200))| {
        let _decoded = protobuf().decode(Incoming::Binary(&bytes));
        let _decoded = Format::Json.protocol().decode(Incoming::Text(&String::from_utf8_lossy(&bytes)));
    });
}
