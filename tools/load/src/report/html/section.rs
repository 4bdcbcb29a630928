//! The section of one outcome: description, numbers, limits, plots.

use maud::{Markup, html};

use super::anchor;
use super::axis::{Axis, nines};
use super::plot::{Plot, Point};
use crate::outcome::{Check, Outcome, Sample};
use crate::report::{describe, numbers};

/// Number of points of the latency curve.
const CURVE_POINTS: u32 = 80;
/// Maximum number of points of a plot over time. Samples between two points are combined.
const MAX_POINTS: usize = 80;

/// Returns the section of one outcome.
pub fn section(index: usize, outcome: &Outcome) -> Markup {
    let id = anchor(index, outcome);
    let plots = [latency(outcome), deliveries(outcome), memory(outcome), processor(outcome)];
    html! {
        section aria-labelledby=(id) {
            h2 #(id) {
                (outcome.scenario)
                @for (name, value) in &outcome.parameters {
                    " " span.parameter { (name) " " b { (numbers::parameter(value)) } }
                }
            }
            @if let Some(description) = describe(outcome.scenario) { p.description { (description) } }
            (figures(outcome))
            @if !outcome.checks.is_empty() { (checks(&outcome.checks)) }
            div.plots {
                @for plot in plots.into_iter().flatten() { (plot.draw()) }
            }
        }
    }
}

fn figures(outcome: &Outcome) -> Markup {
    let delivered = outcome.deliveries > 0;
    html! {
        dl.figures {
            @if delivered {
                (figure("deliveries per second", &numbers::rate(outcome.deliveries_per_second()), ""))
                (figure("per CPU-second", &numbers::rate(outcome.deliveries_per_cpu_second()), ""))
            }
            @if outcome.ratio_to_floor().is_some() {
                (figure("of the floor", &numbers::ratio(outcome.ratio_to_floor()), "×"))
            }
            @if outcome.p50_ms().is_some() {
                (figure("latency, p50", &numbers::millis(outcome.p50_ms()), "ms"))
                (figure("latency, p99", &numbers::millis(outcome.p99_ms()), "ms"))
            }
            @for figure in &outcome.figures { (self::figure(figure.name, &numbers::figure(figure.value), figure.unit)) }
            (figure("measured", &numbers::figure(outcome.seconds), "s"))
            (figure("server CPU", &numbers::figure(outcome.server_cpu_seconds), "s"))
        }
    }
}

fn figure(name: &str, value: &str, unit: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) @if !unit.is_empty() { " " span.unit { (unit) } } } } }
}

fn checks(checks: &[Check]) -> Markup {
    html! {
        div.wide {
            table.checks {
                thead {
                    tr { @for head in ["Limit", "Wanted", "Measured", "Verdict"] { th scope="col" { (head) } } }
                }
                tbody {
                    @for check in checks {
                        tr {
                            th scope="row" { (check.what) }
                            td data-name="wanted" { (check.wanted) }
                            td data-name="measured" { (check.measured) }
                            td {
                                @if check.holds { span.badge.good { "holds" } }
                                @else { span.badge.bad { "does not hold" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Plots the latency by percentile.
fn latency(outcome: &Outcome) -> Option<Plot> {
    let (p50, p99, max) = (outcome.p50_ms()?, outcome.p99_ms()?, outcome.max_ms()?);
    let x = Axis::nines(outcome.latency.len());
    let curve = (0..CURVE_POINTS).filter_map(|step| {
        let at = x.high * f64::from(step) / f64::from(CURVE_POINTS);
        let share = 1.0 - 10_f64.powf(-at);
        let millis = outcome.latency_ms(share)?;
        let label = format!("{} % within {} ms", percent(share), numbers::millis(Some(millis)));
        Some(Point { x: at, y: millis, label })
    });
    let last = Point { x: x.high, y: max, label: format!("maximum: {} ms", numbers::millis(Some(max))) };
    let points = curve.chain([last]).collect();
    let mark = |x, millis| Point { x, y: millis, label: numbers::millis(Some(millis)) };
    let labelled = [mark(nines(0.5), p50), mark(nines(0.99), p99)].into_iter().filter(|mark| mark.x < x.high - 0.4);
    let marks = labelled.chain([mark(x.high, max)]).collect();
    let summary = format!(
        "Latency by percentile: half within {} ms, 99 % within {} ms, maximum {} ms",
        numbers::millis(Some(p50)),
        numbers::millis(Some(p99)),
        numbers::millis(Some(max)),
    );
    Some(Plot {
        title: "Latency by percentile",
        unit: "ms".to_owned(),
        summary,
        y: Axis::amount(max),
        x,
        points,
        marks,
    })
}

/// Formats a share with one more digit for each nine: `50`, `99.2`, `99.97`.
fn percent(share: f64) -> String {
    let text = match nines(share) {
        at if at < 1.0 => format!("{:.0}", share * 100.0),
        at if at < 2.0 => format!("{:.1}", share * 100.0),
        at if at < 3.0 => format!("{:.2}", share * 100.0),
        at if at < 4.0 => format!("{:.3}", share * 100.0),
        _ => format!("{:.4}", share * 100.0),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn deliveries(outcome: &Outcome) -> Option<Plot> {
    let rates =
        rates_over_time(&outcome.series, |from, to| (to.deliveries - from.deliveries.min(to.deliveries)) as f64);
    rates.iter().any(|(_, rate)| *rate > 0.0).then(|| {
        let label = |rate: f64| format!("{} per second", numbers::rate(Some(rate)));
        over_time("Deliveries", "per second".to_owned(), &outcome.series, &rates, label)
    })
}

/// Plots the server's CPU usage.
fn processor(outcome: &Outcome) -> Option<Plot> {
    let busy = rates_over_time(&outcome.series, |from, to| 100.0 * (to.cpu_seconds - from.cpu_seconds).max(0.0));
    (!busy.is_empty()).then(|| {
        let label = |busy: f64| format!("{} % of a core", numbers::figure(busy));
        over_time("Server CPU", "% of a core".to_owned(), &outcome.series, &busy, label)
    })
}

fn memory(outcome: &Outcome) -> Option<Plot> {
    let most = outcome.series.iter().map(|sample| sample.memory).max()?;
    let (unit, size) = numbers::byte_unit(most);
    let group = outcome.series.len().div_ceil(MAX_POINTS);
    let highest = outcome.series.chunks(group).filter_map(|chunk| chunk.iter().max_by_key(|sample| sample.memory));
    let values: Vec<_> = highest.map(|sample| (sample.at, sample.memory as f64 / size)).collect();
    let label = |value: f64| format!("{} {unit}", numbers::figure(value));
    (values.len() > 1).then(|| over_time("Server memory", format!("{unit} resident"), &outcome.series, &values, label))
}

/// Returns what each interval of the series added per second, at the middle of the interval.
fn rates_over_time(series: &[Sample], added: impl Fn(&Sample, &Sample) -> f64) -> Vec<(f64, f64)> {
    let interval = series.len().div_ceil(MAX_POINTS).max(1);
    let ends: Vec<_> = series.iter().step_by(interval).collect();
    let intervals = ends.windows(2).filter(|pair| pair[1].at > pair[0].at);
    intervals
        .map(|pair| ((pair[0].at + pair[1].at) / 2.0, added(pair[0], pair[1]) / (pair[1].at - pair[0].at)))
        .collect()
}

fn over_time(
    title: &'static str,
    unit: String,
    series: &[Sample],
    values: &[(f64, f64)],
    label: impl Fn(f64) -> String,
) -> Plot {
    let most = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let least = values.iter().map(|(_, value)| *value).fold(most, f64::min);
    let end = series.last().map_or(0.0, |sample| sample.at);
    let summary = format!("{title} over {} s: between {} and {}", numbers::figure(end), label(least), label(most));
    let point = |&(at, value): &(f64, f64)| Point { x: at, y: value, label: format!("{at:.1} s: {}", label(value)) };
    let points = values.iter().map(point).collect();
    Plot { title, unit, summary, x: Axis::seconds(end), y: Axis::amount(most), points, marks: Vec::new() }
}
