//! Members on virtual time with everything going wrong that can: messages lost, late and repeated, networks cut and healed,
//! members killed and started anew, clocks that are wrong. When all is whole again and quiet, all that live have the same
//! history in the same order.
//!
//! A failure says with which seed it is seen again: `PEGLOOM_SIM_SEED=7 cargo test -p pegloom-chat simulation`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::{IpAddr, Ipv4Addr},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use proto::time::Instant;

use super::{Address, Effect, History, Input, Mesh, Start, WayId};
use crate::{
    How, Line, Name, Text, Typed,
    wire::mesh::{AuthorId, Speaker, decode, encode},
};

const PORT: u16 = 7001;
/// 2026, and so many milliseconds before the simulation.
const WALL: u64 = 1_800_000_000_000;
/// What goes wrong goes wrong until then.
const TROUBLE: Duration = Duration::from_secs(60);
/// Of so many inputs one is followed by a look at all that must hold; with each one this took most of the time.
const CHECKED: u64 = 16;
/// All is to be well so long after.
const QUIET: Duration = Duration::from_secs(40);

/// What a seed means.
struct Plan {
    members: usize,
    /// Of so many messages one is lost.
    lose_one_in: u64,
    /// The same, for those that come twice.
    repeat_one_in: u64,
    longest_delay: Duration,
    /// What passes from one member to another.
    bytes_a_second: u64,
    /// Of so many steps of trouble one is a cut, and so on.
    cut_one_in: u64,
    kill_one_in: u64,
    /// So many texts are kept, of all.
    max_texts: usize,
    /// Milliseconds by which clocks are wrong, at most, either way.
    skew: i64,
}

impl Plan {
    /// Nothing goes wrong, but the links are slow.
    fn slow(bytes_a_second: u64) -> Self {
        let never = u64::MAX;
        Self {
            members: 2,
            lose_one_in: never,
            repeat_one_in: never,
            longest_delay: Duration::from_millis(20),
            bytes_a_second,
            cut_one_in: never,
            kill_one_in: never,
            max_texts: usize::MAX,
            skew: 0,
        }
    }

    fn of_seed(chance: &mut fastrand::Rng) -> Self {
        Self {
            members: chance.usize(2..=6),
            lose_one_in: *pick(chance, &[5, 20, 100, u64::MAX]),
            repeat_one_in: *pick(chance, &[10, 50, u64::MAX]),
            longest_delay: Duration::from_millis(*pick(chance, &[1, 50, 800])),
            bytes_a_second: *pick(chance, &[30_000, 1_000_000, u64::MAX]),
            cut_one_in: *pick(chance, &[10, 30, u64::MAX]),
            kill_one_in: *pick(chance, &[60, 200, u64::MAX]),
            max_texts: *pick(chance, &[usize::MAX, usize::MAX, 20]),
            skew: *pick(chance, &[0, 500, 50_000, 86_400_000]),
        }
    }
}

fn pick<'a, T>(chance: &mut fastrand::Rng, from: &'a [T]) -> &'a T {
    &from[chance.usize(0..from.len())]
}

/// A message under way.
struct UnderWay {
    speaker: Speaker,
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

struct Member {
    mesh: Mesh,
    author: AuthorId,
    skew: i64,
    /// Where the ways lead.
    ways: BTreeMap<WayId, usize>,
    /// What it has said since its start.
    said: Vec<String>,
    /// What it was shown, but for the history.
    shown: Vec<(How, String)>,
    told: Vec<String>,
    again: Vec<String>,
    is_ended: bool,
}

struct World {
    chance: fastrand::Rng,
    plan: Plan,
    now: Instant,
    members: Vec<Member>,
    /// From whom to whom nothing passes.
    cuts: BTreeSet<(usize, usize)>,
    under_way: BTreeMap<(Instant, u64), UnderWay>,
    /// The last moment for which something was put on a way: what follows does not overtake it.
    last_on: BTreeMap<[u8; 25], Instant>,
    /// Until when the link from whom to whom is busy with what was put on it.
    busy: BTreeMap<(usize, usize), Instant>,
    serial: u64,
    texts: u64,
    trace: DefaultHasher,
    tail: VecDeque<String>,
    is_loud: bool,
    inputs: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let plan = Plan::of_seed(&mut chance);
        Self::planned(chance, plan)
    }

    fn planned(chance: fastrand::Rng, plan: Plan) -> Self {
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
        };
        for at in 0..world.plan.members {
            let member = world.start(at);
            world.members.push(member);
        }
        world
    }

    /// A member that knows one that was there before it, or the one after the first, so that nobody is alone.
    fn start(&mut self, at: usize) -> Member {
        let known = if at == 0 { 1 } else { self.chance.usize(0..at) };
        // Some know themselves, too.
        let known = [known, at].into_iter().take(1 + usize::from(self.chance.bool()));
        let peers = known.map(|at| Address { host: ip(at).to_string(), port: PORT }).collect();
        let author = AuthorId(self.chance.u128(..).to_be_bytes());
        let skew = self.chance.i64(-self.plan.skew..=self.plan.skew);
        let name = Name::new(["ann", "bob", "Ann"][self.chance.usize(0..3)]).unwrap();
        let start = Start { author, name, port: PORT, peers, seed: self.chance.u64(..) };
        let mut mesh = Mesh::new(start, self.now, wall(self.now, skew));
        mesh.history = History::bounded(self.plan.max_texts, usize::MAX);
        let (ways, said, shown, told, again) = Default::default();
        Member { mesh, author, skew, ways, said, shown, told, again, is_ended: false }
    }

    fn input(&mut self, at: usize, input: Input) {
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

    fn note(&mut self, words: impl FnOnce() -> String) {
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
            Effect::Say(way, frame) => self.say(at, way, &encode(&frame)),
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

    fn is_troubled(&self) -> bool {
        self.now < Instant::ZERO + TROUBLE
    }

    /// Whatever comes next.
    fn step(&mut self) {
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

    fn run_until(&mut self, end: Instant) {
        while self.now < end {
            self.step();
        }
    }

    /// Something goes wrong, or is said.
    fn trouble(&mut self) {
        let (members, at) = (self.members.len(), self.chance.usize(0..self.members.len()));
        if self.chance.u64(0..self.plan.cut_one_in) == 0 {
            self.cut();
        }
        if self.chance.u64(0..self.plan.kill_one_in) == 0 {
            self.kill(at);
        }
        let is_behind = self.chance.u64(0..8) == 0;
        self.input(at, Input::Behind(is_behind));
        for _ in 0..self.chance.usize(0..3) {
            self.talk(self.now.as_micros() as usize % members);
            self.talk(at);
        }
    }

    /// Two sides, or two members, or one that is not heard; or all is whole again.
    fn cut(&mut self) {
        let members = self.members.len();
        let (one, other) = (self.chance.usize(0..members), self.chance.usize(0..members));
        match self.chance.usize(0..4) {
            0 => self.cuts.clear(),
            1 => self.cuts.extend([(one, other), (other, one)]),
            2 => drop(self.cuts.insert((one, other))),
            _ => {
                let side: Vec<bool> = (0..members).map(|_| self.chance.bool()).collect();
                let pairs = (0..members).flat_map(|one| (0..members).map(move |other| (one, other)));
                self.cuts.extend(pairs.filter(|&(one, other)| side[one] != side[other]));
            }
        }
        let cuts = self.cuts.len();
        self.note(|| format!("{cuts} cuts"));
    }

    fn kill(&mut self, at: usize) {
        self.note(|| format!("{at} is killed"));
        self.members[at] = self.start(at);
    }

    fn talk(&mut self, at: usize) {
        self.texts += 1;
        let text = format!("text {} of {at}", self.texts);
        self.members[at].said.push(text.clone());
        let text = Text::new(&text).unwrap();
        let typed = if self.chance.bool() { Typed::Say(text) } else { Typed::Act(text) };
        self.input(at, Input::Typed(typed));
    }

    fn run(&mut self) {
        while self.is_troubled() {
            self.trouble();
            let pause = Duration::from_millis(self.chance.u64(0..1_000));
            self.run_until(self.now + pause);
        }
        self.cuts.clear();
        (0..self.members.len()).for_each(|at| self.input(at, Input::Behind(false)));
        self.note(|| "all is whole".to_owned());
        self.run_until(self.now + QUIET);
        self.expect_agreement();
    }

    fn expect_agreement(&mut self) {
        for at in 0..self.members.len() {
            self.input(at, Input::Typed(Typed::History(usize::MAX)));
            while self.members[at].mesh.screen.is_telling() {
                self.input(at, Input::Tick);
            }
        }
        let history = self.members[0].again.clone();
        let counted: BTreeSet<_> = history.iter().collect();
        assert_eq!(counted.len(), history.len(), "each text is there once");
        for (at, member) in self.members.iter().enumerate() {
            assert_eq!(member.mesh.online(), self.members.len(), "{at} hears all");
            assert_eq!(member.again, history, "{at} has the same history in the same order as 0");
            let shown: BTreeSet<_> = member.shown.iter().map(|(_, text)| text).collect();
            assert_eq!(shown.len(), member.shown.len(), "{at} was shown each text once");
            assert!(shown.is_superset(&counted), "{at} was shown them all");
            if self.plan.max_texts < usize::MAX {
                continue;
            }
            let said: BTreeSet<_> = member.said.iter().collect();
            let own: Vec<_> = history.iter().filter(|text| said.contains(text)).cloned().collect();
            assert_eq!(own, member.said, "what {at} said is there, once, in its order");
            assert_eq!(shown, counted, "{at} was shown nothing else");
            assert_eq!(member.mesh.counts().missed, 0);
        }
    }
}

fn ip(at: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, at as u8 + 1).into()
}

fn wall(now: Instant, skew: i64) -> u64 {
    (WALL + now.as_micros() / 1000).saturating_add_signed(skew)
}

/// Runs a seed: what it left behind, or how to see it fail again.
fn run(seed: u64) -> Result<World, String> {
    let mut world = World::new(seed);
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run())) else { return Ok(world) };
    if world.is_loud {
        world.tail.iter().for_each(|line| eprintln!("{line}"));
    }
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default();
    Err(format!("PEGLOOM_SIM_SEED={seed} at {}: {text}", world.now))
}

fn replayed() -> Option<u64> {
    let seed = std::env::var("PEGLOOM_SIM_SEED").ok()?;
    Some(seed.parse().unwrap_or_else(|_| panic!("PEGLOOM_SIM_SEED is no number: {seed}")))
}

fn seeds() -> Vec<u64> {
    let count = std::env::var("PEGLOOM_SIM_SEEDS").ok().and_then(|count| count.parse().ok());
    replayed().map_or_else(|| (0..count.unwrap_or(200)).collect(), |seed| vec![seed])
}

/// Fails if anything that can go wrong leaves two members with different histories, or a text lost or twice.
#[test]
fn after_any_trouble_all_have_the_same_history_in_the_same_order() {
    let seeds = seeds();
    let worlds: Vec<_> = seeds.iter().map(|&seed| run(seed)).collect();

    let failures: Vec<_> = worlds.iter().filter_map(|world| world.as_ref().err()).collect();
    assert!(failures.is_empty(), "{} of {} runs failed:\n{failures:#?}", failures.len(), seeds.len());
    if seeds.len() < 100 {
        return;
    }
    let all = || worlds.iter().flatten().flat_map(|world| &world.members);
    let count = |how| all().flat_map(|member| &member.shown).filter(|(shown, _)| *shown == how).count();
    assert!(count(How::Late) > 1000 && count(How::Missed) > 1000 && count(How::Live) > 1000);
    assert!(all().any(|member| member.mesh.counts().resent > 0));
}

/// Fails if a link that is slow is taken for one that loses, or for one that is cut.
#[test]
fn a_slow_link_is_used_for_each_text_once_and_nobody_is_away() {
    for bytes_a_second in [10_000, 50_000, 100_000] {
        let mut world = World::planned(fastrand::Rng::with_seed(1), Plan::slow(bytes_a_second));
        world.run_until(Instant::ZERO + Duration::from_secs(5));
        let texts = 2_000 * bytes_a_second / 100_000;
        for number in 0..texts {
            while !world.members[0].mesh.has_room() {
                world.step();
            }
            let text = Text::new(&format!("{number} {}", "x".repeat(1_000))).unwrap();
            world.input(0, Input::Typed(Typed::Say(text)));
        }
        world.talk(1);
        let started = world.now;
        while world.members[1].shown.len() <= texts as usize && world.now < started + Duration::from_secs(60)
        {
            world.step();
        }

        let [one, other] = &world.members[..] else { panic!("two") };
        assert_eq!(other.shown.len(), texts as usize + 1, "{bytes_a_second}");
        let away = |member: &Member| member.told.iter().any(|told| told.contains("away"));
        assert!(!away(one) && !away(other), "{bytes_a_second}: {:?} {:?}", one.told, other.told);
        let repeated = one.mesh.counts().repeated + other.mesh.counts().repeated;
        assert!(repeated <= texts / 20, "{bytes_a_second}: {repeated} of {texts}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..10 {
        let [first, second] = [(); 2].map(|()| run(seed).map(|world| world.trace.finish()).unwrap());
        assert_eq!(first, second, "seed {seed}");
    }
}
