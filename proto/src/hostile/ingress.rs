//! An ingress among workers that lie.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

use super::{Known, Script};
use crate::{
    codec::Codec,
    id::{Attempt, Epoch, Incarnation, Peer, RouteIndex, SessionId},
    ingress::{Effect, Ingress, Route, Settings, Shell},
    pattern::Patterns,
    policy::{Destination, Rejoin, Replies, Talk},
    time::Instant,
    wire::{Batch, BatchWriter, Frame, Greeting, Header},
};

const PEERS: usize = 5;

#[derive(Debug, Default)]
struct World {
    /// Sources that are open; those in `finished` have sent FIN.
    sources: BTreeSet<SessionId>,
    finished: BTreeSet<SessionId>,
    known: BTreeMap<(Peer, SessionId), Known>,
    sent: BTreeMap<Peer, Header>,
    /// The epoch and the number of each worker's last batch.
    numbers: BTreeMap<Peer, (u64, u64)>,
    room: usize,
    refuses: Option<Peer>,
}

impl Shell for World {
    fn write(&mut self, session: SessionId, bytes: &[u8]) -> usize {
        assert!(self.sources.contains(&session), "{session} is closed");
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        taken
    }

    fn write_datagrams(&mut self, session: SessionId, _: &[u8], ends: &[u32]) -> usize {
        assert!(self.sources.contains(&session), "{session} is closed");
        let taken = ends.len().min(self.room);
        self.room -= taken;
        taken
    }

    fn send(&mut self, peer: Peer, batch: Vec<u8>) -> bool {
        let batch = Batch::decode(&batch).expect("what we send can be decoded");
        self.sent.insert(peer, batch.header);
        for frame in &batch.frames {
            self.learn(peer, frame);
        }
        self.refuses != Some(peer)
    }

    fn effect(&mut self, effect: Effect) {
        if let Effect::CloseSource { session, .. } = effect {
            assert!(self.sources.remove(&session), "{session} is closed twice");
        }
    }
}

impl World {
    fn learn(&mut self, peer: Peer, frame: &Frame<'_>) {
        match *frame {
            Frame::Open { session, attempt, position, .. } => {
                self.known
                    .insert((peer, session), Known { session, attempt, position: 0, received: position });
            }
            Frame::Data { session, position, starts, cuts, payload, .. } => {
                let cost = (u64::from(starts) + cuts.len() as u64) * 64 + payload.len() as u64;
                self.known.entry((peer, session)).or_default().received = position + cost;
            }
            Frame::Fin { session, position, .. } => {
                self.known.entry((peer, session)).or_default().received = position + 1;
            }
            _ => {}
        }
    }

    fn source(&self, script: &mut Script<'_>) -> Option<SessionId> {
        self.sources.iter().nth(script.below(self.sources.len())).copied()
    }
}

fn settings(script: &mut Script<'_>) -> Settings {
    let codec = [Codec::Lines, Codec::Raw, Codec::Datagram][script.below(3)].clone();
    script.has_datagrams = codec.is_datagram();
    let route = Route {
        name: "r".to_owned(),
        codec,
        destinations: (0..3).map(|index| destination(script, index)).collect(),
        talk: talk(script),
        connect_timeout: Duration::from_secs(5),
        linger: Duration::from_secs(10),
        quiet_gap: Duration::from_millis(100),
        idle_timeout: Duration::from_secs(60),
        max_frame: 300,
        window: 1000,
        secondary_window: 1000,
        moves: true,
    };
    Settings {
        incarnation: Incarnation(7),
        ports: vec![1],
        is_local: script.below(4) == 0,
        max_sessions: 4,
        link_window: if script.flips() { 500 } else { 1 << 20 },
        routes: vec![route],
    }
}

/// What workers say is lines of `x`, some of which are denied.
fn destination(script: &mut Script<'_>, index: usize) -> Destination {
    let mut destination = Destination::new(format!("d{index}"), 0);
    match script.below(8) {
        0 => destination.asks = false,
        1 => destination.deny = pattern("^x{5}\n"),
        2 => destination.allow = pattern("^x{1,4}\n"),
        3 => destination.rejoin = Rejoin::First(2),
        _ => {}
    }
    destination
}

fn talk(script: &mut Script<'_>) -> Talk {
    let mut talk =
        Talk { replies: [Replies::One, Replies::Many, Replies::None][script.below(3)], ..Talk::default() };
    match script.below(4) {
        0 => talk.answer = pattern("^xx"),
        1 => talk.ignore = pattern("xx"),
        _ => {}
    }
    talk
}

fn pattern(pattern: &str) -> Patterns {
    Patterns::parse([pattern]).expect("it is a pattern")
}

/// Does what the script says, and audits after every step.
pub fn drive_ingress(script: &[u8]) {
    let script = &mut Script { rest: script, has_datagrams: false };
    let (mut now, mut world) = (Instant::from_micros(1), World { room: usize::MAX, ..World::default() });
    let mut ingress = Ingress::new(settings(script), now);
    for peer in 0..3 {
        greet(&mut ingress, &mut world, script, peer, now);
    }
    while !script.is_over() {
        step(&mut ingress, &mut world, script, &mut now);
        ingress.audit();
    }
}

fn step(ingress: &mut Ingress, world: &mut World, script: &mut Script<'_>, now: &mut Instant) {
    match script.byte() % 16 {
        0 => {
            if let Some(session) = ingress.on_source(RouteIndex(0), *now, world) {
                world.sources.insert(session);
            }
        }
        1 => {
            let source = world.source(script).filter(|source| !world.finished.contains(source));
            if let Some(source) = source {
                let bytes = Bytes::from(script.payload());
                if script.has_datagrams {
                    let ends = script.ends(bytes.len());
                    ingress.on_source_datagrams(source, &bytes, &ends, *now, world);
                } else {
                    ingress.on_source_bytes(source, bytes, *now, world);
                }
            }
        }
        2 => {
            if let Some(source) = world.source(script) {
                world.finished.insert(source);
                ingress.on_source_fin(source, *now, world);
            }
        }
        3 => {
            if let Some(source) = world.source(script).filter(|_| !script.is_likely()) {
                ingress.on_source_reset(source, *now, world);
            }
        }
        4 => {
            world.room = [0, 1, 100, usize::MAX][script.below(4)];
            if let Some(source) = world.source(script) {
                ingress.on_source_writable(source, *now, world);
            }
        }
        5 => {
            let peer = script.below(PEERS) as u64;
            greet(ingress, world, script, peer, *now);
        }
        6 => {
            *now += script.pause();
            ingress.on_time(*now, world);
        }
        7 => ingress.flush(*now, world),
        8 if !script.is_likely() => ingress.drain(*now, world),
        8 => world.refuses = (!script.is_likely()).then(|| Peer(script.below(PEERS) as u64)),
        9 if !script.is_likely() => {
            let garbage = script.payload();
            ingress.on_batch(Peer(script.below(PEERS) as u64), &garbage, *now, world);
        }
        _ => {
            let peer = Peer(script.below(PEERS) as u64);
            say(ingress, world, script, peer, *now);
        }
    }
}

/// A worker of destination `peer % 3` greets, in one part or the first of several.
fn greet(ingress: &mut Ingress, world: &mut World, script: &mut Script<'_>, peer: u64, now: Instant) {
    let (epoch, _) = world.numbers.get(&Peer(peer)).copied().unwrap_or_default();
    let epoch = script.near(epoch.wrapping_add(1));
    world.numbers.insert(Peer(peer), (epoch, 1));
    let known: Vec<_> =
        world.known.range((Peer(peer), SessionId(0))..(Peer(peer + 1), SessionId(0))).collect();
    let standings = known.iter().map(|(_, known)| script.standing(**known)).collect();
    let (name, destination) = (format!("w{}", peer % 4), format!("r/d{}", peer % 3));
    let hello = Frame::Hello(Greeting {
        version: 1,
        worker: &name,
        incarnation: Incarnation(script.near(1)),
        destination: &destination,
        settings: 0,
        auth: &[],
        ingress: Incarnation(script.near(7)),
        standings,
        last: script.is_likely(),
    });
    let mut writer = BatchWriter::default();
    writer.write(&hello);
    let header = Header { epoch: Epoch(epoch), number: script.near(1), received: 0 };
    ingress.on_batch(Peer(peer), &writer.seal(header), now, world);
}

/// A batch of frames, mostly under the right numbers and about what the worker was told.
fn say(ingress: &mut Ingress, world: &mut World, script: &mut Script<'_>, peer: Peer, now: Instant) {
    let mut writer = BatchWriter::default();
    for _ in 0..=script.below(4) {
        say_frame(world, script, peer, &mut writer);
    }
    let (epoch, sent) = world.numbers.get(&peer).copied().unwrap_or_default();
    let number = script.near(sent + 1);
    if number == sent + 1 {
        world.numbers.insert(peer, (epoch, number));
    }
    let heard = world.sent.get(&peer).map_or(0, |header| header.number);
    let header = Header { epoch: Epoch(script.near(epoch)), number, received: script.near(heard) };
    ingress.on_batch(peer, &writer.seal(header), now, world);
}

fn say_frame(world: &mut World, script: &mut Script<'_>, peer: Peer, writer: &mut BatchWriter) {
    let told: Vec<_> = world.known.keys().filter(|(its, _)| *its == peer).copied().collect();
    let key = told.get(script.below(told.len())).copied().unwrap_or((peer, SessionId(0)));
    let known = world.known.entry(key).or_default();
    let (session, attempt) = (known.session, Attempt(script.near(known.attempt.0.into()) as u32));
    match script.byte() % 12 {
        0..=3 => writer.write(&Frame::Opened { session, attempt, limit: script.near(1000) }),
        4 => writer.write(&Frame::Refused { session, attempt, cause: script.cause() }),
        5 => writer.write(&Frame::Ping),
        6 if !script.is_likely() => writer.write(&Frame::Drain),
        7 if !script.is_likely() => writer.write(&Frame::Bye { reason: script.bye(), version: 1 }),
        _ => script.with_common_frame(known, |frame| writer.write(frame)),
    }
}
