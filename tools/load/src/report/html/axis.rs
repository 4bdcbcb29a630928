//! The axes of a plot: from where to where they go, and which values are named. Pure.

use crate::report::numbers;

/// How many steps an axis has at most.
const STEPS: f64 = 5.0;

/// A direction of the plot. Positions on it are in its own unit, whatever that is.
pub struct Axis {
    /// The value at the left, or at the bottom.
    pub low: f64,
    /// The value at the right, or at the top; always more than `low`.
    pub high: f64,
    /// Where a line is drawn, and what is written there.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to the first round number not below `highest`.
    pub fn amount(highest: f64) -> Self {
        let step = step(highest);
        let high = (highest / step - 1e-9).ceil().max(1.0) * step;
        Self { low: 0.0, high, ticks: ticks(step, high, |amount| numbers::short(amount, high)) }
    }

    /// Seconds from zero to `last`, where the axis ends.
    pub fn seconds(last: f64) -> Self {
        let high = if last > 0.0 { last } else { 1.0 };
        Self { low: 0.0, high, ticks: ticks(step(high), high, |at| format!("{} s", numbers::figure(at))) }
    }

    /// Shares of `count` values, so that each further nine is as far as the one before; as many nines as `count` has
    /// values for. [`nines`] gives positions on it.
    pub fn nines(count: u64) -> Self {
        let high = (count as f64).log10().clamp(1.0, 6.0);
        let named =
            [0.5, 0.9, 0.99, 0.999, 0.999_9, 0.999_99].into_iter().zip(["50", "90", "99", "99.9", "99.99", "99.999"]);
        let ticks = named.map(|(share, name)| (nines(share), format!("{name} %")));
        Self {
            low: 0.0,
            high,
            ticks: ticks.filter(|(at, _)| *at <= high - 0.4).chain([(high, "max".to_owned())]).collect(),
        }
    }
}

/// Where a share stands among the nines: 0.9 at 1, 0.99 at 2.
pub fn nines(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// 1, 2 or 5 times a power of ten, such that `range` has no more than [`STEPS`] of it.
fn step(range: f64) -> f64 {
    if range <= 0.0 {
        return 1.0;
    }
    let raw = range / STEPS;
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= raw * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

fn ticks(step: f64, high: f64, name: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    let multiples = (0_u32..).map(|multiple| f64::from(multiple) * step);
    multiples.take_while(|at| *at <= high * (1.0 + 1e-9)).map(|at| (at, name(at))).collect()
}
