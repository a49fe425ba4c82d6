//! Everything around the room and its members: the wires, the disk, the clock, and what goes wrong.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use proto::time::Instant;

use super::{
    super::{Batch, Input, Kept, Limits, Room, Sent, Shell, Stored, Time, tests::LOG},
    member::Member,
};
use crate::{
    Name,
    wire::room::{Entry, MemberId, What, decode},
};

const LIMITS: Limits = Limits { members: 10, entries: 200, bytes: 1 << 20 };
const WORDS: [&str; 4] = ["ann", "bob", "cid", "dan"];

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::room) struct Faults {
    restarts: u64,
    kills: u64,
    cuts: u64,
    stops: u64,
    full_disks: u64,
    full_pipes: u64,
    missed: u64,
}

impl Faults {
    pub(super) fn add(&mut self, other: Self) {
        self.restarts += other.restarts;
        self.kills += other.kills;
        self.cuts += other.cuts;
        self.stops += other.stops;
        self.full_disks += other.full_disks;
        self.full_pipes += other.full_pipes;
        self.missed += other.missed;
    }

    /// A simulation in which something never goes wrong shows nothing of it.
    pub(super) fn assert_all_happened(self) {
        let all = [self.restarts, self.kills, self.cuts, self.stops, self.full_disks, self.full_pipes];
        assert!(all.iter().all(|count| *count > 100) && self.missed > 0, "{self:?}");
    }
}

/// The two ways between the room and one process of a member's.
#[derive(Default)]
struct Wire {
    to_room: VecDeque<Vec<u8>>,
    to_member: VecDeque<Vec<u8>>,
    is_full: bool,
}

#[derive(Default)]
struct Hands {
    wires: BTreeMap<Vec<u8>, Wire>,
    batch: Option<Batch>,
}

impl Shell for Hands {
    fn send(&mut self, to: &[u8], frame: &[u8]) -> Sent {
        let Some(wire) = self.wires.get_mut(to) else { return Sent::Gone };
        if wire.is_full {
            return Sent::Full;
        }
        wire.to_member.push_back(frame.to_vec());
        Sent::Taken
    }

    fn store(&mut self, batch: Batch) {
        assert!(self.batch.replace(batch).is_none(), "one at a time");
    }
}

pub(in crate::room) struct World {
    random: fastrand::Rng,
    now: Instant,
    room: Room,
    hands: Hands,
    members: Vec<Member>,
    /// All that was ever stored, from number 1 on.
    disk: Vec<Kept>,
    authors: HashMap<MemberId, (u64, u64)>,
    /// The last own number of each word that is on the disk.
    texts: HashMap<String, u64>,
    lives: u64,
    faults: Faults,
    trace: Vec<(u64, usize)>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let now = Instant::from_micros(1_000_000);
        Self {
            random: fastrand::Rng::with_seed(seed),
            now,
            room: Room::open(Name::new("room").unwrap(), LIMITS, Stored::empty(LOG), now),
            hands: Hands::default(),
            members: WORDS.map(|word| Member::new(word, Instant::ZERO)).into(),
            disk: Vec::new(),
            authors: HashMap::new(),
            texts: HashMap::new(),
            lives: 0,
            faults: Faults::default(),
            trace: Vec::new(),
        }
    }

    pub(super) fn faults(&self) -> Faults {
        Faults { missed: self.members.iter().map(|member| member.missed).sum(), ..self.faults }
    }

    pub(super) fn trace(&self) -> &[(u64, usize)] {
        &self.trace
    }

    /// One thing happens.
    pub(super) fn step(&mut self) {
        match self.random.u32(0..1_000) {
            0..150 => self.pass(),
            150..400 => self.receive(),
            400..600 => self.deliver(),
            600..800 => self.speak(),
            800..930 => self.store(true),
            930..940 => self.store(false),
            940..955 => self.cut(),
            955..970 => self.restart_member(),
            970..980 => self.stop(),
            980..990 => self.fill(),
            990..995 => self.kill_room(),
            _ => self.wait(Duration::from_secs(2)),
        }
        self.trace.push((self.now.as_micros(), self.disk.len()));
    }

    /// Nothing goes wrong any more; soon all have said and heard all.
    pub(super) fn heal(&mut self) {
        for member in &mut self.members {
            member.stopped_until = Instant::ZERO;
        }
        for _ in 0..400 {
            self.hands.wires.values_mut().for_each(|wire| wire.is_full = false);
            self.wait(Duration::from_millis(100));
            for _ in 0..5 {
                while self.hands.wires.values().any(|wire| !wire.to_room.is_empty()) {
                    self.receive();
                }
                while self.hands.batch.is_some() {
                    self.store(true);
                }
                while self.hands.wires.values().any(|wire| !wire.to_member.is_empty()) {
                    self.deliver();
                }
            }
        }
        let head = self.disk.len() as u64;
        for member in &self.members {
            assert!(member.has_all_heard(), "{} has something left to say", member.word);
            assert_eq!(member.seen(), head, "{} has seen all", member.word);
            let said = self.texts.get(&member.word).copied().unwrap_or_default();
            assert_eq!(said, member.said(), "{}: all is on the disk", member.word);
        }
        assert_eq!(self.room.counters().members, self.members.len() as u64);
    }

    fn pass(&mut self) {
        let millis = self.random.u64(1..100);
        self.wait(Duration::from_millis(millis));
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
        for index in 0..self.members.len() {
            let said = self.members[index].on_time(self.now);
            self.send(index, said);
        }
        self.on(Input::Turn);
    }

    fn on(&mut self, input: Input<'_>) {
        self.room.on(input, Time { now: self.now, wall: 0 }, &mut self.hands);
    }

    fn send(&mut self, index: usize, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            let address = self.members[index].address.clone();
            self.hands.wires.entry(address).or_default().to_room.push_back(frame);
        }
    }

    /// The room hears some frames of somebody, and then has its turn.
    fn receive(&mut self) {
        let wires = self.hands.wires.iter().filter(|(_, wire)| !wire.to_room.is_empty());
        let speaking: Vec<_> = wires.map(|(address, _)| address.clone()).collect();
        let Some(from) = self.random.choice(speaking) else { return };
        for _ in 0..self.random.u32(1..10) {
            let wire = self.hands.wires.get_mut(&from);
            let Some(bytes) = wire.and_then(|wire| wire.to_room.pop_front()) else { break };
            self.on(Input::Frame { from: &from, bytes: &bytes });
        }
        self.on(Input::Turn);
    }

    /// Some frames reach a member. Those for a process that is no more reach nobody.
    fn deliver(&mut self) {
        let wires = self.hands.wires.iter().filter(|(_, wire)| !wire.to_member.is_empty());
        let heard: Vec<_> = wires.map(|(address, _)| address.clone()).collect();
        let Some(to) = self.random.choice(heard) else { return };
        for _ in 0..self.random.u32(1..10) {
            let Some(wire) = self.hands.wires.get_mut(&to) else { return };
            let Some(frame) = wire.to_member.pop_front() else { return };
            let Some(index) = self.members.iter().position(|member| member.address == to) else { continue };
            let answers = self.members[index].on_frame(decode(&frame).unwrap(), &self.disk, self.now);
            self.send(index, answers);
        }
    }

    fn speak(&mut self) {
        let index = self.random.usize(0..self.members.len());
        if self.now >= self.members[index].stopped_until {
            let said = self.members[index].say();
            self.send(index, said);
        }
    }

    /// The disk is done with the batch, well or not.
    fn store(&mut self, is_well: bool) {
        let Some(batch) = self.hands.batch.take() else { return };
        if is_well {
            self.write(batch);
            self.on(Input::Stored);
        } else {
            self.faults.full_disks += 1;
            self.on(Input::NotStored("full"));
        }
    }

    /// What is on the disk is right: numbered without gaps, and everybody's texts once and in their order.
    fn write(&mut self, batch: Batch) {
        assert_eq!(batch.first, self.disk.len() as u64 + 1);
        for (number, kept) in (batch.first..).zip(batch.entries) {
            let entry: Entry = rmp_serde::from_slice(&kept.bytes).unwrap();
            assert_eq!(entry.number, number);
            if let What::Text(text) = &entry.what {
                let (word, own) = text.as_str().split_once(' ').unwrap();
                let last = self.texts.entry(word.to_owned()).or_default();
                *last += 1;
                assert_eq!(*last, own.parse::<u64>().unwrap(), "{word}");
            }
            self.disk.push(kept);
        }
        for (id, own, last) in batch.authors {
            self.authors.insert(id, (own, last));
        }
        assert!(batch.forgotten.is_empty() && batch.keep_from <= batch.first);
    }

    /// A connection breaks, and all that was on its way with it.
    fn cut(&mut self) {
        self.faults.cuts += 1;
        let address = self.members[self.random.usize(0..self.members.len())].address.clone();
        self.hands.wires.remove(&address);
    }

    /// A member's process ends, or another one of the same key begins; the room may not know of the older's end for long.
    fn restart_member(&mut self) {
        self.faults.restarts += 1;
        self.lives += 1;
        let index = self.random.usize(0..self.members.len());
        let older = self.members[index].address.clone();
        self.members[index].restart(self.lives);
        if self.random.bool() {
            self.hands.wires.remove(&older);
        }
    }

    fn stop(&mut self) {
        self.faults.stops += 1;
        let index = self.random.usize(0..self.members.len());
        self.members[index].stopped_until = self.now + Duration::from_millis(self.random.u64(1..10_000));
    }

    /// Somebody reads nothing, or does again.
    fn fill(&mut self) {
        let index = self.random.usize(0..self.members.len());
        if let Some(wire) = self.hands.wires.get_mut(&self.members[index].address) {
            wire.is_full = !wire.is_full;
            self.faults.full_pipes += 1;
        }
    }

    /// The room ends without a word. The batch that was on its way is on the disk, or not; connections break.
    fn kill_room(&mut self) {
        self.faults.kills += 1;
        if let Some(batch) = self.hands.batch.take().filter(|_| self.random.bool()) {
            self.write(batch);
        }
        self.hands.wires.clear();
        let kept = self.disk.len().min(self.random.usize(150..400));
        let first = (self.disk.len() - kept) as u64 + 1;
        let mut authors: Vec<_> = self.authors.iter().map(|(id, (own, last))| (*id, *own, *last)).collect();
        authors.sort_unstable();
        let entries = self.disk[self.disk.len() - kept..].to_vec();
        let stored = Stored { first, entries, authors, ..Stored::empty(LOG) };
        self.room = Room::open(Name::new("room").unwrap(), LIMITS, stored, self.now);
    }
}
