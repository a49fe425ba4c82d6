//! The connections between processes and the room, with what is under way on each, and a look at every frame that the room
//! sends: at that moment all that it says must be on the disk, and be for whom it is sent to.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use proto::time::Instant;

use super::disk::Disk;
use crate::{
    room::{Batch, Sent, Shell},
    wire::room::{Entries, FromRoom, MemberId, decode},
};

/// What libzmq takes for one peer.
const QUEUE: usize = 1_000;

/// A frame, and when it is there.
type UnderWay = VecDeque<(Instant, Vec<u8>)>;

/// Both ways of one process's connection.
pub(super) struct Wire {
    /// Who is at the other end, if it has a key.
    id: Option<MemberId>,
    pub(super) is_up: bool,
    /// It is made again then, if there is a room.
    pub(super) up_at: Instant,
    pub(super) is_full: bool,
    /// Nothing gets through before.
    pub(super) slow_until: Instant,
    to_room: UnderWay,
    to_process: UnderWay,
}

/// All that a room has: its connections and its disk.
pub(super) struct Hands {
    pub(super) wires: BTreeMap<u64, Wire>,
    pub(super) disk: Disk,
    pub(super) batch: Option<Batch>,
    pub(super) now: Instant,
    /// The first number that the room keeps.
    pub(super) first: u64,
    /// Who was welcomed after which number because the room keeps no more.
    pub(super) without: BTreeSet<(u64, u64)>,
    random: fastrand::Rng,
}

impl Wire {
    pub(super) fn new(id: Option<MemberId>) -> Self {
        Self {
            id,
            is_up: false,
            up_at: Instant::ZERO,
            is_full: false,
            slow_until: Instant::ZERO,
            to_room: UnderWay::new(),
            to_process: UnderWay::new(),
        }
    }

    /// The connection ends. What had come to the other machine is read there still.
    pub(super) fn cut(&mut self, arrived: usize) {
        // What a simple client is given after this does not follow what it was given before, which it cannot know.
        self.to_process.truncate(if self.id.is_some() { arrived } else { 0 });
        self.to_room.truncate(arrived);
        self.is_full = false;
    }

    pub(super) fn next_to_room(&self) -> Option<Instant> {
        self.to_room.front().map(|(at, _)| *at)
    }

    pub(super) fn next_to_process(&self) -> Option<Instant> {
        self.to_process.front().map(|(at, _)| *at)
    }

    pub(super) fn take_to_room(&mut self, now: Instant) -> Option<Vec<u8>> {
        take(&mut self.to_room, now)
    }

    pub(super) fn take_to_process(&mut self, now: Instant) -> Option<Vec<u8>> {
        take(&mut self.to_process, now)
    }

    /// The room is no more, and what it did not read is gone.
    pub(super) fn forget_to_room(&mut self) {
        self.to_room.clear();
    }
}

fn take(way: &mut UnderWay, now: Instant) -> Option<Vec<u8>> {
    way.front().filter(|(at, _)| *at <= now)?;
    way.pop_front().map(|(_, frame)| frame)
}

impl Hands {
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        Self {
            wires: BTreeMap::new(),
            disk: Disk::default(),
            batch: None,
            now,
            first: 1,
            without: BTreeSet::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// A process says something; where there is no connection it is lost.
    pub(super) fn send_to_room(&mut self, from: u64, frame: Vec<u8>) {
        let late = Duration::from_micros(self.random.u64(100..20_000));
        let Some(wire) = self.wires.get_mut(&from).filter(|wire| wire.is_up) else { return };
        let last = wire.to_room.back().map_or(Instant::ZERO, |(at, _)| *at);
        wire.to_room.push_back(((self.now + late).max(last).max(wire.slow_until), frame));
    }

    fn look_at(&mut self, to: u64, id: Option<MemberId>, frame: &[u8]) {
        let Some(id) = id else { return };
        match decode(frame) {
            Ok(FromRoom::Entries(entries)) => self.look_at_entries(id, &entries),
            Ok(FromRoom::Heard { number }) => assert!(number <= self.disk.own(id), "{number} is on the disk"),
            Ok(FromRoom::Welcome(welcome)) => {
                assert!(welcome.heard <= self.disk.own(id), "{} is on the disk", welcome.heard);
                assert!(welcome.from <= welcome.head && welcome.head == self.disk.head());
                if welcome.from == self.first - 1 {
                    self.without.insert((to, welcome.from));
                }
            }
            _ => {}
        }
    }

    /// The very bytes of the disk, all that are for this one and no others; who is new is spared what was before its coming.
    fn look_at_entries(&self, id: MemberId, entries: &Entries) {
        assert!(
            entries.after < entries.to && entries.to <= self.disk.head(),
            "{} is on the disk",
            entries.to
        );
        let lines = self.disk.after(entries.after).take((entries.to - entries.after) as usize);
        let all: Vec<_> = lines.filter(|line| line.is_for(id)).map(|line| &line.entry).collect();
        let got: Vec<_> = entries.iter().map(Result::unwrap).collect();
        let spared = all.len().checked_sub(got.len()).expect("nothing that is not for it");
        assert!(all[spared..].iter().zip(&got).all(|(one, other)| *one == other), "all that is for it");
        let coming = self.disk.joined(id);
        assert!(all[..spared].iter().all(|entry| entry.number <= coming), "nothing is left out");
    }
}

impl Shell for Hands {
    fn send(&mut self, to: &[u8], frame: &[u8]) -> Sent {
        let to = u64::from_be_bytes(to.try_into().unwrap());
        let late = Duration::from_micros(self.random.u64(100..20_000));
        let Some(wire) = self.wires.get(&to).filter(|wire| wire.is_up) else { return Sent::Gone };
        if wire.is_full || wire.to_process.len() >= QUEUE {
            return Sent::Full;
        }
        self.look_at(to, wire.id, frame);
        if let Some(wire) = self.wires.get_mut(&to) {
            let last = wire.to_process.back().map_or(Instant::ZERO, |(at, _)| *at);
            let at = (self.now + late).max(last).max(wire.slow_until);
            wire.to_process.push_back((at, frame.to_vec()));
        }
        Sent::Taken
    }

    fn store(&mut self, batch: Batch) {
        assert!(self.batch.replace(batch).is_none(), "one at a time");
    }
}
