//! What a person is shown, before it is known where: on a terminal, or as plain lines.

use crate::{Name, Text, Tone};

/// One thing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Somebody said something.
    Said(Said),
    /// What the room, or this program, has to say: "You are now online. 1 online."
    Told(String),
    /// The same, when something did not work.
    Warned(String),
}

/// Something said, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// When, in milliseconds since 1970, by the clock of who kept it.
    pub(crate) at: u64,
    /// By whom, under the name of that time.
    pub(crate) name: Name,
    /// What.
    pub(crate) text: Text,
    /// To whom, and how.
    pub(crate) tone: Tone,
    /// How it came to be shown now.
    pub(crate) how: How,
}

/// How something came to be shown now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// As it was said.
    Live,
    /// By this person, so that it is on the screen already where there is an editor.
    Mine,
    /// While this person was away.
    Missed,
    /// After lines that were said later, because it was long on its way.
    Late,
    /// Again, because the history was asked for.
    Again,
}
