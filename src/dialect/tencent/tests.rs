//! Frames that clients of Tencent Chat's API send over JSON-RPC, and the replies.

use std::time::Duration;

use super::*;
use crate::presence::diff::{OwnStatus, Presence};
use crate::presence::general_status::{Exit, GeneralStatus};
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;
use crate::presence::subscriptions::DeliveredStatus;
use crate::session::command::{Command, Refusal};
use crate::session::listing::{CatchUp, ListingKind, MemberFailure, MemberFailureReason};
use crate::session::member::{MemberCall, MemberCommand, MemberRefusal, MemberReply, MemberStatus};

fn name(text: &str) -> MemberName {
    MemberName::new(text).unwrap()
}

fn tag(id: &str) -> RequestTag {
    RequestTag(Some(id.to_owned().into()))
}

fn decode(text: &str) -> Decoded {
    Tencent.decode(Incoming::Text(text))
}

fn call(text: &str) -> MemberCall {
    match decode(text) {
        Decoded::Command(TaggedCommand { command: Command::Member(MemberCommand::Call(call)), .. }) => call,
        other => panic!("{text} is no call but {other:?}"),
    }
}

fn refused(text: &str) -> String {
    match decode(text) {
        Decoded::Refused(frames) => texts(&frames).concat(),
        other => panic!("{text} is not refused but {other:?}"),
    }
}

fn texts(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.as_text().unwrap()).collect()
}

fn reply(reply: MemberReply) -> String {
    texts(&Tencent.reply(&tag("7"), &Reply::Member(reply))).concat()
}

fn shown(user: &str, statuses: &[&str], exit: Option<Exit>, custom: Option<&str>) -> Snapshot {
    let presence = |(number, status): (usize, &&str)| Presence {
        connection: ConnectionId::from_uuid(uuid::Uuid::from_u128(number as u128)),
        username: None,
        status: StatusText::new(status).unwrap(),
    };
    let custom = custom.map(|text| StatusText::new(text).unwrap());
    Snapshot {
        presences: statuses.iter().enumerate().map(presence).collect(),
        own: OwnStatus { exit, custom },
        ..Snapshot::nothing(UserId::from_name(user))
    }
}

#[test]
fn every_method_decodes() {
    let login = r#"{"jsonrpc":"2.0","id":1,"method":"login","params":{"SDKAppID":1400000000,"userID":"alice","userSig":"eJw","platform":"Web"}}"#;
    let command = MemberCommand::Login {
        app: 1_400_000_000,
        name: name("alice"),
        user_sig: "eJw".into(),
        platform: Some("Web".into()),
    };
    assert_eq!(decode(login), Decoded::Command(TaggedCommand { tag: tag("1"), command: Command::Member(command) }));
    let beat = r#"{"id":"a\"b","jsonrpc":"2.0","method":"heartbeat"}"#;
    let command = Command::Member(MemberCommand::Heartbeat);
    assert_eq!(decode(beat), Decoded::Command(TaggedCommand { tag: tag(r#""a\"b""#), command }));
    let of = |method: &str, params: &str| {
        call(&format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{method}","params":{params}}}"#))
    };
    let text = |text: &str| MemberCall::SetCustomStatus(Some(StatusText::new(text).unwrap()));
    assert_eq!(of("setSelfStatus", r#"{"customStatus":"listening"}"#), text("listening"));
    for cleared in [r#"{"customStatus":""}"#, r#"{"customStatus":null}"#, "{}", "null"] {
        assert_eq!(of("setSelfStatus", cleared), MemberCall::SetCustomStatus(None), "{cleared}");
    }
    assert_eq!(call(r#"{"jsonrpc":"2.0","id":2,"method":"setSelfStatus"}"#), MemberCall::SetCustomStatus(None));
    let list = r#"{"userIDList":["bob","carol"]}"#;
    let both = vec![name("bob"), name("carol")];
    assert_eq!(of("getUserStatus", list), MemberCall::Query(both.clone()));
    assert_eq!(of("subscribeUserStatus", list), MemberCall::Subscribe(both.clone()));
    assert_eq!(of("unsubscribeUserStatus", list), MemberCall::Unsubscribe(Some(both)));
    assert_eq!(of("unsubscribeUserStatus", "{}"), MemberCall::Unsubscribe(None));
    assert_eq!(of("logout", "{}"), MemberCall::Logout);
    let bad = of("getUserStatus", &format!(r#"{{"userIDList":["bob","{}"]}}"#, "x".repeat(33)));
    assert!(matches!(&bad, MemberCall::Invalid(what) if what.starts_with("userIDList: ")), "{bad:?}");
    let bad = of("setSelfStatus", &format!(r#"{{"customStatus":"{}"}}"#, "x".repeat(2049)));
    assert!(matches!(&bad, MemberCall::Invalid(what) if what.starts_with("customStatus: ")), "{bad:?}");
}

#[test]
fn broken_envelopes_get_the_standard_codes() {
    for (text, id, code) in [
        ("", "null", -32700),
        ("{", "null", -32700),
        ("[1,", "null", -32700),
        ("7", "null", -32600),
        ("[]", "null", -32600),
        ("{}", "null", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"heartbeat"}"#, "null", -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, "null", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "null", -32600),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"heartbeat"}"#, "null", -32600),
        (r#"["2.0",1,"heartbeat",null]"#, "", 0),
        (r#"{"jsonrpc":"2.0","id":1,"method":"sendMessage"}"#, "1", -32601),
        (r#"{"jsonrpc":"2.0","id":null,"method":"sendMessage"}"#, "null", -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"login"}"#, "1", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"login","params":["a"]}"#, "1", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getUserStatus","params":{"userIDList":"bob"}}"#, "1", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getUserStatus","params":{"userIDList":[1]}}"#, "1", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"setSelfStatus","params":{"customStatus":1}}"#, "1", -32602),
    ] {
        if code == 0 {
            assert!(matches!(decode(text), Decoded::Batch(parts) if parts.len() == 5), "a batch of four that are none");
            continue;
        }
        let answer = refused(text);
        let start = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":""#);
        assert!(answer.starts_with(&start), "{text} got {answer}");
    }
    assert!(refused(&format!("[{}]", vec!["1"; 101].join(","))).contains("-32600"), "more than a batch may have");
    assert!(matches!(Tencent.decode(Incoming::Binary(b"\xff")), Decoded::Refused(_)));
}

#[test]
fn a_batch_gets_one_reply_and_a_notification_gets_none() {
    let text = r#"[{"jsonrpc":"2.0","id":1,"method":"heartbeat"},{"jsonrpc":"2.0","method":"heartbeat"},7,{"jsonrpc":"2.0","method":"no"}]"#;
    let Decoded::Batch(parts) = decode(text) else { panic!("no batch") };
    assert_eq!(parts[0], Decoded::BatchReplies(2));
    assert!(matches!(&parts[2], Decoded::Command(TaggedCommand { tag: RequestTag(None), .. })), "{:?}", parts[2]);
    assert!(matches!(&parts[3], Decoded::Refused(frames) if frames.len() == 1));
    assert_eq!(parts[4], Decoded::Refused(Vec::new()));
    let silent = decode(r#"[{"jsonrpc":"2.0","method":"heartbeat"}]"#);
    assert!(matches!(&silent, Decoded::Batch(parts) if parts.len() == 1), "{silent:?}");
    let batch = Tencent.batch_reply(&[Frame::text("{}"), Frame::text("[1]")]);
    assert_eq!(texts(&batch), ["[{},[1]]"]);
    assert_eq!(Tencent.reply(&RequestTag(None), &Reply::Member(MemberReply::Alive)), []);
}

#[test]
fn results_have_the_names_of_the_api() {
    assert_eq!(reply(MemberReply::Alive), r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    let status = |user: &str, general, text: &str| MemberStatus { name: name(user), general, text: text.into() };
    let online = status("alice", GeneralStatus::Online, "\"hi\"");
    assert_eq!(
        reply(MemberReply::CustomStatusSet(online.clone())),
        r#"{"jsonrpc":"2.0","id":7,"result":{"userID":"alice","statusType":1,"customStatus":"\"hi\""}}"#
    );
    let statuses =
        vec![online, status("bob", GeneralStatus::Offline, ""), status("carol", GeneralStatus::Unlogined, "")];
    let failures = vec![MemberFailure { name: name("nobody"), reason: MemberFailureReason::NoAccount }];
    assert_eq!(
        reply(MemberReply::Statuses(statuses, failures)),
        concat!(
            r#"{"jsonrpc":"2.0","id":7,"result":{"successUserList":[{"userID":"alice","statusType":1,"customStatus":"\"hi\""},"#,
            r#"{"userID":"bob","statusType":2,"customStatus":""},{"userID":"carol","statusType":3,"customStatus":""}],"#,
            r#""failureUserList":[{"userID":"nobody","code":70107,"message":"no such account"}]}}"#
        )
    );
    assert_eq!(reply(MemberReply::Unsubscribed), r#"{"jsonrpc":"2.0","id":7,"result":{"failureUserList":[]}}"#);
}

#[test]
fn refusals_have_tencents_codes() {
    for (refusal, code) in [
        (MemberRefusal::NotLoggedIn, 6014),
        (MemberRefusal::Invalid("userIDList: 501 given, at most 500 a call".into()), 6017),
        (MemberRefusal::Expired, 70_001),
        (MemberRefusal::BadSignature, 70_003),
        (MemberRefusal::OtherUser, 70_013),
        (MemberRefusal::OtherApp, 70_014),
        (MemberRefusal::Disabled, 72_001),
        (MemberRefusal::Busy, -32_000),
    ] {
        let answer = reply(MemberReply::Refused(refusal));
        assert!(answer.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":{code},"#)), "{answer}");
    }
    let often = MemberRefusal::RateLimited { limit: 20, retry_after: Duration::from_micros(1_234_001) };
    assert_eq!(
        reply(MemberReply::Refused(often)),
        concat!(
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":7008,"message":"called too often: 20 of 20 calls made, try again in 1235 ms","#,
            r#""data":{"limit":20,"count":20,"retryAfterMs":1235}}}"#
        )
    );
    let busy = Tencent.reply(&tag("7"), &Reply::Refused(Refusal::Busy));
    assert!(texts(&busy)[0].contains("-32000"));
}

#[test]
fn a_subscription_reply_uses_the_names_of_the_request() {
    let listing = Listing {
        kind: ListingKind::Subscription,
        names: vec![name("bob"), name("carol")],
        failures: vec![MemberFailure { name: name("alice"), reason: MemberFailureReason::Oneself }],
    };
    let snapshots = [shown("bob", &["away"], None, None), shown("carol", &[], Some(Exit::Lost), None)];
    let frames = Tencent.listed(&tag("1"), &listing, &snapshots);
    assert_eq!(
        texts(&frames),
        [concat!(
            r#"{"jsonrpc":"2.0","id":1,"result":{"successUserList":[{"userID":"bob","statusType":1,"customStatus":"away"},"#,
            r#"{"userID":"carol","statusType":2,"customStatus":""}],"#,
            r#""failureUserList":[{"userID":"alice","code":6017,"message":"invalid parameter: oneself"}]}}"#
        )]
    );
}

#[test]
fn a_login_gets_one_notification_of_all_changes() {
    let delivered = |general, text| CatchUp::UnlessDelivered(Some(DeliveredStatus::of(general, text)));
    let people = [
        ("alice", CatchUp::Nothing, shown("alice", &[""], None, None)),
        ("bob", delivered(GeneralStatus::Online, "hi"), shown("bob", &["", "hi"], None, None)),
        ("carol", delivered(GeneralStatus::Online, ""), shown("carol", &[], Some(Exit::LoggedOut), None)),
        ("dave", CatchUp::UnlessDelivered(None), shown("dave", &["x"], None, Some("own"))),
        ("eve", CatchUp::IfOnline, shown("eve", &[], None, None)),
        ("fay", CatchUp::IfOnline, shown("fay", &[""], None, None)),
    ];
    let listing = |count: usize| Listing {
        kind: ListingKind::Login {
            heartbeat: Duration::from_secs(400),
            catch_up: people.iter().take(count).map(|(_, catch_up, _)| *catch_up).collect(),
        },
        names: people.iter().take(count).map(|(user, _, _)| name(user)).collect(),
        failures: Vec::new(),
    };
    let snapshots: Vec<Snapshot> = people.iter().map(|(_, _, snapshot)| snapshot.clone()).collect();
    let frames = Tencent.listed(&tag("1"), &listing(6), &snapshots);
    assert_eq!(
        texts(&frames),
        [
            r#"{"jsonrpc":"2.0","id":1,"result":{"userID":"alice","heartbeatTimeout":400}}"#,
            concat!(
                r#"{"jsonrpc":"2.0","method":"onUserStatusUpdated","params":[{"userID":"carol","statusType":3,"customStatus":""},"#,
                r#"{"userID":"dave","statusType":1,"customStatus":"own"},{"userID":"fay","statusType":1,"customStatus":""}]}"#
            )
        ]
    );
    assert_eq!(Tencent.listed(&tag("1"), &listing(2), &snapshots[..2]).len(), 1, "nothing changed");
}

#[test]
fn a_change_without_a_visible_difference_is_not_sent() {
    let (absent, lost) = (shown("bob", &[], None, None), shown("bob", &[], Some(Exit::Lost), None));
    let (here, two) = (shown("bob", &[""], None, None), shown("bob", &["", ""], None, None));
    let (says, own) = (shown("bob", &["hi", ""], None, None), shown("bob", &[""], None, Some("hi")));
    for (before, after, shows) in [
        (&absent, &here, true),
        (&here, &two, false),
        (&two, &says, true),
        (&says, &own, false),
        (&own, &lost, true),
        (&lost, &absent, true),
    ] {
        assert_eq!(Tencent.is_visible(before, after), shows, "{before:?} {after:?}");
    }
    let body = Publisher::body(&Tencent, &says);
    assert_eq!(
        Tencent.publication(&ClientAlias("bob".into()), &body).as_text(),
        Some(
            r#"{"jsonrpc":"2.0","method":"onUserStatusUpdated","params":[{"userID":"bob","statusType":1,"customStatus":"hi"}]}"#
        )
    );
}
