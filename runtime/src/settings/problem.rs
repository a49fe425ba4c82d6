//! What is wrong with the settings, all of it at once.
//!
//! A [`Problem`] says what, where, and what to try instead. [`Problems`] is never empty, so an error always has
//! something to show. Its text goes after the name of the command: `pegloom up: 3 problems in pegloom.toml`.

use std::fmt;

use super::given::Origin;

/// One thing that is wrong, where it was said, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong with it.
    pub what: String,
    /// What to try instead, in the words of where it was said.
    pub advice: String,
}

impl Problem {
    /// A problem at `origin`.
    pub fn new(origin: Origin, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { origin, what: what.into(), advice: advice.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}: {}\n    try: {}", self.origin, self.what, self.advice)
    }
}

/// Every problem found in one reading of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    // Invariant: not empty.
    list: Vec<Problem>,
}

impl Problems {
    /// The problems in the order of the lines that have them; those of flags and the environment come first.
    pub fn as_slice(&self) -> &[Problem] {
        &self.list
    }

    /// `value`, unless there are problems.
    pub(super) fn none_or<T>(list: Vec<Problem>, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if list.is_empty() => Ok(value),
            _ => Err(Self::of(list)),
        }
    }

    /// All of `list`, which has at least one. What a variable or flag gets wrong for several routes is said once.
    pub(super) fn of(mut list: Vec<Problem>) -> Self {
        debug_assert!(!list.is_empty(), "a refusal has a reason");
        list.sort_by_key(|problem| problem.origin.line());
        let mut seen = Vec::new();
        list.retain(|problem| {
            !seen.contains(problem) && {
                seen.push(problem.clone());
                true
            }
        });
        Self { list }
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list
    }

    fn place(&self) -> String {
        let files: Vec<_> = self.list.iter().map(|problem| problem.origin.file()).collect();
        match files.first() {
            Some(Some(file)) if files.iter().all(|other| *other == Some(file)) => format!("in {file}"),
            _ if self.list.iter().all(|problem| problem.origin.is_typed()) => {
                "on the command line".to_owned()
            }
            _ => "in the settings".to_owned(),
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { list: vec![problem] }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, s) = (self.list.len(), if self.list.len() == 1 { "" } else { "s" });
        write!(f, "{count} problem{s} {}", self.place())?;
        self.list.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize) -> Problem {
        Problem::new(Origin::Toml { file: "pegloom.toml".into(), line }, "grace: is wrong", "grace = \"10s\"")
    }

    #[test]
    fn problems_are_shown_in_the_order_of_their_lines_under_one_heading() {
        let shown = Problems::of(vec![at(9), at(2)]).to_string();

        assert_eq!(
            shown,
            "2 problems in pegloom.toml\n  pegloom.toml:2: grace: is wrong\n    try: grace = \"10s\"\n  \
             pegloom.toml:9: grace: is wrong\n    try: grace = \"10s\""
        );
    }

    #[test]
    fn the_heading_names_a_file_only_if_all_problems_are_in_it() {
        let flag = Problem::new(Origin::Flag("--grace"), "`x` is no duration", "--grace 10s");

        assert!(Problems::of(vec![flag.clone()]).to_string().starts_with("1 problem on the command line\n"));
        assert!(Problems::of(vec![flag, at(1)]).to_string().starts_with("2 problems in the settings\n"));
    }
}
