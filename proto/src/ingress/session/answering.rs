//! What the source says, as answers to what it was asked; and answers that are kept for who asks the same later (S9).
//!
//! A stored answer enters the stream to a destination between two frames of the source's. It is part of what the destination
//! was given, and counted as such; `injected` says how much of that it is.

use super::{DestinationIndex, Session, Shell, Turn};
use crate::{
    conversation::{asks::Answer, comparing::Comparison, voice::MAX_ANSWERS},
    counters::ShedReason,
    credit::Chunk,
};

/// The frames of a stretch, each with the pieces before its last put together, and whether it is whole. What was begun earlier
/// and is too long to be kept is left out; what goes on behind the stretch is given as far as it has come.
fn frames(stretch: &[Chunk], mut on_frame: impl FnMut(&[u8], bool)) {
    let mut open: Option<Vec<u8>> = None;
    for chunk in stretch {
        let cuts = chunk.cuts().iter().map(|&cut| cut as usize);
        let mut from = 0;
        for (index, to) in cuts.chain([chunk.len()]).enumerate() {
            let piece = &chunk.bytes()[from..to];
            let (starts, ends) = (index > 0 || chunk.starts(), to < chunk.len() || chunk.ends());
            from = to;
            match (starts, ends) {
                (true, true) => on_frame(piece, true),
                (true, false) => open = Some(piece.to_vec()),
                (false, _) => open.iter_mut().for_each(|open| open.extend_from_slice(piece)),
            }
            if !starts && ends {
                open.take().iter().for_each(|frame| on_frame(frame, true));
            }
        }
    }
    if let Some(frame) = open {
        on_frame(&frame, false);
    }
}

impl Session {
    /// The source's next byte is about to be looked at.
    pub(super) fn begin_source_frame(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.conversation.is_none() || self.framer.is_mid_frame() {
            return;
        }
        self.source.heard_before_frame = self.source.written;
        self.look_for_lapses(turn);
        if self.ends_by_silence(turn) {
            self.begin_exchange();
        }
    }

    /// Where replies are compared as streams: if nobody is speaking or owes anything, what comes is compared afresh.
    fn begin_exchange(&mut self) {
        let is_silent = |lane: &super::Lane| {
            lane.voice.as_ref().is_none_or(|voice| voice.kind.is_none() && voice.debts.is_settled())
        };
        if !is_silent(&self.primary.lane) {
            return;
        }
        for secondary in self.secondaries.iter_mut().filter(|secondary| is_silent(&secondary.lane)) {
            if let Comparison::Stream(stream) = &mut secondary.comparison {
                stream.begin();
            }
        }
    }

    /// The source has said these frames.
    pub(super) fn note_source_frames(&mut self, stretch: &[Chunk], turn: &mut Turn<'_, impl Shell>) {
        self.expire_asks(turn);
        let Some(conversation) = &mut self.conversation else { return };
        let settings = &turn.core.routes[self.route.0 as usize].settings;
        let (max_frame, answer, codec) =
            (settings.max_frame as usize, &settings.talk.answer, &settings.codec);
        let source = &mut self.source;
        frames(stretch, |frame, is_whole| {
            let request = conversation.requests.note(frame, codec.key(frame));
            let is_kept = is_whole && frame.len() <= max_frame;
            if is_kept {
                conversation.opening.note(frame);
            }
            if is_kept && (answer.is_empty() || answer.is_match(frame)) {
                conversation.asks.answer(frame, request, source.heard_before_frame);
            }
            // Whatever begins behind it was read just now.
            source.heard_before_frame = source.written;
        });
    }

    /// Sends a destination an answer that the source gave before, unless that is on its way to it in its turn.
    pub(super) fn send_answer(
        &mut self,
        to: DestinationIndex,
        answer: Answer,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        let Answer { bytes: answer, request } = answer;
        let Some(voice) = self.voice(to).filter(|voice| !voice.debts.is_underway(request)) else { return };
        if voice.answers.len() < MAX_ANSWERS {
            voice.answers.push_back(answer);
            if let Some(conversation) = &mut self.conversation {
                conversation.has_answers = true;
            }
            return self.bring_answers(turn);
        }
        let chunk = Chunk::new(answer, true, true, Vec::new());
        let account = &mut turn.core.destination(self.route, to).account;
        account.refuse(chunk.tally(), ShedReason::WindowFull);
    }

    /// Brings stored answers on their way, where the stream to their destination is between two frames.
    pub(super) fn bring_answers(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if self.conversation.as_ref().is_none_or(|conversation| !conversation.has_answers) {
            return;
        }
        if !self.framer.is_mid_frame() {
            self.bring_answers_to(DestinationIndex::PRIMARY, turn);
        }
        if !self.is_oversized {
            for index in 1..=self.secondaries.len() {
                self.bring_answers_to(DestinationIndex(index as u16), turn);
            }
        }
        let has_answers =
            self.lanes().filter_map(|lane| lane.voice.as_ref()).any(|voice| !voice.answers.is_empty());
        if let Some(conversation) = &mut self.conversation {
            conversation.has_answers = has_answers;
        }
    }

    fn bring_answers_to(&mut self, to: DestinationIndex, turn: &mut Turn<'_, impl Shell>) {
        while let Some(answer) = self.voice(to).and_then(|voice| voice.answers.pop_front()) {
            let chunk = Chunk::new(answer, true, true, Vec::new());
            let refusal = self.refusal_of(to, &chunk);
            let counters = turn.core.destination(self.route, to);
            let Some(lane) = self.lane(to) else { return };
            if let Some(reason) = refusal {
                counters.account.refuse(chunk.tally(), reason);
                continue;
            }
            counters.said.injected += chunk.tally();
            counters.account.accept(chunk.tally());
            lane.push_unnumbered(chunk);
            self.make_ready(to, turn.core);
        }
    }

    fn refusal_of(&self, to: DestinationIndex, chunk: &Chunk) -> Option<ShedReason> {
        match to.0 {
            0 => self.source.has_finished.then_some(ShedReason::SessionEnded),
            index => self.secondaries[index as usize - 1].refusal_of(chunk),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn chunk(bytes: &'static [u8], starts: bool, ends: bool, cuts: &[u32]) -> Chunk {
        Chunk::new(Bytes::from_static(bytes), starts, ends, cuts.to_vec())
    }

    fn of(stretch: &[Chunk]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        frames(stretch, |frame, _| all.push(frame.to_vec()));
        all
    }

    #[test]
    fn frames_are_put_together_however_they_were_read() {
        assert_eq!(of(&[chunk(b"ab", true, true, &[1])]), [b"a", b"b"]);
        assert_eq!(
            of(&[
                chunk(b"ab", true, false, &[]),
                chunk(b"c", false, false, &[]),
                chunk(b"def", false, true, &[1])
            ]),
            [&b"abcd"[..], b"ef"]
        );
    }

    #[test]
    fn what_is_too_long_is_told_once_by_its_beginning() {
        assert_eq!(of(&[chunk(b"ab", true, false, &[])]), [b"ab"]);
        assert!(of(&[chunk(b"cd", false, false, &[])]).is_empty());
        assert_eq!(of(&[chunk(b"efg", false, true, &[1])]), [b"fg"]);
    }
}
