//! Sessions of datagrams (S11, and S7 to S10 on them): the shipped machines, links that lose and repeat batches, destinations
//! that echo, lie, push and refuse.
//!
//! A small world of its own: datagrams have no order to keep with a kernel, only boundaries. It promises that whatever is
//! lost between nodes, what arrives is whole and was said, nothing is counted twice, and silence gives everything back.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use proto::{
    codec::Codec,
    counters::Tally,
    id::{ConnectionId, Incarnation, LinkIndex, Peer, RouteIndex, SessionId},
    ingress::{self, Ingress, Route},
    policy::{Destination, Talk},
    time::Instant,
    worker::{self, Worker},
};

use crate::{plan::millis, random::Random};

const STEP: Duration = Duration::from_millis(5);
const IDLE: Duration = Duration::from_secs(20);
/// Nothing is lost from here on.
const WELL_AT: u64 = 6_000;
const END_AT: u64 = 60_000;

/// What a destination makes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Echo,
    Lie,
    Silence,
    /// Echoes, and says something by itself now and then.
    Push,
    /// Its machine refuses them now and then.
    Refuse,
}

#[derive(Default)]
struct IngressHands {
    batches: Vec<(Peer, Vec<u8>)>,
    told: Vec<(SessionId, Vec<u8>)>,
    closed: Vec<SessionId>,
    is_full: bool,
}

impl ingress::Shell for IngressHands {
    fn write(&mut self, _: SessionId, _: &[u8]) -> usize {
        unreachable!("a source of datagrams is not a stream")
    }

    fn write_datagrams(&mut self, session: SessionId, bytes: &[u8], ends: &[u32]) -> usize {
        let room = if self.is_full { ends.len() / 2 } else { ends.len() };
        let told = split(bytes, &ends[..room]).into_iter().map(|datagram| (session, datagram));
        self.told.extend(told);
        room
    }

    fn send(&mut self, peer: Peer, batch: Vec<u8>) -> bool {
        self.batches.push((peer, batch));
        true
    }

    fn effect(&mut self, effect: ingress::Effect) {
        match effect {
            ingress::Effect::CloseSource { session, .. } => self.closed.push(session),
            ingress::Effect::PauseSource { .. } => panic!("S11: nothing pauses a listener"),
            _ => {}
        }
    }
}

struct WorkerHands {
    random: Random,
    batches: Vec<Vec<u8>>,
    connects: Vec<ConnectionId>,
    closed: Vec<ConnectionId>,
    written: Vec<(ConnectionId, Vec<u8>)>,
    unsendable: Tally,
    is_full: bool,
}

impl worker::Shell for WorkerHands {
    fn write(&mut self, _: ConnectionId, _: &[u8], _: Instant) -> usize {
        unreachable!("a destination of datagrams is not a stream")
    }

    fn write_datagrams(&mut self, id: ConnectionId, bytes: &[u8], ends: &[u32], _: Instant) -> worker::Sent {
        let done = if self.is_full { ends.len() / 2 } else { ends.len() };
        let mut sent = worker::Sent { done, unsendable: Tally::ZERO };
        for datagram in split(bytes, &ends[..done]) {
            if self.random.chance(2) {
                sent.unsendable += Tally::new(1, datagram.len() as u64);
            } else {
                self.written.push((id, datagram));
            }
        }
        self.unsendable += sent.unsendable;
        sent
    }

    fn send(&mut self, _: LinkIndex, batch: Vec<u8>) -> bool {
        self.batches.push(batch);
        true
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn effect(&mut self, effect: worker::Effect) {
        match effect {
            worker::Effect::Connect { connection, .. } => self.connects.push(connection),
            worker::Effect::Close { connection, .. } => self.closed.push(connection),
            _ => {}
        }
    }
}

fn split(bytes: &[u8], ends: &[u32]) -> Vec<Vec<u8>> {
    let starts = std::iter::once(0).chain(ends.iter().map(|&end| end as usize));
    starts.zip(ends).map(|(from, &to)| bytes[from..to as usize].to_vec()).collect()
}

fn join(datagrams: &[Vec<u8>]) -> (Bytes, Vec<u32>) {
    let ends = datagrams.iter().scan(0, |end, datagram| {
        *end += datagram.len() as u32;
        Some(*end)
    });
    (datagrams.concat().into(), ends.collect())
}

#[derive(Default)]
struct Source {
    session: Option<SessionId>,
    said: Vec<Vec<u8>>,
    told: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Socket {
    session: SessionId,
    got: Vec<Vec<u8>>,
    says: Vec<Vec<u8>>,
}

struct World {
    random: Random,
    now: Instant,
    ingress: Ingress,
    hands: IngressHands,
    workers: Vec<(Worker, WorkerHands, Manner)>,
    sockets: HashMap<(usize, ConnectionId), Socket>,
    /// Closed ones, by destination.
    past: Vec<(usize, Socket)>,
    sources: Vec<Source>,
    of_session: HashMap<SessionId, usize>,
    pushed: Vec<Vec<u8>>,
    is_local: bool,
}

impl World {
    fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xda7a);
        let is_local = random.chance(40);
        let secondaries = random.size(0..=2);
        let route = route(secondaries, &mut random);
        let settings = ingress::Settings {
            incarnation: Incarnation(7),
            ports: vec![7100],
            is_local,
            max_sessions: 64,
            link_window: 1 << 20,
            routes: vec![route],
        };
        let now = Instant::from_micros(1_000_000);
        let manners = [Manner::Echo, Manner::Lie, Manner::Silence, Manner::Push, Manner::Refuse];
        let workers = (0..=secondaries).map(|index| {
            let random = random.fork("worker", index);
            (worker_of(index, now), hands(random.clone()), manners[random.fork("manner", 0).size(0..=4)])
        });
        Self {
            workers: workers.collect(),
            ingress: Ingress::new(settings, now),
            hands: IngressHands::default(),
            sources: (0..random.size(1..=5)).map(|_| Source::default()).collect(),
            sockets: HashMap::new(),
            past: Vec::new(),
            of_session: HashMap::new(),
            pushed: Vec::new(),
            random,
            now,
            is_local,
        }
    }

    fn run(&mut self) {
        for index in 0..self.workers.len() {
            let (worker, hands, _) = &mut self.workers[index];
            worker.on_dialled(self.is_local, self.now, hands);
        }
        let begun_at = self.now;
        while self.now.since(begun_at) < millis(END_AT) {
            let is_well = self.now.since(begun_at) >= millis(WELL_AT);
            self.hands.is_full = !is_well && self.random.chance(10);
            if !is_well {
                self.sources_speak();
            }
            self.destinations_speak(is_well);
            self.pass_batches(is_well);
            self.now += if is_well { 4 * STEP } else { STEP };
            self.let_time_pass();
            self.check();
        }
        self.check_end();
    }

    fn sources_speak(&mut self) {
        for index in 0..self.sources.len() {
            if !self.random.chance(15) {
                continue;
            }
            let count = self.random.size(1..=6);
            let datagrams: Vec<_> = (0..count).map(|_| datagram(&mut self.random)).collect();
            let (bytes, ends) = join(&datagrams);
            let (now, hands) = (self.now, &mut self.hands);
            let known = self.sources[index].session;
            let session = known.or_else(|| self.ingress.on_source(RouteIndex(0), now, hands));
            let Some(session) = session else { continue };
            self.sources[index].session = Some(session);
            self.of_session.insert(session, index);
            self.sources[index].said.extend(datagrams);
            self.ingress.on_source_datagrams(session, &bytes, &ends, now, &mut self.hands);
        }
    }

    fn destinations_speak(&mut self, is_well: bool) {
        let mut names: Vec<_> = self.sockets.keys().copied().collect();
        names.sort();
        for (index, id) in names {
            let manner = self.workers[index].2;
            if manner == Manner::Push && !is_well && self.random.chance(2) {
                let text = [b"ask ".to_vec(), self.random.letters(1)].concat();
                self.pushed.push(text.clone());
                self.sockets.entry((index, id)).or_default().says.push(text);
            }
            let says = std::mem::take(&mut self.sockets.entry((index, id)).or_default().says);
            let (worker, hands, _) = &mut self.workers[index];
            if manner == Manner::Refuse && self.random.chance(5) {
                worker.on_refusals(id, 1, hands);
            }
            if !says.is_empty() {
                let (bytes, ends) = join(&says);
                worker.on_datagrams(id, &bytes, &ends, hands);
            }
        }
    }

    /// Both nodes flush; batches between processes may be lost or come twice.
    fn pass_batches(&mut self, is_well: bool) {
        let is_calm = is_well || self.is_local;
        self.ingress.flush(self.now, &mut self.hands);
        for (peer, batch) in std::mem::take(&mut self.hands.batches) {
            for _ in 0..self.copies(is_calm) {
                let (worker, hands, _) = &mut self.workers[peer.0 as usize];
                hands.is_full = !is_calm && self.random.chance(10);
                worker.on_batch(LinkIndex(0), &batch, self.now, hands);
                hands.is_full = false;
            }
        }
        for index in 0..self.workers.len() {
            let (worker, hands, _) = &mut self.workers[index];
            worker.flush(self.now, hands);
            for batch in std::mem::take(&mut hands.batches) {
                for _ in 0..self.copies(is_calm) {
                    self.ingress.on_batch(Peer(index as u64), &batch, self.now, &mut self.hands);
                }
            }
        }
        self.carry_out();
    }

    fn copies(&mut self, is_calm: bool) -> usize {
        if is_calm { 1 } else { self.random.weighted(&[(96, 1), (2, 0), (2, 2)]) }
    }

    fn let_time_pass(&mut self) {
        self.ingress.on_time(self.now, &mut self.hands);
        if !self.hands.is_full {
            for session in self.sources.iter().filter_map(|source| source.session) {
                self.ingress.on_source_writable(session, self.now, &mut self.hands);
            }
        }
        for index in 0..self.workers.len() {
            let (worker, hands, _) = &mut self.workers[index];
            worker.on_time(self.now, hands);
            let names = self.sockets.keys().filter(|(of, _)| *of == index).map(|(_, id)| *id);
            let mut names: Vec<_> = names.collect();
            names.sort();
            for id in names {
                worker.on_writable(id, self.now, hands);
            }
        }
        self.carry_out();
    }

    /// Does what the machines asked for.
    fn carry_out(&mut self) {
        for (session, datagram) in std::mem::take(&mut self.hands.told) {
            self.sources[self.of_session[&session]].told.push(datagram);
        }
        for session in std::mem::take(&mut self.hands.closed) {
            self.sources[self.of_session[&session]].session = None;
        }
        for index in 0..self.workers.len() {
            let (worker, hands, manner) = &mut self.workers[index];
            for id in std::mem::take(&mut hands.connects) {
                let Some(owner) = worker.owner(id) else { continue };
                self.sockets.insert((index, id), Socket { session: owner.session, ..Socket::default() });
                worker.on_connected(id, self.now, hands);
            }
            for (id, datagram) in std::mem::take(&mut hands.written) {
                let socket = self.sockets.get_mut(&(index, id)).expect("a write to a socket that is there");
                match manner {
                    Manner::Silence => {}
                    Manner::Lie => socket.says.push([&datagram[..], b"!"].concat()),
                    _ => socket.says.push(datagram.clone()),
                }
                socket.got.push(datagram);
            }
            for id in std::mem::take(&mut hands.closed) {
                self.past.extend(self.sockets.remove(&(index, id)).map(|socket| (index, socket)));
            }
        }
    }

    fn check(&self) {
        self.ingress.audit();
        self.workers.iter().for_each(|(worker, ..)| worker.audit());
    }

    /// Everything was given back, nothing was torn or made up, and what was counted is what was seen.
    fn check_end(&self) {
        assert!(self.ingress.is_idle(), "S11: silence ends sessions");
        assert!(self.workers.iter().all(|(worker, ..)| worker.is_idle()), "S11: and gives sockets back");
        for (index, socket) in &self.past {
            let source = &self.sources[self.of_session[&socket.session]];
            let was_said = |datagram: &&Vec<u8>| !source.said.contains(datagram);
            assert_eq!(socket.got.iter().find(was_said), None, "destination {index} got what nobody said");
            let counters = &self.ingress.route_counters(RouteIndex(0)).destinations[*index];
            // What is given once more is an answer to an ask.
            if self.is_local && counters.said.injected.is_zero() {
                let is_in_order = is_in_order(&socket.got, &source.said);
                assert!(is_in_order, "destination {index}: order, and nothing twice");
            }
        }
        for source in &self.sources {
            let made_up = source.told.iter().find(|told| !self.is_somebodys_word(told, source));
            assert_eq!(made_up, None, "the source was told what nobody said");
        }
        self.check_accounts();
    }

    /// What the primary replies, what a destination pushes, or a secondary's reply that came so late that it is an ask.
    fn is_somebodys_word(&self, told: &Vec<u8>, source: &Source) -> bool {
        let is_reply = |(_, _, manner): &(Worker, WorkerHands, Manner)| match manner {
            Manner::Lie => {
                told.strip_suffix(b"!").is_some_and(|it| source.said.iter().any(|said| said == it))
            }
            Manner::Silence => false,
            Manner::Echo | Manner::Push | Manner::Refuse => source.said.contains(told),
        };
        self.pushed.contains(told) || self.workers.iter().any(is_reply)
    }

    /// S13 against what was seen.
    fn check_accounts(&self) {
        let counters = self.ingress.route_counters(RouteIndex(0));
        for (index, (_, hands, _)) in self.workers.iter().enumerate() {
            let account = counters.destinations[index].account;
            assert!(account.is_balanced() && account.in_flight.is_zero(), "destination {index}: {account:?}");
            let of_it = self.past.iter().filter(|(of, _)| *of == index);
            let got: usize = of_it.map(|(_, socket)| socket.got.len()).sum();
            if self.is_local {
                assert_eq!(account.delivered.frames, got as u64, "destination {index}");
                let unsendable = account.shed[proto::counters::ShedReason::Unsendable as usize];
                assert_eq!(unsendable, hands.unsendable, "destination {index}");
            }
        }
    }
}

/// Whether the one is the other with some left out.
fn is_in_order(got: &[Vec<u8>], said: &[Vec<u8>]) -> bool {
    let mut rest = said.iter();
    got.iter().all(|datagram| rest.any(|said| said == datagram))
}

fn datagram(random: &mut Random) -> Vec<u8> {
    let len = random.weighted(&[(1, 0..=0), (10, 1..=20), (3, 20..=600)]);
    let len = random.size(len);
    random.letters(len)
}

fn route(secondaries: usize, random: &mut Random) -> Route {
    let destinations = (0..=secondaries).map(|index| Destination::new(format!("d{index}"), 0));
    Route {
        name: "r".to_owned(),
        codec: Codec::Datagram,
        destinations: destinations.collect(),
        talk: Talk { reply_timeout: millis(random.within(200..=5_000)), ..Talk::default() },
        connect_timeout: millis(5_000),
        linger: millis(2_000),
        quiet_gap: millis(100),
        idle_timeout: IDLE,
        max_frame: 65_536,
        window: random.within(2_000..=200_000) as u32,
        secondary_window: random.within(2_000..=200_000) as u32,
        moves: true,
    }
}

fn worker_of(index: usize, now: Instant) -> Worker {
    let settings = worker::Settings {
        name: format!("w{index}"),
        incarnation: Incarnation(1),
        destination: format!("r/d{index}"),
        fingerprint: 0,
        has_datagrams: true,
        max_connections: 64,
        max_window: 1 << 20,
        backoff_min: millis(50),
        backoff_max: millis(500),
    };
    Worker::new(settings, now)
}

fn hands(random: Random) -> WorkerHands {
    WorkerHands {
        random,
        batches: Vec::new(),
        connects: Vec::new(),
        closed: Vec::new(),
        written: Vec::new(),
        unsendable: Tally::ZERO,
        is_full: false,
    }
}

/// Fails if a datagram is torn, joined to another, counted twice, or kept for ever.
#[test]
fn whatever_goes_wrong_datagrams_arrive_whole_or_are_counted() {
    let seeds = crate::seeds();
    let failures: Vec<String> = seeds
        .iter()
        .filter_map(|&seed| {
            let run = || World::of_seed(seed).run();
            let panic = std::panic::catch_unwind(run).err()?;
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Some(format!("PEGLOOM_SIM_SEED={seed:#x}: {}", text.unwrap_or_default()))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} runs failed:\n{}",
        failures.len(),
        seeds.len(),
        failures.join("\n")
    );
}
