//! How what the primary says reaches the source: as it comes, held for a moment, or not at all (S3, S7, S10).
//!
//! It is passed on at once unless it may be what the source has been asked already, or a filter looks at it. What is held
//! is the frame in progress, no longer than `hold`, or until it is whole. What is kept from the source is consumed, so that
//! the primary's window is never lost by it.

use super::{
    From, Session, Shell, Turn,
    comparing::Compared,
    hearing::{Piece, pieces, whole},
};
use crate::{
    conversation::{Passing, hash, ledger::Heard},
    counters::Tally,
    id::DestinationIndex,
    ingress::core::RouteState,
};

impl Session {
    /// What the primary said, in which so many frames begin and those at `ends` end.
    pub(super) fn hear_primary(
        &mut self,
        frames: u64,
        payload: &[u8],
        ends: &[u32],
        turn: &mut Turn<'_, impl Shell>,
    ) {
        self.expire_asks(turn);
        self.look_for_lapses(turn);
        let is_free = !self.is_guarded(payload, ends, turn);
        let mut given = self.source.queued;
        if is_free {
            self.count_passed(frames, turn);
            self.give_all(payload, ends, turn);
        }
        for piece in pieces(payload, ends) {
            given += self.units_of(piece.bytes.len());
            self.source.ahead = if is_free { self.source.queued - given } else { 0 };
            self.begin_frame(DestinationIndex::PRIMARY, piece.bytes, turn);
            self.compare_stream(DestinationIndex::PRIMARY, piece.bytes, turn);
            self.hear_primary_piece(piece, is_free, turn);
        }
        self.await_silence(DestinationIndex::PRIMARY, turn);
        self.place_asks(turn);
        self.judge_all(turn);
    }

    /// Whether the primary's octets have to be looked at before the source gets them.
    fn is_guarded(&self, payload: &[u8], ends: &[u32], turn: &Turn<'_, impl Shell>) -> bool {
        let Some(conversation) = &self.conversation else { return false };
        let is_in_between = self.primary_voice().is_none_or(|voice| voice.kind.is_none());
        let passes = is_in_between || conversation.passing == Passing::Through;
        let asks = &conversation.asks;
        let may_repeat = |piece: Piece<'_>| {
            if piece.ends { asks.is_one(piece.bytes) } else { asks.may_become(piece.bytes) }
        };
        !passes
            || asks.next_waiting().is_some()
            || asks.is_watchful() && pieces(payload, ends).any(may_repeat)
            || turn.core.routes[self.route.0 as usize].settings.destinations[0].is_filtered()
    }

    fn hear_primary_piece(&mut self, piece: Piece<'_>, is_free: bool, turn: &mut Turn<'_, impl Shell>) {
        if let (true, Some(conversation)) = (is_free, &mut self.conversation) {
            conversation.passing = Passing::Through;
        }
        match (piece.ends, is_free) {
            (true, _) => self.finish_primary_frame(piece.bytes, is_free, turn),
            (false, true) => self.keep(DestinationIndex::PRIMARY, piece.bytes, turn),
            (false, false) => self.pass_or_hold(piece.bytes, turn),
        }
    }

    /// A piece of a primary's frame that goes on.
    fn pass_or_hold(&mut self, piece: &[u8], turn: &mut Turn<'_, impl Shell>) {
        match self.passing() {
            Passing::Through => self.write_to_source(piece, From::Primary, turn),
            Passing::Withheld => self.consume(DestinationIndex::PRIMARY, piece.len() as u64, turn),
            Passing::Undecided => return self.hold(piece, turn),
        }
        self.keep(DestinationIndex::PRIMARY, piece, turn);
    }

    /// Holds what may still be kept from the source, and lets go of it when it may not.
    fn hold(&mut self, piece: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let settings = &turn.core.routes[self.route.0 as usize].settings;
        let (max_frame, is_filtered) = (settings.max_frame, settings.destinations[0].is_filtered());
        let (Some(voice), Some(conversation)) = (&mut self.primary.lane.voice, &mut self.conversation) else {
            return;
        };
        if voice.heard.len() + piece.len() > max_frame as usize {
            return self.decide_by_beginning(piece, turn);
        }
        voice.gather(piece, max_frame);
        if is_filtered {
            return;
        }
        if conversation.asks.may_become(&voice.heard) {
            conversation.hold_until.get_or_insert(turn.now + settings.talk.hold);
        } else {
            self.release(turn);
        }
    }

    /// The primary's frame has become too long to be held: by what it begins with it passes or not.
    fn decide_by_beginning(&mut self, piece: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let RouteState { settings, counters, .. } = turn.core.route(self.route);
        let (Some(voice), Some(conversation)) = (&self.primary.lane.voice, &mut self.conversation) else {
            return;
        };
        let held = voice.heard.len();
        let fits = settings.max_frame as usize - held;
        if settings.destinations[0].admits(&[&voice.heard, &piece[..fits]].concat()) {
            self.release(turn);
        } else {
            conversation.passing = Passing::Withheld;
            counters.destinations[0].said.filtered += 1;
            self.consume(DestinationIndex::PRIMARY, held as u64, turn);
        }
        self.pass_or_hold(piece, turn);
    }

    /// Gives the source what was held of the primary's frame in progress; the rest follows as it comes.
    pub(super) fn release(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let (Some(voice), Some(conversation)) = (&mut self.primary.lane.voice, &mut self.conversation) else {
            return;
        };
        conversation.hold_until = None;
        if std::mem::replace(&mut conversation.passing, Passing::Through) != Passing::Undecided {
            return;
        }
        let heard = std::mem::take(&mut voice.heard);
        self.count_passed(1, turn);
        self.write_to_source(&heard, From::Primary, turn);
        if let Some(voice) = &mut self.primary.lane.voice {
            voice.heard = heard;
        }
    }

    /// The primary's frame is whole. `is_given`: the source has got this last piece of it already.
    pub(super) fn finish_primary_frame(
        &mut self,
        last: &[u8],
        is_given: bool,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let Some(voice) = &mut self.primary.lane.voice else { return };
        let max_frame = turn.core.routes[self.route.0 as usize].settings.max_frame as usize;
        let is_oversized = voice.is_oversized || voice.heard.len() + last.len() > max_frame;
        let mut heard = std::mem::take(&mut voice.heard);
        match self.passing() {
            Passing::Through if !is_given && !last.is_empty() => {
                self.write_to_source(last, From::Primary, turn);
            }
            Passing::Withheld => self.consume(DestinationIndex::PRIMARY, last.len() as u64, turn),
            Passing::Through | Passing::Undecided => {}
        }
        let frame = whole(&mut heard, last);
        if is_oversized {
            self.pass_unlooked(frame, turn);
        } else {
            self.on_primary_frame(frame, turn);
        }
        if let Some(conversation) = &mut self.conversation {
            conversation.passing = Passing::Undecided;
            conversation.hold_until = None;
        }
        self.end_frame(DestinationIndex::PRIMARY, heard);
    }

    /// S12: what is too long to be looked at is counted, and passes unless its beginning is not admitted.
    fn pass_unlooked(&mut self, frame: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let RouteState { settings, counters, .. } = turn.core.route(self.route);
        let said = &mut counters.destinations[0].said;
        said.oversized += 1;
        if self.passing() != Passing::Undecided {
            return;
        }
        if settings.destinations[0].admits(&frame[..frame.len().min(settings.max_frame as usize)]) {
            self.give(frame, turn);
        } else {
            said.filtered += 1;
            self.withhold(frame, turn);
        }
    }

    /// A whole frame of the primary's, which the source has or has not got.
    fn on_primary_frame(&mut self, frame: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let by = DestinationIndex::PRIMARY;
        let is_held = self.passing() == Passing::Undecided;
        let is_admitted = !is_held || turn.core.route(self.route).settings.destinations[0].admits(frame);
        let hash = hash(frame);
        let Some(heard) = self.tell_ledger(by, hash, is_admitted, turn) else { return };
        let is_repeat = is_held && self.is_asked(&heard, frame);
        let said = &mut turn.core.destination(self.route, by).said;
        if !is_admitted || is_repeat {
            said.filtered += u64::from(!is_admitted);
            said.suppressed += u64::from(is_admitted);
            self.withhold(frame, turn);
        } else if is_held {
            self.give(frame, turn);
        }
        if is_admitted && !is_repeat {
            self.note_said_by_primary(&heard, turn);
        }
        self.answer_again(by, &heard, frame, is_repeat, turn);
        self.compare_frame(Compared { by, frame, hash }, turn);
    }

    /// Whether the source has been asked this by another, and not by the primary yet.
    fn is_asked(&self, heard: &Heard, frame: &[u8]) -> bool {
        let is_one =
            || self.conversation.as_ref().is_some_and(|conversation| conversation.asks.is_one(frame));
        !heard.passes && !heard.is_new && is_one()
    }

    /// Gives the source what the primary said, in which the frames at `ends` end.
    pub(super) fn give_all(&mut self, payload: &[u8], ends: &[u32], turn: &mut Turn<'_, impl Shell>) {
        if self.has_datagrams() {
            self.send_to_source(payload, ends, From::Primary, turn);
        } else {
            self.write_to_source(payload, From::Primary, turn);
        }
    }

    /// The source does not get a whole frame of the primary's.
    fn withhold(&mut self, frame: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let units = self.units_of(frame.len());
        self.consume(DestinationIndex::PRIMARY, units, turn);
    }

    /// Gives the source a whole frame of the primary's.
    fn give(&mut self, frame: &[u8], turn: &mut Turn<'_, impl Shell>) {
        self.count_passed(1, turn);
        self.write_to_source(frame, From::Primary, turn);
    }

    pub(super) fn count_passed(&mut self, frames: u64, turn: &mut Turn<'_, impl Shell>) {
        self.sent += Tally::new(frames, 0);
        turn.core.route(self.route).counters.sent += Tally::new(frames, 0);
    }

    fn passing(&self) -> Passing {
        self.conversation.as_ref().map_or(Passing::Through, |conversation| conversation.passing)
    }
}
