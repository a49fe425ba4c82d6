//! Numbers, as short as people read them: at most six characters, or seven of bytes.

use std::time::Duration;

const STEPS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
const BYTE_STEPS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// `9999`, `12.3k`, `1.2M`.
pub(crate) fn count(count: u64) -> String {
    if count < 10_000 { count.to_string() } else { stepped(as_float(count), 1000.0, &STEPS, "") }
}

/// A number a second: `0`, `0.4`, `120`, `12.3k`.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        _ if !rate.is_finite() || rate < 0.05 => "0".to_owned(),
        _ if rate < 10.0 => format!("{rate:.1}"),
        _ if rate < 10_000.0 => format!("{rate:.0}"),
        _ => stepped(rate, 1000.0, &STEPS, ""),
    }
}

/// `512 B`, `1.2 KiB`.
pub(crate) fn bytes(bytes: f64) -> String {
    match bytes {
        _ if !bytes.is_finite() || bytes < 0.5 => "0 B".to_owned(),
        _ if bytes < 1000.0 => format!("{bytes:.0} B"),
        _ => stepped(bytes, 1024.0, &BYTE_STEPS, " "),
    }
}

/// A tally's bytes.
pub(crate) fn volume(octets: u64) -> String {
    bytes(as_float(octets))
}

/// `80 ms`, `12 s`, `3 min`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// `512µs`, `8.2ms`, `1.0s`.
pub(crate) fn latency(micros: u64) -> String {
    let in_unit = |unit: f64, name: &str| {
        let value = as_float(micros) / unit;
        if value < 10.0 { format!("{value:.1}{name}") } else { format!("{value:.0}{name}") }
    };
    match micros {
        0..1_000 => format!("{micros}µs"),
        1_000..1_000_000 => in_unit(1_000.0, "ms"),
        _ => in_unit(1_000_000.0, "s"),
    }
}

fn stepped(mut value: f64, step: f64, names: &[&str], gap: &str) -> String {
    let mut at = 0;
    while value >= 999.5 && at + 1 < names.len() {
        value /= step;
        at += 1;
    }
    let name = names[at];
    if value < 99.95 { format!("{value:.1}{gap}{name}") } else { format!("{value:.0}{gap}{name}") }
}

#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_rates_are_short() {
        let counts = [0, 9_999, 10_000, 123_456, 999_999, 1_250_000, u64::MAX].map(count);
        assert_eq!(counts, ["0", "9999", "10.0k", "123k", "1.0M", "1.2M", "18447P"]);
        let rates = [0.0, 0.04, 0.4, 9.96, 119.6, 9_999.4, 12_345.0, f64::NAN].map(rate);
        assert_eq!(rates, ["0", "0", "0.4", "10.0", "120", "9999", "12.3k", "0"]);
    }

    #[test]
    fn bytes_and_times_have_their_units() {
        assert_eq!(
            [0.0, 999.0, 1000.0, 1536.0, 1e9].map(bytes),
            ["0 B", "999 B", "1.0 KiB", "1.5 KiB", "954 MiB"]
        );
        let spans = [80, 1_500, 185_000, 7_500_000, 273_600_000].map(Duration::from_millis).map(span);
        assert_eq!(spans, ["80 ms", "1 s", "3 min", "2 h 5 min", "3 d 4 h"]);
        assert_eq!([512, 8_192, 262_144, 1 << 20].map(latency), ["512µs", "8.2ms", "262ms", "1.0s"]);
    }
}
