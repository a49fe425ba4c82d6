//! The sender's side of one direction of one session: what is kept, what is sent, what may be sent.
//!
//! ```text
//!      base       written          sent          end       limit
//!  ─────┼────────────┼───────────────┼─────────────┼──────────┼────▶
//!       │◀──────── chunks ───────────┼────────────▶│
//!       │          sent and kept     │   unsent    │
//! ```
//!
//! It promises that nothing not yet taken is forgotten (unless told to keep nothing), that nothing is sent beyond the
//! limit, that `in_flight` is the sum of what is held and not known to be written, and that no datagram is ever cut.

use std::collections::VecDeque;

use super::{Chunk, FIN_COST};
use crate::counters::Tally;

/// What a sender keeps of what it has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: the link cannot lose it.
    Nothing,
    /// What is not yet taken.
    Untaken,
    /// The same, back to the start of the frame that holds the first unit not taken, as long as that is at most so many
    /// units away.
    FrameStart(u64),
}

/// The receiver claims more than was sent: it does not speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeyondSent;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    Open,
    Queued,
    Sent,
}

/// The sender's queue and totals for one direction.
#[derive(Debug)]
pub struct Outbound {
    chunks: VecDeque<Chunk>,
    // Invariant: base <= written <= sent <= end + FIN, and base is where chunks[0] begins.
    base: u64,
    written: u64,
    taken: u64,
    sent: u64,
    end: u64,
    limit: u64,
    // Invariant: chunks[..next] are sent, chunks[next..] are not.
    next: usize,
    fin: Fin,
    keep: Keep,
    /// A frame is sent in one piece or not yet.
    is_of_datagrams: bool,
    in_flight: Tally,
}

impl Outbound {
    /// A direction that begins at `position` and may be sent up to `limit`.
    pub fn new(position: u64, limit: u64, keep: Keep) -> Self {
        Self {
            chunks: VecDeque::new(),
            base: position,
            written: position,
            taken: position,
            sent: position,
            end: position,
            limit,
            next: 0,
            fin: Fin::Open,
            keep,
            is_of_datagrams: false,
            in_flight: Tally::ZERO,
        }
    }

    /// The same, of datagrams: each chunk is whole frames, and they stay whole. An empty one is a chunk of its own.
    pub fn of_datagrams(self) -> Self {
        Self { is_of_datagrams: true, ..self }
    }

    /// Where the next pushed chunk will begin.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Units pushed and not known to be written.
    pub const fn outstanding(&self) -> u64 {
        (self.end + if matches!(self.fin, Fin::Open) { 0 } else { FIN_COST }).saturating_sub(self.written)
    }

    /// Units sent and not known to be written.
    pub const fn unwritten(&self) -> u64 {
        self.sent - self.written
    }

    /// What is held for the receiver and not known to be written.
    pub const fn in_flight(&self) -> Tally {
        self.in_flight
    }

    /// How far the receiver lets us send.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether there is something to send and permission to.
    pub fn can_send(&self) -> bool {
        match self.chunks.get(self.next) {
            Some(chunk) if self.is_of_datagrams => chunk.first_frame_cost() <= self.permitted(),
            Some(chunk) => self.limit > self.sent && chunk.cost_of(1) <= self.limit - self.sent,
            None => self.fin == Fin::Queued,
        }
    }

    /// Whether something waits to be sent.
    pub fn has_unsent(&self) -> bool {
        self.next < self.chunks.len() || self.fin == Fin::Queued
    }

    /// Whether nothing may be pushed any more.
    pub fn has_finished(&self) -> bool {
        self.fin != Fin::Open
    }

    /// Whether everything up to and with FIN is taken.
    pub fn is_done(&self) -> bool {
        self.fin == Fin::Sent && self.taken.max(self.written) == self.end + FIN_COST
    }

    /// Queues a chunk.
    pub fn push(&mut self, mut chunk: Chunk) {
        debug_assert!(self.fin == Fin::Open, "nothing follows FIN");
        if self.keep != Keep::Nothing || self.has_unsent() {
            chunk.compact();
        }
        self.end += chunk.cost();
        self.in_flight += chunk.tally();
        self.chunks.push_back(chunk);
    }

    /// The frame in progress at the end is over, though no byte of it says so.
    pub fn end_frame(&mut self) {
        if let Some(last) = self.chunks.back_mut() {
            last.end_here();
        }
    }

    /// Queues FIN.
    pub fn finish(&mut self) {
        self.end_frame();
        if self.fin == Fin::Open {
            self.fin = Fin::Queued;
        }
    }

    const fn permitted(&self) -> u64 {
        self.limit.saturating_sub(self.sent)
    }

    /// Hands the next chunk to `write`, with its position, if there is one and permission for at least its first byte (or
    /// datagram); at most `quantum` units of it, or one datagram. Returns the units sent.
    pub fn send(&mut self, quantum: u64, write: impl FnOnce(u64, &Chunk)) -> Option<u64> {
        let (permitted, is_of_datagrams) = (self.permitted(), self.is_of_datagrams);
        let chunk = self.chunks.get_mut(self.next)?;
        if chunk.cost() > permitted.min(quantum) {
            let fits = if is_of_datagrams {
                chunk.datagrams_within(permitted, quantum)
            } else {
                Some(chunk.bytes_within(permitted.min(quantum))).filter(|&fits| fits > 0)
            }?;
            if fits < chunk.len() {
                let rest = chunk.split_off(fits);
                self.chunks.insert(self.next + 1, rest);
            }
        }
        let chunk = &mut self.chunks[self.next];
        write(self.sent, chunk);
        let cost = chunk.cost();
        if self.keep == Keep::Nothing {
            chunk.release();
        }
        self.sent += cost;
        self.next += 1;
        Some(cost)
    }

    /// FIN's position, once, when it is FIN's turn.
    pub fn send_fin(&mut self) -> Option<u64> {
        if self.fin != Fin::Queued || self.next < self.chunks.len() {
            return None;
        }
        self.fin = Fin::Sent;
        self.sent += FIN_COST;
        Some(self.end)
    }

    /// The receiver has told its totals. Returns what is newly known to be written.
    pub fn on_totals(&mut self, taken: u64, written: u64, limit: u64) -> Result<Tally, BeyondSent> {
        if written > self.sent || taken > self.sent {
            return Err(BeyondSent);
        }
        self.limit = self.limit.max(limit);
        self.taken = self.taken.max(taken);
        let delivered = self.advance_written(written);
        self.forget();
        Ok(delivered)
    }

    /// The receiver has told what it has written, and nothing else.
    pub fn on_written(&mut self, written: u64) -> Result<Tally, BeyondSent> {
        self.on_totals(written, written, self.limit)
    }

    fn advance_written(&mut self, written: u64) -> Tally {
        if written <= self.written {
            return Tally::ZERO;
        }
        let delivered = self.tally_between(self.written, written);
        self.written = written;
        self.taken = self.taken.max(written);
        self.in_flight -= delivered;
        delivered
    }

    fn tally_between(&self, from: u64, to: u64) -> Tally {
        let mut tally = Tally::ZERO;
        let mut start = self.base;
        for chunk in &self.chunks {
            if start >= to {
                break;
            }
            let end = start + chunk.cost();
            if end > from {
                let (upto, before) =
                    (chunk_tally(chunk, to - start), chunk_tally(chunk, from.saturating_sub(start)));
                tally += upto;
                tally -= before;
            }
            start = end;
        }
        tally
    }

    fn forget(&mut self) {
        let taken = if self.keep == Keep::Nothing { self.written } else { self.taken };
        let (mut end, mut droppable) = (self.base, (0, self.base));
        for (index, chunk) in self.chunks.iter().take(self.next).enumerate() {
            end += chunk.cost();
            if end > taken {
                break;
            }
            let may_drop = match self.keep {
                Keep::Nothing | Keep::Untaken => true,
                Keep::FrameStart(span) => {
                    let at_boundary = chunk.ends() || self.chunks.get(index + 1).is_some_and(Chunk::starts);
                    at_boundary || taken - droppable.1 > span
                }
            };
            if may_drop {
                droppable = (index + 1, end);
            }
        }
        // A chunk that is taken can still hold units not known to be written: backward, in_flight is not read.
        self.chunks.drain(..droppable.0);
        self.next -= droppable.0;
        self.base = droppable.1;
    }

    /// The link was greeted anew and the receiver stands at `received`: sends again from there. Refused if that is not
    /// where a receiver of ours can stand, or if what it lacks is not kept.
    pub fn rewind(&mut self, received: u64) -> Result<(), BeyondSent> {
        let is_kept = self.keep != Keep::Nothing || received == self.sent;
        if received > self.sent || received < self.written.max(self.base) || !is_kept {
            return Err(BeyondSent);
        }
        if !self.is_between_units(received) {
            return Err(BeyondSent);
        }
        if received <= self.end && self.fin == Fin::Sent {
            self.fin = Fin::Queued;
        }
        let (mut start, mut next) = (self.base, 0);
        while next < self.chunks.len() && start < received {
            let chunk = &mut self.chunks[next];
            if start + chunk.cost() > received {
                let at = chunk.bytes_within(received - start);
                if at > 0 {
                    let rest = chunk.split_off(at);
                    self.chunks.insert(next + 1, rest);
                }
            }
            start += self.chunks[next].cost();
            next += 1;
        }
        self.next = next;
        self.sent = received;
        Ok(())
    }

    /// Whether `position` does not lie inside a frame's start, nor inside a datagram.
    fn is_between_units(&self, position: u64) -> bool {
        let mut start = self.base;
        for chunk in &self.chunks {
            if position < start + chunk.cost() {
                let units = position - start;
                let bytes = if self.is_of_datagrams {
                    chunk.whole_frames_within(units)
                } else {
                    chunk.bytes_within(units)
                };
                return units == 0 || chunk.cost_of(bytes) == units;
            }
            start += chunk.cost();
        }
        true
    }

    /// Another worker takes over: begins again at the start of the first frame not known to be written, with `window`
    /// units of credit. Returns that position and what is offered a second time, or `None` if that start is no longer kept.
    pub fn restart(&mut self, window: u64) -> Option<(u64, Tally)> {
        self.drop_written_frames();
        let is_kept = self.keep != Keep::Nothing || self.sent == self.base;
        if !is_kept || self.chunks.front().is_some_and(|chunk| !chunk.starts()) {
            return None;
        }
        let replayed = self.tally_between(self.base, self.written);
        self.in_flight += replayed;
        self.written = self.base;
        self.taken = self.base;
        self.sent = self.base;
        self.next = 0;
        self.limit = self.base + window;
        if self.fin == Fin::Sent {
            self.fin = Fin::Queued;
        }
        Some((self.base, replayed))
    }

    /// Drops whole frames that are known to be written from the front.
    fn drop_written_frames(&mut self) {
        while let Some(front) = self.chunks.front_mut() {
            let done = self.written.saturating_sub(self.base);
            let bytes = front.bytes_within(done);
            let whole = bytes == front.len() && done >= front.cost();
            if whole && (front.ends() || self.chunks.get(1).is_some_and(Chunk::starts)) {
                self.base += self.chunks.pop_front().map_or(0, |chunk| chunk.cost());
                continue;
            }
            let front = &mut self.chunks[0];
            // The frame that holds the next byte to be written starts at the last cut not after it.
            let Some(&cut) = front.cuts().iter().rev().find(|&&cut| cut as usize <= bytes) else { return };
            let rest = front.split_off(cut as usize);
            self.base += self.chunks[0].cost();
            self.chunks[0] = rest;
            return;
        }
    }

    /// Whether part of a frame has been written and the rest of it has not.
    pub fn is_mid_frame(&self) -> bool {
        self.chunks.front().is_some_and(|chunk| !chunk.starts()) || self.written > self.base
    }

    /// Gives everything up that is not known to be written. Returns what that was; FIN stays queued if it was.
    pub fn discard(&mut self) -> Tally {
        self.chunks.clear();
        self.next = 0;
        self.base = self.end;
        self.written = self.end;
        self.taken = self.end;
        self.sent = self.end;
        if self.fin == Fin::Sent {
            self.fin = Fin::Queued;
        }
        std::mem::take(&mut self.in_flight)
    }

    /// The receiver of a new attempt grants up to `limit` from the end on.
    pub fn reopen(&mut self, window: u64) -> u64 {
        debug_assert!(self.chunks.is_empty());
        self.limit = self.end + window;
        self.end
    }
}

fn chunk_tally(chunk: &Chunk, units: u64) -> Tally {
    match units {
        units if units >= chunk.cost() => chunk.tally(),
        // An empty datagram has no byte to count it by.
        _ if chunk.is_empty() => Tally::ZERO,
        units => chunk.tally_of(chunk.bytes_within(units)),
    }
}

#[cfg(test)]
mod tests;
