//! What somebody says: some lines, bounded. What in it could harm a terminal is made harmless where it is shown, so that
//! everybody keeps the same bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something said: 1 to [`Text::MAX_BYTES`] bytes, without line ends at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

/// Why something cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadText {
    /// There is nothing in it.
    Empty,
    /// It has more than [`Text::MAX_BYTES`] bytes.
    Long,
}

impl Text {
    /// The longest, in bytes.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// The text, without line ends at its end.
    pub fn new(typed: &str) -> Result<Self, BadText> {
        let text = typed.trim_end_matches(['\n', '\r']);
        match text.len() {
            0 => Err(BadText::Empty),
            1..=Self::MAX_BYTES => Ok(Self(text.to_owned())),
            _ => Err(BadText::Long),
        }
    }

    /// As it was said.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = BadText;

    fn try_from(typed: String) -> Result<Self, BadText> {
        Self::new(&typed)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a text has at least one character"),
            Self::Long => write!(f, "a text has at most {} bytes", Text::MAX_BYTES),
        }
    }
}

impl std::error::Error for BadText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_loses_its_last_line_end_and_nothing_else() {
        assert_eq!(Text::new(" ¡hola!\n ñ\r\n\n").unwrap().as_str(), " ¡hola!\n ñ");
    }

    #[test]
    fn a_text_has_bounds() {
        assert_eq!(Text::new("\r\n"), Err(BadText::Empty));
        assert!(Text::new(&"x".repeat(Text::MAX_BYTES)).is_ok());
        assert_eq!(Text::new(&"x".repeat(Text::MAX_BYTES + 1)), Err(BadText::Long));
    }
}
