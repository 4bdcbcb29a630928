//! Accounts with several devices, which do things at once.

mod nodes;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::*;
use crate::config::{Overrides, load};
use crate::outbox::{CatchUp, Listing, ListingKind};
use crate::presence::general_status::Exit;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::store::relations::{RelationChanged, RelationStore, RosterChange};
use crate::store::{Answer, StoreError};

struct Club {
    world: World,
    members: Members,
    relations: Arc<Gated>,
}

/// Ties that change, or say that they have, only while the gate is open.
struct Gated {
    relations: MemoryRelations,
    gate: Semaphore,
}

impl RelationStore for Gated {
    fn change(&self, member: UserId, change: RelationChange) -> Answer<'_, RelationChanged> {
        async move {
            let _open = self.gate.acquire().await.unwrap();
            self.relations.change(member, change).await
        }
        .boxed()
    }

    fn standing(&self, member: UserId) -> Answer<'_, MemberRecord> {
        self.relations.standing(member)
    }

    fn login_states(&self, members: Vec<UserId>) -> Answer<'_, Vec<LoginState>> {
        self.relations.login_states(members)
    }

    fn alter(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> Answer<'_, Result<Roster, QuotaExceeded>> {
        async move {
            let altered = self.relations.alter(kind, owner, change).await;
            let _open = self.gate.acquire().await.unwrap();
            altered
        }
        .boxed()
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Answer<'_, Roster> {
        self.relations.roster(kind, owner)
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        self.relations.rosters(kind)
    }

    fn close(&self) -> Answer<'_, ()> {
        self.relations.close()
    }
}

/// A login of which everything is read, and nothing followed yet.
struct Entering {
    address: Address,
    arrived: Arrived,
    device_guard: DeviceGuard,
}

/// A device of the account "alice", which is logged in.
struct Member {
    members: Members,
    device: super::Device,
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

impl Club {
    fn new() -> Self {
        Self::among(None, Arc::new(Gated { relations: MemoryRelations::new(), gate: Semaphore::new(1) }))
    }

    fn among(nodes: Option<ClusterHandle>, relations: Arc<Gated>) -> Self {
        let metrics = Metrics::new();
        let mut config = load(&Overrides::default(), std::collections::HashMap::new()).unwrap().tencent;
        config.friend_status_notification = true;
        let recorder = LastSeenRecorder::new(None, Duration::from_secs(27), &Clock::system());
        let (registry, shared_privacy) = (MemberLimits::new(relations.clone(), &config), SharedPrivacy::default());
        let ports = Ports { registry, shared_privacy: shared_privacy.clone(), nodes, ..Ports::open(recorder) };
        let engine_config = EngineConfig { shards: 2, max_users_per_shard: 1000 };
        let engine = Engine::start(&engine_config, ports, &Clock::system(), &metrics);
        let members = Members::new(engine.clone(), relations.clone(), None, shared_privacy, &config);
        Self { world: World { engine, metrics, connections: 1.into() }, members, relations }
    }

    fn address(&self) -> Address {
        let connection = ConnectionId::from_uuid(Uuid::from_u128(self.world.connections.get()));
        self.world.connections.set(self.world.connections.get() + 1);
        let opening = Opening { connection, username: None, status: Some(StatusText::empty()) };
        Address::new(opening, crate::dialect::tencent::protocol().as_codec(), 1 << 20, &self.world.metrics)
    }

    async fn begins(&self) -> Entering {
        let address = self.address();
        let (arrived, device_guard) = self.members.arrive(member(), &address).await.unwrap();
        Entering { address, arrived, device_guard }
    }

    async fn enters(&self, entering: Entering) -> Member {
        let Entering { address, arrived, device_guard } = entering;
        let connection_handle =
            self.world.engine.attach(member(), address.clone()).await.unwrap().of_account(device_guard);
        let own = names(&["alice"]);
        let listed = arrived.standing.subscriptions.as_slice().iter().map(|one| &one.name);
        let names: Vec<MemberName> = own.iter().chain(listed).chain(&arrived.friends).cloned().collect();
        let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
        let kind =
            ListingKind::Login { heartbeat: Duration::from_secs(400), catch_up: vec![CatchUp::Nothing; names.len()] };
        address.await_listing(0, RequestTag(Some("0".into())), Listing { kind, names, failures: Vec::new() });
        self.members.enter(member(), &address, arrived, &users, 0);
        let (alarm, wakes) = Alarm::set();
        let engine = self.world.engine.clone();
        let device =
            super::Device { engine, connection_handle: Some(connection_handle), address, alarm, wakes, requests: 0 };
        let mut member = Member { members: self.members.clone(), device };
        assert_eq!(member.hears().await, "in");
        member
    }

    async fn logs_in(&self) -> Member {
        self.enters(self.begins().await).await
    }

    async fn login_states(&self) -> LoginState {
        self.relations.login_states(vec![member()]).await.unwrap().remove(0)
    }

    /// What was asked of this user until here has reached it.
    async fn settles(&self, name: &str) {
        self.members.views(None, &users(&[name]), &Exits::new()).await.unwrap();
    }

    async fn until_lost(&self) {
        let lost = async {
            while !matches!(self.login_states().await, LoginState::Lost(_)) {
                tokio::task::yield_now().await;
            }
        };
        let lost = tokio::time::timeout(PATIENCE, lost).await;
        assert!(lost.is_ok(), "{:?}", self.login_states().await);
    }
}

impl Member {
    /// Has subscriptions, which are written down, followed.
    async fn follows(&mut self, standing: MemberRecord, names: Vec<MemberName>) -> String {
        let id = self.device.request();
        let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
        let listing = Listing { kind: ListingKind::Subscription, names, failures: Vec::new() };
        self.device.address.await_listing(id, RequestTag(Some("1".into())), listing);
        self.members.follow(member(), &self.device.address, standing, &users, &Exits::new(), id);
        self.hears().await
    }

    async fn subscribes(&mut self, users: &[&str]) -> String {
        let standing = self.members.subscribe(member(), names(users)).await.unwrap();
        self.follows(standing, names(users)).await
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
        self.members.depart(member(), &self.device.address, Exit::LoggedOut).await;
    }
}

/// Shows this, and has told everybody that before.
async fn shows(device: &mut super::Device, status: &str) {
    for status in [status, "last"] {
        device.sets(Some(status));
        while !device.hears().await.ends_with(&format!(":{status}")) {}
    }
}

#[actix_web::test]
async fn a_logout_counts_also_where_another_login_was_given_up_on_its_way() {
    let club = Club::new();
    let phone = club.logs_in().await;
    drop(club.begins().await);
    phone.logs_out().await;
    let login_states = club.login_states().await;
    assert!(matches!(login_states, LoginState::LoggedOut(_)), "{login_states:?}");
}

#[actix_web::test]
async fn a_login_that_was_given_up_is_lost_and_not_there_for_ever() {
    let club = Club::new();
    drop(club.begins().await);
    club.until_lost().await;
}

#[actix_web::test]
async fn so_is_one_whose_session_never_heard_that_it_was_written_down() {
    let club = Club::new();
    let address = club.address();
    club.relations.gate.forget_permits(1);
    {
        let mut arriving = Box::pin(club.members.arrive(member(), &address));
        assert!(futures_util::poll!(arriving.as_mut()).is_pending());
    }
    club.relations.gate.add_permits(1);
    club.until_lost().await;
}

#[actix_web::test]
async fn a_device_that_comes_in_misses_nobody_whom_another_subscribed_to_meanwhile() {
    let club = Club::new();
    let mut bob = club.world.connects("bob", Some("")).await;
    let mut phone = club.logs_in().await;
    let laptop = club.begins().await;
    assert_eq!(phone.subscribes(&["bob"]).await, "reply[bob=1:]");
    let mut laptop = club.enters(laptop).await;
    club.settles("bob").await;
    bob.sets(Some("away"));
    assert_eq!(laptop.hears().await, "bob=1:away");
    assert_eq!(phone.hears().await, "bob=1:away");
}

#[actix_web::test]
async fn what_two_devices_subscribe_to_at_once_both_hear_of_whoever_is_heard_first() {
    let club = Club::new();
    let mut bob = club.world.connects("bob", Some("")).await;
    let (mut phone, mut laptop) = (club.logs_in().await, club.logs_in().await);
    let earlier = club.members.subscribe(member(), names(&["bob"])).await.unwrap();
    assert_eq!(laptop.subscribes(&["carol"]).await, "reply[carol=3:]");
    assert_eq!(phone.follows(earlier, names(&["bob"])).await, "reply[bob=1:]");
    club.settles("bob").await;
    bob.sets(Some("away"));
    assert_eq!(laptop.hears().await, "bob=1:away");
    assert_eq!(phone.hears().await, "bob=1:away");
}

#[actix_web::test]
async fn a_subscription_that_is_carried_out_after_its_end_is_answered_and_follows_nobody() {
    let club = Club::new();
    let (mut bob, mut carol) =
        (club.world.connects("bob", Some("")).await, club.world.connects("carol", Some("")).await);
    let mut phone = club.logs_in().await;
    phone.subscribes(&["carol"]).await;
    let laptop = club.logs_in().await;
    let earlier = club.members.subscribe(member(), names(&["bob"])).await.unwrap();
    laptop.members.unsubscribe(member(), Some(users(&["bob"]))).await.unwrap();
    assert_eq!(phone.follows(earlier, names(&["bob"])).await, "reply[bob=1:]");
    shows(&mut bob, "away").await;
    carol.sets(Some("back"));
    assert_eq!(phone.hears().await, "carol=1:back");
}

#[actix_web::test]
async fn a_device_that_comes_in_does_not_follow_whom_another_ended_meanwhile() {
    let club = Club::new();
    let (mut bob, mut carol) =
        (club.world.connects("bob", Some("")).await, club.world.connects("carol", Some("")).await);
    let mut phone = club.logs_in().await;
    phone.subscribes(&["bob", "carol"]).await;
    let laptop = club.begins().await;
    phone.members.unsubscribe(member(), Some(users(&["bob"]))).await.unwrap();
    let mut laptop = club.enters(laptop).await;
    shows(&mut bob, "away").await;
    carol.sets(Some("back"));
    assert_eq!(laptop.hears().await, "carol=1:back");
}

#[actix_web::test]
async fn a_device_that_comes_in_with_older_friends_takes_nobody_from_the_others() {
    let club = Club::new();
    let mut bob = club.world.connects("bob", Some("")).await;
    let mut phone = club.logs_in().await;
    let laptop = club.begins().await;
    let befriend = Edit::Add(names(&["bob"]));
    club.members.alter(RosterKind::Friends, member(), befriend).await.unwrap();
    let mut laptop = club.enters(laptop).await;
    club.settles("bob").await;
    bob.sets(Some("away"));
    assert_eq!(laptop.hears().await, "bob=1:away");
    assert_eq!(phone.hears().await, "bob=1:away");
}
