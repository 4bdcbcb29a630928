//! The contract of the relation stores, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::memory::MemoryRelations;
use super::{ChangedMember, RelationStore, RosterChange};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{LoginState, NodeContext, RelationChange};
use crate::presence::quota::{Quota, QuotaExceeded};
use crate::presence::roster::{Roster, RosterKind};
use crate::presence::subscriptions::DeliveredStatus;
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::database::EmbeddedDatabase;
use crate::store::redis::tests::every_redis;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_795_220_273 + secs)
}

fn user(name: &str) -> UserId {
    UserId::from_name(name)
}

fn names(names: &[&str]) -> Vec<MemberName> {
    names.iter().map(|name| MemberName::new(name).unwrap()).collect()
}

fn subscribe(to: &[&str], limit: usize) -> RelationChange {
    RelationChange::Subscribe { names: names(to), limit }
}

fn arrive(now: Timestamp) -> RelationChange {
    RelationChange::LogIn { now, lifetime: DAY, node_context: NodeContext::default(), last_seen: Timestamp::default() }
}

fn part(exit: Exit, delivered: &[(&str, u64)], login: u64, now: Timestamp) -> RelationChange {
    let delivered = delivered.iter().map(|&(name, digest)| (user(name), DeliveredStatus(digest))).collect();
    RelationChange::LeaveNode { exit, delivered, login, now, node_context: NodeContext::default() }
}

fn listed(changed: &ChangedMember) -> Vec<&str> {
    changed.member.subscriptions.as_slice().iter().map(|one| one.name.as_str()).collect()
}

async fn with_every_store(contract: impl AsyncFn(Arc<dyn RelationStore>)) {
    contract(Arc::new(MemoryRelations::new())).await;
    let folder = tempfile::tempdir().unwrap();
    let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
    contract(Arc::new(database.relations(at(0), DAY).unwrap())).await;
    for shared in every_redis() {
        contract(Arc::new(shared.open().relations)).await;
    }
}

/// Opens the database of another store, once the threads of that store have released it.
async fn reopened(folder: &std::path::Path, now: Timestamp) -> Arc<dyn RelationStore> {
    loop {
        match EmbeddedDatabase::open_in(folder) {
            Err(StoreError::InUse) => actix_web::rt::task::yield_now().await,
            other => return Arc::new(other.unwrap().relations(now, DAY).unwrap()),
        }
    }
}

#[actix_web::test]
async fn subscriptions_are_kept_in_order_and_the_earliest_is_dropped() {
    with_every_store(async |relations| {
        let alice = user("alice");
        let first = relations.change_member(alice, subscribe(&["bob", "carol"], 3)).await.unwrap();
        assert_eq!((listed(&first), &first.dropped), (vec!["bob", "carol"], &vec![]));
        let second = relations.change_member(alice, subscribe(&["dave", "eve"], 3)).await.unwrap();
        assert_eq!((listed(&second), &second.dropped), (vec!["carol", "dave", "eve"], &vec![user("bob")]));
        assert!(second.member.revision > first.member.revision);
        let third = relations
            .change_member(alice, RelationChange::Unsubscribe(Some(vec![user("dave"), user("zoe")])))
            .await
            .unwrap();
        assert_eq!((listed(&third), &third.dropped), (vec!["carol", "eve"], &vec![user("dave")]));
        let all = relations.change_member(alice, RelationChange::Unsubscribe(None)).await.unwrap();
        assert_eq!((listed(&all), all.dropped.len()), (vec![], 2));
        let other = relations.change_member(user("bob"), subscribe(&["alice"], 3)).await.unwrap();
        assert_eq!(listed(&other), ["alice"], "each member has its own");
    })
    .await;
}

#[actix_web::test]
async fn of_many_concurrent_changes_none_is_lost() {
    with_every_store(async |relations| {
        let changes = (0..600).map(|number| {
            let (relations, name) = (relations.clone(), format!("friend-{}", number / 3));
            let account = format!("account-{}", number % 3);
            async move { relations.change_member(user(&account), subscribe(&[&name], 1000)).await.unwrap() }
        });
        join_all(changes).await;
        for account in ["account-0", "account-1", "account-2"] {
            let changed =
                relations.change_member(user(account), RelationChange::Unsubscribe(Some(Vec::new()))).await.unwrap();
            assert_eq!(listed(&changed).len(), 200);
            assert_eq!(changed.member.revision, 201, "one for each change");
            assert_eq!(relations.member(user(account)).await.unwrap(), changed.member);
        }
    })
    .await;
}

#[actix_web::test]
async fn logins_tell_lost_members_from_those_who_left() {
    with_every_store(async |relations| {
        let login_states = async |name: &str| relations.login_states(vec![user("x"), user(name)]).await.unwrap()[1];
        assert_eq!(login_states("alice").await, LoginState::Never);
        relations.change_member(user("alice"), arrive(at(1))).await.unwrap();
        assert_eq!(login_states("alice").await, LoginState::In);
        relations.change_member(user("alice"), part(Exit::Lost, &[], 1, at(2))).await.unwrap();
        assert_eq!(login_states("alice").await, LoginState::Lost(at(2)));
        relations.change_member(user("alice"), part(Exit::LoggedOut, &[], 1, at(3))).await.unwrap();
        assert_eq!(login_states("alice").await, LoginState::LoggedOut(at(3)));
    })
    .await;
}

#[actix_web::test]
async fn delivered_statuses_are_remembered_and_forgotten_after_a_day() {
    with_every_store(async |relations| {
        let alice = user("alice");
        relations.change_member(alice, subscribe(&["bob", "carol"], 9)).await.unwrap();
        relations.change_member(alice, part(Exit::Lost, &[("bob", 5)], 0, at(10))).await.unwrap();
        let early = relations.change_member(alice, arrive(at(9 + 24 * 3600))).await.unwrap();
        let delivered: Vec<Option<DeliveredStatus>> =
            early.member.subscriptions.as_slice().iter().map(|one| one.delivered).collect();
        assert_eq!(delivered, [Some(DeliveredStatus(5)), None]);
        relations.change_member(alice, part(Exit::LoggedOut, &[], 1, at(100_000))).await.unwrap();
        let late = relations.change_member(alice, arrive(at(100_000 + 24 * 3600))).await.unwrap();
        assert_eq!((listed(&late), late.dropped.len()), (vec![], 2));
    })
    .await;
}

#[actix_web::test]
async fn lists_are_stored_by_kind_within_their_quota() {
    with_every_store(async |relations| {
        let (alice, quota) = (user("alice"), Quota::new(3));
        let add = |to: &[&str]| RosterChange::Add(names(to), quota);
        let friends =
            relations.change_roster(RosterKind::Friends, alice, add(&["bob", "carol"])).await.unwrap().unwrap();
        assert_eq!(friends.names(), names(&["bob", "carol"]));
        let refused = relations.change_roster(RosterKind::Friends, alice, add(&["bob", "dave", "eve"])).await.unwrap();
        assert_eq!(refused, Err(QuotaExceeded { limit: 3, held: 2, asked: 2 }));
        assert_eq!(relations.roster(RosterKind::Friends, alice).await.unwrap(), friends);
        assert_eq!(relations.roster(RosterKind::Blocked, alice).await.unwrap(), Roster::default());
        relations.change_roster(RosterKind::Blocked, alice, add(&["mallory"])).await.unwrap().unwrap();
        let all = relations.rosters(RosterKind::Blocked).unwrap();
        assert_eq!(all, [(alice, Roster::new(names(&["mallory"])))]);
        let gone = RosterChange::Remove(vec![user("mallory")]);
        relations.change_roster(RosterKind::Blocked, alice, gone).await.unwrap().unwrap();
        assert_eq!(relations.rosters(RosterKind::Blocked).unwrap(), [], "an empty list does not count");
    })
    .await;
}

#[actix_web::test]
async fn a_closed_store_refuses_changes() {
    with_every_store(async |relations| {
        relations.close().await.unwrap();
        assert_eq!(relations.change_member(user("alice"), arrive(at(0))).await, Err(StoreError::Closed));
        assert_eq!(relations.close().await, Ok(()), "closed twice");
    })
    .await;
}

#[actix_web::test]
async fn changes_are_there_after_the_next_start_and_logged_in_members_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    {
        let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
        let relations = database.relations(at(0), DAY).unwrap();
        for name in ["alice", "bob"] {
            relations.change_member(user(name), arrive(at(0))).await.unwrap();
            relations.change_member(user(name), subscribe(&["carol"], 9)).await.unwrap();
        }
        relations.change_member(user("bob"), part(Exit::LoggedOut, &[("carol", 1)], 1, at(5))).await.unwrap();
    }
    {
        let relations = reopened(folder.path(), at(100)).await;
        let kept = relations.change_member(user("alice"), RelationChange::Unsubscribe(Some(Vec::new()))).await.unwrap();
        assert_eq!((listed(&kept), kept.member.login_state), (vec!["carol"], LoginState::Lost(at(100))));
        assert_eq!(relations.login_states(vec![user("bob")]).await.unwrap(), [LoginState::LoggedOut(at(5))]);
    }
    let relations = reopened(folder.path(), at(10 + 24 * 3600)).await;
    let bob = relations.change_member(user("bob"), RelationChange::Unsubscribe(Some(Vec::new()))).await.unwrap();
    assert_eq!(listed(&bob), Vec::<&str>::new(), "expired while the server was down");
    let alice = relations.change_member(user("alice"), RelationChange::Unsubscribe(Some(Vec::new()))).await.unwrap();
    assert_eq!(listed(&alice), ["carol"]);
}
