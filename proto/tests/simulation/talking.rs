//! Fabrics whose destinations talk: what they say of their own accord, and what they reply. `hearing` says what must come of it.

use std::time::Duration;

use proto::{
    codec::{Codec, Framer},
    pattern::Patterns,
    policy::{Rejoin, Replies},
    time::Instant,
};

use crate::{
    destinations::{Answers, Closes, DestinationPlan, Reply},
    plan::{Plan, Push, WireFaults, millis, route},
    random::Random,
    sources::{SourcePlan, Step, frame},
};

/// What a lying destination's replies begin with.
pub(crate) const LIE: &str = "LIE";
/// What no destination may say that has a filter.
pub(crate) const DENIED: &str = "NO";

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

fn patterns(pattern: &str) -> Patterns {
    Patterns::parse([pattern]).expect("it is a pattern")
}

impl Plan {
    /// Nobody has trouble, and all say the same, but for one that may lie.
    pub(crate) fn of_agreement(seed: u64) -> Self {
        let mut plan = Self::for_comparison(seed, true);
        let mut draw = plan.random.fork("agreement", 0);
        plan.is_even = false;
        plan.route.secondary_window = 1 << 20;
        plan.route.window = 1 << 16;
        // No debt lapses while the source is inside a long frame.
        plan.route.talk.reply_timeout = millis(30_000);
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
        plan.route.talk.answer = patterns("^nothing");
        let mut draw = plan.random.fork("asking", 0);
        if draw.chance(30) {
            // It spells what others have asked.
            plan.destinations[0].manners[0].1.drips = Some((draw.size(1..=4), draw.within(10_000..=120_000)));
        }
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
    if draw.chance(15) {
        let pause = draw.weighted(&[(3, 100..=20_000), (1, 60_000..=150_000)]);
        manner.drips = Some((draw.size(2..=40), draw.within(pause)));
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
