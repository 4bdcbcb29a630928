//! One scenario under way: servers, their clients, what is owed to them, and what is measured meanwhile.

use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::clock;
use crate::crowd::{Crowd, Heard};
use crate::ledger::Ledger;
use crate::outcome::{Figure, Outcome, Sample};
use crate::process::{Kind, Usage};
use crate::servers::Servers;
use crate::wire;

/// Handshakes under way at once, where a scenario does not want all at once.
const AT_ONCE: usize = 200;

/// Users named in one follow.
const FOLLOWED_AT_ONCE: usize = 500;

/// Between two samples, seconds.
const SAMPLED_EVERY: f64 = 0.1;

/// How long anything may take before the scenario is given up, seconds.
const PATIENCE: f64 = 180.0;

/// The client of a number speaks for the user of that number.
pub struct Stage {
    /// What is under load.
    pub servers: Servers,
    /// What is owed.
    pub ledger: Ledger,
    crowd: Crowd,
    /// Where further connections go.
    part: Part,
    /// Handshakes granted.
    opened: usize,
    /// Those granted since somebody asked.
    newly: Vec<usize>,
    /// Answers to commands that have not come.
    unanswered: u64,
    /// Connections that ended without being asked to.
    dropped: usize,
    key: Vec<u8>,
    bar: ProgressBar,
    measured: Measured,
}

/// Which of several nodes connections go to. Where there is one, all go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All nodes in turn.
    All,
    /// The first.
    First,
    /// The others in turn.
    Others,
}

/// Since [`Stage::measure`].
#[derive(Default)]
struct Measured {
    began: f64,
    usage: Usage,
    redis: Usage,
    peak: u64,
    samples: Vec<Sample>,
}

impl Stage {
    /// Starts a server and no clients.
    pub fn start(kind: Kind, arguments: &Arguments, title: &str) -> anyhow::Result<Self> {
        Self::on(Servers::one(kind, arguments)?, arguments, title)
    }

    /// With these servers and no clients.
    pub fn on(servers: Servers, arguments: &Arguments, title: &str) -> anyhow::Result<Self> {
        let bar = ProgressBar::no_length()
            .with_style(ProgressStyle::with_template("{spinner} {prefix:28} {elapsed:>4} {wide_msg}")?);
        bar.set_prefix(title.to_owned());
        let measured = Measured { began: clock::seconds(), ..Measured::default() };
        Ok(Self {
            ledger: Ledger::new()?,
            crowd: Crowd::new()?,
            servers,
            part: Part::All,
            opened: 0,
            newly: Vec::new(),
            unanswered: 0,
            dropped: 0,
            key: arguments.encryption_key.clone().into_bytes(),
            bar,
            measured,
        })
    }

    /// Begins to measure here.
    pub fn measure(&mut self) {
        self.ledger.restart();
        let (usage, redis) = (self.servers.usage(), self.servers.redis_usage().unwrap_or_default());
        let (began, peak) = (clock::seconds(), usage.memory);
        self.measured = Measured { began, usage, redis, peak, samples: Vec::new() };
    }

    /// Seconds since the measurement began.
    pub fn elapsed(&self) -> f64 {
        clock::seconds() - self.measured.began
    }

    /// What the servers used since then; the memory is what they hold. Redis is not one of them.
    pub fn used(&self) -> Usage {
        self.servers.usage().since(self.measured.usage)
    }

    /// The same of Redis, where there is one.
    pub fn redis_used(&self) -> Option<Usage> {
        self.servers.redis_usage().map(|usage| usage.since(self.measured.redis))
    }

    /// Says on the progress bar what is going on.
    pub fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    // ---- what clients do ----

    /// Connections opened from here on go to these nodes.
    pub fn head_for(&mut self, part: Part) {
        self.part = part;
    }

    /// Opens the connections of that many further users without waiting for them.
    pub fn connect(&mut self, count: u32) -> anyhow::Result<()> {
        let now = clock::unix_seconds();
        for _ in 0..count {
            let user = u32::try_from(self.crowd.len())?;
            let token = wire::token(user, &self.key, now)?;
            let address = self.servers.address(self.node_of(self.crowd.len()));
            self.crowd.open(address, &wire::handshake(&token, false))?;
        }
        Ok(())
    }

    fn node_of(&self, client: usize) -> usize {
        match (self.part, self.servers.count()) {
            (Part::First, _) | (Part::Others, 1) => 0,
            (Part::All, count) => client % count,
            (Part::Others, count) => 1 + client % (count - 1),
        }
    }

    /// Opens the connections of that many further users, some at a time, and waits until all are open.
    pub fn open(&mut self, count: u32) -> anyhow::Result<()> {
        let all = self.crowd.len() + usize::try_from(count)?;
        self.say(&format!("opening {count} connections"));
        while self.opened + self.dropped < all {
            while self.crowd.len() < all && self.crowd.len() < self.opened + self.dropped + AT_ONCE {
                self.connect(1)?;
            }
            self.turn()?;
        }
        Ok(())
    }

    /// A client follows these users.
    pub fn follow(&mut self, client: usize, users: &[u32]) {
        for users in users.chunks(FOLLOWED_AT_ONCE) {
            users.iter().for_each(|&user| self.ledger.follows(client, user));
            self.crowd.say(client, &wire::follow(users));
            self.unanswered += 1;
        }
    }

    /// A user shows something new.
    pub fn publish(&mut self, user: u32) {
        let status = self.ledger.shows(user);
        self.crowd.say(user as usize, &wire::update(&status));
        self.unanswered += 1;
    }

    /// A user's connection ends.
    pub fn vanish(&mut self, user: u32) {
        self.ledger.goes(user);
        self.crowd.vanish(user as usize);
    }

    /// A client stops reading.
    pub fn pause(&mut self, client: usize) {
        self.crowd.pause(client);
    }

    /// A client reads again.
    pub fn resume(&mut self, client: usize) {
        self.crowd.resume(client);
    }

    /// The clients whose handshake was granted since the last call.
    pub fn newly_open(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.newly)
    }

    /// Commands whose answer has not come.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    // ---- what happens meanwhile ----

    /// Takes in what came, waiting a little for it.
    pub fn turn(&mut self) -> anyhow::Result<()> {
        self.turn_within(Duration::from_millis(10))
    }

    /// Takes in what came, waiting at most that long for it.
    pub fn turn_within(&mut self, patience: Duration) -> anyhow::Result<()> {
        let Self { crowd, ledger, opened, newly, unanswered, dropped, .. } = self;
        crowd.turn(patience, |client, heard| match heard {
            Heard::Opened => {
                *opened += 1;
                newly.push(client);
            }
            Heard::Message(message) => {
                if message.starts_with(b"{\"cid\"") {
                    *unanswered = unanswered.saturating_sub(1);
                }
                ledger.heard(client, message);
            }
            Heard::Closed => *dropped += 1,
        })?;
        self.sample();
        Ok(())
    }

    fn sample(&mut self) {
        let at = self.elapsed();
        let due = self.measured.samples.last().map_or(0.0, |last| last.at + SAMPLED_EVERY);
        if at < due {
            return;
        }
        let Usage { cpu_seconds, memory } = self.used();
        self.measured.peak = self.measured.peak.max(memory);
        self.measured.samples.push(Sample { at, deliveries: self.ledger.deliveries, memory, cpu_seconds });
        self.bar.tick();
    }

    /// Goes on for that long.
    pub fn go_on(&mut self, seconds: f64) -> anyhow::Result<()> {
        let end = clock::seconds() + seconds;
        while clock::seconds() < end {
            self.turn()?;
        }
        Ok(())
    }

    /// Goes on until every command is answered and every follower has seen the latest state of everybody. False: it
    /// took too long.
    pub fn settle(&mut self) -> anyhow::Result<bool> {
        let end = clock::seconds() + PATIENCE;
        while self.ledger.behind > 0 || self.unanswered > 0 || self.opened + self.dropped < self.crowd.len() {
            self.turn()?;
            if clock::seconds() > end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// [`Stage::settle`] before anything is measured.
    pub fn prepared(&mut self) -> anyhow::Result<()> {
        if !self.settle()? || self.dropped > 0 {
            bail!(
                "the scenario could not be set up: {} owed, {} connections dropped",
                self.ledger.owed(),
                self.dropped
            );
        }
        Ok(())
    }

    /// What was measured.
    pub fn outcome(
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
        let peak_memory = self.measured.peak.max(used.memory);
        self.measured.samples.push(Sample {
            at: seconds,
            deliveries: self.ledger.deliveries,
            memory: used.memory,
            cpu_seconds: used.cpu_seconds,
        });
        self.bar.finish_and_clear();
        Outcome {
            scenario,
            parameters,
            connections: self.crowd.len(),
            deliveries: self.ledger.deliveries,
            lost: self.ledger.owed(),
            superseded: self.ledger.superseded,
            seconds,
            server_cpu_seconds: used.cpu_seconds,
            latency: self.ledger.latency,
            peak_memory,
            dropped: self.dropped,
            floor: None,
            figures,
            series: self.measured.samples,
            checks: Vec::new(),
        }
    }
}
