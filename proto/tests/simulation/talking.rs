//! Fabrics whose destinations talk: what they say of their own accord, what they reply, and what must come of it (S7 to S10).
//!
//! What is looked at in the end is whole frames: what each source heard must be its primary's frames in order, some of them
//! suppressed, with asks of secondaries between them; what each destination got, the source's frames and stored answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proto::{
    codec::{Codec, Framer},
    conversation::asks::MAX_ASKS,
    id::RouteIndex,
    ingress::Ending,
    pattern::Patterns,
    policy::{Rejoin, Replies},
    time::Instant,
};

use crate::{
    destinations::{Answers, Closes, DestinationPlan, Reply, Socket},
    fabric::Fabric,
    plan::{Plan, Push, WireFaults, millis, route},
    random::Random,
    sources::{Source, SourcePlan, Step, frame},
};

/// What a lying destination's replies begin with.
pub(crate) const LIE: &str = "LIE";
/// What no destination may say that has a filter.
const DENIED: &str = "NO";

/// The frames of a stretch, but for one that is not whole.
pub(crate) fn frames(codec: &Codec, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut ends = Vec::new();
    Framer::new(codec, u32::MAX).scan(bytes, &mut ends);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, &end)| bytes[start as usize..end as usize].to_vec()).collect()
}

pub(crate) fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || bytes.windows(wanted.len()).any(|window| window == wanted)
}

impl Plan {
    /// Nobody has trouble, and all say the same, but for one that may lie.
    pub(crate) fn of_agreement(seed: u64) -> Self {
        let mut plan = Self::for_comparison(seed, true);
        let mut draw = plan.random.fork("agreement", 0);
        plan.is_even = false;
        plan.route.secondary_window = 1 << 20;
        plan.route.window = 1 << 16;
        for destination in &mut plan.route.destinations {
            destination.asks = true;
        }
        plan.destinations = (0..3).map(|_| DestinationPlan::well(&mut draw)).collect();
        for destination in &mut plan.destinations {
            // Later ones of `raw` fall into other bursts with each destination: what is a reply is then not known.
            let is_raw = plan.route.codec == Codec::Raw;
            let slowest = if is_raw || draw.chance(50) { 20_000 } else { 2_000_000 };
            destination.manners[0].1.reply_micros = draw.within(50..=slowest);
        }
        if plan.route.codec != Codec::Raw && draw.chance(30) {
            plan.destinations[2].manners[0].1.reply = Reply::Frames(Answers::Lie);
        }
        for source in &mut plan.sources {
            (source.bite, source.capacity) = (65_536, 65_536);
        }
        plan
    }

    /// A primary that pushes, and secondaries that push what it does and other things: the same with and without their asks. No
    /// answer is stored, for the primary would get it, and sources take what they are given, for an ask takes room.
    pub(crate) fn for_asking(seed: u64, may_ask: bool) -> Self {
        let mut plan = Self::of_talk(seed);
        plan.is_even = true;
        plan.route.talk.answer = Patterns::parse(["^nothing"]).expect("it is a pattern");
        for destination in &mut plan.route.destinations[1..] {
            destination.asks = may_ask;
        }
        for source in &mut plan.sources {
            (source.bite, source.capacity, source.tick_micros) = (65_536, 1 << 20, 20);
        }
        plan
    }

    /// Everybody says what they like.
    pub(crate) fn of_talk(seed: u64) -> Self {
        let mut plan = Self::of_agreement(seed);
        let mut draw = plan.random.fork("talk", 0);
        plan.has_asks = true;
        plan.route = talking_route(&mut draw);
        plan.destinations = (0..3).map(|index| talker(index, &mut draw)).collect();
        plan.sources = (0..draw.size(1..=3))
            .map(|index| talking_source(&plan.route, &mut plan.random.fork("source", index)))
            .collect();
        plan.pushes = pushes(&plan.route, &mut draw);
        plan.wires = WireFaults::default();
        plan
    }
}

fn talking_route(draw: &mut Random) -> proto::ingress::Route {
    let mut route = route(2, draw);
    while route.codec == Codec::Raw {
        route = crate::plan::route(2, draw);
    }
    (route.window, route.secondary_window) = (1 << 16, 1 << 20);
    let patterns = |pattern| Patterns::parse([pattern]).expect("it is a pattern");
    for destination in &mut route.destinations {
        destination.asks = draw.chance(80);
        if draw.chance(30) {
            destination.deny = patterns(DENIED);
        }
        if draw.chance(20) {
            destination.rejoin = Rejoin::First(2);
        }
    }
    let talk = &mut route.talk;
    talk.replies = draw.weighted(&[(3, Replies::One), (1, Replies::Many), (2, Replies::None)]);
    if draw.chance(30) {
        talk.answer = patterns("[abc]");
    }
    if draw.chance(20) {
        talk.ignore = patterns("[0-9]");
    }
    if draw.chance(30) {
        talk.dedup_window = millis(draw.within(500..=5_000));
    }
    talk.reply_timeout = millis(draw.within(300..=5_000));
    route
}

fn talker(index: usize, draw: &mut Random) -> DestinationPlan {
    let mut plan = DestinationPlan::well(draw);
    let manner = &mut plan.manners[0].1;
    let answers =
        draw.weighted(&[(4, Answers::Echo), (1, Answers::Twice), (1, Answers::Lie), (1, Answers::Nothing)]);
    manner.reply = Reply::Frames(answers);
    if draw.chance(30) {
        manner.reply_micros = draw.within(10_000..=7_000_000);
    }
    manner.closes =
        if index > 0 && draw.chance(10) { Closes::After(draw.size(0..=500)) } else { Closes::AtEnd };
    plan
}

/// It says little, for what counts is what is said around it.
fn talking_source(route: &proto::ingress::Route, draw: &mut Random) -> SourcePlan {
    let mut plan = SourcePlan::of_seed(route, 1, draw);
    (plan.bite, plan.capacity, plan.starts_at) = (65_536, 65_536, Instant::from_micros(0));
    if draw.chance(15) {
        (plan.bite, plan.capacity) = (draw.size(1..=100), draw.size(10..=500));
    }
    plan.steps.retain(|(_, step)| !matches!(step, Step::Reset));
    for (pause, _) in plan.steps.iter_mut().take(15) {
        *pause += Duration::from_micros(draw.within(0..=1_000_000));
    }
    plan
}

fn pushes(route: &proto::ingress::Route, draw: &mut Random) -> Vec<Push> {
    let mut at = 1_000_000;
    (0..draw.size(0..=40))
        .map(|_| {
            let pause = draw.weighted(&[(3, 0..=2_000), (3, 1_000..=60_000), (2, 100_000..=2_000_000)]);
            at += draw.within(pause);
            let text = if draw.chance(15) { DENIED.to_owned() } else { format!("ASK{}", draw.within(0..=3)) };
            let frame = frame(&route.codec, text.into_bytes());
            Push { at: Instant::from_micros(at), by: draw.size(0..=2), frame }
        })
        .collect()
}

fn ended_in_order(source: &Source) -> bool {
    source.ending == Some(Ending::Closed)
}

/// A frame, and when its last byte came.
type Heard = (Vec<u8>, Instant);

impl Fabric {
    /// The frames each source heard.
    pub(crate) fn heard(&self) -> Vec<Vec<Heard>> {
        let codec = &self.world.plan.route.codec;
        let of_source = |source: &Source| {
            let mut end = 0;
            let when =
                |end: usize| source.transcript.iter().find(|(_, len, _)| *len >= end).map(|(at, _, _)| *at);
            frames(codec, &source.received)
                .into_iter()
                .filter_map(|frame| {
                    end += frame.len();
                    Some((frame, when(end)?))
                })
                .collect()
        };
        self.world.sources.iter().map(of_source).collect()
    }

    /// What the primary was given, and when.
    pub(crate) fn of_primary(&self) -> Vec<String> {
        let primaries = self.world.sockets.iter().filter(|socket| socket.destination == 0);
        primaries
            .map(|socket| format!("{} {:?} {:?}", socket.source, socket.transcript, socket.written))
            .collect()
    }

    /// What secondaries that agree were found to have said, or one that lies was not.
    pub(crate) fn misjudgement(&self) -> Option<String> {
        let said = self.ingresses[0].machine.as_ref()?.route_counters(RouteIndex(0));
        let primary = &said.destinations[0];
        let was_compared =
            primary.received.frames > primary.said.oversized && self.world.sources.iter().all(ended_in_order);
        let is_wrong = |index: usize| {
            let said = said.destinations[index].said;
            let asked = said.asks + said.asks_shed > 0;
            match self.world.plan.destinations[index].manners[0].1.reply {
                Reply::Frames(Answers::Lie) => {
                    asked || said.matched > 0 || (was_compared && said.found == [0; 3])
                }
                _ => asked || said.found != [0; 3],
            }
        };
        let wrong = (1..3).find(|&index| is_wrong(index))?;
        Some(format!("{wrong}: {:?}", said.destinations[wrong].said))
    }

    /// What was said to whom, and counted.
    pub(crate) fn check_talk(&self) {
        let mut sums = Sums::default();
        for source in 0..self.world.sources.len() {
            self.check_heard(source, &mut sums);
            self.check_given(source);
        }
        let Some(machine) = &self.ingresses[0].machine else { return };
        let counters = machine.route_counters(RouteIndex(0));
        let asks: u64 = counters.destinations[1..].iter().map(|destination| destination.said.asks).sum();
        let primary = &counters.destinations[0];
        if !self.world.sources.iter().all(ended_in_order) {
            return;
        }
        assert_eq!(counters.sent.frames, sums.heard, "frames that were told: {asks} asks, {primary:?}");
        assert_eq!(
            primary.received.frames,
            counters.sent.frames - asks + primary.said.suppressed + primary.said.filtered,
            "a frame of the primary's is not accounted for"
        );
        for destination in &counters.destinations {
            let said = destination.said;
            assert!(destination.account.accepted.frames >= said.injected.frames);
        }
    }

    fn sockets_of(&self, source: usize, destination: usize) -> impl Iterator<Item = &Socket> {
        self.world
            .sockets
            .iter()
            .filter(move |socket| (socket.source, socket.destination) == (source, destination))
    }

    /// What of secondaries may have reached a source.
    fn asked(&self, source: usize) -> BTreeSet<Vec<u8>> {
        let route = &self.world.plan.route;
        let may_ask = (1..3).filter(|&destination| route.destinations[destination].asks);
        let said = may_ask.flat_map(|destination| {
            let sockets = self.sockets_of(source, destination);
            let said = sockets.flat_map(|socket| frames(&route.codec, &socket.said[..socket.read]));
            said.filter(move |frame| route.destinations[destination].admits(frame))
        });
        said.collect()
    }

    /// The source heard its primary's frames in order but for those that others had said, and those between of others that ask.
    fn check_heard(&self, source: usize, sums: &mut Sums) {
        let route = &self.world.plan.route;
        let heard = frames(&route.codec, &self.world.sources[source].received);
        sums.heard += heard.len() as u64;
        let of_primary: Vec<Vec<u8>> = self
            .sockets_of(source, 0)
            .flat_map(|socket| frames(&route.codec, &socket.said[..socket.read]))
            .collect();
        let of_primary: Vec<Heard> = of_primary.into_iter().map(|frame| (frame, Instant::ZERO)).collect();
        let timed: Vec<Heard> = heard.iter().map(|frame| (frame.clone(), Instant::ZERO)).collect();
        let is_denied = |frame: &[u8]| !route.destinations[0].admits(frame);
        let woven = check_woven(&timed, &of_primary, &self.asked(source), is_denied, |_, _, _| true);
        assert_eq!(woven, Ok(()), "S3, S7 at source {source}");
        let is_denied = |frame: &&Vec<u8>| contains(frame, DENIED.as_bytes());
        let who_may = (0..3).filter(|&index| {
            route.destinations[index].deny.is_empty() && (index == 0 || route.destinations[index].asks)
        });
        assert!(who_may.count() > 0 || heard.iter().filter(is_denied).count() == 0, "S10");
        self.check_repetitions(source, &heard);
    }

    /// What was said n times by the one that said it most is heard n times at most, within one window.
    fn check_repetitions(&self, source: usize, heard: &[Vec<u8>]) {
        let route = &self.world.plan.route;
        if self.world.sources[source].plan.frames.len() + self.world.plan.pushes.len() > MAX_ASKS {
            return;
        }
        let is_one_window = route.talk.dedup_window >= Duration::from_secs(30);
        let all_stay = (0..3).all(|destination| self.sockets_of(source, destination).count() == 1);
        for frame in heard.iter().filter(|frame| contains(frame, b"ASK")) {
            let count = heard.iter().filter(|other| *other == frame).count();
            let said_by = |destination| {
                self.sockets_of(source, destination)
                    .flat_map(|socket| frames(&route.codec, &socket.said[..socket.read]))
                    .filter(|said| said == frame)
                    .count()
            };
            let most = (0..3).map(said_by).max().unwrap_or_default();
            if is_one_window && all_stay && route.talk.replies == Replies::None {
                assert!(count <= most, "S7: source {source} hears {count} times what was said {most} times");
            }
        }
    }

    /// Whoever got something of the source got its frames in order, and answers it had given before.
    fn check_given(&self, source: usize) {
        let (codec, plan) = (&self.world.plan.route.codec, &self.world.sources[source]);
        let said: Vec<&[u8]> = (0..plan.plan.frames.len()).map(|index| plan.frame(index)).collect();
        for destination in 0..3 {
            for socket in self.sockets_of(source, destination) {
                let mut next = 0;
                for frame in frames(codec, &socket.written) {
                    match said[next..].iter().position(|said| *said == frame) {
                        Some(ahead) => next += ahead + 1,
                        None => assert!(
                            said[..next].iter().any(|said| *said == frame),
                            "{destination} is given what was not said"
                        ),
                    }
                }
            }
        }
    }
}

/// Whether a source heard its primary's frames in order and in time, but for those it may lack as it had been told the same, or
/// as they are `denied`, and between them asks.
fn check_woven(
    heard: &[Heard],
    of_primary: &[Heard],
    asked: &BTreeSet<Vec<u8>>,
    is_denied: impl Fn(&[u8]) -> bool,
    is_in_time: impl Fn(Instant, Instant, u32) -> bool,
) -> Result<(), String> {
    // The same text has the same number, which is sooner compared.
    let mut numbers: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut number = |text| {
        let next = numbers.len();
        *numbers.entry(text).or_insert(next)
    };
    let of_primary: Vec<_> =
        of_primary.iter().map(|(said, then)| (number(said), is_denied(said), *then)).collect();
    let mut told = BTreeSet::new();
    let (mut places, mut asks) = (BTreeSet::from([0]), 0);
    for (frame, now) in heard {
        let (text, is_ask) = (number(frame), asked.contains(frame));
        let mut next = if is_ask { places.clone() } else { BTreeSet::new() };
        let mut from = 0;
        for &place in &places {
            // Where another place has led is not gone again.
            let ahead = of_primary.iter().enumerate().skip(if place < from { usize::MAX } else { place });
            for (at, (said, is_denied, then)) in ahead {
                if *said == text && is_in_time(*then, *now, asks) {
                    next.insert(at + 1);
                }
                from = at + 1;
                if !is_denied && !told.contains(said) {
                    break;
                }
            }
        }
        asks += u32::from(is_ask);
        told.insert(text);
        if next.is_empty() {
            return Err(format!("{} is heard at {now}", String::from_utf8_lossy(frame)));
        }
        places = next;
    }
    Ok(())
}

/// Whether a source heard with asks what it heard without them, but for what was added and suppressed, and no later than `hold`
/// for each ask before.
pub(crate) fn compare_asking(without: &Fabric, with: &Fabric) -> Result<(), String> {
    let hold = with.world.plan.route.talk.hold;
    let is_in_time = |then, now, asks| then <= now && now <= then + hold * asks;
    if without.of_primary() != with.of_primary() {
        return Err("the primary sees something else".to_owned());
    }
    let is_denied = |frame: &[u8]| !with.world.plan.route.destinations[0].admits(frame);
    let pairs = without.heard().into_iter().zip(with.heard()).enumerate();
    pairs.into_iter().try_for_each(|(source, (without, heard))| {
        check_woven(&heard, &without, &with.asked(source), is_denied, is_in_time)
    })
}

#[derive(Debug, Default)]
struct Sums {
    heard: u64,
}
