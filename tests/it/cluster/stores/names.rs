//! Names that two nodes want at the same time, and claims of a node that has ended.

use futures_util::future::join_all;
use hereabouts::redis::keys::RedisKeys;
use hereabouts::redis::slots::Buckets;

use super::*;

/// Milliseconds since the Unix epoch.
fn milliseconds() -> u64 {
    today().as_micros() / 1000
}

/// Claims a name for a user without an account. `deadline` is the deadline for the account's record.
fn claim(server: &RedisServer, name: &str, deadline: u64) -> String {
    let keys = RedisKeys::new("hereabouts", Buckets::new(32));
    let (_, key) = keys.name(name);
    let () = server.command(&["SET", &key, &format!("{} {deadline}", UserId::random().uuid().simple())]);
    key
}

#[tokio::test]
async fn one_of_two_nodes_gets_a_name() {
    let (_servers, urls) = two_shards();
    let nodes = two_nodes(&urls);
    let attempts = (0..300).flat_map(|number| {
        let create = |node: usize| {
            nodes[node].accounts.create(account(&format!("user-{number}"), &format!("device-{number}-{node}")))
        };
        [create(0), create(1)]
    });
    let results = join_all(attempts.collect::<Vec<_>>()).await;
    for (number, pair) in results.chunks(2).enumerate() {
        let mut outcomes = pair.to_vec();
        outcomes.sort_by_key(Result::is_err);
        assert_eq!(outcomes, [Ok(()), Err(StoreError::UsernameTaken)], "user-{number}");
        // The loser leaves nothing behind: its login is free for another name.
        let loser = usize::from(pair[0].is_ok());
        let login = LoginKey::Device(format!("device-{number}-{loser}"));
        assert_eq!(nodes[1 - loser].accounts.find(login).await, Ok(None));
    }
    let usernames = (0..300).map(|number| name(&format!("user-{number}"))).collect();
    assert_eq!(nodes[0].accounts.user_ids(usernames).await.unwrap().len(), 300);
}

#[tokio::test]
async fn the_loser_of_a_race_for_a_login_finds_the_account() {
    let (_servers, urls) = two_shards();
    let nodes = two_nodes(&urls);
    let attempts: Vec<_> = (0..200)
        .map(|number| {
            let nodes = &nodes;
            let create = move |node: usize| {
                let wanted = account(&format!("user-{number}-{node}"), &format!("device-{number}"));
                let accounts = &nodes[node].accounts;
                let made = accounts.create(wanted.clone());
                async move {
                    match made.await {
                        Ok(()) => (true, wanted),
                        Err(StoreError::LoginTaken) => {
                            (false, accounts.find(wanted.login_keys().remove(0)).await.unwrap().expect("made"))
                        }
                        other => panic!("{other:?}"),
                    }
                }
            };
            async move { tokio::join!(create(0), create(1)) }
        })
        .collect();
    for ((first_made, first), (second_made, second)) in join_all(attempts).await {
        assert_ne!(first_made, second_made);
        assert_eq!(first, second, "both log in to the same account");
    }
}

#[tokio::test]
async fn an_account_that_two_nodes_rename_has_one_name_and_the_other_names_are_free() {
    let (_servers, urls) = two_shards();
    let [one, two] = two_nodes(&urls);
    let alice = account("alice", "device-alice");
    one.accounts.create(alice.clone()).await.unwrap();
    for round in 0..40 {
        let names = [format!("one-{round}"), format!("two-{round}")];
        let (first, second) = tokio::join!(
            one.accounts.update(alice.id, rename(&names[0])),
            two.accounts.update(alice.id, rename(&names[1]))
        );
        assert_eq!((first.unwrap().username, second.unwrap().username), (name(&names[0]), name(&names[1])));
        let last = one.accounts.account(alice.id).await.unwrap().unwrap().username;
        for wanted in &names {
            let found = two.accounts.user_ids(vec![name(wanted)]).await.unwrap();
            let expected: &[UserId] = if name(wanted) == last { &[alice.id] } else { &[] };
            assert_eq!(found, expected, "{wanted} in round {round}");
            if expected.is_empty() {
                one.accounts.create(account(wanted, &format!("device-{wanted}"))).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_two_accounts_take_in_turn_never_belongs_to_both() {
    let (_servers, urls) = two_shards();
    let [one, two] = two_nodes(&urls);
    let accounts = [account("alice", "device-alice"), account("bob", "device-bob")];
    for account in &accounts {
        one.accounts.create(account.clone()).await.unwrap();
    }
    let juggle = async |stores: &RedisStores, user: UserId, own: &str| {
        let mut times = 0;
        while times < 40 {
            match stores.accounts.update(user, rename("ball")).await {
                Ok(_) => {
                    times += 1;
                    assert_eq!(stores.accounts.user_ids(vec![name("ball")]).await.unwrap(), [user], "it has it");
                    stores.accounts.update(user, rename(own)).await.unwrap();
                }
                Err(error) => assert_eq!(error, StoreError::UsernameTaken),
            }
        }
    };
    tokio::join!(juggle(&one, accounts[0].id, "alice"), juggle(&two, accounts[1].id, "bob"));
    assert_eq!(one.accounts.user_ids(vec![name("ball")]).await.unwrap(), []);
    assert_eq!(two.accounts.create(account("ball", "device-ball")).await, Ok(()));
}

#[tokio::test]
async fn a_claim_of_a_node_that_ended_is_taken_over_after_its_deadline() {
    let server = RedisServer::start();
    let [one, _] = two_nodes(&server.url());
    // A deadline in the past, within the difference of clocks; and one in the future.
    for deadline in [milliseconds() - 1000, milliseconds() + 60_000] {
        claim(&server, "ualice", deadline);
        let early = one.accounts.create(account("alice", "device-alice")).await;
        assert!(matches!(early, Err(StoreError::Unavailable(_))), "the claimant may be about to write: {early:?}");
        assert_eq!(one.accounts.user_ids(vec![name("alice")]).await.unwrap(), [], "no account has it yet");
    }
    // The login that the refused account had claimed is free.
    one.accounts.create(account("alicia", "device-alice")).await.unwrap();
    for claimed in ["ualice", "ddevice-2"] {
        claim(&server, claimed, milliseconds() - 11_000);
    }
    one.accounts.create(account("alice", "device-2")).await.unwrap();
    let found = one.accounts.find(LoginKey::Device("device-2".into())).await.unwrap().unwrap();
    assert_eq!(one.accounts.user_ids(vec![name("alice")]).await.unwrap(), [found.id]);
    let taken = one.accounts.create(account("alice", "device-3")).await;
    assert_eq!(taken, Err(StoreError::UsernameTaken), "no matter how old the claim is");
}

#[tokio::test]
async fn an_account_with_an_old_claim_keeps_its_name() {
    let server = RedisServer::start();
    let [one, two] = two_nodes(&server.url());
    let alice = account("alice", "device-alice");
    one.accounts.create(alice.clone()).await.unwrap();
    let keys = RedisKeys::new("hereabouts", Buckets::new(32));
    for claimed in ["ualice", "ddevice-alice"] {
        let (_, key) = keys.name(claimed);
        let old = format!("{} {}", alice.id.uuid().simple(), milliseconds() - 1_000_000);
        let () = server.command(&["SET", &key, &old]);
    }
    assert_eq!(two.accounts.create(account("alice", "device-2")).await, Err(StoreError::UsernameTaken));
    assert_eq!(two.accounts.create(account("other", "device-alice")).await, Err(StoreError::LoginTaken));
    let found = two.accounts.find(LoginKey::Device("device-alice".into())).await.unwrap();
    assert_eq!(found, Some(alice));
}
