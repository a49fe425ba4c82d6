//! One connection to the destination: one attempt of one session.
//!
//! Owns what has come for the destination and is not yet written, and what the destination said and the ingress has not
//! yet taken. It never waits: what the kernel refuses is kept, bounded by the session's window.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use crate::{
    counters::Tally,
    credit::{Accept, Chunk, FIN_COST, Inbound, Keep, Outbound, Takes},
    id::{Attempt, LinkIndex, SessionId},
    time::Instant,
    wire::{Patience, Phase, Standing},
};

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// For the destination to come back.
    Waiting,
    /// The kernel is connecting.
    Connecting { since: Instant },
    /// Bytes flow.
    Open { since: Instant },
}

/// What an OPEN asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) link: LinkIndex,
    pub(super) session: SessionId,
    pub(super) attempt: Attempt,
    pub(super) position: u64,
    pub(super) limit: u64,
    pub(super) window: u64,
    pub(super) patience: Patience,
    pub(super) timeout: Duration,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own: two of the stream, three of the queues it is in"
)]
pub(super) struct Connection {
    pub(super) order: Order,
    pub(super) state: State,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    // Invariant: its cost is inbound.received - inbound.written, but for FIN.
    pub(super) backlog: VecDeque<Chunk>,
    fin_received: bool,
    /// Datagrams that count as written, but were not sent.
    pub(super) unsendable: Tally,
    /// Our side of the destination's connection is shut.
    pub(super) is_shut: bool,
    pub(super) reads_paused: bool,
    /// It stands in its link's queue of those with something to send.
    pub(super) is_ready: bool,
    /// It stands in its link's list of those that owe a GRANT at once.
    pub(super) is_owing: bool,
    /// It stands in the worker's list of those whose GRANT may wait.
    pub(super) is_lagging: bool,
}

/// What a pass of writes did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wrote {
    pub(super) tally: Tally,
    /// Datagrams that count as written, but were not sent.
    pub(super) unsendable: Tally,
    /// Everything, FIN included, is out: the connection's write side is to be shut.
    pub(super) shut: bool,
}

impl Connection {
    pub(super) fn new(order: Order, state: State, keep: Keep, has_datagrams: bool) -> Self {
        let outbound = Outbound::new(0, order.limit, keep);
        Self {
            inbound: Inbound::new(order.position, order.window, Takes::Written),
            outbound: if has_datagrams { outbound.of_datagrams() } else { outbound },
            order,
            state,
            backlog: VecDeque::new(),
            fin_received: false,
            unsendable: Tally::ZERO,
            is_shut: false,
            reads_paused: false,
            is_ready: false,
            is_owing: false,
            is_lagging: false,
        }
    }

    pub(super) const fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting { .. })
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    pub(super) fn standing(&mut self) -> Standing {
        let totals = self.inbound.announce();
        Standing {
            session: self.order.session,
            attempt: self.order.attempt,
            phase: if self.is_open() { Phase::Open } else { Phase::Connecting },
            received: self.inbound.received(),
            written: totals.written,
            limit: totals.limit,
        }
    }

    /// Both FINs are through and the ingress has taken ours.
    pub(super) fn is_over(&self) -> bool {
        self.is_shut && self.outbound.is_done()
    }

    /// What waits is what was received and not written; who may be read is read.
    pub(super) fn audit(&self) {
        let backlog: u64 = self.backlog.iter().map(Chunk::cost).sum();
        let fin = if self.fin_received && !self.is_shut { FIN_COST } else { 0 };
        assert_eq!(self.inbound.received() - self.inbound.written(), backlog + fin, "what waits");
        assert!(backlog <= self.order.window, "more waits than was permitted");
        assert!(
            !self.reads_paused || self.outbound.end() >= self.outbound.limit(),
            "reads are paused for nothing"
        );
    }

    /// Takes a chunk that came in DATA; `payload` is borrowed from its batch. What `write` does not take is copied out.
    pub(super) fn on_data(
        &mut self,
        position: u64,
        cost: u64,
        payload: &[u8],
        chunk: impl FnOnce(Bytes) -> Chunk,
        may_write: bool,
        write: impl FnOnce(&[u8]) -> usize,
    ) -> Result<Wrote, Accept> {
        let skip = match self.inbound.accept(position, cost) {
            Accept::Take { skip } => skip,
            Accept::Seen => return Ok(Wrote::default()),
            fault => return Err(fault),
        };
        if skip == 0 && self.backlog.is_empty() && may_write && self.is_open() {
            return Ok(self.write_through(payload, chunk, cost, write));
        }
        let chunk = chunk(Bytes::copy_from_slice(payload));
        self.backlog.push_back(if skip > 0 { unseen(chunk, skip)? } else { chunk });
        Ok(Wrote::default())
    }

    fn write_through(
        &mut self,
        payload: &[u8],
        chunk: impl FnOnce(Bytes) -> Chunk,
        cost: u64,
        write: impl FnOnce(&[u8]) -> usize,
    ) -> Wrote {
        let taken = write(payload);
        if taken == payload.len() {
            self.inbound.wrote(cost);
            // Every start in the chunk costs the same, so the frames follow from the cost.
            let bytes = payload.len() as u64;
            return Wrote {
                tally: Tally::new((cost - bytes) / crate::credit::FRAME_COST, bytes),
                ..Wrote::default()
            };
        }
        let mut chunk = chunk(Bytes::copy_from_slice(payload));
        let progress = self.count(&mut chunk, taken);
        self.backlog.push_back(chunk);
        progress
    }

    /// Takes the first `taken` bytes off `chunk`, as written.
    fn count(&mut self, chunk: &mut Chunk, taken: usize) -> Wrote {
        self.inbound.wrote(chunk.cost_of(taken));
        let tally = chunk.tally_of(taken);
        if taken > 0 && taken < chunk.len() {
            *chunk = chunk.split_off(taken);
        }
        Wrote { tally, ..Wrote::default() }
    }

    pub(super) fn on_fin(&mut self, position: u64) -> Result<(), Accept> {
        match self.inbound.accept_fin(position) {
            Accept::Take { .. } => self.fin_received = true,
            Accept::Seen => {}
            fault => return Err(fault),
        }
        Ok(())
    }

    /// Writes what waits, as far as `write` takes it.
    pub(super) fn write_backlog(&mut self, mut write: impl FnMut(&[u8]) -> usize) -> Wrote {
        let mut progress = Wrote::default();
        if !self.is_open() {
            return progress;
        }
        while let Some(mut chunk) = self.backlog.pop_front() {
            let taken = write(chunk.bytes());
            let whole = taken == chunk.len();
            progress.tally += self.count(&mut chunk, taken).tally;
            if !whole {
                self.backlog.push_front(chunk);
                return progress;
            }
        }
        progress.shut = self.shut_if_finished();
        progress
    }

    /// Everything is written: if FIN has come too, our side is shut.
    pub(super) fn shut_if_finished(&mut self) -> bool {
        let is_last = self.fin_received && !self.is_shut;
        if is_last {
            self.is_shut = true;
            self.inbound.wrote(FIN_COST);
        }
        is_last
    }
}

/// What is left of a chunk whose first `units` were seen before. Who cut the stream inside a frame's start lies.
pub(super) fn unseen(mut chunk: Chunk, units: u64) -> Result<Chunk, Accept> {
    let seen = chunk.bytes_within(units);
    if seen == 0 || seen == chunk.len() || chunk.cost_of(seen) != units {
        return Err(Accept::Gap);
    }
    Ok(chunk.split_off(seen))
}
