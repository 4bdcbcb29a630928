//! What the operations of the stores cost Redis. Their GET and HMGET are not counted as commands, because scripts use them
//! too: one for each item that is read or changed, two for an account by its login.

use std::time::Duration;

use comfy_table::Table;
use futures_util::future::join_all;
use hereabouts::clock::Clock;
use hereabouts::cluster::message::activity_message;
use hereabouts::config::{Overrides, load};
use hereabouts::metrics::Metrics;
use hereabouts::presence::general_status::Exit;
use hereabouts::presence::id::{UserId, Username};
use hereabouts::presence::last_seen::Activity;
use hereabouts::presence::member_name::MemberName;
use hereabouts::presence::member_record::{NodeContext, RelationChange};
use hereabouts::presence::quota::Quota;
use hereabouts::presence::roster::RosterKind;
use hereabouts::presence::time::Timestamp;
use hereabouts::store::accounts::AccountStore;
use hereabouts::store::accounts::{Account, LoginKey};
use hereabouts::store::last_seen::LastSeenStore;
use hereabouts::store::redis::RedisStores;
use hereabouts::store::relations::{RelationStore, RosterChange};

use super::measure;
use super::server::Server;

/// Number of accounts. Their users are members too.
const ACCOUNTS: usize = 5000;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn login(number: usize) -> LoginKey {
    LoginKey::Device(format!("device-{number:08}"))
}

/// Measures every operation and adds its row.
pub async fn measure_all(table: &mut Table, server: &Server) {
    let environment = [("HEREABOUTS_CLUSTER__REDIS".to_owned(), server.url())].into_iter().collect();
    let config = load(&Overrides::default(), environment).unwrap();
    let clock = Clock::system();
    let stores = RedisStores::open(&config.cluster, 31 * DAY, &clock, &Metrics::new(), activity_message).unwrap();
    let now = clock.time_of_day();
    let account = |number: usize| {
        let username = Username::new(&format!("user-{number:08}")).unwrap();
        Account::new(username, login(number), None, now)
    };
    let accounts: Vec<Account> = (0..ACCOUNTS).map(account).collect();
    let users: Vec<UserId> = accounts.iter().map(|account| account.id).collect();
    measure_accounts(table, server, &stores, &accounts).await;
    measure_members(table, server, &stores, &users, now).await;
    measure_last_seen(table, server, &stores, &users, now).await;
}

async fn measure_accounts(table: &mut Table, server: &Server, stores: &RedisStores, accounts: &[Account]) {
    measure(table, server, "sign-up (an account, its login and its username)", ACCOUNTS, async {
        let made = join_all(accounts.iter().map(|account| stores.accounts.create(account.clone()))).await;
        assert!(made.iter().all(Result::is_ok));
    })
    .await;
    measure(table, server, "account by its login", ACCOUNTS, async {
        let found = join_all((0..ACCOUNTS).map(|number| stores.accounts.find(login(number)))).await;
        assert!(found.iter().all(|found| found.as_ref().unwrap().is_some()));
    })
    .await;
}

async fn measure_members(table: &mut Table, server: &Server, stores: &RedisStores, users: &[UserId], now: Timestamp) {
    let relations = &stores.relations;
    let change = async |change: RelationChange| {
        let changed = join_all(users.iter().map(|&user| relations.change_member(user, change.clone()))).await;
        assert!(changed.iter().all(Result::is_ok));
    };
    let arrive = RelationChange::LogIn {
        now,
        lifetime: DAY,
        node_context: NodeContext::default(),
        last_seen: Default::default(),
    };
    measure(table, server, "login of a member that subscribes", ACCOUNTS, change(arrive)).await;
    let names = (0..50).map(|number| MemberName::new(&format!("friend-{number}")).unwrap()).collect();
    change(RelationChange::Subscribe { names, limit: 200 }).await;
    let one_more = vec![MemberName::new("bob").unwrap()];
    let subscribe = RelationChange::Subscribe { names: one_more.clone(), limit: 200 };
    measure(table, server, "subscription that lasts, after 50", ACCOUNTS, change(subscribe)).await;
    let part = RelationChange::LeaveNode {
        exit: Exit::LoggedOut,
        delivered: Vec::new(),
        login: 1,
        node_context: NodeContext::default(),
        now,
    };
    measure(table, server, "logout of a member with 51 subscriptions", ACCOUNTS, change(part)).await;
    measure(table, server, "first friend", ACCOUNTS, async {
        let add = || RosterChange::Add(one_more.clone(), Quota::new(9));
        let altered =
            join_all(users.iter().map(|&user| relations.change_roster(RosterKind::Friends, user, add()))).await;
        assert!(altered.iter().all(Result::is_ok));
    })
    .await;
}

async fn measure_last_seen(table: &mut Table, server: &Server, stores: &RedisStores, users: &[UserId], now: Timestamp) {
    let last_seen = &stores.last_seen;
    measure(table, server, "last-seen record that is written", ACCOUNTS, async {
        last_seen.note(&mut users.iter().map(|&user| (user, Activity::online(now)))).unwrap();
        last_seen.close().await.unwrap();
    })
    .await;
    measure(table, server, "last-seen record that is read", ACCOUNTS, async {
        assert_eq!(last_seen.read(users.to_vec()).await.unwrap().len(), ACCOUNTS);
    })
    .await;
}
