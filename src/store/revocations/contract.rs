//! The contract of the stores of revoked tokens, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;

use super::memory::MemoryRevocations;
use super::{RevocationStore, SWEEP_STRIDE};
use crate::auth::revocation::{MAX_LOGINS, Revocation, RevokedLogin, RevokedTokens, TokenKind, UserRevocations};
use crate::clock::Clock;
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::database::EmbeddedDatabase;
use crate::store::redis::tests::{OnRedis, every_redis};

const LIFETIME: Duration = Duration::from_secs(1000);

fn user(name: &str) -> UserId {
    UserId::from_name(name)
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(1_795_220_273 + second)
}

fn logout(token_id: u128, now: Timestamp) -> Revocation {
    let token_id = Uuid::from_u128(token_id);
    let login = RevokedLogin { token_id, at: now, sessions_until: now + LIFETIME, refreshes_until: now + LIFETIME };
    Revocation { now, lifetime: LIFETIME, tokens: RevokedTokens::Of(vec![login]) }
}

fn logout_of_all(now: Timestamp) -> Revocation {
    Revocation { now, lifetime: LIFETIME, tokens: RevokedTokens::All }
}

fn is_revoked(record: &UserRevocations, token_id: u128, now: Timestamp) -> bool {
    record.is_revoked(Uuid::from_u128(token_id), TokenKind::Session, now, now)
}

async fn with_every_store(contract: impl AsyncFn(Arc<dyn RevocationStore>)) {
    contract(Arc::new(MemoryRevocations::new())).await;
    let folder = tempfile::tempdir().unwrap();
    let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
    contract(Arc::new(database.revocations(&Clock::manual(at(0))).unwrap())).await;
    for shared in every_redis() {
        contract(Arc::new(shared.open().revocations)).await;
    }
}

#[actix_web::test]
async fn a_revocation_is_read_back_and_concerns_its_user_only() {
    with_every_store(async |store| {
        assert_eq!(store.revocations(user("alice")).await, Ok(UserRevocations::default()));
        store.revoke(user("alice"), logout(1, at(0))).await.unwrap();
        store.revoke(user("alice"), logout_of_all(at(0))).await.unwrap();
        let record = store.revocations(user("alice")).await.unwrap();
        assert!(is_revoked(&record, 1, at(0)) && !is_revoked(&record, 2, at(0)));
        assert_eq!((record.valid_from, record.expires()), (at(0), at(1000)));
        assert_eq!(store.revocations(user("bob")).await, Ok(UserRevocations::default()));
    })
    .await;
}

#[actix_web::test]
async fn thousands_of_logouts_at_once_succeed_and_the_record_stays_bounded() {
    with_every_store(async |store| {
        let logouts = (0..3000_u64).map(|number| {
            let store = store.clone();
            let name = format!("user-{}", number % 3);
            // Each caller is a task of its own, as in the server.
            actix_web::rt::spawn(async move { store.revoke(user(&name), logout(u128::from(number), at(0))).await })
        });
        let results = join_all(logouts.collect::<Vec<_>>()).await;
        assert!(results.into_iter().all(|result| result.unwrap().is_ok()));
        for name in 0..3 {
            let record = store.revocations(user(&format!("user-{name}"))).await.unwrap();
            assert_eq!(record.logins.len(), MAX_LOGINS);
            let mut own = (0..3000).filter(|number| number % 3 == name);
            assert!(own.all(|number| is_revoked(&record, number, at(0))), "a dropped login counts as older");
            assert!(!is_revoked(&record, 9999, at(1)), "a login of the next second is valid");
        }
    })
    .await;
}

#[actix_web::test]
async fn a_closed_store_refuses_revocations() {
    with_every_store(async |store| {
        store.revoke(user("alice"), logout(1, at(0))).await.unwrap();
        store.close().await.unwrap();
        assert_eq!(store.revoke(user("alice"), logout(2, at(0))).await, Err(StoreError::Closed));
        assert!(is_revoked(&store.revocations(user("alice")).await.unwrap(), 1, at(0)));
        assert_eq!(store.close().await, Ok(()), "closed twice");
    })
    .await;
}

#[actix_web::test]
async fn expired_records_leave_memory_and_the_disk() {
    let memory = MemoryRevocations::new();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(at(0));
    let disk = EmbeddedDatabase::open_in(folder.path()).unwrap().revocations(&clock).unwrap();
    let crowd = SWEEP_STRIDE * 10;
    for number in 0..crowd {
        let name = user(&format!("guest-{number}"));
        memory.revoke(name, logout(1, clock.now())).await.unwrap();
        disk.revoke(name, logout(1, clock.now())).await.unwrap();
    }
    assert_eq!((memory.record_count(), disk.records_on_disk()), (crowd, crowd));
    clock.advance(LIFETIME + Duration::from_secs(1));
    // Each write examines a part of the records.
    for _ in 0..30 {
        memory.revoke(user("alice"), logout(2, clock.now())).await.unwrap();
        disk.revoke(user("alice"), logout(2, clock.now())).await.unwrap();
    }
    assert_eq!((memory.record_count(), disk.records_on_disk()), (1, 1));
    assert!(is_revoked(&disk.revocations(user("alice")).await.unwrap(), 2, clock.now()));
}

#[actix_web::test]
async fn a_record_in_redis_has_the_ttl_of_its_last_token() {
    let shared = OnRedis::start(1);
    let store = shared.open().revocations;
    store.revoke(user("alice"), logout(1, at(0))).await.unwrap();
    let short = Revocation { lifetime: Duration::from_secs(5), ..logout_of_all(at(0)) };
    store.revoke(user("alice"), short).await.unwrap();
    let ttl = shared.ttls("*:v:*");
    assert_eq!(ttl.len(), 1);
    assert!((900..=1001).contains(&ttl[0]), "{ttl:?} s: a later write with a shorter lifetime does not shorten it");
}

#[actix_web::test]
async fn revocations_on_disk_are_there_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(at(0));
    {
        let store = EmbeddedDatabase::open_in(folder.path()).unwrap().revocations(&clock).unwrap();
        store.revoke(user("alice"), logout(1, at(0))).await.unwrap();
        store.close().await.unwrap();
    }
    let database = loop {
        match EmbeddedDatabase::open_in(folder.path()) {
            // The writer's thread releases the database a moment after the store is dropped.
            Err(StoreError::InUse) => actix_web::rt::task::yield_now().await,
            other => break other.unwrap(),
        }
    };
    let store = database.revocations(&clock).unwrap();
    assert!(is_revoked(&store.revocations(user("alice")).await.unwrap(), 1, at(0)));
    assert_eq!(store.revocations(user("bob")).await, Ok(UserRevocations::default()));
}
