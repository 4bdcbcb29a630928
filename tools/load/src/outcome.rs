//! The results of a run. [`crate::scenario`] fills them in, [`crate::report`] shows them.

use std::fs;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MICROS_PER_MILLI: f64 = 1_000.0;

/// The results of one call of the generator.
#[derive(Debug)]
pub struct Run {
    /// When the run ended, RFC 3339, UTC, to the second.
    pub date: String,
    /// The machine: results of two machines cannot be compared.
    pub machine: Machine,
    /// One result per scenario and size, in the order in which they ran.
    pub outcomes: Vec<Outcome>,
}

impl Run {
    /// Adds the date and the machine to the outcomes.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read.
    pub fn of(outcomes: Vec<Outcome>) -> Result<Self> {
        let date = OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?;
        Ok(Self { date, machine: Machine::read()?, outcomes })
    }

    /// Returns every check of the run with its outcome.
    pub fn checks(&self) -> impl Iterator<Item = (&Outcome, &Check)> {
        self.outcomes.iter().flat_map(|outcome| outcome.checks.iter().map(move |check| (outcome, check)))
    }

    /// Returns the outcomes in which a state was lost or a connection was dropped, which no load excuses. The floor
    /// promises neither.
    pub fn with_losses(&self) -> impl Iterator<Item = &Outcome> {
        let promised = self.outcomes.iter().filter(|outcome| outcome.scenario != "floor");
        promised.filter(|outcome| outcome.lost > 0 || outcome.dropped > 0)
    }
}

/// The machine of a run: enough to judge the numbers, nothing that identifies its owner.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Number of cores that this process may use.
    pub cores: usize,
    /// The processor's own name.
    pub cpu: String,
    /// Release of the Linux kernel: its network code causes most of a delivery's cost.
    pub kernel: String,
    /// Bytes of main memory.
    pub memory: u64,
}

impl Machine {
    /// Reads the description of this machine from `/proc`.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read.
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

/// Returns the value of the first `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name).map(|(_, v)| v.trim())
}

/// The result of one scenario.
#[derive(Debug)]
pub struct Outcome {
    /// The scenario's name on the command line.
    pub scenario: &'static str,
    /// The sizes, in the order of display: `("publishers", "1")`, `("followers", "15000")`.
    pub parameters: Vec<(&'static str, String)>,
    /// Number of connections that were opened.
    pub connections: usize,
    /// Updates that arrived, counted per follower.
    pub deliveries: u64,
    /// Updates that neither arrived at a follower nor were superseded by a later one that arrived.
    pub lost: u64,
    /// Updates that a follower did not see because a later state of the same user replaced them.
    pub superseded: u64,
    /// Wall time of the measured part.
    pub seconds: f64,
    /// The server's CPU time in the measured part: user and system, all threads.
    pub server_cpu_seconds: f64,
    /// Microseconds from an update's send to its arrival. Empty when nothing is delivered.
    pub latency: Histogram<u64>,
    /// Maximum of the server's resident bytes.
    pub peak_memory: u64,
    /// Connections that the server ended.
    pub dropped: usize,
    /// Deliveries per CPU-second of the floor, with the same sizes in the same run. `None` when it did not run.
    pub floor: Option<f64>,
    /// Numbers that only this scenario has.
    pub figures: Vec<Figure>,
    /// Samples of the measured part, about every 100 ms.
    pub series: Vec<Sample>,
    /// The limits of the scenario.
    pub checks: Vec<Check>,
}

impl Outcome {
    /// Returns the deliveries per second of wall time, or `None` when there were none.
    pub fn deliveries_per_second(&self) -> Option<f64> {
        rate(self.deliveries, self.seconds)
    }

    /// Returns the deliveries per CPU-second of the server, or `None` when there were none or no CPU time was read.
    pub fn deliveries_per_cpu_second(&self) -> Option<f64> {
        rate(self.deliveries, self.server_cpu_seconds)
    }

    /// Returns the deliveries per CPU-second as a share of the floor's: 1 is as good as bare writes.
    pub fn ratio_to_floor(&self) -> Option<f64> {
        let floor = self.floor.filter(|&floor| floor > 0.0)?;
        self.deliveries_per_cpu_second().map(|own| own / floor)
    }

    /// Returns the median latency in milliseconds.
    pub fn p50_ms(&self) -> Option<f64> {
        self.latency_ms(0.50)
    }

    /// Returns the 99th percentile of the latency in milliseconds.
    pub fn p99_ms(&self) -> Option<f64> {
        self.latency_ms(0.99)
    }

    /// Returns the latency of the slowest update in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        self.latency_ms(1.0)
    }

    /// Returns the latency in milliseconds at `quantile` (0 to 1), or `None` when nothing was timed.
    pub fn latency_ms(&self, quantile: f64) -> Option<f64> {
        let timed = !self.latency.is_empty();
        timed.then(|| self.latency.value_at_quantile(quantile) as f64 / MICROS_PER_MILLI)
    }

    /// Returns whether every limit holds.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

fn rate(deliveries: u64, seconds: f64) -> Option<f64> {
    (deliveries > 0 && seconds > 0.0).then(|| deliveries as f64 / seconds)
}

/// A number that only one scenario has: `("memory per connection", 9.8, "KiB")`.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured, in lower case.
    pub name: &'static str,
    /// The measured value.
    pub value: f64,
    /// The unit; empty for a plain number.
    pub unit: &'static str,
}

/// The state of the measurement at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Seconds from the start of the measured part.
    pub at: f64,
    /// Deliveries from that start.
    pub deliveries: u64,
    /// The server's resident bytes.
    pub memory: u64,
    /// The server's CPU seconds from that start.
    pub cpu_seconds: f64,
}

/// A limit, and whether it holds.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The limited quantity: `"memory per connection"`.
    pub what: String,
    /// The limit: `"≤ 10 KiB"`.
    pub wanted: String,
    /// The measured value: `"9.8 KiB"`.
    pub measured: String,
    /// Whether the measured value is within the limit.
    pub holds: bool,
}
