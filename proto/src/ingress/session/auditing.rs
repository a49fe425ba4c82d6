//! What must hold of a session between any two inputs, computed anew. For tests and simulations.

use super::{Phase, SecondaryState, Session};
use crate::{
    conversation::{Passing, asks::MAX_ASKS, ledger::MAX_GROUPS, voice::MAX_ANSWERS},
    credit::FIN_COST,
};

impl Session {
    /// See `Ingress::audit`. `max_frame`: of its route.
    pub(in crate::ingress) fn audit(&self, max_frame: u32) {
        // A primary that is placed nowhere begins with a window of its own.
        if matches!(self.phase, Phase::Connecting | Phase::Open) && self.primary.lane.link.is_some() {
            self.audit_primary_credit();
        }
        for lane in self.lanes().skip(1).map(|lane| &lane.inbound) {
            assert_eq!(lane.received(), lane.written(), "what a secondary says is consumed at once");
        }
        for voice in self.lanes().filter_map(|lane| lane.voice.as_ref()) {
            assert!(voice.heard.len() <= max_frame as usize && voice.answers.len() <= MAX_ANSWERS, "S12");
        }
        if let Some(conversation) = &self.conversation {
            assert!(conversation.asks.len() <= MAX_ASKS && conversation.ledger.len() <= MAX_GROUPS, "S12");
        }
        for secondary in &self.secondaries {
            secondary.comparison.audit();
            let is_live = secondary.state == SecondaryState::Live;
            let waits = secondary.lane.voice.as_ref().is_some_and(|voice| !voice.answers.is_empty());
            assert!(!(is_live && waits) || self.is_oversized, "an answer waits for nothing");
        }
    }

    /// Of the primary's window, what is held or waits for the source's socket is spent, and nothing else.
    fn audit_primary_credit(&self) {
        let lane = &self.primary.lane;
        let is_held = self.conversation.as_ref().is_some_and(|it| it.passing == Passing::Undecided);
        let held = lane.voice.as_ref().filter(|_| is_held).map_or(0, |voice| voice.heard.len() as u64);
        let backlog = self.backlog_units() - self.source.older;
        let fin = if lane.has_closed && !self.source.is_shut { FIN_COST } else { 0 };
        assert_eq!(
            lane.inbound.received() - lane.inbound.written(),
            held + backlog + fin,
            "the primary's window"
        );
    }
}
