//! The contract of the account stores, run against each of them.

use std::sync::Arc;

use futures_util::future::join_all;

use super::memory::MemoryAccounts;
use super::{Account, AccountStore, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::database::EmbeddedDatabase;
use crate::store::redis::tests::every_redis;

fn name(text: &str) -> Username {
    Username::new(text).unwrap()
}

fn custom(text: &str) -> LoginKey {
    LoginKey::Custom(text.into())
}

fn account(username: &str, key: LoginKey) -> Account {
    Account::new(name(username), key, None, Timestamp::from_secs(1_795_220_273))
}

async fn with_every_store(contract: impl AsyncFn(Arc<dyn AccountStore>)) {
    contract(Arc::new(MemoryAccounts::new())).await;
    let folder = tempfile::tempdir().unwrap();
    let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
    contract(Arc::new(database.accounts().unwrap())).await;
    for shared in every_redis() {
        contract(Arc::new(shared.open().accounts)).await;
    }
}

#[actix_web::test]
async fn an_account_is_found_by_id_login_and_username() {
    with_every_store(async |store| {
        let alice = account("alice", custom("custom-alice"));
        store.create(alice.clone()).await.unwrap();
        assert_eq!(store.account(alice.id).await.unwrap().as_ref(), Some(&alice));
        assert_eq!(store.find(custom("custom-alice")).await.unwrap().as_ref(), Some(&alice));
        assert_eq!(store.find(LoginKey::Device("custom-alice".into())).await, Ok(None), "a login of another kind");
        assert_eq!(store.find(custom("custom")).await, Ok(None));
        assert_eq!(store.account(UserId::random()).await, Ok(None));
        let ids = store.user_ids(vec![name("nobody"), name("alice"), name("ALICE")]).await;
        assert_eq!(ids.unwrap(), [alice.id]);
    })
    .await;
}

#[actix_web::test]
async fn logins_and_usernames_are_taken_once_and_a_refusal_changes_nothing() {
    with_every_store(async |store| {
        store.create(account("alice", custom("one"))).await.unwrap();
        assert_eq!(store.create(account("bob", custom("one"))).await, Err(StoreError::LoginTaken));
        assert_eq!(store.create(account("alice", custom("two"))).await, Err(StoreError::UsernameTaken));
        assert_eq!(store.find(custom("two")).await, Ok(None));
        assert_eq!(store.user_ids(vec![name("bob")]).await.unwrap(), []);
        assert!(store.create(account("bob", LoginKey::Device("one".into()))).await.is_ok());
    })
    .await;
}

#[actix_web::test]
async fn a_profile_changes_and_a_rename_frees_the_old_name() {
    with_every_store(async |store| {
        let alice = account("alice", custom("one"));
        store.create(alice.clone()).await.unwrap();
        store.create(account("bob", custom("two"))).await.unwrap();
        let at = Timestamp::from_secs(1_795_220_300);
        let rename = |to: &str| ProfileChange { username: Some(name(to)), at, ..ProfileChange::default() };
        assert_eq!(store.update(alice.id, rename("bob")).await, Err(StoreError::UsernameTaken));
        let display = ProfileChange { display_name: Some("Alice!".into()), ..rename("alicia") };
        let changed = store.update(alice.id, display).await.unwrap();
        assert_eq!((changed.username.as_str(), changed.profile.display_name.as_str()), ("alicia", "Alice!"));
        assert_eq!((changed.updated, changed.created), (at, alice.created));
        assert_eq!(store.account(alice.id).await.unwrap(), Some(changed));
        assert!(store.create(account("alice", custom("three"))).await.is_ok(), "the old name is not free");
        assert!(store.update(alice.id, rename("alicia")).await.is_ok(), "a rename to the own name");
        assert_eq!(store.update(UserId::random(), rename("x")).await, Err(StoreError::NoAccount));
    })
    .await;
}

#[actix_web::test]
async fn of_many_concurrent_creations_each_name_is_given_once() {
    with_every_store(async |store| {
        let creations = (0..1000).map(|number| {
            let account = account(&format!("user-{}", number % 500), custom(&format!("custom-{number}")));
            let store = store.clone();
            async move { store.create(account).await }
        });
        let results = join_all(creations).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 500);
        assert_eq!(results.iter().filter(|result| **result == Err(StoreError::UsernameTaken)).count(), 500);
    })
    .await;
}

#[actix_web::test]
async fn a_closed_store_refuses_writes() {
    with_every_store(async |store| {
        store.close().await.unwrap();
        assert_eq!(store.create(account("alice", custom("one"))).await, Err(StoreError::Closed));
        assert_eq!(store.close().await, Ok(()), "closed twice");
    })
    .await;
}

#[actix_web::test]
async fn accounts_on_disk_are_there_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let alice = account("alice", LoginKey::Email("alice@example.com".into()));
    {
        let database = EmbeddedDatabase::open_in(folder.path()).unwrap();
        let store = database.accounts().unwrap();
        store.create(alice.clone()).await.unwrap();
        assert_eq!(EmbeddedDatabase::open_in(folder.path()).err(), Some(StoreError::InUse));
        store.close().await.unwrap();
    }
    let reopened = loop {
        match EmbeddedDatabase::open_in(folder.path()) {
            // The writer's thread releases the database a moment after the store is dropped.
            Err(StoreError::InUse) => actix_web::rt::task::yield_now().await,
            other => break other.unwrap().accounts().unwrap(),
        }
    };
    assert_eq!(reopened.find(LoginKey::Email("alice@example.com".into())).await.unwrap(), Some(alice));
}
