//! What is outside the machines: time, the queue of what will happen, wires, sockets and sources.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use proto::{
    id::{Incarnation, SessionId},
    time::Instant,
    wire::Cause,
};

use crate::{
    destinations::Socket, invariants::Checks, plan::Plan, random::Random, sources::Source, trace::Trace,
    wires::Wire,
};

/// A process, by its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Ingress(usize),
    Worker(usize),
}

#[derive(Debug)]
pub(crate) enum Event {
    ToIngress {
        wire: usize,
        generation: u32,
        batch: Vec<u8>,
    },
    ToWorker {
        wire: usize,
        generation: u32,
        batch: Vec<u8>,
    },
    /// A node has handled what was ready: it flushes.
    Turn(Node),
    Thaw(Node),
    Connected(usize),
    ConnectFailed(usize, Cause),
    WorkerReads(usize),
    WorkerMayWrite(usize),
    WorkerSeesReset(usize, Cause),
    DestinationTakes(usize),
    DestinationSays(usize, Vec<u8>),
    DestinationFloods(usize),
    DestinationPushes(usize),
    DestinationFinishes(usize),
    DestinationResets(usize),
    SourceStarts(usize),
    SourceSteps(usize),
    SourceTakes(usize),
    SourceFinishes(usize),
    IngressReads(usize),
    IngressMayWrite(usize),
    IngressSeesReset(usize),
    Fault(usize),
    WorkerBack {
        worker: usize,
        is_renamed: bool,
    },
    IngressBack(usize),
    Heal,
    LastWords,
    Rest,
    Quit,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    sequence: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

pub(crate) struct World {
    pub(crate) now: Instant,
    queue: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    pub(crate) plan: Plan,
    pub(crate) wires: Vec<Wire>,
    pub(crate) sockets: Vec<Socket>,
    /// Which socket a worker's connection is: by worker, life and id.
    pub(crate) socket_of: BTreeMap<(usize, u32, u64), usize>,
    pub(crate) sources: Vec<Source>,
    pub(crate) source_of: BTreeMap<(usize, Incarnation, SessionId), usize>,
    /// One a destination: what it draws for its connections.
    pub(crate) destination_draws: Vec<Random>,
    pub(crate) is_well: bool,
    pub(crate) checks: Checks,
    pub(crate) trace: Trace,
    pub(crate) events: u64,
}

impl World {
    pub(crate) fn new(plan: Plan, is_loud: bool) -> Self {
        let random = &plan.random;
        let sources: Vec<Source> = plan
            .sources
            .iter()
            .enumerate()
            .map(|(index, source)| Source::new(source.clone(), random.fork("reads", index)))
            .collect();
        let destination_draws =
            (0..plan.destinations.len()).map(|index| random.fork("accepts", index)).collect();
        Self {
            now: Instant::ZERO,
            queue: BinaryHeap::new(),
            sequence: 0,
            wires: Vec::new(),
            sockets: Vec::new(),
            socket_of: BTreeMap::new(),
            checks: Checks::new(sources.len()),
            sources,
            source_of: BTreeMap::new(),
            destination_draws,
            is_well: false,
            trace: Trace::new(is_loud),
            events: 0,
            plan,
        }
    }

    pub(crate) fn after(&mut self, span: Duration, event: Event) {
        self.at(self.now + span, event);
    }

    pub(crate) fn soon(&mut self, micros: u64, event: Event) {
        self.after(Duration::from_micros(micros), event);
    }

    pub(crate) fn at(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse(Entry { at, sequence: self.sequence, event }));
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(entry)| entry.at)
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let Reverse(entry) = self.queue.pop()?;
        self.now = entry.at;
        self.events += 1;
        Some(entry.event)
    }

    pub(crate) fn note(&mut self, what: &'static str, who: usize, a: u64, b: u64) {
        self.trace.note(self.now, what, who, a, b);
    }
}
