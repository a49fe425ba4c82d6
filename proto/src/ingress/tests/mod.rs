//! An ingress with a route of some destinations, a worker for each, and a shell that does as the test says. Files by table
//! of docs/states.md: `acceptor` (links), `session`, `secondary`; `moving` has what becomes of sessions when links come
//! and go, `flow` windows and turns, `foo` the messages of that protocol, `datagram` what sessions of datagrams do
//! differently. What destinations say: `asking`, `answering`, `comparing`, `filtering`, told in the words of `talk`.

mod acceptor;
mod answering;
mod asking;
mod comparing;
mod datagram;
mod filtering;
mod flow;
mod foo;
mod moving;
mod secondary;
mod session;
mod talk;

use std::{collections::HashMap, time::Duration};

use super::*;
use crate::{
    codec::Codec,
    counters::ShedReason,
    id::{Attempt, Incarnation},
    policy::{self, Destination},
    spell,
    wire::{Bye, Cause, Cuts, Frame, Greeting, Phase, Standing},
};

const ROUTE: RouteIndex = RouteIndex(0);
const S0: SessionId = SessionId(0);
const A1: Attempt = Attempt(1);
const A2: Attempt = Attempt(2);
/// The worker of the primary, and that of the first secondary.
const PRIMARY: Peer = Peer(0);
const SECONDARY: Peer = Peer(1);
/// Another worker of the primary, and one of the first secondary.
const SPARE_PRIMARY: Peer = Peer(10);
const SPARE_SECONDARY: Peer = Peer(11);
const WINDOW: u32 = 1000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const LINGER: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A step of the clock.
const STEP: Duration = Duration::from_millis(50);

/// What was done to the world, and what the world answers.
#[derive(Debug, Default)]
struct Scripted {
    done: Vec<String>,
    sent: Vec<(Peer, Vec<u8>)>,
    written: String,
    /// Bytes the sources' sockets still take.
    room: usize,
    refuses: Option<Peer>,
}

impl Shell for Scripted {
    fn write(&mut self, _: SessionId, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        self.written.push_str(&String::from_utf8_lossy(&bytes[..taken]));
        taken
    }

    fn write_datagrams(&mut self, _: SessionId, bytes: &[u8], ends: &[u32]) -> usize {
        let mut from = 0;
        for (count, &end) in ends.iter().enumerate() {
            let datagram = &bytes[from..end as usize];
            if datagram.len() >= self.room {
                return count;
            }
            (self.room, from) = (self.room - datagram.len() - 1, end as usize);
            self.written.extend(["[", &String::from_utf8_lossy(datagram), "]"]);
        }
        ends.len()
    }

    fn send(&mut self, peer: Peer, batch: Vec<u8>) -> bool {
        let takes = self.refuses != Some(peer);
        if takes {
            self.sent.push((peer, batch));
        }
        takes
    }

    fn effect(&mut self, effect: Effect) {
        self.done.push(match effect {
            Effect::PauseSource { session } => format!("pause {session}"),
            Effect::ResumeSource { session } => format!("resume {session}"),
            Effect::ShutDownSource { session } => format!("shut {session}"),
            Effect::CloseSource { session, abort: true } => format!("abort {session}"),
            Effect::CloseSource { session, abort: false } => format!("close {session}"),
            Effect::Notice(notice) => spell_notice(notice),
        });
    }
}

fn spell_notice(notice: Notice) -> String {
    match notice {
        Notice::SessionOpened { session, .. } => format!("{session} opened"),
        Notice::SessionEnded { session, by, ending, .. } => format!("{session} ended by {by}: {ending}"),
        Notice::Diverged { session, destination, divergence, request, left_out, .. } => {
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            let (primary, secondary) = (text(&divergence.primary), text(&divergence.secondary));
            let finding = divergence.finding.name();
            format!(
                "{session} d{}: {finding}: {} -> {primary} / {secondary} at {:?} +{left_out}",
                destination.0,
                text(&request),
                divergence.offset
            )
        }
        Notice::Asked { session, destination, frame, .. } => {
            format!("{session} d{} asks {}", destination.0, frame.escape_ascii())
        }
        Notice::AskedAgain { session, destination, frame, answer, .. } => {
            let answer = answer.map_or("nothing".to_owned(), |answer| answer.escape_ascii().to_string());
            format!("{session} d{} asks {} again, gets {answer}", destination.0, frame.escape_ascii())
        }
        Notice::WorkerLinked { worker, .. } => format!("linked {}", worker.name),
        Notice::WorkerDraining { worker } => format!("draining {}", worker.name),
        Notice::WorkerLost { worker, why, sessions } => format!("lost {}: {why}, {sessions}", worker.name),
        Notice::WorkerRefused { name, why, .. } => format!("refused {name}: {why:?}"),
        Notice::PeerIgnored { why, .. } => format!("ignored: {why}"),
    }
}

/// What a worker's end of a link has sent and received.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    epoch: u64,
    sent: u64,
    heard: u64,
}

#[derive(Debug)]
struct Rig {
    ingress: Ingress,
    shell: Scripted,
    now: Instant,
    numbers: HashMap<Peer, Numbers>,
    /// Said to workers and not yet looked at.
    said: Vec<(Peer, String)>,
}

impl Rig {
    /// An ingress whose route `r` has so many destinations, `d0`, `d1` and so on; nobody is linked.
    fn alone(codec: Codec, destinations: usize) -> Self {
        Self::with(codec, destinations, u64::MAX, false)
    }

    fn with(codec: Codec, destinations: usize, link_window: u64, is_local: bool) -> Self {
        Self::on(route(codec, destinations), link_window, is_local)
    }

    fn on(route: Route, link_window: u64, is_local: bool) -> Self {
        let incarnation = Incarnation(70);
        let routes = vec![route];
        let settings =
            Settings { incarnation, ports: vec![], is_local, max_sessions: 64, link_window, routes };
        let now = Instant::from_micros(1_000_000);
        let shell = Scripted { room: usize::MAX, ..Scripted::default() };
        let ingress = Ingress::new(settings, now);
        Self { ingress, shell, now, numbers: HashMap::new(), said: Vec::new() }
    }

    /// One worker a destination: `Peer(0)` for the primary, `Peer(1)` for the first secondary, and so on.
    fn linked(codec: Codec, destinations: usize) -> Self {
        let mut rig = Self::alone(codec, destinations);
        for index in 0..destinations {
            rig.greet(Peer(index as u64), index, &[]);
        }
        rig.forget();
        rig
    }

    /// The same, and session s0 has been accepted and its primary connected.
    fn open(codec: Codec, destinations: usize) -> Self {
        let mut rig = Self::linked(codec, destinations);
        rig.accept();
        rig.say(PRIMARY, &[opened(A1)]);
        rig.forget();
        rig
    }

    /// Two destinations, both connected.
    fn both_open(codec: Codec) -> Self {
        let mut rig = Self::open(codec, 2);
        rig.say(SECONDARY, &[opened(A1)]);
        rig.forget();
        rig
    }

    fn accept(&mut self) -> Option<SessionId> {
        self.ingress.on_source(ROUTE, self.now, &mut self.shell)
    }

    fn source_says(&mut self, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.ingress.on_source_bytes(S0, bytes, self.now, &mut self.shell);
        self.ingress.audit();
    }

    fn source_fin(&mut self) {
        self.ingress.on_source_fin(S0, self.now, &mut self.shell);
        self.ingress.audit();
    }

    fn source_reset(&mut self) {
        self.ingress.on_source_reset(S0, self.now, &mut self.shell);
        self.ingress.audit();
    }

    fn source_takes(&mut self, bytes: usize) {
        self.shell.room = bytes;
        self.ingress.on_source_writable(S0, self.now, &mut self.shell);
        self.ingress.audit();
    }

    /// A worker greets, of the destination with this place; its name is the peer's.
    fn greet(&mut self, peer: Peer, destination: usize, standings: &[Standing]) {
        self.numbers.entry(peer).or_default().epoch += 1;
        let numbers = self.numbers.get_mut(&peer).expect("it was made above");
        *numbers = Numbers { epoch: numbers.epoch, ..Numbers::default() };
        let (name, place) = (format!("w{}", peer.0), format!("r/d{destination}"));
        self.say(peer, &[hello(&name, &place, 1, standings, true)]);
    }

    /// A worker says this, having received all that was said to it.
    fn say(&mut self, peer: Peer, frames: &[Frame<'_>]) {
        self.listen();
        let numbers = self.numbers.entry(peer).or_default();
        numbers.sent += 1;
        let Numbers { epoch, sent, .. } = *numbers;
        self.say_as(peer, epoch, sent, frames);
    }

    fn say_as(&mut self, peer: Peer, epoch: u64, number: u64, frames: &[Frame<'_>]) {
        let heard = self.numbers.get(&peer).filter(|its| its.epoch == epoch).map_or(0, |its| its.heard);
        self.say_bytes(peer, &spell::batch(epoch, number, heard, frames));
    }

    fn say_bytes(&mut self, peer: Peer, bytes: &[u8]) {
        self.ingress.on_batch(peer, bytes, self.now, &mut self.shell);
        self.ingress.audit();
    }

    /// Sends what may be sent, and lets the workers receive it.
    fn listen(&mut self) {
        self.ingress.flush(self.now, &mut self.shell);
        self.ingress.audit();
        for (peer, batch) in std::mem::take(&mut self.shell.sent) {
            let (header, frames) = spell::decode(&batch);
            let numbers = self.numbers.entry(peer).or_default();
            numbers.heard = numbers.heard.max(header.number);
            self.said.extend(frames.into_iter().map(|frame| (peer, frame)));
        }
    }

    /// What was said to one worker.
    fn hear(&mut self, peer: Peer) -> Vec<String> {
        self.listen();
        let (its, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.said).into_iter().partition(|(to, _)| *to == peer);
        self.said = others;
        its.into_iter().map(|(_, frame)| frame).collect()
    }

    fn done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.shell.done)
    }

    fn written(&mut self) -> String {
        std::mem::take(&mut self.shell.written)
    }

    /// What has happened so far is of no interest.
    fn forget(&mut self) {
        self.listen();
        self.said.clear();
        self.shell.done.clear();
        self.shell.written.clear();
    }

    /// Time passes, but for one step.
    fn pass_almost(&mut self, span: Duration) {
        self.pass(span.saturating_sub(STEP));
    }

    /// Time passes, and the workers linked show life.
    fn pass(&mut self, span: Duration) {
        for _ in 0..span.as_millis().div_ceil(50) {
            self.pass_in_silence(STEP);
            let mut peers: Vec<_> = self.numbers.keys().copied().collect();
            peers.sort();
            for peer in peers {
                if self.ingress.core.links.of_peer(peer).is_some() {
                    self.say(peer, &[Frame::Pong]);
                }
            }
        }
    }

    /// Time passes, and nobody says anything.
    fn pass_in_silence(&mut self, span: Duration) {
        for _ in 0..span.as_millis().div_ceil(50) {
            self.now += STEP;
            self.ingress.on_time(self.now, &mut self.shell);
            self.ingress.audit();
        }
    }

    fn destination(&self, index: usize) -> DestinationCounters {
        self.ingress.route_counters(ROUTE).destinations[index]
    }

    /// Frames shed for a destination, by reason.
    fn shed(&self, index: usize, reason: ShedReason) -> u64 {
        self.destination(index).account.shed[reason as usize].frames
    }
}

/// A route whose destinations are `d0`, `d1` and so on.
fn route(codec: Codec, destinations: usize) -> Route {
    Route {
        name: "r".to_owned(),
        codec,
        destinations: (0..destinations).map(|index| Destination::new(format!("d{index}"), 0)).collect(),
        talk: policy::Talk::default(),
        connect_timeout: CONNECT_TIMEOUT,
        linger: LINGER,
        quiet_gap: Duration::from_millis(100),
        idle_timeout: IDLE_TIMEOUT,
        max_frame: 300,
        window: WINDOW,
        secondary_window: WINDOW,
        moves: true,
    }
}

fn hello<'a>(
    worker: &'a str,
    destination: &'a str,
    incarnation: u64,
    standings: &[Standing],
    last: bool,
) -> Frame<'a> {
    Frame::Hello(Greeting {
        version: 1,
        worker,
        incarnation: Incarnation(incarnation),
        destination,
        settings: 0,
        auth: &[],
        ingress: Incarnation(70),
        standings: standings.to_vec(),
        last,
    })
}

fn opened(attempt: Attempt) -> Frame<'static> {
    opened_session(S0, attempt)
}

fn opened_session(session: SessionId, attempt: Attempt) -> Frame<'static> {
    Frame::Opened { session, attempt, limit: u64::from(WINDOW) }
}

fn refused(attempt: Attempt, cause: Cause) -> Frame<'static> {
    Frame::Refused { session: S0, attempt, cause }
}

fn reset(attempt: Attempt) -> Frame<'static> {
    Frame::Reset { session: S0, attempt, cause: Cause::Reset, unconfirmed: 3 }
}

/// Bytes a destination says.
fn reply(attempt: Attempt, position: u64, payload: &str) -> Frame<'_> {
    let (starts, ends, cuts, written) = (false, false, Cuts::default(), 0);
    let payload = payload.as_bytes();
    Frame::Data { session: S0, attempt, position, written, starts, ends, cuts, payload }
}

fn fin(attempt: Attempt, position: u64) -> Frame<'static> {
    Frame::Fin { session: S0, attempt, position }
}

/// So much was written to the destination.
fn wrote(attempt: Attempt, written: u64) -> Frame<'static> {
    let limit = written + u64::from(WINDOW);
    Frame::Grant { session: S0, attempt, taken: written, written, limit }
}

/// Where the forward direction of s0 stands at its worker.
fn standing(attempt: Attempt, phase: Phase, received: u64, written: u64) -> Standing {
    Standing { session: S0, attempt, phase, received, written, limit: written + u64::from(WINDOW) }
}
