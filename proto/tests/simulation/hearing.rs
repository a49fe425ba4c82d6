//! What must come of what destinations say (S7 to S10), looked at in the end, in whole frames.
//!
//! What a source heard must be its primary's frames in order, some of them left out as it had been told the same, with asks of
//! secondaries between them; what a destination got, the source's frames and answers it had given before.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proto::{conversation::asks::MAX_ASKS, id::RouteIndex, ingress::Ending, policy::Replies, time::Instant};

use crate::{
    destinations::{Answers, Reply, Socket},
    fabric::Fabric,
    sources::Source,
    talking::{DENIED, contains, frames},
};

fn ended_in_order(source: &Source) -> bool {
    source.ending == Some(Ending::Closed)
}

/// A frame, and when its first and its last byte came.
type Heard = (Vec<u8>, [Instant; 2]);

impl Fabric {
    /// The frames each source heard.
    pub(crate) fn heard(&self) -> Vec<Vec<Heard>> {
        let codec = &self.world.plan.route.codec;
        let of_source = |source: &Source| {
            let when = |len: usize| {
                let then = source.transcript.iter().find(|(_, came, _)| *came >= len);
                then.map_or(Instant::NEVER, |(at, _, _)| *at)
            };
            let mut end = 0;
            let timed = frames(codec, &source.received).into_iter().map(|frame| {
                let start = end;
                end += frame.len();
                (frame, [when(start + 1), when(end)])
            });
            timed.collect()
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
        let of_primary: Vec<Heard> =
            of_primary.into_iter().map(|frame| (frame, [Instant::ZERO; 2])).collect();
        let timed: Vec<Heard> = heard.iter().map(|frame| (frame.clone(), [Instant::ZERO; 2])).collect();
        let is_denied = |frame: &[u8]| !route.destinations[0].admits(frame);
        let woven = check_woven(&timed, &of_primary, &self.asked(source), is_denied, |_, _| true);
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
        // More asks than are remembered may be heard again.
        let said = (0..3).flat_map(|destination| self.sockets_of(source, destination));
        if said.map(|socket| frames(&route.codec, &socket.said).len()).sum::<usize>() > MAX_ASKS {
            return;
        }
        // What drips takes longer than it is held.
        if self.world.plan.destinations[0].manners[0].1.drips.is_some() {
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
    is_in_time: impl Fn([Instant; 2], [Instant; 2]) -> bool,
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
    let mut places = BTreeSet::from([0]);
    for (frame, now) in heard {
        let (text, is_ask) = (number(frame), asked.contains(frame));
        let mut next = if is_ask { places.clone() } else { BTreeSet::new() };
        let mut from = 0;
        for &place in &places {
            // Where another place has led is not gone again.
            let ahead = of_primary.iter().enumerate().skip(if place < from { usize::MAX } else { place });
            for (at, (said, is_denied, then)) in ahead {
                if *said == text && is_in_time(*then, *now) {
                    next.insert(at + 1);
                }
                from = at + 1;
                if !is_denied && !told.contains(said) {
                    break;
                }
            }
        }
        told.insert(text);
        if next.is_empty() {
            return Err(format!("{} is heard at {}", String::from_utf8_lossy(frame), now[1]));
        }
        places = next;
    }
    Ok(())
}

/// Whether a source heard with asks what it heard without them, but for what was added and suppressed, and no byte of it later
/// than `hold`.
pub(crate) fn compare_asking(without: &Fabric, with: &Fabric) -> Result<(), String> {
    let hold = with.world.plan.route.talk.hold;
    let is_in_time = |then: [Instant; 2], now: [Instant; 2]| {
        then.into_iter().zip(now).all(|(then, now)| then <= now && now <= then + hold)
    };
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
