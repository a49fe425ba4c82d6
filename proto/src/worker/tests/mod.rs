//! A worker with one link and a shell that does as the test says. Files by table of docs/states.md: `dialer` (the link),
//! `connection`, `destination`; `fencing` has the lease, `reconciling` what a greeting takes up again.

mod connection;
mod datagram;
mod destination;
mod dialer;
mod fencing;
mod reconciling;

use super::*;
use crate::{
    id::Attempt,
    spell,
    wire::{Cuts, Phase, Standing},
};

const LINK: LinkIndex = LinkIndex(0);
const S0: SessionId = SessionId(0);
const A1: Attempt = Attempt(1);
const INGRESS: Incarnation = Incarnation(70);
/// What sessions of these tests may have outstanding each way.
const WINDOW: u32 = 1000;

/// What was done to the world, and what the world answers.
#[derive(Debug)]
struct Scripted {
    done: Vec<String>,
    sent: Vec<Vec<u8>>,
    written: String,
    /// Bytes the kernel still takes.
    room: usize,
    takes_batches: bool,
}

impl Shell for Scripted {
    fn write(&mut self, _: ConnectionId, bytes: &[u8], _: Instant) -> usize {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        self.written.push_str(&String::from_utf8_lossy(&bytes[..taken]));
        taken
    }

    /// A datagram that says `unsendable` is.
    fn write_datagrams(&mut self, _: ConnectionId, bytes: &[u8], ends: &[u32], _: Instant) -> Sent {
        let (mut sent, mut from) = (Sent::default(), 0);
        for &end in ends {
            let datagram = &bytes[from..end as usize];
            if datagram.len() >= self.room {
                break;
            }
            (self.room, from) = (self.room - datagram.len() - 1, end as usize);
            sent.done += 1;
            if datagram == b"unsendable" {
                sent.unsendable += Tally::new(1, datagram.len() as u64);
            } else {
                self.written.extend(["[", &String::from_utf8_lossy(datagram), "]"]);
            }
        }
        sent
    }

    fn send(&mut self, _: LinkIndex, batch: Vec<u8>) -> bool {
        if self.takes_batches {
            self.sent.push(batch);
        }
        self.takes_batches
    }

    fn random(&mut self) -> u64 {
        0
    }

    fn effect(&mut self, effect: Effect) {
        self.done.push(match effect {
            Effect::Connect { connection, .. } => format!("connect {connection}"),
            Effect::ShutDown { connection } => format!("shut {connection}"),
            Effect::Close { connection, abort: true } => format!("abort {connection}"),
            Effect::Close { connection, abort: false } => format!("close {connection}"),
            Effect::PauseReads { connection } => format!("pause {connection}"),
            Effect::ResumeReads { connection } => format!("resume {connection}"),
            Effect::Ports { ports, .. } => format!("ports {ports:?}"),
            Effect::Notice(Notice::Linked { .. }) => "linked".to_owned(),
            Effect::Notice(Notice::LinkLost { why, .. }) => format!("lost: {why}"),
            Effect::Notice(Notice::Barred { reason, .. }) => format!("barred: {reason}"),
            Effect::Notice(Notice::Orphaned { connections, .. }) => format!("orphaned {connections}"),
            Effect::Notice(Notice::Away { cause }) => format!("away: {cause}"),
            Effect::Notice(Notice::Back) => "back".to_owned(),
            Effect::Notice(Notice::Refusing) => "refusing".to_owned(),
            Effect::Notice(Notice::Unsendable { datagrams }) => format!("unsendable {datagrams}"),
        });
    }
}

/// The worker, its world, and the ingress's numbers.
#[derive(Debug)]
struct Rig {
    worker: Worker,
    shell: Scripted,
    now: Instant,
    epoch: u64,
    number: u64,
    heard: u64,
}

impl Rig {
    /// A worker that has said HELLO.
    fn greeting(is_local: bool) -> Self {
        Self::greeting_with(is_local, false)
    }

    fn greeting_with(is_local: bool, has_datagrams: bool) -> Self {
        let settings = Settings {
            name: "w".to_owned(),
            incarnation: Incarnation(1),
            destination: "r/d".to_owned(),
            fingerprint: 0,
            has_datagrams,
            max_connections: 4,
            max_window: 10_000,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        };
        let now = Instant::from_micros(1_000_000);
        let shell = Scripted {
            done: Vec::new(),
            sent: Vec::new(),
            written: String::new(),
            room: usize::MAX,
            takes_batches: true,
        };
        let mut rig = Self { worker: Worker::new(settings, now), shell, now, epoch: 0, number: 0, heard: 0 };
        rig.worker.on_dialled(is_local, now, &mut rig.shell);
        rig
    }

    /// A worker that is welcome.
    fn live() -> Self {
        let mut rig = Self::greeting(false);
        rig.welcome(&[]);
        rig.shell.done.clear();
        rig
    }

    /// A live worker with session s0, connected.
    fn open() -> Self {
        let mut rig = Self::live();
        rig.say(&[open(A1, Patience::Once)]);
        rig.connected();
        rig.hear();
        rig.shell.done.clear();
        rig
    }

    /// The newest connection is made.
    fn connected(&mut self) {
        let id = self.newest();
        self.worker.on_connected(id, self.now, &mut self.shell);
    }

    fn connect_fails(&mut self) {
        let id = self.newest();
        self.worker.on_connect_failed(id, Cause::Refused, self.now, &mut self.shell);
    }

    /// The connection in the last slot.
    fn newest(&self) -> ConnectionId {
        ConnectionId(*self.worker.connections.ids().last().expect("there is a connection"))
    }

    fn bytes(&mut self, text: &str) {
        let id = self.newest();
        self.worker.on_bytes(id, Bytes::copy_from_slice(text.as_bytes()), &mut self.shell);
    }

    fn writable(&mut self, room: usize) {
        self.shell.room = room;
        let id = self.newest();
        self.worker.on_writable(id, self.now, &mut self.shell);
    }

    /// Answers HELLO.
    fn welcome(&mut self, standings: &[Standing]) {
        self.hear();
        self.say(&[welcome(standings, true)]);
    }

    /// The ingress says this, having received all that was said to it.
    fn say(&mut self, frames: &[Frame<'_>]) {
        self.number += 1;
        self.say_as(self.epoch, self.number, frames);
    }

    /// The ingress says this under these numbers.
    fn say_as(&mut self, epoch: u64, number: u64, frames: &[Frame<'_>]) {
        let batch = spell::batch(epoch, number, self.heard, frames);
        self.worker.on_batch(LINK, &batch, self.now, &mut self.shell);
    }

    /// What the worker says to the ingress.
    fn hear(&mut self) -> Vec<String> {
        self.worker.flush(self.now, &mut self.shell);
        let mut said = Vec::new();
        for batch in std::mem::take(&mut self.shell.sent) {
            let (header, mut frames) = spell::decode(&batch);
            if header.epoch.0 > self.epoch {
                (self.epoch, self.number) = (header.epoch.0, 0);
            }
            self.heard = header.number;
            said.append(&mut frames);
        }
        said
    }

    fn done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.shell.done)
    }

    fn written(&mut self) -> String {
        std::mem::take(&mut self.shell.written)
    }

    /// Time passes, in steps, and the ingress says nothing.
    fn pass(&mut self, millis: u64) {
        for _ in 0..millis.div_ceil(50) {
            self.now += Duration::from_millis(50);
            self.worker.on_time(self.now, &mut self.shell);
        }
    }

    /// Time passes, and the ingress shows life.
    fn chat(&mut self, millis: u64) {
        for _ in 0..millis / 250 {
            self.pass(250);
            self.hear();
            self.say(&[Frame::Ping]);
        }
    }

    fn state(&self) -> link::State {
        self.worker.links[0].state
    }
}

fn welcome(standings: &[Standing], last: bool) -> Frame<'static> {
    let standings = standings.to_vec();
    Frame::Welcome { version: 1, incarnation: INGRESS, ports: vec![7100], auth: &[], standings, last }
}

fn open(attempt: Attempt, patience: Patience) -> Frame<'static> {
    open_session(S0, attempt, patience)
}

fn open_session(session: SessionId, attempt: Attempt, patience: Patience) -> Frame<'static> {
    let (position, limit, window) = (0, u64::from(WINDOW), WINDOW);
    Frame::Open { session, attempt, position, limit, window, patience, timeout_millis: 5000 }
}

/// A whole frame of the source's protocol.
fn line(position: u64, payload: &str) -> Frame<'_> {
    data(position, true, payload)
}

fn data(position: u64, starts: bool, payload: &str) -> Frame<'_> {
    let (cuts, payload) = (Cuts::default(), payload.as_bytes());
    Frame::Data { session: S0, attempt: A1, position, written: 0, starts, ends: true, cuts, payload }
}

fn grant(taken: u64, written: u64, limit: u64) -> Frame<'static> {
    Frame::Grant { session: S0, attempt: A1, taken, written, limit }
}

fn fin(position: u64) -> Frame<'static> {
    Frame::Fin { session: S0, attempt: A1, position }
}

fn reset(attempt: Attempt, cause: Cause) -> Frame<'static> {
    Frame::Reset { session: S0, attempt, cause, unconfirmed: 0 }
}

fn bye(reason: Bye) -> Frame<'static> {
    Frame::Bye { reason, version: 9 }
}

/// Where the backward direction of s0 stands at the ingress.
fn standing(phase: Phase, received: u64) -> Standing {
    let limit = received + u64::from(WINDOW);
    Standing { session: S0, attempt: A1, phase, received, written: received, limit }
}
