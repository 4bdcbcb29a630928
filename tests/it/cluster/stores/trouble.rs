//! Failures of Redis: requests get a retryable error in time, and no acknowledged write is lost.

use super::*;

fn is_away<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

/// Checks that every request fails with a retryable error.
async fn is_refused(node: &RedisStores, known: &Account) {
    is_away(node.accounts.account(known.id).await);
    is_away(node.accounts.find(known.login_keys().remove(0)).await);
    is_away(node.accounts.user_ids(vec![known.username.clone()]).await);
    is_away(node.accounts.create(account("new", "device-new")).await);
    is_away(node.accounts.update(known.id, rename("other")).await);
    is_away(node.relations.change_member(known.id, subscribe("carol")).await);
    is_away(node.relations.login_states(vec![known.id]).await);
    is_away(node.relations.change_roster(RosterKind::Friends, known.id, add("carol")).await);
    is_away(node.relations.roster(RosterKind::Friends, known.id).await);
    is_away(node.relations.rosters(RosterKind::Friends));
    is_away(node.last_seen.read(vec![known.id]).await);
}

#[tokio::test]
async fn after_a_restart_with_data_everything_is_there() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let [one, two] = two_nodes_of(&hasty_config(&server.url()));
    let alice = account("alice", "device-alice");
    one.accounts.create(alice.clone()).await.unwrap();
    one.relations.change_member(alice.id, subscribe("bob")).await.unwrap();
    one.relations.change_roster(RosterKind::Friends, alice.id, add("bob")).await.unwrap().unwrap();
    let (early, late) = (Timestamp::from_secs(today().as_secs() - 9), Timestamp::from_secs(today().as_secs()));
    one.last_seen.note(&mut [(alice.id, Activity::active(early, None))].into_iter()).unwrap();
    settle(&one.last_seen).await.unwrap();
    server.kill();
    is_refused(&one, &alice).await;
    is_refused(&two, &alice).await;
    // Activities noted in the meantime wait.
    two.last_seen.note(&mut [(alice.id, Activity::online(late))].into_iter()).unwrap();
    is_away(settle(&two.last_seen).await);
    assert!(matches!(open(&hasty_config(&server.url())), Err(StartError::Unreachable { .. })));
    server.start_again();
    let found = loop {
        match two.accounts.find(LoginKey::Device("device-alice".into())).await {
            Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
            found => break found.unwrap(),
        }
    };
    assert_eq!(found, Some(alice.clone()));
    assert_eq!(two.accounts.user_ids(vec![name("alice"), name("new"), name("other")]).await.unwrap(), [alice.id]);
    let record =
        two.relations.change_member(alice.id, RelationChange::Unsubscribe(Some(Vec::new()))).await.unwrap().member;
    assert_eq!((record.subscriptions.as_slice().len(), record.revision), (1, 2));
    assert_eq!(two.relations.rosters(RosterKind::Friends).unwrap().len(), 1);
    settle(&two.last_seen).await.unwrap();
    let expected = LastSeen { active: early, online: late, state: None };
    assert_eq!(one.last_seen.read(vec![alice.id]).await.unwrap(), [expected]);
    one.accounts.create(account("new", "device-new")).await.unwrap();
}

#[tokio::test]
async fn requests_during_a_stall_fail_in_time_and_later_ones_succeed() {
    let server = RedisServer::start();
    let [one, _] = two_nodes_of(&hasty_config(&server.url()));
    let alice = account("alice", "device-alice");
    one.accounts.create(alice.clone()).await.unwrap();
    server.signal("-STOP");
    // Each has a deadline of one second, even if others wait in the same queue.
    let asked: Vec<_> = (0..500).map(|_| one.relations.change_member(alice.id, subscribe("bob"))).collect();
    let answered = async {
        for answer in asked {
            is_away(answer.await);
        }
        is_refused(&one, &alice).await;
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), answered).await;
    assert!(in_time.is_ok(), "a request waits for a redis that does not reply");
    server.signal("-CONT");
    while let Err(error) = one.accounts.account(alice.id).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    one.relations.change_member(alice.id, subscribe("dave")).await.unwrap();
    one.accounts.update(alice.id, rename("alicia")).await.unwrap();
}

#[tokio::test]
async fn a_full_redis_refuses_writes_and_serves_reads() {
    let server = RedisServer::start();
    let [one, _] = two_nodes(&server.url());
    let alice = account("alice", "device-alice");
    one.accounts.create(alice.clone()).await.unwrap();
    let () = server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1"]);
    is_away(one.accounts.create(account("bob", "device-bob")).await);
    is_away(one.relations.change_member(alice.id, subscribe("bob")).await);
    assert_eq!(one.accounts.account(alice.id).await.unwrap(), Some(alice.clone()));
    let () = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    one.accounts.create(account("bob", "device-bob")).await.unwrap();
    one.relations.change_member(alice.id, subscribe("bob")).await.unwrap();
}
