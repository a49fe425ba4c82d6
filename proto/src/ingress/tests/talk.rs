//! A session in which everybody is connected and talks: destinations by their place, the primary is 0.

use super::*;
use crate::{ingress::session::lane::Lane, pattern::Patterns};

/// The primary, a secondary, and another.
pub(super) const P: usize = 0;
pub(super) const S: usize = 1;
pub(super) const T: usize = 2;
/// Longer than silence may last inside a burst of `raw`.
pub(super) const GAP: Duration = Duration::from_millis(150);

#[derive(Debug)]
pub(super) struct Talk {
    pub(super) rig: Rig,
    /// How much each has said over its present connection.
    positions: Vec<u64>,
}

pub(super) fn patterns(pattern: &str) -> Patterns {
    Patterns::parse([pattern]).expect("the test's pattern is one")
}

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Talk {
    /// Of so many destinations, on a route with these settings.
    pub(super) fn with(codec: Codec, destinations: usize, settle: impl FnOnce(&mut Route)) -> Self {
        let mut route = route(codec, destinations);
        settle(&mut route);
        let mut rig = Rig::on(route, u64::MAX, false);
        for index in 0..destinations {
            rig.greet(Peer(index as u64), index, &[]);
        }
        rig.accept();
        for index in 0..destinations {
            rig.say(Peer(index as u64), &[opened(A1)]);
        }
        rig.forget();
        Self { rig, positions: vec![0; destinations] }
    }

    pub(super) fn of(codec: Codec, destinations: usize) -> Self {
        Self::with(codec, destinations, |_| {})
    }

    pub(super) fn lines(destinations: usize) -> Self {
        Self::of(Codec::Lines, destinations)
    }

    fn lane(&self, destination: usize) -> &Lane {
        let session = self.rig.ingress.sessions.at(0).expect("the session goes on");
        session.lane_at(DestinationIndex(destination as u16)).expect("it has such a destination")
    }

    /// A destination says this.
    pub(super) fn says(&mut self, destination: usize, text: &str) {
        let (attempt, position) = (self.lane(destination).attempt, self.positions[destination]);
        self.positions[destination] += text.len() as u64;
        self.rig.say(Peer(destination as u64), &[reply(attempt, position, text)]);
    }

    /// It says this byte by byte.
    pub(super) fn spells(&mut self, destination: usize, text: &str) {
        for letter in text.split_inclusive(|_| true) {
            self.says(destination, letter);
        }
    }

    /// The source says this, and everybody gets it.
    pub(super) fn source(&mut self, text: &str) {
        self.rig.source_says(text);
        (0..self.positions.len()).for_each(|destination| self.deliver(destination));
    }

    /// What is on its way to a destination is written to it.
    pub(super) fn deliver(&mut self, destination: usize) {
        self.rig.listen();
        let lane = self.lane(destination);
        let frame = wrote(lane.attempt, lane.outbound.end());
        self.rig.say(Peer(destination as u64), &[frame]);
    }

    pub(super) fn finishes(&mut self, destination: usize) {
        let frame = fin(self.lane(destination).attempt, self.positions[destination]);
        self.rig.say(Peer(destination as u64), &[frame]);
    }

    /// A destination breaks, and is connected again.
    pub(super) fn breaks(&mut self, destination: usize) {
        let peer = Peer(destination as u64);
        let attempt = self.lane(destination).attempt;
        self.rig.say(peer, &[reset(attempt)]);
        self.is_back(destination);
    }

    /// The newest attempt of a destination is connected.
    pub(super) fn is_back(&mut self, destination: usize) {
        self.rig.listen();
        let attempt = self.lane(destination).attempt;
        self.rig.say(Peer(destination as u64), &[opened(attempt)]);
        self.positions[destination] = 0;
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.rig.pass(span);
    }

    /// What the source was told since it was last looked at.
    pub(super) fn told(&mut self) -> String {
        self.rig.written()
    }

    /// What a destination was given since it was last looked at.
    pub(super) fn given(&mut self, destination: usize) -> String {
        let all = self.rig.hear(Peer(destination as u64));
        let data = all.iter().filter_map(|frame| frame.strip_prefix("DATA ")?.splitn(4, ' ').nth(3));
        data.collect::<String>().replace('↵', "\n")
    }

    pub(super) fn said(&self, destination: usize) -> SaidCounters {
        self.rig.destination(destination).said
    }

    /// Divergences: missing, extra, different.
    pub(super) fn found(&self, destination: usize) -> [u64; 3] {
        self.said(destination).found
    }

    /// What was begun and may be in the middle of something comes to an end; everybody may then say as much as ever, and
    /// every frame of the primary's is accounted for.
    #[track_caller]
    pub(super) fn rest(&mut self) {
        self.pass(millis(300));
        for destination in 0..self.positions.len() {
            let lane = self.lane(destination);
            let (received, written) = (lane.inbound.received(), lane.inbound.written());
            assert_eq!((received, written), (self.positions[destination], received), "of {destination}");
            let least = received + u64::from(WINDOW) - u64::from(WINDOW) / 4;
            assert!(lane.inbound.limit() > least, "the window of {destination} is lost");
        }
        let primary = self.rig.destination(P);
        let asks: u64 = (1..self.positions.len()).map(|secondary| self.said(secondary).asks).sum();
        let passed = self.rig.ingress.route_counters(ROUTE).sent.frames - asks;
        assert_eq!(primary.received.frames, passed + primary.said.suppressed + primary.said.filtered);
    }
}
