//! A member as a model: what it has said and heard, which outlives its connections and its processes.

use std::collections::VecDeque;

use proto::time::Instant;

use super::super::{BEAT, Kept, tests::key};
use crate::{
    Name, Text,
    wire::room::{
        Entries, FromRoom, Hello, LogId, Manner, MemberId, Refusal, SILENT_BEATS, Say, ToRoom, Utterance,
        encode,
    },
};

/// What a member keeps, and where it is.
pub(super) struct Member {
    pub(super) word: String,
    pub(super) id: MemberId,
    /// Its routing id, another one for each process.
    pub(super) address: Vec<u8>,
    said: u64,
    outbox: VecDeque<u64>,
    log: Option<LogId>,
    seen: u64,
    has_place: bool,
    /// The first that was not heard a beat ago.
    waits_for: Option<u64>,
    /// It has never got anything of the log.
    is_new: bool,
    heard_at: Instant,
    spoke_at: Instant,
    /// It does nothing until then.
    pub(super) stopped_until: Instant,
    /// How many entries it was told it has missed.
    pub(super) missed: u64,
}

impl Member {
    pub(super) fn new(word: &str, now: Instant) -> Self {
        Self {
            word: word.to_owned(),
            id: key(word).member(),
            address: format!("{word}.0").into_bytes(),
            said: 0,
            outbox: VecDeque::new(),
            log: None,
            seen: 0,
            has_place: false,
            waits_for: None,
            is_new: true,
            heard_at: Instant::ZERO,
            spoke_at: now,
            stopped_until: Instant::ZERO,
            missed: 0,
        }
    }

    /// Ends, and begins anew with what it has kept.
    pub(super) fn restart(&mut self, life: u64) {
        self.address = format!("{}.{life}", self.word).into_bytes();
        self.has_place = false;
        self.heard_at = Instant::ZERO;
    }

    pub(super) fn has_all_heard(&self) -> bool {
        self.outbox.is_empty()
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn said(&self) -> u64 {
        self.said
    }

    /// Says something new, if it has a place.
    pub(super) fn say(&mut self) -> Option<Vec<u8>> {
        self.said += 1;
        self.outbox.push_back(self.said);
        self.has_place.then(|| self.saying([self.said]))
    }

    /// What it does by itself as time goes by.
    pub(super) fn on_time(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.stopped_until || now.since(self.spoke_at) < BEAT {
            return None;
        }
        self.spoke_at = now;
        if now.since(self.heard_at) >= BEAT * SILENT_BEATS {
            self.has_place = false;
        }
        // What is not heard in time was lost, or the word of it was.
        let front = self.outbox.front().copied();
        let is_impatient = front.is_some() && self.waits_for == front;
        self.waits_for = front;
        Some(if self.has_place && !is_impatient {
            encode(&ToRoom::Beat { seen: self.seen })
        } else {
            self.hello()
        })
    }

    /// Hears a frame, checks it against what is on the disk, and answers.
    pub(super) fn on_frame(&mut self, frame: FromRoom, disk: &[Kept], now: Instant) -> Vec<Vec<u8>> {
        self.heard_at = now;
        match frame {
            FromRoom::Speak => vec![self.hello()],
            FromRoom::Welcome(welcome) => {
                self.has_place = true;
                assert!(welcome.head <= disk.len() as u64 && welcome.from <= welcome.head);
                self.on_heard(welcome.heard);
                if self.log.is_some() {
                    self.missed += welcome.from.saturating_sub(self.seen);
                }
                (self.log, self.seen) = (Some(welcome.log), self.seen.max(welcome.from));
                let all: Vec<_> = self.outbox.iter().copied().collect();
                all.chunks(100).map(|some| self.saying(some.iter().copied())).collect()
            }
            FromRoom::Entries(entries) => self.on_entries(&entries, disk),
            FromRoom::Heard { number } => {
                self.on_heard(number);
                Vec::new()
            }
            FromRoom::Unheard { .. } => vec![self.saying(self.outbox.iter().copied().take(100))],
            FromRoom::Beat { sent } if sent > self.seen && self.has_place => vec![self.hello()],
            FromRoom::Refused { why } => {
                self.has_place = false;
                assert!(!matches!(why, Refusal::NameTaken | Refusal::Full | Refusal::Version), "{why:?}");
                Vec::new()
            }
            FromRoom::Beat { .. } | FromRoom::Who { .. } | FromRoom::Note { .. } | FromRoom::Closing => {
                Vec::new()
            }
        }
    }

    /// Nothing of what is for it may be missing, and nothing else be there.
    fn on_entries(&mut self, entries: &Entries, disk: &[Kept]) -> Vec<Vec<u8>> {
        assert!(entries.to <= disk.len() as u64, "{} is on the disk", entries.to);
        if entries.after > self.seen {
            return vec![self.hello()];
        }
        let got = entries.iter().map(Result::unwrap).map(|entry| entry.number);
        let got: Vec<_> = got.filter(|number| *number > self.seen).collect();
        let new = (self.seen + 1..=entries.to).filter(|number| is_for(&disk[*number as usize - 1], self.id));
        let new: Vec<_> = new.collect();
        // The first time it gets nothing from before its coming; from then on, everything.
        let is_whole = if self.is_new { new.ends_with(&got) } else { got == new };
        assert!(is_whole, "{}: after {} to {} there is {got:?}", self.word, self.seen, entries.to);
        self.is_new = false;
        self.seen = self.seen.max(entries.to);
        Vec::new()
    }

    fn on_heard(&mut self, number: u64) {
        while self.outbox.front().is_some_and(|first| *first <= number) {
            self.outbox.pop_front();
        }
    }

    fn hello(&self) -> Vec<u8> {
        let name = Name::new(&self.word).unwrap();
        let next = self.outbox.front().copied().unwrap_or(self.said + 1);
        encode(&ToRoom::Hello(Hello { key: key(&self.word), name, log: self.log, seen: self.seen, next }))
    }

    fn saying(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let utterance = |number| Utterance {
            number,
            text: Text::new(&format!("{} {number}", self.word)).unwrap(),
            tone: Manner::Plain,
        };
        encode(&ToRoom::Say(Say { seen: self.seen, said: numbers.into_iter().map(utterance).collect() }))
    }
}

fn is_for(kept: &Kept, member: MemberId) -> bool {
    kept.to.map_or(kept.author != member, |to| to == member)
}
