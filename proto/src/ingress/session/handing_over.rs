//! A worker that drains has its sessions taken over by others, each at a moment when nothing is lost by it.
//!
//! Between two exchanges a session can go on over another connection without anyone missing a byte. Where no such
//! moment comes, nothing is done here, and the worker leaves when its grace is over.

use super::{Patience, Phase, PrimaryState, SecondaryState, Session, Shell, Turn};
use crate::{id::DestinationIndex, time::Instant, wire::Cause};

/// A source that has waited so long for an answer is not waiting for one.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

impl Session {
    /// Moves a lane to another worker, if it is in the middle of nothing. The connection it leaves is closed in order.
    pub(in crate::ingress) fn hand_over(
        &mut self,
        destination: DestinationIndex,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if !turn.core.route(self.route).settings.moves {
            return;
        }
        if destination.is_primary() {
            if self.is_between_exchanges(turn.now) {
                self.leave_link(destination, Some(Cause::InOrder), turn.core);
                self.move_primary(turn);
            }
            return;
        }
        let index = destination.0 as usize - 1;
        let secondary = &self.secondaries[index];
        let outbound = &secondary.lane.outbound;
        let is_between_frames = outbound.outstanding() == 0 && !outbound.is_mid_frame() && !self.is_oversized;
        if secondary.state == SecondaryState::Live && is_between_frames {
            self.leave_link(destination, Some(Cause::InOrder), turn.core);
            turn.core.destination(self.route, destination).moved += 1;
            self.open_secondary(index, Patience::IfAvailable, turn);
        }
    }

    /// Nothing is on its way to or from the primary, and no answer is awaited.
    fn is_between_exchanges(&self, now: Instant) -> bool {
        let lane = &self.primary.lane;
        let is_answered = !self.source.spoke_last || now.since(self.active_at) >= PATIENCE;
        self.phase == Phase::Open
            && self.primary.state == PrimaryState::Open
            && lane.outbound.outstanding() == 0
            && !self.source.has_finished
            && !lane.has_closed
            && !lane.replies.is_mid_frame()
            && !self.framer.is_mid_frame()
            && self.source.backlog.is_empty()
            && is_answered
    }
}
