//! What was said and has happened, numbered: in memory whole, bounded by entries and bytes, the oldest going first.

use std::{collections::VecDeque, sync::Arc};

use crate::wire::room::{LogId, MemberId};

/// One entry as it is kept: its bytes, and for whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Whose it is; the author is not sent it.
    pub(crate) author: MemberId,
    /// Whom it is for, if not for all.
    pub(crate) to: Option<MemberId>,
    /// A `wire::room::Entry`.
    pub(crate) bytes: Arc<[u8]>,
}

/// What a room goes on with.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Which log it is.
    pub(crate) log: LogId,
    /// The number of the first entry.
    pub(crate) first: u64,
    /// The entries from there, with rising numbers.
    pub(crate) entries: Vec<Kept>,
    /// Of each author, the last that is kept.
    pub(crate) authors: Vec<LastWord>,
}

/// The last that an author has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LastWord {
    /// Whose it is.
    pub(crate) author: MemberId,
    /// What it has of its author.
    pub(crate) own: Own,
    /// The room's number then.
    pub(crate) at: u64,
}

/// One of a member's own numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Own {
    pub(crate) number: u64,
    /// Of the text that has it, if it was heard here.
    pub(crate) print: Option<u64>,
}

impl Stored {
    /// Nothing yet.
    pub(crate) fn empty(log: LogId) -> Self {
        Self { log, first: 1, entries: Vec::new(), authors: Vec::new() }
    }
}

/// The log of a room.
#[derive(Debug)]
pub(crate) struct Log {
    id: LogId,
    /// The number of the first of the kept, or of the next where none is.
    first: u64,
    kept: VecDeque<Numbered>,
    /// Bytes of all entries before the first of the kept.
    gone: u64,
}

#[derive(Debug)]
struct Numbered {
    entry: Kept,
    /// Bytes of all entries up to this one.
    end: u64,
}

impl Kept {
    /// Whether this member is to be sent it.
    pub(super) fn is_for(&self, member: MemberId) -> bool {
        self.to.map_or(self.author != member, |to| to == member)
    }
}

impl Log {
    /// A log that begins with these.
    pub(super) fn new(id: LogId, first: u64, entries: Vec<Kept>) -> Self {
        let mut log = Self { id, first, kept: VecDeque::with_capacity(entries.len()), gone: 0 };
        for entry in entries {
            log.push(entry);
        }
        log
    }

    pub(super) fn id(&self) -> LogId {
        self.id
    }

    /// The number of the first entry that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the last entry; 0 before there was one.
    pub(crate) fn head(&self) -> u64 {
        self.first + self.kept.len() as u64 - 1
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Adds an entry, with the next number.
    pub(super) fn push(&mut self, entry: Kept) {
        let end = self.end() + entry.bytes.len() as u64;
        self.kept.push_back(Numbered { entry, end });
    }

    /// Lets the oldest go until the rest is within these bounds.
    pub(super) fn trim(&mut self, entries: usize, bytes: u64) {
        while self.kept.len() > entries || self.end() - self.gone > bytes {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.gone = oldest.end;
            self.first += 1;
        }
    }

    /// The number that `trim` would make the first, after entries of so many bytes each were added.
    pub(super) fn first_after(&self, added: &[Kept], entries: usize, bytes: u64) -> u64 {
        let mut len = self.kept.len() + added.len();
        let mut left = self.end() - self.gone + added.iter().map(|kept| kept.bytes.len() as u64).sum::<u64>();
        let mut first = self.first;
        let all = self.kept.iter().map(|numbered| &numbered.entry).chain(added);
        for kept in all {
            if len <= entries && left <= bytes {
                break;
            }
            len -= 1;
            left -= kept.bytes.len() as u64;
            first += 1;
        }
        first
    }

    /// The entries after one number and up to another, both within the log.
    pub(super) fn stretch(&self, after: u64, to: u64) -> impl Iterator<Item = &Kept> {
        let from = self.index(after + 1);
        let until = self.index(to + 1).max(from);
        self.kept.range(from..until).map(|numbered| &numbered.entry)
    }

    /// The last number up to which there are at most so many bytes after this one.
    pub(super) fn last_within(&self, after: u64, bytes: u64) -> u64 {
        let limit = self.position(after) + bytes;
        if self.end() <= limit {
            return self.head();
        }
        let behind = self.kept.partition_point(|numbered| numbered.end <= limit);
        self.first + behind as u64 - 1
    }

    /// Bytes of all entries up to this number.
    fn position(&self, number: u64) -> u64 {
        match self.index(number + 1) {
            0 => self.gone,
            index => self.kept[index - 1].end,
        }
    }

    /// Where the entry of this number is, or would be: in 0..=len.
    fn index(&self, number: u64) -> usize {
        (number.saturating_sub(self.first) as usize).min(self.kept.len())
    }

    fn end(&self) -> u64 {
        self.kept.back().map_or(self.gone, |last| last.end)
    }
}
