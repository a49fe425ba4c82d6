//! What destinations say, frame by frame (S7, S9, S10).
//!
//! The primary's octets go to the source as they come, unless they may be what the source has been asked already, or must
//! not reach it. A secondary's never do, but for what it begins by itself, which [`asking`](super::asking) finds a place
//! for. Nothing here is done in a session of one destination without filters.

use super::{From, Session, Shell, Turn, comparing::Compared};
use crate::{
    conversation::{
        Passing,
        debts::Reply,
        hash,
        ledger::{Heard, Members},
        voice::{Kind, Tail, Voice},
    },
    counters::Tally,
    id::DestinationIndex,
    ingress::core::RouteState,
    policy::Replies,
};

/// A stretch of a frame, and whether the frame ends with it.
#[derive(Clone, Copy)]
struct Piece<'a> {
    bytes: &'a [u8],
    ends: bool,
}

/// The frames of a payload that end at `ends`, and the rest of it.
fn pieces<'a>(payload: &'a [u8], ends: &'a [u32]) -> impl Iterator<Item = Piece<'a>> {
    let mut from = 0;
    let whole = ends.iter().map(move |&end| {
        let bytes = &payload[from..end as usize];
        from = end as usize;
        Piece { bytes, ends: true }
    });
    let rest = &payload[ends.last().map_or(0, |&end| end as usize)..];
    whole.chain((!rest.is_empty()).then_some(Piece { bytes: rest, ends: false }))
}

/// The whole of a frame whose last piece this is.
fn whole<'a>(heard: &'a mut Vec<u8>, last: &'a [u8]) -> &'a [u8] {
    if heard.is_empty() {
        return last;
    }
    heard.extend_from_slice(last);
    heard
}

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
        let is_free = !self.is_guarded(turn);
        if is_free {
            self.count_passed(frames, turn);
            self.give_all(payload, ends, turn);
        }
        for piece in pieces(payload, ends) {
            self.begin_frame(DestinationIndex::PRIMARY, piece.bytes, turn);
            self.compare_stream(DestinationIndex::PRIMARY, piece.bytes, turn);
            self.hear_primary_piece(piece, is_free, turn);
        }
        self.await_silence(DestinationIndex::PRIMARY, turn);
        self.place_asks(turn);
        self.judge_all(turn);
    }

    /// Whether the primary's octets have to be looked at before the source gets them.
    fn is_guarded(&self, turn: &Turn<'_, impl Shell>) -> bool {
        let Some(conversation) = &self.conversation else { return false };
        let is_in_between = self.primary_voice().is_none_or(|voice| voice.kind.is_none());
        conversation.asks.is_watchful()
            || !(is_in_between || conversation.passing == Passing::Through)
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
    fn finish_primary_frame(&mut self, last: &[u8], is_given: bool, turn: &mut Turn<'_, impl Shell>) {
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
        self.end_frame(DestinationIndex::PRIMARY, heard, !last.is_empty());
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

    /// What a secondary said, in which the frames at `ends` end.
    pub(super) fn hear_secondary(
        &mut self,
        destination: DestinationIndex,
        payload: &[u8],
        ends: &[u32],
        turn: &mut Turn<'_, impl Shell>,
    ) {
        self.expire_asks(turn);
        self.look_for_lapses(turn);
        for piece in pieces(payload, ends) {
            self.begin_frame(destination, piece.bytes, turn);
            self.compare_stream(destination, piece.bytes, turn);
            if piece.ends {
                self.finish_secondary_frame(destination, piece.bytes, turn);
            } else {
                self.keep(destination, piece.bytes, turn);
            }
        }
        self.await_silence(destination, turn);
        self.place_asks(turn);
        self.judge(destination.0 as usize - 1, turn);
    }

    fn finish_secondary_frame(
        &mut self,
        destination: DestinationIndex,
        last: &[u8],
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let max_frame = turn.core.routes[self.route.0 as usize].settings.max_frame as usize;
        let Some(voice) = self.voice(destination) else { return };
        let is_oversized = voice.is_oversized || voice.heard.len() + last.len() > max_frame;
        let mut heard = std::mem::take(&mut voice.heard);
        if is_oversized {
            turn.core.destination(self.route, destination).said.oversized += 1;
        } else {
            self.on_secondary_frame(destination, whole(&mut heard, last), turn);
        }
        self.end_frame(destination, heard, !last.is_empty());
    }

    fn on_secondary_frame(&mut self, by: DestinationIndex, frame: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let is_ask = self.voice(by).is_some_and(|voice| voice.kind == Some(Kind::Ask));
        let RouteState { settings, counters, .. } = turn.core.route(self.route);
        let policy = &settings.destinations[by.0 as usize];
        let may_pass = is_ask && policy.asks && policy.admits(frame);
        counters.destinations[by.0 as usize].said.filtered += u64::from(is_ask && !may_pass);
        let hash = hash(frame);
        let Some(heard) = self.tell_ledger(by, hash, may_pass, turn) else { return };
        if heard.passes {
            self.ask(by, &heard, frame, turn);
        } else {
            turn.core.destination(self.route, by).said.suppressed += u64::from(may_pass);
            self.answer_again(by, &heard, frame, may_pass, turn);
        }
        self.compare_frame(Compared { by, frame, hash }, turn);
    }

    fn tell_ledger(
        &mut self,
        by: DestinationIndex,
        hash: u64,
        may_pass: bool,
        turn: &mut Turn<'_, impl Shell>,
    ) -> Option<Heard> {
        let in_step = self.in_step();
        let conversation = self.conversation.as_mut()?;
        let heard = conversation.ledger.hear(by, hash, may_pass, in_step, turn.now);
        turn.core.route(self.route).counters.forgotten += conversation.ledger.take_forgotten();
        Some(heard)
    }

    /// Who is connected and could be saying something.
    fn in_step(&self) -> Members {
        let lanes = self.lanes().filter(|lane| lane.is_opened && !lane.has_closed);
        lanes.fold(Members::default(), |members, lane| members.with(lane.destination))
    }

    /// What the frame in progress is, if it begins here.
    fn begin_frame(&mut self, by: DestinationIndex, bytes: &[u8], turn: &mut Turn<'_, impl Shell>) {
        if by.is_primary()
            && let Some(conversation) = &mut self.conversation
        {
            conversation.note_primary();
        }
        let settings = &turn.core.routes[self.route.0 as usize].settings;
        let gap = settings.codec.ends_by_silence().then_some(settings.quiet_gap);
        let Some(voice) = self.voice(by) else { return };
        let before = voice.speak(gap, turn.now);
        if voice.kind.is_some() {
            return;
        }
        let paid = match before {
            Some(Tail { kind: Kind::Reply(reply), is_cut: true }) => Some(reply),
            _ => voice.debts.pay(settings.replies(), settings.talk.reply_timeout, turn.now),
        };
        let latest = voice.offered().checked_sub(1);
        let kind = match (paid, before) {
            (Some(reply), _) | (None, Some(Tail { kind: Kind::Reply(reply), .. })) => Kind::Reply(reply),
            _ if settings.codec.only_replies() => Kind::Reply(Reply(latest)),
            _ if latest.is_some() && self.continues_reply(by, bytes) => Kind::Reply(Reply(latest)),
            _ => Kind::Ask,
        };
        if let Some(voice) = self.voice(by) {
            voice.kind = Some(kind);
        }
    }

    fn keep(&mut self, by: DestinationIndex, piece: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let max_frame = turn.core.route(self.route).settings.max_frame;
        if let Some(voice) = self.voice(by) {
            voice.gather(piece, max_frame);
        }
    }

    /// The frame in progress is over; its buffer is kept for the next. `is_cut`: by a byte of it, not by silence.
    fn end_frame(&mut self, by: DestinationIndex, buffer: Vec<u8>, is_cut: bool) {
        if let Some(voice) = self.voice(by) {
            voice.heard = buffer;
            voice.finish(is_cut);
        }
    }

    /// Where silence ends frames, begins to wait for it.
    fn await_silence(&mut self, by: DestinationIndex, turn: &mut Turn<'_, impl Shell>) {
        let settings = &turn.core.routes[self.route.0 as usize].settings;
        if settings.codec.ends_by_silence()
            && let Some(voice) = self.voice(by)
        {
            voice.quiet_at = voice.kind.is_some().then(|| turn.now + settings.quiet_gap);
        }
    }

    /// The frame a destination is saying is over, though no byte of it said so: silence, a FIN, or the source speaks.
    pub(super) fn end_reply(&mut self, by: DestinationIndex, turn: &mut Turn<'_, impl Shell>) {
        if let Some(lane) = self.lane(by) {
            lane.replies.finish();
        }
        if self.voice(by).is_none_or(|voice| voice.kind.is_none()) {
            return;
        }
        if by.is_primary() {
            self.finish_primary_frame(b"", false, turn);
        } else {
            self.finish_secondary_frame(by, b"", turn);
        }
        self.place_asks(turn);
    }

    /// Debts lapse. A source to which the primary never replies only reports: then nobody owes it anything (S9).
    pub(super) fn look_for_lapses(&mut self, turn: &mut Turn<'_, impl Shell>) {
        let timeout = turn.core.routes[self.route.0 as usize].settings.talk.reply_timeout;
        let (Some(voice), Some(conversation)) = (&mut self.primary.lane.voice, &mut self.conversation) else {
            return;
        };
        for voice in self.secondaries.iter_mut().filter_map(|it| it.lane.voice.as_mut()) {
            voice.debts.lapse(timeout, turn.now);
        }
        let lapsed = voice.debts.lapse(timeout, turn.now);
        if lapsed == 0 {
            return;
        }
        conversation.note_lapsed(lapsed);
        if conversation.is_one_way() {
            voice.debts.forgive();
            let secondaries = self.secondaries.iter_mut();
            secondaries.filter_map(|it| it.lane.voice.as_mut()).for_each(|voice| voice.debts.forgive());
        }
    }

    /// So many source frames more were written to a destination: it owes replies to them.
    pub(super) fn on_frames_written(
        &mut self,
        destination: DestinationIndex,
        frames: u64,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if frames > 0 && self.conversation.is_some() && self.ends_by_silence(turn) {
            // The source has spoken to it: what it says from now on is no part of what it was saying.
            self.end_reply(destination, turn);
        }
        let Some(conversation) = self.conversation.as_ref().filter(|_| frames > 0) else { return };
        let settings = &turn.core.routes[self.route.0 as usize].settings;
        let is_owed = settings.replies() != Replies::None && !conversation.is_one_way();
        let due = turn.now + settings.talk.reply_timeout;
        let Some(voice) = self.voice(destination) else { return };
        let reached = voice.deliver(frames, is_owed, turn.now);
        if let (Some(before), false) = (reached, destination.is_primary()) {
            self.secondaries[destination.0 as usize - 1].comparison.on_written(before, due);
        }
    }

    pub(super) fn voice(&mut self, destination: DestinationIndex) -> Option<&mut Voice> {
        self.lane(destination)?.voice.as_deref_mut()
    }

    pub(super) fn primary_voice(&self) -> Option<&Voice> {
        self.primary.lane.voice.as_deref()
    }

    fn passing(&self) -> Passing {
        self.conversation.as_ref().map_or(Passing::Through, |conversation| conversation.passing)
    }
}
