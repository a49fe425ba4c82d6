//! What all sessions of an ingress shard share: settings, links, counters, timers.
//!
//! Sessions get it for the length of one input, through `Turn`. It knows no session itself: those who stand in its
//! queues are names only.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use super::{Effect, Notice, Shell, links::Links};
use crate::{
    codec::Codec,
    counters::{Account, Tally},
    id::{DestinationIndex, Incarnation, RouteIndex, SessionId},
    link::GRANT_LAG,
    time::Instant,
};

/// What an ingress shard is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which start of this ingress.
    pub incarnation: Incarnation,
    /// Link ports of all its shards, for WELCOME.
    pub ports: Vec<u16>,
    /// Whether its links stay within this process: they are then neither kept for nor watched.
    pub is_local: bool,
    /// Sessions it holds at most.
    pub max_sessions: usize,
    /// Units one link may have outstanding.
    pub link_window: u64,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// What a session needs to know of its route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// How frames end.
    pub codec: Codec,
    /// Its destinations' names and the fingerprints of their settings; the first is the primary.
    pub destinations: Vec<(String, u64)>,
    /// How long the primary may take to connect, or to find a worker.
    pub connect_timeout: Duration,
    /// How long a half-closed or ended session may stay silent.
    pub linger: Duration,
    /// How long a pause ends a burst of `raw`.
    pub quiet_gap: Duration,
    /// How long a session of datagrams may be silent.
    pub idle_timeout: Duration,
    /// The longest frame that is kept whole, in bytes.
    pub max_frame: u32,
    /// Units that one session may have outstanding towards its primary, or from it.
    pub window: u32,
    /// The same for a secondary.
    pub secondary_window: u32,
}

/// What is counted of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCounters {
    /// Sessions begun.
    pub opened: u64,
    /// Sessions ended.
    pub ended: u64,
    /// Sources turned away because `max_sessions` was reached, or because of a drain.
    pub turned_away: u64,
    /// Frames of sources longer than `max_frame`. They pass like any other.
    pub oversized: u64,
    /// Said by sources.
    pub received: Tally,
    /// Said to sources.
    pub sent: Tally,
    /// By destination, the primary first.
    pub destinations: Vec<DestinationCounters>,
}

/// What is counted of one destination of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationCounters {
    /// What became of the frames offered to it.
    pub account: Account,
    /// What it said.
    pub received: Tally,
    /// Connections to it that were opened.
    pub connections: u64,
    /// Times it went away: a refusal or reset while nothing else was known of it.
    pub outages: u64,
    /// Whether it was refused or reset since it was last opened.
    pub is_away: bool,
    /// Bytes its kernel had not confirmed when its connections were reset.
    pub unconfirmed_bytes: u64,
    /// Sessions moved to another worker.
    pub moved: u64,
    /// Lanes that joined again in the middle of a stream that knew no pause.
    pub forced_joins: u64,
}

impl DestinationCounters {
    pub(super) fn note_opened(&mut self) {
        self.connections += 1;
        self.is_away = false;
    }

    pub(super) fn note_loss(&mut self) {
        self.outages += u64::from(!self.is_away);
        self.is_away = true;
    }
}

/// Primaries go first, in everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    Primary,
    Secondary,
}

/// Sessions with something to tell, and when to tell it.
#[derive(Debug, Default)]
pub(super) struct Lagging {
    sessions: Vec<SessionId>,
    at: Option<Instant>,
}

/// A route and what is counted of it.
#[derive(Debug)]
pub(super) struct RouteState {
    pub(super) settings: Route,
    pub(super) counters: RouteCounters,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) routes: Vec<RouteState>,
    pub(super) links: Links,
    timers: BinaryHeap<Reverse<(Instant, SessionId)>>,
    /// Who has something to tell that may wait a little: primaries' workers, and secondaries'. Two lists, for what a
    /// secondary does must not hasten what a primary hears (S4).
    pub(super) lagging: [Lagging; 2],
    /// Frame ends of the read at hand; kept to save an allocation a read.
    pub(super) ends: Vec<u32>,
}

impl Core {
    pub(super) fn new(settings: Settings, now: Instant) -> Self {
        let routes = settings.routes.iter().cloned().map(RouteState::new).collect();
        Self {
            links: Links::new(settings.link_window, settings.is_local, now),
            settings,
            routes,
            timers: BinaryHeap::new(),
            lagging: Default::default(),
            ends: Vec::new(),
        }
    }

    pub(super) fn route(&mut self, route: RouteIndex) -> &mut RouteState {
        &mut self.routes[route.0 as usize]
    }

    pub(super) fn destination(
        &mut self,
        route: RouteIndex,
        destination: DestinationIndex,
    ) -> &mut DestinationCounters {
        &mut self.route(route).counters.destinations[destination.0 as usize]
    }

    pub(super) fn arm(&mut self, at: Instant, session: SessionId) {
        self.timers.push(Reverse((at, session)));
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<SessionId> {
        let Reverse((at, _)) = self.timers.peek()?;
        if *at > now {
            return None;
        }
        self.timers.pop().map(|Reverse((_, session))| session)
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// The session has something to tell the workers of this rank that may wait a little.
    pub(super) fn note_lag(&mut self, rank: Rank, session: SessionId, now: Instant) {
        let lagging = &mut self.lagging[rank as usize];
        lagging.sessions.push(session);
        lagging.at.get_or_insert(now + GRANT_LAG);
    }

    /// The sessions of this rank that have waited long enough.
    pub(super) fn take_lagging(&mut self, rank: Rank, now: Instant) -> Vec<SessionId> {
        let lagging = &mut self.lagging[rank as usize];
        if lagging.at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        std::mem::take(lagging).sessions
    }

    /// When the next of them have.
    pub(super) fn lag_at(&self) -> Option<Instant> {
        self.lagging.iter().filter_map(|lagging| lagging.at).min()
    }
}

impl RouteState {
    fn new(settings: Route) -> Self {
        let destinations = vec![DestinationCounters::default(); settings.destinations.len()];
        Self { settings, counters: RouteCounters { destinations, ..RouteCounters::default() } }
    }
}

/// What one input is handled with: the shared state, the shell, the time.
pub(super) struct Turn<'a, S> {
    pub(super) core: &'a mut Core,
    pub(super) shell: &'a mut S,
    pub(super) now: Instant,
}

impl<S: Shell> Turn<'_, S> {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.shell.effect(effect);
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.shell.effect(Effect::Notice(notice));
    }
}
