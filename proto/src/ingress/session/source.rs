//! What the source does.
//!
//! Its bytes become frames here, once, for all destinations: the primary gets them as they came, the secondaries when
//! they are whole. Only the primary's window can pause it.

use bytes::Bytes;

use super::{By, Effect, Ending, From, Phase, Primary, SecondaryState, Session, Shell, Turn};
use crate::{
    codec::foo::Speaker,
    counters::Tally,
    credit::{Chunk, FRAME_COST},
    id::DestinationIndex,
    ingress::core::RouteState,
    wire::{Cause, Patience},
};

impl Session {
    /// The source said something: to the primary as it came, to the secondaries in whole frames.
    pub(in crate::ingress) fn on_source_bytes(&mut self, bytes: Bytes, turn: &mut Turn<'_, impl Shell>) {
        // A drain finishes the source while a read of it may still be on its way here.
        if self.phase != Phase::Open || self.source.has_finished || bytes.is_empty() {
            return;
        }
        self.active_at = turn.now;
        self.source.spoke_last = true;
        self.note_asked(turn);
        // With `raw`, one side's speaking ends the other's burst.
        if self.primary.lane.replies.is_mid_frame() && self.ends_by_silence(turn) {
            self.end_reply(DestinationIndex::PRIMARY, turn);
        }
        self.begin_source_frame(turn);
        let chunk = self.frame(bytes, turn);
        self.received += chunk.tally();
        turn.core.route(self.route).counters.received += chunk.tally();
        if self.ends_by_silence(turn) {
            let gap = turn.core.route(self.route).settings.quiet_gap;
            self.quiet_at = self.framer.is_mid_frame().then(|| turn.now + gap);
        }
        let account = &mut turn.core.destination(self.route, DestinationIndex::PRIMARY).account;
        let for_secondaries = (!self.secondaries.is_empty()).then(|| chunk.clone());
        let Primary::Stream(primary) = &mut self.primary else { return };
        primary.admit(chunk, account);
        self.make_ready(DestinationIndex::PRIMARY, turn.core);
        if let Some(chunk) = for_secondaries {
            self.gather(chunk, turn);
        }
        self.bring_answers(turn);
        self.pause_source_if_full(turn);
    }

    /// Finds the frames in what was read.
    fn frame(&mut self, bytes: Bytes, turn: &mut Turn<'_, impl Shell>) -> Chunk {
        let (starts, before) = (!self.framer.is_mid_frame(), self.framer.in_progress());
        let ends = &mut turn.core.ends;
        ends.clear();
        self.framer.scan(&bytes, ends);
        self.count_requests(&bytes, turn);
        let ends = &turn.core.ends;
        let RouteState { settings, counters, .. } = &mut turn.core.routes[self.route.0 as usize];
        if before + bytes.len() as u64 > settings.max_frame.into() {
            counters.oversized += longer_than(settings.max_frame, before, ends);
        }
        let last_ends = ends.last().is_some_and(|&end| end as usize == bytes.len());
        let inner = ends.len() - usize::from(last_ends);
        Chunk::new(bytes, starts, last_ends, ends[..inner].to_vec())
    }

    /// Gathers the frame in progress; offers to the secondaries what is whole.
    fn gather(&mut self, mut chunk: Chunk, turn: &mut Turn<'_, impl Shell>) {
        let first_ends = chunk.ends() || !chunk.cuts().is_empty();
        if first_ends {
            let tail = match chunk.cuts().last() {
                Some(&cut) if !chunk.ends() => Some(chunk.split_off(cut as usize)),
                _ => None,
            };
            self.offer_gathered(Some(chunk), turn);
            self.is_oversized = false;
            // What follows a cut of `raw` at `max_frame` is not a place to join.
            self.is_clean_start = !self.ends_by_silence(turn);
            if let Some(tail) = tail {
                self.gather_part(tail, turn);
            }
        } else {
            self.gather_part(chunk, turn);
        }
    }

    /// Keeps a part of the frame in progress, or passes it on if the frame has become too long to keep.
    fn gather_part(&mut self, mut chunk: Chunk, turn: &mut Turn<'_, impl Shell>) {
        chunk.compact();
        self.partial.push(chunk);
        let max_frame = u64::from(turn.core.route(self.route).settings.max_frame);
        if self.is_oversized || self.framer.in_progress() > max_frame {
            self.is_oversized = true;
            self.offer_gathered(None, turn);
        }
    }

    /// Offers what was gathered, and `chunk` after it, to every secondary.
    fn offer_gathered(&mut self, chunk: Option<Chunk>, turn: &mut Turn<'_, impl Shell>) {
        let first_end =
            chunk.as_ref().map(|chunk| chunk.cuts().first().map_or(chunk.len(), |&cut| cut as usize));
        // Mostly a read holds whole frames only: nothing was gathered, and nothing need be put together.
        let gathered: Vec<Chunk>;
        let stretch = match &chunk {
            Some(whole) if self.partial.is_empty() => std::slice::from_ref(whole),
            _ => {
                gathered = self.partial.drain(..).chain(chunk).collect();
                &gathered[..]
            }
        };
        self.note_source_frames(stretch, turn);
        let Some((last, before)) = stretch.split_last() else { return };
        let before_bytes: usize = before.iter().map(Chunk::len).sum();
        let first_cost = FRAME_COST + (before_bytes + first_end.unwrap_or(last.len())) as u64;
        for index in 0..self.secondaries.len() {
            self.offer(index, stretch, first_cost, turn);
        }
    }

    pub(super) fn offer(
        &mut self,
        index: usize,
        stretch: &[Chunk],
        first_cost: u64,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let destination = self.secondaries[index].lane.destination;
        if self.secondaries[index].state == SecondaryState::Closed {
            self.reconnect(index, turn);
        }
        let mut is_torn = false;
        for chunk in stretch {
            let counters = turn.core.destination(self.route, destination);
            let is_clean = self.is_clean_start;
            let opening = self.conversation.as_ref().map_or(&[][..], |it| it.opening.frames());
            let secondary = &mut self.secondaries[index];
            let offer =
                secondary.offer(chunk, first_cost, is_clean, opening, turn.now, &mut counters.account);
            counters.forced_joins += u64::from(offer.is_forced);
            is_torn |= offer.is_torn;
        }
        if is_torn {
            self.tear(index, turn);
        }
        self.make_ready(destination, turn.core);
    }

    /// A secondary that had closed in order is connected again.
    fn reconnect(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        self.shed_in_flight(index, crate::counters::ShedReason::ConnectionLost, turn);
        self.reset_attempt(self.secondaries[index].lane.destination, Cause::InOrder, turn.core);
        self.open_secondary(index, Patience::IfAvailable, turn);
    }

    /// A secondary got the beginning of a frame whose rest it cannot get: its connection is closed and rejoins.
    fn tear(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        self.shed_in_flight(index, crate::counters::ShedReason::OversizedFrame, turn);
        self.reset_attempt(self.secondaries[index].lane.destination, Cause::Other, turn.core);
        self.open_secondary(index, Patience::Patient, turn);
    }

    /// A burst of `raw` is over: the source paused, or the primary spoke.
    pub(super) fn end_burst(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.framer.is_mid_frame() {
            let route = turn.core.route(self.route);
            route.counters.oversized +=
                u64::from(self.framer.in_progress() > route.settings.max_frame.into());
            self.framer.finish();
            self.primary.lane.outbound.end_frame();
            self.offer_end(turn);
            self.bring_answers(turn);
        }
        self.is_clean_start = true;
        self.is_oversized = false;
        self.quiet_at = None;
    }

    /// The frame in progress is whole though no byte of it said so.
    fn offer_end(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let last = self.partial.pop().map(|mut last| {
            last.end_here();
            last
        });
        self.offer_gathered(last, turn);
    }

    pub(super) fn ends_by_silence(&self, turn: &mut Turn<'_, impl Shell>) -> bool {
        turn.core.route(self.route).settings.codec.ends_by_silence()
    }

    /// S6: a FIN is passed on as a FIN, after the frame it ends.
    pub(in crate::ingress) fn on_source_fin(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.source.has_finished || !matches!(self.phase, Phase::Connecting | Phase::Open) {
            return;
        }
        self.source.has_finished = true;
        self.active_at = turn.now;
        if self.phase == Phase::Open {
            self.pass_on_fin(turn);
        }
    }

    pub(super) fn pass_on_fin(&mut self, turn: &mut Turn<'_, impl Shell>) {
        self.end_burst(turn);
        self.count_last_message(Speaker::Source, turn);
        self.primary.lane.outbound.finish();
        self.make_ready(DestinationIndex::PRIMARY, turn.core);
        for index in 0..self.secondaries.len() {
            self.finish_secondary(index, turn);
        }
        self.end_if_closed(turn);
    }

    /// The source broke: the primary's connection is reset.
    pub(in crate::ingress) fn on_source_reset(&mut self, turn: &mut Turn<'_, impl Shell>) {
        self.end(By::Source, Ending::Reset, true, turn);
    }

    /// The source's socket takes bytes again.
    pub(in crate::ingress) fn on_source_writable(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.has_datagrams() {
            self.send_kept(turn);
            return self.place_asks(turn);
        }
        while let Some((mut bytes, from)) = self.source.backlog.pop_front() {
            let taken = turn.shell.write(self.id, &bytes);
            self.count_written(taken as u64, taken, from, turn);
            if taken < bytes.len() {
                let _ = bytes.split_to(taken);
                self.source.backlog.push_front((bytes, from));
                break;
            }
        }
        self.note_progress(DestinationIndex::PRIMARY, turn);
        self.place_asks(turn);
        self.shut_source_if_done(turn);
    }

    /// Passes on a datagram, or some octets of a stream; what the source does not take now is kept.
    pub(super) fn write_to_source(&mut self, payload: &[u8], from: From, turn: &mut Turn<'_, impl Shell>) {
        if self.has_datagrams() {
            return self.send_to_source(payload, &[payload.len() as u32], from, turn);
        }
        if from == From::Primary {
            self.count_replies(payload, turn);
        }
        self.source.queued += payload.len() as u64;
        let taken = if self.source.backlog.is_empty() { turn.shell.write(self.id, payload) } else { 0 };
        self.count_written(taken as u64, taken, from, turn);
        if taken < payload.len() {
            self.source.keep(&payload[taken..], from);
        }
        self.note_progress(DestinationIndex::PRIMARY, turn);
    }

    /// The source's socket took so many units, with so many bytes.
    pub(super) fn count_written(
        &mut self,
        units: u64,
        bytes: usize,
        from: From,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        self.source.written += units;
        // An ask is no sign of life of the primary: it must not keep a session that would end.
        if from == From::Primary {
            self.active_at = if units > 0 { turn.now } else { self.active_at };
            let older = self.source.older.min(units);
            self.source.older -= older;
            self.primary.lane.inbound.widen(older);
            self.primary.lane.inbound.wrote(units - older);
        }
        self.sent += Tally::new(0, bytes as u64);
        turn.core.route(self.route).counters.sent += Tally::new(0, bytes as u64);
    }

    /// S6: the primary's FIN reaches the source after its last byte.
    pub(super) fn shut_source_if_done(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.primary.lane.has_closed && self.source.backlog.is_empty() && !self.source.is_shut {
            self.source.is_shut = true;
            self.primary.lane.inbound.wrote(crate::credit::FIN_COST);
            turn.effect(Effect::ShutDownSource { session: self.id });
            self.note_progress(DestinationIndex::PRIMARY, turn);
        }
        self.end_if_closed(turn);
    }

    /// L5: a spent primary window stops reading the source.
    pub(super) fn pause_source_if_full(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let Primary::Stream(primary) = &self.primary else { return };
        if primary.is_full() && !self.source.is_paused {
            self.source.is_paused = true;
            turn.effect(Effect::PauseSource { session: self.id });
        }
    }

    pub(super) fn resume_source_if_room(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let Primary::Stream(primary) = &self.primary else { return };
        let may_speak = self.phase == Phase::Open && !self.source.has_finished;
        if self.source.is_paused && may_speak && !primary.is_full() {
            self.source.is_paused = false;
            turn.effect(Effect::ResumeSource { session: self.id });
        }
    }
}

/// How many of the frames that end at `ends` are longer than `max`; the first began `before` bytes earlier.
fn longer_than(max: u32, before: u64, ends: &[u32]) -> u64 {
    let mut from = 0;
    let mut extra = before;
    ends.iter()
        .filter(|&&end| {
            let len = std::mem::take(&mut extra) + u64::from(end - std::mem::replace(&mut from, end));
            len > max.into()
        })
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_as_long_with_what_came_of_it_before() {
        assert_eq!(longer_than(10, 0, &[10, 21, 31]), 1);
        assert_eq!(longer_than(10, 1, &[10, 20]), 1);
        assert_eq!(longer_than(10, 100, &[]), 0);
    }
}
