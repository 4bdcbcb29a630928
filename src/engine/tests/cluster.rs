//! Several engines that share a backplane in memory.

mod blocked;

use std::sync::atomic::{AtomicBool, Ordering};

use blocked::BlockedBackplane;
use parking_lot::Mutex;

use super::*;
use crate::cluster::memory::{MemoryBackplane, MemoryHub};
use crate::cluster::{Backplane, Listener, NodeCommand};
use crate::engine::RemoteConnectionListener;
use crate::presence::remote::RemoteConnection;

/// Notes the connections of dead nodes.
#[derive(Default)]
struct Losses(Mutex<Vec<RemoteConnection>>);

impl RemoteConnectionListener for Losses {
    fn lost(&self, _: UserId, connection: RemoteConnection) {
        self.0.lock().push(connection);
    }

    fn returned(&self, _: UserId, _: RemoteConnection) {}
}

/// Nodes of one process. Each numbers its connections in its own range.
struct Cluster {
    worlds: Vec<World>,
    backplanes: Vec<Arc<MemoryBackplane>>,
    losses: Arc<Losses>,
    hub: MemoryHub,
}

impl Cluster {
    fn of(count: usize) -> Self {
        let hub = MemoryHub::new(&Clock::system());
        let (mut worlds, mut backplanes, losses) = (Vec::new(), Vec::new(), Arc::<Losses>::default());
        for number in 0..count {
            let listener = BackplaneListener::reporting_to(Some(losses.clone()));
            let backplane = Arc::new(hub.join(&format!("node {number}"), Arc::new(listener.clone())));
            backplanes.push(backplane.clone());
            let nodes = ClusterHandle {
                backplane,
                listener,
                drain_linger: Duration::from_secs(30),
                patience: Duration::from_secs(5),
            };
            let world = World::among(Some(nodes), EngineConfig { shards: 2, max_users_per_shard: 1000 });
            world.connections.set(1 + 1000 * number as u128);
            worlds.push(world);
        }
        Self { worlds, backplanes, losses, hub }
    }

    /// Adds a node with a backplane that can be blocked.
    fn blocked(&self) -> (World, Arc<BlockedBackplane>, BackplaneListener) {
        let listener = BackplaneListener::default();
        let inner = Arc::new(self.hub.join("blocked", Arc::new(listener.clone())));
        let blocked = Arc::new(BlockedBackplane { inner, knows: AtomicBool::new(true), asked: AtomicBool::default() });
        let nodes = ClusterHandle {
            backplane: blocked.clone(),
            listener: listener.clone(),
            drain_linger: Duration::ZERO,
            patience: Duration::from_secs(5),
        };
        (World::among(Some(nodes), EngineConfig { shards: 2, max_users_per_shard: 1000 }), blocked, listener)
    }

    async fn until(&self, holds: impl Fn() -> bool) {
        let arrived = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, arrived).await.expect("the condition does not hold in time");
    }
}

impl Client {
    /// Loses the connection, which then lingers.
    fn breaks(mut self, span: Duration) {
        if let Some(connection_handle) = &mut self.connection_handle {
            connection_handle.set_linger(span);
        }
        self.connection_handle = None;
    }
}

#[actix_web::test]
async fn a_follower_sees_connections_on_every_node() {
    let cluster = Cluster::of(3);
    let [one, two, three] = &cluster.worlds[..] else { panic!("three nodes") };
    let mut alice = one.connects("alice", None).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[]");
    let mut bob = two.connects("bob", Some("hi")).await;
    assert_eq!(alice.hears().await, "+bob:hi");
    let tablet = three.connects("bob", Some("tablet")).await;
    assert_eq!(alice.hears().await, "+bob:tablet");
    bob.sets(Some("away"));
    assert_eq!(alice.hears().await, "-bob:hi +bob:away");
    let mut late = three.connects("carol", None).await;
    late.follows(&["bob"]);
    assert_eq!(late.hears().await, "reply[bob:tablet bob:away]");
    tablet.disconnects();
    assert_eq!(alice.hears().await, "-bob:tablet");
    bob.sets(Some("away"));
    assert_eq!(alice.hears().await, "-bob:away +bob:away", "the same status again is delivered like any other");
    bob.disconnects();
    assert_eq!(alice.hears().await, "-bob:away");
    assert_eq!(late.hears().await, "-bob:tablet");
}

#[actix_web::test]
async fn a_notice_from_before_the_current_watch_does_not_count() {
    let cluster = Cluster::of(1);
    let _bob = cluster.worlds[0].connects("bob", Some("hi")).await;
    let (world, blocked, listener) = cluster.blocked();
    let mut alice = world.connects("alice", None).await;
    blocked.knows.store(false, Ordering::Relaxed);
    alice.follows(&["bob"]);
    cluster.until(|| blocked.asked.load(Ordering::Relaxed)).await;
    blocked.knows.store(true, Ordering::Relaxed);
    assert!(listener.changed(UserId::from_name("bob")));
    assert_eq!(alice.hears().await, "reply[bob:hi]");
}

#[actix_web::test]
async fn a_command_that_could_not_be_sent_is_sent_again() {
    let cluster = Cluster::of(1);
    let (world, blocked, _) = cluster.blocked();
    let mut remote_commands = cluster.worlds[0].engine.remote_commands().unwrap();
    blocked.knows.store(false, Ordering::Relaxed);
    let (user, command) = (UserId::from_name("bob"), NodeCommand::Subscriptions { revision: 3 });
    world.engine.send_to_nodes(user, command.clone()).await;
    blocked.knows.store(true, Ordering::Relaxed);
    let told = tokio::time::timeout(Duration::from_secs(5), remote_commands.commands.recv())
        .await
        .expect("no command in time");
    assert_eq!(told, Some((user, command)));
}

#[actix_web::test]
async fn questions_about_unknown_users_go_to_the_other_nodes() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.worlds[..] else { panic!("two nodes") };
    let _bob = two.connects("bob", Some("hi")).await;
    let _hidden = two.connects("hidden", None).await;
    let users: Vec<UserId> = ["bob", "hidden", "nobody"].map(UserId::from_name).to_vec();
    let online = one.engine.online(None, users.clone()).await.unwrap();
    assert_eq!(online.into_iter().collect::<Vec<_>>(), [users[0]]);
    let inspections = one.engine.inspect(users.clone()).await.unwrap();
    assert_eq!(inspections[&users[0]].connections[0].status, Some(text("hi")));
    assert_eq!(inspections[&users[1]].connections[0].status, None, "connected and invisible");
    assert_eq!(one.engine.visible(None, users[0]).await.unwrap().len(), 1);
    assert_eq!(one.engine.visible(None, users[1]).await.unwrap().len(), 0);
}

#[actix_web::test]
async fn any_node_closes_a_connection() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.worlds[..] else { panic!("two nodes") };
    let mut bob = two.connects("bob", None).await;
    let mut spared = two.connects("bob", None).await;
    let except = vec![spared.address.connection()];
    let close_request = CloseRequest::DisconnectWith(Arc::new((4001, "go".into())));
    let selection = Selection { only: None, except };
    one.engine.disconnect(UserId::from_name("bob"), selection, close_request.clone()).await.unwrap();
    bob.drains_until(|drained| drained.close_request == Some(close_request.clone())).await;
    one.engine.disconnect(UserId::from_name("bob"), Selection::default(), CloseRequest::Disconnected).await.unwrap();
    spared.drains_until(|drained| drained.close_request == Some(CloseRequest::Disconnected)).await;
}

#[actix_web::test]
async fn the_connection_quota_counts_all_nodes() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.worlds[..] else { panic!("two nodes") };
    let first = two.connects("bob", None).await;
    let second = one.connects("bob", None).await;
    let address = second.address.clone();
    let again = one.engine.attach_within(1, UserId::from_name("bob"), address).await;
    assert_eq!(again.err(), Some(EngineError::TooManyConnections));
    drop(first);
}

#[actix_web::test]
async fn connections_of_a_dead_node_leave() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.worlds[..] else { panic!("two nodes") };
    let mut alice = one.connects("alice", None).await;
    let _bob = two.connects("bob", Some("hi")).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[bob:hi]");
    cluster.backplanes[1].crash();
    assert_eq!(alice.hears().await, "-bob:hi");
}

#[actix_web::test]
async fn a_connection_that_ended_before_its_node_died_is_not_reported_lost() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.worlds[..] else { panic!("two nodes") };
    let mut alice = one.connects("alice", None).await;
    let phone = two.connects("bob", Some("phone")).await;
    let tablet = two.connects("bob", Some("tablet")).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[bob:phone bob:tablet]");
    let gone = tablet.address.connection();
    tablet.breaks(Duration::from_secs(3600));
    two.engine.settle().await;
    cluster.backplanes[1].crash();
    assert_eq!(alice.hears().await, "-bob:phone -bob:tablet");
    let lost: Vec<_> = cluster.losses.0.lock().iter().map(|connection| connection.id).collect();
    assert_eq!(lost, [phone.address.connection()], "{gone} has ended already");
}

#[actix_web::test]
async fn a_client_that_returns_in_time_on_another_node_never_left() {
    let cluster = Cluster::of(3);
    let [one, two, three] = &cluster.worlds[..] else { panic!("three nodes") };
    let mut alice = one.connects("alice", None).await;
    let bob = two.connects("bob", Some("hi")).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[bob:hi]");
    bob.breaks(Duration::from_secs(3600));
    let user = UserId::from_name("bob");
    cluster.until(|| cluster.backplanes[0].remote(user).is_some_and(|remote| !remote.lingering.is_empty())).await;
    let mut back = three.connects("bob", Some("hi")).await;
    back.sets(Some("back"));
    assert_eq!(alice.hears().await, "-bob:hi +bob:back", "the first event after the return");
    back.disconnects();
    assert_eq!(alice.hears().await, "-bob:back", "although the old connection lingers");
    let online = one.engine.online(None, vec![user]).await.unwrap();
    assert!(online.is_empty());
}

#[actix_web::test]
async fn a_drained_client_may_join_another_node_before_its_connection_ends() {
    let cluster = Cluster::of(3);
    let [one, two, three] = &cluster.worlds[..] else { panic!("three nodes") };
    let mut alice = one.connects("alice", None).await;
    let mut bob = two.connects("bob", Some("hi")).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[bob:hi]");
    two.engine.refuse_new();
    two.engine.close_all(CloseRequest::Drain);
    bob.drains_until(|drained| drained.close_request == Some(CloseRequest::Drain)).await;
    let mut back = three.connects("bob", Some("hi")).await;
    bob.breaks(Duration::from_secs(30));
    two.engine.settle().await;
    back.sets(Some("back"));
    assert_eq!(alice.hears().await, "-bob:hi +bob:back", "the first event after the return");
    back.disconnects();
    assert_eq!(alice.hears().await, "-bob:back");
}

#[actix_web::test]
async fn a_lost_connection_lingers_and_then_leaves() {
    let world = World::new();
    let mut alice = world.connects("alice", None).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[]");
    for _ in 0..2 {
        let bob = world.connects("bob", Some("hi")).await;
        assert_eq!(alice.hears().await, "+bob:hi");
        bob.breaks(Duration::from_secs(3600));
        let mut back = world.connects("bob", None).await;
        back.sets(Some("hi"));
        back.sets(Some("there"));
        assert_eq!(alice.hears().await, "-bob:hi +bob:there");
        back.breaks(Duration::from_millis(20));
        assert_eq!(alice.hears().await, "-bob:there");
    }
    alice.unfollows("bob");
    assert_eq!(alice.hears().await, "done");
    drop(alice);
    world.until(0, |metrics| metrics.engine().users.get()).await;
}

#[actix_web::test]
async fn retired_users_are_no_longer_watched() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.worlds[..] else { panic!("two nodes") };
    let mut alice = one.connects("alice", None).await;
    let bob = two.connects("bob", Some("hi")).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[bob:hi]");
    let user = UserId::from_name("bob");
    assert!(cluster.backplanes[0].remote(user).is_some());
    alice.unfollows("bob");
    assert_eq!(alice.hears().await, "done");
    drop(alice);
    one.until(0, |metrics| metrics.engine().users.get()).await;
    assert!(cluster.backplanes[0].remote(user).is_none(), "still watched");
    drop(bob);
    two.until(0, |metrics| metrics.engine().users.get()).await;
    cluster.hub.sweep();
    assert_eq!(
        cluster.backplanes[0].query(vec![user]).await.unwrap().get(&user).map_or(0, |one| one.connections.len()),
        0
    );
}

#[actix_web::test]
async fn a_replaced_actor_knows_the_other_nodes_again() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.worlds[..] else { panic!("two nodes") };
    let mut alice = one.connects("alice", None).await;
    let mut bob = two.connects("bob", Some("hi")).await;
    let _tablet = one.connects("bob", Some("tablet")).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[bob:hi bob:tablet]");
    one.engine.inject_panic(UserId::from_name("bob"));
    one.until(1, |metrics| metrics.engine().recovered.get().try_into().unwrap()).await;
    bob.sets(Some("away"));
    assert_eq!(alice.hears().await, "-bob:hi +bob:away", "the first event after the recovery");
}
