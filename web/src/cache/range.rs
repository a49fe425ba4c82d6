//! `Range`, as far as one range of bytes goes (RFC 9110, 14). Several are answered with the whole, which is allowed.

use http::HeaderValue;

/// What a `Range` header comes to for a body of a known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it: the header is absent, not understood, or asks for several parts.
    Whole,
    /// From the first byte up to, and without, the second.
    Part(u64, u64),
    /// Nothing of it: the range begins after the end.
    Nothing,
}

/// Reads `range` for a body of `length` bytes.
pub(crate) fn asked(range: Option<&HeaderValue>, length: u64) -> Asked {
    let range = range.and_then(|range| range.to_str().ok()).and_then(|range| range.split_once('='));
    let Some((unit, spec)) = range else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    match spec.trim().split_once('-') {
        Some(("", last)) => number(last).map_or(Asked::Whole, |last| suffix(last, length)),
        Some((first, "")) => number(first).map_or(Asked::Whole, |first| part(first, u64::MAX, length)),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => part(first, last, length),
            _ => Asked::Whole,
        },
        None => Asked::Whole,
    }
}

fn suffix(last: u64, length: u64) -> Asked {
    if last == 0 || length == 0 { Asked::Nothing } else { Asked::Part(length.saturating_sub(last), length) }
}

fn part(first: u64, last: u64, length: u64) -> Asked {
    if first >= length { Asked::Nothing } else { Asked::Part(first, last.saturating_add(1).min(length)) }
}

/// Digits only: `+5` is no number here. More of them than fit are as good as the largest.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_has_them() {
        let cases = [
            ("bytes=0-0", Asked::Part(0, 1)),
            ("bytes=0-499", Asked::Part(0, 500)),
            ("Bytes=500-", Asked::Part(500, 1000)),
            ("bytes=900-5000", Asked::Part(900, 1000)),
            ("bytes=-1", Asked::Part(999, 1000)),
            ("bytes=-5000", Asked::Part(0, 1000)),
            ("bytes=0-99999999999999999999999", Asked::Part(0, 1000)),
            ("bytes=1000-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes", Asked::Whole),
            ("items=0-1", Asked::Whole),
        ];
        for (range, expected) in cases {
            assert_eq!(asked(Some(&HeaderValue::from_static(range)), 1000), expected, "{range}");
        }
        assert_eq!(asked(None, 1000), Asked::Whole);
    }
}
