//! The worker's end of one link: greeting, numbers, life and lease.
//!
//! It decides nothing about connections: it says whether they may be written for, and gathers what they have to tell.

use std::{collections::VecDeque, time::Duration};

use super::Shell;
use crate::{
    id::{Attempt, ConnectionId, Epoch, Incarnation, LinkIndex, SessionId},
    link::{Lease, Liveness, Numbering, Outbox},
    time::Instant,
    wire::{Frame, Standing},
};

/// A greeting that is not answered is repeated after this.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(1);
/// A worker that is asked to greets again, but no sooner than this after its last greeting; after a fault that it found
/// itself no sooner than [`GREETING_TIMEOUT`], for an ingress that talks nonsense must not be sent a HELLO ten times a second.
pub(super) const GREETING_PAUSE: Duration = Duration::from_millis(100);
/// An ingress that will not have us is asked again after this.
pub(super) const BARRED: Duration = Duration::from_secs(10);
/// Connections of an ingress that gave no lease for so long are aborted.
pub(super) const ORPHANED: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Asking, or about to ask again at the instant named.
    Greeting { again_at: Instant },
    /// Bytes flow.
    Live,
    /// Not wanted until the instant named; never again if superseded.
    Barred { until: Instant },
}

/// One link. Local links (within one process) have no liveness and need no lease.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) index: LinkIndex,
    pub(super) is_local: bool,
    pub(super) state: State,
    pub(super) numbering: Numbering,
    pub(super) liveness: Liveness,
    pub(super) lease: Lease,
    pub(super) outbox: Outbox,
    pub(super) ready: VecDeque<ConnectionId>,
    pub(super) owing: Vec<ConnectionId>,
    pub(super) ingress: Incarnation,
    pub(super) welcomed: Vec<Standing>,
    pub(super) greeted_at: Option<Instant>,
    pub(super) orphans_aborted: bool,
    /// What was disowned since the last batch; bounded.
    pub(super) disowned: Vec<(SessionId, Attempt)>,
}

impl Link {
    pub(super) fn new(index: LinkIndex, is_local: bool, now: Instant) -> Self {
        Self {
            index,
            is_local,
            state: State::Greeting { again_at: now },
            numbering: Numbering::default(),
            liveness: Liveness::new(now),
            lease: Lease::default(),
            outbox: Outbox::default(),
            ready: VecDeque::new(),
            owing: Vec::new(),
            ingress: Incarnation(0),
            welcomed: Vec::new(),
            greeted_at: None,
            orphans_aborted: false,
            disowned: Vec::new(),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    pub(super) const fn is_barred(&self) -> bool {
        matches!(self.state, State::Barred { .. })
    }

    /// Whether the destination may be written to for this link's sessions.
    pub(super) fn may_write(&self, now: Instant) -> bool {
        self.is_live() && self.has_lease(now)
    }

    /// Until when writing is allowed, if it is.
    pub(super) fn write_end(&self) -> Instant {
        if self.is_local { Instant::NEVER } else { self.lease.end() }
    }

    pub(super) fn has_lease(&self, now: Instant) -> bool {
        self.is_local || self.lease.holds(now)
    }

    /// Begins a new epoch.
    pub(super) fn new_epoch(&mut self, now: Instant) {
        self.numbering = Numbering::new(Epoch(self.numbering.epoch().0 + 1));
        self.outbox.clear();
        self.lease.new_epoch();
        self.welcomed.clear();
        self.liveness = Liveness::new(now);
        self.greeted_at = Some(now);
        self.state = State::Greeting { again_at: now + GREETING_TIMEOUT };
    }

    /// The epoch is spoilt: greet again, but no sooner than `pause` after the last greeting.
    pub(super) fn spoil(&mut self, pause: Duration, now: Instant) {
        let decent = self.greeted_at.map_or(now, |at| at + pause);
        self.state = State::Greeting { again_at: decent.max(now) };
    }

    /// Adds a frame to the batch in the making; before the link is live only a greeting may go out.
    pub(super) fn post(&mut self, frame: &Frame<'_>) {
        if self.is_live() {
            self.outbox.post(frame);
        }
    }

    /// Sends what was gathered. False if the socket refused it.
    pub(super) fn dispatch(&mut self, now: Instant, shell: &mut impl Shell) -> bool {
        while let Some(batch) = self.outbox.seal(&mut self.numbering) {
            self.liveness.sent(now);
            if !self.is_local {
                self.lease.sent(self.numbering.sent(), now);
            }
            if !shell.send(self.index, batch) {
                return false;
            }
        }
        true
    }

    pub(super) fn all_acknowledged(&self) -> bool {
        self.numbering.acknowledged() == self.numbering.sent()
    }
}
