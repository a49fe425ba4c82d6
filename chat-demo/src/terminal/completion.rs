//! What Tab makes of a word: a name, or at the beginning a command.

use std::collections::BTreeSet;

use super::commands;
use crate::{Name, name::likeness};

/// What a word could become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Where the word begins, in bytes.
    pub(super) start: usize,
    /// What may stand in its place; never none.
    pub(super) words: Vec<String>,
}

/// What the end of `before` (all that is before the cursor) could become. A name may have blanks, so that the word may
/// begin before the last one; the longest beginning that is one of a name counts.
pub(super) fn candidates(before: &str, names: &BTreeSet<Name>) -> Option<Candidates> {
    if before.starts_with('/') && !before.contains(char::is_whitespace) {
        let words = commands::all().filter(|command| command.starts_with(before));
        return of(0, words.map(|command| format!("{command} ")));
    }
    starts(before).find_map(|start| {
        let begun = likeness(&before[start..]);
        let words = names.iter().filter(|name| name.likeness().starts_with(&begun));
        let after = if start == 0 { ": " } else { " " };
        of(start, words.map(|name| format!("{name}{after}")))
    })
}

fn of(start: usize, words: impl Iterator<Item = String>) -> Option<Candidates> {
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then_some(Candidates { start, words })
}

/// Where words begin that are no longer than a name, the first first.
fn starts(before: &str) -> impl Iterator<Item = usize> + '_ {
    let is_start = |at: usize| before[..at].chars().next_back().is_none_or(char::is_whitespace);
    let longest = before.char_indices().rev().take(Name::MAX_CHARS).last().map_or(0, |(at, _)| at);
    before[longest..]
        .char_indices()
        .map(move |(at, character)| (longest + at, character))
        .filter(move |(at, character)| !character.is_whitespace() && is_start(*at))
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(before: &str) -> Option<(usize, Vec<String>)> {
        let names = ["ann", "Anna", "John Doe", "zoë"].map(|name| Name::new(name).unwrap()).into();
        candidates(before, &names).map(|found| (found.start, found.words))
    }

    fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
        words.map(str::to_owned).into()
    }

    #[test]
    fn commands_are_completed_at_the_beginning_only() {
        assert_eq!(completed("/h"), Some((0, words(["/help ", "/history "]))));
        assert_eq!(completed("/x"), None);
        assert_eq!(completed("a /h"), None);
    }

    #[test]
    fn names_are_completed_whatever_their_case() {
        assert_eq!(completed("AN"), Some((0, words(["Anna: ", "ann: "]))));
        assert_eq!(completed("hello Z"), Some((6, words(["zoë "]))));
        assert_eq!(completed("/msg an"), Some((5, words(["Anna ", "ann "]))));
        assert_eq!(completed("hello "), None);
        assert_eq!(completed(""), None);
    }

    #[test]
    fn a_name_with_blanks_is_completed_after_its_blank() {
        assert_eq!(completed("/msg john d"), Some((5, words(["John Doe "]))));
        assert_eq!(completed("so John"), Some((3, words(["John Doe "]))));
    }
}
