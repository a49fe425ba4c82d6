//! How sessions end (S6). Every end has a reason, told once: who ended it, how, in which phase.
//!
//! After its end towards source and primary a session lives on, `linger` at most, only for its secondaries: what they
//! have not got is brought to them, then a FIN.

use std::fmt;

use super::{Effect, Phase, SecondaryState, Session, Shell, Turn};
use crate::{
    counters::{ShedReason, Tally},
    id::DestinationIndex,
    ingress::Notice,
    wire::Cause,
};

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The device.
    Source,
    /// The first destination, or what stands between it and us.
    Primary,
    /// Ourselves.
    Ingress,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both sides said their last word.
    Closed,
    /// Half closed, and silent for `linger`.
    Linger,
    /// Of datagrams: silent for `idle_timeout`.
    Idle,
    /// The source broke.
    Reset,
    /// The primary could not be connected.
    Refused(Cause),
    /// It was not connected in time, or no worker was there to do it.
    ConnectTimeout,
    /// The primary's connection broke.
    Lost(Cause),
    /// The primary's worker was lost after the primary had said its last word.
    WorkerLost,
    /// The primary's worker was lost when the source had been given part of a reply.
    TornReply,
    /// The primary's worker was lost inside a frame too long to be sent again.
    TornRequest,
    /// The process is shutting down.
    Drained,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Primary => "primary",
            Self::Ingress => "ingress",
        })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Linger => f.write_str("linger"),
            Self::Idle => f.write_str("idle"),
            Self::Reset => f.write_str("reset"),
            Self::Refused(cause) => write!(f, "refused: {cause}"),
            Self::ConnectTimeout => f.write_str("connect timeout"),
            Self::Lost(cause) => write!(f, "lost: {cause}"),
            Self::WorkerLost => f.write_str("worker lost"),
            Self::TornReply => f.write_str("torn reply"),
            Self::TornRequest => f.write_str("torn request"),
            Self::Drained => f.write_str("drained"),
        }
    }
}

impl Session {
    /// Both sides are done with each other: the session ends in order.
    pub(super) fn end_if_closed(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let is_closed = self.phase == Phase::Open
            && self.source.has_finished
            && self.source.is_shut
            && self.primary.lane.outbound.is_done();
        if is_closed {
            self.end(By::Source, Ending::Closed, false, turn);
        }
    }

    /// Ends the session towards source and primary. Secondaries get a FIN and their lanes drain.
    pub(in crate::ingress) fn end(
        &mut self,
        by: By,
        ending: Ending,
        abort: bool,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if !matches!(self.phase, Phase::Connecting | Phase::Open) {
            return;
        }
        if self.conversation.as_ref().is_some_and(|conversation| conversation.hold_until.is_some()) {
            // What a secondary asked must not cost the source the primary's last words.
            self.release(turn);
        }
        let was_connecting = self.phase == Phase::Connecting;
        let linger = turn.core.route(self.route).settings.linger;
        self.phase = Phase::Draining { until: turn.now + linger };
        self.connect_by = None;
        self.primary.place_at = None;
        self.quiet_at = None;
        if let Some(voice) = &mut self.primary.lane.voice {
            voice.quiet_at = None;
        }
        if !self.primary.lane.has_closed {
            // It had no chance to say what a secondary may say yet.
            self.stop_comparing_all(turn);
        }
        self.end_primary(ending, abort, turn);
        self.drop_partial(turn);
        self.drop_asks(turn);
        for index in 0..self.secondaries.len() {
            self.finish_secondary(index, turn);
        }
        // What the source has not got of the primary's words it will not get: a torn stream must not look whole.
        let is_torn = !self.source.backlog.is_empty();
        self.close_source(abort || is_torn, turn);
        turn.core.route(self.route).counters.ended += 1;
        turn.notice(Notice::SessionEnded {
            session: self.id,
            route: self.route,
            by,
            ending,
            was_connecting,
            received: self.received,
            sent: self.sent,
        });
        self.leave_if_done();
    }

    fn end_primary(&mut self, ending: Ending, abort: bool, turn: &mut Turn<'_, impl Shell>) {
        let reset = match ending {
            // The worker's connection is over already, or never was.
            Ending::Closed | Ending::Refused(_) | Ending::Lost(_) => None,
            _ if abort => Some(Cause::Reset),
            _ => Some(Cause::InOrder),
        };
        self.grant(DestinationIndex::PRIMARY, turn.core);
        self.leave_link(DestinationIndex::PRIMARY, reset, turn.core);
        let left = self.primary.lane.outbound.discard();
        let account = &mut turn.core.destination(self.route, DestinationIndex::PRIMARY).account;
        account.give_up(left, ShedReason::SessionEnded);
    }

    /// A frame whose end never came is no frame for a secondary.
    fn drop_partial(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let tally = self.partial.drain(..).fold(Tally::ZERO, |sum, chunk| sum + chunk.tally());
        for index in 1..=self.secondaries.len() {
            let destination = DestinationIndex(index as u16);
            turn.core.destination(self.route, destination).account.refuse(tally, ShedReason::SessionEnded);
        }
    }

    /// The source is done: what a secondary has not got is brought to it, then a FIN.
    pub(super) fn finish_secondary(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        let secondary = &mut self.secondaries[index];
        let destination = secondary.lane.destination;
        match secondary.state {
            SecondaryState::Opening | SecondaryState::Joining { .. } | SecondaryState::Live => {
                secondary.state = SecondaryState::Finishing;
                secondary.lane.outbound.finish();
                self.make_ready(destination, turn.core);
            }
            SecondaryState::Closed => {
                self.shed_in_flight(index, ShedReason::ConnectionLost, turn);
                self.finish_off(index, Some(Cause::InOrder), turn);
            }
            SecondaryState::Idle | SecondaryState::Away => self.finish_off(index, Some(Cause::InOrder), turn),
            SecondaryState::Finishing | SecondaryState::Done => {}
        }
    }

    /// A secondary that has got everything and closed its side needs no more.
    pub(super) fn finish_off_if_done(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        let secondary = &self.secondaries[index];
        let is_done = secondary.state == SecondaryState::Finishing
            && secondary.lane.outbound.is_done()
            && secondary.lane.has_closed;
        if is_done {
            self.finish_off(index, None, turn);
        }
    }

    /// Nothing more is to be done for a secondary.
    pub(super) fn finish_off(&mut self, index: usize, reset: Option<Cause>, turn: &mut Turn<'_, impl Shell>) {
        let destination = self.secondaries[index].lane.destination;
        self.grant(destination, turn.core);
        self.leave_link(destination, reset, turn.core);
        self.secondaries[index].state = SecondaryState::Done;
        self.secondaries[index].retry_at = None;
        self.leave_if_done();
    }

    fn leave_if_done(&mut self) {
        let is_ended = matches!(self.phase, Phase::Draining { .. });
        if is_ended && self.secondaries.iter().all(super::lane::SecondaryLane::is_done) {
            self.phase = Phase::Gone;
        }
    }

    /// `linger` is over: whatever a secondary has not got by now it will not get.
    pub(super) fn abandon_secondaries(&mut self, turn: &mut Turn<'_, impl Shell>) {
        for index in 0..self.secondaries.len() {
            if !self.secondaries[index].is_done() {
                self.shed_in_flight(index, ShedReason::SessionEnded, turn);
                self.finish_off(index, Some(Cause::InOrder), turn);
            }
        }
        self.phase = Phase::Gone;
    }

    /// The process takes no new work: at its first pause the session is brought to an end as if the source had finished.
    pub(in crate::ingress) fn drain(&mut self, turn: &mut Turn<'_, impl Shell>) {
        match self.phase {
            Phase::Connecting => self.end(By::Ingress, Ending::Drained, false, turn),
            Phase::Open => self.is_draining = true,
            Phase::Draining { .. } | Phase::Gone => {}
        }
    }

    /// A session that is to be drained has been quiet for a while, or only slow.
    pub(super) fn on_pause(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if !self.primary.lane.outbound.in_flight().is_zero() || !self.source.backlog.is_empty() {
            self.active_at = turn.now;
            return;
        }
        if self.has_datagrams() {
            return self.end(By::Ingress, Ending::Drained, false, turn);
        }
        turn.effect(Effect::PauseSource { session: self.id });
        self.source.is_paused = true;
        self.on_source_fin(turn);
    }
}
