//! How a prompt and what is typed after it look in rows of a screen, and the escapes that draw and erase them.
//!
//! Each row ends before the screen does, so that it never matters how a terminal goes on after a full one. What does not
//! fit on the screen is cut to the rows around the cursor.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::terminal::{format::CONTINUED, harmless};

/// Rows of a screen, and where the cursor is among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Picture {
    rows: Vec<Row>,
    cursor: (usize, usize),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    text: String,
    width: usize,
}

impl Picture {
    /// Of this prompt and text, with the cursor at this byte of the text, on a screen of so many columns and rows.
    pub(super) fn of(prompt: &str, text: &str, cursor: usize, (columns, rows): (usize, usize)) -> Self {
        let mut picture = Self { rows: vec![Row::default()], cursor: (0, 0) };
        let columns = columns.max(8) - 1;
        picture.add(&harmless::line(prompt), columns);
        for (at, grapheme) in text.grapheme_indices(true) {
            if at <= cursor {
                picture.cursor = picture.end();
            }
            match grapheme {
                "\n" => {
                    picture.rows.push(Row::default());
                    picture.add(CONTINUED, columns);
                }
                _ => picture.add(&harmless::line(grapheme), columns),
            }
        }
        if cursor >= text.len() {
            picture.cursor = picture.end();
        }
        picture.cut(rows.max(2) - 1);
        picture
    }

    /// The escapes that draw it from the beginning of an empty row, and put the cursor where it belongs.
    pub(super) fn draw(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(|row| row.text.as_str()).collect();
        let up = self.rows.len() - 1 - self.cursor.0;
        format!("{}{}\r{}", rows.join("\r\n"), times(up, 'A'), times(self.cursor.1, 'C'))
    }

    /// The escapes that erase it, and leave the cursor where it began, on a screen of so many columns. A terminal that has
    /// become narrower may have folded its rows since.
    pub(super) fn erase(&self, columns: usize) -> String {
        let columns = columns.max(1);
        let folded = |row: &Row| row.width.max(1).div_ceil(columns);
        let above: usize = self.rows.iter().take(self.cursor.0).map(folded).sum();
        format!("\r{}\x1b[J", times(above + self.cursor.1 / columns, 'A'))
    }

    fn add(&mut self, text: &str, columns: usize) {
        for grapheme in text.graphemes(true) {
            let width = grapheme.width();
            if self.end().1 + width > columns {
                self.rows.push(Row::default());
            }
            if let Some(row) = self.rows.last_mut() {
                row.text.push_str(grapheme);
                row.width += width;
            }
        }
    }

    fn end(&self) -> (usize, usize) {
        (self.rows.len() - 1, self.rows.last().map_or(0, |row| row.width))
    }

    fn cut(&mut self, most: usize) {
        let first = (self.cursor.0 + 1).saturating_sub(most);
        self.rows.drain(..first);
        self.rows.truncate(most);
        self.cursor.0 -= first;
    }
}

/// A movement of the cursor so many times: none is no movement, which the terminal would take for one.
fn times(count: usize, way: char) -> String {
    if count == 0 { String::new() } else { format!("\x1b[{count}{way}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: (usize, usize) = (20, 5);

    fn screen() -> vt100::Parser {
        let [rows, columns] = [SCREEN.1, SCREEN.0].map(|cells| (cells as u16).try_into().unwrap());
        vt100::Parser::new(rows, columns, 0)
    }

    /// What a screen shows of it, and where its cursor is.
    #[track_caller]
    fn seen(text: &str, cursor: usize) -> (String, (u16, u16)) {
        let mut screen = screen();
        screen.process(b"above\r\n");
        let picture = Picture::of("ann> ", text, cursor, SCREEN);
        screen.process(picture.draw().as_bytes());
        let drawn = (screen.screen().contents(), screen.screen().cursor_position());
        screen.process(picture.erase(SCREEN.0).as_bytes());
        if picture.rows.len() < SCREEN.1 - 1 {
            assert_eq!(screen.screen().contents(), "above");
        }
        drawn
    }

    #[test]
    fn a_short_line_is_one_row() {
        assert_eq!(seen("hello", 5), ("above\nann> hello".to_owned(), (1, 10)));
        assert_eq!(seen("hello", 0), ("above\nann> hello".to_owned(), (1, 5)));
        assert_eq!(seen("", 0), ("above\nann> ".to_owned(), (1, 5)));
    }

    #[test]
    fn a_long_line_goes_on_in_the_next_row() {
        let (text, cursor) = seen("0123456789abcdefgh", 1);

        assert_eq!(text, "above\nann> 0123456789abcd\nefgh");
        assert_eq!(cursor, (1, 6));
        assert_eq!(seen("0123456789abcdefgh", 18).1, (2, 4));
    }

    #[test]
    fn wide_characters_take_two_columns_and_are_not_torn() {
        let (text, cursor) = seen("界界界界界界界界", 24);

        assert_eq!(text, "above\nann> 界界界界界界界\n界");
        assert_eq!(cursor, (2, 2));
    }

    #[test]
    fn lines_are_shown_as_lines() {
        assert_eq!(seen("a\nb", 3), ("above\nann> a\n  | b".to_owned(), (2, 5)));
        assert_eq!(seen("a\nb", 1).1, (1, 6));
    }

    #[test]
    fn what_is_too_tall_is_cut_to_the_rows_around_the_cursor() {
        let text = "a\nb\nc\nd\ne\nf";

        assert_eq!(seen(text, text.len()).0, "above\n  | c\n  | d\n  | e\n  | f");
        assert_eq!(seen(text, 0).0, "above\nann> a\n  | b\n  | c\n  | d");
    }

    #[test]
    fn what_a_narrower_terminal_has_folded_is_erased_whole() {
        let picture = Picture::of("ann> ", "0123456789abc", 13, SCREEN);

        assert_eq!(picture.erase(20), "\r\x1b[J");
        assert_eq!(picture.erase(10), "\r\x1b[1A\x1b[J");
    }
}
