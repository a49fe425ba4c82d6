//! What the destinations do, as their workers tell it. Frames of other attempts have been sorted out before.
//!
//! The primary's bytes go to the source; a secondary's are counted and consumed. Nothing a secondary does is looked at
//! by what decides about source and primary (S4).

use super::{
    By, Effect, Ending, Patience, Phase, PrimaryState, RETRY, SecondaryState, Session, Shell, Turn,
    datagram::{Said, Taken},
    frames_started,
    lane::Lane,
};
use crate::{
    codec::foo::Speaker,
    counters::{ShedReason, Tally},
    credit::{Accept, FIN_COST},
    id::DestinationIndex,
    wire::Cause,
};

/// A worker broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ingress) struct Fault;

impl Lane {
    /// Octets of a stream: what is new of them, and at `ends` the frames that end there.
    fn take_octets<'a>(&mut self, said: Said<'a>, ends: &mut Vec<u32>) -> Result<Option<Taken<'a>>, Fault> {
        let payload = match self.inbound.accept(said.position, said.payload.len() as u64) {
            Accept::Take { skip } => &said.payload[skip as usize..],
            Accept::Seen => return Ok(None),
            Accept::Gap | Accept::BeyondLimit => return Err(Fault),
        };
        let was_mid_frame = self.replies.is_mid_frame();
        ends.clear();
        self.replies.scan(payload, ends);
        let frames = frames_started(was_mid_frame, ends, payload.len());
        Ok(Some(Taken { frames, units: payload.len() as u64, payload }))
    }
}

impl Session {
    pub(in crate::ingress) fn on_opened(
        &mut self,
        destination: DestinationIndex,
        limit: u64,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let Some(lane) = self.lane(destination) else { return };
        let is_repeated = std::mem::replace(&mut lane.is_opened, true);
        // The totals before it are older than any we know; only the limit is news.
        let _ = lane.outbound.on_totals(0, 0, limit);
        if is_repeated {
            return self.make_ready(destination, turn.core);
        }
        turn.core.destination(self.route, destination).note_opened();
        if destination.is_primary() {
            self.on_primary_opened(turn);
        } else {
            let secondary = &mut self.secondaries[destination.0 as usize - 1];
            secondary.state = match secondary.state {
                SecondaryState::Opening => SecondaryState::Live,
                SecondaryState::Away => SecondaryState::Joining { since: turn.now },
                other => other,
            };
        }
        self.make_ready(destination, turn.core);
    }

    fn on_primary_opened(&mut self, turn: &mut Turn<'_, impl Shell>) {
        self.primary.state = PrimaryState::Open;
        self.connect_by = None;
        if self.phase != Phase::Connecting {
            return;
        }
        self.phase = Phase::Open;
        self.active_at = turn.now;
        turn.notice(super::super::Notice::SessionOpened { session: self.id, route: self.route });
        for index in 0..self.secondaries.len() {
            self.open_secondary(index, Patience::IfAvailable, turn);
        }
        if self.source.has_finished {
            self.pass_on_fin(turn);
        } else {
            self.resume_source_if_room(turn);
            self.offer_early(turn);
        }
    }

    pub(in crate::ingress) fn on_refused(
        &mut self,
        destination: DestinationIndex,
        cause: Cause,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        turn.core.destination(self.route, destination).note_loss();
        if destination.is_primary() {
            return self.on_primary_refused(cause, turn);
        }
        let index = destination.0 as usize - 1;
        self.shed_in_flight(index, ShedReason::Away, turn);
        if self.secondaries[index].state == SecondaryState::Finishing {
            return self.finish_off(index, None, turn);
        }
        let is_away = self.secondaries[index].state == SecondaryState::Away;
        if is_away || matches!(cause, Cause::Limit | Cause::Draining) {
            self.leave_link(destination, None, turn.core);
            self.secondaries[index].state = SecondaryState::Away;
            self.secondaries[index].retry_at = Some(turn.now + RETRY);
        } else {
            self.open_secondary(index, Patience::Patient, turn);
        }
    }

    /// A worker that is full or leaving is no word about the primary: another may take the session.
    fn on_primary_refused(&mut self, cause: Cause, turn: &mut Turn<'_, impl Shell>) {
        if cause == Cause::Draining {
            return self.move_primary(turn);
        }
        // A source that has said nothing yet is not reset: to it, nothing has happened.
        self.end(By::Primary, Ending::Refused(cause), self.phase != Phase::Connecting, turn);
    }

    pub(super) fn on_secondary_retry(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        if self.secondaries[index].state == SecondaryState::Away
            && self.secondaries[index].lane.link.is_none()
        {
            self.open_secondary(index, Patience::Patient, turn);
        }
    }

    pub(in crate::ingress) fn on_reset(
        &mut self,
        destination: DestinationIndex,
        cause: Cause,
        unconfirmed: u64,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let counters = turn.core.destination(self.route, destination);
        counters.note_loss();
        counters.unconfirmed_bytes = counters.unconfirmed_bytes.saturating_add(unconfirmed);
        if destination.is_primary() {
            return self.end(By::Primary, Ending::Lost(cause), true, turn);
        }
        let index = destination.0 as usize - 1;
        self.shed_in_flight(index, ShedReason::ConnectionLost, turn);
        match self.secondaries[index].state {
            SecondaryState::Finishing => self.finish_off(index, None, turn),
            SecondaryState::Closed => self.leave_link(destination, None, turn.core),
            _ => self.open_secondary(index, Patience::Patient, turn),
        }
    }

    /// Octets of a destination. Those of the primary go to the source; a secondary's are consumed.
    pub(in crate::ingress) fn on_data(
        &mut self,
        destination: DestinationIndex,
        said: Said<'_>,
        turn: &mut Turn<'_, impl Shell>,
    ) -> Result<(), Fault> {
        let is_of_datagrams = self.has_datagrams();
        let Some(lane) = self.lane(destination) else { return Err(Fault) };
        let ends = &mut turn.core.ends;
        let taken =
            if is_of_datagrams { lane.take_datagrams(said, ends) } else { lane.take_octets(said, ends) };
        let Some(Taken { frames, units, payload }) = taken? else { return Ok(()) };
        turn.core.destination(self.route, destination).received += Tally::new(frames, payload.len() as u64);
        let ends = std::mem::take(&mut turn.core.ends);
        if destination.is_primary() {
            self.on_primary_bytes(frames, payload, &ends, turn);
        } else {
            self.consume(destination, units, turn);
            self.hear_secondary(destination, payload, &ends, turn);
        }
        turn.core.ends = ends;
        Ok(())
    }

    fn on_primary_bytes(
        &mut self,
        frames: u64,
        payload: &[u8],
        ends: &[u32],
        turn: &mut Turn<'_, impl Shell>,
    ) {
        self.active_at = turn.now;
        self.source.spoke_last = false;
        self.note_replied(turn);
        if self.framer.is_mid_frame() && self.ends_by_silence(turn) {
            self.end_burst(turn);
        }
        if self.conversation.is_some() {
            return self.hear_primary(frames, payload, ends, turn);
        }
        self.count_passed(frames, turn);
        self.give_all(payload, ends, turn);
    }

    pub(super) fn consume(
        &mut self,
        destination: DestinationIndex,
        units: u64,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if let Some(lane) = self.lane(destination) {
            lane.inbound.wrote(units);
        }
        self.note_progress(destination, turn);
    }

    /// A destination will say nothing more.
    pub(in crate::ingress) fn on_fin(
        &mut self,
        destination: DestinationIndex,
        position: u64,
        turn: &mut Turn<'_, impl Shell>,
    ) -> Result<(), Fault> {
        let Some(lane) = self.lane(destination) else { return Err(Fault) };
        match lane.inbound.accept_fin(position) {
            Accept::Take { .. } => {}
            Accept::Seen => return Ok(()),
            Accept::Gap | Accept::BeyondLimit => return Err(Fault),
        }
        self.end_reply(destination, turn);
        if let Some(lane) = self.lane(destination) {
            lane.has_closed = true;
        }
        if destination.is_primary() {
            self.active_at = turn.now;
            self.count_last_message(Speaker::Primary, turn);
            self.note_progress(destination, turn);
            self.shut_source_if_done(turn);
        } else {
            self.consume(destination, FIN_COST, turn);
            self.on_secondary_closed(destination.0 as usize - 1, turn);
        }
        Ok(())
    }

    fn on_secondary_closed(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        match self.secondaries[index].state {
            SecondaryState::Opening | SecondaryState::Joining { .. } | SecondaryState::Live => {
                self.secondaries[index].state = SecondaryState::Closed;
            }
            SecondaryState::Finishing => self.finish_off_if_done(index, turn),
            _ => {}
        }
    }

    /// A worker's totals of the forward direction: `taken` and `limit` come with GRANT, `written` also with DATA.
    pub(in crate::ingress) fn on_totals(
        &mut self,
        destination: DestinationIndex,
        grant: Option<(u64, u64)>,
        written: u64,
        turn: &mut Turn<'_, impl Shell>,
    ) -> Result<(), Fault> {
        let Some(lane) = self.lane(destination) else { return Err(Fault) };
        let before = lane.outbound.unwritten();
        let delivered = match grant {
            // Forward, nothing is taken that is not written: what it lets go now, another worker might have needed.
            Some((taken, limit)) => lane.outbound.on_totals(taken.min(written), written, limit),
            None => lane.outbound.on_written(written),
        }
        .map_err(|_| Fault)?;
        let (settled, link) = (before - lane.outbound.unwritten(), lane.link);
        if let Some(key) = link {
            turn.core.links.settle(key, settled);
        }
        turn.core.destination(self.route, destination).account.deliver(delivered);
        self.on_frames_written(destination, delivered.frames, turn);
        self.make_ready(destination, turn.core);
        if destination.is_primary() {
            self.resume_source_if_room(turn);
            self.end_if_closed(turn);
        } else {
            self.finish_off_if_done(destination.0 as usize - 1, turn);
        }
        Ok(())
    }

    /// What a worker had told as written could not be sent after all: so much in all of this attempt. Repetitions are harmless.
    pub(in crate::ingress) fn on_shed(
        &mut self,
        destination: DestinationIndex,
        total: Tally,
        turn: &mut Turn<'_, impl Shell>,
    ) -> Result<(), Fault> {
        let Some(lane) = self.lane(destination) else { return Ok(()) };
        let known = lane.unsendable;
        if total.frames <= known.frames {
            return Ok(());
        }
        let news =
            Tally::new(total.frames - known.frames, total.bytes.checked_sub(known.bytes).ok_or(Fault)?);
        lane.unsendable = total;
        if !turn.core.destination(self.route, destination).account.take_back(news, ShedReason::Unsendable) {
            return Err(Fault);
        }
        if !destination.is_primary() {
            self.stop_comparing(destination.0 as usize - 1, turn);
        }
        if let Some(voice) = self.voice(destination) {
            // Which of what was written it owes replies to is not known any more.
            voice.debts.forgive();
            voice.fall_out_of_step();
        }
        Ok(())
    }

    /// Gives up what a secondary has not got.
    pub(super) fn shed_in_flight(
        &mut self,
        index: usize,
        reason: ShedReason,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        self.stop_comparing(index, turn);
        let secondary = &mut self.secondaries[index];
        let (unwritten, link) = (secondary.lane.outbound.unwritten(), secondary.lane.link);
        let account = &mut turn.core.destination(self.route, secondary.lane.destination).account;
        secondary.give_up(reason, account);
        if let Some(key) = link {
            turn.core.links.settle(key, unwritten);
        }
    }

    /// Tells the shell to close the source's endpoint.
    pub(super) fn close_source(&mut self, abort: bool, turn: &mut Turn<'_, impl Shell>) {
        self.source.backlog.clear();
        turn.effect(Effect::CloseSource { session: self.id, abort });
    }
}
