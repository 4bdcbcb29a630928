//! Failures of Redis: no valid record is lost, no node shows a wrong one, and everything converges without intervention.

use std::time::Duration;

use hereabouts::cluster::{BackplaneError, CallWindow, NodeHealth};
use hereabouts::presence::general_status::Exit;
use hereabouts::presence::id::UserId;
use hereabouts::presence::remote::RemoteConnection;

use super::proxy::Proxy;
use super::server::RedisServer;
use super::world::{Node, config_with, eventually, hasty_config, start_node};

/// A request with a write.
const WINDOW: CallWindow = CallWindow { name: "query", limit: 9, span: Duration::from_secs(60) };

/// Two nodes with users of their own. Each watches all users.
pub struct Town {
    pub one: Node,
    pub two: Node,
    pub users: Vec<UserId>,
}

impl Town {
    pub async fn new(redis: &str) -> Self {
        let config = hasty_config(redis);
        let (one, _) = start_node(&config, "one").await.unwrap();
        let (two, _) = start_node(&config, "two").await.unwrap();
        let town = Self { one, two, users: (0..60).map(|_| UserId::random()).collect() };
        for &user in &town.users {
            town.one.backplane.watch(user);
            town.two.backplane.watch(user);
        }
        town.changes("first").await;
        town
    }

    /// Changes every user on both nodes and waits until both nodes see it.
    pub async fn changes(&self, text: &str) {
        self.announces(text);
        self.sees(text).await;
    }

    pub fn announces(&self, text: &str) {
        for &user in &self.users {
            self.one.announces(user, &[&format!("{text} on one")]);
            self.two.announces(user, &[&format!("{text} on two")]);
        }
    }

    pub async fn sees(&self, text: &str) {
        for &user in &self.users {
            self.one.sees(user, &[&format!("{text} on two")]).await;
            self.two.sees(user, &[&format!("{text} on one")]).await;
        }
    }

    pub async fn are(&self, health: NodeHealth) {
        let both = || self.one.backplane.health() == health && self.two.backplane.health() == health;
        eventually(&format!("both are {health:?}"), both).await;
    }

    /// Returns whether both nodes are in their first incarnation.
    pub fn is_unbroken(&self) -> bool {
        [&self.one, &self.two].iter().all(|node| node.metrics.cluster().incarnations.get() == 1)
    }
}

#[tokio::test]
async fn a_restart_with_data_is_a_pause() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let town = Town::new(&server.url()).await;
    server.kill();
    town.are(NodeHealth::Isolated).await;
    let gone = town.users[0];
    town.announces("meanwhile");
    town.one.backplane.withdraw(gone, Exit::LoggedOut);
    let call = town.one.backplane.take_call(gone, WINDOW).await;
    assert!(
        matches!(call, Err(BackplaneError::Unavailable(_))),
        "a call was taken while nothing can count it: {call:?}"
    );
    assert_eq!(town.two.shows(town.users[1]).unwrap(), ["first on one"], "the known state stays");
    server.start_again();
    town.are(NodeHealth::Joined).await;
    town.two.sees(gone, &[]).await;
    town.one.announces(gone, &["meanwhile on one"]);
    town.sees("meanwhile").await;
    town.changes("afterwards").await;
}

#[tokio::test]
async fn after_a_restart_without_data_every_user_is_back() {
    let mut server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    server.kill();
    town.are(NodeHealth::Isolated).await;
    server.start_again();
    town.are(NodeHealth::Joined).await;
    town.changes("afterwards").await;
    assert!(!town.is_unbroken(), "an emptied redis knows no lease");
}

#[tokio::test]
async fn a_flush_is_noticed_and_repaired() {
    let server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    let () = server.command(&["FLUSHALL"]);
    eventually("another life", || !town.is_unbroken()).await;
    let known = || -> usize { server.command::<Vec<String>>(&["KEYS", "*:u:*"]).len() };
    eventually("everybody is there again", || known() == town.users.len()).await;
    town.sees("first").await;
    town.changes("afterwards").await;
}

#[tokio::test]
async fn records_that_redis_lost_by_going_back_a_moment_are_restored() {
    let mut server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    let () = server.command(&["SAVE"]);
    let (goes, comes, changes) = (town.users[0], UserId::random(), town.users[1]);
    town.one.backplane.watch(comes);
    town.two.backplane.watch(comes);
    town.one.backplane.withdraw(goes, Exit::LoggedOut);
    town.one.announces(comes, &["came"]);
    town.one.announces(changes, &["changed"]);
    let all_seen = async || {
        town.two.sees(goes, &[]).await;
        town.two.sees(comes, &["came"]).await;
        town.two.sees(changes, &["changed"]).await;
    };
    all_seen().await;
    town.one.backplane.unwatch(goes);
    let resyncs = town.two.metrics.cluster().resyncs.get();
    server.kill();
    server.start_again();
    eventually("its other past is noticed", || town.two.metrics.cluster().resyncs.get() >= resyncs + 3).await;
    // Not only after ten minutes, when every record is written again in any case.
    let soon = Duration::from_secs(20);
    tokio::time::timeout(soon, all_seen()).await.unwrap();
    // Lingering records have ended by then.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(town.two.shows(comes).unwrap(), ["came"], "a user who is connected is gone");
    tokio::time::timeout(soon, all_seen()).await.unwrap();
    assert!(town.is_unbroken());
}

#[tokio::test]
async fn a_dead_node_is_swept_again_when_a_redis_forgets_the_sweep() {
    let server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    let (three, _) = start_node(&hasty_config(&server.url()), "three").await.unwrap();
    let user = UserId::random();
    town.two.backplane.watch(user);
    three.announces(user, &["ghost"]);
    town.two.sees(user, &["ghost"]).await;
    let life: String = server.command(&["HGET", "hereabouts:{n}:names", "three"]);
    let index = server.command::<Vec<String>>(&["KEYS", &format!("*:x:{life}")]).remove(0);
    let record = server.command::<Vec<String>>(&["KEYS", &format!("*:u:{}", user.uuid().simple())]).remove(0);
    let of_bucket = |name: &str| index.replace(&format!("x:{life}"), name);
    let kept = [index.clone(), record.clone()].map(|key| server.command::<Vec<u8>>(&["DUMP", &key]));
    drop(three);
    town.two.sees(user, &[]).await;
    for (key, kept) in [&index, &record].into_iter().zip(&kept) {
        let () = server.command(&[&b"RESTORE"[..], key.as_bytes(), b"0", kept, b"REPLACE"]);
    }
    let _: i64 = server.command(&["SADD", &of_bucket("i"), &life]);
    let is_gone = || !server.command::<bool>(&["HEXISTS", &record, &format!("n:{life}")]);
    assert!(!is_gone());
    tokio::time::timeout(Duration::from_secs(20), eventually("it is swept again", is_gone)).await.unwrap();
}

#[tokio::test]
async fn a_node_that_dies_after_another_has_left_is_swept_at_once() {
    let server = RedisServer::start();
    let Town { one, two, users } = Town::new(&server.url()).await;
    let (three, _) = start_node(&hasty_config(&server.url()), "three").await.unwrap();
    users.iter().for_each(|&user| three.backplane.watch(user));
    users.iter().for_each(|&user| one.backplane.withdraw(user, Exit::LoggedOut));
    one.backplane.close(Duration::from_secs(60)).await.unwrap();
    drop(one);
    for &user in &users {
        three.sees(user, &["first on two"]).await;
    }
    drop(two);
    let all_leave = async {
        for &user in &users {
            three.sees(user, &[]).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), all_leave).await.unwrap();
}

#[tokio::test]
async fn a_stall_longer_than_a_lease_ends_no_node() {
    let server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    server.signal("-STOP");
    town.announces("meanwhile");
    town.are(NodeHealth::Isolated).await;
    server.signal("-CONT");
    town.are(NodeHealth::Joined).await;
    town.sees("meanwhile").await;
    town.changes("afterwards").await;
    assert!(town.is_unbroken(), "a stall of redis ended an incarnation");
}

#[tokio::test]
async fn a_stall_of_five_seconds_with_usual_leases_is_not_noticed_by_clients() {
    let server = RedisServer::start();
    let config = config_with(&[("REDIS", &server.url())]);
    let (one, _) = start_node(&config, "one").await.unwrap();
    let (two, _) = start_node(&config, "two").await.unwrap();
    let alice = UserId::random();
    two.backplane.watch(alice);
    one.announces(alice, &["before"]);
    two.sees(alice, &["before"]).await;
    server.signal("-STOP");
    let stalled = tokio::time::sleep(Duration::from_secs(5));
    eventually("degraded", || one.backplane.health() == NodeHealth::Degraded).await;
    // Some of these time out, and reach the waking redis in no certain order.
    for number in 0..20 {
        one.announces(alice, &[&format!("{number}")]);
        tokio::task::yield_now().await;
    }
    one.announces(alice, &["last"]);
    stalled.await;
    server.signal("-CONT");
    two.sees(alice, &["last"]).await;
    eventually("joined", || one.backplane.health() == NodeHealth::Joined).await;
    assert_eq!(one.metrics.cluster().incarnations.get(), 1);
}

#[tokio::test]
async fn lost_connections_are_opened_again() {
    let server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    for round in 0..3 {
        for kind in ["pubsub", "normal"] {
            let _killed: i64 = server.command(&["CLIENT", "KILL", "TYPE", kind]);
            town.changes(&format!("{kind} {round}")).await;
        }
    }
    assert!(town.is_unbroken());
}

#[tokio::test]
async fn a_silent_subscription_is_detected_by_its_missing_ticks() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port);
    let town = Town::new(&format!("redis://127.0.0.1:{}", proxy.port)).await;
    proxy.silence();
    town.announces("unheard");
    eventually("silence is noticed", || town.two.metrics.cluster().resubscribed.get() > 0).await;
    town.sees("unheard").await;
    town.changes("afterwards").await;
}

#[tokio::test]
async fn lost_messages_are_recovered_from_the_log_or_by_a_resync() {
    let server = RedisServer::start();
    let config = config_with(&[("REDIS", &server.url()), ("LOG_LENGTH", "10"), ("BUCKETS", "16")]);
    let (one, _) = start_node(&config, "one").await.unwrap();
    let (two, _) = start_node(&config, "two").await.unwrap();
    let users: Vec<UserId> = (0..400).map(|_| UserId::random()).collect();
    users.iter().for_each(|&user| two.backplane.watch(user));
    one.announces(users[0], &["ready"]);
    two.sees(users[0], &["ready"]).await;
    let resyncs = two.metrics.cluster().resyncs.get();
    for round in 0..6 {
        for &user in &users {
            one.announces(user, &[&format!("round {round}")]);
        }
        let _killed: i64 = server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
    for &user in &users {
        two.sees(user, &["round 5"]).await;
    }
    let metrics = two.metrics.cluster();
    assert!(metrics.caught_up.get() + metrics.resyncs.get() > resyncs, "nothing was lost");
}

#[tokio::test]
async fn a_node_that_was_declared_dead_continues_under_a_new_incarnation() {
    let server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    let lives: Vec<(String, String)> = {
        let entries: Vec<String> = server.command(&["HGETALL", "hereabouts:{n}:names"]);
        entries.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    };
    let life = &lives.iter().find(|(name, _)| name == "one").unwrap().1;
    let (seconds, _): (u64, u64) = server.command(&["TIME"]);
    let _: i64 = server.command(&["ZREM", "hereabouts:{n}:lease", life]);
    let _: i64 = server.command(&["ZADD", "hereabouts:{n}:dead", &(seconds * 1000).to_string(), life]);
    eventually("another life", || town.one.metrics.cluster().incarnations.get() == 2).await;
    let left = || -> bool { server.command::<Vec<String>>(&["KEYS", &format!("*:x:{life}")]).is_empty() };
    eventually("the old life is swept", left).await;
    town.sees("first").await;
    // A listener that was told of a lost connection is told that it is there: each connection has one end per beginning.
    let pairs = |node: &Node, which: fn(&Node) -> Vec<(UserId, RemoteConnection)>| -> Vec<UserId> {
        let mut users: Vec<UserId> = which(node).into_iter().map(|(user, _)| user).collect();
        users.sort();
        users
    };
    let all_told = || [&town.one, &town.two].iter().map(|node| node.lost().len()).sum::<usize>();
    eventually("as many returned as were lost", || town.one.returned().len() == all_told()).await;
    let mut lost = [pairs(&town.one, Node::lost), pairs(&town.two, Node::lost)].concat();
    lost.sort();
    assert_eq!(pairs(&town.one, Node::returned), lost);
    town.changes("afterwards").await;
}

#[tokio::test]
async fn a_changed_password_is_only_an_outage() {
    let server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    let mut connection = server.connection();
    let mut command = |words: &[&str]| {
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        let _answer: redis::Value = command.query(&mut connection).unwrap();
    };
    command(&["CONFIG", "SET", "requirepass", "changed"]);
    command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    town.announces("meanwhile");
    town.are(NodeHealth::Isolated).await;
    command(&["CONFIG", "SET", "requirepass", ""]);
    town.are(NodeHealth::Joined).await;
    town.sees("meanwhile").await;
}

#[tokio::test]
async fn a_full_redis_refuses_writes_until_it_has_room() {
    let server = RedisServer::with(&["--maxmemory-policy", "noeviction"]);
    let town = Town::new(&server.url()).await;
    let () = server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    town.announces("meanwhile");
    let call = town.one.backplane.take_call(town.users[0], WINDOW).await;
    assert!(matches!(call, Err(BackplaneError::Full(_))), "{call:?}");
    eventually("writes wait", || town.one.metrics.cluster().waiting.get() > 0).await;
    let () = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    town.are(NodeHealth::Joined).await;
    town.sees("meanwhile").await;
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let town = Town::new(&server.url()).await;
    let () = server.command(&["SCRIPT", "FLUSH"]);
    town.changes("afterwards").await;
}

#[tokio::test]
async fn of_two_redis_one_may_be_away() {
    let (mut first, second) = (RedisServer::start(), RedisServer::start());
    let town = Town::new(&format!("{} {}", first.url(), second.url())).await;
    let keys: Vec<String> = second.command(&["KEYS", "*:u:*"]);
    assert!(!keys.is_empty() && keys.len() < town.users.len(), "{} of {}", keys.len(), town.users.len());
    let on_second = |user: &&UserId| keys.iter().any(|key| key.ends_with(&user.uuid().simple().to_string()));
    first.kill();
    town.are(NodeHealth::Isolated).await;
    town.announces("meanwhile");
    for &user in town.users.iter().filter(on_second) {
        town.two.sees(user, &["meanwhile on one"]).await;
    }
    first.start_again();
    town.sees("meanwhile").await;
}
