//! How things look, with colours and without: what a colour says is also said by a word.

use ratatui::style::{Color, Modifier, Style};

/// With colours, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// The sixteen colours that every terminal has made its own.
    Colored,
    /// Bold, reversed and underlined only.
    Plain,
}

impl Paint {
    fn of(self, color: Color) -> Style {
        match self {
            Self::Colored => Style::new().fg(color),
            Self::Plain => Style::new(),
        }
    }

    /// All is well.
    pub(crate) fn good(self) -> Style {
        self.of(Color::Green)
    }

    /// Somebody must act.
    pub(crate) fn bad(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Worth a look.
    pub(crate) fn odd(self) -> Style {
        self.of(Color::Yellow)
    }

    /// Beside the point.
    pub(crate) fn aside(self) -> Style {
        match self {
            Self::Colored => Style::new().fg(Color::DarkGray),
            Self::Plain => Style::new(),
        }
    }

    /// A picture of numbers.
    pub(crate) fn curve(self) -> Style {
        self.of(Color::Cyan)
    }

    /// What things are called.
    pub(crate) fn title(self) -> Style {
        self.of(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What is chosen.
    pub(crate) fn chosen() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Where two replies begin to differ.
    pub(crate) fn difference(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }
}
