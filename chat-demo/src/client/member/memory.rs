//! What a member must not forget: its texts that no room is known to keep, and how far it has seen each log.
//!
//! Whatever changes it is a [`Record`], and the same records read back give the same memory: that is how a client that was
//! killed goes on. A text gets its number only when a room has said which one is next, so the numbers count for the log of
//! that room, whatever else was said under the same key elsewhere. A number is not spoken before its record is on the disk;
//! so none is ever used twice.
//!
//! ```text
//!   typed ──▶ Typed ──▶ Numbered ──(on the disk)──▶ spoken ──▶ Heard
//!               │                                              (classic: Gone, when the connection has taken it)
//!               └── stays, also over a restart, until a room is there
//! ```

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    Text, Tone,
    wire::room::{LogId, Utterance, print},
};

/// The most texts that are kept for a room; whoever has more to say waits.
pub(crate) const MAX_KEPT: usize = 1024;

/// The most logs whose numbers are remembered; that which was seen longest ago goes first.
const MAX_LOGS: usize = 64;

/// One change, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    /// A text was typed, for the room at this endpoint.
    Typed {
        /// The text's name in this memory.
        id: u64,
        /// The endpoint.
        room: String,
        /// What.
        text: Text,
        /// In which tone.
        tone: Tone,
    },
    /// These texts have these numbers: the first this one, each further one the next.
    Numbered {
        /// What the numbers count.
        log: LogId,
        /// The first.
        number: u64,
        /// Which texts.
        ids: Vec<u64>,
    },
    /// The room keeps all up to this number.
    Heard {
        /// What the number counts.
        log: LogId,
        /// The number.
        number: u64,
    },
    /// These texts are nobody's business any more.
    Gone {
        /// Which.
        ids: Vec<u64>,
    },
    /// Everything up to this number was shown.
    Seen {
        /// Where the log was met last.
        room: String,
        /// Which log.
        log: LogId,
        /// The number.
        number: u64,
        /// The life of its room that it was met in.
        life: u64,
    },
}

/// A record and its place among all that this process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) order: u64,
    pub(crate) record: Record,
}

/// One text.
#[derive(Clone, Debug)]
struct Kept {
    id: u64,
    room: String,
    text: Text,
    tone: Tone,
    numbered: Option<(LogId, u64)>,
    /// The orders of the records that say so.
    typed_in: u64,
    numbered_in: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    room: String,
    log: LogId,
    number: u64,
    /// The last own number that this log was known to keep.
    heard: u64,
    /// The life of the room that it was met in last; 0 if that is not known.
    life: u64,
}

/// The memory of one key, as the client of one room has it.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    room: String,
    log: Option<LogId>,
    /// In the order of typing.
    kept: VecDeque<Kept>,
    /// The log that was seen last comes last. Invariant: at most [`MAX_LOGS`].
    seen: Vec<Seen>,
    next_id: u64,
    /// Records written, and of these on the disk. Invariant: durable <= written.
    written: u64,
    durable: u64,
}

impl Memory {
    /// What these records say, for the client of the room at this endpoint. All of them are on the disk.
    pub(crate) fn recalled(room: &str, records: impl IntoIterator<Item = Record>) -> Self {
        let (kept, seen) = (VecDeque::new(), Vec::new());
        let mut memory =
            Self { room: room.to_owned(), log: None, kept, seen, next_id: 1, written: 0, durable: 0 };
        records.into_iter().for_each(|record| memory.apply(record));
        memory.log = memory.seen.iter().rev().find(|seen| seen.room == room).map(|seen| seen.log);
        memory
    }

    /// The fewest records that say the same: what a journal begins with anew.
    pub(crate) fn records(&self) -> Vec<Record> {
        let seen = self.seen.iter().cloned().flat_map(|Seen { room, log, number, heard, life }| {
            [Record::Seen { room, log, number, life }, Record::Heard { log, number: heard }]
        });
        let typed = self.kept.iter().map(|Kept { id, room, text, tone, .. }| Record::Typed {
            id: *id,
            room: room.clone(),
            text: text.clone(),
            tone: tone.clone(),
        });
        let numbered = self.kept.iter().filter_map(|kept| {
            kept.numbered.map(|(log, number)| Record::Numbered { log, number, ids: vec![kept.id] })
        });
        seen.chain(typed).chain(numbered).collect()
    }

    /// The log that was met last here, and how much of it was seen.
    pub(crate) fn last_seen(&self) -> (Option<LogId>, u64) {
        (self.log, self.log.map_or(0, |log| self.seen_of(log)))
    }

    /// The first of its own numbers that this member will speak in the log that was met last here; 0 if that is not known.
    pub(crate) fn next(&self) -> u64 {
        let Some(log) = self.log else { return 0 };
        let first = self.kept.iter().filter_map(|kept| kept.number_in(log)).min();
        let after = |heard: u64| if heard == 0 { 0 } else { heard.saturating_add(1) };
        first.unwrap_or_else(|| after(self.heard_of(log)))
    }

    /// The last own number that this log is known to keep.
    fn heard_of(&self, log: LogId) -> u64 {
        self.seen.iter().find(|seen| seen.log == log).map_or(0, |seen| seen.heard)
    }

    /// How much was seen of this log.
    pub(crate) fn seen_of(&self, log: LogId) -> u64 {
        self.seen.iter().find(|seen| seen.log == log).map_or(0, |seen| seen.number)
    }

    /// In which life of its room this log was met last; 0 if that is not known.
    pub(crate) fn life_of(&self, log: LogId) -> u64 {
        self.seen.iter().find(|seen| seen.log == log).map_or(0, |seen| seen.life)
    }

    /// How many texts wait for this room.
    pub(crate) fn waiting(&self) -> usize {
        self.kept.iter().filter(|kept| self.is_here(kept)).count()
    }

    /// Whether a further text may be typed.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting() < MAX_KEPT
    }

    /// Whether something that is about to be spoken is not on the disk.
    pub(crate) fn needs_disk(&self) -> bool {
        self.kept.iter().rev().any(|kept| kept.last_change() > self.durable)
    }

    /// Keeps a text.
    pub(crate) fn keep(&mut self, text: Text, tone: Tone) -> Written {
        self.write(Record::Typed { id: self.next_id, room: self.room.clone(), text, tone })
    }

    /// Says how much was seen of this log.
    pub(crate) fn see(&mut self, log: LogId, number: u64) -> Written {
        self.meet(log, number, self.life_of(log))
    }

    /// The same, of a room in this life. What was seen in one is never taken for what was seen in another: both are one record.
    pub(crate) fn meet(&mut self, log: LogId, number: u64, life: u64) -> Written {
        self.write(Record::Seen { room: self.room.clone(), log, number, life })
    }

    /// The room of this log keeps all up to this number; `None` if that is no news.
    pub(crate) fn hear(&mut self, log: LogId, number: u64) -> Option<Written> {
        let is_heard = |kept: &Kept| kept.number_in(log).is_some_and(|at| at <= number);
        let is_news = self.kept.iter().any(is_heard) || number > self.heard_of(log);
        is_news.then(|| self.write(Record::Heard { log, number }))
    }

    /// Texts with numbers up to this one, which the room of this log keeps, that may be none of what it keeps: the text that
    /// has this number there is none of this memory's, so another client with the key has spoken since.
    pub(crate) fn doubtful(&self, log: LogId, number: u64, kept_print: Option<u64>) -> Vec<&Text> {
        let is_it = |kept: &&Kept| kept.number_in(log) == Some(number);
        let own_print = self.kept.iter().find(is_it).map(|kept| print(number, &kept.text));
        if own_print.is_some() && own_print == kept_print {
            return Vec::new();
        }
        let is_told_kept = |kept: &&Kept| kept.number_in(log).is_some_and(|at| at <= number);
        self.kept.iter().filter(is_told_kept).map(|kept| &kept.text).collect()
    }

    /// The room here counts by this log, and the member's own next number in it is this. Numbers that do not follow are
    /// void: the room has lost what came before them, or they are another room's.
    pub(crate) fn settle(&mut self, log: LogId, next: u64) -> Option<Written> {
        self.log = Some(log);
        let texts = self.in_order_of(log);
        let numbers = texts.iter().filter_map(|kept| kept.number_in(log));
        if numbers.zip(from(next)).all(|(number, expected)| number == expected) {
            return self.number(log, next);
        }
        let ids = texts.into_iter().map(|kept| kept.id).collect();
        Some(self.write(Record::Numbered { log, number: next, ids }))
    }

    /// Gives numbers to the texts for this room that have none in this log; `next` if none has one.
    pub(crate) fn number(&mut self, log: LogId, next: u64) -> Option<Written> {
        let last = self.kept.iter().filter_map(|kept| kept.number_in(log)).max();
        let number = last.map_or(next, |last| last.saturating_add(1));
        let without = self.kept.iter().filter(|kept| self.is_here(kept) && kept.number_in(log).is_none());
        let ids: Vec<_> = without.map(|kept| kept.id).collect();
        (!ids.is_empty()).then(|| self.write(Record::Numbered { log, number, ids }))
    }

    /// Texts of this log after this number that are on the disk, without a gap, at most so many.
    pub(crate) fn speakable(&self, log: LogId, after: u64, most: usize) -> Vec<Utterance> {
        let texts = self.in_order_of(log).into_iter().filter(|kept| kept.last_change() <= self.durable);
        let numbered = texts.filter_map(|kept| Some((kept.number_in(log)?, kept)));
        let next = numbered.filter(|(number, _)| *number > after).zip(from(after.saturating_add(1)));
        next.take_while(|((number, _), expected)| number == expected)
            .take(most)
            .map(|((number, kept), _)| Utterance { number, text: kept.text.clone(), tone: kept.tone.clone() })
            .collect()
    }

    /// Texts for this room that are on the disk, at most so many, for a room that counts nothing.
    pub(crate) fn uncounted(&self, most: usize) -> Vec<(u64, Text, Tone)> {
        let ready = self.kept.iter().filter(|kept| self.is_here(kept) && kept.last_change() <= self.durable);
        ready.take(most).map(|kept| (kept.id, kept.text.clone(), kept.tone.clone())).collect()
    }

    /// Lets go of these texts.
    pub(crate) fn drop_texts(&mut self, ids: Vec<u64>) -> Written {
        self.write(Record::Gone { ids })
    }

    /// All records up to this one are on the disk.
    pub(crate) fn harden(&mut self, order: u64) {
        self.durable = self.durable.max(order.min(self.written));
    }

    /// The records from this one on could not be written: what they said does not hold. Says how many texts are lost.
    pub(crate) fn forget_from(&mut self, order: u64) -> usize {
        let before = self.kept.len();
        self.kept.retain(|kept| kept.typed_in < order);
        for kept in self.kept.iter_mut().filter(|kept| kept.numbered_in >= order) {
            (kept.numbered, kept.numbered_in) = (None, 0);
        }
        self.written = self.written.min(order.saturating_sub(1));
        self.durable = self.durable.min(self.written);
        before - self.kept.len()
    }

    /// Texts for this room: those with a number in its log come first.
    fn in_order_of(&self, log: LogId) -> Vec<&Kept> {
        let mut texts: Vec<_> = self.kept.iter().filter(|kept| self.is_here(kept)).collect();
        texts.sort_by_key(|kept| kept.number_in(log).unwrap_or(u64::MAX));
        texts
    }

    /// Typed for this endpoint, or under way to its log.
    fn is_here(&self, kept: &Kept) -> bool {
        kept.room == self.room || self.log.is_some_and(|log| kept.number_in(log).is_some())
    }

    fn write(&mut self, record: Record) -> Written {
        self.written += 1;
        self.apply(record.clone());
        Written { order: self.written, record }
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Typed { id, room, text, tone } => self.on_typed(id, room, text, tone),
            Record::Numbered { log, number, ids } => self.on_numbered(log, number, &ids),
            Record::Heard { log, number } => self.on_heard(log, number),
            Record::Gone { ids } => self.kept.retain(|kept| !ids.contains(&kept.id)),
            Record::Seen { room, log, number, life } => self.on_seen(room, log, number, life),
        }
    }

    fn on_typed(&mut self, id: u64, room: String, text: Text, tone: Tone) {
        let typed_in = self.written;
        self.next_id = self.next_id.max(id.saturating_add(1));
        self.kept.push_back(Kept { id, room, text, tone, numbered: None, typed_in, numbered_in: 0 });
    }

    fn on_numbered(&mut self, log: LogId, number: u64, ids: &[u64]) {
        for (id, number) in ids.iter().zip(from(number)) {
            if let Some(kept) = self.kept.iter_mut().find(|kept| kept.id == *id) {
                (kept.numbered, kept.numbered_in) = (Some((log, number)), self.written);
            }
        }
    }

    fn on_heard(&mut self, log: LogId, number: u64) {
        self.kept.retain(|kept| kept.number_in(log).is_none_or(|at| at > number));
        for seen in self.seen.iter_mut().filter(|seen| seen.log == log) {
            seen.heard = number;
        }
    }

    fn on_seen(&mut self, room: String, log: LogId, number: u64, life: u64) {
        let before = self.seen.iter().position(|seen| seen.log == log).map(|at| self.seen.remove(at));
        if self.seen.len() == MAX_LOGS {
            self.seen.remove(0);
        }
        let heard = before.map_or(0, |seen| seen.heard);
        self.seen.push(Seen { room, log, number, heard, life });
    }
}

impl Kept {
    fn number_in(&self, log: LogId) -> Option<u64> {
        self.numbered.filter(|(of, _)| *of == log).map(|(_, number)| number)
    }

    fn last_change(&self) -> u64 {
        self.typed_in.max(self.numbered_in)
    }
}

/// This number and those after it. A room may lie about the first.
fn from(number: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |further| number.saturating_add(further))
}
