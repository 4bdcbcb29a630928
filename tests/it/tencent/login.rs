//! Who is let in, and what is said before that; broken envelopes; batches; the end.

use hereabouts::auth::user_sig::UserSigs;
use hereabouts::members::RosterEdit;
use hereabouts::presence::roster::RosterKind;

use super::*;

#[actix_web::test]
async fn nothing_but_a_login_and_a_heartbeat_before_the_login() {
    let world = World::start();
    let mut device = Device::connects(&world, "alice").await;
    assert_eq!(device.calls("heartbeat", json!({})).await, json!({}));
    for method in ["logout", "setSelfStatus", "unsubscribeUserStatus"] {
        assert_eq!(device.code(method, json!({})).await, 6014, "{method}");
    }
    for method in ["getUserStatus", "subscribeUserStatus"] {
        assert_eq!(device.code(method, json!({"userIDList": ["x".repeat(99)]})).await, 6014, "{method}");
    }
    let result = device.calls("login", credentials(&world, "alice")).await;
    assert_eq!(result, json!({"userID": "alice", "heartbeatTimeout": 400}));
    assert_eq!(device.code("login", credentials(&world, "alice")).await, 6017, "a second login");
    assert_eq!(device.calls("heartbeat", json!({})).await, json!({}));
}

#[actix_web::test]
async fn each_bad_user_sig_has_its_code_and_the_socket_lives() {
    let world = World::start();
    let mut device = Device::connects(&world, "alice").await;
    let alice = MemberName::new("alice").unwrap();
    let now = world.clock.time_of_day();
    let made =
        |app, secret: &str, life| UserSigs::new(app, &Secret::new(secret)).make(&alice, Duration::from_secs(life), now);
    let login = |app: u64, user: &str, user_sig: &str| json!({"SDKAppID": app, "userID": user, "userSig": user_sig});
    let good = user_sig(&world, "alice");
    for (params, code) in [
        (login(APP, "alice", &made(APP, SECRET, 0)), 70001),
        (login(APP, "alice", "x"), 70003),
        (login(APP, "alice", &made(APP, "other", 60)), 70003),
        (login(APP, "bob", &good), 70013),
        (login(APP + 1, "alice", &good), 70014),
        (login(APP, "alice", &made(APP + 1, SECRET, 60)), 70014),
        (login(APP, "", &good), 6017),
        (login(APP, &"x".repeat(33), &good), 6017),
        (json!({"userID": "alice", "userSig": good}), -32602),
    ] {
        assert_eq!(device.code("login", params.clone()).await, code, "{params}");
    }
    device.calls("login", login(APP, "alice", &good)).await;
}

#[actix_web::test]
async fn broken_envelopes_get_the_standard_codes_and_the_socket_lives() {
    let world = World::start();
    let mut device = Device::logs_in(&world, "alice").await;
    for (text, code) in
        [("{", -32700), ("{}", -32600), ("[]", -32600), (r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, -32601)]
    {
        device.person.says(text).await;
        assert_eq!(device.person.hears().await["error"]["code"], code, "{text}");
    }
    assert_eq!(device.calls("heartbeat", json!({})).await, json!({}));
}

#[actix_web::test]
async fn a_batch_is_answered_by_one_list_in_its_order() {
    let world = World::start();
    let mut device = Device::connects(&world, "alice").await;
    let call = |id: Value, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let batch = json!([
        call(json!("in"), "login", credentials(&world, "alice")),
        call(json!(2), "setSelfStatus", json!({"customStatus": "busy"})),
        {"jsonrpc": "2.0", "method": "heartbeat"},
        7,
        call(json!(3), "subscribeUserStatus", json!({"userIDList": ["bob"]})),
        call(json!(null), "getUserStatus", json!({"userIDList": ["alice"]})),
    ]);
    device.person.says(&batch.to_string()).await;
    let answers = loop {
        let frame = device.person.hears().await;
        if frame.is_array() {
            break frame;
        }
        assert!(device.keeps(&frame), "{frame}");
    };
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!("in"), &json!(2), &json!(null), &json!(3), &json!(null)], "{answers}");
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!(statuses(&answers[4]["result"]["successUserList"]), [status("alice", 1, "busy")]);
    assert_eq!(device.hears().await, status("alice", 1, "busy"));
    device.person.says(r#"[{"jsonrpc":"2.0","method":"heartbeat"}]"#).await;
    assert_eq!(device.calls("heartbeat", json!({})).await, json!({}), "a batch that wants no answer gets none");
}

#[actix_web::test]
async fn without_a_secret_there_is_no_such_socket() {
    let world = World::with(|config| config.tencent.secret_key = None);
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    assert!(client.ws(world.server.url("/im")).connect().await.is_err());
    let world = World::start();
    let (response, _) = client.ws(world.server.url("/im")).protocols(["x", "jsonrpc"]).connect().await.unwrap();
    assert_eq!(response.headers().get("sec-websocket-protocol").unwrap(), "jsonrpc");
}

#[actix_web::test]
async fn a_server_that_stops_says_so_before_it_closes() {
    let world = World::start();
    let mut alice = Device::logs_in(&world, "alice").await;
    world.components.engine.close_all(hereabouts::outbox::CloseRequest::Drain);
    let told = alice.person.hears().await;
    assert_eq!(told, json!({"jsonrpc": "2.0", "method": "onServerShutdown", "params": {"reconnect": true}}));
    assert_eq!(alice.person.hears_close().await, (1001, "server shutting down".into()));
}

#[actix_web::test]
async fn a_login_at_a_draining_server_is_told_to_come_later() {
    let world = World::start();
    let mut device = Device::connects(&world, "alice").await;
    world.components.engine.refuse_new();
    assert_eq!(device.code("login", credentials(&world, "alice")).await, -32000);
    assert_eq!(device.person.hears().await["method"], "onServerShutdown");
    assert_eq!(device.person.hears_close().await.0, 1001);
}

#[actix_web::test]
async fn a_login_that_cannot_follow_all_that_it_lists_is_none_and_ends_the_connection() {
    let world = World::with(|config| {
        (config.engine.shards, config.engine.max_users_per_shard) = (1, 10);
        config.tencent.friend_status_notification = true;
    });
    let users = &world.components.users;
    let alice = MemberName::new("alice").unwrap();
    let friends: Vec<MemberName> =
        (0..12).map(|number| MemberName::new(&format!("friend-{number}")).unwrap()).collect();
    users.members.alter(RosterKind::Friends, alice.user(), RosterEdit::Add(friends.clone())).await.unwrap();
    let mut device = Device::connects(&world, "alice").await;
    assert_eq!(device.code("login", credentials(&world, "alice")).await, -32000);
    assert_eq!(device.person.hears_close().await, (1013, "server busy".into()));
    world.until_users(0).await;
    let gone = friends.iter().map(MemberName::user).collect();
    users.members.alter(RosterKind::Friends, alice.user(), RosterEdit::Remove(gone)).await.unwrap();
    Device::logs_in(&world, "alice").await;
}

#[actix_web::test]
async fn where_there_is_no_room_for_an_account_its_connection_ends() {
    let world = World::with(|config| (config.engine.shards, config.engine.max_users_per_shard) = (1, 2));
    let (_bob, _carol) = (Device::logs_in(&world, "bob").await, Device::logs_in(&world, "carol").await);
    let mut device = Device::connects(&world, "alice").await;
    device
        .person
        .says(
            &json!({"jsonrpc": "2.0", "id": 1, "method": "login", "params": credentials(&world, "alice")}).to_string(),
        )
        .await;
    assert_eq!(device.person.hears_close().await.0, 1013);
}
