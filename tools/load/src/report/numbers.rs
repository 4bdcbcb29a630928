//! How numbers are written: thousands separated, as many digits as carry meaning, binary units for memory.

const KIB: f64 = 1_024.0;
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// What stands where there is no number.
pub const NONE: &str = "–";

/// `1234567` is `1,234,567`.
pub fn count(number: u64) -> String {
    group(&number.to_string())
}

/// Three digits or so: `1,235`, `12.3`, `1.23`, `0.0123`; without zeros at the end. [`NONE`] for what is no number.
pub fn figure(number: f64) -> String {
    if !number.is_finite() {
        return NONE.to_owned();
    }
    let decimals = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 || size == 0.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{number:.decimals$}");
    group(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
}

/// A rate, to the whole number, or [`NONE`].
pub fn rate(per_second: Option<f64>) -> String {
    per_second.map_or_else(|| NONE.to_owned(), |rate| group(&format!("{rate:.0}")))
}

/// Milliseconds without the unit, or [`NONE`]: `0.42`, `17.3`, `1,204`. Zeros stay, so that a column's decimals align.
pub fn millis(millis: Option<f64>) -> String {
    let Some(millis) = millis else { return NONE.to_owned() };
    match millis {
        long if long >= 100.0 => group(&format!("{long:.0}")),
        middle if middle >= 10.0 => format!("{middle:.1}"),
        short => format!("{short:.2}"),
    }
}

/// A share of the floor, or [`NONE`]: `0.91`.
pub fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| NONE.to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Bytes in the unit that leaves them above 1: `148 MiB`, `9.8 KiB`.
pub fn bytes(bytes: u64) -> String {
    let (unit, size) = byte_unit(bytes);
    format!("{} {unit}", figure(bytes as f64 / size))
}

/// The unit to write `bytes` in, and its size.
pub fn byte_unit(bytes: u64) -> (&'static str, f64) {
    let mut size = 1.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if bytes as f64 / size < KIB {
            break;
        }
        size *= KIB;
        unit = larger;
    }
    (unit, size)
}

/// Short, for a scale that goes to `highest`: `50k` of 250,000, `1.5M` of 2,000,000.
pub fn short(number: f64, highest: f64) -> String {
    let (size, suffix) = match highest {
        highest if highest >= 1e9 => (1e9, "G"),
        highest if highest >= 1e6 => (1e6, "M"),
        highest if highest >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    figure(number / size) + if number == 0.0 { "" } else { suffix }
}

/// A parameter as the scenario has it; with separators when it is a number.
pub fn parameter(value: &str) -> String {
    value.parse::<u64>().map_or_else(|_| value.to_owned(), count)
}

/// Puts a comma before every three of the whole digits.
fn group(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, decimals) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
    let mut text = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + decimals
}
