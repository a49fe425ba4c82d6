//! What a session of datagrams does differently (S11).
//!
//! A datagram is a frame: its boundaries are told, never found. The source's socket belongs to many sources, so nothing
//! here can pause it: what the primary's window has no room for is shed. Datagrams may come while the primary is being
//! connected. Nobody says a last word, so silence ends the session.

use bytes::Bytes;

use super::{From, Phase, Primary, Session, Shell, Turn, lane::Lane, worker::Fault};
use crate::{
    counters::Tally,
    credit::{Accept, Chunk, FRAME_COST, datagram_chunks},
    id::DestinationIndex,
    ingress::core::Core,
    time::Instant,
    wire::Cuts,
};

/// What a destination said, as DATA brings it.
#[derive(Clone, Copy, Debug)]
pub(in crate::ingress) struct Said<'a> {
    pub(in crate::ingress) position: u64,
    pub(in crate::ingress) starts: bool,
    pub(in crate::ingress) ends: bool,
    pub(in crate::ingress) cuts: Cuts<'a>,
    pub(in crate::ingress) payload: &'a [u8],
}

/// What of it is new.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'a> {
    /// Frames that start in it.
    pub(super) frames: u64,
    pub(super) units: u64,
    pub(super) payload: &'a [u8],
}

/// The units that so many datagrams take, with so many bytes in all.
const fn units(datagrams: usize, bytes: usize) -> u64 {
    datagrams as u64 * FRAME_COST + bytes as u64
}

impl Lane {
    /// Datagrams: those that are new, and at `ends` where they end. Who sends less than a whole one breaks the protocol.
    pub(super) fn take_datagrams<'a>(
        &mut self,
        said: Said<'a>,
        ends: &mut Vec<u32>,
    ) -> Result<Option<Taken<'a>>, Fault> {
        let Said { position, cuts, payload, .. } = said;
        ends.clear();
        ends.extend(cuts.iter().chain([payload.len() as u32]));
        let cost = units;
        let units = cost(ends.len(), payload.len());
        let skip = match self.inbound.accept(position, units) {
            Accept::Take { skip } if said.starts && said.ends => skip,
            Accept::Seen => return Ok(None),
            Accept::Take { .. } | Accept::Gap | Accept::BeyondLimit => return Err(Fault),
        };
        let seen =
            ends.iter().zip(1..).take_while(|&(&end, count)| cost(count, end as usize) <= skip).count();
        let from = ends[..seen].last().map_or(0, |&end| end as usize);
        if cost(seen, from) != skip {
            return Err(Fault);
        }
        ends.drain(..seen);
        for end in ends.iter_mut() {
            *end -= from as u32;
        }
        Ok(Some(Taken { frames: ends.len() as u64, units: units - skip, payload: &payload[from..] }))
    }
}

impl Session {
    pub(super) const fn has_datagrams(&self) -> bool {
        matches!(self.primary, Primary::Datagrams(_))
    }

    /// The source sent datagrams: to the primary as far as its window goes, and what went there to the secondaries.
    pub(in crate::ingress) fn on_source_datagrams(
        &mut self,
        bytes: &Bytes,
        ends: &[u32],
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if !matches!(self.phase, Phase::Connecting | Phase::Open) || self.source.has_finished {
            return;
        }
        self.active_at = turn.now;
        self.source.spoke_last = true;
        self.note_asked(turn);
        self.source.heard_before_frame = self.source.written;
        let tally = Tally::new(ends.len() as u64, bytes.len() as u64);
        self.received += tally;
        turn.core.route(self.route).counters.received += tally;
        for chunk in datagram_chunks(bytes, ends) {
            let account = &mut turn.core.destination(self.route, DestinationIndex::PRIMARY).account;
            let Primary::Datagrams(primary) = &mut self.primary else { return };
            if let Some(admitted) = primary.offer(chunk, account) {
                self.offer_datagrams(admitted, turn);
            }
        }
        self.make_ready(DestinationIndex::PRIMARY, turn.core);
        self.bring_answers(turn);
    }

    /// To the secondaries; S1: before the primary is connected they wait here.
    fn offer_datagrams(&mut self, mut chunk: Chunk, turn: &mut Turn<'_, impl Shell>) {
        if self.secondaries.is_empty() {
            return;
        }
        if self.phase == Phase::Connecting {
            chunk.compact();
            return self.partial.push(chunk);
        }
        self.note_source_frames(std::slice::from_ref(&chunk), turn);
        for index in 0..self.secondaries.len() {
            self.offer(index, std::slice::from_ref(&chunk), 0, turn);
        }
    }

    /// The primary is connected: the secondaries get what came before.
    pub(super) fn offer_early(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.has_datagrams() {
            for chunk in std::mem::take(&mut self.partial) {
                self.offer_datagrams(chunk, turn);
            }
        }
    }

    /// Passes on the datagrams that end at `ends` in `payload`; what the source does not take now is kept.
    pub(super) fn send_to_source(
        &mut self,
        payload: &[u8],
        ends: &[u32],
        from: From,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        self.source.queued += units(ends.len(), payload.len());
        let is_behind = !self.source.backlog.is_empty();
        let sent = if is_behind { 0 } else { turn.shell.write_datagrams(self.id, payload, ends) };
        let mut at = ends[..sent].last().map_or(0, |&end| end as usize);
        self.count_written(units(sent, at), at, from, turn);
        for &end in &ends[sent..] {
            self.source.backlog.push_back((payload[at..end as usize].into(), from));
            at = end as usize;
        }
        self.note_progress(DestinationIndex::PRIMARY, turn);
    }

    /// The source's socket takes datagrams again.
    pub(super) fn send_kept(&mut self, turn: &mut Turn<'_, impl Shell>) {
        while let Some((datagram, from)) = self.source.backlog.front() {
            let (len, from) = (datagram.len(), *from);
            if turn.shell.write_datagrams(self.id, datagram, &[len as u32]) == 0 {
                break;
            }
            self.source.backlog.pop_front();
            self.count_written(units(1, len), len, from, turn);
        }
        self.note_progress(DestinationIndex::PRIMARY, turn);
    }

    /// The units of the primary's that wait for the source's socket.
    pub(super) fn backlog_units(&self) -> u64 {
        let of_primary = self.source.backlog.iter().filter(|(_, from)| *from == From::Primary);
        of_primary.map(|(bytes, _)| self.units_of(bytes.len())).sum()
    }

    /// The units that a frame of a destination takes, or a part of one of a stream.
    pub(super) fn units_of(&self, len: usize) -> u64 {
        units(usize::from(self.has_datagrams()), len)
    }

    /// When a session that nobody ends is over.
    pub(super) fn idle_at(&self, core: &Core) -> Option<Instant> {
        let timeout = core.routes[self.route.0 as usize].settings.idle_timeout;
        self.has_datagrams().then(|| self.active_at + timeout)
    }
}
