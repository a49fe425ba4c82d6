//! What somebody is called: short, to be seen in full, and on one line.

use std::fmt;

use runtime::exit::Failure;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The name of a member, a peer or a room: 1 to [`Name::MAX_CHARS`] characters, none of which is a control character or
/// invisible, of blanks only the space, and none at its ends. It does not begin with a mark on what is before it. It does not begin as other lines (`!`, `|`, `>`) or commands (`/`) do, and has nothing
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
    /// It has a mark, such as an accent, on nothing.
    Mark,
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
        if name.chars().any(|character| is_unseen(character) || is_blank(character)) {
            return Err(BadName::Unseen);
        }
        if name.split(' ').any(|word| word.starts_with(is_combining_mark)) {
            return Err(BadName::Mark);
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

    /// Whether both would be taken for one by a reader: `Ann` and `ann`. Letters of several alphabets that look alike are not
    /// told from each other here.
    pub fn is_like(&self, other: &Self) -> bool {
        self.likeness() == other.likeness()
    }

    /// What all names that are like this one share.
    pub fn likeness(&self) -> String {
        likeness(&self.0)
    }
}

/// The same for what is not a name, or not yet: without case, composed in one way, runs of blanks as one space.
pub(crate) fn likeness(typed: &str) -> String {
    // Upper case first, as `ß` and `SS`, or both small sigmas, are only alike there.
    let folded: String =
        typed.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
    let mut alike = String::with_capacity(folded.len());
    for character in folded.chars() {
        if !character.is_whitespace() {
            alike.push(character);
        } else if !alike.ends_with(' ') {
            alike.push(' ');
        }
    }
    alike
}

/// Control characters, and those that are only seen by what they do to others: marks of direction, of joining, of width.
pub(crate) fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// What is seen as nothing or as a space in a name, beside those: what Unicode has renderers ignore (`Default_Ignorable_Code_Point`),
/// such as selectors of variants, and blanks that are not the space.
fn is_blank(character: char) -> bool {
    (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
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
            Self::Mark => f.write_str("a name has no mark (an accent, say) that is on nothing"),
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

    /// Fails if somebody can be called what a reader takes for another's name, the room's own say.
    #[test]
    fn names_that_look_the_same_are_one_or_none() {
        for unseen in
            ["\u{fe0f}", "\u{34f}", "\u{17b4}", "\u{1d173}", "\u{2800}", "\u{180b}", "\u{fff0}", "\u{1bca0}"]
        {
            assert_eq!(Name::new(&format!("room{unseen}")), Err(BadName::Unseen), "{unseen:?}");
            assert_eq!(Name::new(unseen), Err(BadName::Unseen), "{unseen:?}");
        }
        for blank in ["\u{a0}", "\u{2003}", "\u{3000}", "\u{1680}"] {
            assert_eq!(Name::new(&format!("John{blank}Doe")), Err(BadName::Unseen), "{blank:?}");
        }
        for mark in ["\u{301}", "\u{301}ann", "ann \u{301}"] {
            assert_eq!(Name::new(mark), Err(BadName::Mark), "{mark:?}");
        }
        for (one, other) in [
            ("Zo\u{eb}", "zoe\u{308}"),
            ("John Doe", "john  doe"),
            ("\u{ff41}nn", "ann"),
            ("\u{fb01}n", "fin"),
            ("STRASSE", "stra\u{df}e"),
            ("\u{39f}\u{3a3}", "\u{3bf}\u{3c2}"),
        ] {
            assert!(Name::new(one).unwrap().is_like(&Name::new(other).unwrap()), "{one} {other}");
        }
        assert!(!Name::new("zoe").unwrap().is_like(&Name::new("zoë").unwrap()));
    }
}
