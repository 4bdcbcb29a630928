//! One user on three nodes. Each node has its own state machine and receives the reports of the others at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use crate::presence::dialect::Dialect;
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::general_status::{Exit, GeneralStatus};
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::linger::Linger;
use crate::presence::remote::{CustomStatus, Remote, RemoteConnection};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::presence::user::{Connection, Effects, Event, UserPresence};

const NODES: usize = 3;
const LINGER: Duration = Duration::from_secs(10);

fn id(number: u8) -> ConnectionId {
    ConnectionId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

fn text(status: &str) -> StatusText {
    StatusText::new(status).unwrap()
}

/// What a node reports of the user.
#[derive(Clone, Debug, Default)]
struct Record {
    connections: Vec<RemoteConnection>,
    lingering: bool,
    superseded: Vec<ConnectionId>,
    custom: CustomStatus,
}

/// One node: the state machine, and a follower that applies every diff.
struct Node {
    machine: UserPresence<u8>,
    view: BTreeMap<ConnectionId, StatusText>,
    told: Snapshot,
    /// The node drains: the other nodes treat its connections as lingering.
    drains: bool,
    /// All published diffs, for tests that expect none.
    diffs: Vec<Diff>,
}

impl Node {
    fn new() -> Self {
        let mut machine = UserPresence::new(UserId::from_name("bob"));
        machine.handle(Event::Followed(200), Timestamp::default());
        let told = machine.snapshot();
        Self { machine, view: BTreeMap::new(), told, drains: false, diffs: Vec::new() }
    }

    fn takes(&mut self, event: Event<u8>, now: Timestamp) {
        let Effects { notify, .. } = self.machine.handle(event, now);
        let Some(diff) = notify else { return };
        assert!(diff.version > self.told.version, "a view went backwards");
        for leave in &diff.leaves {
            let was = self.view.remove(&leave.connection);
            assert_eq!(was.as_ref(), Some(&leave.status), "a leave of what was not there: {diff:?}");
        }
        for join in &diff.joins {
            let before = self.view.insert(join.connection, join.status.clone());
            assert_eq!(before, None, "a join over what was there: {diff:?}");
        }
        self.told = self.machine.snapshot();
        self.diffs.push(diff);
    }

    fn record(&self) -> Record {
        Record {
            connections: self.machine.report(|_| None),
            lingering: self.drains
                || (self.machine.connections().is_empty() && self.machine.linger_deadlines().is_some()),
            superseded: self.machine.superseded(),
            custom: self.machine.custom_status(),
        }
    }

    fn shows(&self) -> Vec<(ConnectionId, String)> {
        let presences = self.machine.snapshot().presences;
        presences.iter().map(|one| (one.connection, one.status.as_str().to_owned())).collect()
    }
}

struct Cluster {
    nodes: Vec<Node>,
    /// The last report of each node.
    records: Vec<Record>,
    now: Timestamp,
}

impl Cluster {
    fn new() -> Self {
        let nodes = (0..NODES).map(|_| Node::new()).collect();
        Self { nodes, records: vec![Record::default(); NODES], now: Timestamp::from_secs(1000) }
    }

    fn on(&mut self, node: usize, event: Event<u8>) {
        self.now = self.now + Duration::from_millis(1);
        self.nodes[node].takes(event, self.now);
        self.records[node] = self.nodes[node].record();
    }

    /// Merges reports like the table of remote records.
    fn remote(&self, node: usize) -> Remote {
        let others = || self.records.iter().enumerate().filter(|(other, _)| *other != node).map(|(_, record)| record);
        let superseded: Vec<ConnectionId> = others().flat_map(|record| record.superseded.clone()).collect();
        let mut live: Vec<RemoteConnection> = Vec::new();
        let mut lingering = Vec::new();
        let mut there: Vec<_> = others().filter(|record| !record.lingering).flat_map(|one| &one.connections).collect();
        there.sort_by_key(|connection| connection.id);
        for connection in there {
            if !live.iter().any(|one| one.shown() == connection.shown()) {
                live.push(connection.clone());
            }
        }
        let mut left: Vec<_> = others().filter(|record| record.lingering).flat_map(|one| &one.connections).collect();
        left.sort_by_key(|connection| std::cmp::Reverse((connection.since, connection.id)));
        for connection in left {
            let shown = connection.shown();
            if !superseded.contains(&shown) && !live.iter().any(|one| one.shown() == shown) {
                live.push(connection.clone());
                lingering.push(shown);
            }
        }
        live.sort_by_key(RemoteConnection::shown);
        let custom = others().map(|record| record.custom.clone()).max_by_key(|custom| custom.since).unwrap_or_default();
        let (version, last_exit) = (self.now.as_micros(), Some(Exit::Lost));
        Remote { version, connections: live, lingering, superseded, last_exit, custom }
    }

    fn hears(&mut self, node: usize) {
        let remote = self.remote(node);
        let devices = self.nodes[node].machine.connections().iter();
        let devices = devices.filter(|known| known.dialect == DEVICE).map(|known| known.id).collect();
        self.on(node, Event::RemoteChanged { remote, devices });
    }

    fn all_hear(&mut self) {
        // A custom status is passed on by each node that receives it.
        for _ in 0..4 {
            (0..NODES).for_each(|node| self.hears(node));
        }
    }

    fn connects(&mut self, node: usize, number: u8, dialect: Dialect, status: Option<&str>) {
        let since = Timestamp::default();
        let status = status.map(text);
        let connection = Connection { id: id(number), username: None, status, since, dialect, address: number };
        self.on(node, Event::Connected(connection));
    }

    fn breaks(&mut self, node: usize, number: u8) {
        let linger = Some(Linger { span: LINGER, info: None });
        self.on(node, Event::Disconnected { connection: id(number), exit: Exit::Lost, linger });
    }

    fn closes(&mut self, node: usize, number: u8) {
        self.on(node, Event::Disconnected { connection: id(number), exit: Exit::LoggedOut, linger: None });
    }

    fn no_follower_was_notified_after(&self, counts: &[usize]) {
        for (node, count) in self.nodes.iter().zip(counts) {
            assert_eq!(node.diffs[*count..], []);
        }
    }

    fn counts(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.diffs.len()).collect()
    }
}

const PHONE: Dialect = Dialect::Nakama;
const DEVICE: Dialect = Dialect::Tencent;

#[test]
fn a_client_that_returns_in_time_on_another_node_was_never_absent() {
    let mut cluster = Cluster::new();
    cluster.connects(0, 1, PHONE, Some("away"));
    cluster.all_hear();
    let counts = cluster.counts();
    cluster.breaks(0, 1);
    cluster.all_hear();
    cluster.connects(1, 2, PHONE, None);
    cluster.on(1, Event::StatusSet { connection: id(2), status: Some(text("away")) });
    cluster.all_hear();
    cluster.now = cluster.now + LINGER;
    cluster.on(0, Event::LingerExpired);
    cluster.all_hear();
    cluster.no_follower_was_notified_after(&counts);
    assert_eq!(cluster.nodes[2].shows(), [(id(1), "away".to_owned())], "under the id it was known by");
    cluster.on(1, Event::StatusSet { connection: id(2), status: Some(text("back")) });
    cluster.all_hear();
    let last = cluster.nodes[2].diffs.last().unwrap();
    assert_eq!((last.leaves.len(), last.joins.len()), (1, 1));
    assert_eq!(cluster.nodes[2].shows(), [(id(1), "back".to_owned())]);
}

#[test]
fn a_returned_client_that_logs_out_is_gone_although_its_old_connection_lingers() {
    let mut cluster = Cluster::new();
    cluster.connects(0, 1, PHONE, Some("away"));
    cluster.all_hear();
    cluster.breaks(0, 1);
    cluster.all_hear();
    cluster.connects(1, 2, PHONE, Some("away"));
    cluster.all_hear();
    cluster.closes(1, 2);
    cluster.all_hear();
    for node in &cluster.nodes {
        assert_eq!(node.shows(), []);
    }
    cluster.now = cluster.now + LINGER;
    cluster.on(0, Event::LingerExpired);
    cluster.all_hear();
    assert!(
        cluster.nodes[1].machine.remove_follower(&200) && cluster.nodes[1].machine.is_idle(),
        "nothing is remembered"
    );
}

#[test]
fn a_lost_connection_is_gone_at_its_deadline() {
    let mut cluster = Cluster::new();
    cluster.connects(0, 1, PHONE, Some("away"));
    cluster.breaks(0, 1);
    cluster.on(0, Event::LingerExpired);
    assert_eq!(cluster.nodes[0].shows().len(), 1, "too early");
    cluster.now = cluster.now + LINGER;
    cluster.on(0, Event::LingerExpired);
    assert_eq!(cluster.nodes[0].shows(), []);
    assert_eq!(cluster.nodes[0].machine.general_status(), GeneralStatus::Offline);
}

#[test]
fn a_client_of_another_dialect_does_not_take_over() {
    let mut cluster = Cluster::new();
    cluster.connects(0, 1, PHONE, Some("away"));
    cluster.breaks(0, 1);
    cluster.connects(0, 2, DEVICE, Some(""));
    assert_eq!(cluster.nodes[0].shows().len(), 2);
}

#[test]
fn a_custom_status_shows_on_all_devices_on_all_nodes() {
    let mut cluster = Cluster::new();
    cluster.connects(0, 1, DEVICE, Some(""));
    cluster.connects(1, 2, DEVICE, Some(""));
    cluster.connects(1, 3, PHONE, Some("phone"));
    cluster.all_hear();
    cluster.on(0, Event::CustomStatusSet { connections: vec![id(1)], text: Some(text("busy")) });
    cluster.all_hear();
    for node in &cluster.nodes {
        assert_eq!(node.machine.snapshot().own.custom, Some(text("busy")));
        assert_eq!(node.shows().iter().filter(|(_, shown)| shown == "busy").count(), 2);
        assert_eq!(node.machine.snapshot().text(), "busy");
    }
    for (node, number) in [(0, 1), (1, 2), (1, 3)] {
        cluster.closes(node, number);
    }
    cluster.all_hear();
    for node in &cluster.nodes {
        assert_eq!(node.machine.snapshot().own.custom, None, "cleared when the user is gone");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Connect(usize, bool, Option<u8>),
    Set(usize, u8, Option<u8>),
    CustomStatus(usize, Option<u8>),
    Break(usize, u8),
    Close(usize, u8),
    Pass(u8),
    Hear(usize),
    Drain(usize),
    Follow(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let status = || prop::option::of(0..3_u8);
    prop_oneof![
        (0..NODES, any::<bool>(), status()).prop_map(|(node, device, status)| Step::Connect(node, device, status)),
        (0..NODES, 0..6_u8, status()).prop_map(|(node, number, status)| Step::Set(node, number, status)),
        (0..NODES, status()).prop_map(|(node, text)| Step::CustomStatus(node, text)),
        (0..NODES, 0..6_u8).prop_map(|(node, number)| Step::Break(node, number)),
        (0..NODES, 0..6_u8).prop_map(|(node, number)| Step::Close(node, number)),
        (0..12_u8).prop_map(Step::Pass),
        (0..NODES).prop_map(Step::Hear),
        (0..NODES).prop_map(Step::Drain),
        (0..NODES).prop_map(Step::Follow),
    ]
}

impl Cluster {
    fn runs(&mut self, step: &Step, next: &mut u8) {
        let word = |number: &Option<u8>| number.map(|number| text(&number.to_string()));
        match step {
            // A draining node accepts no connection.
            Step::Connect(node, ..) if self.nodes[*node].drains => {}
            // Each connection has its own id.
            Step::Connect(node, device, status) => {
                let dialect = if *device { DEVICE } else { PHONE };
                let status = status.map(|number| number.to_string());
                *next += 1;
                self.connects(*node, *next, dialect, status.as_deref());
            }
            Step::Set(node, number, status) => {
                if let Some(connection) = self.pick(*node, *number) {
                    self.on(*node, Event::StatusSet { connection, status: word(status) });
                }
            }
            Step::CustomStatus(node, status) => {
                let known = self.nodes[*node].machine.connections();
                let connections = known.iter().filter(|known| known.dialect == DEVICE).map(|known| known.id).collect();
                self.on(*node, Event::CustomStatusSet { connections, text: word(status) });
            }
            Step::Break(node, number) => {
                if let Some(connection) = self.pick(*node, *number) {
                    let linger = Some(Linger { span: LINGER, info: None });
                    self.on(*node, Event::Disconnected { connection, exit: Exit::Lost, linger });
                }
            }
            Step::Close(node, number) => {
                if let Some(connection) = self.pick(*node, *number) {
                    self.on(*node, Event::Disconnected { connection, exit: Exit::LoggedOut, linger: None });
                }
            }
            Step::Pass(seconds) => {
                self.now = self.now + Duration::from_secs((*seconds).into());
                (0..NODES).for_each(|node| self.on(node, Event::LingerExpired));
            }
            Step::Hear(node) => self.hears(*node),
            Step::Drain(node) => {
                self.nodes[*node].drains = true;
                self.records[*node] = self.nodes[*node].record();
            }
            Step::Follow(node) => {
                let followed = self.nodes[*node].machine.handle(Event::Followed(201), self.now).snapshot;
                assert_eq!(followed.unwrap().snapshot.presences, self.nodes[*node].told.presences);
            }
        }
    }

    fn pick(&self, node: usize, number: u8) -> Option<ConnectionId> {
        let known = self.nodes[node].machine.connections();
        known.get(usize::from(number) % known.len().max(1)).map(|connection| connection.id)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// For any order of events, the view on each node is consistent, and in the end all nodes have the same view.
    #[test]
    fn all_nodes_converge_to_the_same_view(steps in prop::collection::vec(step(), 0..40)) {
        let mut cluster = Cluster::new();
        let mut next = 0;
        for step in &steps {
            cluster.runs(step, &mut next);
        }
        for node in (0..NODES).filter(|node| cluster.nodes[*node].drains).collect::<Vec<_>>() {
            while let Some(connection) = cluster.pick(node, 0) {
                let linger = Some(Linger { span: LINGER, info: None });
                cluster.on(node, Event::Disconnected { connection, exit: Exit::Lost, linger });
            }
        }
        cluster.all_hear();
        // All nodes show a lingering connection, or one node has taken it over.
        let shown = cluster.nodes[0].shows();
        for node in &cluster.nodes {
            prop_assert_eq!(&node.shows(), &shown);
            let view: BTreeMap<_, _> = shown.iter().map(|(id, word)| (*id, text(word))).collect();
            prop_assert_eq!(&node.view, &view);
        }
        cluster.now = cluster.now + LINGER;
        (0..NODES).for_each(|node| cluster.on(node, Event::LingerExpired));
        cluster.all_hear();
        let here = cluster.nodes.iter().flat_map(|node| node.machine.connections());
        let live = here.filter(|connection| connection.status.is_some()).count();
        for node in &cluster.nodes {
            prop_assert_eq!(node.shows().len(), live, "a ghost, or one that is missing");
        }
    }
}
