//! The report for programs. The format is stable: fields are added, and none is removed or changes its meaning without a
//! new [`FORMAT`].
//!
//! ```text
//! format        number: 1
//! date          RFC 3339, UTC
//! machine       cores, cpu, kernel, memory (bytes)
//! outcomes[]
//!   scenario    as on the command line
//!   parameters  {name: value}, values as strings
//!   connections, deliveries, lost, superseded, dropped           counts
//!   seconds, server_cpu_seconds                                  of the measured part
//!   deliveries_per_second, deliveries_per_cpu_second             number or null
//!   floor_deliveries_per_cpu_second, ratio_to_floor              number or null
//!   peak_memory                                                  bytes
//!   latency_ms  null, or count, mean and the percentiles min, p50, p75, p90, p99, p99_9, p99_99, max
//!   figures[]   name, value, unit
//!   checks[]    what, wanted, measured, holds
//!   series[]    at (seconds), deliveries (so far), memory (bytes), cpu_seconds (so far)
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::outcome::{Check, Figure, Machine, Outcome, Run, Sample};

/// Version of the format. It grows when a field is removed or changes its meaning.
pub const FORMAT: u32 = 1;

/// Writes the report to a file and replaces what the file held.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(run: &Run, path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut file = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut file, &RunForm::from(run))?;
    writeln!(file)?;
    file.flush().with_context(|| format!("cannot write {}", path.display()))
}

#[derive(Serialize)]
struct RunForm<'a> {
    format: u32,
    date: &'a str,
    machine: &'a Machine,
    outcomes: Vec<OutcomeForm<'a>>,
}

impl<'a> From<&'a Run> for RunForm<'a> {
    fn from(run: &'a Run) -> Self {
        let outcomes = run.outcomes.iter().map(OutcomeForm::from).collect();
        Self { format: FORMAT, date: &run.date, machine: &run.machine, outcomes }
    }
}

#[derive(Serialize)]
struct OutcomeForm<'a> {
    scenario: &'a str,
    parameters: BTreeMap<&'a str, &'a str>,
    connections: usize,
    deliveries: u64,
    lost: u64,
    superseded: u64,
    dropped: usize,
    seconds: f64,
    server_cpu_seconds: f64,
    deliveries_per_second: Option<f64>,
    deliveries_per_cpu_second: Option<f64>,
    floor_deliveries_per_cpu_second: Option<f64>,
    ratio_to_floor: Option<f64>,
    peak_memory: u64,
    latency_ms: Option<LatencyForm>,
    figures: &'a [Figure],
    checks: &'a [Check],
    series: &'a [Sample],
}

impl<'a> From<&'a Outcome> for OutcomeForm<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        Self {
            scenario: outcome.scenario,
            parameters: outcome.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            connections: outcome.connections,
            deliveries: outcome.deliveries,
            lost: outcome.lost,
            superseded: outcome.superseded,
            dropped: outcome.dropped,
            seconds: outcome.seconds,
            server_cpu_seconds: outcome.server_cpu_seconds,
            deliveries_per_second: outcome.deliveries_per_second(),
            deliveries_per_cpu_second: outcome.deliveries_per_cpu_second(),
            floor_deliveries_per_cpu_second: outcome.floor,
            ratio_to_floor: outcome.ratio_to_floor(),
            peak_memory: outcome.peak_memory,
            latency_ms: LatencyForm::of(outcome),
            figures: &outcome.figures,
            checks: &outcome.checks,
            series: &outcome.series,
        }
    }
}

#[derive(Serialize)]
struct LatencyForm {
    count: u64,
    mean: f64,
    min: f64,
    p50: f64,
    p75: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    p99_99: f64,
    max: f64,
}

impl LatencyForm {
    fn of(outcome: &Outcome) -> Option<Self> {
        let at = |quantile| outcome.latency_ms(quantile);
        Some(Self {
            count: outcome.latency.len(),
            mean: outcome.latency.mean() / 1_000.0,
            min: at(0.0)?,
            p50: at(0.5)?,
            p75: at(0.75)?,
            p90: at(0.9)?,
            p99: at(0.99)?,
            p99_9: at(0.999)?,
            p99_99: at(0.9999)?,
            max: at(1.0)?,
        })
    }
}
