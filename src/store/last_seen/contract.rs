//! The contract of the last-seen stores, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use super::memory::MemoryLastSeen;
use super::{LastSeenStore, TooManyWaiting};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::database::EmbeddedDatabase;
use crate::store::redis::tests::every_redis;

const EXPIRE: Duration = Duration::from_secs(100);

fn user(name: &str) -> UserId {
    UserId::from_name(name)
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(second)
}

fn with_state(second: u64, state: &str) -> Activity {
    Activity::active(at(second), Some(StatusText::new(state).unwrap()))
}

fn note(store: &dyn LastSeenStore, name: &str, activity: Activity) -> Result<(), TooManyWaiting> {
    store.note(&mut std::iter::once((user(name), activity)))
}

/// (active, online, state) of each.
async fn read(store: &dyn LastSeenStore, names: &[&str]) -> Vec<(u64, u64, Option<String>)> {
    let records = store.read(names.iter().map(|name| user(name)).collect()).await.unwrap();
    let plain = |record: LastSeen| {
        let state = record.state.map(|state| state.as_str().to_owned());
        (record.active.as_secs(), record.online.as_secs(), state)
    };
    records.into_iter().map(plain).collect()
}

async fn with_every_store(contract: impl AsyncFn(Arc<dyn LastSeenStore>, Clock)) {
    let metrics = Metrics::new();
    let clock = Clock::manual(at(1000));
    contract(Arc::new(MemoryLastSeen::new(EXPIRE, &clock, &metrics)), clock).await;
    let clock = Clock::manual(at(1000));
    let folder = tempfile::tempdir().unwrap();
    let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
    contract(Arc::new(database.last_seen(EXPIRE, &clock, &metrics).unwrap()), clock).await;
    for shared in every_redis() {
        let clock = Clock::manual(at(1000));
        contract(Arc::new(shared.open_with(EXPIRE, &clock, &metrics).last_seen), clock).await;
    }
}

/// Waits until everything noted so far is written: forgetting a user waits for that.
async fn settle(store: &dyn LastSeenStore) {
    store.forget(vec![user("nobody")]).await.unwrap();
}

#[actix_web::test]
async fn an_activity_is_read_at_once_and_after_it_was_written() {
    with_every_store(async |store, _| {
        note(&*store, "alice", Activity::online(at(1001))).unwrap();
        note(&*store, "alice", with_state(1000, "dnd")).unwrap();
        note(&*store, "bob", Activity::active(at(1002), None)).unwrap();
        let expected =
            [(1000, 1001, Some("dnd".into())), (0, 0, None), (1002, 0, None), (1000, 1001, Some("dnd".into()))];
        let asked = ["alice", "carol", "bob", "alice"];
        assert_eq!(read(&*store, &asked).await, expected);
        settle(&*store).await;
        assert_eq!(read(&*store, &asked).await, expected);
        assert_eq!(read(&*store, &[]).await, []);
    })
    .await;
}

#[actix_web::test]
async fn times_only_grow_and_the_state_stays_until_another_comes() {
    with_every_store(async |store, _| {
        for _ in 0..2 {
            note(&*store, "alice", with_state(1005, "dnd")).unwrap();
            note(&*store, "alice", Activity::active(at(1003), None)).unwrap();
            settle(&*store).await;
            note(&*store, "alice", Activity::online(at(1004))).unwrap();
            settle(&*store).await;
            note(&*store, "alice", Activity::online(at(1001))).unwrap();
            assert_eq!(read(&*store, &["alice"]).await, [(1005, 1004, Some("dnd".into()))]);
        }
        note(&*store, "alice", with_state(1006, "")).unwrap();
        assert_eq!(read(&*store, &["alice"]).await, [(1006, 1004, Some(String::new()))]);
    })
    .await;
}

#[actix_web::test]
async fn a_forgotten_user_has_an_empty_record() {
    with_every_store(async |store, _| {
        note(&*store, "alice", with_state(1005, "dnd")).unwrap();
        settle(&*store).await;
        note(&*store, "alice", Activity::online(at(1006))).unwrap();
        store.forget(vec![user("alice"), user("carol")]).await.unwrap();
        assert_eq!(read(&*store, &["alice"]).await, [(0, 0, None)]);
        note(&*store, "alice", Activity::online(at(1003))).unwrap();
        assert_eq!(read(&*store, &["alice"]).await, [(0, 1003, None)], "seen again after that");
    })
    .await;
}

#[actix_web::test]
async fn a_record_lives_until_its_time_after_the_last_update() {
    with_every_store(async |store, clock| {
        note(&*store, "alice", with_state(1000, "dnd")).unwrap();
        clock.advance(Duration::from_secs(60));
        note(&*store, "alice", Activity::online(clock.now())).unwrap();
        settle(&*store).await;
        clock.advance(Duration::from_secs(99));
        assert_eq!(read(&*store, &["alice"]).await, [(1000, 1060, Some("dnd".into()))]);
        clock.advance(Duration::from_secs(1));
        assert_eq!(read(&*store, &["alice"]).await, [(0, 0, None)]);
        note(&*store, "alice", Activity::online(clock.now())).unwrap();
        assert_eq!(read(&*store, &["alice"]).await, [(0, 1160, None)], "an expired state does not come back");
        settle(&*store).await;
        assert_eq!(read(&*store, &["alice"]).await, [(0, 1160, None)]);
    })
    .await;
}

#[actix_web::test]
async fn a_closed_store_refuses_activities() {
    with_every_store(async |store, _| {
        note(&*store, "alice", Activity::online(at(1000))).unwrap();
        store.close().await.unwrap();
        assert_eq!(note(&*store, "alice", Activity::online(at(1001))), Err(TooManyWaiting));
        assert_eq!(store.forget(vec![user("alice")]).await, Err(StoreError::Closed));
        assert_eq!(read(&*store, &["alice"]).await, [(0, 1000, None)]);
        assert_eq!(store.close().await, Ok(()), "closed twice");
    })
    .await;
}

#[actix_web::test]
async fn a_hundred_thousand_users_of_a_second_are_one_commit() {
    let (metrics, clock) = (Metrics::new(), Clock::manual(at(1000)));
    let folder = tempfile::tempdir().unwrap();
    let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
    let store = database.last_seen(EXPIRE, &clock, &metrics).unwrap();
    settle(&store).await;
    let before = (metrics.last_seen().commits.get(), metrics.last_seen().written.get());
    let user = |number: u128| UserId::from_uuid(uuid::Uuid::from_u128(number));
    store.note(&mut (0..100_000).map(|number| (user(number), Activity::online(at(1000))))).unwrap();
    settle(&store).await;
    let after = (metrics.last_seen().commits.get(), metrics.last_seen().written.get());
    // The user forgotten to wait for the commit is written too, with the others or after them.
    assert!(after.0 - before.0 <= 2 && after.1 - before.1 == 100_001, "from {before:?} to {after:?}");
    assert_eq!(metrics.last_seen().waiting.get(), 0);
    let records = store.read((0..100_000).map(user).collect()).await.unwrap();
    assert!(records.iter().all(|record| record.online == at(1000)));
}

#[actix_web::test]
async fn expired_records_leave_the_disk_and_the_others_are_there_after_the_next_start() {
    let (metrics, clock) = (Metrics::new(), Clock::manual(at(1000)));
    let folder = tempfile::tempdir().unwrap();
    {
        let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
        let store = database.last_seen(EXPIRE, &clock, &metrics).unwrap();
        let crowd = (0..2500).map(|number| (user(&format!("guest-{number}")), Activity::online(at(1000))));
        store.note(&mut crowd.into_iter()).unwrap();
        settle(&store).await;
        assert_eq!(store.records_on_disk(), 2500);
        clock.advance(Duration::from_secs(150));
        note(&store, "alice", Activity::online(clock.now())).unwrap();
        // Each commit examines a part of the records.
        while store.records_on_disk() > 1 {
            settle(&store).await;
        }
        note(&store, "bob", with_state(1150, "dnd")).unwrap();
        store.close().await.unwrap();
    }
    let database = loop {
        match EmbeddedDatabase::open_in(folder.path()) {
            // The writer's thread releases the database a moment after the store is dropped.
            Err(StoreError::InUse) => actix_web::rt::task::yield_now().await,
            other => break other.unwrap(),
        }
    };
    let store = database.last_seen(EXPIRE, &clock, &metrics).unwrap();
    assert_eq!(read(&store, &["alice", "bob"]).await, [(0, 1150, None), (1150, 0, Some("dnd".into()))]);
}
