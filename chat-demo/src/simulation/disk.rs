//! What the room has stored, all of it since the beginning: what everybody must hear is told from it.

use std::collections::{BTreeMap, HashMap};

use crate::{
    Name,
    room::{Batch, Kept, LastWord, Stored},
    wire::room::{Entry, LogId, MemberId, What},
};

pub(super) const LOG: LogId = LogId([7; 16]);

/// An entry, and whose it is.
pub(super) struct Line {
    pub(super) kept: Kept,
    pub(super) entry: Entry,
}

/// Invariant: number n is at n - 1.
#[derive(Default)]
pub(super) struct Disk {
    lines: Vec<Line>,
    authors: BTreeMap<MemberId, LastWord>,
    /// The number of each text.
    numbers: HashMap<String, u64>,
    /// Of each author's texts in one life of its journal, the last.
    last: HashMap<String, u64>,
    /// When somebody came last.
    joined: BTreeMap<MemberId, u64>,
    keep_from: u64,
}

impl Disk {
    /// A batch follows what is there, and has no text again and none before its time.
    pub(super) fn write(&mut self, batch: Batch) {
        assert_eq!(batch.first, self.head() + 1, "numbers rise by one");
        assert!(batch.forgotten.is_empty() && batch.keep_from >= self.keep_from);
        for (number, kept) in (batch.first..).zip(batch.entries) {
            let entry: Entry = rmp_serde::from_slice(&kept.bytes).unwrap();
            assert_eq!(entry.number, number);
            match &entry.what {
                What::Text(text) | What::Action(text) | What::Private(text) => {
                    assert_eq!(matches!(entry.what, What::Private(_)), kept.to.is_some());
                    self.write_text(text.as_str(), number);
                }
                What::Joined(_) => drop(self.joined.insert(kept.author, number)),
                What::Left(_) | What::Renamed(_) => {}
            }
            self.lines.push(Line { kept, entry });
        }
        for last in batch.authors {
            let before = self.authors.insert(last.author, last);
            assert!(
                before.is_none_or(|before| before.own.number < last.own.number),
                "an author's numbers rise"
            );
        }
        self.keep_from = batch.keep_from;
    }

    fn write_text(&mut self, text: &str, number: u64) {
        let (label, own) = text.split_once(' ').unwrap();
        let own: u64 = own.parse().unwrap();
        let last = self.last.insert(label.to_owned(), own);
        assert!(last.is_none_or(|last| last < own), "{text} is stored again, or late");
        assert!(self.numbers.insert(text.to_owned(), number).is_none(), "{text} is stored twice");
    }

    /// What a room goes on with, which may be some more than it must keep.
    pub(super) fn stored(&self, more: u64) -> Stored {
        let first = self.keep_from.saturating_sub(more).max(1);
        let authors = self.authors.values().copied().collect();
        let entries = self.after(first - 1).map(|line| line.kept.clone()).collect();
        Stored { first, entries, authors, ..Stored::empty(LOG) }
    }

    /// The number of the last entry.
    pub(super) fn head(&self) -> u64 {
        self.lines.len() as u64
    }

    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Line> {
        self.lines[(number as usize).min(self.lines.len())..].iter()
    }

    /// The number of a text that somebody was shown, who cannot know it before it is here.
    pub(super) fn number_of(&self, text: &str) -> u64 {
        *self.numbers.get(text).unwrap_or_else(|| panic!("{text} is heard, and not on the disk"))
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.numbers.contains_key(text)
    }

    pub(super) fn line(&self, number: u64) -> Option<&Line> {
        self.lines.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// The last number of this author's that is here.
    pub(super) fn own(&self, author: MemberId) -> u64 {
        self.authors.get(&author).map_or(0, |last| last.own.number)
    }

    pub(super) fn joined(&self, id: MemberId) -> u64 {
        self.joined.get(&id).copied().unwrap_or_default()
    }

    /// What somebody of our dialect is to be shown after this number, and its number.
    pub(super) fn said_to(&self, id: MemberId, after: u64) -> impl Iterator<Item = (u64, &str)> {
        let lines = self.after(after).filter(move |line| line.is_for(id));
        lines.filter_map(|line| Some((line.entry.number, line.text()?)))
    }
}

impl Line {
    /// Whether somebody of our dialect is to get it: all that others say to all or to it, and what happens to others.
    pub(super) fn is_for(&self, id: MemberId) -> bool {
        match &self.entry.what {
            What::Private(_) => self.kept.to == Some(id),
            _ => self.kept.author != id,
        }
    }

    /// What was said, if it is not something that happened.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.entry.what {
            What::Text(text) | What::Action(text) | What::Private(text) => Some(text.as_str()),
            What::Joined(_) | What::Left(_) | What::Renamed(_) => None,
        }
    }

    /// Whether it is the coming of somebody of this name.
    pub(super) fn is_coming_of(&self, name: &Name) -> bool {
        matches!(self.entry.what, What::Joined(_)) && self.entry.name == *name
    }
}
