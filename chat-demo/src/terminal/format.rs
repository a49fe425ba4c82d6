//! A line in words. Each kind begins in its own way, and nothing that others say can begin a line:
//!
//! ```text
//! ann: text                 said to all
//!   | its second line
//! ann * waves               /me waves
//! ann (to you): text        said to one
//! ann (missed): text        said while one was away; so (late), (again)
//! * bob joined the room.    told by the room, or by this program
//! ! The room is away.       the same, when something did not work
//! ```
//!
//! A name has no `:`, no `*` and no `)` at its end, so that one knows where it ends.

use super::harmless;
use crate::{How, Line, Name, Said, Tone};

/// What the lines of a text after its first begin with.
const CONTINUED: &str = "  | ";

/// The line as it is shown to the one of this name, with its line ends; nothing if it is on the screen already.
pub(super) fn in_words(line: &Line, me: &Name) -> Option<String> {
    match line {
        Line::Said(Said { how: How::Mine, .. }) => None,
        Line::Said(said) => Some(folded(&speaker(said, me), said.text.as_str())),
        Line::Told(words) => Some(folded("* ", words)),
        Line::Warned(words) => Some(folded("! ", words)),
    }
}

/// Who says it, and how: all that comes before the text.
fn speaker(said: &Said, me: &Name) -> String {
    let name = harmless::line(said.name.as_str());
    let how = match said.how {
        How::Live | How::Mine => "",
        How::Missed => " (missed)",
        How::Late => " (late)",
        How::Again => " (again)",
    };
    match &said.tone {
        Tone::Plain => format!("{name}{how}: "),
        Tone::Action => format!("{name}{how} * "),
        Tone::Private(to) if to.is_like(me) => format!("{name} (to you){how}: "),
        Tone::Private(to) => format!("{name} (to {}){how}: ", harmless::line(to.as_str())),
    }
}

fn folded(before: &str, text: &str) -> String {
    let mut words = before.to_owned();
    for (position, line) in harmless::lines(text).enumerate() {
        if position > 0 {
            words.push_str(CONTINUED);
        }
        words.push_str(&line);
        words.push('\n');
    }
    words
}
