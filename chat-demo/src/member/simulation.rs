//! A member and a room as it should be, on virtual time, with everything between them and below them going wrong: frames and
//! connections are lost, the room starts anew, its disk and the member's refuse, the member is killed or loses its power. A
//! seed decides all of it.
//!
//! What must hold: every text that was on the member's disk is in the room's log once, in the order of typing, and none is
//! there twice; every text of others is shown, in order, and a second time only where what was seen was not on the disk:
//! after a loss of power, or when the disk refused it.

use std::collections::VecDeque;

use serde_bytes::ByteBuf;

use super::*;
use crate::wire::room::{Entries, Entry, LogId, Say, Welcome, What, decode, encode};
use crate::{How, Text};

const LOG: LogId = LogId([1; 16]);
const ROOM: &str = "there:1";
const SEEDS: u64 = 100;
const STEPS: usize = 600;

/// A room that does what it should.
#[derive(Default)]
struct Model {
    /// Texts: of the member, or of somebody else.
    log: Vec<(bool, String)>,
    heard: u64,
    has_place: bool,
    is_asking: bool,
    sent: u64,
    observed_at: Instant,
}

/// What the member has written, and how much of it the disk has.
#[derive(Default)]
struct Paper {
    records: Vec<Record>,
    /// Of those of this life.
    base: usize,
    durable: usize,
    syncing: Option<usize>,
    /// Whether it lacks what was written last of what was seen.
    lacks_seen: bool,
}

struct World {
    random: fastrand::Rng,
    now: Instant,
    member: Member,
    paper: Paper,
    room: Model,
    is_connected: bool,
    to_room: VecDeque<Vec<u8>>,
    to_member: VecDeque<Vec<u8>>,
    typed: u64,
    others: u64,
    /// Texts of others by their number in the log, as they were shown.
    shown: Vec<u64>,
    /// Where a repetition may have begun.
    repeats: Vec<usize>,
    /// What was on the disk at some time.
    promised: Vec<String>,
    is_calm: bool,
}

fn member(records: &[Record], seed: u64, now: Instant) -> Member {
    let beginning = Beginning {
        name: Name::new("ann").unwrap(),
        key: Key([1; 32]),
        room: ROOM.to_owned(),
        grace: Duration::from_secs(5),
        memory: Memory::recalled(ROOM, records.to_vec()),
        seed,
    };
    Member::new(beginning, now)
}

impl World {
    fn new(seed: u64) -> Self {
        let seen = Record::Seen { room: ROOM.to_owned(), log: LOG, number: 0 };
        let paper = Paper { records: vec![seen], base: 1, durable: 1, ..Paper::default() };
        Self {
            random: fastrand::Rng::with_seed(seed),
            now: Instant::ZERO,
            member: member(&paper.records, seed, Instant::ZERO),
            paper,
            room: Model::default(),
            is_connected: false,
            to_room: VecDeque::new(),
            to_member: VecDeque::new(),
            typed: 0,
            others: 0,
            shown: Vec::new(),
            repeats: Vec::new(),
            promised: Vec::new(),
            is_calm: false,
        }
    }

    fn happens(&mut self, percent: u32) -> bool {
        !self.is_calm && self.random.u32(..100) < percent
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(self.random.u64(1..200));
        self.give(Input::Tick);
        if self.happens(30) && self.member.has_room() {
            self.types();
        }
        if self.happens(30) {
            self.others += 1;
            self.room.log.push((false, format!("o{}", self.others)));
        }
        if self.is_calm || self.random.u32(..100) < 60 {
            self.sync();
        }
        self.connection();
        self.carry();
        self.room_speaks();
        if self.happens(1) {
            self.kill();
        }
    }

    fn types(&mut self) {
        self.typed += 1;
        let typed = Typed::Say(Text::new(&format!("t{}", self.typed)).unwrap());
        self.give(Input::Typed { typed, at: 0 });
    }

    fn give(&mut self, input: Input<'_>) {
        let effects = self.member.on(self.now, input);
        let mut unkept = None;
        for effect in effects {
            match effect {
                Effect::Send(bytes) if self.is_connected && !self.happens(2) => self.to_room.push_back(bytes),
                Effect::Show(Line::Said(said)) if said.how != How::Mine => self.shown.push(said.at),
                Effect::Keep(_) if unkept.is_some() => {}
                Effect::Keep(written) if self.happens(2) => unkept = Some(written.order),
                Effect::Keep(written) => {
                    assert_eq!(written.order as usize, self.paper.records.len() - self.paper.base + 1);
                    self.paper.lacks_seen &= !matches!(written.record, Record::Seen { .. });
                    self.paper.records.push(written.record);
                }
                Effect::Sync if self.paper.syncing.is_none() => {
                    self.paper.syncing = Some(self.paper.records.len());
                }
                Effect::End(end) => panic!("it ends: {end:?}"),
                _ => {}
            }
        }
        if let Some(from) = unkept {
            self.paper.lacks_seen = true;
            self.give(Input::Unkept { from, why: "full".to_owned() });
        }
        assert!(self.member.next_deadline() > self.now || self.member.has_ended(), "it asks for the past");
    }

    /// The disk has it, or refuses.
    fn sync(&mut self) {
        let Some(to) = self.paper.syncing.take() else { return };
        if self.happens(5) {
            self.paper.records.truncate(self.paper.durable);
            self.paper.lacks_seen = true;
            let from = (self.paper.durable - self.paper.base) as u64 + 1;
            return self.give(Input::Unkept { from, why: "broken".to_owned() });
        }
        for record in &self.paper.records[self.paper.durable..to] {
            if let Record::Typed { text, .. } = record {
                self.promised.push(text.as_str().to_owned());
            }
        }
        let order = (to - self.paper.base) as u64;
        self.paper.durable = to;
        self.give(Input::Synced { to: order });
    }

    fn connection(&mut self) {
        if self.is_connected && self.happens(3) {
            self.disconnect();
            if self.happens(40) {
                // The room was started anew: it has its log and knows nobody.
                self.room.has_place = false;
            }
        } else if !self.is_connected && (self.is_calm || self.happens(30)) {
            self.is_connected = true;
            self.give(Input::Connected);
        }
    }

    fn disconnect(&mut self) {
        self.is_connected = false;
        self.to_room.clear();
        self.to_member.clear();
        self.give(Input::Disconnected);
    }

    fn carry(&mut self) {
        for _ in 0..self.random.usize(0..6) {
            if let Some(frame) = self.to_room.pop_front() {
                self.room_hears(&frame);
            }
            if let Some(frame) = self.to_member.pop_front() {
                self.give(Input::Frame { bytes: &frame, at: 0 });
            }
        }
    }

    fn answer(&mut self, frame: &FromRoom) {
        if self.is_connected && !self.happens(2) {
            self.to_member.push_back(encode(frame));
        }
    }

    fn room_hears(&mut self, bytes: &[u8]) {
        self.room.observed_at = self.now;
        let Ok(frame) = decode::<ToRoom>(bytes) else {
            assert!(matches!(Frame::read(bytes), Ok(Frame::Join { is_ours: true, .. })));
            return self.answer(&FromRoom::Speak);
        };
        match frame {
            ToRoom::Hello(hello) => self.room_greets(&hello),
            _ if !self.room.has_place => self.answer(&FromRoom::Speak),
            ToRoom::Say(say) => self.room_takes(say),
            ToRoom::Who => self.answer(&FromRoom::Who { names: Vec::new() }),
            ToRoom::Beat { seen } => assert!(seen <= self.room.sent, "it has seen what was not sent"),
            other => panic!("{other:?}"),
        }
    }

    fn room_greets(&mut self, hello: &Hello) {
        (self.room.has_place, self.room.is_asking) = (true, false);
        assert_eq!(hello.log, Some(LOG));
        assert!(hello.next <= self.room.heard + 1, "the room would not wait for what is still to come");
        let head = self.room.log.len() as u64;
        self.room.sent = hello.seen.min(head);
        let (heard, from) = (self.room.heard, self.room.sent);
        let room = Name::new("room").unwrap();
        self.answer(&FromRoom::Welcome(Welcome { room, log: LOG, heard, head, from, online: 1, beat: 1000 }));
    }

    fn room_takes(&mut self, say: Say) {
        if self.happens(5) {
            let number = self.room.heard + 1;
            return self.answer(&FromRoom::Unheard { number, why: "full".to_owned() });
        }
        for said in say.said {
            if said.number == self.room.heard + 1 {
                self.room.heard = said.number;
                self.room.log.push((true, said.text.into()));
            } else if said.number > self.room.heard && !self.room.is_asking {
                self.room.is_asking = true;
                self.answer(&FromRoom::Speak);
            }
        }
        let number = self.room.heard;
        self.answer(&FromRoom::Heard { number });
    }

    fn room_speaks(&mut self) {
        if self.now.since(self.room.observed_at) > Duration::from_secs(3) {
            self.room.has_place = false;
        }
        if !self.room.has_place {
            return;
        }
        let (after, to) = (self.room.sent, self.room.log.len() as u64);
        let others =
            self.room.log.iter().zip(1..).filter(|((is_mine, _), number)| !is_mine && *number > after);
        let entries: Vec<u8> = others
            .flat_map(|((_, text), number)| {
                let what = What::Text(Text::new(text).unwrap());
                Entry { number, at: number, name: Name::new("bob").unwrap(), what }.to_bytes()
            })
            .collect();
        self.room.sent = to;
        if after < to {
            self.answer(&FromRoom::Entries(Entries { after, to, entries: ByteBuf::from(entries) }));
        } else {
            self.answer(&FromRoom::Beat { sent: to });
        }
    }

    /// The client dies, with its machine or alone, and is started again.
    fn kill(&mut self) {
        self.paper.syncing = None;
        if self.random.bool() {
            let left = self.random.usize(self.paper.durable..=self.paper.records.len());
            self.paper.records.truncate(left);
            self.paper.lacks_seen = true;
        }
        if mem::take(&mut self.paper.lacks_seen) {
            self.repeats.push(self.shown.len());
        }
        if self.random.bool() {
            self.paper.records = self.member_records();
        }
        (self.paper.base, self.paper.durable) = (self.paper.records.len(), self.paper.records.len());
        self.promise_what_stayed();
        self.is_connected = false;
        self.to_room.clear();
        self.to_member.clear();
        self.member = member(&self.paper.records, self.random.u64(..), self.now);
    }

    /// What a journal that is made short at the start has.
    fn member_records(&self) -> Vec<Record> {
        Memory::recalled(ROOM, self.paper.records.clone()).records()
    }

    fn promise_what_stayed(&mut self) {
        for record in &self.paper.records {
            if let Record::Typed { text, .. } = record
                && !self.promised.iter().any(|promised| promised == text.as_str())
            {
                self.promised.push(text.as_str().to_owned());
            }
        }
    }

    fn settle(&mut self) {
        self.is_calm = true;
        for _ in 0..300 {
            self.step();
        }
    }

    fn audit(&self, seed: u64) {
        let mine: Vec<_> =
            self.room.log.iter().filter(|(is_mine, _)| *is_mine).map(|(_, text)| text).collect();
        let number = |text: &String| text[1..].parse::<u64>().unwrap();
        assert!(mine.windows(2).all(|two| number(two[0]) < number(two[1])), "seed {seed}: order of {mine:?}");
        for text in &self.promised {
            assert!(mine.contains(&text), "seed {seed}: {text} is lost");
        }
        assert_eq!(self.member.memory.waiting(), 0, "seed {seed}: something still waits");
        self.audit_shown(seed);
    }

    fn audit_shown(&self, seed: u64) {
        let others = self.room.log.iter().zip(1..).filter(|((is_mine, _), _)| !is_mine);
        let expected: Vec<u64> = others.map(|(_, number)| number).collect();
        let mut next = 0;
        for (position, number) in self.shown.iter().enumerate() {
            let at = expected.binary_search(number).expect("it was said");
            assert!(
                at == next || (at < next && self.repeats.contains(&position)),
                "seed {seed}: {number} is shown, not {}",
                expected[next]
            );
            next = at + 1;
        }
        assert_eq!(next, expected.len(), "seed {seed}: something was not shown");
    }
}

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.settle();
    world
}

/// Fails if a text is spoken before it is on the disk, if a repetition is taken for news, or if a gap is not noticed.
#[test]
fn whatever_goes_wrong_each_text_is_said_and_shown_once() {
    let (mut said, mut shown, mut repeats) = (0, 0, 0);
    for seed in 0..SEEDS {
        let world = run(seed);
        world.audit(seed);
        said += world.promised.len();
        shown += world.shown.len();
        repeats += world.repeats.len();
    }
    assert!(said > 1000 && shown > 1000 && repeats > 50, "{said} {shown} {repeats}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (one, two) = (run(7), run(7));
    assert_eq!((one.room.log, one.shown, one.paper.records), (two.room.log, two.shown, two.paper.records));
}
