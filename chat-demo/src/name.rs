//! What somebody is called: short, to be seen in full, and on one line.

use std::fmt;

use runtime::exit::Failure;
use serde::{Deserialize, Serialize};

/// The name of a member, a peer or a room: 1 to [`Name::MAX_CHARS`] characters, none of which is a control character or
/// invisible, without blanks at its ends. It does not begin as other lines (`!`, `|`, `>`) or commands (`/`) do, and has nothing
/// that a name is followed by where a line is shown (`:`, `*`, or a `)` at its end), so that a reader knows where it ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why something cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// There is nothing to be called.
    Empty,
    /// It has more than [`Name::MAX_CHARS`] characters.
    Long,
    /// It has a character that cannot be seen, or that changes how others are seen.
    Unseen,
    /// It begins as something else does.
    Begins(char),
    /// It has a character that ends a name where a line is shown.
    Has(char),
    /// It ends as what is noted behind a name does.
    Ends(char),
}

impl Name {
    /// The longest, in characters.
    pub const MAX_CHARS: usize = 32;

    /// The name, without the blanks around it.
    pub fn new(typed: &str) -> Result<Self, BadName> {
        let name = typed.trim();
        match name.chars().next() {
            None => return Err(BadName::Empty),
            Some(first @ ('*' | '/' | '!' | '|' | '>')) => return Err(BadName::Begins(first)),
            Some(_) => {}
        }
        if name.chars().any(is_unseen) {
            return Err(BadName::Unseen);
        }
        if let Some(end) = name.chars().find(|character| matches!(character, ':' | '*')) {
            return Err(BadName::Has(end));
        }
        if name.ends_with(')') {
            return Err(BadName::Ends(')'));
        }
        if name.chars().count() > Self::MAX_CHARS {
            return Err(BadName::Long);
        }
        Ok(Self(name.to_owned()))
    }

    /// What the person is called on this machine, for where nothing else is said.
    pub(crate) fn of_user() -> Result<Self, Failure> {
        let user = std::env::var("USER").unwrap_or_default();
        Self::new(&user).map_err(|why| {
            Failure::cannot("chat without a name", format!("$USER is none: {why}"), "--name NAME").as_usage()
        })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both would be taken for one by a reader: `Ann` and `ann`.
    pub fn is_like(&self, other: &Self) -> bool {
        self.likeness() == other.likeness()
    }

    /// What all names that are like this one share.
    pub fn likeness(&self) -> String {
        self.0.to_lowercase()
    }
}

/// Control characters, and those that are only seen by what they do to others: marks of direction, of joining, of width.
pub(crate) fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(typed: String) -> Result<Self, BadName> {
        Self::new(&typed)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name has at least one character"),
            Self::Long => write!(f, "a name has at most {} characters", Name::MAX_CHARS),
            Self::Unseen => f.write_str("a name has no control or invisible characters"),
            Self::Begins(first) => write!(f, "a name does not begin with {first:?}"),
            Self::Has(end) => write!(f, "a name has no {end:?}"),
            Self::Ends(last) => write!(f, "a name does not end with {last:?}"),
        }
    }
}

impl std::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_it_was_typed_but_for_blanks_around_it() {
        assert_eq!(Name::new(" John Doe\n").unwrap().as_str(), "John Doe");
        assert_eq!(Name::new("¡Zoë ñ €! 🦀").unwrap().to_string(), "¡Zoë ñ €! 🦀");
    }

    #[test]
    fn what_could_pass_for_something_else_is_no_name() {
        assert_eq!(Name::new(" \t"), Err(BadName::Empty));
        assert_eq!(Name::new("a\nb"), Err(BadName::Unseen));
        assert_eq!(Name::new("a\u{1b}[2J"), Err(BadName::Unseen));
        assert_eq!(Name::new("a\u{202e}b"), Err(BadName::Unseen));
        assert_eq!(Name::new("* b joined"), Err(BadName::Begins('*')));
        assert_eq!(Name::new("/quit"), Err(BadName::Begins('/')));
        assert_eq!(Name::new("! b"), Err(BadName::Begins('!')));
        assert_eq!(Name::new("| b"), Err(BadName::Begins('|')));
        assert_eq!(Name::new("b: I"), Err(BadName::Has(':')));
        assert_eq!(Name::new("b * waves"), Err(BadName::Has('*')));
        assert_eq!(Name::new("b (to you)"), Err(BadName::Ends(')')));
        assert_eq!(Name::new(&"é".repeat(33)), Err(BadName::Long));
        assert!(Name::new(&"é".repeat(32)).is_ok());
    }

    #[test]
    fn names_are_alike_whatever_their_case() {
        assert!(Name::new("ANN É").unwrap().is_like(&Name::new("ann é").unwrap()));
    }
}
