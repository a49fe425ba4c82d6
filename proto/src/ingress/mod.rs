//! The ingress: everything an ingress shard decides.
//!
//! Sources come as [`SessionId`]s, bytes, FINs and resets; workers come as batches from [`Peer`]s. For each source there
//! is one [`session`], with a lane to each destination of its route. Inputs are method calls with `now`; what is wanted
//! done goes to the [`Shell`].
//!
//! Reading order: [`Shell`] and [`Effect`], the inputs here, `session`, then `frames` (what workers say), `greeting`,
//! `links`, `flush`.

mod core;
mod flush;
mod frames;
mod greeting;
mod links;
mod session;

use std::collections::VecDeque;

use bytes::Bytes;
pub use links::WorkerName;
pub use session::{By, Ending};

pub use self::core::{DestinationCounters, Route, RouteCounters, SaidCounters, Settings};
use self::{
    core::{Core, Rank, Turn},
    links::LinkKey,
    session::Session,
};
use crate::{
    conversation::comparing::Divergence,
    counters::Tally,
    id::{DestinationIndex, Peer, RouteIndex, SessionId},
    slab::Slab,
    time::Instant,
};

/// What the ingress has done for it.
pub trait Shell {
    /// Writes to a source; returns how many bytes the kernel took. An error is reported as `on_source_reset` later and
    /// takes none.
    fn write(&mut self, session: SessionId, bytes: &[u8]) -> usize;
    /// Sends datagrams to a source, those that end at `ends` in `bytes`; returns how many of them, from the first on, it has
    /// done with. The others are asked for again after `on_source_writable`.
    fn write_datagrams(&mut self, session: SessionId, bytes: &[u8], ends: &[u32]) -> usize;
    /// Sends a batch; false if the socket refused it.
    fn send(&mut self, peer: Peer, batch: Vec<u8>) -> bool;
    /// Does one of these.
    fn effect(&mut self, effect: Effect);
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum Effect {
    /// Stop reading from the source.
    PauseSource { session: SessionId },
    /// Read from the source. Until the first of these it is not read.
    ResumeSource { session: SessionId },
    /// Shut down the writing half.
    ShutDownSource { session: SessionId },
    /// Close and forget, in order or with a reset. No input about it is awaited.
    CloseSource { session: SessionId, abort: bool },
    /// Tell the operator.
    Notice(Notice),
}

/// What an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum Notice {
    /// The primary is connected: bytes flow.
    SessionOpened { session: SessionId, route: RouteIndex },
    /// A session ended towards its source.
    SessionEnded {
        session: SessionId,
        route: RouteIndex,
        by: By,
        ending: Ending,
        was_connecting: bool,
        received: Tally,
        sent: Tally,
    },
    /// A secondary's reply differs from the primary's. `request`: what was asked, if it is still known. At most one a second
    /// for each destination and finding; so many were `left_out` since the last.
    Diverged {
        session: SessionId,
        route: RouteIndex,
        destination: DestinationIndex,
        divergence: Divergence,
        request: Vec<u8>,
        left_out: u64,
    },
    /// The source was told what a destination began by itself. As often as that.
    Asked {
        session: SessionId,
        route: RouteIndex,
        destination: DestinationIndex,
        frame: Vec<u8>,
        left_out: u64,
    },
    /// A destination said what another had asked before; the source was not told again. `answer`: what it is sent instead.
    AskedAgain {
        session: SessionId,
        route: RouteIndex,
        destination: DestinationIndex,
        frame: Vec<u8>,
        answer: Option<Vec<u8>>,
        left_out: u64,
    },
    /// A worker is linked. `settings_differ`: it was started with other settings for the destination.
    WorkerLinked { worker: WorkerName, settings_differ: bool },
    /// A worker takes no new sessions.
    WorkerDraining { worker: WorkerName },
    /// A worker is gone; so many sessions were moved or lost it.
    WorkerLost { worker: WorkerName, why: &'static str, sessions: usize },
    /// A worker was turned away.
    WorkerRefused { name: String, destination: String, why: Refusal },
    /// A peer does not speak our protocol and is ignored from now on.
    PeerIgnored { peer: Peer, why: &'static str },
}

/// Why a worker was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It speaks another version of the protocol: its version.
    Version(u16),
    /// There is no such destination here.
    UnknownDestination,
    /// A newer incarnation of it is linked.
    Superseded,
    /// There are too many links.
    TooManyLinks,
}

/// What is counted of the links of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Greetings answered.
    pub greetings: u64,
    /// Batches from peers that are ignored.
    pub ignored: u64,
    /// Batches that were no batches.
    pub malformed: u64,
    /// Batches of another epoch, or received before.
    pub stale: u64,
    /// Batches before HELLO.
    pub early: u64,
    /// Gaps in batch numbers.
    pub gaps: u64,
    /// Frames that break the protocol.
    pub faults: u64,
    /// Batches the socket refused.
    pub refused: u64,
    /// Workers lost.
    pub workers_lost: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Ingress {
    core: Core,
    sessions: Slab<Session>,
    ignored: VecDeque<Peer>,
    asked: VecDeque<(Peer, Instant)>,
    counters: LinkCounters,
    is_draining: bool,
}

impl Ingress {
    /// An ingress without sessions and links.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            sessions: Slab::new(settings.max_sessions),
            core: Core::new(settings, now),
            ignored: VecDeque::new(),
            asked: VecDeque::new(),
            counters: LinkCounters::default(),
            is_draining: false,
        }
    }

    /// The link ports of all shards of this process are known now.
    pub fn set_ports(&mut self, ports: Vec<u16>) {
        self.core.settings.ports = ports;
    }

    /// A source has connected. `None`: it is to be turned away.
    pub fn on_source(
        &mut self,
        route: RouteIndex,
        now: Instant,
        shell: &mut impl Shell,
    ) -> Option<SessionId> {
        let admitted = if self.is_draining {
            None
        } else {
            let core = &self.core;
            self.sessions.insert_with(|id| Session::new(SessionId(id), route, core, now)).map(SessionId)
        };
        let counters = &mut self.core.route(route).counters;
        let Some(id) = admitted else {
            counters.turned_away += 1;
            return None;
        };
        counters.opened += 1;
        self.with(id, now, shell, Session::start);
        Some(id)
    }

    /// The source said something.
    pub fn on_source_bytes(&mut self, id: SessionId, bytes: Bytes, now: Instant, shell: &mut impl Shell) {
        self.with(id, now, shell, |session, turn| session.on_source_bytes(bytes, turn));
    }

    /// The source sent datagrams: those that end at `ends` in `bytes`.
    pub fn on_source_datagrams(
        &mut self,
        id: SessionId,
        bytes: &Bytes,
        ends: &[u32],
        now: Instant,
        shell: &mut impl Shell,
    ) {
        self.with(id, now, shell, |session, turn| session.on_source_datagrams(bytes, ends, turn));
    }

    /// The source will say nothing more.
    pub fn on_source_fin(&mut self, id: SessionId, now: Instant, shell: &mut impl Shell) {
        self.with(id, now, shell, Session::on_source_fin);
    }

    /// The source broke.
    pub fn on_source_reset(&mut self, id: SessionId, now: Instant, shell: &mut impl Shell) {
        self.with(id, now, shell, Session::on_source_reset);
    }

    /// The source's socket takes bytes again.
    pub fn on_source_writable(&mut self, id: SessionId, now: Instant, shell: &mut impl Shell) {
        self.with(id, now, shell, Session::on_source_writable);
    }

    /// The clock has moved. To be called at [`Ingress::deadline`], earlier if you like.
    pub fn on_time(&mut self, now: Instant, shell: &mut impl Shell) {
        while let Some(id) = self.core.due(now) {
            self.with(id, now, shell, Session::on_time);
        }
        for rank in [Rank::Primary, Rank::Secondary] {
            for id in self.core.take_lagging(rank, now) {
                self.with(id, now, shell, |session, turn| session.grant_all(rank, turn.core));
            }
        }
        self.look_at_links(now, shell);
        self.flush(now, shell);
    }

    /// When to call [`Ingress::on_time`] next, whatever else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let links = &self.core.links;
        let look = (!links.is_local && !links.is_empty()).then_some(links.look_at);
        self.core.next_timer().into_iter().chain(self.core.lag_at()).chain(look).min()
    }

    /// Brings the sessions of a route to an end as if their sources had finished.
    pub fn finish(&mut self, route: RouteIndex, now: Instant, shell: &mut impl Shell) {
        let of_route = self.sessions.iter().filter(|(_, session)| session.route == route);
        for id in of_route.map(|(id, _)| SessionId(id)).collect::<Vec<_>>() {
            self.with(id, now, shell, Session::drain);
        }
    }

    /// Takes no new sessions; those there are come to an end as if their sources had finished.
    pub fn drain(&mut self, now: Instant, shell: &mut impl Shell) {
        self.is_draining = true;
        for id in self.sessions.ids() {
            self.with(SessionId(id), now, shell, Session::drain);
        }
    }

    /// Whether it holds no session.
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Sessions it holds, those included whose secondaries are being brought to an end.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// What is counted of a route.
    pub fn route_counters(&self, route: RouteIndex) -> &RouteCounters {
        &self.core.routes[route.0 as usize].counters
    }

    /// What is counted of the links.
    pub const fn link_counters(&self) -> LinkCounters {
        self.counters
    }

    /// Who is linked, and with how many sessions each.
    pub fn workers(&self) -> impl Iterator<Item = (&WorkerName, usize)> {
        self.core
            .links
            .iter()
            .filter(|(_, link)| link.is_live())
            .map(|(_, link)| (&link.worker, link.sessions))
    }

    /// Recomputes what is kept as running totals, and compares. For tests and simulations.
    ///
    /// # Panics
    /// If S13 or another invariant does not hold.
    pub fn audit(&self) {
        for (index, route) in self.core.routes.iter().enumerate() {
            for (place, destination) in route.counters.destinations.iter().enumerate() {
                let held = self.held(RouteIndex(index as u16), DestinationIndex(place as u16));
                assert!(
                    destination.account.is_balanced(),
                    "S13 at destination {place}: {:?}",
                    destination.account
                );
                assert_eq!(destination.account.in_flight, held, "in flight at destination {place}");
            }
        }
        for (_, session) in self.sessions.iter() {
            session.audit(self.core.routes[session.route.0 as usize].settings.max_frame);
        }
        for (key, link) in self.core.links.iter() {
            let lanes = || {
                self.sessions
                    .iter()
                    .flat_map(|(_, session)| session.lanes())
                    .filter(|lane| lane.link == Some(key))
            };
            assert_eq!(link.sessions, lanes().count(), "sessions of a link");
            let unwritten: u64 = lanes().map(|lane| lane.outbound.unwritten()).sum();
            assert_eq!(link.outstanding, unwritten, "units outstanding on a link");
            let has_room = link.outstanding < self.core.links.window();
            assert!(!link.is_live() || link.parked.is_empty() || !has_room, "lanes are parked for nothing");
            assert!(
                lanes().all(|lane| !lane.outbound.can_send() || lane.is_ready || !link.is_live()),
                "a lane sleeps"
            );
        }
    }

    fn held(&self, route: RouteIndex, destination: DestinationIndex) -> Tally {
        let of_route = self.sessions.iter().filter(|(_, session)| session.route == route);
        let lanes =
            of_route.flat_map(|(_, session)| session.lanes()).filter(|lane| lane.destination == destination);
        lanes.fold(Tally::ZERO, |sum, lane| sum + lane.outbound.in_flight())
    }

    /// Lets one session handle an input, and sees to its timers and its end.
    fn with<S: Shell, R>(
        &mut self,
        id: SessionId,
        now: Instant,
        shell: &mut S,
        handle: impl FnOnce(&mut Session, &mut Turn<'_, S>) -> R,
    ) -> Option<R> {
        let session = self.sessions.at_mut(id.0)?;
        let mut turn = Turn { core: &mut self.core, shell, now };
        let result = handle(session, &mut turn);
        if session.is_gone() {
            session.conclude_comparing(&mut turn);
            self.sessions.remove(id.0);
        } else {
            session.arm(&mut self.core);
        }
        Some(result)
    }

    /// The sessions that have a lane on this link, and which.
    fn lanes_on(&self, key: LinkKey) -> Vec<(SessionId, DestinationIndex)> {
        let on_link = |session: &Session| {
            session.lanes().find(|lane| lane.link == Some(key)).map(|lane| lane.destination)
        };
        self.sessions.iter().filter_map(|(id, session)| Some((SessionId(id), on_link(session)?))).collect()
    }
}

#[cfg(test)]
mod tests;
