//! The ingress's ends of its links, and who serves which destination.
//!
//! Owns each link's numbers, signs of life and queues, and counts the sessions placed on it: a new one goes to the
//! worker with the fewest. What a greeting means is decided in `greeting`.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::Shell;
use crate::{
    id::{DestinationIndex, Incarnation, Peer, RouteIndex, SessionId},
    link::{LEASE, Liveness, Numbering, Outbox},
    slab::Slab,
    time::Instant,
    wire::{Frame, Standing},
};

/// Links an ingress shard has at most.
const MAX_LINKS: usize = 1024;
/// A session may always have so many units outstanding, however full its link is: none starves another.
const RESERVE: u64 = 16 * 1024;

/// A link of this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LinkKey(pub(super) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Collecting the parts of HELLO.
    Greeting,
    /// Frames flow. A draining worker is given no new sessions.
    Live { draining: bool },
    /// A batch was lost, or could not be sent: waiting for HELLO.
    Broken,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerName {
    /// Its name.
    pub name: String,
    /// Which start of that name.
    pub incarnation: Incarnation,
    /// The route it serves a destination of.
    pub route: RouteIndex,
    /// That destination.
    pub destination: DestinationIndex,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: Peer,
    pub(super) worker: WorkerName,
    pub(super) state: State,
    /// It has been greeted at least once.
    pub(super) was_live: bool,
    pub(super) numbering: Numbering,
    pub(super) liveness: Liveness,
    /// When the newest batch came: it was sent no later, so the worker's lease ends a [`LEASE`] after this at the latest.
    pub(super) heard_at: Instant,
    pub(super) outbox: Outbox,
    pub(super) standings: Vec<Standing>,
    pub(super) ready: VecDeque<SessionId>,
    /// Those with something to send that the link's window keeps back.
    pub(super) parked: VecDeque<SessionId>,
    pub(super) owing: Vec<SessionId>,
    pub(super) sessions: usize,
    /// Units sent and not known to be written, over all its sessions.
    pub(super) outstanding: u64,
    /// Sessions disowned since the last batch; bounded.
    pub(super) disowned: Vec<SessionId>,
}

impl Link {
    pub(super) fn new(peer: Peer, worker: WorkerName, numbering: Numbering, now: Instant) -> Self {
        Self {
            peer,
            worker,
            state: State::Greeting,
            was_live: false,
            numbering,
            liveness: Liveness::new(now),
            heard_at: now,
            outbox: Outbox::default(),
            standings: Vec::new(),
            ready: VecDeque::new(),
            parked: VecDeque::new(),
            owing: Vec::new(),
            sessions: 0,
            outstanding: 0,
            disowned: Vec::new(),
        }
    }

    pub(super) const fn is_live(&self) -> bool {
        matches!(self.state, State::Live { .. })
    }

    /// Until when its worker may write, unless it has said that it no longer does.
    pub(super) fn lease_end(&self) -> Instant {
        self.heard_at + LEASE
    }

    /// Whether a lane with so many units outstanding may send, when the link's window is this.
    pub(super) const fn has_room(&self, window: u64, unwritten: u64) -> bool {
        self.outstanding < window || unwritten < RESERVE
    }

    /// Those that waited for the link's window get their turn.
    pub(super) fn unpark(&mut self) {
        self.ready.append(&mut self.parked);
    }

    /// Sends what was gathered. False if the socket refused it.
    pub(super) fn dispatch(&mut self, now: Instant, shell: &mut impl Shell) -> bool {
        while let Some(batch) = self.outbox.seal(&mut self.numbering) {
            self.liveness.sent(now);
            if !shell.send(self.peer, batch) {
                return false;
            }
        }
        true
    }
}

/// All links of the shard.
#[derive(Debug)]
pub(super) struct Links {
    table: Slab<Link>,
    by_peer: FxHashMap<Peer, LinkKey>,
    window: u64,
    pub(super) is_local: bool,
    pub(super) look_at: Instant,
}

impl Links {
    pub(super) fn new(window: u64, is_local: bool, now: Instant) -> Self {
        Self { table: Slab::new(MAX_LINKS), by_peer: FxHashMap::default(), window, is_local, look_at: now }
    }

    pub(super) fn of_peer(&self, peer: Peer) -> Option<LinkKey> {
        self.by_peer.get(&peer).copied()
    }

    pub(super) fn at(&self, key: LinkKey) -> Option<&Link> {
        self.table.at(key.0)
    }

    pub(super) fn at_mut(&mut self, key: LinkKey) -> Option<&mut Link> {
        self.table.at_mut(key.0)
    }

    pub(super) fn insert(&mut self, link: Link) -> Option<LinkKey> {
        let peer = link.peer;
        let key = LinkKey(self.table.insert_with(|_| link)?);
        self.by_peer.insert(peer, key);
        Some(key)
    }

    pub(super) fn remove(&mut self, key: LinkKey) -> Option<Link> {
        let link = self.table.remove(key.0)?;
        self.by_peer.remove(&link.peer);
        Some(link)
    }

    /// The link behind this one, or the first.
    pub(super) fn next_after(&self, key: Option<LinkKey>) -> Option<LinkKey> {
        self.table.next_after(key.map(|key| key.0)).map(LinkKey)
    }

    pub(super) fn keys(&self) -> Vec<LinkKey> {
        self.table.ids().into_iter().map(LinkKey).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkKey, &Link)> {
        self.table.iter().map(|(id, link)| (LinkKey(id), link))
    }

    /// The other links of workers with this name; not those that have never got as far as WELCOME.
    pub(super) fn namesakes(
        &self,
        key: LinkKey,
        worker: &WorkerName,
    ) -> impl Iterator<Item = (LinkKey, &Link)> {
        self.iter().filter(move |(other, link)| {
            *other != key
                && link.was_live
                && (&link.worker.name, link.worker.route, link.worker.destination)
                    == (&worker.name, worker.route, worker.destination)
        })
    }

    /// The link with the fewest sessions among those whose workers serve this destination.
    pub(super) fn place(&mut self, route: RouteIndex, destination: DestinationIndex) -> Option<LinkKey> {
        let (key, _) = self
            .iter()
            .filter(|(_, link)| (link.worker.route, link.worker.destination) == (route, destination))
            .filter(|(_, link)| link.state == State::Live { draining: false })
            .min_by_key(|(_, link)| link.sessions)?;
        self.table.at_mut(key.0)?.sessions += 1;
        Some(key)
    }

    /// Whether this link's worker is draining and another one could take its sessions.
    pub(super) fn has_successor(&self, key: LinkKey) -> bool {
        let Some(draining) = self.at(key).filter(|link| link.state == State::Live { draining: true }) else {
            return false;
        };
        let (route, destination) = (draining.worker.route, draining.worker.destination);
        self.iter().any(|(_, link)| {
            (link.worker.route, link.worker.destination) == (route, destination)
                && link.state == State::Live { draining: false }
        })
    }

    /// A session is no longer on this link; it had so many units outstanding there.
    pub(super) fn release(&mut self, key: LinkKey, unwritten: u64) {
        if let Some(link) = self.at_mut(key) {
            link.sessions -= 1;
        }
        self.settle(key, unwritten);
    }

    /// So many units were written or given up: those that waited for the link's window may go on.
    pub(super) fn settle(&mut self, key: LinkKey, units: u64) {
        if let Some(link) = self.at_mut(key) {
            link.outstanding -= units;
            if units > 0 {
                link.unpark();
            }
        }
    }

    /// Adds a frame to the link's batch, if the link is live: what a broken link misses, its next greeting makes good.
    pub(super) fn post(&mut self, key: LinkKey, frame: &Frame<'_>) {
        if let Some(link) = self.at_mut(key).filter(|link| link.is_live()) {
            link.outbox.post(frame);
        }
    }

    pub(super) fn push_ready(&mut self, key: LinkKey, session: SessionId) {
        if let Some(link) = self.at_mut(key) {
            link.ready.push_back(session);
        }
    }

    pub(super) fn push_owing(&mut self, key: LinkKey, session: SessionId) {
        if let Some(link) = self.at_mut(key) {
            link.owing.push(session);
        }
    }

    pub(super) const fn window(&self) -> u64 {
        self.window
    }
}
