//! What strangers said, as text that does nothing to a terminal, and where in it a byte of theirs is.
//!
//! Samples come with their bytes escaped, as in `which?\n\xff`. One byte is one *unit* then: a character, or an escape.

/// Text without anything a terminal would obey: control characters and what turns text around become escapes.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Marks of direction, joiners and spaces without width.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The units of a sample, in order.
pub(crate) fn units(text: &str) -> Vec<&str> {
    let (mut units, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (unit, after) = rest.split_at(unit_length(rest));
        units.push(unit);
        rest = after;
    }
    units
}

fn unit_length(text: &str) -> usize {
    let mut characters = text.chars();
    let first = characters.next().map_or(0, char::len_utf8);
    if !text.starts_with('\\') {
        return first;
    }
    let escape = match characters.next() {
        Some('x') => 4,
        Some('u') => text.find('}').map_or(2, |end| end + 1),
        Some(other) => 1 + other.len_utf8(),
        None => 1,
    };
    if text.is_char_boundary(escape) { escape.min(text.len()) } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails if a device can clear the screen of who watches, or write its text backwards.
    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n\u{9b}\u{7f}"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}\\u{7f}");
        assert_eq!(harmless("x\u{202e}y\u{feff}"), "x\\u{202e}y\\u{feff}");
        assert_eq!(harmless("größe ≠ 3"), "größe ≠ 3");
    }

    #[test]
    fn an_escape_is_one_unit_as_it_is_one_byte() {
        let bytes = b"A\\\"\n\x00\xffz";
        let text = bytes.escape_ascii().to_string();
        assert_eq!(units(&text), ["A", "\\\\", "\\\"", "\\n", "\\x00", "\\xff", "z"]);
        assert_eq!(units(&text).len(), bytes.len());
    }

    #[test]
    fn what_is_no_whole_escape_is_taken_as_it_is() {
        for text in ["\\", "\\x", "\\x1", "\\xé€", "\\é", "\\u{1b", "é\\u{1b}x"] {
            assert_eq!(units(text).concat(), text);
        }
        assert_eq!(units("é\\u{1b}x"), ["é", "\\u{1b}", "x"]);
    }
}
