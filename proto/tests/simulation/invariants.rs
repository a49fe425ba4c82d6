//! What must hold, looked at as it happens and at the end.

use std::collections::{BTreeMap, BTreeSet};

use proto::{codec::Codec, id::Attempt, ingress::Ending, time::Instant};

use crate::{
    destinations::{Socket, SocketState},
    talking::contains,
    world::{Node, World},
};

/// Bytes of a connection in which bursts are looked for.
const LOOKED_AT: usize = 2_000;

#[derive(Debug)]
pub(crate) struct Checks {
    /// The newest attempt that has written, by source and destination: no older one may write after it.
    newest_write: BTreeMap<(usize, usize), Attempt>,
    /// How much of a source's stream its primary has got, over all attempts.
    reached: Vec<usize>,
    /// The primary's sockets of a source, by attempt.
    primaries: Vec<Vec<usize>>,
    /// At which of those, and where in what it said, the source's stream may stand.
    heard: Vec<Vec<(usize, usize)>>,
    /// Connects by destination, worker and second while the destination took none.
    vain_connects: BTreeMap<(usize, usize, u64), u64>,
    /// How often a node's timer has come at one instant.
    timers: BTreeMap<Node, (Instant, u64)>,
}

impl Checks {
    pub(crate) fn new(sources: usize) -> Self {
        Self {
            newest_write: BTreeMap::new(),
            reached: vec![0; sources],
            primaries: vec![Vec::new(); sources],
            heard: vec![vec![(0, 0)]; sources],
            vain_connects: BTreeMap::new(),
            timers: BTreeMap::new(),
        }
    }

    /// A machine that is told the time has no more to do at that time; or nearly.
    pub(crate) fn check_timer(&mut self, node: Node, now: Instant) {
        let (at, times) = self.timers.entry(node).or_insert((now, 0));
        *times = if *at == now { *times + 1 } else { 1 };
        *at = now;
        assert!(*times < 4, "a deadline that does not pass");
    }
}

impl World {
    /// S1, S2: before a connection is begun.
    pub(crate) fn check_connect(&mut self, index: usize) {
        let socket = &self.sockets[index];
        let (source, destination) = (socket.source, socket.destination);
        if destination == 0 {
            self.checks.primaries[source].push(index);
        } else {
            let accepted = |&primary: &usize| self.sockets[primary].was_accepted;
            assert!(self.checks.primaries[source].iter().any(accepted), "S1: a secondary before the primary");
        }
        let twins = self.sockets.iter().enumerate().filter(|(other, twin)| {
            *other != index
                && (twin.source, twin.destination) == (source, destination)
                && (twin.worker, twin.worker_life) == (socket.worker, socket.worker_life)
                && twin.is_held()
        });
        assert_eq!(twins.count(), 0, "S2: one connection each");
        let newer = self.sockets.iter().filter(|other| {
            (other.source, other.destination) == (source, destination) && other.attempt > socket.attempt
        });
        assert_eq!(newer.count(), 0, "S2: a connect for a session that has moved on");
        self.check_vain_connect(index);
    }

    /// S5: no busy loop.
    fn check_vain_connect(&mut self, index: usize) {
        let (destination, worker) = (self.sockets[index].destination, self.sockets[index].worker);
        if self.plan.destinations[destination].down_at(self.now).is_some() {
            let key = (destination, worker, self.now.as_micros() / 1_000_000);
            let count = self.checks.vain_connects.entry(key).or_default();
            *count += 1;
            assert!(*count <= 60, "S5: {count} connects in a second");
        }
    }

    /// Fencing, and S3 for the primary: before a socket takes bytes.
    pub(crate) fn check_write(&mut self, index: usize, bytes: &[u8]) {
        let socket = &self.sockets[index];
        let (source, destination, attempt) = (socket.source, socket.destination, socket.attempt);
        let newest = self.checks.newest_write.entry((source, destination)).or_insert(attempt);
        assert!(*newest <= attempt, "fencing: {attempt} writes after {newest}");
        *newest = attempt;
        if destination == 0 {
            self.check_primary_write(index, bytes);
        }
    }

    fn check_primary_write(&mut self, index: usize, bytes: &[u8]) {
        let socket = &self.sockets[index];
        let (source, len) = (&self.sources[socket.source], socket.written.len());
        let origins = match &socket.origins {
            Some(origins) => origins.clone(),
            None => self.possible_origins(index),
        };
        if self.plan.has_asks {
            // What else it may get is looked at in the end.
            return;
        }
        let fits = |origin: &usize| {
            source.plan.stream[..source.read].get(origin + len..).is_some_and(|rest| rest.starts_with(bytes))
        };
        let origins: Vec<usize> = origins.into_iter().filter(fits).collect();
        assert!(!origins.is_empty(), "S3: the primary gets what the source did not say there");
        let reached = &mut self.checks.reached[socket.source];
        let newest = origins.iter().copied().max().unwrap_or(0);
        *reached = (*reached).max(newest + len + bytes.len());
        self.sockets[index].origins = Some(origins);
    }

    /// A later attempt begins at a frame that was not known to be written.
    fn possible_origins(&self, index: usize) -> Vec<usize> {
        let socket = &self.sockets[index];
        let (source, reached) = (&self.sources[socket.source], self.checks.reached[socket.source]);
        if reached == 0 {
            return vec![0];
        }
        match self.plan.route.codec {
            Codec::Raw => (0..=reached).collect(),
            _ => source
                .plan
                .frames
                .iter()
                .copied()
                .filter(|&start| start <= reached)
                .chain([reached])
                .collect(),
        }
    }

    /// S3 towards the source: before it takes bytes.
    pub(crate) fn check_source_write(&mut self, source: usize, bytes: &[u8]) {
        if self.plan.has_asks {
            return;
        }
        let primaries = &self.checks.primaries[source];
        let mut next = Vec::new();
        for &(primary, at) in &self.checks.heard[source] {
            for (later, &socket) in primaries.iter().enumerate().skip(primary) {
                let start = if later == primary { at } else { 0 };
                let socket = &self.sockets[socket];
                let fits =
                    socket.said[..socket.read].get(start..).is_some_and(|rest| rest.starts_with(bytes));
                if fits && !next.contains(&(later, start + bytes.len())) {
                    next.push((later, start + bytes.len()));
                }
            }
        }
        assert!(!next.is_empty(), "S3: the source hears what the primary did not say there");
        self.checks.heard[source] = next;
    }

    /// A session that ended in order has lost nothing.
    pub(crate) fn check_ending(&self, source: usize, ending: Ending) {
        if ending != Ending::Closed || self.plan.has_asks {
            return;
        }
        let primaries = &self.checks.primaries[source];
        let last = primaries.len() - 1;
        let socket = &self.sockets[primaries[last]];
        let said = socket.said.len();
        let said_all = said == 0 || self.checks.heard[source].contains(&(last, said));
        assert!(said_all && socket.has_finished, "the source has not heard all of the primary");
        assert!(self.primary_got_all(source), "the primary has not got all");
        assert!(socket.is_shut, "the primary has not got the FIN");
    }

    fn primary_got_all(&self, source: usize) -> bool {
        if self.plan.has_asks {
            return true;
        }
        let read = self.sources[source].read;
        let has_all = |&socket: &usize| {
            let socket = &self.sockets[socket];
            socket.origins.iter().flatten().any(|origin| origin + socket.written.len() == read)
        };
        read == 0 || self.checks.primaries[source].iter().any(has_all)
    }

    /// Why a link may break; anything else is a fault of the machines.
    pub(crate) fn check_loss(&self, why: &str) {
        const FAULTS: [&str; 5] = [
            "a batch was lost",
            "the ingress is silent",
            "the lease is over",
            "the ingress asks to be greeted",
            "the socket takes no batch",
        ];
        assert!(FAULTS.contains(&why) && !self.plan.is_calm(), "a link broke without a fault: {why}");
    }

    /// A secondary's connection got whole frames, in order, the last perhaps in part.
    pub(crate) fn check_frames(&self) {
        if self.plan.has_asks {
            return;
        }
        for (index, socket) in self.sockets.iter().enumerate() {
            let source = &self.sources[socket.source];
            assert!(socket.written.len() <= source.read, "S3: {index} got more than was said");
            if socket.destination > 0 && self.plan.route.codec != Codec::Raw {
                let mut rest = &socket.written[..];
                for frame in 0..source.plan.frames.len() {
                    let frame = source.frame(frame);
                    rest =
                        rest.strip_prefix(frame).unwrap_or(if frame.starts_with(rest) { &[] } else { rest });
                }
                assert!(
                    rest.is_empty(),
                    "a torn frame on socket {index}: {:?}",
                    String::from_utf8_lossy(rest)
                );
            }
        }
    }

    /// The same for `raw`, whose frames are bursts: stretches of the stream that begin and end between two reads, or where
    /// a burst was cut at the largest frame.
    pub(crate) fn check_bursts(&self) {
        let of_secondaries = self.sockets.iter().filter(|socket| socket.destination > 0);
        for socket in of_secondaries.filter(|_| self.plan.route.codec == Codec::Raw) {
            let source = &self.sources[socket.source];
            let borders = source.borders(self.plan.route.max_frame as usize);
            let mut places: BTreeSet<usize> = borders.clone();
            for &byte in socket.written.iter().take(LOOKED_AT) {
                let at_border = places.iter().find(|place| borders.contains(place)).copied();
                let later = at_border.into_iter().flat_map(|first| borders.range(first..));
                let next =
                    places.iter().chain(later).filter(|&&place| source.plan.stream.get(place) == Some(&byte));
                places = next.map(|place| place + 1).collect();
                assert!(!places.is_empty(), "a torn burst");
            }
        }
    }

    /// What is outside the machines has come to rest.
    pub(crate) fn check_rest(&self) {
        for (index, source) in self.sources.iter().enumerate().filter(|(_, source)| source.is_open()) {
            assert!(!source.has_something_to_read(), "source {index} is not read");
            assert_eq!(source.taken, source.received.len(), "source {index} has not read");
            assert!(self.primary_got_all(index), "the primary lacks some of source {index}");
        }
        for (index, socket) in self.sockets.iter().enumerate().filter(|(_, socket)| socket.is_open()) {
            assert!(!socket.has_something_to_read(), "socket {index} is not read");
        }
    }

    /// Every session that goes on has its connection to a destination that is well, unless that was closed in order.
    pub(crate) fn check_connected(&self, destination: usize) {
        for (index, source) in self.sources.iter().enumerate() {
            let of_lane = |socket: &&Socket| (socket.source, socket.destination) == (index, destination);
            let newest = self.sockets.iter().filter(of_lane).max_by_key(|socket| socket.attempt);
            let is_well = newest.is_some_and(|socket| socket.is_open() || socket.has_finished);
            let goes_on = source.is_open() && !source.has_finished;
            assert!(!goes_on || is_well, "source {index} lacks {destination}");
            let last = source.plan.frames.last().map_or(&[][..], |&start| &source.plan.stream[start..]);
            // One that closes in order is connected again when there is something to say, but not by all at once.
            let ends = |socket: &Socket| {
                socket.written.ends_with(last) || (self.plan.has_asks && contains(&socket.written, last))
            };
            let fits = |socket: &Socket| socket.has_finished || ends(socket);
            let got_it = self.sockets.iter().filter(of_lane).any(fits);
            assert!(
                !(goes_on && source.plan.last_words) || got_it,
                "{destination} lacks the last of source {index}"
            );
        }
    }

    pub(crate) fn check_end(&self) {
        self.check_frames();
        self.check_bursts();
        for (index, source) in self.sources.iter().enumerate() {
            assert!(source.closed.is_some(), "source {index} is still open");
        }
        let held = |(index, socket): (usize, &Socket)| socket.is_held().then_some(index);
        let held: Vec<usize> = self.sockets.iter().enumerate().filter_map(held).collect();
        assert_eq!(held, [], "sockets that nobody closed");
        assert!(self.sockets.iter().all(|socket| socket.state != SocketState::Connecting));
    }
}
