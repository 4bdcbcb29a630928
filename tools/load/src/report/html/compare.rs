//! Bars that compare the outcomes: deliveries per CPU-second, and latency. They are HTML, not SVG, so that they take the
//! available width and their text keeps its size.

use maud::{Markup, html};

use crate::outcome::Outcome;
use crate::report::{numbers, shape};

/// Returns both comparisons. Each contains the outcomes that have its numbers, and is left out for fewer than two.
pub fn bars(outcomes: &[Outcome]) -> Markup {
    let delivering: Vec<_> = outcomes.iter().filter(|outcome| outcome.deliveries_per_cpu_second().is_some()).collect();
    let timed: Vec<_> = outcomes.iter().filter(|outcome| outcome.max_ms().is_some()).collect();
    html! {
        div.plots {
            @if delivering.len() > 1 { (efficiency(&delivering)) }
            @if timed.len() > 1 { (latency(&timed)) }
        }
    }
}

fn efficiency(outcomes: &[&Outcome]) -> Markup {
    let rates = outcomes.iter().flat_map(|outcome| [outcome.deliveries_per_cpu_second(), outcome.floor]).flatten();
    let most = rates.fold(0.0, f64::max);
    html! {
        figure.bars {
            figcaption { "Deliveries per CPU-second " span.unit { "the mark is the floor of the same size" } }
            ul {
                @for outcome in outcomes {
                    @let rate = outcome.deliveries_per_cpu_second().unwrap_or_default();
                    li title=(tooltip(outcome, &efficiency_text(outcome))) {
                        span.name { (label(outcome, outcomes)) }
                        span.track {
                            span.bar style=(format!("width:{:.2}%", share(rate, most))) {}
                            @if let Some(floor) = outcome.floor {
                                span.mark style=(format!("left:{:.2}%", share(floor, most))) {}
                            }
                        }
                        span.value { (numbers::rate(Some(rate))) }
                    }
                }
            }
        }
    }
}

fn efficiency_text(outcome: &Outcome) -> String {
    let rate = numbers::rate(outcome.deliveries_per_cpu_second());
    outcome.ratio_to_floor().map_or(rate.clone(), |ratio| format!("{rate}, {ratio:.2} of the floor"))
}

/// Returns the scenario's name. If it ran in several sizes, the parameters that differ follow.
fn label(outcome: &Outcome, all: &[&Outcome]) -> String {
    let same_scenario = || all.iter().filter(|other| other.scenario == outcome.scenario);
    let distinctive = outcome
        .parameters
        .iter()
        .filter(|parameter| same_scenario().any(|other| !other.parameters.contains(parameter)));
    distinctive.fold(outcome.scenario.to_owned(), |label, (_, value)| format!("{label} {}", numbers::parameter(value)))
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

/// Draws p50 to p99 as a strong bar and p99 to the maximum as a faint one, on a logarithmic scale.
fn latency(outcomes: &[&Outcome]) -> Markup {
    let least = outcomes.iter().filter_map(|outcome| outcome.p50_ms()).fold(f64::INFINITY, f64::min);
    let most = outcomes.iter().filter_map(|outcome| outcome.max_ms()).fold(0.0, f64::max);
    let scale = Decades::over(least, most);
    html! {
        figure.bars {
            figcaption { "Latency " span.unit { "p50 to p99, then to the maximum; ms, logarithmic" } }
            ul {
                @for outcome in outcomes {
                    @let (p50, p99, max) = (outcome.p50_ms(), outcome.p99_ms(), outcome.max_ms());
                    li title=(tooltip(outcome, &latency_text(outcome))) {
                        span.name { (label(outcome, outcomes)) }
                        span.track {
                            @for (at, _) in scale.ticks() { span.decade style=(format!("left:{at:.2}%")) {} }
                            span.bar.faint style=(scale.span(p99, max)) {}
                            span.bar style=(scale.span(p50, p99)) {}
                        }
                        span.value { (numbers::millis(p99)) }
                    }
                }
                li.scale aria-hidden="true" {
                    span.name {}
                    span.track {
                        @for (at, name) in scale.ticks() { span.tick style=(format!("left:{at:.2}%")) { (name) } }
                    }
                    span.value { "p99" }
                }
            }
        }
    }
}

fn latency_text(outcome: &Outcome) -> String {
    let [p50, p99, max] = [outcome.p50_ms(), outcome.p99_ms(), outcome.max_ms()].map(numbers::millis);
    format!("p50 {p50} ms, p99 {p99} ms, maximum {max} ms")
}

fn tooltip(outcome: &Outcome, text: &str) -> String {
    let shape = shape(outcome);
    let shape = if shape.is_empty() { shape } else { format!(" ({shape})") };
    format!("{}{shape}: {text}", outcome.scenario)
}

/// A logarithmic scale from one power of ten to another.
struct Decades {
    low: i32,
    high: i32,
}

impl Decades {
    /// The lowest power of ten on any scale: a hundredth of a millisecond.
    const FIRST: i32 = -2;
    /// Maximum number of decades that are all labelled. Of more, every second one is.
    const MAX_LABELLED: i32 = 5;

    fn over(least: f64, most: f64) -> Self {
        let exponents = Self::FIRST..=9;
        let low = exponents.clone().rfind(|exponent| 10_f64.powi(*exponent) <= least).unwrap_or(Self::FIRST);
        let high = exponents.into_iter().find(|exponent| 10_f64.powi(*exponent) >= most).unwrap_or(low);
        Self { low, high: high.max(low + 1) }
    }

    fn position(&self, millis: f64) -> f64 {
        let position = (millis.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        100.0 * position.clamp(0.0, 1.0)
    }

    /// Returns left end and width of the bar between two values. The width is at least two pixels.
    fn span(&self, from: Option<f64>, to: Option<f64>) -> String {
        let (left, right) = (self.position(from.unwrap_or_default()), self.position(to.unwrap_or_default()));
        format!("left:{left:.2}%;width:max(2px,{:.2}%)", right - left)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        (self.low..=self.high).map(|exponent| {
            let millis = 10_f64.powi(exponent);
            let labelled = self.high - self.low <= Self::MAX_LABELLED || (exponent - self.low) % 2 == 0;
            (self.position(millis), if labelled { numbers::short(millis, millis) } else { String::new() })
        })
    }
}
