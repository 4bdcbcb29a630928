//! The outcomes side by side: what a CPU-second delivers, and how long deliveries take. Bars of the page's own, not a
//! drawing, so that they are as wide as there is room and their letters stay readable.

use maud::{Markup, html};

use crate::outcome::Outcome;
use crate::report::{numbers, shape};

/// Both comparisons, of those outcomes that have something to compare; nothing for a single one.
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
            figcaption { "Deliveries per CPU-second " span.unit { "the mark is the floor of the same shape" } }
            ul {
                @for outcome in outcomes {
                    @let rate = outcome.deliveries_per_cpu_second().unwrap_or_default();
                    li title=(tooltip(outcome, &efficiency_says(outcome))) {
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

fn efficiency_says(outcome: &Outcome) -> String {
    let rate = numbers::rate(outcome.deliveries_per_cpu_second());
    outcome.ratio_to_floor().map_or(rate.clone(), |ratio| format!("{rate}, {ratio:.2} of the floor"))
}

/// The scenario; where it is there in several shapes, with those parameters that tell them apart.
fn label(outcome: &Outcome, all: &[&Outcome]) -> String {
    let twins = || all.iter().filter(|other| other.scenario == outcome.scenario);
    let telling =
        outcome.parameters.iter().filter(|parameter| twins().any(|twin| !twin.parameters.contains(parameter)));
    telling.fold(outcome.scenario.to_owned(), |label, (_, value)| format!("{label} {}", numbers::parameter(value)))
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

/// From p50 to p99 strong, from there to the maximum faint; every decade is as wide as the one before.
fn latency(outcomes: &[&Outcome]) -> Markup {
    let least = outcomes.iter().filter_map(|outcome| outcome.p50_ms()).fold(f64::INFINITY, f64::min);
    let most = outcomes.iter().filter_map(|outcome| outcome.max_ms()).fold(0.0, f64::max);
    let scale = Decades::over(least, most);
    html! {
        figure.bars {
            figcaption { "Latency " span.unit { "p50 to p99, and on to the slowest; ms, logarithmic" } }
            ul {
                @for outcome in outcomes {
                    @let (p50, p99, max) = (outcome.p50_ms(), outcome.p99_ms(), outcome.max_ms());
                    li title=(tooltip(outcome, &latency_says(outcome))) {
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

fn latency_says(outcome: &Outcome) -> String {
    let [p50, p99, max] = [outcome.p50_ms(), outcome.p99_ms(), outcome.max_ms()].map(numbers::millis);
    format!("p50 {p50} ms, p99 {p99} ms, slowest {max} ms")
}

fn tooltip(outcome: &Outcome, says: &str) -> String {
    let shape = shape(outcome);
    let shape = if shape.is_empty() { shape } else { format!(" ({shape})") };
    format!("{}{shape}: {says}", outcome.scenario)
}

/// A scale from one power of ten to another.
struct Decades {
    low: i32,
    high: i32,
}

impl Decades {
    /// The first decade that is drawn at all: a hundredth of a millisecond.
    const FIRST: i32 = -2;
    /// So many decades are all named; of more, every second is.
    const NAMED: i32 = 5;

    fn over(least: f64, most: f64) -> Self {
        let exponents = Self::FIRST..=9;
        let low = exponents.clone().rfind(|exponent| 10_f64.powi(*exponent) <= least).unwrap_or(Self::FIRST);
        let high = exponents.into_iter().find(|exponent| 10_f64.powi(*exponent) >= most).unwrap_or(low);
        Self { low, high: high.max(low + 1) }
    }

    fn place(&self, millis: f64) -> f64 {
        let place = (millis.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        100.0 * place.clamp(0.0, 1.0)
    }

    /// Left end and width of the bar between two values; at least a hair, so that it is seen.
    fn span(&self, from: Option<f64>, to: Option<f64>) -> String {
        let (left, right) = (self.place(from.unwrap_or_default()), self.place(to.unwrap_or_default()));
        format!("left:{left:.2}%;width:max(2px,{:.2}%)", right - left)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        (self.low..=self.high).map(|exponent| {
            let millis = 10_f64.powi(exponent);
            let named = self.high - self.low <= Self::NAMED || (exponent - self.low) % 2 == 0;
            (self.place(millis), if named { numbers::short(millis, millis) } else { String::new() })
        })
    }
}
