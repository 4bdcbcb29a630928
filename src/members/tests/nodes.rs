//! One member with devices on several nodes.

use super::*;
use crate::cluster::memory::{MemoryBackplane, MemoryHub};
use crate::cluster::{Backplane, Listener};
use crate::engine::BackplaneListener;

/// Two nodes with the same relations.
struct Pair {
    nodes: [Node; 2],
    listeners: [BackplaneListener; 2],
    backplanes: [Arc<MemoryBackplane>; 2],
}

impl Pair {
    fn new() -> Self {
        let hub = MemoryHub::new(&Clock::system());
        let relations = Arc::new(GatedRelations { relations: MemoryRelations::new(), gate: Semaphore::new(1) });
        let listeners = [BackplaneListener::default(), BackplaneListener::default()];
        let join = |number: usize| Arc::new(hub.join(&format!("node {number}"), Arc::new(listeners[number].clone())));
        let backplanes = [join(0), join(1)];
        let node = |number: usize| {
            let (backplane, listener) = (backplanes[number].clone(), listeners[number].clone());
            let cluster = ClusterHandle {
                backplane,
                listener,
                drain_linger: Duration::from_secs(30),
                patience: Duration::from_secs(5),
            };
            let node = Node::among(Some(cluster), relations.clone());
            node.world.connections.set(1 + 1000 * number as u128);
            node
        };
        let nodes = [node(0), node(1)];
        Self { nodes, listeners, backplanes }
    }
}

async fn until(holds: impl AsyncFn() -> bool) {
    let arrived = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.expect("the condition does not hold in time");
}

#[actix_web::test]
async fn a_subscription_of_one_device_reaches_the_devices_on_other_nodes() {
    let pair = Pair::new();
    let [one, two] = &pair.nodes;
    let mut bob = one.world.connects("bob", Some("hi")).await;
    let (mut phone, mut tablet) = (one.logs_in().await, two.logs_in().await);
    assert_eq!(phone.subscribes(&["bob"]).await, "reply[bob=1:hi]");
    until(async || pair.backplanes[1].remote(UserId::from_name("bob")).is_some()).await;
    two.settles("bob").await;
    bob.sets(Some("away"));
    assert_eq!(phone.hears().await, "bob=1:away");
    assert_eq!(tablet.hears().await, "bob=1:away");
    two.members.unsubscribe(member(), None).await.unwrap();
    until(async || one.world.engine.inspect(users(&["bob"])).await.is_ok() && revisions(one).await == [2]).await;
    one.settles("bob").await;
    shows(&mut bob, "unseen").await;
    assert_eq!(phone.subscribes(&["bob"]).await, "reply[bob=1:last]", "bob changed in between");
}

/// The revisions of the member's subscriptions that a node knows.
async fn revisions(node: &Node) -> Vec<u64> {
    let (answer, revisions) = oneshot::channel();
    node.members.0.shards.of(member()).deliver(ToMemberShard::Revisions { member: Some(member()), answer });
    revisions.await.unwrap().into_iter().map(|(_, revision)| revision).collect()
}

#[actix_web::test]
async fn a_member_is_logged_in_until_its_last_device_has_left_the_last_node() {
    let pair = Pair::new();
    let [one, two] = &pair.nodes;
    let (phone, tablet) = (one.logs_in().await, two.logs_in().await);
    tablet.logs_out().await;
    assert_eq!(one.login_state().await, LoginState::In);
    phone.logs_out().await;
    assert!(matches!(one.login_state().await, LoginState::LoggedOut(_)));
    let (phone, _tablet) = (one.logs_in().await, two.logs_in().await);
    pair.backplanes[1].crash();
    phone.logs_out().await;
    assert!(matches!(one.login_state().await, LoginState::LoggedOut(_)), "the other node is dead");
}

#[actix_web::test]
async fn calls_are_counted_over_all_nodes() {
    let pair = Pair::new();
    let [one, two] = &pair.nodes;
    for number in 0..20 {
        pair.nodes[number % 2].members.count(member(), Call::Query).await.unwrap();
    }
    for node in [one, two] {
        let refused = node.members.count(member(), Call::Query).await;
        assert!(matches!(refused, Err(MemberError::TooOften(often)) if often.limit == 20), "{refused:?}");
        node.members.count(member(), Call::Subscribe).await.unwrap();
    }
}

#[actix_web::test]
async fn a_block_takes_effect_although_the_caller_has_gone() {
    let pair = Pair::new();
    let [one, two] = &pair.nodes;
    let _bob = one.world.connects("bob", Some("hi")).await;
    let mut tablet = two.logs_in().await;
    assert_eq!(tablet.subscribes(&["bob"]).await, "reply[bob=1:hi]");
    let closed = one.relations.gate.acquire().await.unwrap();
    let block = one.members.alter(RosterKind::Blocked, UserId::from_name("bob"), RosterEdit::Add(names(&["alice"])));
    let mut block = Box::pin(block);
    assert_eq!((&mut block).now_or_never(), None);
    tokio::task::yield_now().await;
    drop(block);
    drop(closed);
    assert_eq!(tablet.hears().await, "bob=3:");
}

#[actix_web::test]
async fn a_block_hides_on_every_node_at_once_and_after_lost_messages() {
    let pair = Pair::new();
    let [one, two] = &pair.nodes;
    let _bob = one.world.connects("bob", Some("hi")).await;
    let mut tablet = two.logs_in().await;
    assert_eq!(tablet.subscribes(&["bob"]).await, "reply[bob=1:hi]");
    let bob = UserId::from_name("bob");
    one.members.alter(RosterKind::Blocked, bob, RosterEdit::Add(names(&["alice"]))).await.unwrap();
    assert_eq!(tablet.hears().await, "bob=3:");
    one.members.alter(RosterKind::Blocked, bob, RosterEdit::Remove(vec![member()])).await.unwrap();
    assert_eq!(tablet.hears().await, "bob=1:hi");
    // Changed without a command to this node.
    let add = RosterChange::Add(names(&["alice"]), crate::presence::quota::Quota::new(9));
    two.relations.change_roster(RosterKind::Blocked, bob, add).await.unwrap().unwrap();
    pair.listeners[1].missed();
    assert_eq!(tablet.hears().await, "bob=3:");
}

#[actix_web::test]
async fn a_custom_status_of_a_member_shows_on_all_its_devices() {
    let pair = Pair::new();
    let [one, two] = &pair.nodes;
    let mut carol = one.world.connects("carol", None).await;
    carol.follows(&["alice"]);
    assert_eq!(carol.hears().await, "reply[]");
    let (mut phone, mut tablet) = (one.logs_in().await, two.logs_in().await);
    let id = phone.device.request();
    phone.device.outbox.await_status(id, vec![Frame::text("done")]);
    phone.device.connection_handle.as_ref().unwrap().set_custom(Some(text("busy")), id).unwrap();
    assert_eq!(phone.device.hears().await, "done");
    assert_eq!(phone.hears().await, "alice=1:busy");
    assert_eq!(tablet.hears().await, "alice=1:busy");
    let shown = two.members.views(None, &users(&["alice"]), &KnownExits::new()).await.unwrap();
    assert_eq!(shown[0].presences.iter().filter(|one| one.status == text("busy")).count(), 2);
}
