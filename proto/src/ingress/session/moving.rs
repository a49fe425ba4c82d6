//! Links that come, break and go (L4): sessions are taken up where they were, or moved to another worker.
//!
//! A worker that is merely silent may still write, so a lane gets another only once the lease of the old one is over.

use super::{By, Ending, Patience, Phase, PrimaryState, SecondaryState, Session, Shell, Turn};
use crate::{
    counters::ShedReason,
    id::DestinationIndex,
    ingress::links::LinkKey,
    time::Instant,
    wire::{Cause, Phase as ConnectionPhase, Standing},
};

/// What a greeting means for a lane.
#[derive(Clone, Copy, Debug)]
pub(in crate::ingress) enum Greeted {
    /// Its attempt goes on; where its backward direction stands.
    GoesOn(Standing),
    /// Its attempt is not known to the worker, or not like this.
    Unknown,
    /// It has nothing to do with the link any more.
    Over,
}

impl Session {
    /// The worker of one of its lanes is dead, leaving or superseded. Until `fence` it may still write.
    pub(in crate::ingress) fn on_worker_lost(
        &mut self,
        destination: DestinationIndex,
        fence: Instant,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if let Some(lane) = self.lane(destination) {
            lane.fenced_until = fence;
        }
        if destination.is_primary() {
            self.move_primary(turn);
        } else {
            self.move_secondary(destination.0 as usize - 1, turn);
        }
    }

    pub(super) fn move_primary(&mut self, turn: &mut Turn<'_, impl Shell>) {
        self.leave_link(DestinationIndex::PRIMARY, None, turn.core);
        if !matches!(self.phase, Phase::Connecting | Phase::Open) {
            return;
        }
        let lane = &mut self.primary.lane;
        if lane.has_closed {
            // The primary has said its last word; what it has not got of ours it will not get.
            let is_short = !lane.outbound.in_flight().is_zero();
            return self.end(By::Ingress, Ending::WorkerLost, is_short, turn);
        }
        if self.phase == Phase::Open && !turn.core.route(self.route).settings.moves {
            return self.end(By::Ingress, Ending::WorkerLost, true, turn);
        }
        if lane.replies.is_mid_frame() && !turn.core.route(self.route).settings.codec.ends_by_silence() {
            return self.end(By::Ingress, Ending::TornReply, true, turn);
        }
        self.end_reply(DestinationIndex::PRIMARY, turn);
        self.stop_comparing_all(turn);
        let Some((position, replayed)) = self.primary.lane.restart() else {
            return self.end(By::Ingress, Ending::TornRequest, true, turn);
        };
        let counters = turn.core.destination(self.route, DestinationIndex::PRIMARY);
        counters.account.replay(replayed);
        counters.moved += 1;
        // A deadline that already runs goes on: workers that come and go must not keep a source waiting.
        self.open_primary(position, turn);
        self.make_ready(DestinationIndex::PRIMARY, turn.core);
        // No reply is awaited any more that an ask would have to wait for.
        self.place_asks(turn);
    }

    fn move_secondary(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        let destination = self.secondaries[index].lane.destination;
        self.leave_link(destination, None, turn.core);
        match self.secondaries[index].state {
            SecondaryState::Idle | SecondaryState::Closed | SecondaryState::Done => {}
            _ if self.secondaries[index].lane.fenced_until > turn.now => self.fence_secondary(index, turn),
            SecondaryState::Away | SecondaryState::Joining { .. } => {
                self.open_secondary(index, Patience::Patient, turn);
            }
            SecondaryState::Opening | SecondaryState::Live | SecondaryState::Finishing => {
                self.move_busy_secondary(index, turn);
            }
        }
    }

    /// It may have no worker yet.
    fn fence_secondary(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        self.shed_in_flight(index, ShedReason::ConnectionLost, turn);
        if self.secondaries[index].state == SecondaryState::Finishing {
            return self.finish_off(index, None, turn);
        }
        self.open_secondary(index, Patience::Patient, turn);
    }

    fn move_busy_secondary(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        let secondary = &mut self.secondaries[index];
        let (destination, is_finishing) =
            (secondary.lane.destination, secondary.state == SecondaryState::Finishing);
        let link = turn.core.links.place(self.route, destination);
        let restarted = link.and_then(|_| secondary.restart());
        self.stop_comparing(index, turn);
        let secondary = &mut self.secondaries[index];
        if let Some((position, replayed)) = restarted {
            secondary.lane.link = link;
            let counters = turn.core.destination(self.route, destination);
            counters.account.replay(replayed);
            counters.moved += 1;
            self.open_secondary_at(index, position, Patience::IfAvailable, turn);
            return self.make_ready(destination, turn.core);
        }
        // Shed while it is on no link: the new one has nothing of it outstanding.
        self.shed_in_flight(index, ShedReason::ConnectionLost, turn);
        self.secondaries[index].lane.link = link;
        if is_finishing {
            return self.finish_off(index, None, turn);
        }
        self.open_secondary(index, Patience::Patient, turn);
    }

    /// A worker has come that serves one of its destinations.
    pub(in crate::ingress) fn on_worker_linked(
        &mut self,
        destination: DestinationIndex,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if destination.is_primary() {
            return self.place_primary(turn);
        }
        let index = destination.0 as usize - 1;
        let secondary = &self.secondaries[index];
        if secondary.state == SecondaryState::Away
            && secondary.lane.link.is_none()
            && secondary.retry_at.is_none()
        {
            self.open_secondary(index, Patience::Patient, turn);
        }
    }

    /// Looks for a worker for a primary that has none.
    pub(super) fn place_primary(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let may_be_placed = self.primary.state == PrimaryState::Unplaced && self.primary.place_at.is_none();
        if may_be_placed && matches!(self.phase, Phase::Connecting | Phase::Open) {
            // Nothing has been sent since it was unplaced: it begins where it was left.
            if let Some((position, _)) = self.primary.lane.restart() {
                self.open_primary(position, turn);
                self.make_ready(DestinationIndex::PRIMARY, turn.core);
            }
        }
    }

    /// The worker of a lane greeted anew and holds a connection of this session, which `known` is about. Nothing may be
    /// said to that worker before WELCOME: what is unknown is dealt with after it, by [`Session::on_attempt_unknown`].
    pub(in crate::ingress) fn on_greeted(
        &mut self,
        destination: DestinationIndex,
        known: &Standing,
        turn: &mut Turn<'_, impl Shell>,
    ) -> Greeted {
        let session = self.id;
        let Some(lane) = self.lane(destination) else { return Greeted::Over };
        let attempt = lane.attempt;
        if known.attempt != attempt || lane.outbound.rewind(known.received).is_err() {
            return Greeted::Unknown;
        }
        // OPENED may have been lost with the old epoch.
        if known.phase == ConnectionPhase::Open && !lane.is_opened {
            self.on_opened(destination, known.limit, turn);
        }
        if self.on_totals(destination, Some((known.written, known.limit)), known.written, turn).is_err() {
            return Greeted::Unknown;
        }
        let Some(lane) = self.lane(destination).filter(|lane| lane.link.is_some()) else {
            return Greeted::Over;
        };
        let totals = lane.inbound.announce();
        Greeted::GoesOn(Standing {
            session,
            attempt,
            // What is connected while this is on its way, its worker has to say again.
            phase: if lane.is_opened { ConnectionPhase::Open } else { ConnectionPhase::Connecting },
            received: totals.taken,
            written: totals.written,
            limit: totals.limit,
        })
    }

    /// The worker lost the OPEN, or the RESET that ended the attempt was lost.
    pub(in crate::ingress) fn on_attempt_unknown(
        &mut self,
        destination: DestinationIndex,
        key: LinkKey,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if self.lane(destination).is_none_or(|lane| lane.link != Some(key)) {
            return;
        }
        if destination.is_primary() {
            if self.primary.state == PrimaryState::Opening {
                return self.move_primary(turn);
            }
            return self.on_reset(destination, Cause::LinkLost, 0, turn);
        }
        let index = destination.0 as usize - 1;
        if self.secondaries[index].state == SecondaryState::Opening {
            return self.move_secondary(index, turn);
        }
        self.on_reset(destination, Cause::LinkLost, 0, turn);
    }
}
