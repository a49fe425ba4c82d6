//! What destinations say, frame by frame (S7, S9, S10).
//!
//! Whether it is a reply or an ask, and whether another has said it before. What the primary says goes to the source, see
//! [`passing`](super::passing); a secondary's never does, but for what it begins by itself, which [`asking`](super::asking)
//! finds a place for. Nothing here is done in a session of one destination without filters.

use super::{Session, Shell, Turn, comparing::Compared};
use crate::{
    conversation::{
        debts::Reply,
        hash,
        ledger::{Heard, Members},
        voice::{Kind, Voice},
    },
    id::DestinationIndex,
    ingress::core::RouteState,
};

/// A stretch of a frame, and whether the frame ends with it.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ends: bool,
}

/// The frames of a payload that end at `ends`, and the rest of it.
pub(super) fn pieces<'a>(payload: &'a [u8], ends: &'a [u32]) -> impl Iterator<Item = Piece<'a>> {
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
pub(super) fn whole<'a>(heard: &'a mut Vec<u8>, last: &'a [u8]) -> &'a [u8] {
    if heard.is_empty() {
        return last;
    }
    heard.extend_from_slice(last);
    heard
}

impl Session {
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
        self.end_frame(destination, heard);
    }

    fn on_secondary_frame(&mut self, by: DestinationIndex, frame: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let is_ask = self.voice(by).is_some_and(|voice| voice.kind == Some(Kind::Ask));
        let RouteState { settings, counters, .. } = turn.core.route(self.route);
        let policy = &settings.destinations[by.0 as usize];
        let may_pass = is_ask && policy.asks && policy.admits(frame);
        counters.destinations[by.0 as usize].said.filtered += u64::from(is_ask && !may_pass);
        let hash = hash(frame);
        let Some(heard) = self.tell_ledger(by, hash, may_pass, turn) else { return };
        let said = Compared { by, frame, hash };
        if heard.passes {
            self.ask(said, &heard, turn);
        } else {
            turn.core.destination(self.route, by).said.suppressed += u64::from(may_pass);
            self.answer_again(by, &heard, frame, may_pass, turn);
        }
        self.compare_frame(said, turn);
    }

    pub(super) fn tell_ledger(
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
    pub(super) fn begin_frame(
        &mut self,
        by: DestinationIndex,
        bytes: &[u8],
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if by.is_primary()
            && let Some(conversation) = &mut self.conversation
        {
            conversation.note_primary();
        }
        let settings = &turn.core.routes[self.route.0 as usize].settings;
        let gap = settings.codec.ends_by_silence().then_some(settings.quiet_gap);
        let Some(voice) = self.voice(by) else { return };
        let before = gap.and_then(|gap| voice.speak(gap, turn.now));
        if voice.kind.is_some() {
            return;
        }
        let paid = voice.debts.pay(settings.talk.replies, settings.talk.reply_timeout, turn.now);
        let latest = voice.offered().checked_sub(1);
        let kind = match (paid, before) {
            (Some(reply), _) | (None, Some(Kind::Reply(reply))) => Kind::Reply(reply),
            _ if settings.codec.only_replies() => Kind::Reply(Reply(latest)),
            _ if latest.is_some() && self.continues_reply(by, bytes) => Kind::Reply(Reply(latest)),
            _ => Kind::Ask,
        };
        if let Some(voice) = self.voice(by) {
            voice.kind = Some(kind);
        }
    }

    pub(super) fn keep(&mut self, by: DestinationIndex, piece: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let max_frame = turn.core.route(self.route).settings.max_frame;
        if let Some(voice) = self.voice(by) {
            voice.gather(piece, max_frame);
        }
    }

    /// The frame in progress is over; its buffer is kept for the next.
    pub(super) fn end_frame(&mut self, by: DestinationIndex, buffer: Vec<u8>) {
        if let Some(voice) = self.voice(by) {
            voice.heard = buffer;
            voice.finish();
        }
    }

    /// Where silence ends frames, begins to wait for it.
    pub(super) fn await_silence(&mut self, by: DestinationIndex, turn: &mut Turn<'_, impl Shell>) {
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
            voice.lapse(timeout, turn.now);
        }
        let lapsed = voice.lapse(timeout, turn.now);
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
        let talk = &turn.core.routes[self.route.0 as usize].settings.talk;
        let is_owed = conversation.awaits_replies();
        let due = turn.now + talk.reply_timeout;
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
}
