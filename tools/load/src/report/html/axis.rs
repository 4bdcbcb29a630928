//! The axes of a plot: their ranges and their labelled values. Pure.

use crate::report::numbers;

/// Maximum number of steps of an axis.
const MAX_STEPS: f64 = 5.0;

/// One axis. Positions on it are in its own unit.
pub struct Axis {
    /// The value at the left, or at the bottom.
    pub low: f64,
    /// The value at the right, or at the top; always more than `low`.
    pub high: f64,
    /// Positions and labels of the grid lines.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Returns an axis from zero to the first round number that is not below `highest`.
    pub fn amount(highest: f64) -> Self {
        let step = step(highest);
        let high = (highest / step - 1e-9).ceil().max(1.0) * step;
        Self { low: 0.0, high, ticks: ticks(step, high, |amount| numbers::short(amount, high)) }
    }

    /// Returns an axis of seconds from zero to `last`.
    pub fn seconds(last: f64) -> Self {
        let high = if last > 0.0 { last } else { 1.0 };
        Self { low: 0.0, high, ticks: ticks(step(high), high, |at| format!("{} s", numbers::figure(at))) }
    }

    /// Returns an axis of percentiles on which each further nine is equally wide, with as many nines as `count` values
    /// can show. [`nines`] gives positions on it.
    pub fn nines(count: u64) -> Self {
        let high = (count as f64).log10().clamp(1.0, 6.0);
        let labels =
            [0.5, 0.9, 0.99, 0.999, 0.999_9, 0.999_99].into_iter().zip(["50", "90", "99", "99.9", "99.99", "99.999"]);
        let ticks = labels.map(|(share, name)| (nines(share), format!("{name} %")));
        Self {
            low: 0.0,
            high,
            ticks: ticks.filter(|(at, _)| *at <= high - 0.4).chain([(high, "max".to_owned())]).collect(),
        }
    }
}

/// Returns the position of a share among the nines: 0.9 at 1, 0.99 at 2.
pub fn nines(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// Returns 1, 2 or 5 times a power of ten, so that `range` has at most [`MAX_STEPS`] of it.
fn step(range: f64) -> f64 {
    if range <= 0.0 {
        return 1.0;
    }
    let raw = range / MAX_STEPS;
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= raw * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

fn ticks(step: f64, high: f64, name: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    let multiples = (0_u32..).map(|multiple| f64::from(multiple) * step);
    multiples.take_while(|at| *at <= high * (1.0 + 1e-9)).map(|at| (at, name(at))).collect()
}
