//! Fabrics whose destinations talk: what they say of their own accord, what they reply, and what must come of it (S7 to S10).
//!
//! What is looked at in the end is whole frames: what each source heard must be its primary's frames in order, some of them
//! suppressed, with asks of secondaries between them; what each destination got, the source's frames and stored answers.

use std::{collections::BTreeMap, time::Duration};

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
    /// Nobody has trouble, and all say the same.
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
            let slowest = if draw.chance(50) { 2_000 } else { 2_000_000 };
            destination.manners[0].1.reply_micros = draw.within(50..=slowest);
        }
        for source in &mut plan.sources {
            (source.bite, source.capacity) = (65_536, 65_536);
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

impl Fabric {
    /// What secondaries that agree were found to have said.
    pub(crate) fn disagreement(&self) -> Option<String> {
        let said = self.ingresses[0].machine.as_ref()?.route_counters(RouteIndex(0));
        let mut others = said.destinations.iter().map(|destination| destination.said).skip(1);
        let odd = others.find(|said| said.found != [0; 3] || said.asks + said.asks_shed > 0);
        odd.map(|said| format!("{said:?}"))
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
        let is_in_order = |source: &Source| source.ending == Some(Ending::Closed);
        if !self.world.sources.iter().all(is_in_order) {
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

    /// The source heard its primary's frames in order but for those that others had said, and those between of others that ask.
    fn check_heard(&self, source: usize, sums: &mut Sums) {
        let route = &self.world.plan.route;
        let heard = frames(&route.codec, &self.world.sources[source].received);
        sums.heard += heard.len() as u64;
        let of_primary: Vec<Vec<u8>> = self
            .sockets_of(source, 0)
            .flat_map(|socket| frames(&route.codec, &socket.said[..socket.read]))
            .collect();
        let mut asked: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
        for destination in (1..3).filter(|&destination| route.destinations[destination].asks) {
            let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            let said = self
                .sockets_of(source, destination)
                .flat_map(|socket| frames(&route.codec, &socket.said[..socket.read]));
            for frame in said.filter(|frame| route.destinations[destination].admits(frame)) {
                *counts.entry(frame).or_default() += 1;
            }
            counts.into_iter().for_each(|(frame, count)| asked.entry(frame).or_default().push(count));
        }
        let mut places = vec![0];
        let mut told: BTreeMap<&[u8], usize> = BTreeMap::new();
        for frame in &heard {
            *told.entry(frame).or_default() += 1;
            let mut next = Vec::new();
            for &place in &places {
                if asked.contains_key(frame) {
                    next.push(place);
                }
                // What may have been left out of the primary's.
                let is_left_out =
                    |frame: &Vec<u8>| told.contains_key(&frame[..]) || !route.destinations[0].admits(frame);
                for at in place..of_primary.len() {
                    if of_primary[at] == *frame {
                        next.push(at + 1);
                    }
                    if !is_left_out(&of_primary[at]) {
                        break;
                    }
                }
            }
            next.sort_unstable();
            next.dedup();
            assert!(!next.is_empty(), "S3: source {source} hears {:?}", String::from_utf8_lossy(frame));
            places = next;
        }
        let is_denied = |frame: &&Vec<u8>| contains(frame, DENIED.as_bytes());
        let who_may = (0..3).filter(|&index| {
            route.destinations[index].deny.is_empty() && (index == 0 || route.destinations[index].asks)
        });
        assert!(who_may.count() > 0 || heard.iter().filter(is_denied).count() == 0, "S10");
        self.check_repetitions(source, &told, &of_primary);
    }

    /// What was said n times by the one that said it most is heard n times at most, within one window.
    fn check_repetitions(&self, source: usize, told: &BTreeMap<&[u8], usize>, of_primary: &[Vec<u8>]) {
        let route = &self.world.plan.route;
        if self.world.sources[source].plan.frames.len() + self.world.plan.pushes.len() > MAX_ASKS {
            return;
        }
        let is_one_window = route.talk.dedup_window >= Duration::from_secs(30);
        let all_stay = (0..3).all(|destination| self.sockets_of(source, destination).count() == 1);
        for (frame, &count) in
            told.iter().filter(|(frame, _)| frame.windows(3).any(|window| window == b"ASK"))
        {
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
        let _ = of_primary;
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

#[derive(Debug, Default)]
struct Sums {
    heard: u64,
}
