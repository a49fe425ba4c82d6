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
//! > /who                    what one has asked for; on a screen
//! ```
//!
//! A name has no `:`, no `*` and no `)` at its end, so that one knows where it ends. A screen has the time before each
//! line, a line when the day changes, and rows that are folded here, so that the end of a long one does not begin the next.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{colours, harmless};
use crate::{How, Line, Name, Said, Tone};

/// What the rows of a line after its first begin with.
const CONTINUED: &str = "  | ";

/// The least room for a text beside what comes before it; where there is less, it begins on a row of its own.
const LEAST: usize = 12;

/// How lines look there.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) is_colored: bool,
    /// The columns of a screen; none in a pipe.
    pub(super) columns: Option<usize>,
    /// The day of the last line on a screen.
    day: Option<NaiveDate>,
    /// What the clock on the wall shows at these milliseconds since 1970, if there is such a time.
    clock: fn(u64) -> Option<NaiveDateTime>,
}

impl Format {
    pub(super) fn new(is_colored: bool, columns: Option<usize>) -> Self {
        Self { is_colored, columns, day: None, clock: local }
    }

    /// The line as it is shown to the one of this name, now, with its line ends.
    pub(super) fn in_words(&mut self, line: &Line, me: &Name, now: u64) -> String {
        match line {
            Line::Said(said) => {
                let at = if said.how == How::Mine { now } else { said.at };
                let name = harmless::line(said.name.as_str());
                let head = Head { colour: colours::of(&said.name), words: name, after: mark(said, me) };
                self.put(at, now, &head, said.text.as_str())
            }
            Line::Told(words) => self.put(now, now, &Head::bare(colours::FAINT, "* "), words),
            Line::Warned(words) => self.put(now, now, &Head::bare(colours::ALARMED, "! "), words),
        }
    }

    /// What one has asked for.
    pub(super) fn asked(&mut self, typed: &str, now: u64) -> String {
        self.put(now, now, &Head::bare(colours::FAINT, "> "), typed)
    }

    fn put(&mut self, at: u64, now: u64, head: &Head, text: &str) -> String {
        let (day, time) = if self.columns.is_some() { self.times(at, now) } else { Default::default() };
        let before = time.width() + head.words.width() + head.after.width();
        let rows = self.rows(text, before);
        let painted = if self.is_colored {
            let Head { colour, words, after } = head;
            let (faint, plain) = (colours::FAINT, colours::PLAIN);
            format!("{faint}{time}{plain}{colour}{words}{plain}{after}")
        } else {
            format!("{time}{}{}", head.words, head.after)
        };
        format!("{day}{painted}{}\n", rows.join(&format!("\n{CONTINUED}")))
    }

    /// The line of the day, if it is another than the last line's (or, for the first, than today's), and the time.
    fn times(&mut self, at: u64, now: u64) -> (String, String) {
        let Some(time) = (self.clock)(at) else { return (String::new(), "--:-- ".to_owned()) };
        let today = (self.clock)(now).map(|now| now.date());
        let before = self.day.replace(time.date()).or(today);
        let day = if before == Some(time.date()) {
            String::new()
        } else {
            format!("* {}\n", time.format("%A, %-d %B %Y"))
        };
        (day, time.format("%H:%M ").to_string())
    }

    /// The rows of a text, harmless, the first of which begins in this column.
    fn rows(&self, text: &str, before: usize) -> Vec<String> {
        let lines = harmless::lines(text);
        let Some(columns) = self.columns else { return lines.collect() };
        let rest = columns.saturating_sub(CONTINUED.len()).max(LEAST);
        let mut rows = Vec::new();
        let mut room = columns.saturating_sub(before);
        if room < LEAST {
            rows.push(String::new());
            room = rest;
        }
        for line in lines {
            fold(&line, room, rest, &mut rows);
            room = rest;
        }
        rows
    }
}

/// What comes before a text.
#[derive(Debug)]
struct Head {
    /// The escape that begins the colour of `words`.
    colour: String,
    words: String,
    after: String,
}

impl Head {
    fn bare(colour: &str, words: &str) -> Self {
        Self { colour: colour.to_owned(), words: words.to_owned(), after: String::new() }
    }
}

/// What comes between a name and a text.
fn mark(said: &Said, me: &Name) -> String {
    let how = match said.how {
        How::Live | How::Mine => "",
        How::Missed => " (missed)",
        How::Late => " (late)",
        How::Again => " (again)",
    };
    match &said.tone {
        Tone::Plain => format!("{how}: "),
        Tone::Action => format!("{how} * "),
        Tone::Private(to) if to.is_like(me) => format!(" (to you){how}: "),
        Tone::Private(to) => format!(" (to {}){how}: ", harmless::line(to.as_str())),
    }
}

/// Cuts a line into rows, the first of `room` columns and all others of `rest`; after a blank where there is one.
fn fold(line: &str, room: usize, rest: usize, rows: &mut Vec<String>) {
    let (mut row, mut room) = (line, room);
    while let Some(end) = end_of_row(row, room) {
        let (full, left) = row.split_at(end);
        rows.push(full.trim_end().to_owned());
        (row, room) = (left, rest);
    }
    rows.push(row.to_owned());
}

/// Where a row has to end, if it has.
fn end_of_row(row: &str, room: usize) -> Option<usize> {
    let mut width = 0;
    let (full, _) = row.char_indices().find(|(_, character)| {
        width += character.width().unwrap_or(0);
        width > room
    })?;
    // A word that takes most of a row is cut.
    let blank = row[..full].rfind(' ').map(|at| at + 1).filter(|at| *at > full / 2);
    Some(blank.unwrap_or(full))
}

fn local(unix_millis: u64) -> Option<NaiveDateTime> {
    let at = DateTime::from_timestamp_millis(i64::try_from(unix_millis).ok()?)?;
    Some(at.with_timezone(&Local).naive_local())
}
