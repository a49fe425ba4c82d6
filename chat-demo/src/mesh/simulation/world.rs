//! Members, and the network between them, on virtual time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash as _},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use proto::time::Instant;

use super::{plan::Plan, replayed};
use crate::{
    How, Line, Name,
    mesh::{Absence, Address, Effect, History, Input, Mesh, Start, WayId},
    wire::mesh::{AuthorId, Frame, Speaker, decode, encode},
};

const PORT: u16 = 7001;
/// 2026, and so many milliseconds before the simulation.
const WALL: u64 = 1_800_000_000_000;
/// What goes wrong goes wrong until then.
pub(super) const TROUBLE: Duration = Duration::from_secs(60);
/// Of so many inputs one is followed by a look at all that must hold; with each one this took most of the time.
const CHECKED: u64 = 16;
/// All is to be well so long after.
pub(super) const QUIET: Duration = Duration::from_secs(40);

/// A message under way.
pub(super) struct UnderWay {
    speaker: Speaker,
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

pub(super) struct Member {
    pub(super) mesh: Mesh,
    pub(super) author: AuthorId,
    pub(super) skew: i64,
    /// Where the ways lead.
    pub(super) ways: BTreeMap<WayId, usize>,
    /// What it has said since its start.
    pub(super) said: Vec<String>,
    /// What it was shown, but for the history.
    pub(super) shown: Vec<(How, String)>,
    pub(super) told: Vec<String>,
    pub(super) again: Vec<String>,
    pub(super) is_ended: bool,
}

pub(super) struct World {
    pub(super) chance: fastrand::Rng,
    pub(super) plan: Plan,
    pub(super) now: Instant,
    pub(super) members: Vec<Member>,
    /// From whom to whom nothing passes.
    pub(super) cuts: BTreeSet<(usize, usize)>,
    pub(super) under_way: BTreeMap<(Instant, u64), UnderWay>,
    /// The last moment for which something was put on a way: what follows does not overtake it.
    pub(super) last_on: BTreeMap<[u8; 25], Instant>,
    /// Until when the link from whom to whom is busy with what was put on it.
    pub(super) busy: BTreeMap<(usize, usize), Instant>,
    pub(super) serial: u64,
    pub(super) texts: u64,
    pub(super) trace: DefaultHasher,
    pub(super) tail: VecDeque<String>,
    pub(super) is_loud: bool,
    pub(super) inputs: u64,
    /// Frames of texts that were said.
    pub(super) frames: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let plan = Plan::of_seed(&mut chance);
        Self::planned(chance, plan)
    }

    pub(super) fn planned(chance: fastrand::Rng, plan: Plan) -> Self {
        let mut world = Self {
            chance,
            plan,
            now: Instant::ZERO,
            members: Vec::new(),
            cuts: BTreeSet::new(),
            under_way: BTreeMap::new(),
            last_on: BTreeMap::new(),
            busy: BTreeMap::new(),
            serial: 0,
            texts: 0,
            trace: DefaultHasher::new(),
            tail: VecDeque::new(),
            is_loud: replayed().is_some(),
            inputs: 0,
            frames: 0,
        };
        for at in 0..world.plan.members {
            let member = world.start(at);
            world.members.push(member);
        }
        world
    }

    /// A member that knows one that was there before it, or the one after the first, so that nobody is alone.
    pub(super) fn start(&mut self, at: usize) -> Member {
        let known = if at == 0 { 1 } else { self.chance.usize(0..at) };
        // Some know themselves, too.
        let known = [known, at].into_iter().take(1 + usize::from(self.chance.bool()));
        let peers = known.map(|at| Address { host: ip(at).to_string(), port: PORT }).collect();
        let author = AuthorId(self.chance.u128(..).to_be_bytes());
        let skew = self.chance.i64(-self.plan.skew..=self.plan.skew);
        let name = Name::new(["ann", "bob", "Ann"][self.chance.usize(0..3)]).unwrap();
        let start = Start { author, name, port: PORT, peers, seed: self.chance.u64(..) };
        let mut mesh = Mesh::new(start, self.now, wall(self.now, skew));
        mesh.history = History::new(author, self.plan.bounds);
        let (ways, said, shown, told, again) = Default::default();
        Member { mesh, author, skew, ways, said, shown, told, again, is_ended: false }
    }

    pub(super) fn input(&mut self, at: usize, input: Input) {
        if self.is_loud {
            self.note(|| format!("{at} {input:?}"));
        }
        self.inputs += 1;
        let member = &mut self.members[at];
        let effects = member.mesh.handle(input, self.now, wall(self.now, member.skew));
        if self.inputs.is_multiple_of(CHECKED) {
            member.mesh.check();
        }
        for effect in effects {
            self.carry_out(at, effect);
        }
    }

    pub(super) fn note(&mut self, words: impl FnOnce() -> String) {
        let words = format!("{} {}", self.now, words());
        words.hash(&mut self.trace);
        self.tail.push_back(words);
        if self.tail.len() > 200 {
            self.tail.pop_front();
        }
    }

    fn carry_out(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Dial(way, address, _) => {
                let leads = (0..self.members.len()).find(|&at| ip(at).to_string() == address.host);
                self.members[at].ways.insert(way, leads.expect("an address of somebody"));
            }
            Effect::HangUp(way) => {
                assert!(self.members[at].ways.remove(&way).is_some(), "a way is hung up once");
            }
            Effect::Say(way, frame) => {
                self.frames += u64::from(matches!(frame, Frame::Texts { .. }));
                self.say(at, way, &encode(&frame));
            }
            Effect::Look(address, _) => self.input(at, Input::Absent(address, Absence::NobodyAnswers)),
            Effect::Show(Line::Said(said)) => {
                let text = said.text.as_str().to_owned();
                let member = &mut self.members[at];
                if said.how == How::Again {
                    member.again.push(text);
                } else {
                    member.shown.push((said.how, text));
                }
            }
            Effect::Show(Line::Told(text) | Line::Warned(text)) => self.members[at].told.push(text),
            Effect::Know(_) | Effect::Renamed(_) => {}
            Effect::End(_) => self.members[at].is_ended = true,
        }
    }

    fn say(&mut self, from: usize, way: WayId, bytes: &[u8]) {
        (from, self.now, way, bytes).hash(&mut self.trace);
        let to = *self.members[from].ways.get(&way).expect("a way that is there");
        let speaker = Speaker { author: self.members[from].author, way };
        let is_troubled = self.is_troubled();
        let is_lost = is_troubled && self.chance.u64(0..self.plan.lose_one_in) == 0;
        if is_lost || self.cuts.contains(&(from, to)) {
            return;
        }
        let copies = if is_troubled && self.chance.u64(0..self.plan.repeat_one_in) == 0 { 2 } else { 1 };
        for copy in 0..copies {
            let delay = self.plan.longest_delay.mul_f64(self.chance.f64());
            let mut due = self.passed(from, to, bytes.len()) + delay;
            let last = self.last_on.entry(speaker.to_bytes()).or_default();
            if copy == 0 {
                due = due.max(*last);
                *last = due;
            }
            self.serial += 1;
            self.under_way.insert((due, self.serial), UnderWay { speaker, from, to, bytes: bytes.to_vec() });
        }
    }

    /// When so many bytes have passed a link, after all before them.
    fn passed(&mut self, from: usize, to: usize, bytes: usize) -> Instant {
        let busy = self.busy.entry((from, to)).or_default();
        let micros = bytes as u64 * 1_000_000 / self.plan.bytes_a_second;
        *busy = self.now.max(*busy) + Duration::from_micros(micros);
        *busy
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.now < Instant::ZERO + TROUBLE
    }

    /// Whatever comes next.
    pub(super) fn step(&mut self) {
        let arrives = self.under_way.first_key_value().map_or(Instant::NEVER, |((due, _), _)| *due);
        let deadlines = self.members.iter().enumerate().filter(|(_, member)| !member.is_ended);
        let next = deadlines.map(|(at, member)| (member.mesh.deadline(), at)).min();
        let (deadline, at) = next.unwrap_or((Instant::NEVER, 0));
        self.now = self.now.max(arrives.min(deadline));
        if arrives > deadline {
            return self.input(at, Input::Tick);
        }
        let Some((_, UnderWay { speaker, from, to, bytes })) = self.under_way.pop_first() else { return };
        // What was under way when the network was cut is lost.
        if !self.cuts.contains(&(from, to)) && !self.members[to].is_ended {
            let frame = decode(&bytes).expect("members speak properly");
            self.input(to, Input::Heard { speaker, from: ip(from), frame });
        }
    }

    pub(super) fn run_until(&mut self, end: Instant) {
        while self.now < end {
            self.step();
        }
    }
}

fn ip(at: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, at as u8 + 1).into()
}

fn wall(now: Instant, skew: i64) -> u64 {
    (WALL + now.as_micros() / 1000).saturating_add_signed(skew)
}
