//! Holds what a secondary replies against what the primary replies, and tells what differs (S8).
//!
//! Only replies are held against each other, and only where the secondary had got the request over its present connection;
//! whatever else the primary replies is counted `uncompared`.

use super::{DestinationIndex, Session, Shell, Turn};
use crate::{
    conversation::{
        comparing::{Comparison, Divergence, Said, Side},
        debts::{Reply, Request},
        hash,
        voice::Kind,
    },
    ingress::{
        Notice,
        core::{RouteState, Subject},
    },
    policy::Replies,
    time::Instant,
};

/// A whole frame that may be a reply.
#[derive(Clone, Copy)]
pub(super) struct Compared<'a> {
    pub(super) by: DestinationIndex,
    pub(super) frame: &'a [u8],
    pub(super) hash: u64,
}

/// What a reply answers.
#[derive(Clone, Copy)]
struct Answered {
    request: Request,
    /// By what it is known which reply of the other side it is held against, where the codec has such a thing.
    key: Option<u64>,
}

impl Session {
    /// A destination has said a frame; where frames are compared, and it is a reply, it is held against the others'.
    pub(super) fn compare_frame(&mut self, said: Compared<'_>, turn: &mut Turn<'_, impl Shell>) {
        let key = turn.core.route(self.route).settings.codec.key(said.frame);
        let Some(request) = self.request_of(said.by, key) else { return };
        let answered = Answered { request, key };
        if self.ends_by_silence(turn) {
            return self.note_uncompared(said.by, request, turn);
        }
        let RouteState { settings, .. } = &turn.core.routes[self.route.0 as usize];
        if settings.talk.ignore.is_empty() {
            return self.compare(said, answered, turn);
        }
        let ignore = settings.talk.ignore.clone();
        let rest = ignore.blank(said.frame);
        self.compare(Compared { frame: &rest, hash: hash(&rest), ..said }, answered, turn);
    }

    /// A destination has said some bytes; where replies are compared as streams, they are.
    pub(super) fn compare_stream(
        &mut self,
        by: DestinationIndex,
        bytes: &[u8],
        turn: &mut Turn<'_, impl Shell>,
    ) {
        if self.ends_by_silence(turn)
            && let Some(request) = self.replies_to(by)
        {
            let answered = Answered { request, key: None };
            self.compare(Compared { by, frame: bytes, hash: 0 }, answered, turn);
        }
    }

    /// Whether these bytes are a part of a reply that the other side has said already.
    pub(super) fn continues_reply(&self, by: DestinationIndex, bytes: &[u8]) -> bool {
        let expects = |comparison: &Comparison, side| match comparison {
            Comparison::Stream(stream) => stream.expects(side, bytes),
            Comparison::Frames(_) => false,
        };
        match by.0 {
            0 => self.secondaries.iter().any(|secondary| expects(&secondary.comparison, Side::Primary)),
            index => expects(&self.secondaries[index as usize - 1].comparison, Side::Secondary),
        }
    }

    /// What the frame in progress is a reply to.
    fn replies_to(&mut self, by: DestinationIndex) -> Option<Request> {
        match self.voice(by)?.kind? {
            Kind::Reply(Reply(request)) => request,
            Kind::Ask => None,
        }
    }

    /// What a whole frame is a reply to: the newest request of its key, or the one whose turn it is.
    fn request_of(&mut self, by: DestinationIndex, key: Option<u64>) -> Option<Request> {
        let requests = self.conversation.as_ref().map(|conversation| &conversation.requests);
        let of_key = key.and_then(|key| requests?.newest(key));
        of_key.or_else(|| self.replies_to(by))
    }

    fn compare(&mut self, said: Compared<'_>, answered: Answered, turn: &mut Turn<'_, impl Shell>) {
        let RouteState { settings, counters, .. } = turn.core.route(self.route);
        let (bytes, hash, timeout) = (said.frame, said.hash, settings.talk.reply_timeout);
        let Answered { request, key } = answered;
        for secondary in &mut self.secondaries {
            let of_primary = said.by.is_primary();
            let Some(voice) = &secondary.lane.voice else { continue };
            if !of_primary && secondary.lane.destination != said.by {
                continue;
            }
            if voice.is_in_step(request) {
                let due = (!of_primary || voice.has_got(request)).then(|| turn.now + timeout);
                let side = if of_primary { Side::Primary } else { Side::Secondary };
                secondary.comparison.say(side, &Said { bytes, hash, key, request: Some(request), due });
            } else if of_primary && matches!(secondary.comparison, Comparison::Frames(_)) {
                counters.destinations[secondary.lane.destination.0 as usize].said.uncompared += 1;
            }
        }
    }

    /// A reply of the primary's that was compared as it came was not compared with those who are out of step.
    fn note_uncompared(&mut self, by: DestinationIndex, request: Request, turn: &mut Turn<'_, impl Shell>) {
        let counters = &mut turn.core.route(self.route).counters;
        let is_out = |voice: &crate::conversation::voice::Voice| !voice.is_in_step(request);
        for secondary in self.secondaries.iter().filter(|_| by.is_primary()) {
            let is_out = secondary.lane.voice.as_deref().is_some_and(is_out);
            let said = &mut counters.destinations[secondary.lane.destination.0 as usize].said;
            said.uncompared += u64::from(is_out);
        }
    }

    pub(super) fn judge_all(&mut self, turn: &mut Turn<'_, impl Shell>) {
        for index in 0..self.secondaries.len() {
            self.judge(index, turn);
        }
    }

    /// Tells what has become certain about a secondary's replies.
    pub(super) fn judge(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        let replies = turn.core.route(self.route).settings.talk.replies;
        let is_settled =
            |lane: &super::Lane| lane.voice.as_ref().is_some_and(|voice| voice.debts.is_settled());
        let are_settled = replies == Replies::One
            && is_settled(&self.primary.lane)
            && is_settled(&self.secondaries[index].lane);
        self.judge_until(index, are_settled, turn.now, turn);
    }

    fn judge_until(
        &mut self,
        index: usize,
        are_settled: bool,
        until: Instant,
        turn: &mut Turn<'_, impl Shell>,
    ) {
        while let Some(divergence) = self.secondaries[index].comparison.judge(are_settled, until) {
            self.on_divergence(index, divergence, turn);
        }
        let secondary = &mut self.secondaries[index];
        let counts = secondary.comparison.take_counts();
        let said = &mut turn.core.destination(self.route, secondary.lane.destination).said;
        said.matched += counts.matched;
        said.uncompared += counts.uncompared;
    }

    fn on_divergence(&mut self, index: usize, divergence: Divergence, turn: &mut Turn<'_, impl Shell>) {
        let destination = self.secondaries[index].lane.destination;
        let finding = divergence.finding;
        turn.core.destination(self.route, destination).said.found[finding as usize] += 1;
        let asked = divergence.request.zip(self.conversation.as_ref());
        let request = asked.map(|(request, it)| it.requests.beginning(request).to_vec()).unwrap_or_default();
        let (session, route) = (self.id, self.route);
        self.tell(destination, Subject::Found(finding), turn, |left_out| Notice::Diverged {
            session,
            route,
            destination,
            divergence,
            request,
            left_out,
        });
    }

    /// The session is over. What has no counterpart now gets none; who did not close in order was not done.
    pub(in crate::ingress) fn conclude_comparing(&mut self, turn: &mut Turn<'_, impl Shell>) {
        for index in 0..self.secondaries.len() {
            if self.secondaries[index].lane.has_closed {
                self.judge_until(index, true, Instant::NEVER, turn);
            }
            self.stop_comparing(index, turn);
        }
    }

    /// What the secondary said or will say is not held against what the primary has said by now.
    pub(super) fn stop_comparing(&mut self, index: usize, turn: &mut Turn<'_, impl Shell>) {
        let secondary = &mut self.secondaries[index];
        let given_up = secondary.comparison.clear();
        turn.core.destination(self.route, secondary.lane.destination).said.uncompared += given_up;
    }

    /// The primary goes on over another connection: what it says from now on may be a repetition.
    pub(super) fn stop_comparing_all(&mut self, turn: &mut Turn<'_, impl Shell>) {
        for index in 0..self.secondaries.len() {
            self.stop_comparing(index, turn);
            if let Some(voice) = &mut self.secondaries[index].lane.voice {
                voice.fall_out_of_step();
            }
        }
    }
}
