//! What all sessions of an ingress shard share: settings, links, counters, timers.
//!
//! Sessions get it for the length of one input, through `Turn`. It knows no session itself: those who stand in its
//! queues are names only.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use super::{Effect, Notice, Shell, links::Links};
use crate::{
    codec::{Codec, foo},
    conversation::comparing::Finding,
    counters::{Account, Tally},
    id::{DestinationIndex, Incarnation, RouteIndex, SessionId},
    latency::Latency,
    link::GRANT_LAG,
    policy::{Destination, Replies, Talk},
    time::Instant,
};

/// Of one destination and kind, a notice is told at most so often.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

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
    /// Its destinations; the first is the primary.
    pub destinations: Vec<Destination>,
    /// What it makes of what they say.
    pub talk: Talk,
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
    /// Whether a session may go on over another connection when its worker is lost or drains. Not where whoever speaks over it
    /// has to know where a connection began.
    pub moves: bool,
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
    /// Things said that were forgotten before their time, because one session said too many.
    pub forgotten: u64,
    /// Said by sources.
    pub received: Tally,
    /// Said to sources.
    pub sent: Tally,
    /// Messages of the Foo protocol, where that is the codec.
    pub foo: foo::Counters,
    /// From a source's first word after the primary's last to the primary's next.
    pub latency: Latency,
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
    /// What became of what it said.
    pub said: SaidCounters,
}

/// What became of what one destination said (S7 to S10). What is about replies is of a secondary, against the primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaidCounters {
    /// Replies that were the primary's as well.
    pub matched: u64,
    /// Divergences, in the order of [`Finding::ALL`].
    pub found: [u64; Finding::ALL.len()],
    /// Replies of the primary it was not held against: it had not got the request, or its connection was lost.
    pub uncompared: u64,
    /// What it began by itself and the source was told.
    pub asks: u64,
    /// What another had said before it, and was not said again.
    pub suppressed: u64,
    /// What it began and the source was not told: there was no place for it in time, or too many waited.
    pub asks_shed: u64,
    /// What may not reach the source.
    pub filtered: u64,
    /// Frames longer than `max_frame`: passed or dropped as they came, and not looked at.
    pub oversized: u64,
    /// The part of `accepted` that is answers of the source to what others had asked.
    pub injected: Tally,
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
    /// What was told of each destination, and when.
    pub(super) told: Vec<Told>,
}

/// At most one notice a second of each kind for each destination.
#[derive(Clone, Debug, Default)]
pub(super) struct Told([Limit; Subject::COUNT]);

#[derive(Clone, Copy, Debug, Default)]
struct Limit {
    again_at: Instant,
    left_out: u64,
}

/// What a notice about something a destination said is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Found(Finding),
    Asked,
    AskedAgain,
}

impl Subject {
    const COUNT: usize = Finding::ALL.len() + 2;

    const fn index(self) -> usize {
        match self {
            Self::Found(finding) => finding as usize,
            Self::Asked => Finding::ALL.len(),
            Self::AskedAgain => Finding::ALL.len() + 1,
        }
    }
}

impl Told {
    /// Whether to tell it now, and how many were left out since the last.
    pub(super) fn admit(&mut self, subject: Subject, now: Instant) -> Option<u64> {
        let limit = &mut self.0[subject.index()];
        if limit.again_at > now {
            limit.left_out += 1;
            return None;
        }
        limit.again_at = now + TELL_INTERVAL;
        Some(std::mem::take(&mut limit.left_out))
    }
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
    fn new(mut settings: Route) -> Self {
        if settings.codec.only_replies() {
            // What destinations' frames count as is then not for the settings to say (S9).
            settings.talk.replies = Replies::One;
        }
        let destinations = vec![DestinationCounters::default(); settings.destinations.len()];
        let told = vec![Told::default(); settings.destinations.len()];
        Self { told, settings, counters: RouteCounters { destinations, ..RouteCounters::default() } }
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
