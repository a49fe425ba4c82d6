//! A worker between an ingress that lies and a destination that does anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

use super::{Known, Script};
use crate::{
    id::{Attempt, ConnectionId, Epoch, Incarnation, LinkIndex, SessionId},
    time::Instant,
    wire::{Batch, BatchWriter, Frame, Header, Standing},
    worker::{Effect, Sent, Settings, Shell, Worker},
};

const LINKS: usize = 2;

#[derive(Debug, Default)]
struct World {
    connecting: BTreeSet<ConnectionId>,
    /// Those that are connected, and whether the destination has finished.
    open: BTreeMap<ConnectionId, bool>,
    known: BTreeMap<(LinkIndex, SessionId), Known>,
    sent: BTreeMap<LinkIndex, Header>,
    standings: BTreeMap<LinkIndex, Vec<Standing>>,
    /// The number of the ingress's last batch, by link.
    numbers: BTreeMap<LinkIndex, (u64, u64)>,
    room: usize,
    refuses: bool,
    random: u64,
}

impl Shell for World {
    fn write(&mut self, connection: ConnectionId, bytes: &[u8], _: Instant) -> usize {
        assert!(self.open.contains_key(&connection), "{connection} is not open");
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        taken
    }

    fn write_datagrams(&mut self, connection: ConnectionId, _: &[u8], ends: &[u32], _: Instant) -> Sent {
        assert!(self.open.contains_key(&connection), "{connection} is not open");
        let done = ends.len().min(self.room);
        self.room -= done;
        Sent { done, ..Sent::default() }
    }

    fn send(&mut self, link: LinkIndex, batch: Vec<u8>) -> bool {
        let batch = Batch::decode(&batch).expect("what we send can be decoded");
        self.sent.insert(link, batch.header);
        for frame in &batch.frames {
            self.learn(link, frame);
        }
        !self.refuses
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Connect { connection, .. } => {
                assert!(self.connecting.insert(connection), "{connection} connects twice");
            }
            Effect::Close { connection, .. } => {
                let was_there = self.connecting.remove(&connection) | self.open.remove(&connection).is_some();
                assert!(was_there, "{connection} is closed twice");
            }
            Effect::ShutDown { connection } => assert!(self.open.contains_key(&connection)),
            _ => {}
        }
    }
}

impl World {
    fn learn(&mut self, link: LinkIndex, frame: &Frame<'_>) {
        match frame {
            Frame::Hello(greeting) => {
                self.standings.insert(link, greeting.standings.clone());
            }
            Frame::Data { session, position, payload, .. } => {
                self.known.entry((link, *session)).or_default().received = position + payload.len() as u64;
            }
            Frame::Fin { session, position, .. } => {
                self.known.entry((link, *session)).or_default().received = position + 1;
            }
            _ => {}
        }
    }

    fn an_open_one(&self, script: &mut Script<'_>) -> Option<ConnectionId> {
        self.open.keys().nth(script.below(self.open.len())).copied()
    }
}

fn settings(has_datagrams: bool) -> Settings {
    Settings {
        name: "w".to_owned(),
        incarnation: Incarnation(1),
        destination: "r/d".to_owned(),
        fingerprint: 0,
        has_datagrams,
        max_connections: 5,
        max_window: 1 << 20,
        backoff_min: Duration::from_millis(100),
        backoff_max: Duration::from_secs(10),
    }
}

/// Does what the script says.
pub fn drive_worker(script: &[u8]) {
    let script = &mut Script { rest: script, has_datagrams: false };
    let (mut now, mut world) = (Instant::from_micros(1), World { room: usize::MAX, ..World::default() });
    script.has_datagrams = script.flips();
    let mut worker = Worker::new(settings(script.has_datagrams), now);
    for _ in 0..LINKS {
        worker.on_dialled(script.flips(), now, &mut world);
    }
    for _ in 0..2 * LINKS {
        welcome(&mut worker, &mut world, script, now);
    }
    while !script.is_over() {
        step(&mut worker, &mut world, script, &mut now);
    }
}

fn step(worker: &mut Worker, world: &mut World, script: &mut Script<'_>, now: &mut Instant) {
    match script.byte() % 16 {
        0..=2 => connect(worker, world, script, *now),
        3 => destination_speaks(worker, world, script, *now),
        4 => {
            world.room = [0, 1, 100, usize::MAX][script.below(4)];
            if let Some(id) = world.an_open_one(script) {
                worker.on_writable(id, *now, world);
            }
        }
        5 => {
            *now += script.pause();
            worker.on_time(*now, world);
        }
        6 => worker.flush(*now, world),
        7 if !script.is_likely() => worker.drain(),
        7 => world.refuses = !script.is_likely(),
        8 if !script.is_likely() => {
            let garbage = script.payload();
            worker.on_batch(LinkIndex(0), &garbage, *now, world);
        }
        9 => welcome(worker, world, script, *now),
        _ => say(worker, world, script, *now),
    }
}

fn connect(worker: &mut Worker, world: &mut World, script: &mut Script<'_>, now: Instant) {
    let Some(id) = world.connecting.pop_first() else { return };
    if script.is_likely() {
        world.open.insert(id, false);
        worker.on_connected(id, now, world);
    } else {
        worker.on_connect_failed(id, script.cause(), now, world);
    }
}

fn destination_speaks(worker: &mut Worker, world: &mut World, script: &mut Script<'_>, now: Instant) {
    let Some(id) = world.an_open_one(script) else { return };
    let has_finished = world.open[&id];
    match script.byte() % 8 {
        0 => {
            world.open.remove(&id);
            worker.on_reset(id, script.cause(), script.byte().into(), now, world);
        }
        1 if !has_finished => {
            world.open.insert(id, true);
            worker.on_fin(id);
        }
        _ if script.has_datagrams => {
            let bytes = Bytes::from(script.payload());
            let ends = script.ends(bytes.len());
            worker.on_datagrams(id, &bytes, &ends, world);
        }
        _ if !has_finished => worker.on_bytes(id, Bytes::from(script.payload()), world),
        _ => {}
    }
}

fn link(script: &mut Script<'_>) -> LinkIndex {
    LinkIndex(script.below(LINKS) as u16)
}

/// Answers the last HELLO, mostly with what it said turned round.
fn welcome(worker: &mut Worker, world: &mut World, script: &mut Script<'_>, now: Instant) {
    let index = link(script);
    let told = world.standings.get(&index).cloned().unwrap_or_default();
    let standings = told.iter().filter_map(|standing| {
        let (session, attempt) = (standing.session, standing.attempt);
        let known = world.known.get(&(index, session)).copied().unwrap_or_default();
        script.is_likely().then(|| script.standing(Known { session, attempt, ..known }))
    });
    let standings = standings.collect();
    let mut writer = BatchWriter::default();
    let (incarnation, last) = (Incarnation(script.near(7)), script.is_likely());
    writer.write(&Frame::Welcome { version: 1, incarnation, ports: vec![], auth: &[], standings, last });
    send(worker, world, script, index, writer, now);
}

fn say(worker: &mut Worker, world: &mut World, script: &mut Script<'_>, now: Instant) {
    let index = link(script);
    let mut writer = BatchWriter::default();
    for _ in 0..=script.below(4) {
        let session = SessionId(script.below(6) as u64);
        let known = world.known.entry((index, session)).or_default();
        known.session = session;
        match script.byte() % 12 {
            0..=3 => open(known, script, &mut writer),
            4 => writer.write(&Frame::Ping),
            5 if !script.is_likely() => writer.write(&Frame::Bye { reason: script.bye(), version: 1 }),
            _ => script.with_common_frame(known, |frame| writer.write(frame)),
        }
    }
    send(worker, world, script, index, writer, now);
}

fn open(known: &mut Known, script: &mut Script<'_>, writer: &mut BatchWriter) {
    known.attempt = Attempt(script.near(u64::from(known.attempt.0) + 1) as u32);
    known.position = script.near(0);
    known.received = 0;
    writer.write(&Frame::Open {
        session: known.session,
        attempt: known.attempt,
        position: known.position,
        limit: script.near(1000),
        window: script.near(1000) as u32,
        patience: script.patience(),
        timeout_millis: script.near(5000) as u32,
    });
}

/// Under the right numbers, mostly.
fn send(
    worker: &mut Worker,
    world: &mut World,
    script: &mut Script<'_>,
    index: LinkIndex,
    mut writer: BatchWriter,
    now: Instant,
) {
    let heard = world.sent.get(&index).copied().unwrap_or_default();
    let (epoch, sent) = world.numbers.get(&index).copied().unwrap_or_default();
    let next = if epoch == heard.epoch.0 { sent + 1 } else { 1 };
    let number = script.near(next);
    if number == next {
        world.numbers.insert(index, (heard.epoch.0, number));
    }
    let header =
        Header { epoch: Epoch(script.near(heard.epoch.0)), number, received: script.near(heard.number) };
    worker.on_batch(index, &writer.seal(header), now, world);
}
