//! Commands and replies in JSON; the frames are captures of centrifuge-js 5.8.0 and centrifuge-python 0.7.0.

use super::*;
use crate::dialect::centrifugo::json::Json;

fn json() -> &'static dyn Protocol {
    Format::Json.protocol()
}

fn decode(text: &str) -> Decoded {
    json().decode(Incoming::Text(text))
}

fn line(frames: &[Frame]) -> &str {
    match frames {
        [frame] => frame.as_text().expect("a text frame"),
        other => panic!("not one text frame: {other:?}"),
    }
}

fn replied(command: &str, reply: &Reply) -> String {
    line(&json().reply(&tag(decode(command)), reply)).to_owned()
}

fn refused(command: &str) -> String {
    match decode(command) {
        Decoded::Refused(frames) => line(&frames).to_owned(),
        other => panic!("{command}: not refused: {other:?}"),
    }
}

#[test]
fn frames_of_centrifuge_js_decode() {
    let first = "{\"connect\":{\"token\":\"tok1\",\"name\":\"js\",\"version\":\"1.2.3\"},\"id\":1}\n\
                 {\"subscribe\":{\"channel\":\"status:42\",\"flag\":1},\"id\":2}";
    assert_eq!(commands(decode(first)), [connect("tok1"), subscribe("42")]);
    let rpc = r#"{"rpc":{"method":"update_user_status","data":{}},"id":3}"#;
    assert_eq!(commands(decode(rpc)), [Command::MarkActive(None)]);
    let nope = r#"{"rpc":{"method":"nope","data":{}},"id":4}"#;
    assert_eq!(refused(nope), r#"{"id":4,"error":{"code":104,"message":"method not found"}}"#);
    assert_eq!(commands(decode(r#"{"presence":{"channel":"status:42"},"id":5}"#)), [shows("42")]);
    assert_eq!(commands(decode(r#"{"presence_stats":{"channel":"status:42"},"id":6}"#)), [shows("42")]);
    assert_eq!(commands(decode(r#"{"refresh":{"token":"tok2"},"id":7}"#)), [Command::Refresh { token: "tok2".into() }]);
    assert_eq!(commands(decode(r#"{"unsubscribe":{"channel":"status:42"},"id":8}"#)), [unfollow(&["42"])]);
    assert_eq!(decode("{}"), Decoded::Pong);
}

#[test]
fn frames_of_centrifuge_python_decode() {
    assert_eq!(commands(decode(r#"{"id": 1, "connect": {"token": "t", "name": "python"}}"#)), [connect("t")]);
    let rpc = r#"{"id": 2, "rpc": {"method": "update_user_status", "data": {}}}"#;
    assert_eq!(commands(decode(rpc)), [Command::MarkActive(None)]);
}

#[test]
fn replies_are_encoded_as_clients_expect_them() {
    let connect = CommandReply::Connect { client: "c-1".into(), version: "0.1 fake", ttl: Some(3), ping: Some(2) };
    let cases = [
        (
            1,
            connect,
            r#"{"id":1,"connect":{"client":"c-1","version":"0.1 fake","expires":true,"ttl":3,"ping":2,"pong":true}}"#,
        ),
        (3, CommandReply::Rpc, r#"{"id":3,"rpc":{}}"#),
        (4, CommandReply::Error(Code::MethodNotFound), r#"{"id":4,"error":{"code":104,"message":"method not found"}}"#),
        (
            5,
            CommandReply::Presence(vec![PresenceEntry { user: "42".into(), client: "c-1".into(), conn_info: None }]),
            r#"{"id":5,"presence":{"presence":{"c-1":{"user":"42","client":"c-1"}}}}"#,
        ),
        (5, CommandReply::Presence(vec![]), r#"{"id":5,"presence":{"presence":{}}}"#),
        (
            6,
            CommandReply::PresenceStats { clients: 1, users: 1 },
            r#"{"id":6,"presence_stats":{"num_clients":1,"num_users":1}}"#,
        ),
        (
            6,
            CommandReply::PresenceStats { clients: 0, users: 0 },
            r#"{"id":6,"presence_stats":{"num_clients":0,"num_users":0}}"#,
        ),
        (7, CommandReply::Refresh { ttl: Some(3) }, r#"{"id":7,"refresh":{"expires":true,"ttl":3}}"#),
        (7, CommandReply::Refresh { ttl: None }, r#"{"id":7,"refresh":{}}"#),
        (4, CommandReply::Unsubscribe, r#"{"id":4,"unsubscribe":{}}"#),
        (2, CommandReply::Subscribe { data: r#"{"a":1}"#.into() }, r#"{"id":2,"subscribe":{"data":{"a":1}}}"#),
        (
            9,
            CommandReply::Error(Code::Internal),
            r#"{"id":9,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
        ),
    ];
    for (id, answer, expected) in cases {
        assert_eq!(line(&[Json::reply(id, &answer)]), expected);
    }
    assert_eq!(json().ping(), Some(Frame::text("{}")));
    let push = Json::publication("status:42", r#"{"user":"42","online":1,"active":2}"#);
    assert_eq!(line(&[push]), r#"{"push":{"channel":"status:42","pub":{"data":{"user":"42","online":1,"active":2}}}}"#);
}

#[test]
fn each_command_gets_the_reply_of_its_name() {
    let welcome = |ttl: Option<u64>, ping: Option<u64>| {
        let [ttl, ping] = [ttl, ping].map(|seconds| seconds.map(Duration::from_secs));
        Reply::Connected(Welcome { connection: connection(), ttl, ping })
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        replied(r#"{"id":1,"connect":{}}"#, &welcome(None, None)),
        format!(r#"{{"id":1,"connect":{{"client":"{CLIENT}","version":"hereabouts {version}"}}}}"#)
    );
    assert!(replied(r#"{"id":1,"connect":{}}"#, &welcome(Some(0), Some(25))).contains(r#""expires":true,"ttl":1,"#));
    let visible = |info: Option<&str>| {
        Reply::Connections(vec![VisibleConnection { connection: connection(), info: info.map(Into::into) }])
    };
    assert_eq!(
        replied(r#"{"id":5,"presence":{"channel":"status:42"}}"#, &visible(Some(r#"{"name":"Bob"}"#))),
        format!(
            r#"{{"id":5,"presence":{{"presence":{{"{CLIENT}":{{"user":"42","client":"{CLIENT}","conn_info":{{"name":"Bob"}}}}}}}}}}"#
        )
    );
    let stats = r#"{"id":6,"presence_stats":{"channel":"status:42"}}"#;
    assert_eq!(replied(stats, &visible(None)), r#"{"id":6,"presence_stats":{"num_clients":1,"num_users":1}}"#);
    assert_eq!(
        replied(stats, &Reply::Connections(vec![])),
        r#"{"id":6,"presence_stats":{"num_clients":0,"num_users":0}}"#
    );
    let many = |count, info: &str| {
        let one = VisibleConnection { connection: connection(), info: Some(info.into()) };
        Reply::Connections(vec![one; count])
    };
    let presence = r#"{"id":5,"presence":{"channel":"status:42"}}"#;
    let limit_exceeded = r#"{"id":5,"error":{"code":106,"message":"limit exceeded"}}"#;
    assert!(replied(presence, &many(500, r#"{"name":"Bob"}"#)).contains(r#""presence":{"presence":{"#));
    assert_eq!(replied(presence, &many(600, r#"{"name":"Bob"}"#)), limit_exceeded);
    assert_eq!(replied(presence, &many(10, &format!("\"{}\"", "x".repeat(7000)))), limit_exceeded, "large infos");
    assert_eq!(
        replied(stats, &many(10_000, "{}")),
        r#"{"id":6,"presence_stats":{"num_clients":10000,"num_users":1}}"#,
        "a count is small"
    );
    let rpc = r#"{"id":3,"rpc":{"method":"update_user_status"}}"#;
    assert_eq!(replied(rpc, &Reply::Done), r#"{"id":3,"rpc":{}}"#);
    assert_eq!(
        replied(r#"{"id":4,"unsubscribe":{"channel":"other:1"}}"#, &Reply::Done),
        r#"{"id":4,"unsubscribe":{}}"#
    );
}

#[test]
fn refusals_are_errors_of_the_request() {
    let expected = [
        r#"{"code":100,"message":"internal server error","temporary":true}"#,
        r#"{"code":103,"message":"permission denied"}"#,
        r#"{"code":105,"message":"already subscribed"}"#,
        r#"{"code":106,"message":"limit exceeded"}"#,
        r#"{"code":107,"message":"bad request"}"#,
        r#"{"code":108,"message":"not available"}"#,
        r#"{"code":109,"message":"token expired"}"#,
        r#"{"code":111,"message":"too many requests","temporary":true}"#,
    ];
    for ((name, reply), error) in replies().into_iter().zip(expected) {
        let answer = replied(r#"{"id":4294967295,"subscribe":{"channel":"status:42"}}"#, &reply);
        assert_eq!(answer, format!(r#"{{"id":4294967295,"{name}":{error}}}"#));
    }
}

#[test]
fn a_subscription_and_its_publications_contain_the_presence() {
    let tag = tag(decode(r#"{"id":2,"subscribe":{"channel":"status:4\"2"}}"#));
    let reply = json().follow_reply(&tag, &[snapshot(&["dnd", ""])]);
    let shown = r#"{"user":"4\"2","online":true,"statuses":["dnd",""],"active":1627107289,"state":"dnd"}"#;
    assert_eq!(line(&reply), format!(r#"{{"id":2,"subscribe":{{"data":{shown}}}}}"#));
    let publisher = json().publisher().unwrap();
    let push = publisher.publication(&ClientAlias("status:4\"2".into()), &publisher.body(&snapshot(&["dnd", ""])));
    assert_eq!(line(&[push]), format!(r#"{{"push":{{"channel":"status:4\"2","pub":{{"data":{shown}}}}}}}"#));
    let absent = r#"{"user":"4\"2","online":false,"statuses":[]}"#;
    assert_eq!(line(&json().follow_reply(&tag, &[])), format!(r#"{{"id":2,"subscribe":{{"data":{absent}}}}}"#));
}

#[test]
fn order_white_space_and_unknown_fields_do_not_matter() {
    let cases = [
        (r#" { "surprise" : [ { } ] , "id" : 1 , "connect" : { "x" : 1 } } "#, connect("")),
        ("{\"id\":1,\n\"connect\":{\"token\":\"t\"}}\n", connect("t")),
        (r#"{"id":1,"connect":{"token":null},"subscribe":null}"#, connect("")),
        (r#"{"id":1,"subscribe":{"channel":"status:1"},"connect":{"token":"t"}}"#, connect("t")),
        (r#"{"id":1,"rpc":{"method":"update_user_status"}}"#, Command::MarkActive(None)),
        (r#"{"id":1,"rpc":{"method":"update_user_status","data":null}}"#, Command::MarkActive(None)),
        (r#"{"id":1,"rpc":{"method":"update_user_status","data":{"state":null}}}"#, Command::MarkActive(None)),
        (
            r#"{"id":1,"rpc":{"method":"update_user_status","data":{"state":"dnd","x":1}}}"#,
            Command::MarkActive(Some(text("dnd"))),
        ),
        (r#"{"id":1,"rpc":{"method":"update_user_status","data":{"state":""}}}"#, Command::MarkActive(Some(text("")))),
        (r#"{"send":{"data":{}}}"#, Command::Nothing),
        (r#"{"id":9,"send":{"data":{}}}"#, Command::Nothing),
        (r#"{"id":1,"unsubscribe":{"channel":"other"}}"#, unfollow(&[])),
        (r#"{"id":1,"subscribe":{"channel":"status:J\u00fcrgen"}}"#, subscribe("Jürgen")),
        (r#"{"id":1,"subscribe":{"channel":"status:a:b#c"}}"#, subscribe("a:b#c")),
    ];
    for (message, command) in cases {
        assert_eq!(commands(decode(message)), [command], "{message}");
    }
    assert_eq!(commands(json().decode(Incoming::Binary(br#"{"id":1,"connect":{}}"#))), [connect("")]);
}
