//! What every store of ties does, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::memory::MemoryTies;
use super::*;
use crate::presence::general::Exit;
use crate::presence::standing::Site;
use crate::presence::subscriptions::Told;
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::disk::DiskStore;
use crate::store::redis::tests::every_redis;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_795_220_273 + secs)
}

fn user(name: &str) -> UserId {
    UserId::from_name(name)
}

fn names(names: &[&str]) -> Vec<AccountName> {
    names.iter().map(|name| AccountName::new(name).unwrap()).collect()
}

fn subscribe(to: &[&str], limit: usize) -> Change {
    Change::Subscribe { names: names(to), limit }
}

fn arrive(now: Timestamp) -> Change {
    Change::Arrive { now, lifetime: DAY, site: Site::default() }
}

fn part(exit: Exit, told: &[(&str, u64)], login: u64, now: Timestamp) -> Change {
    let told = told.iter().map(|&(name, digest)| (user(name), Told(digest))).collect();
    Change::Part { exit, told, login, now, site: Site::default() }
}

fn listed(changed: &Changed) -> Vec<&str> {
    changed.standing.subscriptions.as_slice().iter().map(|one| one.name.as_str()).collect()
}

async fn with_every_store(contract: impl AsyncFn(Arc<dyn TieStore>)) {
    contract(Arc::new(MemoryTies::new())).await;
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    contract(Arc::new(store.ties(at(0), DAY).unwrap())).await;
    for shared in every_redis() {
        contract(Arc::new(shared.open().ties)).await;
    }
}

/// Opens what another store has written, once its threads have let go of it.
async fn reopened(folder: &std::path::Path, now: Timestamp) -> (DiskStore, Arc<dyn TieStore>) {
    loop {
        match DiskStore::open(folder) {
            Err(StoreError::InUse) => actix_web::rt::task::yield_now().await,
            other => {
                let store = other.unwrap();
                let ties = store.ties(now, DAY).unwrap();
                return (store, Arc::new(ties));
            }
        }
    }
}

#[actix_web::test]
async fn subscriptions_are_kept_in_order_and_the_earliest_is_dropped() {
    with_every_store(async |ties| {
        let alice = user("alice");
        let first = ties.change(alice, subscribe(&["bob", "carol"], 3)).await.unwrap();
        assert_eq!((listed(&first), &first.dropped), (vec!["bob", "carol"], &vec![]));
        let second = ties.change(alice, subscribe(&["dave", "eve"], 3)).await.unwrap();
        assert_eq!((listed(&second), &second.dropped), (vec!["carol", "dave", "eve"], &vec![user("bob")]));
        assert!(second.standing.revision > first.standing.revision);
        let third = ties.change(alice, Change::Unsubscribe(Some(vec![user("dave"), user("zoe")]))).await.unwrap();
        assert_eq!((listed(&third), &third.dropped), (vec!["carol", "eve"], &vec![user("dave")]));
        let all = ties.change(alice, Change::Unsubscribe(None)).await.unwrap();
        assert_eq!((listed(&all), all.dropped.len()), (vec![], 2));
        let other = ties.change(user("bob"), subscribe(&["alice"], 3)).await.unwrap();
        assert_eq!(listed(&other), ["alice"], "each account has its own");
    })
    .await;
}

#[actix_web::test]
async fn of_many_at_once_none_is_lost() {
    with_every_store(async |ties| {
        let changes = (0..600).map(|number| {
            let (ties, name) = (ties.clone(), format!("friend-{}", number / 3));
            let account = format!("account-{}", number % 3);
            async move { ties.change(user(&account), subscribe(&[&name], 1000)).await.unwrap() }
        });
        join_all(changes).await;
        for account in ["account-0", "account-1", "account-2"] {
            let changed = ties.change(user(account), Change::Unsubscribe(Some(Vec::new()))).await.unwrap();
            assert_eq!(listed(&changed).len(), 200);
            assert_eq!(changed.standing.revision, 201, "one for each change");
            assert_eq!(ties.standing(user(account)).await.unwrap(), changed.standing);
        }
    })
    .await;
}

#[actix_web::test]
async fn logins_say_who_is_lost_and_who_left() {
    with_every_store(async |ties| {
        let attendance = async |name: &str| ties.attendance(vec![user("x"), user(name)]).await.unwrap()[1];
        assert_eq!(attendance("alice").await, Attendance::Never);
        ties.change(user("alice"), arrive(at(1))).await.unwrap();
        assert_eq!(attendance("alice").await, Attendance::In);
        ties.change(user("alice"), part(Exit::Lost, &[], 1, at(2))).await.unwrap();
        assert_eq!(attendance("alice").await, Attendance::Lost(at(2)));
        ties.change(user("alice"), part(Exit::LoggedOut, &[], 1, at(3))).await.unwrap();
        assert_eq!(attendance("alice").await, Attendance::LoggedOut(at(3)));
    })
    .await;
}

#[actix_web::test]
async fn what_an_account_was_told_is_remembered_and_after_a_day_all_is_forgotten() {
    with_every_store(async |ties| {
        let alice = user("alice");
        ties.change(alice, subscribe(&["bob", "carol"], 9)).await.unwrap();
        ties.change(alice, part(Exit::Lost, &[("bob", 5)], 0, at(10))).await.unwrap();
        let early = ties.change(alice, arrive(at(9 + 24 * 3600))).await.unwrap();
        let told: Vec<Option<Told>> = early.standing.subscriptions.as_slice().iter().map(|one| one.told).collect();
        assert_eq!(told, [Some(Told(5)), None]);
        ties.change(alice, part(Exit::LoggedOut, &[], 1, at(100_000))).await.unwrap();
        let late = ties.change(alice, arrive(at(100_000 + 24 * 3600))).await.unwrap();
        assert_eq!((listed(&late), late.dropped.len()), (vec![], 2));
    })
    .await;
}

#[actix_web::test]
async fn lists_are_kept_by_kind_within_their_quota() {
    with_every_store(async |ties| {
        let (alice, quota) = (user("alice"), Quota::new(3));
        let add = |to: &[&str]| RosterChange::Add(names(to), quota);
        let friends = ties.alter(RosterKind::Friends, alice, add(&["bob", "carol"])).await.unwrap().unwrap();
        assert_eq!(friends.names(), names(&["bob", "carol"]));
        let refused = ties.alter(RosterKind::Friends, alice, add(&["bob", "dave", "eve"])).await.unwrap();
        assert_eq!(refused, Err(QuotaExceeded { limit: 3, held: 2, asked: 2 }));
        assert_eq!(ties.roster(RosterKind::Friends, alice).await.unwrap(), friends);
        assert_eq!(ties.roster(RosterKind::Blocked, alice).await.unwrap(), Roster::default());
        ties.alter(RosterKind::Blocked, alice, add(&["mallory"])).await.unwrap().unwrap();
        let all = ties.rosters(RosterKind::Blocked).unwrap();
        assert_eq!(all, [(alice, Roster::new(names(&["mallory"])))]);
        let gone = RosterChange::Remove(vec![user("mallory")]);
        ties.alter(RosterKind::Blocked, alice, gone).await.unwrap().unwrap();
        assert_eq!(ties.rosters(RosterKind::Blocked).unwrap(), [], "an empty list is none");
    })
    .await;
}

#[actix_web::test]
async fn a_closed_store_takes_no_more() {
    with_every_store(async |ties| {
        ties.close().await.unwrap();
        assert_eq!(ties.change(user("alice"), arrive(at(0))).await, Err(StoreError::Closed));
        assert_eq!(ties.close().await, Ok(()), "closed twice");
    })
    .await;
}

#[actix_web::test]
async fn what_was_answered_is_there_when_it_is_opened_again_and_who_was_in_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = DiskStore::open(folder.path()).unwrap();
        let ties = store.ties(at(0), DAY).unwrap();
        for name in ["alice", "bob"] {
            ties.change(user(name), arrive(at(0))).await.unwrap();
            ties.change(user(name), subscribe(&["carol"], 9)).await.unwrap();
        }
        ties.change(user("bob"), part(Exit::LoggedOut, &[("carol", 1)], 1, at(5))).await.unwrap();
    }
    {
        let (_store, ties) = reopened(folder.path(), at(100)).await;
        let kept = ties.change(user("alice"), Change::Unsubscribe(Some(Vec::new()))).await.unwrap();
        assert_eq!((listed(&kept), kept.standing.attendance), (vec!["carol"], Attendance::Lost(at(100))));
        assert_eq!(ties.attendance(vec![user("bob")]).await.unwrap(), [Attendance::LoggedOut(at(5))]);
    }
    let (_store, ties) = reopened(folder.path(), at(10 + 24 * 3600)).await;
    let bob = ties.change(user("bob"), Change::Unsubscribe(Some(Vec::new()))).await.unwrap();
    assert_eq!(listed(&bob), Vec::<&str>::new(), "expired while the server was down");
    let alice = ties.change(user("alice"), Change::Unsubscribe(Some(Vec::new()))).await.unwrap();
    assert_eq!(listed(&alice), ["carol"]);
}
