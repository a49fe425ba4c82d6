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

use chrono::{DateTime, Datelike as _, Local, NaiveDate, NaiveDateTime, Offset as _, TimeZone as _};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{colours, harmless};
use crate::{How, Line, Name, Said, Tone};

/// What the rows of a line after its first begin with.
const CONTINUED: &str = "  | ";

/// Later times are none.
const LAST_YEAR: i32 = 9999;

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

/// Of the years that have four digits. What others say the time is may be close to the last that there is, and there is
/// none some hours after that.
fn local(unix_millis: u64) -> Option<NaiveDateTime> {
    let at = DateTime::from_timestamp_millis(i64::try_from(unix_millis).ok()?)?.naive_utc();
    let at = Some(at).filter(|at| at.year() <= LAST_YEAR)?;
    at.checked_add_offset(Local.offset_from_utc_datetime(&at).fix())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Text;

    const NOON: u64 = 1_763_640_000_000;

    fn utc(unix_millis: u64) -> Option<NaiveDateTime> {
        Some(DateTime::from_timestamp_millis(i64::try_from(unix_millis).ok()?)?.naive_utc())
    }

    fn format(is_colored: bool, columns: Option<usize>) -> Format {
        Format { clock: utc, ..Format::new(is_colored, columns) }
    }

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    fn said(text: &str, tone: Tone, how: How) -> Line {
        Line::Said(Said { at: NOON, name: name("ann"), text: Text::new(text).unwrap(), tone, how })
    }

    /// In a pipe of bob's.
    fn piped(line: &Line) -> String {
        format(false, None).in_words(line, &name("bob"), NOON)
    }

    fn shown(format: &mut Format, line: &Line) -> String {
        format.in_words(line, &name("bob"), NOON)
    }

    #[test]
    fn each_kind_begins_in_its_own_way() {
        let line = |tone, how| piped(&said("hi", tone, how));

        assert_eq!(line(Tone::Plain, How::Live), "ann: hi\n");
        assert_eq!(line(Tone::Action, How::Live), "ann * hi\n");
        assert_eq!(line(Tone::Private(name("Bob")), How::Live), "ann (to you): hi\n");
        assert_eq!(line(Tone::Private(name("eve")), How::Mine), "ann (to eve): hi\n");
        assert_eq!(line(Tone::Plain, How::Missed), "ann (missed): hi\n");
        assert_eq!(line(Tone::Private(name("bob")), How::Again), "ann (to you) (again): hi\n");
        assert_eq!(line(Tone::Action, How::Late), "ann (late) * hi\n");
        assert_eq!(piped(&Line::Told("bob joined the room.".to_owned())), "* bob joined the room.\n");
        assert_eq!(piped(&Line::Warned("no".to_owned())), "! no\n");
    }

    #[test]
    fn further_lines_of_a_text_do_not_begin_as_others_do() {
        let line = said("one\r\nbob: two\r* three\n\n! four", Tone::Plain, How::Live);

        assert_eq!(piped(&line), "ann: one\n  | bob: two\n  | * three\n  | \n  | ! four\n");
        assert_eq!(piped(&Line::Told("a\nb: c".to_owned())), "* a\n  | b: c\n");
    }

    #[test]
    fn a_screen_has_times_and_folds_rows_after_blanks() {
        let mut format = format(false, Some(24));

        assert_eq!(
            shown(&mut format, &said("some words and more of them", Tone::Plain, How::Live)),
            "12:00 ann: some words\n  | and more of them\n"
        );
        assert_eq!(
            shown(&mut format, &said("onewordofsomanyletters", Tone::Plain, How::Live)),
            "12:00 ann: onewordofsoma\n  | nyletters\n"
        );
        assert_eq!(
            shown(&mut format, &said("x", Tone::Private(name("bob")), How::Missed)),
            "12:00 ann (to you) (missed): \n  | x\n"
        );
    }

    #[test]
    fn a_time_that_no_clock_shows_is_none_wherever_one_lives() {
        let last = DateTime::<chrono::Utc>::MAX_UTC.timestamp_millis().unsigned_abs();
        let year_10_000 = 253_402_300_800_000;

        for at in [u64::MAX, i64::MAX.unsigned_abs(), last + 1, last, last - 1, year_10_000] {
            assert_eq!(local(at), None, "{at}");
        }
        assert!(local(year_10_000 - 1).is_some() && local(NOON).is_some() && local(0).is_some());
    }

    #[test]
    fn a_line_is_shown_when_the_day_changes() {
        let mut format = format(false, Some(80));
        let yesterday = Line::Said(Said {
            at: NOON - 86_400_000,
            name: name("ann"),
            text: Text::new("late").unwrap(),
            tone: Tone::Plain,
            how: How::Missed,
        });

        let today = said("hi", Tone::Plain, How::Live);
        let all = [&today, &yesterday, &yesterday, &today].map(|line| shown(&mut format, line));

        assert_eq!(all[0], "12:00 ann: hi\n");
        assert_eq!(all[1], "* Wednesday, 19 November 2025\n12:00 ann (missed): late\n");
        assert_eq!(all[2], "12:00 ann (missed): late\n");
        assert_eq!(all[3], "* Thursday, 20 November 2025\n12:00 ann: hi\n");
    }

    #[test]
    fn a_time_that_is_none_is_shown_as_such() {
        let mut format = Format::new(false, Some(80));
        let line = Line::Said(Said {
            at: u64::MAX,
            name: name("ann"),
            text: Text::new("hi").unwrap(),
            tone: Tone::Plain,
            how: How::Live,
        });

        assert_eq!(shown(&mut format, &line), "--:-- ann: hi\n");
    }

    #[test]
    fn a_name_has_its_colour_and_a_text_has_none() {
        let line = shown(&mut format(true, None), &said("hi", Tone::Plain, How::Live));

        assert_eq!(line, format!("\x1b[2m\x1b[0m{}ann\x1b[0m: hi\n", colours::of(&name("ann"))));
    }

    /// What is left when our own colours are taken away.
    fn without_colours(words: &str) -> String {
        let mut parts = words.split("\x1b[");
        let mut left = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (colour, after) = part.split_once('m').unwrap();
            assert!(
                !colour.is_empty() && colour.chars().all(|c| c.is_ascii_digit() || c == ';'),
                "{colour:?}"
            );
            left += after;
        }
        left
    }

    fn nasty() -> impl Strategy<Value = String> {
        let parts = prop_oneof![
            any::<char>().prop_map(String::from),
            "[\\x00-\\x1f\\x7f-\\u{9f}]{1,3}",
            "[\\u{200b}-\\u{202e}\\u{2060}-\\u{206f}\\u{300}-\\u{310}]{1,9}",
            Just("\nbob: forged".to_owned()),
            Just("\r* forged".to_owned()),
            Just("\x1b[2J\x1b]0;x\x07".to_owned()),
            Just("\u{9b}31m".to_owned()),
            "[ -~]{1,40}",
            "[ぁ-ん ]{1,30}",
        ];
        prop::collection::vec(parts, 1..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn nothing_that_is_shown_harms_a_terminal_or_passes_for_another_line(
            words in nasty(),
            is_colored: bool,
            columns in prop::option::of(30_usize..100),
            kind in 0..3,
        ) {
            let line = match (kind, Text::new(&words)) {
                (0, _) | (_, Err(_)) => Line::Told(words),
                (1, Ok(_)) => said(&words, Tone::Plain, How::Live),
                (_, Ok(_)) => said(&words, Tone::Private(name("bob")), How::Missed),
            };

            let shown = without_colours(&shown(&mut format(is_colored, columns), &line));

            let rows: Vec<_> = shown.strip_suffix('\n').unwrap().split('\n').collect();
            for (position, row) in rows.iter().enumerate() {
                prop_assert!(!row.chars().any(|c| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{200b}')), "{row:?}");
                prop_assert!(position == 0 || row.starts_with(CONTINUED), "{row:?}");
                prop_assert!(columns.is_none_or(|columns| row.width() <= columns), "{row:?}");
            }
        }

        /// A reader knows who has said a line, and how, whatever the name and the text are.
        #[test]
        fn a_line_tells_one_name(typed in "[ -~ñ]{1,12}", words in "[ -~]{1,30}", is_action: bool) {
            prop_assume!(Name::new(&typed).is_ok());
            let name = Name::new(&typed).unwrap();
            let text = Text::new(&words).unwrap();
            let tone = if is_action { Tone::Action } else { Tone::Plain };
            let line = Line::Said(Said { at: NOON, name: name.clone(), text, tone, how: How::Live });

            let shown = piped(&line);

            let end = shown.find([':', '*']).unwrap();
            prop_assert_eq!(shown[..end].trim_end(), name.as_str());
            prop_assert_eq!(&shown[end..=end] == "*", is_action);
        }
    }
}
