//! The stores of several nodes on the same Redis. The contract suites of `src/store` test one store alone.

mod names;
mod trouble;

use std::collections::BTreeSet;
use std::time::Duration;

use hereabouts::clock::Clock;
use hereabouts::cluster::message::activity_message;
use hereabouts::config::Config;
use hereabouts::metrics::Metrics;
use hereabouts::presence::general_status::Exit;
use hereabouts::presence::id::{UserId, Username};
use hereabouts::presence::last_seen::{Activity, LastSeen};
use hereabouts::presence::member_name::MemberName;
use hereabouts::presence::member_record::{LoginState, NodeContext, RelationChange};
use hereabouts::presence::quota::Quota;
use hereabouts::presence::roster::RosterKind;
use hereabouts::presence::time::Timestamp;
use hereabouts::redis::error::StartError;
use hereabouts::store::StoreError;
use hereabouts::store::accounts::AccountStore;
use hereabouts::store::accounts::{Account, LoginKey, ProfileChange};
use hereabouts::store::last_seen::LastSeenStore;
use hereabouts::store::redis::RedisStores;
use hereabouts::store::relations::{RelationStore, RosterChange};

use super::grid::RedisCluster;
use super::server::RedisServer;
use super::world::{config, hasty_config};

/// Time after which last-seen records expire.
const EXPIRE: Duration = Duration::from_secs(3600);

const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Opens the stores of one node.
fn open(config: &Config) -> Result<RedisStores, StartError> {
    RedisStores::open(&config.cluster, EXPIRE, &Clock::system(), &Metrics::new(), activity_message)
}

/// Opens the stores of two nodes.
fn two_nodes(redis: &str) -> [RedisStores; 2] {
    two_nodes_of(&config(redis))
}

fn two_nodes_of(config: &Config) -> [RedisStores; 2] {
    [open(config).unwrap(), open(config).unwrap()]
}

/// Starts two Redis with the users spread over them.
fn two_shards() -> ([RedisServer; 2], String) {
    let servers = [RedisServer::start(), RedisServer::start()];
    let urls = format!("{} {}", servers[0].url(), servers[1].url());
    (servers, urls)
}

fn name(text: &str) -> Username {
    Username::new(text).unwrap()
}

fn account(username: &str, device: &str) -> Account {
    let now = Timestamp::from_secs(1_795_220_273);
    Account::new(name(username), LoginKey::Device(device.into()), None, now)
}

fn rename(to: &str) -> ProfileChange {
    ProfileChange { username: Some(name(to)), ..ProfileChange::default() }
}

fn subscribe(to: &str) -> RelationChange {
    RelationChange::Subscribe { names: vec![MemberName::new(to).unwrap()], limit: 1000 }
}

fn add(user: &str) -> RosterChange {
    RosterChange::Add(vec![MemberName::new(user).unwrap()], Quota::new(1000))
}

fn today() -> Timestamp {
    Clock::system().time_of_day()
}

/// Waits until everything noted so far is in Redis.
async fn settle(last_seen: &impl LastSeenStore) -> Result<(), StoreError> {
    last_seen.forget(vec![UserId::from_name("nobody")]).await
}

#[tokio::test]
async fn of_concurrent_changes_by_two_nodes_none_is_lost() {
    let (_servers, urls) = two_shards();
    let [one, two] = two_nodes(&urls);
    let alice = UserId::from_name("alice");
    let changes = async |node: &RedisStores, label: &str| {
        let names: Vec<String> = (0..150).map(|number| format!("{label}-{number}")).collect();
        let subscribed: Vec<_> =
            names.iter().map(|name| node.relations.change_member(alice, subscribe(name))).collect();
        let added: Vec<_> =
            names.iter().map(|name| node.relations.change_roster(RosterKind::Friends, alice, add(name))).collect();
        for (subscribed, added) in subscribed.into_iter().zip(added) {
            subscribed.await.unwrap();
            added.await.unwrap().unwrap();
        }
    };
    tokio::join!(changes(&one, "one"), changes(&two, "two"));
    let member =
        one.relations.change_member(alice, RelationChange::Unsubscribe(Some(Vec::new()))).await.unwrap().member;
    assert_eq!((member.subscriptions.as_slice().len(), member.revision), (300, 301), "one revision per change");
    let of = |label: &str| -> Vec<&str> {
        let names = member.subscriptions.as_slice().iter().map(|one| one.name.as_str());
        names.filter(|name| name.starts_with(label)).collect()
    };
    let expected: Vec<String> = (0..150).map(|number| format!("one-{number}")).collect();
    assert_eq!(of("one"), expected, "those of one node are in the order of its calls");
    let roster = two.relations.roster(RosterKind::Friends, alice).await.unwrap();
    assert_eq!(roster.names().len(), 300);
    assert_eq!(two.relations.rosters(RosterKind::Friends).unwrap(), [(alice, roster)]);
    assert_eq!(two.relations.rosters(RosterKind::Blocked).unwrap(), []);
}

#[tokio::test]
async fn a_quota_holds_over_two_nodes() {
    let server = RedisServer::start();
    let [one, two] = two_nodes(&server.url());
    let alice = UserId::from_name("alice");
    let fill = async |node: &RedisStores, label: &str| {
        let add =
            |number| RosterChange::Add(vec![MemberName::new(&format!("{label}-{number}")).unwrap()], Quota::new(50));
        let added: Vec<_> =
            (0..50).map(|number| node.relations.change_roster(RosterKind::Blocked, alice, add(number))).collect();
        let mut count = 0;
        for added in added {
            count += usize::from(added.await.unwrap().is_ok());
        }
        count
    };
    let (first, second) = tokio::join!(fill(&one, "one"), fill(&two, "two"));
    assert_eq!(first + second, 50, "{first} and {second}");
    assert_eq!(one.relations.roster(RosterKind::Blocked, alice).await.unwrap().names().len(), 50);
}

#[tokio::test]
async fn a_login_at_one_node_is_visible_at_the_other() {
    let server = RedisServer::start();
    let [one, two] = two_nodes(&server.url());
    let [alice, bob] = ["alice", "bob"].map(UserId::from_name);
    let first = one
        .relations
        .change_member(
            alice,
            RelationChange::LogIn {
                now: today(),
                lifetime: LIFETIME,
                node_context: NodeContext::default(),
                last_seen: Timestamp::default(),
            },
        )
        .await
        .unwrap();
    assert_eq!(two.relations.login_states(vec![bob, alice]).await.unwrap(), [LoginState::Never, LoginState::In]);
    two.relations
        .change_member(
            alice,
            RelationChange::LogIn {
                now: today(),
                lifetime: LIFETIME,
                node_context: NodeContext::default(),
                last_seen: Timestamp::default(),
            },
        )
        .await
        .unwrap();
    let (exit, delivered, login) = (Exit::Lost, Vec::new(), first.member.logins);
    one.relations
        .change_member(
            alice,
            RelationChange::LeaveNode { exit, delivered, login, now: today(), node_context: NodeContext::default() },
        )
        .await
        .unwrap();
    assert_eq!(
        two.relations.login_states(vec![alice]).await.unwrap(),
        [LoginState::In],
        "the user has logged in again on another node"
    );
    let third = open(&config(&server.url())).unwrap();
    assert_eq!(
        third.relations.login_states(vec![alice]).await.unwrap(),
        [LoginState::In],
        "an additional node interrupts no login"
    );
}

#[tokio::test]
async fn activities_of_two_nodes_are_merged_and_redis_forgets_them_in_time() {
    let (servers, urls) = two_shards();
    let [one, two] = two_nodes(&urls);
    let users: Vec<UserId> = (0..1000).map(|_| UserId::random()).collect();
    let at = |ago: u64| Timestamp::from_secs(today().as_secs() - ago);
    let (early, late) = (at(60), at(30));
    one.last_seen.note(&mut users.iter().map(|&user| (user, Activity::active(late, None)))).unwrap();
    two.last_seen.note(&mut users.iter().map(|&user| (user, Activity::online(early)))).unwrap();
    settle(&one.last_seen).await.unwrap();
    settle(&two.last_seen).await.unwrap();
    two.last_seen.note(&mut users.iter().map(|&user| (user, Activity::active(early, None)))).unwrap();
    settle(&two.last_seen).await.unwrap();
    let expected = LastSeen { active: late, online: early, state: None };
    assert!(one.last_seen.read(users.clone()).await.unwrap().iter().all(|record| *record == expected));
    let mut keys = 0;
    for server in &servers {
        let names: Vec<String> = server.command(&["KEYS", "*:t:*"]);
        keys += names.len();
        let ttl: u64 = server.command(&["TTL", &names[0]]);
        assert!((EXPIRE.as_secs() - 60..=EXPIRE.as_secs()).contains(&ttl), "{ttl}");
    }
    assert_eq!(keys, users.len());
}

#[tokio::test]
async fn a_second_of_activities_is_one_command_per_bucket() {
    let server = RedisServer::start();
    let node = open(&config(&server.url())).unwrap();
    settle(&node.last_seen).await.unwrap();
    let calls = || -> u64 {
        let stats: String = server.command(&["INFO", "commandstats"]);
        let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
        line.split(['=', ',']).nth(1).unwrap().parse().unwrap()
    };
    let before = calls();
    let crowd: Vec<UserId> = (0..5000).map(|_| UserId::random()).collect();
    for _ in 0..3 {
        node.last_seen.note(&mut crowd.iter().map(|&user| (user, Activity::online(today())))).unwrap();
    }
    settle(&node.last_seen).await.unwrap();
    // The buckets, and "nobody" to wait for them; a write that began in between has some of them twice.
    let buckets = u64::from(config(&server.url()).cluster.buckets.get());
    assert!((buckets..=2 * buckets + 2).contains(&(calls() - before)), "{} for {buckets}", calls() - before);
}

#[tokio::test]
async fn everything_is_found_in_a_redis_cluster_with_moving_slots() {
    let cluster = RedisCluster::start(3, 0);
    let [one, two] = two_nodes(&cluster.url());
    let accounts: Vec<Account> =
        (0..60).map(|number| account(&format!("user-{number}"), &format!("device-{number:06}"))).collect();
    for account in &accounts {
        one.accounts.create(account.clone()).await.unwrap();
        one.relations.change_roster(RosterKind::Blocked, account.id, add("mallory")).await.unwrap().unwrap();
        one.relations.change_member(account.id, subscribe("bob")).await.unwrap();
    }
    one.last_seen.note(&mut accounts.iter().map(|account| (account.id, Activity::online(today())))).unwrap();
    settle(&one.last_seen).await.unwrap();
    let is_whole = async || {
        let usernames = accounts.iter().map(|account| account.username.clone()).collect();
        let ids: Vec<UserId> = accounts.iter().map(|account| account.id).collect();
        assert_eq!(two.accounts.user_ids(usernames).await.unwrap(), ids);
        for account in &accounts {
            let found = two.accounts.find(account.login_keys().remove(0)).await.unwrap();
            assert_eq!(found.as_ref(), Some(account));
        }
        let mut owners: Vec<UserId> =
            two.relations.rosters(RosterKind::Blocked).unwrap().into_iter().map(|(owner, _)| owner).collect();
        owners.sort();
        let mut expected = ids.clone();
        expected.sort();
        assert_eq!(owners, expected);
        assert!(two.last_seen.read(ids).await.unwrap().iter().all(|record| record.online > Timestamp::default()));
    };
    is_whole().await;
    let keys: Vec<String> = cluster.servers[0].command(&["KEYS", "*:s:*"]);
    assert!(keys.len() > 5, "{keys:?}");
    let slot = |key: &String| cluster.servers[0].command::<u16>(&["CLUSTER", "KEYSLOT", key]);
    let slots: BTreeSet<u16> = keys.iter().map(slot).collect();
    let moves = slots.len();
    for (number, slot) in slots.into_iter().enumerate() {
        cluster.begin_migration(slot, 0, 1);
        let _unloaded: String = cluster.servers[1].command(&["SCRIPT", "FLUSH"]);
        is_whole().await;
        for account in &accounts {
            one.relations.change_member(account.id, subscribe(&format!("moved-{number}"))).await.unwrap();
        }
        cluster.end_migration(slot, 0, 1);
        one.accounts.create(account(&format!("late-{number}"), &format!("device-late-{number}"))).await.unwrap();
    }
    is_whole().await;
    let taken = two.accounts.create(account("user-7", "device-new")).await;
    assert_eq!(taken, Err(StoreError::UsernameTaken));
    for account in &accounts {
        let member = two.relations.change_member(account.id, subscribe("carol")).await.unwrap().member;
        assert_eq!(member.subscriptions.as_slice().len(), 2 + moves);
        two.relations
            .change_roster(RosterKind::Blocked, account.id, RosterChange::Remove(vec![UserId::from_name("mallory")]))
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(one.relations.rosters(RosterKind::Blocked).unwrap(), []);
}
