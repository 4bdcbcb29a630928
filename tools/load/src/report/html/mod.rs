//! The report for people: one self-contained page without scripts. The top shows the limits and compares the scenarios
//! ([`compare`]); a section per outcome follows ([`section`]), with plots ([`plot`]).
//!
//! Uses maud: templates are checked at compile time, and every text is escaped.

mod axis;
mod compare;
mod plot;
mod section;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::numbers;
use crate::outcome::{Machine, Outcome, Run};

/// The heads of the columns in groups of three.
const HEADS: [&str; 9] =
    ["delivered", "lost", "super\u{ad}seded", "second", "CPU-second", "× floor", "p50", "p99", "max"];

const STYLE: &str = include_str!("page.css");

/// Writes the page to a file and replaces what the file held.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(run: &Run, path: &Path) -> Result<()> {
    fs::write(path, page(run).into_string()).with_context(|| format!("cannot write {}", path.display()))
}

fn page(run: &Run) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "hereabouts under load, " (run.date) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "hereabouts under load" }
                    (environment(&run.date, &run.machine))
                    (verdict(run))
                }
                main {
                    section aria-labelledby="overview" {
                        h2 #overview { "Overview" }
                        (overview(&run.outcomes))
                        (compare::bars(&run.outcomes))
                    }
                    @for (index, outcome) in run.outcomes.iter().enumerate() { (section::section(index, outcome)) }
                }
                footer { (explanations()) }
            }
        }
    }
}

fn environment(date: &str, machine: &Machine) -> Markup {
    let day = date.replace('T', " ").replace('Z', " UTC");
    html! {
        p.environment {
            time datetime=(date) { (day) } " · " (machine.cores) " cores of " (machine.cpu) " · "
            (numbers::bytes(machine.memory)) " memory · Linux " (machine.kernel)
        }
    }
}

/// Returns whether all limits hold, and otherwise a list of those that do not.
fn verdict(run: &Run) -> Markup {
    let all = run.checks().count();
    let held = run.checks().filter(|(_, check)| check.holds).count();
    html! {
        @if all > 0 && held == all {
            p.verdict.good { "All limits hold (" (all) ")." }
        } @else if all > 0 {
            div.verdict.bad {
                p { (held) " of " (all) " limits hold. These do not hold:" }
                ul {
                    @for (index, outcome) in run.outcomes.iter().enumerate() {
                        @for check in outcome.checks.iter().filter(|check| !check.holds) {
                            li {
                                a href=(format!("#{}", anchor(index, outcome))) { (outcome.scenario) }
                                " " (check.what) ": " (check.measured) ", wanted " (check.wanted)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the id of an outcome's section. The index makes it unique: a scenario can run in several sizes.
fn anchor(index: usize, outcome: &Outcome) -> String {
    format!("{}-{}", outcome.scenario, index + 1)
}

fn overview(outcomes: &[Outcome]) -> Markup {
    html! {
        div.wide role="region" aria-labelledby="overview" tabindex="0" {
            table.overview {
                thead {
                    tr {
                        th rowspan="2" scope="col" { "Scenario" }
                        th rowspan="2" scope="col" { "Connec\u{ad}tions" }
                        th.group colspan="3" scope="colgroup" { "Updates" }
                        th.group colspan="3" scope="colgroup" { "Deliveries per" }
                        th.group colspan="3" scope="colgroup" { "Latency, ms" }
                        th rowspan="2" scope="col" { "Peak memory" }
                        th rowspan="2" scope="col" { "Dropped" }
                        th rowspan="2" scope="col" { "Limits" }
                    }
                    tr {
                        @for head in HEADS {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for (index, outcome) in outcomes.iter().enumerate() { (row(index, outcome)) }
                }
            }
        }
    }
}

fn row(index: usize, outcome: &Outcome) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href=(format!("#{}", anchor(index, outcome))) { (outcome.scenario) }
                @for (name, value) in &outcome.parameters { small { (name) " " (numbers::parameter(value)) } }
            }
            td { (numbers::count(outcome.connections as u64)) }
            td.first { (numbers::count(outcome.deliveries)) }
            td.bad[outcome.lost > 0] { (numbers::count(outcome.lost)) }
            td { (numbers::count(outcome.superseded)) }
            td.first { (numbers::rate(outcome.deliveries_per_second())) }
            td { (numbers::rate(outcome.deliveries_per_cpu_second())) }
            td { (numbers::ratio(outcome.ratio_to_floor())) }
            td.first { (numbers::millis(outcome.p50_ms())) }
            td { (numbers::millis(outcome.p99_ms())) }
            td { (numbers::millis(outcome.max_ms())) }
            td.first { (numbers::bytes(outcome.peak_memory)) }
            td.bad[outcome.dropped > 0] { (numbers::count(outcome.dropped as u64)) }
            td { (limits(outcome)) }
        }
    }
}

fn limits(outcome: &Outcome) -> Markup {
    let failed = outcome.checks.iter().filter(|check| !check.holds).count();
    html! {
        @if outcome.checks.is_empty() { (numbers::NONE) }
        @else if outcome.holds() { span.badge.good { "hold" } }
        @else { span.badge.bad { (failed) " of " (outcome.checks.len()) " fail" } }
    }
}

fn explanations() -> Markup {
    html! {
        h2 { "How to read this" }
        dl {
            dt { "Deliveries" }
            dd { "Updates that arrived, counted for each follower." }
            dt { "Lost" }
            dd { "Updates that neither arrived at a follower nor were superseded by a later one that arrived." }
            dt { "Superseded" }
            dd { "Updates that a follower did not see because a later state of the same user replaced them." }
            dt { "Per CPU-second" }
            dd { "Deliveries per second of the server's CPU time, on all cores together, kernel included." }
            dt { "× floor" }
            dd { "The same as a share of the floor's: a bare server that only writes frames, in the same run." }
            dt { "Latency" }
            dd { "Time from the send of an update to its arrival at a follower. p99: 99 of 100 were faster." }
            dt { "Peak memory" }
            dd { "Maximum resident memory of the server process." }
            dt { "Dropped" }
            dd { "Connections that the server ended." }
        }
    }
}
