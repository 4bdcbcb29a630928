//! Members with several devices that act at the same time.

mod nodes;

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::*;
use crate::config::{EngineConfig, Overrides, load};
use crate::dialect::tencent;
use crate::engine::tests::world::{Alarm, Client, PATIENCE, World, text};
use crate::engine::{ClusterHandle, LastSeenRecorder, Ports};
use crate::metrics::Metrics;
use crate::outbox::{Frame, Opening, OutboxReceiver, RequestTag};
use crate::presence::id::ConnectionId;
use crate::presence::member_record::LoginState;
use crate::presence::status::StatusText;
use crate::session::listing::{CatchUp, Listing, ListingKind, ListingReply};
use crate::store::StoreFuture;
use crate::store::relations::ChangedMember;
use crate::store::relations::memory::MemoryRelations;

/// One node with the member "alice" and her friends.
struct Node {
    world: World,
    members: Members,
    relations: Arc<GatedRelations>,
}

/// Relations that change, or acknowledge a change, only while the gate is open.
struct GatedRelations {
    relations: MemoryRelations,
    gate: Semaphore,
}

impl RelationStore for GatedRelations {
    fn change_member(&self, member: UserId, change: RelationChange) -> StoreFuture<'_, ChangedMember> {
        async move {
            let _open = self.gate.acquire().await.unwrap();
            self.relations.change_member(member, change).await
        }
        .boxed()
    }

    fn member(&self, member: UserId) -> StoreFuture<'_, MemberRecord> {
        self.relations.member(member)
    }

    fn login_states(&self, members: Vec<UserId>) -> StoreFuture<'_, Vec<LoginState>> {
        self.relations.login_states(members)
    }

    fn change_roster(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> StoreFuture<'_, Result<Roster, QuotaExceeded>> {
        async move {
            let altered = self.relations.change_roster(kind, owner, change).await;
            let _open = self.gate.acquire().await.unwrap();
            altered
        }
        .boxed()
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> StoreFuture<'_, Roster> {
        self.relations.roster(kind, owner)
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        self.relations.rosters(kind)
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.relations.close()
    }
}

/// A device with a written login that follows nobody yet.
struct PendingLogin {
    outbox: OutboxReceiver,
    login: Login,
    device_guard: DeviceGuard,
}

/// A logged-in device of "alice".
struct MemberDevice {
    members: Members,
    device: Client,
}

fn member() -> UserId {
    UserId::from_name("alice")
}

fn names(names: &[&str]) -> Vec<MemberName> {
    names.iter().map(|name| MemberName::new(name).unwrap()).collect()
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| UserId::from_name(name)).collect()
}

fn listing_reply(tag: &str, kind: ListingKind, names: Vec<MemberName>) -> Box<ListingReply> {
    let listing = Listing { kind, names, failures: Vec::new() };
    let tag = RequestTag(Some(tag.to_owned().into()));
    Box::new(ListingReply { protocol: tencent::protocol(), tag, listing })
}

impl Node {
    fn new() -> Self {
        Self::among(None, Arc::new(GatedRelations { relations: MemoryRelations::new(), gate: Semaphore::new(1) }))
    }

    fn among(nodes: Option<ClusterHandle>, relations: Arc<GatedRelations>) -> Self {
        let metrics = Metrics::new();
        let mut config = load(&Overrides::default(), std::collections::HashMap::new()).unwrap().tencent;
        config.friend_status_notification = true;
        let clock = Clock::system();
        let recorder = LastSeenRecorder::new(None, Duration::from_secs(27), &clock);
        let ports = Ports { nodes, ..Ports::open(recorder) };
        let engine_config = EngineConfig { shards: 2, max_users_per_shard: 1000 };
        let engine = Engine::start(&engine_config, ports, &clock, &metrics);
        let members = Members::start(&engine, relations.clone(), None, &config, &clock);
        Self { world: World { engine, metrics, connections: 1.into() }, members, relations }
    }

    fn outbox(&self) -> OutboxReceiver {
        let connection = ConnectionId::from_uuid(Uuid::from_u128(self.world.connections.get()));
        self.world.connections.set(self.world.connections.get() + 1);
        let opening = Opening { connection, username: None, status: Some(StatusText::empty()) };
        OutboxReceiver::new(opening, tencent::protocol().as_codec(), 1 << 20, &self.world.metrics)
    }

    async fn begins_login(&self) -> PendingLogin {
        let outbox = self.outbox();
        let (login, device_guard) = self.members.log_in(member(), outbox.address()).await.unwrap();
        PendingLogin { outbox, login, device_guard }
    }

    async fn completes(&self, pending: PendingLogin) -> MemberDevice {
        let PendingLogin { outbox, login, device_guard } = pending;
        let address = outbox.address().clone();
        let connection_handle =
            self.world.engine.attach(member(), address.clone()).await.unwrap().holding(device_guard);
        let own = names(&["alice"]);
        let listed = login.record.subscriptions.as_slice().iter().map(|one| &one.name);
        let names: Vec<MemberName> = own.iter().chain(listed).chain(&login.friends).cloned().collect();
        let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
        let kind =
            ListingKind::Login { heartbeat: Duration::from_secs(400), catch_up: vec![CatchUp::Nothing; names.len()] };
        outbox.await_snapshots(0, listing_reply("0", kind, names));
        self.members.activate(member(), &address, login, &users, 0);
        let (alarm, wakes) = Alarm::set();
        let engine = self.world.engine.clone();
        let device =
            Client { engine, connection_handle: Some(connection_handle), address, outbox, alarm, wakes, requests: 0 };
        let mut member = MemberDevice { members: self.members.clone(), device };
        assert_eq!(member.hears().await, "in");
        member
    }

    async fn logs_in(&self) -> MemberDevice {
        self.completes(self.begins_login().await).await
    }

    async fn login_state(&self) -> LoginState {
        self.relations.login_states(vec![member()]).await.unwrap().remove(0)
    }

    /// Returns when the user has handled every earlier message.
    async fn settles(&self, name: &str) {
        self.members.views(None, &users(&[name]), &KnownExits::new()).await.unwrap();
    }

    async fn until_lost(&self) {
        let lost = async {
            while !matches!(self.login_state().await, LoginState::Lost(_)) {
                tokio::task::yield_now().await;
            }
        };
        let lost = tokio::time::timeout(PATIENCE, lost).await;
        assert!(lost.is_ok(), "{:?}", self.login_state().await);
    }
}

impl MemberDevice {
    /// Follows written subscriptions.
    async fn follows(&mut self, record: MemberRecord, names: Vec<MemberName>) -> String {
        let id = self.device.request();
        let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
        self.device.outbox.await_snapshots(id, listing_reply("1", ListingKind::Subscription, names));
        self.members.follow(member(), &self.device.address, record, &users, &KnownExits::new(), id);
        self.hears().await
    }

    async fn subscribes(&mut self, users: &[&str]) -> String {
        let record = self.members.subscribe(member(), names(users)).await.unwrap();
        self.follows(record, names(users)).await
    }

    /// `in`, `reply[bob=1:away]`, `bob=1:away`.
    async fn hears(&mut self) -> String {
        let frame: Value = serde_json::from_str(&self.device.hears().await).unwrap();
        let words = |list: &Value| {
            let word = |one: &Value| {
                let [user, text] = ["userID", "customStatus"].map(|member| one[member].as_str().unwrap());
                format!("{user}={}:{text}", one["statusType"])
            };
            list.as_array().unwrap().iter().map(word).collect::<Vec<_>>().join(" ")
        };
        match &frame["result"] {
            Value::Null => words(&frame["params"]),
            result if result["heartbeatTimeout"].is_u64() => "in".into(),
            result => format!("reply[{}]", words(&result["successUserList"])),
        }
    }

    async fn logs_out(self) {
        self.members.log_out(member(), &self.device.address, Exit::LoggedOut).await;
    }
}

/// Shows a status and returns when all followers have it.
async fn shows(device: &mut Client, status: &str) {
    for status in [status, "last"] {
        device.sets(Some(status));
        while !device.hears().await.ends_with(&format!(":{status}")) {}
    }
}

#[actix_web::test]
async fn a_logout_counts_although_another_login_was_abandoned() {
    let node = Node::new();
    let phone = node.logs_in().await;
    drop(node.begins_login().await);
    phone.logs_out().await;
    let login_state = node.login_state().await;
    assert!(matches!(login_state, LoginState::LoggedOut(_)), "{login_state:?}");
}

#[actix_web::test]
async fn an_abandoned_login_is_lost() {
    let node = Node::new();
    drop(node.begins_login().await);
    node.until_lost().await;
}

#[actix_web::test]
async fn a_login_is_lost_when_its_session_ends_during_the_write() {
    let node = Node::new();
    let outbox = node.outbox();
    node.relations.gate.forget_permits(1);
    {
        let mut logging_in = Box::pin(node.members.log_in(member(), outbox.address()));
        assert!(futures_util::poll!(logging_in.as_mut()).is_pending());
    }
    node.relations.gate.add_permits(1);
    node.until_lost().await;
}

#[actix_web::test]
async fn a_new_device_follows_what_another_device_subscribed_to_during_the_login() {
    let node = Node::new();
    let mut bob = node.world.connects("bob", Some("")).await;
    let mut phone = node.logs_in().await;
    let laptop = node.begins_login().await;
    assert_eq!(phone.subscribes(&["bob"]).await, "reply[bob=1:]");
    let mut laptop = node.completes(laptop).await;
    node.settles("bob").await;
    bob.sets(Some("away"));
    assert_eq!(laptop.hears().await, "bob=1:away");
    assert_eq!(phone.hears().await, "bob=1:away");
}

#[actix_web::test]
async fn subscriptions_of_two_devices_at_once_reach_both_devices_in_any_order() {
    let node = Node::new();
    let mut bob = node.world.connects("bob", Some("")).await;
    let (mut phone, mut laptop) = (node.logs_in().await, node.logs_in().await);
    let earlier = node.members.subscribe(member(), names(&["bob"])).await.unwrap();
    assert_eq!(laptop.subscribes(&["carol"]).await, "reply[carol=3:]");
    assert_eq!(phone.follows(earlier, names(&["bob"])).await, "reply[bob=1:]");
    node.settles("bob").await;
    bob.sets(Some("away"));
    assert_eq!(laptop.hears().await, "bob=1:away");
    assert_eq!(phone.hears().await, "bob=1:away");
}

#[actix_web::test]
async fn a_subscription_that_takes_effect_after_its_end_is_answered_and_follows_nobody() {
    let node = Node::new();
    let (mut bob, mut carol) =
        (node.world.connects("bob", Some("")).await, node.world.connects("carol", Some("")).await);
    let mut phone = node.logs_in().await;
    phone.subscribes(&["carol"]).await;
    let laptop = node.logs_in().await;
    let earlier = node.members.subscribe(member(), names(&["bob"])).await.unwrap();
    laptop.members.unsubscribe(member(), Some(users(&["bob"]))).await.unwrap();
    assert_eq!(phone.follows(earlier, names(&["bob"])).await, "reply[bob=1:]");
    shows(&mut bob, "away").await;
    carol.sets(Some("back"));
    assert_eq!(phone.hears().await, "carol=1:back");
}

#[actix_web::test]
async fn a_new_device_does_not_follow_what_another_device_unsubscribed_during_the_login() {
    let node = Node::new();
    let (mut bob, mut carol) =
        (node.world.connects("bob", Some("")).await, node.world.connects("carol", Some("")).await);
    let mut phone = node.logs_in().await;
    phone.subscribes(&["bob", "carol"]).await;
    let laptop = node.begins_login().await;
    phone.members.unsubscribe(member(), Some(users(&["bob"]))).await.unwrap();
    let mut laptop = node.completes(laptop).await;
    shows(&mut bob, "away").await;
    carol.sets(Some("back"));
    assert_eq!(laptop.hears().await, "carol=1:back");
}

#[actix_web::test]
async fn a_new_device_with_older_friends_removes_nobody_from_the_other_devices() {
    let node = Node::new();
    let mut bob = node.world.connects("bob", Some("")).await;
    let mut phone = node.logs_in().await;
    let laptop = node.begins_login().await;
    let befriend = RosterEdit::Add(names(&["bob"]));
    node.members.alter(RosterKind::Friends, member(), befriend).await.unwrap();
    let mut laptop = node.completes(laptop).await;
    node.settles("bob").await;
    bob.sets(Some("away"));
    assert_eq!(laptop.hears().await, "bob=1:away");
    assert_eq!(phone.hears().await, "bob=1:away");
}
