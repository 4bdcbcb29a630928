//! The format of numbers: separated thousands, significant digits only, binary units for memory.

const KIB: f64 = 1_024.0;
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// The placeholder for a missing number.
pub const NONE: &str = "–";

/// Formats a whole number: `1,234,567`.
pub fn count(number: u64) -> String {
    group(&number.to_string())
}

/// Formats about three significant digits: `1,235`, `12.3`, `1.23`, `0.0123`, without zeros at the end. [`NONE`] for a
/// number that is not finite.
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

/// Formats a rate as a whole number, or [`NONE`].
pub fn rate(per_second: Option<f64>) -> String {
    per_second.map_or_else(|| NONE.to_owned(), |rate| group(&format!("{rate:.0}")))
}

/// Formats milliseconds without the unit, or [`NONE`]: `0.42`, `17.3`, `1,204`. Keeps zeros at the end, so that decimals
/// align in a column.
pub fn millis(millis: Option<f64>) -> String {
    let Some(millis) = millis else { return NONE.to_owned() };
    match millis {
        long if long >= 100.0 => group(&format!("{long:.0}")),
        middle if middle >= 10.0 => format!("{middle:.1}"),
        short => format!("{short:.2}"),
    }
}

/// Formats a share of the floor, or [`NONE`]: `0.91`.
pub fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| NONE.to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Formats bytes in the largest unit that keeps the number above 1: `148 MiB`, `9.8 KiB`.
pub fn bytes(bytes: u64) -> String {
    let (unit, size) = byte_unit(bytes);
    format!("{} {unit}", figure(bytes as f64 / size))
}

/// Returns the unit for `bytes`, and its size.
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

/// Formats a short number for a scale up to `highest`: `50k` of 250,000, `1.5M` of 2,000,000.
pub fn short(number: f64, highest: f64) -> String {
    let (size, suffix) = match highest {
        highest if highest >= 1e9 => (1e9, "G"),
        highest if highest >= 1e6 => (1e6, "M"),
        highest if highest >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    figure(number / size) + if number == 0.0 { "" } else { suffix }
}

/// Formats a parameter, with separated thousands when it is a number.
pub fn parameter(value: &str) -> String {
    value.parse::<u64>().map_or_else(|_| value.to_owned(), count)
}

/// Inserts a comma before every three whole digits.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separated_thousands_and_significant_digits_only() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        for (number, text) in [
            (1_234.5, "1,234"),
            (12.34, "12.3"),
            (1.0, "1"),
            (0.5, "0.5"),
            (0.012_34, "0.0123"),
            (-1_234.5, "-1,234"),
            (f64::NAN, NONE),
        ] {
            assert_eq!(figure(number), text);
        }
        assert_eq!(millis(Some(0.5)), "0.50");
        assert_eq!(millis(None), NONE);
    }

    #[test]
    fn bytes_have_the_largest_unit_that_fits() {
        for (number, text) in [(1_023, "1,023 B"), (1_024, "1 KiB"), (10_035, "9.8 KiB"), (155_189_248, "148 MiB")] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn a_scale_has_one_unit() {
        assert_eq!(short(50_000.0, 250_000.0), "50k");
        assert_eq!(short(1_500_000.0, 2_000_000.0), "1.5M");
        assert_eq!(short(0.0, 2_000_000.0), "0");
    }
}
