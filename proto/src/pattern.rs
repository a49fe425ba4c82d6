//! Patterns of bytes: regular expressions over what destinations and sources say.
//!
//! Used for filters (S10), for what comparing leaves out (S8) and for what counts as an answer (S9). They match bytes, not
//! text: a frame need not be UTF-8. The engine's time is linear in the frame's length, whatever the pattern.

use std::{borrow::Cow, fmt};

use regex::bytes::{NoExpand, Regex, RegexBuilder};

/// How large a compiled pattern may be, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// Any number of patterns. None match nothing.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<Regex>);

/// What is wrong with a pattern, in the words of the engine, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern(pub String);

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Patterns {
    /// Reads patterns. `.` and classes mean bytes; `^` and `$` mean the frame's ends.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPattern> {
        patterns.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them is found in `bytes`.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(bytes))
    }

    /// `bytes` without whatever the patterns find, each in turn.
    pub fn blank<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.iter().fold(Cow::Borrowed(bytes), |rest, pattern| match rest {
            Cow::Borrowed(rest) => pattern.replace_all(rest, NoExpand(b"")),
            Cow::Owned(rest) => Cow::Owned(pattern.replace_all(&rest, NoExpand(b"")).into_owned()),
        })
    }
}

/// As they were written.
impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(Regex::as_str)).finish()
    }
}

fn compile(pattern: &str) -> Result<Regex, BadPattern> {
    let built = RegexBuilder::new(pattern).unicode(false).size_limit(MAX_COMPILED).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            BadPattern(format!("it would take more than {} KiB", limit / 1024))
        }
        // The engine draws the place below the pattern; the last line says what is wrong.
        other => BadPattern(other.to_string().lines().last().unwrap_or_default().trim().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(patterns: &[&str]) -> Patterns {
        Patterns::parse(patterns.iter().copied()).unwrap()
    }

    #[test]
    fn patterns_match_bytes_that_are_no_text() {
        assert!(patterns(&[r"^\x00.\xFF$"]).is_match(&[0, 0xFE, 0xFF]));
        assert!(!patterns(&["^REBOOT"]).is_match(b"no REBOOT"));
        assert!(!patterns(&[]).is_match(b""));
    }

    #[test]
    fn what_they_find_is_left_out() {
        let times = patterns(&["[0-9]{2}:[0-9]{2}", "id=[a-z]+ ?"]);
        assert_eq!(&*times.blank(b"12:30 ok id=ab at 12:31"), b" ok at ");
        assert!(matches!(times.blank(b"ok"), Cow::Borrowed(b"ok")));
    }

    #[test]
    fn a_bad_pattern_says_what_is_wrong_on_one_line() {
        let BadPattern(why) = Patterns::parse(["("]).unwrap_err();
        assert_eq!(why, "error: unclosed group");
        assert!(Patterns::parse(["(a{1000}){1000}"]).unwrap_err().0.contains("more than 1024 KiB"));
    }
}
