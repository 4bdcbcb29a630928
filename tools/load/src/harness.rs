//! One scenario in progress: servers, clients, the states that the clients must receive, and the measurement.

use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::clients::{ClientEvent, Clients};
use crate::clock;
use crate::outcome::{Figure, Outcome, Sample};
use crate::process::{ServerKind, Usage};
use crate::servers::Servers;
use crate::tracker::DeliveryTracker;
use crate::wire;

/// Maximum number of concurrent handshakes in [`Harness::open`].
const MAX_HANDSHAKES: usize = 200;

/// Maximum number of users in one follow request.
const MAX_FOLLOWED: usize = 500;

/// Seconds between two samples.
const SAMPLE_INTERVAL: f64 = 0.1;

/// Seconds after which a wait for clients fails.
const SETTLE_TIMEOUT: f64 = 180.0;

/// Runs one scenario. The client with a number is the user with the same number.
pub struct Harness {
    /// The servers under load.
    pub servers: Servers,
    /// What the clients must still receive.
    pub tracker: DeliveryTracker,
    clients: Clients,
    /// The nodes that further connections go to.
    selection: NodeSelection,
    /// Number of accepted handshakes.
    opened: usize,
    /// Clients that were accepted after the last [`Harness::take_newly_open`].
    newly_open: Vec<usize>,
    /// Requests without a reply so far.
    unanswered: u64,
    /// Connections that the server ended.
    dropped: usize,
    key: Vec<u8>,
    bar: ProgressBar,
    measurement: Measurement,
}

/// Which of several nodes connections go to. A single node gets all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeSelection {
    /// Every node in turn.
    All,
    /// The first node.
    First,
    /// Every node but the first, in turn.
    Others,
}

/// What [`Harness::start_measurement`] began.
#[derive(Default)]
struct Measurement {
    began: f64,
    usage: Usage,
    redis: Usage,
    peak: u64,
    samples: Vec<Sample>,
}

impl Harness {
    /// Starts a server; there are no clients yet.
    pub fn start(kind: ServerKind, arguments: &Arguments, title: &str) -> anyhow::Result<Self> {
        Self::with_servers(Servers::one(kind, arguments)?, arguments, title)
    }

    /// Takes these servers; there are no clients yet.
    pub fn with_servers(servers: Servers, arguments: &Arguments, title: &str) -> anyhow::Result<Self> {
        let bar = ProgressBar::no_length()
            .with_style(ProgressStyle::with_template("{spinner} {prefix:28} {elapsed:>4} {wide_msg}")?);
        bar.set_prefix(title.to_owned());
        let measurement = Measurement { began: clock::seconds(), ..Measurement::default() };
        Ok(Self {
            tracker: DeliveryTracker::new()?,
            clients: Clients::new()?,
            servers,
            selection: NodeSelection::All,
            opened: 0,
            newly_open: Vec::new(),
            unanswered: 0,
            dropped: 0,
            key: arguments.encryption_key.clone().into_bytes(),
            bar,
            measurement,
        })
    }

    /// Starts the measured part of the scenario.
    pub fn start_measurement(&mut self) {
        self.tracker.reset_counts();
        let (usage, redis) = (self.servers.usage(), self.servers.redis_usage().unwrap_or_default());
        let (began, peak) = (clock::seconds(), usage.memory);
        self.measurement = Measurement { began, usage, redis, peak, samples: Vec::new() };
    }

    /// Returns the seconds from the start of the measurement.
    pub fn elapsed(&self) -> f64 {
        clock::seconds() - self.measurement.began
    }

    /// Returns the CPU time that the servers used from the start of the measurement, and the memory that they use now.
    /// Redis is not included.
    pub fn used(&self) -> Usage {
        self.servers.usage().since(self.measurement.usage)
    }

    /// Returns the same for Redis, or `None` when there is none.
    pub fn redis_used(&self) -> Option<Usage> {
        self.servers.redis_usage().map(|usage| usage.since(self.measurement.redis))
    }

    /// Shows on the progress bar what happens.
    pub fn show(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    // ---- actions of clients ----

    /// Selects the nodes that further connections go to.
    pub fn select_nodes(&mut self, selection: NodeSelection) {
        self.selection = selection;
    }

    /// Starts to connect `count` further users, without a wait.
    pub fn connect(&mut self, count: u32) -> anyhow::Result<()> {
        let now = clock::unix_seconds();
        for _ in 0..count {
            let user = u32::try_from(self.clients.len())?;
            let token = wire::token(user, &self.key, now)?;
            let address = self.servers.address(self.node_of(self.clients.len()));
            self.clients.open(address, &wire::handshake(&token, false))?;
        }
        Ok(())
    }

    fn node_of(&self, client: usize) -> usize {
        match (self.selection, self.servers.count()) {
            (NodeSelection::First, _) | (NodeSelection::Others, 1) => 0,
            (NodeSelection::All, count) => client % count,
            (NodeSelection::Others, count) => 1 + client % (count - 1),
        }
    }

    /// Connects `count` further users, some at a time, and waits until all are open.
    pub fn open(&mut self, count: u32) -> anyhow::Result<()> {
        let all = self.clients.len() + usize::try_from(count)?;
        self.show(&format!("opening {count} connections"));
        while self.opened + self.dropped < all {
            while self.clients.len() < all && self.clients.len() < self.opened + self.dropped + MAX_HANDSHAKES {
                self.connect(1)?;
            }
            self.poll()?;
        }
        Ok(())
    }

    /// Lets a client follow these users.
    pub fn follow(&mut self, client: usize, users: &[u32]) {
        for users in users.chunks(MAX_FOLLOWED) {
            users.iter().for_each(|&user| self.tracker.follow(client, user));
            self.clients.send(client, &wire::follow(users));
            self.unanswered += 1;
        }
    }

    /// Lets a user set a new status.
    pub fn publish(&mut self, user: u32) {
        let status = self.tracker.next_status(user);
        self.clients.send(user as usize, &wire::update(&status));
        self.unanswered += 1;
    }

    /// Ends a user's connection.
    pub fn disconnect(&mut self, user: u32) {
        self.tracker.disconnect(user);
        self.clients.disconnect(user as usize);
    }

    /// Pauses a client's reads.
    pub fn pause(&mut self, client: usize) {
        self.clients.pause(client);
    }

    /// Resumes a client's reads.
    pub fn resume(&mut self, client: usize) {
        self.clients.resume(client);
    }

    /// Returns the clients that were accepted after the last call.
    pub fn take_newly_open(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.newly_open)
    }

    /// Returns how many requests have no reply so far.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    // ---- progress ----

    /// Handles what arrives, and waits a little for it.
    pub fn poll(&mut self) -> anyhow::Result<()> {
        self.poll_for(Duration::from_millis(10))
    }

    /// Handles what arrives, and waits at most `timeout` for it.
    pub fn poll_for(&mut self, timeout: Duration) -> anyhow::Result<()> {
        let Self { clients, tracker, opened, newly_open, unanswered, dropped, .. } = self;
        clients.poll(timeout, |client, event| match event {
            ClientEvent::Opened => {
                *opened += 1;
                newly_open.push(client);
            }
            ClientEvent::Message(message) => {
                if message.starts_with(b"{\"cid\"") {
                    *unanswered = unanswered.saturating_sub(1);
                }
                tracker.receive(client, message);
            }
            ClientEvent::Closed => *dropped += 1,
        })?;
        self.sample();
        Ok(())
    }

    fn sample(&mut self) {
        let at = self.elapsed();
        let due = self.measurement.samples.last().map_or(0.0, |last| last.at + SAMPLE_INTERVAL);
        if at < due {
            return;
        }
        let Usage { cpu_seconds, memory } = self.used();
        self.measurement.peak = self.measurement.peak.max(memory);
        self.measurement.samples.push(Sample { at, deliveries: self.tracker.deliveries, memory, cpu_seconds });
        self.bar.tick();
    }

    /// Polls for this long.
    pub fn run_for(&mut self, seconds: f64) -> anyhow::Result<()> {
        let end = clock::seconds() + seconds;
        while clock::seconds() < end {
            self.poll()?;
        }
        Ok(())
    }

    /// Polls until every request has a reply and every follower has seen the latest state of every user. Returns false
    /// after [`SETTLE_TIMEOUT`].
    pub fn settle(&mut self) -> anyhow::Result<bool> {
        let end = clock::seconds() + SETTLE_TIMEOUT;
        while self.tracker.behind > 0 || self.unanswered > 0 || self.opened + self.dropped < self.clients.len() {
            self.poll()?;
            if clock::seconds() > end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Settles before the measurement.
    ///
    /// # Errors
    ///
    /// If something is missing or a connection was dropped.
    pub fn settle_setup(&mut self) -> anyhow::Result<()> {
        if !self.settle()? || self.dropped > 0 {
            bail!(
                "the scenario could not be set up: {} states missing, {} connections dropped",
                self.tracker.missing(),
                self.dropped
            );
        }
        Ok(())
    }

    /// Ends the scenario and returns what was measured.
    pub fn finish(
        mut self,
        scenario: &'static str,
        mut parameters: Vec<(&'static str, String)>,
        mut figures: Vec<Figure>,
    ) -> Outcome {
        let seconds = self.elapsed();
        let used = self.used();
        if let Some(redis) = self.redis_used() {
            parameters.push(("nodes", self.servers.count().to_string()));
            figures.push(Figure { name: "CPU of Redis", value: redis.cpu_seconds, unit: "s" });
        }
        let peak_memory = self.measurement.peak.max(used.memory);
        self.measurement.samples.push(Sample {
            at: seconds,
            deliveries: self.tracker.deliveries,
            memory: used.memory,
            cpu_seconds: used.cpu_seconds,
        });
        self.bar.finish_and_clear();
        Outcome {
            scenario,
            parameters,
            connections: self.clients.len(),
            deliveries: self.tracker.deliveries,
            lost: self.tracker.missing(),
            superseded: self.tracker.superseded,
            seconds,
            server_cpu_seconds: used.cpu_seconds,
            latency: self.tracker.latency,
            peak_memory,
            dropped: self.dropped,
            floor: None,
            figures,
            series: self.measurement.samples,
            checks: Vec::new(),
        }
    }
}
