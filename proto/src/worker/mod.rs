//! The worker: everything a fanout shard decides.
//!
//! A worker serves one destination. Ingresses OPEN sessions over links; for each it holds one [`connection`], writes what
//! comes in order while its lease holds, and sends back what the destination says. It runs no codec and knows nothing of
//! other destinations. Inputs are method calls with `now`; what it wants done goes to the [`Shell`].
//!
//! Reading order: [`Shell`] and [`Effect`], the `on_*` inputs here, `frames` (what the ingress says), `greeting`.

mod audit;
mod connection;
mod counters;
mod datagram;
mod flush;
mod frames;
mod greeting;
mod link;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use connection::{Connection, State, Wrote};
pub use counters::Counters;
use link::Link;
use rustc_hash::FxHashMap;

use crate::{
    backoff::Backoff,
    counters::Tally,
    id::{Attempt, ConnectionId, Incarnation, LinkIndex, SessionId},
    outage::{Change, Outage},
    slab::Slab,
    time::Instant,
    wire::{Bye, Cause, Frame, Patience},
};

/// What a worker is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This shard's name, unique among the workers of the destination.
    pub name: String,
    /// Which start of that name.
    pub incarnation: Incarnation,
    /// `route/destination`.
    pub destination: String,
    /// Fingerprint of the destination's settings.
    pub fingerprint: u64,
    /// Whether the destination is sent datagrams and not a stream.
    pub has_datagrams: bool,
    /// Connections it holds at most.
    pub max_connections: usize,
    /// Units one session may have outstanding at most; an OPEN with a larger window is refused.
    pub max_window: u64,
    /// The shortest wait between two probes of a destination that is away.
    pub backoff_min: Duration,
    /// The longest.
    pub backoff_max: Duration,
}

/// What the worker has done for it, or asks.
pub trait Shell {
    /// Writes to a destination's connection; returns how many bytes the kernel took. An error is reported as `on_reset`
    /// later and takes none.
    ///
    /// None are to be taken at `until` or later. The shell looks at the clock right before it asks the kernel: a process
    /// that was stopped since the input began must not write with a lease that is over.
    fn write(&mut self, connection: ConnectionId, bytes: &[u8], until: Instant) -> usize;
    /// Sends datagrams to a destination, those that end at `ends` in `bytes`; none at `until` or later, as above. What it
    /// does not take is asked for again after `on_writable`.
    fn write_datagrams(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        ends: &[u32],
        until: Instant,
    ) -> Sent;
    /// Sends a batch; false if the socket refused it.
    fn send(&mut self, link: LinkIndex, batch: Vec<u8>) -> bool;
    /// Any number, each as likely.
    fn random(&mut self) -> u64;
    /// Does one of these.
    fn effect(&mut self, effect: Effect);
}

/// What became of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// So many of them, from the first on, are done with.
    pub done: usize,
    /// Those among them that the kernel would not send.
    pub unsendable: Tally,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum Effect {
    /// Connect to the destination, and answer with `on_connected` or `on_connect_failed`.
    Connect { connection: ConnectionId, timeout: Duration },
    /// Shut down the writing half.
    ShutDown { connection: ConnectionId },
    /// Close and forget, in order or with a reset. No input about it is awaited.
    Close { connection: ConnectionId, abort: bool },
    /// Stop reading from it.
    PauseReads { connection: ConnectionId },
    /// Go on reading from it.
    ResumeReads { connection: ConnectionId },
    /// The ingress behind this link has these link ports, this link's among them.
    Ports { link: LinkIndex, ports: Vec<u16> },
    /// Tell the operator.
    Notice(Notice),
}

/// Whose connection one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub struct Owner {
    pub link: LinkIndex,
    pub ingress: Incarnation,
    pub session: SessionId,
    pub attempt: Attempt,
}

/// What an operator may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum Notice {
    /// A link is up.
    Linked { link: LinkIndex },
    /// A link broke; it is greeted again.
    LinkLost { link: LinkIndex, why: &'static str },
    /// The ingress will not have us.
    Barred { link: LinkIndex, reason: Bye, version: u16 },
    /// No WELCOME for too long: the connections of its sessions were aborted.
    Orphaned { link: LinkIndex, connections: usize },
    /// The destination cannot be reached.
    Away { cause: Cause },
    /// It can again.
    Back,
    /// Its machine says that nobody takes our datagrams there. The connection goes on.
    Refusing,
    /// The kernel would not send some datagrams.
    Unsendable { datagrams: u64 },
}

/// The machine.
#[derive(Debug)]
pub struct Worker {
    settings: Settings,
    links: Vec<Link>,
    connections: Slab<Connection>,
    index: FxHashMap<(LinkIndex, SessionId), ConnectionId>,
    outage: Outage,
    last_failure: Cause,
    waiting: VecDeque<ConnectionId>,
    lagging: Vec<ConnectionId>,
    lag_at: Option<Instant>,
    look_at: Instant,
    counters: Counters,
    /// Where the datagrams at hand end; kept to save an allocation each time.
    ends: Vec<u32>,
    is_draining: bool,
}

impl Worker {
    /// A worker without links.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let outage = Outage::new(Backoff::new(settings.backoff_min, settings.backoff_max));
        Self {
            connections: Slab::new(settings.max_connections),
            settings,
            links: Vec::new(),
            index: FxHashMap::default(),
            outage,
            last_failure: Cause::Other,
            waiting: VecDeque::new(),
            lagging: Vec::new(),
            lag_at: None,
            look_at: now,
            counters: Counters::default(),
            ends: Vec::new(),
            is_draining: false,
        }
    }

    /// A socket to an ingress shard was connected: greets. `is_local`: within this process.
    pub fn on_dialled(&mut self, is_local: bool, now: Instant, shell: &mut impl Shell) -> LinkIndex {
        let index = LinkIndex(self.links.len() as u16);
        self.links.push(Link::new(index, is_local, now));
        self.greet(index, now, shell);
        index
    }

    /// The destination took the connection.
    pub fn on_connected(&mut self, id: ConnectionId, now: Instant, shell: &mut impl Shell) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        let State::Connecting { since: begun_at } = connection.state else { return };
        connection.state = State::Open { since: now };
        self.counters.connections += 1;
        let (order, limit) = (connection.order, connection.inbound.limit());
        self.links[order.link.0 as usize].post(&Frame::Opened {
            session: order.session,
            attempt: order.attempt,
            limit,
        });
        if self.outage.on_connected(begun_at, now) == Some(Change::Back) {
            shell.effect(Effect::Notice(Notice::Back));
        }
        self.write(id, now, shell);
    }

    /// The destination did not take the connection.
    pub fn on_connect_failed(
        &mut self,
        id: ConnectionId,
        cause: Cause,
        now: Instant,
        shell: &mut impl Shell,
    ) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        self.counters.connect_failures += 1;
        let order = connection.order;
        if order.patience == Patience::Patient {
            connection.state = State::Waiting;
            self.waiting.push_back(id);
        } else {
            self.refuse(order.link, order.session, order.attempt, cause);
            self.forget(id, now);
        }
        self.note_failure(cause, None, now, shell);
    }

    /// The destination said something. Pauses reading when the session's backward window is spent.
    pub fn on_bytes(&mut self, id: ConnectionId, bytes: Bytes, shell: &mut impl Shell) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        self.counters.received_bytes += bytes.len() as u64;
        connection.outbound.push(crate::credit::Chunk::unframed(bytes));
        self.pause_reads_if_full(id, shell);
        self.make_ready(id);
    }

    fn pause_reads_if_full(&mut self, id: ConnectionId, shell: &mut impl Shell) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        if connection.outbound.end() >= connection.outbound.limit() && !connection.reads_paused {
            connection.reads_paused = true;
            shell.effect(Effect::PauseReads { connection: id });
        }
    }

    /// The destination will say nothing more.
    pub fn on_fin(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        connection.outbound.finish();
        self.make_ready(id);
    }

    /// The connection broke. `unconfirmed`: bytes the kernel had taken and the destination had not acknowledged.
    pub fn on_reset(
        &mut self,
        id: ConnectionId,
        cause: Cause,
        unconfirmed: u64,
        now: Instant,
        shell: &mut impl Shell,
    ) {
        let Some(connection) = self.connections.at(id.0) else { return };
        let since = if let State::Open { since } = connection.state { Some(since) } else { None };
        let order = connection.order;
        self.counters.resets += 1;
        self.counters.unconfirmed_bytes += unconfirmed;
        let reset = Frame::Reset { session: order.session, attempt: order.attempt, cause, unconfirmed };
        self.flush_connection(id);
        self.links[order.link.0 as usize].post(&reset);
        self.forget(id, now);
        self.note_failure(cause, since, now, shell);
    }

    /// The kernel takes bytes again.
    pub fn on_writable(&mut self, id: ConnectionId, now: Instant, shell: &mut impl Shell) {
        self.write(id, now, shell);
    }

    /// Takes no new sessions from now on.
    pub fn drain(&mut self) {
        self.is_draining = true;
        for link in &mut self.links {
            link.post(&Frame::Drain);
        }
    }

    /// Says goodbye on all links: the sessions go to other workers at once, and nothing is written any more.
    pub fn leave(&mut self, now: Instant, shell: &mut impl Shell) {
        for link in &mut self.links {
            link.post(&Frame::Bye { reason: Bye::Leaving, version: crate::wire::VERSION });
        }
        self.flush(now, shell);
        for link in &mut self.links {
            link.state = link::State::Barred { until: Instant::NEVER };
        }
    }

    /// Whether it holds no connection.
    pub fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    /// Connections it holds.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whose connection this is, as long as it is held.
    pub fn owner(&self, id: ConnectionId) -> Option<Owner> {
        let order = self.connections.at(id.0)?.order;
        let (link, session, attempt) = (order.link, order.session, order.attempt);
        Some(Owner { link, ingress: self.links[link.0 as usize].ingress, session, attempt })
    }

    /// Whether the destination is away.
    pub const fn is_away(&self) -> bool {
        self.outage.is_away()
    }

    /// What it has counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn note_failure(&mut self, cause: Cause, since: Option<Instant>, now: Instant, shell: &mut impl Shell) {
        self.last_failure = cause;
        if self.outage.on_failure(now, since, shell.random()) == Some(Change::Away) {
            self.counters.outages += 1;
            shell.effect(Effect::Notice(Notice::Away { cause }));
        }
    }

    /// Writes what waits for one connection, if it may.
    fn write(&mut self, id: ConnectionId, now: Instant, shell: &mut impl Shell) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        let link = &self.links[connection.order.link.0 as usize];
        if !link.may_write(now) {
            return;
        }
        let until = link.write_end();
        let wrote = if self.settings.has_datagrams {
            connection.send_backlog(|bytes, ends| shell.write_datagrams(id, bytes, ends, until))
        } else {
            connection.write_backlog(|bytes| shell.write(id, bytes, until))
        };
        self.after_write(id, wrote, now, shell);
    }

    fn after_write(&mut self, id: ConnectionId, wrote: Wrote, now: Instant, shell: &mut impl Shell) {
        self.counters.delivered += wrote.tally;
        if wrote.shut {
            self.shut_down(id, shell);
        }
        self.note_progress(id, now);
        if !wrote.unsendable.is_zero() {
            self.on_unsendable(id, wrote.unsendable, shell);
        }
        self.close_if_over(id, now, shell);
    }

    fn close_if_over(&mut self, id: ConnectionId, now: Instant, shell: &mut impl Shell) {
        if self.connections.at(id.0).is_some_and(Connection::is_over) {
            self.flush_connection(id);
            self.forget(id, now);
            shell.effect(Effect::Close { connection: id, abort: false });
        }
    }

    /// Ends a connection that the ingress no longer wants.
    fn close(&mut self, id: ConnectionId, abort: bool, now: Instant, shell: &mut impl Shell) {
        let Some(connection) = self.connections.at(id.0) else { return };
        if connection.state != State::Waiting {
            shell.effect(Effect::Close { connection: id, abort });
        }
        self.forget(id, now);
    }

    fn forget(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.remove(id.0) else { return };
        self.index.remove(&(connection.order.link, connection.order.session));
        if connection.is_connecting() && self.outage.is_away() {
            self.outage.on_probe_abandoned(now);
        }
        if self.waiting.len() > 2 * self.connections.len() + 64 {
            self.waiting.retain(|id| self.connections.at(id.0).is_some());
        }
    }
}

#[cfg(test)]
mod tests;
