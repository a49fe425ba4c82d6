//! Texts of others, made harmless for a terminal and for whoever reads along.
//!
//! What comes out has no control character and nothing that is only seen by what it does to others; it comes in lines,
//! none of which has a line end in it. What is taken away is shown by a sign in its place where there is one.

use unicode_width::UnicodeWidthChar as _;

use crate::name::is_unseen;

/// The most marks (accents and the like) that a character keeps.
const MAX_MARKS: usize = 6;

/// The lines of a text, harmless. There is at least one.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let all = rest?;
        let end = all.find(['\n', '\r']);
        rest = end.map(|end| all[end..].strip_prefix("\r\n").unwrap_or(&all[end + 1..]));
        Some(line(&all[..end.unwrap_or(all.len())]))
    })
}

/// One line, harmless: line ends in it become signs too.
pub(super) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut marks = 0;
    let mut characters = text.chars().peekable();
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let is_mark = character.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        match character {
            '\t' => shown.push_str("    "),
            _ if marks > MAX_MARKS => {}
            joiner @ ('\u{200c}' | '\u{200d}') => {
                let after = characters.peek().copied().unwrap_or(' ');
                if is_joined(before) && is_joined(after) {
                    shown.push(joiner);
                }
            }
            _ => shown.extend(sign(character)),
        }
        before = character;
    }
    shown
}

/// Whether joining is part of how it is written: some scripts, and families of emoji.
fn is_joined(character: char) -> bool {
    !character.is_ascii() && !is_unseen(character) && !character.is_whitespace()
}

/// What is shown for a character: itself, a sign for a control character, or nothing.
fn sign(character: char) -> Option<char> {
    match character {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)),
        '\u{7f}' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}' => Some(char::REPLACEMENT_CHARACTER),
        _ if is_unseen(character) => None,
        _ => Some(character),
    }
}

/// A line of log, as it is shown where texts are: without its colours.
pub(super) fn log(bytes: &[u8]) -> String {
    let words = String::from_utf8_lossy(bytes);
    let mut parts = words.trim_end().split("\u{1b}[");
    let mut shown = parts.next().map(line).unwrap_or_default();
    for part in parts {
        shown += &line(part.split_once('m').map_or(part, |(_, after)| after));
    }
    shown + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_left_as_it_is() {
        for text in ["¡hola! ñ €", "👨‍👩‍👧 🏳️‍🌈 👍🏽", "می‌خواهم", "क्‍ष", "e\u{301}", "שלום", "日本語", "a  b"]
        {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn what_moves_a_terminal_is_shown_as_a_sign() {
        assert_eq!(line("\x1b[2J\x07\x08\x7f\0"), "␛[2J␇␈␡␀");
        assert_eq!(line("\u{9b}31m"), "\u{fffd}31m");
        assert_eq!(line("a\nb\rc\td"), "a␊b␍c    d");
    }

    #[test]
    fn what_is_only_seen_by_what_it_does_is_taken_away() {
        assert_eq!(line("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{ad}f\u{2028}g"), "abcdefg");
        assert_eq!(line("a\u{200d}b \u{200d}👍"), "ab 👍");
    }

    #[test]
    fn a_character_has_no_more_marks_than_a_reader_needs() {
        let flood = format!("a{}b", "\u{301}".repeat(1000));

        assert_eq!(line(&flood), format!("a{}b", "\u{301}".repeat(MAX_MARKS)));
    }

    #[test]
    fn lines_end_as_all_systems_end_them() {
        let all = |text| lines(text).collect::<Vec<_>>();

        assert_eq!(all("a\nb\r\nc\rd"), ["a", "b", "c", "d"]);
        assert_eq!(all("a\n\n"), ["a", "", ""]);
        assert_eq!(all(""), [""]);
    }

    #[test]
    fn a_line_of_log_loses_its_colours_and_nothing_else() {
        assert_eq!(
            log(b"\x1b[2m07:08\x1b[0m \x1b[33m WARN\x1b[0m away \x07 x=1\n"),
            "07:08  WARN away ␇ x=1\n"
        );
    }
}
