//! What a run found out: the record that the scenarios fill in and every report shows. Nothing here measures; the
//! scenarios do. Nothing here formats; [`crate::report`] does.

use std::fs;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MICROS_PER_MILLI: f64 = 1_000.0;

/// All that one call of the generator showed.
#[derive(Debug)]
pub struct Run {
    /// When the run ended, RFC 3339, UTC, to the second.
    pub date: String,
    /// What it ran on; results of two machines do not compare.
    pub machine: Machine,
    /// One for each scenario and shape, in the order they ran.
    pub outcomes: Vec<Outcome>,
}

impl Run {
    /// Dates the outcomes and says which machine they are from.
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be read.
    pub fn of(outcomes: Vec<Outcome>) -> Result<Self> {
        let date = OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?;
        Ok(Self { date, machine: Machine::read()?, outcomes })
    }

    /// Every check of the run beside the outcome that it belongs to.
    pub fn checks(&self) -> impl Iterator<Item = (&Outcome, &Check)> {
        self.outcomes.iter().flat_map(|outcome| outcome.checks.iter().map(move |check| (outcome, check)))
    }

    /// The outcomes in which a state never came or a connection was dropped, which no load excuses; the floor promises
    /// neither.
    pub fn harmed(&self) -> impl Iterator<Item = &Outcome> {
        let promised = self.outcomes.iter().filter(|outcome| outcome.scenario != "floor");
        promised.filter(|outcome| outcome.lost > 0 || outcome.dropped > 0)
    }
}

/// What the run was made on: enough to judge the numbers, nothing that tells whose machine it is.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// How many this process may use.
    pub cores: usize,
    /// The processor as it names itself.
    pub cpu: String,
    /// Release of the Linux kernel: its network code is most of what a delivery costs.
    pub kernel: String,
    /// Bytes of main memory.
    pub memory: u64,
}

impl Machine {
    /// This machine, as `/proc` describes it.
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be read.
    pub fn read() -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("cannot read the processor's description")?;
        let meminfo = fs::read_to_string("/proc/meminfo").context("cannot read the memory's size")?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("cannot read the kernel's release")?;
        let kib = field(&meminfo, "MemTotal").and_then(|total| total.trim_end_matches("kB").trim().parse::<u64>().ok());
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            cpu: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            kernel: kernel.trim().to_owned(),
            memory: kib.context("/proc/meminfo has no MemTotal")? * 1_024,
        })
    }
}

/// The value of the first `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name).map(|(_, v)| v.trim())
}

/// What one scenario showed.
#[derive(Debug)]
pub struct Outcome {
    /// Its name on the command line.
    pub scenario: &'static str,
    /// Its shape, in the order to be shown: `("publishers", "1")`, `("followers", "15000")`.
    pub parameters: Vec<(&'static str, String)>,
    /// Connections open to the server at the widest point.
    pub connections: usize,
    /// Updates that arrived, one for each follower.
    pub deliveries: u64,
    /// Updates that were owed to a follower, and neither came nor were superseded by a later one that came.
    pub lost: u64,
    /// Updates that a follower never saw by themselves because a later state of the same user came instead.
    pub superseded: u64,
    /// Wall time of the measured part.
    pub seconds: f64,
    /// What the server computed in the measured part, user and system, all threads.
    pub server_cpu_seconds: f64,
    /// Microseconds from an update's send to its arrival; empty where nothing is delivered.
    pub latency: Histogram<u64>,
    /// Most bytes that the server had resident.
    pub peak_memory: u64,
    /// Connections that ended without being asked to.
    pub dropped: usize,
    /// Deliveries per CPU-second of the floor of the same shape in the same run, where there is one to compare with.
    pub floor: Option<f64>,
    /// What is particular to the scenario.
    pub figures: Vec<Figure>,
    /// The course of the measured part, a sample every 100 ms or so.
    pub series: Vec<Sample>,
    /// The limits it has to hold.
    pub checks: Vec<Check>,
}

impl Outcome {
    /// Deliveries per second of wall time; `None` when there were none.
    pub fn deliveries_per_second(&self) -> Option<f64> {
        rate(self.deliveries, self.seconds)
    }

    /// Deliveries per CPU-second of the server; `None` when there were none, or no CPU time was seen.
    pub fn deliveries_per_cpu_second(&self) -> Option<f64> {
        rate(self.deliveries, self.server_cpu_seconds)
    }

    /// Deliveries per CPU-second as a share of the floor's: 1 is as good as bare writes.
    pub fn ratio_to_floor(&self) -> Option<f64> {
        let floor = self.floor.filter(|&floor| floor > 0.0)?;
        self.deliveries_per_cpu_second().map(|own| own / floor)
    }

    /// Milliseconds that half of the updates did not take.
    pub fn p50_ms(&self) -> Option<f64> {
        self.latency_ms(0.50)
    }

    /// Milliseconds that 99 of 100 updates did not take.
    pub fn p99_ms(&self) -> Option<f64> {
        self.latency_ms(0.99)
    }

    /// Milliseconds of the slowest update.
    pub fn max_ms(&self) -> Option<f64> {
        self.latency_ms(1.0)
    }

    /// Milliseconds that the share `quantile` (0 to 1) of the updates did not take; `None` when nothing was timed.
    pub fn latency_ms(&self, quantile: f64) -> Option<f64> {
        let some = !self.latency.is_empty();
        some.then(|| self.latency.value_at_quantile(quantile) as f64 / MICROS_PER_MILLI)
    }

    /// Whether no check failed.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

fn rate(deliveries: u64, seconds: f64) -> Option<f64> {
    (deliveries > 0 && seconds > 0.0).then(|| deliveries as f64 / seconds)
}

/// A number that only this scenario has: `("memory per connection", 9.8, "KiB")`.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured, in lower case.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what; empty for a plain number.
    pub unit: &'static str,
}

/// How far things were at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Seconds since the measured part began.
    pub at: f64,
    /// Deliveries since it began.
    pub deliveries: u64,
    /// Bytes that the server has resident.
    pub memory: u64,
    /// CPU seconds of the server since it began.
    pub cpu_seconds: f64,
}

/// A limit, and whether it is held.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is limited: `"memory per connection"`.
    pub what: String,
    /// The limit: `"≤ 10 KiB"`.
    pub wanted: String,
    /// What it was: `"9.8 KiB"`.
    pub measured: String,
    /// Whether the one keeps to the other.
    pub holds: bool,
}
