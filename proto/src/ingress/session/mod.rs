//! One session: one source, its primary and its secondaries (S1 to S6, S12).
//!
//! A session knows a source endpoint (bytes, room, FIN, reset), never a socket. What the source says goes to the primary's
//! lane first and then, in whole frames, to the secondaries'. What the primary says goes to the source. Files by who
//! speaks: `source`, `worker` (the destinations, through their workers), `moving` (links that come and go), `ending`;
//! `datagram` is what a session of datagrams does differently.

mod answering;
mod asking;
mod auditing;
mod comparing;
mod datagram;
mod ending;
mod handing_over;
mod hearing;
pub(super) mod lane;
mod measuring;
pub(super) mod moving;
mod passing;
mod primary;
mod source;
mod worker;

use std::{collections::VecDeque, time::Duration};

use bytes::BytesMut;
pub(in crate::ingress) use datagram::Said;
pub use ending::{By, Ending};
use lane::{Lane, SecondaryLane, SecondaryState};
use measuring::Readers;
use primary::{Primary, PrimaryState};

use super::{
    Effect, Shell,
    core::{Core, Rank, Turn},
};
use crate::{
    codec::Framer,
    conversation::{Conversation, opening::Opening},
    counters::Tally,
    credit::{Chunk, Keep},
    id::{DestinationIndex, RouteIndex, SessionId},
    time::Instant,
    wire::{Cause, Frame, Patience},
};

/// In a drain, a session that has been quiet for so long is brought to its end.
const DRAIN_PAUSE: Duration = Duration::from_millis(300);
/// What waits for a source is joined to pieces of at least so many bytes.
const JOINED: usize = 16 * 1024;
/// A lane that a full worker refused asks again after this.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The primary is not connected yet: the source is not read.
    Connecting,
    /// Bytes flow.
    Open,
    /// Source and primary are done with; secondaries are brought to an end until the instant named.
    Draining { until: Instant },
    /// Nothing is left.
    Gone,
}

/// The source's endpoint, as the session sees it.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four facts about a socket, each true or not by itself")]
struct Source {
    /// It will say nothing more.
    has_finished: bool,
    is_paused: bool,
    /// It has said something since the primary last did.
    spoke_last: bool,
    /// When it first spoke after the primary last did.
    asked_at: Option<Instant>,
    /// Said to it and not yet taken by its socket; of datagrams, each by itself. Bounded by the primary's window, and one ask.
    backlog: VecDeque<(BytesMut, From)>,
    /// Units its socket took, and those that and the backlog make.
    written: u64,
    queued: u64,
    /// Of `queued`, what lies behind the frame that is being looked at.
    ahead: u64,
    /// How much it had been given when the first byte of its frame in progress was read.
    heard_before_frame: u64,
    /// How many units of that an earlier attempt said: they are no part of the present one's positions.
    older: u64,
    /// The primary's FIN has been passed on.
    is_shut: bool,
}

/// Whose words the source gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The primary's, which take up its window until they are written.
    Primary,
    /// A secondary's ask.
    Ask,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) route: RouteIndex,
    pub(super) phase: Phase,
    source: Source,
    framer: Framer,
    readers: Readers,
    /// The frame in progress, for secondaries, which get whole frames only.
    /// Of datagrams: what came before the primary was connected.
    // Invariant: empty without secondaries; at most max_frame bytes, or what the primary's lane admitted.
    partial: Vec<Chunk>,
    /// The frame in progress began after a pause, not where the last was cut.
    is_clean_start: bool,
    /// The frame in progress is longer than `max_frame` and passes in parts.
    is_oversized: bool,
    pub(super) primary: Primary,
    pub(super) secondaries: Box<[SecondaryLane]>,
    /// What is made of what destinations say; not kept where that makes no difference.
    conversation: Option<Box<Conversation>>,
    connect_by: Option<Instant>,
    quiet_at: Option<Instant>,
    active_at: Instant,
    /// The earliest instant the shard's timers have for it.
    armed_at: Instant,
    /// By rank.
    is_lagging: [bool; 2],
    is_draining: bool,
    received: Tally,
    sent: Tally,
}

impl Source {
    /// Keeps some octets of a stream. Short ones are joined: an entry each would cost more than what they hold.
    fn keep(&mut self, octets: &[u8], of: From) {
        match self.backlog.back_mut() {
            Some((last, its)) if *its == of && last.len() < JOINED => last.extend_from_slice(octets),
            _ => self.backlog.push_back((octets.into(), of)),
        }
    }
}

impl Session {
    pub(super) fn new(id: SessionId, route: RouteIndex, core: &Core, now: Instant) -> Self {
        let settings = &core.routes[route.0 as usize].settings;
        let (codec, max_frame, window) = (&settings.codec, settings.max_frame, u64::from(settings.window));
        let keep = if core.settings.is_local { Keep::Nothing } else { Keep::FrameStart(window) };
        let secondaries: Box<[_]> = (1..settings.destinations.len())
            .map(|index| {
                let (destination, window) =
                    (DestinationIndex(index as u16), settings.secondary_window.into());
                SecondaryLane::new(
                    destination,
                    codec,
                    max_frame,
                    window,
                    keep,
                    settings.destinations[index].rejoin,
                )
            })
            .collect();
        let mut primary = Primary::new(codec, max_frame, window, keep);
        let is_kept = !secondaries.is_empty() || settings.destinations[0].is_filtered();
        primary.lane.voice = is_kept.then(Box::default);
        let opening =
            Opening::new(settings.destinations.iter().map(|destination| destination.rejoin), window);
        Self {
            id,
            route,
            phase: Phase::Connecting,
            source: Source { is_paused: !codec.is_datagram(), ..Source::default() },
            framer: Framer::new(codec, max_frame),
            readers: Readers::default(),
            partial: Vec::new(),
            is_clean_start: true,
            is_oversized: false,
            primary,
            secondaries,
            conversation: is_kept.then(|| Box::new(Conversation::new(&settings.talk, opening))),
            connect_by: None,
            quiet_at: None,
            active_at: now,
            armed_at: Instant::NEVER,
            is_lagging: [false; 2],
            is_draining: false,
            received: Tally::ZERO,
            sent: Tally::ZERO,
        }
    }

    /// S1: the primary is connected before anything else happens.
    pub(super) fn start(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let position = self.primary.lane.reopen();
        self.open_primary(position, turn);
    }

    fn open_primary(&mut self, position: u64, turn: &mut Turn<'_, impl Shell>) {
        let timeout = turn.core.route(self.route).settings.connect_timeout;
        let fence = self.primary.lane.fenced_until;
        self.primary.place_at = (fence > turn.now).then_some(fence);
        self.connect_by.get_or_insert(fence.max(turn.now) + timeout);
        self.source.older = self.backlog_units();
        let held = self.source.older;
        self.primary.lane.link = match self.primary.place_at {
            Some(_) => None,
            None => turn.core.links.place(self.route, DestinationIndex::PRIMARY),
        };
        self.primary.state = match self.primary.lane.link {
            Some(key) => {
                let open = self.primary.lane.open(self.id, position, held, Patience::Once, millis(timeout));
                turn.core.links.post(key, &open);
                PrimaryState::Opening
            }
            None => PrimaryState::Unplaced,
        };
    }

    /// Asks a worker for a connection to a secondary that holds nothing, from here on.
    fn open_secondary(&mut self, index: usize, patience: Patience, turn: &mut Turn<'_, impl Shell>) {
        self.stop_comparing(index, turn);
        let secondary = &mut self.secondaries[index];
        debug_assert!(secondary.lane.outbound.in_flight().is_zero());
        let position = secondary.reopen();
        self.open_secondary_at(index, position, patience, turn);
    }

    fn open_secondary_at(
        &mut self,
        index: usize,
        position: u64,
        patience: Patience,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let timeout = millis(turn.core.route(self.route).settings.connect_timeout);
        let secondary = &mut self.secondaries[index];
        let lane = &mut secondary.lane;
        if lane.fenced_until > turn.now {
            secondary.state = SecondaryState::Away;
            secondary.retry_at = Some(lane.fenced_until);
            return;
        }
        if lane.link.is_none() {
            lane.link = turn.core.links.place(self.route, lane.destination);
        }
        let is_finishing = secondary.state == SecondaryState::Finishing;
        secondary.state = match lane.link {
            Some(key) => {
                let open = lane.open(self.id, position, 0, patience, timeout);
                turn.core.links.post(key, &open);
                match patience {
                    _ if is_finishing => SecondaryState::Finishing,
                    Patience::Patient => SecondaryState::Away,
                    Patience::Once | Patience::IfAvailable => SecondaryState::Opening,
                }
            }
            None => SecondaryState::Away,
        };
    }

    /// The lane to a destination of this session's route.
    pub(super) fn lane(&mut self, destination: DestinationIndex) -> Option<&mut Lane> {
        match destination.0 {
            0 => Some(&mut self.primary.lane),
            index => self.secondaries.get_mut(index as usize - 1).map(|secondary| &mut secondary.lane),
        }
    }

    pub(super) fn lane_at(&self, destination: DestinationIndex) -> Option<&Lane> {
        match destination.0 {
            0 => Some(&self.primary.lane),
            index => self.secondaries.get(index as usize - 1).map(|secondary| &secondary.lane),
        }
    }

    /// Puts a lane in its link's queue if it has something to send.
    pub(super) fn make_ready(&mut self, destination: DestinationIndex, core: &mut Core) {
        let id = self.id;
        let Some(lane) = self.lane(destination) else { return };
        if let Some(key) = lane.link
            && !lane.is_ready
            && lane.outbound.has_unsent()
        {
            lane.is_ready = true;
            core.links.push_ready(key, id);
        }
    }

    /// Something of a lane's backward direction was consumed: its worker hears of it at once, or a little later.
    fn note_progress(&mut self, destination: DestinationIndex, turn: &mut Turn<'_, impl Shell>) {
        let id = self.id;
        let rank = if destination.is_primary() { Rank::Primary } else { Rank::Secondary };
        let Some(lane) = self.lane(destination) else { return };
        let Some(key) = lane.link else { return };
        if lane.inbound.owes_limit() {
            if !lane.is_owing {
                lane.is_owing = true;
                turn.core.links.push_owing(key, id);
            }
        } else if lane.inbound.lags() && !self.is_lagging[rank as usize] {
            self.is_lagging[rank as usize] = true;
            turn.core.note_lag(rank, id, turn.now);
        }
    }

    /// Tells a lane's worker the latest totals, if they are news.
    pub(super) fn grant(&mut self, destination: DestinationIndex, core: &mut Core) {
        let session = self.id;
        let Some(lane) = self.lane(destination) else { return };
        lane.is_owing = false;
        let Some(key) = lane.link else { return };
        if lane.inbound.lags() || lane.inbound.owes_limit() {
            let (attempt, totals) = (lane.attempt, lane.inbound.announce());
            let (taken, written, limit) = (totals.taken, totals.written, totals.limit);
            core.links.post(key, &Frame::Grant { session, attempt, taken, written, limit });
        }
    }

    /// Tells all its workers of a rank what could wait until now.
    pub(super) fn grant_all(&mut self, rank: Rank, core: &mut Core) {
        self.is_lagging[rank as usize] = false;
        let lanes = match rank {
            Rank::Primary => 0..1,
            Rank::Secondary => 1..self.secondaries.len() + 1,
        };
        for index in lanes {
            self.grant(DestinationIndex(index as u16), core);
        }
    }

    /// Ends a lane's attempt for another one at the same worker: until that has heard of it, no other may write.
    fn reset_attempt(&mut self, destination: DestinationIndex, cause: Cause, core: &mut Core) {
        let session = self.id;
        let Some((key, attempt)) = self.lane(destination).and_then(|lane| Some((lane.link?, lane.attempt)))
        else {
            return;
        };
        core.links.post(key, &Frame::Reset { session, attempt, cause, unconfirmed: 0 });
    }

    /// Takes a lane off its link, telling the worker why if it should know.
    fn leave_link(&mut self, destination: DestinationIndex, reset: Option<Cause>, core: &mut Core) {
        let session = self.id;
        let Some(lane) = self.lane(destination) else { return };
        let Some(key) = lane.link.take() else { return };
        lane.is_ready = false;
        lane.is_owing = false;
        let (attempt, unwritten) = (lane.attempt, lane.outbound.unwritten());
        if let Some(cause) = reset {
            core.links.post(key, &Frame::Reset { session, attempt, cause, unconfirmed: 0 });
        }
        core.links.release(key, unwritten);
    }

    /// A deadline of this session has come.
    pub(super) fn on_time(&mut self, turn: &mut Turn<'_, impl Shell>) {
        self.armed_at = Instant::NEVER;
        if self.quiet_at.is_some_and(|at| at <= turn.now) {
            self.quiet_at = None;
            self.end_burst(turn);
        }
        for index in 0..self.secondaries.len() {
            if self.secondaries[index].retry_at.is_some_and(|at| at <= turn.now) {
                self.secondaries[index].retry_at = None;
                self.on_secondary_retry(index, turn);
            }
        }
        if self.primary.place_at.is_some_and(|at| at <= turn.now) {
            self.primary.place_at = None;
            self.place_primary(turn);
        }
        self.on_conversation_time(turn);
        match self.phase {
            Phase::Connecting | Phase::Open if self.connect_by.is_some_and(|at| at <= turn.now) => {
                self.end(By::Primary, Ending::ConnectTimeout, self.phase != Phase::Connecting, turn);
            }
            Phase::Open if self.linger_at(turn.core).is_some_and(|at| at <= turn.now) => {
                self.end(By::Ingress, Ending::Linger, false, turn);
            }
            Phase::Open if self.pause_at().is_some_and(|at| at <= turn.now) => self.on_pause(turn),
            Phase::Open if self.idle_at(turn.core).is_some_and(|at| at <= turn.now) => {
                self.end(By::Ingress, Ending::Idle, false, turn);
            }
            Phase::Draining { until } if until <= turn.now => self.abandon_secondaries(turn),
            _ => {}
        }
    }

    /// The next instant at which [`Session::on_time`] has something to do.
    fn deadline(&self, core: &Core) -> Instant {
        let phase = match self.phase {
            Phase::Draining { until } => Some(until),
            Phase::Open => {
                self.linger_at(core).into_iter().chain(self.pause_at()).chain(self.idle_at(core)).min()
            }
            Phase::Connecting | Phase::Gone => None,
        };
        let retries = self.secondaries.iter().filter_map(|secondary| secondary.retry_at);
        let place_at = self.primary.place_at;
        retries
            .chain(phase)
            .chain(place_at)
            .chain(self.connect_by)
            .chain(self.quiet_at)
            .chain(self.conversation_deadline(core))
            .min()
            .unwrap_or(Instant::NEVER)
    }

    /// Makes sure the shard's timers have it in time.
    pub(super) fn arm(&mut self, core: &mut Core) {
        let deadline = self.deadline(core);
        if deadline < self.armed_at && self.phase != Phase::Gone {
            self.armed_at = deadline;
            core.arm(deadline, self.id);
        }
    }

    /// A session that is half closed ends after this much silence.
    fn linger_at(&self, core: &Core) -> Option<Instant> {
        let half_closed = self.source.has_finished || self.primary.lane.has_closed;
        let linger = core.routes[self.route.0 as usize].settings.linger;
        half_closed.then(|| self.active_at + linger)
    }

    /// When a session that is to be drained may be thought quiet.
    fn pause_at(&self) -> Option<Instant> {
        (self.is_draining && !self.source.has_finished).then(|| self.active_at + DRAIN_PAUSE)
    }

    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.primary.lane).chain(self.secondaries.iter().map(|secondary| &secondary.lane))
    }
}

fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)
}

/// How many frames start in a stretch of `len` bytes whose frames end at `ends`.
fn frames_started(was_mid_frame: bool, ends: &[u32], len: usize) -> u64 {
    let inside = ends.iter().filter(|&&end| (end as usize) < len).count() as u64;
    inside + u64::from(!was_mid_frame && len > 0)
}
