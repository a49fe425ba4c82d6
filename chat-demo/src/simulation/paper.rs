//! A client's journal as it was written, and how much of it the disk has.

use proto::time::Instant;

use super::client::ROOM;
use crate::{
    Text,
    client::member::{Memory, Record, Written},
    wire::room::LogId,
};

#[derive(Clone, Default)]
pub(super) struct Paper {
    records: Vec<Record>,
    /// Of those of this life.
    base: usize,
    durable: usize,
    /// How much is on its way to the disk, and when it is there.
    syncing: Option<(usize, Instant)>,
    /// Whether it lacks what was written last of what was seen.
    pub(super) lacks_seen: bool,
}

impl Paper {
    pub(super) fn memory(&self) -> Memory {
        Memory::recalled(ROOM, self.records.clone())
    }

    /// A copy of what the disk has. There is none while a text has no number: the copy would give it one of its own, and both
    /// would be said.
    pub(super) fn copy(&self) -> Option<Self> {
        let records = self.records[..self.durable].to_vec();
        let all = Memory::recalled(ROOM, records.clone()).records();
        let typed = all.iter().filter(|record| matches!(record, Record::Typed { .. })).count();
        let numbered = all.iter().filter(|record| matches!(record, Record::Numbered { .. })).count();
        (typed == numbered).then(|| Self { records, ..Self::default() })
    }

    /// How far the last log was seen.
    pub(super) fn seen(&self) -> Option<u64> {
        let (log, seen): (Option<LogId>, u64) = self.memory().last_seen();
        log.map(|_| seen)
    }

    pub(super) fn write(&mut self, written: Written) {
        assert_eq!(written.order as usize, self.records.len() - self.base + 1);
        self.lacks_seen &= !matches!(written.record, Record::Seen { .. });
        self.records.push(written.record);
    }

    /// The disk begins to write, unless it does.
    pub(super) fn begin_sync(&mut self, done_at: Instant) {
        self.syncing.get_or_insert((self.records.len(), done_at));
    }

    pub(super) fn synced_at(&self) -> Instant {
        self.syncing.map_or(Instant::NEVER, |(_, at)| at)
    }

    /// The disk has it: up to which record, and the texts among those that it did not have.
    pub(super) fn sync(&mut self) -> (u64, Vec<Text>) {
        let to = self.syncing.take().map_or(self.durable, |(to, _)| to);
        let texts = texts(&self.records[self.durable..to]);
        self.durable = to;
        ((to - self.base) as u64, texts)
    }

    /// The disk refuses: from which record on.
    pub(super) fn refuse(&mut self) -> u64 {
        self.syncing = None;
        self.records.truncate(self.durable);
        self.lacks_seen = true;
        (self.durable - self.base) as u64 + 1
    }

    /// The process is no more, but what it wrote is; with the machine's power some of that goes too.
    pub(super) fn survive(&mut self, left: Option<usize>, is_made_short: bool) -> Vec<Text> {
        self.syncing = None;
        if let Some(left) = left.map(|left| self.durable + left).filter(|left| *left < self.records.len()) {
            self.records.truncate(left);
            self.lacks_seen = true;
        }
        if is_made_short {
            self.records = self.memory().records();
        }
        (self.base, self.durable) = (self.records.len(), self.records.len());
        texts(&self.records)
    }

    /// How much the disk does not have.
    pub(super) fn at_risk(&self) -> usize {
        self.records.len() - self.durable
    }
}

fn texts(records: &[Record]) -> Vec<Text> {
    let text = |record: &Record| match record {
        Record::Typed { text, .. } => Some(text.clone()),
        _ => None,
    };
    records.iter().filter_map(text).collect()
}
