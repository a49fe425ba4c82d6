//! What is being typed, the cursor in it, and what was typed before.
//!
//! It moves by what one sees as one character. It knows no terminal: how it looks is `picture`'s.

use std::{collections::VecDeque, mem};

use unicode_segmentation::UnicodeSegmentation as _;

use super::keys::Step;
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

    pub(super) fn clear(&mut self) {
        self.set(String::new());
        self.back = 0;
        self.draft.clear();
    }

    fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
        self.found = None;
    }

    pub(super) fn left(&mut self, step: Step) {
        self.cursor = self.before_cursor(step);
        self.found = None;
    }

    pub(super) fn right(&mut self, step: Step) {
        self.cursor = self.after_cursor(step);
        self.found = None;
    }

    pub(super) fn home(&mut self) {
        self.cursor = 0;
        self.found = None;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
        self.found = None;
    }

    pub(super) fn erase_before(&mut self, step: Step) {
        let start = self.before_cursor(step);
        self.erase(start, self.cursor);
    }

    pub(super) fn erase_after(&mut self) {
        self.erase(self.cursor, self.after_cursor(Step::Character));
    }

    pub(super) fn erase_to_end(&mut self) {
        self.erase(self.cursor, self.text.len());
    }

    pub(super) fn erase_to_start(&mut self) {
        self.erase(0, self.cursor);
    }

    fn erase(&mut self, start: usize, end: usize) {
        self.text.replace_range(start..end, "");
        self.cursor = start;
        self.found = None;
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
    pub(super) fn older(&mut self) {
        if self.back < self.past.len() {
            if self.back == 0 {
                self.draft = mem::take(&mut self.text);
            }
            self.go_back(self.back + 1);
        }
    }

    /// What was typed after what is shown; at last what was being typed.
    pub(super) fn newer(&mut self) {
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
        let word = candidates.words[next].clone();
        self.erase(candidates.start, self.cursor);
        let has_room = self.insert(&word);
        let next = (next + 1) % candidates.words.len();
        self.found = has_room.then_some(Found { candidates, next });
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Buffer {
        let mut buffer = Buffer::default();
        assert!(buffer.insert(text));
        buffer
    }

    #[test]
    fn it_moves_and_erases_by_what_is_seen() {
        let mut buffer = typed("e\u{301}👨‍👩‍👧x");

        buffer.left(Step::Character);
        buffer.erase_before(Step::Character);
        assert_eq!(buffer.text(), "e\u{301}x");
        buffer.left(Step::Character);
        buffer.erase_after();
        assert_eq!((buffer.text(), buffer.cursor()), ("x", 0));
    }

    #[test]
    fn it_moves_and_erases_by_words() {
        let mut buffer = typed("one tvo\u{3000}three ");

        buffer.erase_before(Step::Word);
        assert_eq!(buffer.text(), "one tvo\u{3000}");
        buffer.left(Step::Word);
        assert_eq!(buffer.before(), "one ");
        buffer.home();
        buffer.right(Step::Word);
        assert_eq!(buffer.before(), "one");
        buffer.erase_to_end();
        assert_eq!(buffer.text(), "one");
    }

    #[test]
    fn what_is_being_typed_is_kept_while_one_looks_back() {
        let mut buffer = typed("first");
        assert_eq!(buffer.take(), "first");
        buffer.insert("second");
        buffer.take();
        buffer.insert("thi");

        buffer.older();
        buffer.older();
        buffer.older();
        assert_eq!(buffer.text(), "first");
        buffer.newer();
        assert_eq!(buffer.text(), "second");
        buffer.newer();
        buffer.newer();
        assert_eq!(buffer.text(), "thi");
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
        assert_eq!(buffer.take().len(), MAX_LINE);
    }
}
