//! Envelopes in JSON.

use super::*;

fn json() -> &'static dyn Protocol {
    Format::Json.protocol()
}

fn decode(text: &str) -> Decoded {
    json().decode(Incoming::Text(text))
}

fn text(frames: &[Frame]) -> &str {
    match frames {
        [frame] => frame.as_text().expect("a text frame"),
        other => panic!("not one text frame: {other:?}"),
    }
}

fn refused(frame: &str) -> String {
    match decode(frame) {
        Decoded::Refused(frames) => text(&frames).to_owned(),
        other => panic!("{frame}: not refused: {other:?}"),
    }
}

#[test]
fn requests_are_read() {
    let cases = [
        (r#"{"cid":"1","ping":{}}"#, Some("1"), Command::Ping),
        (r#"{"ping":{}}"#, None, Command::Ping),
        (r#"{"cid":null,"ping":{},"pong":null}"#, None, Command::Ping),
        (r#"{"cid":"p2","pong":{}}"#, Some("p2"), Command::Nothing),
        (r#"{"cid":"1","status_update":{"status":"hello"}}"#, Some("1"), status("hello")),
        (r#"{"cid":"3","status_update":{"status":""}}"#, Some("3"), status("")),
        (r#"{"cid":"4","status_update":{"status":null}}"#, Some("4"), Command::SetStatus(None)),
        (r#"{"cid":"5","status_update":{}}"#, Some("5"), Command::SetStatus(None)),
        (r#"{"statusUpdate":{"status":"a\u0000\nb"}}"#, None, status("a\0\nb")),
        (r#"{"cid":"6","status_follow":{"user_ids":[]}}"#, Some("6"), follow(&[], &[])),
        (r#"{"cid":"6","status_follow":{}}"#, Some("6"), follow(&[], &[])),
        (r#"{"status_follow":{"user_ids":null,"usernames":["bob"]}}"#, None, follow(&[], &["bob"])),
        (r#"{"cid":"é\"","status_unfollow":{"user_ids":[]}}"#, Some("é\""), Command::Unfollow(vec![])),
        (" {\"cid\" : \"1\" ,\n\"ping\" : { } } ", Some("1"), Command::Ping),
    ];
    for (frame, cid, command) in cases {
        assert_eq!(decode(frame), request(cid, command), "{frame}");
    }
    let both = format!(r#"{{"cid":"14","statusFollow":{{"userIds":["{BOB}"],"usernames":["bob","al ice"]}}}}"#);
    assert_eq!(decode(&both), request(Some("14"), follow(&[BOB], &["bob", "al ice"])));
    let unfollow = format!(r#"{{"status_unfollow":{{"user_ids":["{}"]}}}}"#, BOB.to_uppercase());
    assert_eq!(decode(&unfollow), request(None, Command::Unfollow(vec![user(BOB)])));
}

#[test]
fn malformed_fields_that_are_safe_to_ignore_are_ignored() {
    let cases = [
        (r#"{"cid":"1","ping":{},"surprise":{"a":[1]}}"#, request(Some("1"), Command::Ping)),
        (r#"{"ping":{"surprise":1}}"#, request(None, Command::Ping)),
        (r#"{"status_update":{"status":"x","surprise":1}}"#, request(None, status("x"))),
        (r#"{"status_update":[]}"#, request(None, Command::SetStatus(None))),
        (r#"{"status_follow":[]}"#, request(None, follow(&[], &[]))),
    ];
    for (frame, expected) in cases {
        assert_eq!(decode(frame), expected, "{frame}");
    }
}

#[test]
fn a_malformed_payload_gets_an_error_and_then_nakamas_close_frame() {
    let frames = [
        "",
        "null",
        "[]",
        "1",
        "\"x\"",
        "{",
        "{\"cid\":\"1\"",
        "not json",
        r#"{"cid":1,"ping":{}}"#,
        r#"{"cid":"1","ping":{}} trailing"#,
        r#"{"cid":"1","ping":{},"pong":{}}"#,
        r#"{"cid":"1","cid":"2","ping":{}}"#,
        r#"{"ping":{},"ping":{}}"#,
        r#"{"status_update":{"status":5}}"#,
        r#"{"status_update":{"status":"a","status":"b"}}"#,
        r#"{"status_update":{"status":"\ud800"}}"#,
        r#"{"status_update":[1]}"#,
        r#"{"status_update":"x"}"#,
        r#"{"status_follow":{"user_ids":[null]}}"#,
        r#"{"status_follow":{"user_ids":"x"}}"#,
        r#"{"status_follow":{"user_ids":[1]}}"#,
        r#"{"ping":5}"#,
    ];
    for frame in frames {
        let (error, code, reason) = closing(decode(frame));
        assert_eq!((code, reason.as_str()), (1000, "received malformed payload"), "{frame}");
        assert!(text(&error).contains(r#""error":{"code":3,"message":"Malformed payload: "#), "{frame}: {error:?}");
    }
    let (error, ..) = closing(decode(r#"{"cid":"17","status_update":{"status":5}}"#));
    assert!(text(&error).starts_with(r#"{"cid":"17","error":"#), "{error:?}");
    let (_, code, reason) = closing(decode(&"[".repeat(10_000)));
    assert_eq!((code, reason.as_str()), (1000, "received malformed payload"), "deep nesting");
}

#[test]
fn an_empty_envelope_and_a_server_message_get_an_error_and_a_close_frame() {
    for frame in ["{}", r#"{"cid":"1"}"#, r#"{"cid":"1","ping":null}"#, r#"{"surprise":{}}"#] {
        let (error, code, reason) = closing(decode(frame));
        assert_eq!((code, reason.as_str()), (1000, "error processing message"), "{frame}");
        assert!(text(&error).ends_with(r#""error":{"code":2,"message":"Missing message."}}"#), "{frame}: {error:?}");
    }
    for name in ["status", "error", "match", "status_presence_event", "statusPresenceEvent", "notifications"] {
        let (error, code, reason) = closing(decode(&format!(r#"{{"cid":"1","{name}":{{}}}}"#)));
        assert_eq!((code, reason.as_str()), (1000, "error processing message"), "{name}");
        assert_eq!(text(&error), r#"{"cid":"1","error":{"code":1,"message":"Unrecognized message."}}"#, "{name}");
    }
}

#[test]
fn a_binary_frame_on_a_json_socket_closes_it() {
    let (_, code, reason) = closing(json().decode(Incoming::Binary(b"{}")));
    assert_eq!((code, reason.as_str()), (1000, "received unexpected WebSocket message type"));
}

#[test]
fn messages_out_of_scope_get_an_error_with_their_cid_and_the_socket_stays() {
    let names = ["match_join", "matchJoin", "rpc", "channel_join", "party_create", "matchmaker_add", "match_data_send"];
    for name in names {
        let error = refused(&format!(r#"{{"cid":"9","{name}":{{"id":"x"}}}}"#));
        assert!(error.starts_with(r#"{"cid":"9","error":{"code":1,"message":""#), "{name}: {error}");
    }
}

#[test]
fn bad_values_are_refused_and_the_socket_stays() {
    let cases = [
        (
            r#"{"cid":"8","status_follow":{"user_ids":["notauuid"]}}"#,
            r#"{"cid":"8","error":{"code":3,"message":"Invalid user identifier"}}"#,
        ),
        (
            r#"{"cid":"9","status_follow":{"usernames":[""]}}"#,
            r#"{"cid":"9","error":{"code":3,"message":"Invalid username"}}"#,
        ),
        (
            r#"{"cid":"23","status_unfollow":{"user_ids":["bad"]}}"#,
            r#"{"cid":"23","error":{"code":3,"message":"Invalid user identifier"}}"#,
        ),
    ];
    for (frame, error) in cases {
        assert_eq!(refused(frame), error);
    }
    let update = |text: &str| format!(r#"{{"cid":"31","status_update":{{"status":"{text}"}}}}"#);
    let too_long = r#"{"cid":"31","error":{"code":3,"message":"Status must be 2048 characters or less"}}"#;
    assert_eq!(refused(&update(&"x".repeat(2049))), too_long);
    assert_eq!(refused(&update(&"é".repeat(1025))), too_long);
    assert_eq!(decode(&update(&"é".repeat(1024))), request(Some("31"), status(&"é".repeat(1024))));
}

#[test]
fn replies_equal_the_recorded_frames() {
    assert_eq!(text(&json().reply(&tag("1"), &Reply::Pong)), r#"{"cid":"1","pong":{}}"#);
    assert_eq!(text(&json().reply(&RequestTag(None), &Reply::Pong)), r#"{"pong":{}}"#);
    assert_eq!(text(&json().reply(&tag("20"), &Reply::Done)), r#"{"cid":"20"}"#);
    assert_eq!(text(&json().reply(&RequestTag(None), &Reply::Done)), "{}");
    assert_eq!(text(&json().follow_reply(&tag("1"), &[])), r#"{"cid":"1","status":{"presences":[]}}"#);
    let bob = snapshot(
        BOB,
        vec![
            presence(SESSION, "bob_9qi9xb7d", "back"),
            presence("254717b6-e541-11f1-bba8-40b3eab63f3f", "bob_9qi9xb7d", "two"),
        ],
    );
    assert_eq!(
        text(&json().follow_reply(&tag("16"), &[snapshot(ALICE, vec![]), bob])),
        r#"{"cid":"16","status":{"presences":[{"user_id":"2e088536-86c5-4c0f-b088-f2b5a7764c6f","session_id":"23a90b60-e541-11f1-bba8-40b3eab63f3f","username":"bob_9qi9xb7d","status":"back"},{"user_id":"2e088536-86c5-4c0f-b088-f2b5a7764c6f","session_id":"254717b6-e541-11f1-bba8-40b3eab63f3f","username":"bob_9qi9xb7d","status":"two"}]}}"#
    );
}

#[test]
fn events_equal_the_recorded_frames_and_have_empty_lists() {
    let bob = |status: &str| {
        format!(r#"{{"user_id":"{BOB}","session_id":"{SESSION}","username":"bob_9qi9xb7d","status":"{status}"}}"#)
    };
    let cases = [
        (None, Some(""), format!(r#"{{"status_presence_event":{{"joins":[{}],"leaves":[]}}}}"#, bob(""))),
        (
            Some(""),
            Some("hello"),
            format!(r#"{{"status_presence_event":{{"joins":[{}],"leaves":[{}]}}}}"#, bob("hello"), bob("")),
        ),
        (Some("hello"), None, format!(r#"{{"status_presence_event":{{"joins":[],"leaves":[{}]}}}}"#, bob("hello"))),
    ];
    for (before, after, expected) in cases {
        assert_eq!(text(&json().diff(&bob_diff(before, after))), expected);
    }
}

#[test]
fn strings_are_escaped_as_in_proto3_json() {
    let frames = json().diff(&bob_diff(None, Some("<&\u{2028}\u{7f}\"\\\n\0")));
    assert!(text(&frames).contains("\"status\":\"<&\u{2028}\u{7f}\\\"\\\\\\n\\u0000\""), "{frames:?}");
}

#[test]
fn no_frame_is_larger_than_sixty_kib_and_no_presence_is_lost() {
    for (count, status) in [(4096, "hi"), (40, &*"\u{1}".repeat(2048)), (100, &*"\"".repeat(2048))] {
        let cid = "c".repeat(1000);
        let frames = json().follow_reply(&tag(&cid), &crowd(count, status));
        let mut users = 0;
        for (index, frame) in frames.iter().enumerate() {
            assert!(frame.size() <= 60 * 1024, "{} bytes", frame.size());
            let envelope: serde_json::Value = serde_json::from_str(text(std::slice::from_ref(frame))).unwrap();
            let list = match index {
                0 => &envelope["status"]["presences"],
                _ => &envelope["status_presence_event"]["joins"],
            };
            users += list.as_array().expect("a list of presences").len();
        }
        assert_eq!(users, usize::try_from(count).unwrap());
        assert!(frames.len() > 1, "the test should fill more than one frame");
    }
}

#[test]
fn a_large_diff_is_split_and_updates_stay_whole() {
    let sessions = |status: &str| -> Vec<Presence> {
        let session = |number: u128| Uuid::from_u128(number).to_string();
        (1..=40).map(|number| presence(&session(number), "bob", status)).collect()
    };
    let (before, after) = ("a".repeat(2048), "b".repeat(2048));
    let diff = Diff { joins: sessions(&after), leaves: sessions(&before), ..bob_diff(None, None) };
    let frames = json().diff(&diff);
    assert!(frames.len() > 1);
    let mut updates = 0;
    for frame in &frames {
        assert!(frame.size() <= 60 * 1024);
        let event: serde_json::Value = serde_json::from_str(text(std::slice::from_ref(frame))).unwrap();
        let sessions = |list: &str| -> Vec<String> {
            let presences = event["status_presence_event"][list].as_array().expect("a list").iter();
            presences.map(|presence| presence["session_id"].to_string()).collect()
        };
        assert_eq!(sessions("joins"), sessions("leaves"));
        updates += sessions("joins").len();
    }
    assert_eq!(updates, 40);
}

#[test]
fn refusals_name_the_limit_and_the_remedy() {
    let quota = Refusal::TooManyFollows(QuotaExceeded { limit: 4096, held: 4090, asked: 10 });
    assert_eq!(
        text(&json().reply(&tag("1"), &Reply::Refused(quota))),
        r#"{"cid":"1","error":{"code":3,"message":"Follow limit of 4096 reached: 4090 followed, 10 more asked for"}}"#
    );
    assert_eq!(
        text(&json().reply(&tag("1"), &Reply::Refused(Refusal::Busy))),
        r#"{"cid":"1","error":{"message":"Server busy, try again"}}"#,
        "code 0 is omitted, as proto3 JSON does"
    );
    let fast = Refusal::RateLimited { limit: 20, retry_after: std::time::Duration::from_millis(1500) };
    assert!(text(&json().reply(&tag("1"), &Reply::Refused(fast))).contains("try again in 1500 ms"));
}

#[test]
fn every_close_frame_has_a_code_and_fits() {
    let causes = [
        (CloseReason::Drain, 1000),
        (CloseReason::Disconnected, 1000),
        (CloseReason::PingTimeout, 1000),
        (CloseReason::MessageTooLarge, 1009),
        (CloseReason::ProtocolError, 1002),
        (CloseReason::InvalidUtf8, 1000),
    ];
    for (cause, code) in causes {
        let closing = json().close_frame(cause);
        assert_eq!(closing.code, code, "{cause:?}");
        assert!(closing.reason.len() <= 123 && (code == 1009) == closing.reason.is_empty(), "{closing:?}");
    }
}
