//! What a connection of datagrams does differently (S11).
//!
//! A datagram is sent in one piece or not yet. One that the kernel will never send is done with, and told as shed. A
//! refusal by the destination's machine is told to the operator and changes nothing.

use bytes::Bytes;

use super::{
    Notice, Sent, Shell, Worker, Wrote,
    connection::{Connection, unseen},
};
use crate::{
    counters::Tally,
    credit::{Accept, Chunk, FRAME_COST, datagram_chunks},
    id::ConnectionId,
    wire::{Cuts, Frame},
    worker::Effect,
};

/// What came in DATA.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagrams<'a> {
    pub(super) position: u64,
    pub(super) cuts: Cuts<'a>,
    pub(super) payload: &'a [u8],
}

impl Datagrams<'_> {
    fn cost(&self) -> u64 {
        (1 + self.cuts.len() as u64) * FRAME_COST + self.payload.len() as u64
    }

    fn chunk(&self) -> Chunk {
        Chunk::new(Bytes::copy_from_slice(self.payload), true, true, self.cuts.iter().collect())
    }
}

impl Connection {
    /// Sends datagrams straight from their batch, if nothing waits before them. What `send` does not take is copied out.
    pub(super) fn on_datagrams(
        &mut self,
        datagrams: Datagrams<'_>,
        ends: &mut Vec<u32>,
        may_write: bool,
        send: impl FnOnce(&[u32]) -> Sent,
    ) -> Result<Wrote, Accept> {
        let skip = match self.inbound.accept(datagrams.position, datagrams.cost()) {
            Accept::Take { skip } => skip,
            Accept::Seen => return Ok(Wrote::default()),
            fault => return Err(fault),
        };
        if skip > 0 || !self.backlog.is_empty() || !may_write || !self.is_open() {
            let chunk = datagrams.chunk();
            self.backlog.push_back(if skip > 0 { unseen_datagrams(chunk, skip)? } else { chunk });
            return Ok(Wrote::default());
        }
        list_ends(datagrams.cuts.iter(), datagrams.payload.len(), ends);
        let sent = send(ends);
        if sent.done == ends.len() {
            return Ok(self.count_sent(ends, sent));
        }
        let mut chunk = datagrams.chunk();
        let wrote = self.count_sent(ends, sent);
        if sent.done > 0 {
            chunk = chunk.split_off(ends[sent.done - 1] as usize);
        }
        self.backlog.push_back(chunk);
        Ok(wrote)
    }

    /// Counts the first of the datagrams that end at `ends` as written.
    fn count_sent(&mut self, ends: &[u32], sent: Sent) -> Wrote {
        let bytes = ends[..sent.done].last().map_or(0, |&end| u64::from(end));
        let mut tally = Tally::new(sent.done as u64, bytes);
        self.inbound.wrote(tally.frames * FRAME_COST + tally.bytes);
        tally -= sent.unsendable;
        Wrote { tally, unsendable: sent.unsendable, shut: false }
    }

    /// Sends what waits, as far as `send` takes it.
    pub(super) fn send_backlog(&mut self, mut send: impl FnMut(&[u8], &[u32]) -> Sent) -> Wrote {
        let (mut progress, mut ends) = (Wrote::default(), Vec::new());
        if !self.is_open() {
            return progress;
        }
        while let Some(mut chunk) = self.backlog.pop_front() {
            list_ends(chunk.cuts().iter().copied(), chunk.len(), &mut ends);
            let sent = send(chunk.bytes(), &ends);
            let wrote = self.count_sent(&ends, sent);
            progress.tally += wrote.tally;
            progress.unsendable += wrote.unsendable;
            if sent.done < ends.len() {
                if sent.done > 0 {
                    chunk = chunk.split_off(ends[sent.done - 1] as usize);
                }
                self.backlog.push_front(chunk);
                return progress;
            }
        }
        progress.shut = self.shut_if_finished();
        progress
    }
}

impl Worker {
    /// The destination said datagrams: those that end at `ends` in `bytes`. Pauses reading when the session's backward
    /// window is spent.
    pub fn on_datagrams(&mut self, id: ConnectionId, bytes: &Bytes, ends: &[u32], shell: &mut impl Shell) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        self.counters.received_bytes += bytes.len() as u64;
        self.counters.received_datagrams += ends.len() as u64;
        if connection.outbound.has_finished() {
            return;
        }
        for chunk in datagram_chunks(bytes, ends) {
            connection.outbound.push(chunk);
        }
        self.pause_reads_if_full(id, shell);
        self.make_ready(id);
    }

    /// The destination's machine says, so many times, that nobody takes our datagrams there.
    pub fn on_refusals(&mut self, id: ConnectionId, count: u64, shell: &mut impl Shell) {
        if self.connections.at(id.0).is_some() {
            self.counters.refusals += count;
            shell.effect(Effect::Notice(Notice::Refusing));
        }
    }

    /// The ingress has said its last word. A destination of datagrams cannot be told, and will not say so itself.
    pub(super) fn shut_down(&mut self, id: ConnectionId, shell: &mut impl Shell) {
        if self.settings.has_datagrams {
            return self.on_fin(id);
        }
        shell.effect(Effect::ShutDown { connection: id });
    }

    /// What was told as written, or is about to be, was not sent: the ingress hears both together.
    pub(super) fn on_unsendable(&mut self, id: ConnectionId, tally: Tally, shell: &mut impl Shell) {
        self.counters.unsendable += tally;
        shell.effect(Effect::Notice(Notice::Unsendable { datagrams: tally.frames }));
        if let Some(connection) = self.connections.at_mut(id.0) {
            connection.unsendable += tally;
        }
        self.tell_unsendable(id);
    }

    /// Tells how much in all could not be sent, if anything, behind what tells it as written. Once a link is live again, once
    /// more: the ingress may not have heard it.
    pub(super) fn tell_unsendable(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.at(id.0) else { return };
        let (order, Tally { frames, bytes }) = (connection.order, connection.unsendable);
        if frames == 0 || !self.links[order.link.0 as usize].is_live() {
            return;
        }
        self.grant(id);
        let (session, attempt) = (order.session, order.attempt);
        self.links[order.link.0 as usize].post(&Frame::Shed { session, attempt, frames, bytes });
    }
}

/// What is left of datagrams whose first `units` were seen before. Who cuts one in two lies.
fn unseen_datagrams(chunk: Chunk, units: u64) -> Result<Chunk, Accept> {
    let rest = unseen(chunk, units)?;
    if rest.starts() { Ok(rest) } else { Err(Accept::Gap) }
}

fn list_ends(cuts: impl Iterator<Item = u32>, len: usize, ends: &mut Vec<u32>) {
    ends.clear();
    ends.extend(cuts.chain([len as u32]));
}
