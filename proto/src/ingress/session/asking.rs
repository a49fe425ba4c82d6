//! What secondaries begin by themselves: its place in the source's stream, and when it is said once more (S7).
//!
//! An ask enters the source's stream only between two frames of the primary's, while the primary owes no reply and the
//! source's socket takes what it is given. One that finds no such place while it is news is shed, and counted.

use bytes::Bytes;

use super::{From, Phase, Session, Shell, Turn, comparing::Compared};
use crate::{
    conversation::{Passing, ledger::Heard, voice::Kind},
    id::DestinationIndex,
    ingress::{Notice, core::Subject},
    time::Instant,
};

/// Bytes of an ask that are told.
const SHOWN: usize = 256;

impl Session {
    /// A secondary asks what nobody has asked before.
    pub(super) fn ask(
        &mut self,
        Compared { by, frame, hash }: Compared<'_>,
        heard: &Heard,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let Some(conversation) = &mut self.conversation else { return };
        let bytes = Bytes::copy_from_slice(frame);
        let is_open = matches!(self.phase, Phase::Open);
        if !is_open || !conversation.asks.wait(heard.group, by, bytes, heard.until) {
            conversation.ledger.withdraw(hash, heard.group);
            turn.core.destination(self.route, by).said.asks_shed += 1;
        }
    }

    /// Says to the source what waits, as long as there is a place for it.
    pub(super) fn place_asks(&mut self, turn: &mut Turn<'_, impl Shell>) {
        while self.has_place() {
            let waiting = self.conversation.as_ref().and_then(|it| it.asks.next_waiting().cloned());
            let Some(bytes) = waiting else { return };
            let end = self.source.queued + self.units_of(bytes.len());
            let Some(by) = self.conversation.as_mut().and_then(|it| it.asks.said(end)) else { return };
            self.count_passed(1, turn);
            self.write_to_source(&bytes, From::Ask, turn);
            turn.core.destination(self.route, by).said.asks += 1;
            let (session, route, frame) = (self.id, self.route, shown(&bytes));
            self.tell(by, Subject::Asked, turn, |left_out| Notice::Asked {
                session,
                route,
                destination: by,
                frame,
                left_out,
            });
        }
    }

    /// Whether something that is not the primary's may be said to the source now.
    fn has_place(&self) -> bool {
        let Some(conversation) = &self.conversation else { return false };
        let Some(voice) = self.primary_voice() else { return false };
        let is_between_frames = voice.kind.is_none() || conversation.passing == Passing::Undecided;
        conversation.asks.next_waiting().is_some()
            && self.phase == Phase::Open
            && is_between_frames
            && voice.debts.owes_since().is_none()
            && !(voice.debts.has_underway() && conversation.awaits_replies())
            && self.source.backlog.is_empty()
            && !self.source.is_shut
    }

    /// The primary has said something the source hears from it: if it was an ask, its answer will be kept too.
    pub(super) fn note_said_by_primary(&mut self, heard: &Heard, turn: &mut Turn<'_, impl Shell>) {
        let is_ask = self.primary_voice().is_some_and(|voice| voice.kind == Some(Kind::Ask));
        let queued = self.source.queued - self.source.ahead;
        let Some(conversation) = &mut self.conversation else { return };
        if !heard.is_new {
            if let Some(by) = conversation.asks.overtake(heard.group, queued) {
                turn.core.destination(self.route, by).said.suppressed += 1;
            }
        } else if is_ask && heard.may_be_repeated {
            conversation.asks.said_by_primary(heard.group, heard.until, queued);
        }
    }

    /// Somebody has said it before: whoever says it now is sent the answer, if there is one (S7).
    pub(super) fn answer_again(
        &mut self,
        by: DestinationIndex,
        heard: &Heard,
        frame: &[u8],
        is_suppressed: bool,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let Some(conversation) = self.conversation.as_mut().filter(|_| !heard.is_new) else { return };
        let may_ask = turn.core.routes[self.route.0 as usize].settings.destinations[by.0 as usize].asks;
        let answer = conversation.asks.repeat(heard.group, by).filter(|_| may_ask);
        if is_suppressed {
            let (session, route, frame) = (self.id, self.route, shown(frame));
            let answer = answer.as_ref().map(|answer| shown(&answer.bytes));
            self.tell(by, Subject::AskedAgain, turn, |left_out| Notice::AskedAgain {
                session,
                route,
                destination: by,
                frame,
                answer,
                left_out,
            });
        }
        if let Some(answer) = answer {
            self.send_answer(by, answer, turn);
        }
    }

    /// What only the clock decides about what destinations say.
    pub(super) fn on_conversation_time(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.conversation.is_none() {
            return;
        }
        for index in 0..=self.secondaries.len() {
            let by = DestinationIndex(index as u16);
            if self.voice(by).and_then(|voice| voice.quiet_at).is_some_and(|at| at <= turn.now) {
                self.end_reply(by, turn);
            }
        }
        self.stop_holding(turn);
        self.expire_asks(turn);
        self.look_for_lapses(turn);
        self.place_asks(turn);
        self.judge_all(turn);
    }

    /// The primary's bytes were held long enough. Where silence ends frames, they are what was asked, if they are all of it.
    fn stop_holding(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let Some(conversation) = &self.conversation else { return };
        if conversation.hold_until.is_none_or(|at| at > turn.now) {
            return;
        }
        let is_asked = self.primary_voice().is_some_and(|voice| conversation.asks.is_one(&voice.heard));
        if is_asked && self.ends_by_silence(turn) {
            self.end_reply(DestinationIndex::PRIMARY, turn);
        } else {
            if let (Some(conversation), Some(voice)) = (&mut self.conversation, &self.primary.lane.voice) {
                conversation.asks.stop_holding(&voice.heard);
            }
            self.release(turn);
        }
    }

    /// What is over is neither held for nor answered.
    pub(super) fn expire_asks(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let Some(conversation) = &mut self.conversation else { return };
        for by in conversation.asks.expire(turn.now) {
            turn.core.destination(self.route, by).said.asks_shed += 1;
        }
    }

    /// The source hears nothing any more.
    pub(super) fn drop_asks(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let Some(conversation) = &mut self.conversation else { return };
        for by in conversation.asks.clear() {
            turn.core.destination(self.route, by).said.asks_shed += 1;
        }
    }

    /// When [`Session::on_conversation_time`] has something to do.
    pub(super) fn conversation_deadline(&self, core: &super::Core) -> Option<Instant> {
        let conversation = self.conversation.as_ref()?;
        let timeout = core.routes[self.route.0 as usize].settings.talk.reply_timeout;
        let expiry = conversation.asks.deadline();
        let owes_since = expiry.and_then(|_| self.primary_voice()?.debts.owes_since());
        let silences = self.lanes().filter_map(|lane| lane.voice.as_ref()?.quiet_at);
        let findings = self.secondaries.iter().filter_map(|secondary| secondary.comparison.deadline());
        let lapse = owes_since.map(|since| since + timeout);
        silences.chain(findings).chain(expiry).chain(lapse).chain(conversation.hold_until).min()
    }

    /// Tells the operator, unless something of the kind was told just now.
    pub(super) fn tell(
        &self,
        of: DestinationIndex,
        subject: Subject,
        turn: &mut Turn<'_, impl Shell>,
        notice: impl FnOnce(u64) -> Notice,
    ) {
        let told = &mut turn.core.route(self.route).told[of.0 as usize];
        if let Some(left_out) = told.admit(subject, turn.now) {
            turn.notice(notice(left_out));
        }
    }
}

fn shown(frame: &[u8]) -> Vec<u8> {
    frame[..frame.len().min(SHOWN)].to_vec()
}
