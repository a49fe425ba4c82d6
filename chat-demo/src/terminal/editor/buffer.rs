//! What is being typed, the cursor in it, and what was typed before.
//!
//! It moves by what one sees as one character. It knows no terminal: how it looks is `picture`'s.

use std::{collections::VecDeque, mem};

use unicode_segmentation::UnicodeSegmentation as _;

use super::keys::{Key, Step};
use crate::terminal::{completion::Candidates, plain::MAX_LINE};

/// How much of what was typed before is kept.
const MAX_PAST: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Buffer {
    text: String,
    /// Invariant: at a border of characters of `text`.
    cursor: usize,
    /// The oldest first; at most [`MAX_PAST`].
    past: VecDeque<String>,
    /// How far back in `past` one is, and what was being typed before that.
    back: usize,
    draft: String,
    /// What was erased last, more than a character.
    erased: String,
    /// What Tab has found, while nothing else is pressed.
    found: Option<Found>,
}

#[derive(Debug)]
struct Found {
    candidates: Candidates,
    next: usize,
}

impl Buffer {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// False if there is no room for it.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        self.found = None;
        let has_room = self.text.len() + text.len() <= MAX_LINE;
        if has_room {
            self.text.insert_str(self.cursor, text);
            self.cursor += text.len();
        }
        has_room
    }

    /// Takes a key that moves, erases or looks back; all others are nothing here.
    pub(super) fn edit(&mut self, key: &Key) {
        match key {
            Key::Left(step) => self.go(self.before_cursor(*step)),
            Key::Right(step) => self.go(self.after_cursor(*step)),
            Key::Home => self.go(0),
            Key::End => self.go(self.text.len()),
            Key::Older => self.older(),
            Key::Newer => self.newer(),
            Key::EraseBefore(Step::Word) => self.cut(self.before_cursor(Step::Word), self.cursor),
            Key::EraseBefore(Step::Character) => {
                self.erase(self.before_cursor(Step::Character), self.cursor);
            }
            Key::EraseAfter | Key::EndOfInput => self.erase(self.cursor, self.after_cursor(Step::Character)),
            Key::EraseToEnd => self.cut(self.cursor, self.text.len()),
            Key::EraseToStart => self.cut(0, self.cursor),
            _ => {}
        }
    }

    /// What was typed, which is past now.
    pub(super) fn take(&mut self) -> String {
        let text = mem::take(&mut self.text);
        if !text.trim().is_empty() && self.past.back() != Some(&text) {
            self.past.push_back(text.clone());
            if self.past.len() > MAX_PAST {
                self.past.pop_front();
            }
        }
        self.clear();
        text
    }

    /// Erases all of it, and looks at nothing that was typed before.
    pub(super) fn forget(&mut self) {
        self.cut(0, self.text.len());
        self.clear();
    }

    fn clear(&mut self) {
        self.set(String::new());
        self.back = 0;
        self.draft.clear();
    }

    fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
        self.found = None;
    }

    fn go(&mut self, to: usize) {
        self.cursor = to;
        self.found = None;
    }

    fn erase(&mut self, start: usize, end: usize) {
        self.text.replace_range(start..end, "");
        self.cursor = start;
        self.found = None;
    }

    /// Erases what may be wanted again.
    fn cut(&mut self, start: usize, end: usize) {
        if start < end {
            self.erased = self.text[start..end].to_owned();
            self.erase(start, end);
        }
    }

    /// False if there is no room for what was erased last.
    pub(super) fn put_back(&mut self) -> bool {
        let erased = self.erased.clone();
        self.insert(&erased)
    }

    fn before_cursor(&self, step: Step) -> usize {
        let before = self.before();
        match step {
            Step::Character => before.grapheme_indices(true).next_back().map_or(0, |(at, _)| at),
            Step::Word => {
                let word = before.trim_end();
                word.rfind(char::is_whitespace)
                    .map_or(0, |at| at + word[at..].chars().next().map_or(0, char::len_utf8))
            }
        }
    }

    fn after_cursor(&self, step: Step) -> usize {
        let after = &self.text[self.cursor..];
        let length = match step {
            Step::Character => after.graphemes(true).next().map_or(0, str::len),
            Step::Word => {
                let blanks = after.len() - after.trim_start().len();
                after[blanks..].find(char::is_whitespace).map_or(after.len(), |word| blanks + word)
            }
        };
        self.cursor + length
    }

    /// What was typed before what is shown.
    fn older(&mut self) {
        if self.back < self.past.len() {
            self.begin_to_look_back();
            self.go_back(self.back + 1);
        }
    }

    /// What was typed before what is shown and has in it what was being typed. False if there is nothing.
    pub(super) fn search(&mut self) -> bool {
        let wanted = if self.back == 0 { &self.text } else { &self.draft };
        let mut further = self.past.iter().rev().enumerate().skip(self.back);
        let Some((index, _)) = further.find(|(_, text)| text.contains(wanted)) else { return false };
        self.begin_to_look_back();
        self.go_back(index + 1);
        true
    }

    fn begin_to_look_back(&mut self) {
        if self.back == 0 {
            self.draft = mem::take(&mut self.text);
        }
    }

    /// What was typed after what is shown; at last what was being typed.
    fn newer(&mut self) {
        if self.back > 0 {
            self.go_back(self.back - 1);
        }
    }

    fn go_back(&mut self, back: usize) {
        self.back = back;
        let text = match back {
            0 => mem::take(&mut self.draft),
            _ => self.past[self.past.len() - back].clone(),
        };
        self.set(text);
    }

    /// Puts the first of what is found in the place of the word before the cursor, and at each further time the next.
    /// False if nothing is found.
    pub(super) fn complete(&mut self, find: impl FnOnce(&str) -> Option<Candidates>) -> bool {
        let found = self.found.take().or_else(|| {
            let candidates = find(self.before())?;
            Some(Found { candidates, next: 0 })
        });
        let Some(Found { candidates, next }) = found else { return false };
        let word = &candidates.words[next];
        let typed = self.cursor - candidates.start;
        if self.text.len() - typed + word.len() > MAX_LINE {
            return false;
        }
        self.erase(candidates.start, self.cursor);
        self.insert(word);
        let next = (next + 1) % candidates.words.len();
        self.found = Some(Found { candidates, next });
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::terminal::editor::{keys::Keyboard, picture::Picture};

    fn typed(text: &str) -> Buffer {
        let mut buffer = Buffer::default();
        assert!(buffer.insert(text));
        buffer
    }

    #[test]
    fn it_moves_and_erases_by_what_is_seen() {
        let mut buffer = typed("e\u{301}👨‍👩‍👧x");

        buffer.edit(&Key::Left(Step::Character));
        buffer.edit(&Key::EraseBefore(Step::Character));
        assert_eq!(buffer.text(), "e\u{301}x");
        buffer.edit(&Key::Left(Step::Character));
        buffer.edit(&Key::EraseAfter);
        assert_eq!((buffer.text(), buffer.cursor()), ("x", 0));
    }

    #[test]
    fn it_moves_and_erases_by_words() {
        let mut buffer = typed("one tvo\u{3000}three ");

        buffer.edit(&Key::EraseBefore(Step::Word));
        assert_eq!(buffer.text(), "one tvo\u{3000}");
        buffer.edit(&Key::Left(Step::Word));
        assert_eq!(buffer.before(), "one ");
        buffer.edit(&Key::Home);
        buffer.edit(&Key::Right(Step::Word));
        assert_eq!(buffer.before(), "one");
        buffer.edit(&Key::EraseToEnd);
        assert_eq!(buffer.text(), "one");
    }

    #[test]
    fn what_is_being_typed_is_kept_while_one_looks_back() {
        let mut buffer = typed("first");
        assert_eq!(buffer.take(), "first");
        buffer.insert("second");
        buffer.take();
        buffer.insert("thi");

        buffer.edit(&Key::Older);
        buffer.edit(&Key::Older);
        buffer.edit(&Key::Older);
        assert_eq!(buffer.text(), "first");
        buffer.edit(&Key::Newer);
        assert_eq!(buffer.text(), "second");
        buffer.edit(&Key::Newer);
        buffer.edit(&Key::Newer);
        assert_eq!(buffer.text(), "thi");
    }

    #[test]
    fn what_was_typed_before_is_found_by_what_is_in_it() {
        let mut buffer = Buffer::default();
        for text in ["deploy the blue one", "lunch?", "deploy the red one"] {
            buffer.insert(text);
            buffer.take();
        }
        buffer.insert("ploy");

        let seen = [0; 3].map(|_| (buffer.search(), buffer.text().to_owned()));

        let [first, second, third] = seen.each_ref().map(|(found, text)| (*found, text.as_str()));
        assert_eq!([first, second], [(true, "deploy the red one"), (true, "deploy the blue one")]);
        assert_eq!(third, (false, "deploy the blue one"));
        buffer.edit(&Key::Newer);
        assert_eq!(buffer.text(), "lunch?");
        buffer.edit(&Key::Newer);
        buffer.edit(&Key::Newer);
        assert_eq!((buffer.text(), buffer.cursor()), ("ploy", 4));
    }

    #[test]
    fn where_nothing_is_found_what_is_typed_stays_as_it_is() {
        let mut buffer = typed("lunch?");
        buffer.take();
        buffer.insert("dinner");
        buffer.edit(&Key::Home);

        assert!(!buffer.search());
        assert_eq!((buffer.text(), buffer.cursor()), ("dinner", 0));
    }

    #[test]
    fn what_was_erased_last_is_put_back_where_one_is() {
        let mut buffer = typed("to be or not");
        buffer.edit(&Key::EraseBefore(Step::Word));
        buffer.edit(&Key::EraseBefore(Step::Character));
        buffer.edit(&Key::EraseToEnd);
        buffer.edit(&Key::Home);
        assert!(buffer.put_back());
        assert_eq!((buffer.text(), buffer.before()), ("notto be or", "not"));

        buffer.forget();
        assert_eq!(buffer.text(), "");
        assert!(buffer.put_back());
        assert_eq!(buffer.text(), "notto be or");
    }

    #[test]
    fn each_tab_takes_the_next() {
        let mut buffer = typed("hi a");
        let find = |before: &str| {
            assert_eq!(before, "hi a");
            Some(Candidates { start: 3, words: vec!["ann ".to_owned(), "abe ".to_owned()] })
        };

        let seen = [0; 3].map(|_| {
            assert!(buffer.complete(find));
            buffer.text().to_owned()
        });

        assert_eq!(seen, ["hi ann ", "hi abe ", "hi ann "]);
        buffer.insert("x");
        assert!(!buffer.complete(|_| None));
    }

    #[test]
    fn what_is_too_long_to_be_said_finds_no_room() {
        let mut buffer = typed(&"x".repeat(MAX_LINE));

        assert!(!buffer.insert("x"));
        let longer = Candidates { start: MAX_LINE - 1, words: vec!["xenia".to_owned()] };
        assert!(!buffer.complete(|_| Some(longer)));
        assert_eq!(buffer.take().len(), MAX_LINE);
    }

    proptest! {
        /// Whatever comes from a keyboard, what is drawn stays within the screen and has no escapes but our own.
        #[test]
        fn any_bytes_can_be_typed(
            parts in prop::collection::vec(
                prop_oneof![
                    any::<u8>().prop_map(|byte| vec![byte]),
                    any::<char>().prop_map(|character| character.to_string().into_bytes()),
                    Just(b"\x1b[D".to_vec()),
                    Just(b"\x1b[A".to_vec()),
                    Just(b"\x1b[200~a\nb\x1b[201~".to_vec()),
                    Just(b"\x17".to_vec()),
                    Just(b"\x12".to_vec()),
                    Just(b"\x19".to_vec()),
                    Just("e\u{301}界👨‍👩‍👧".as_bytes().to_vec()),
                ],
                0..60,
            ),
            columns in 1_usize..40,
            rows in 1_usize..10,
        ) {
            let mut buffer = Buffer::default();
            for key in Keyboard::default().hear(&parts.concat()) {
                match key {
                    Key::Insert(character) => drop(buffer.insert(&character.to_string())),
                    Key::Paste(text) => drop(buffer.insert(&text)),
                    Key::Enter => drop(buffer.take()),
                    Key::Search => drop(buffer.search()),
                    Key::PutBack => drop(buffer.put_back()),
                    key => buffer.edit(&key),
                }
                prop_assert!(buffer.text().is_char_boundary(buffer.cursor()));
            }

            let drawn = Picture::of("ann> ", buffer.text(), buffer.cursor(), (columns, rows)).draw();

            let (shown, _) = drawn.rsplit_once('\r').unwrap();
            let (shown, _) = shown.split_once("\x1b[").unwrap_or((shown, ""));
            let shown: Vec<_> = shown.split("\r\n").collect();
            prop_assert!(shown.len() <= rows.max(2));
            for row in shown {
                prop_assert!(row.width() < columns.max(8) && !row.contains(char::is_control), "{row:?}");
            }
        }
    }
}
