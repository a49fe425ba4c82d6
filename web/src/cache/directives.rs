//! What `Cache-Control` says, read leniently: names in any case, values with or without quotes.

use std::time::Duration;

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, PRAGMA},
};

/// Whether `name` is among the directives.
pub(crate) fn says(headers: &HeaderMap, name: &str) -> bool {
    value(headers, name).is_some()
}

/// The seconds that the directive `name` is given; none if it is absent or has no number.
pub(crate) fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    value(headers, name)?.trim_matches('"').parse().ok().map(Duration::from_secs)
}

/// Whether nothing is said that `says` would not see: whoever wrote it meant something.
pub(crate) fn are_readable(headers: &HeaderMap) -> bool {
    headers.get_all(CACHE_CONTROL).iter().all(|line| line.to_str().is_ok())
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    all(headers).find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        (name.trim(), value.trim())
    })
}

/// What `headers` say about caching, and nothing else, with names in lower case: others read them less leniently.
pub(crate) fn plain(headers: &HeaderMap) -> HeaderMap {
    let mut plain = HeaderMap::with_capacity(2);
    for name in [CACHE_CONTROL, PRAGMA] {
        for value in headers.get_all(&name) {
            let lower = value.as_bytes().to_ascii_lowercase();
            // Bytes that were a value are one in lower case.
            plain.append(&name, HeaderValue::from_bytes(&lower).unwrap_or_else(|_| value.clone()));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_found_in_any_case_over_several_lines() {
        let mut headers = HeaderMap::new();
        headers.append(CACHE_CONTROL, HeaderValue::from_static("Public , MAX-AGE=\"10\""));
        headers.append(CACHE_CONTROL, HeaderValue::from_static("stale-if-error=5,no-store"));

        assert!(says(&headers, "public") && says(&headers, "no-store") && !says(&headers, "private"));
        assert_eq!(seconds(&headers, "max-age"), Some(Duration::from_secs(10)));
        assert_eq!(seconds(&headers, "stale-if-error"), Some(Duration::from_secs(5)));
        assert_eq!(seconds(&headers, "public"), None);
    }
}
