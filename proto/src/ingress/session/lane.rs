//! Lanes: a session's way to one destination.
//!
//! What all lanes are made of, and the secondary's. A primary lane (`primary`) has no policy for being full: it takes
//! everything, and the session stops reading the source. A [`SecondaryLane`] has no way to wait: a frame is admitted whole
//! or shed with a reason. That difference is S4 by type.

use bytes::Bytes;

use crate::{
    codec::{Codec, Framer},
    conversation::{comparing::Comparison, voice::Voice},
    counters::{Account, ShedReason, Tally},
    credit::{Chunk, FRAME_COST, Inbound, Keep, Outbound, Takes},
    id::{Attempt, DestinationIndex, SessionId},
    ingress::links::LinkKey,
    policy::Rejoin,
    time::Instant,
    wire::{Frame, Patience},
};

/// After so long without a pause, a lane joins a `raw` stream between two reads.
const FORCED_JOIN: std::time::Duration = std::time::Duration::from_secs(5);

/// What both kinds of lane are made of: one attempt's totals in both directions.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own: two of the attempt, two of the queues it is in"
)]
pub(in crate::ingress) struct Lane {
    pub(in crate::ingress) destination: DestinationIndex,
    pub(in crate::ingress) link: Option<LinkKey>,
    pub(in crate::ingress) attempt: Attempt,
    pub(in crate::ingress) outbound: Outbound,
    pub(in crate::ingress) inbound: Inbound,
    pub(in crate::ingress) replies: Framer,
    /// What it says and owes; not kept where that makes no difference.
    pub(in crate::ingress) voice: Option<Box<Voice>>,
    /// Its worker has said that it is connected.
    pub(in crate::ingress) is_opened: bool,
    pub(in crate::ingress) has_closed: bool,
    /// What its worker has told of this attempt as written and not sent.
    pub(super) unsendable: Tally,
    pub(super) window: u64,
    /// Until then the worker it was taken from may still write.
    pub(in crate::ingress) fenced_until: Instant,
    /// It stands in its link's queue of those with something to send, or among those parked.
    pub(in crate::ingress) is_ready: bool,
    pub(in crate::ingress) is_owing: bool,
}

impl Lane {
    pub(super) fn new(
        destination: DestinationIndex,
        codec: &Codec,
        max_frame: u32,
        window: u64,
        keep: Keep,
    ) -> Self {
        let outbound = Outbound::new(0, window, keep);
        Self {
            destination,
            link: None,
            attempt: Attempt(0),
            outbound: if codec.is_datagram() { outbound.of_datagrams() } else { outbound },
            inbound: Inbound::new(0, window, Takes::Received),
            replies: Framer::new(codec, max_frame),
            voice: None,
            is_opened: false,
            has_closed: false,
            unsendable: Tally::ZERO,
            window,
            fenced_until: Instant::ZERO,
            is_ready: false,
            is_owing: false,
        }
    }

    /// Begins a new attempt, and returns the OPEN that asks for it. The forward direction must stand at where it begins.
    /// `held`: of the backward window, what an earlier attempt's octets still take.
    pub(in crate::ingress) fn open(
        &mut self,
        session: SessionId,
        position: u64,
        held: u64,
        patience: Patience,
        timeout_millis: u32,
    ) -> Frame<'static> {
        self.attempt.0 += 1;
        self.inbound = Inbound::new(0, self.window.saturating_sub(held), Takes::Received);
        self.replies.finish();
        self.has_closed = false;
        self.is_opened = false;
        self.unsendable = Tally::ZERO;
        Frame::Open {
            session,
            attempt: self.attempt,
            position,
            limit: self.inbound.limit(),
            window: self.window as u32,
            patience,
            timeout_millis,
        }
    }

    /// Where a lane that holds nothing would go on.
    pub(in crate::ingress) fn reopen(&mut self) -> u64 {
        self.break_off();
        self.outbound.reopen(self.window)
    }

    /// See [`Outbound::restart`].
    pub(in crate::ingress) fn restart(&mut self) -> Option<(u64, Tally)> {
        let restarted = self.outbound.restart(self.window);
        if let (Some((_, replayed)), Some(voice)) = (&restarted, &mut self.voice) {
            voice.take_over(replayed.frames);
        }
        restarted
    }

    /// Frames that are queued here will be owed once they are written.
    pub(super) fn push(&mut self, chunk: Chunk) {
        if let Some(voice) = &mut self.voice {
            voice.send(chunk.frames());
        }
        self.outbound.push(chunk);
    }

    /// Queues a frame that is not the source's next: an answer it gave before, or a frame once more.
    pub(in crate::ingress) fn push_unnumbered(&mut self, frame: Chunk) {
        if let Some(voice) = &mut self.voice {
            voice.debts.send(None, 1);
        }
        self.outbound.push(frame);
    }

    fn break_off(&mut self) {
        if let Some(voice) = &mut self.voice {
            voice.break_off();
        }
    }

    pub(super) const fn room(&self) -> u64 {
        self.window.saturating_sub(self.outbound.outstanding())
    }
}

/// How far a secondary is. docs/states.md has the whole table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ingress) enum SecondaryState {
    /// The primary is not connected yet.
    Idle,
    /// A worker is connecting; frames are taken on trust.
    Opening,
    /// Connected again after an absence, waiting for a place to join.
    Joining { since: Instant },
    /// Connected.
    Live,
    /// Not connected; a worker tries, or there is none.
    Away,
    /// It closed in order; the next frame reconnects it.
    Closed,
    /// The source is done; what is held is being delivered.
    Finishing,
    /// Nothing more to do.
    Done,
}

/// What became of what was offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ingress) struct Offer {
    /// The window ended inside a frame longer than `max_frame`: the connection must be closed and rejoin.
    pub(in crate::ingress) is_torn: bool,
    /// The lane joined without a pause in the stream.
    pub(in crate::ingress) is_forced: bool,
}

/// The way to a secondary.
#[derive(Debug)]
pub(in crate::ingress) struct SecondaryLane {
    pub(in crate::ingress) lane: Lane,
    pub(in crate::ingress) state: SecondaryState,
    /// The rest of the frame in progress is shed for this reason.
    skipping: Option<ShedReason>,
    /// When to ask for a worker again, after one was full.
    pub(in crate::ingress) retry_at: Option<Instant>,
    /// How many of the session's first frames a new connection gets first.
    repeats: u32,
    /// Its connection has not got those yet.
    lacks_opening: bool,
    /// What it replies, held against what the primary replies.
    pub(in crate::ingress) comparison: Comparison,
}

impl SecondaryLane {
    pub(in crate::ingress) fn new(
        destination: DestinationIndex,
        codec: &Codec,
        max_frame: u32,
        window: u64,
        keep: Keep,
        rejoin: Rejoin,
    ) -> Self {
        let mut lane = Lane::new(destination, codec, max_frame, window, keep);
        lane.voice = Some(Box::default());
        let comparison = Comparison::new(codec.ends_by_silence());
        let repeats = match rejoin {
            Rejoin::Next => 0,
            Rejoin::First(frames) => frames,
        };
        let (state, lacks_opening) = (SecondaryState::Idle, false);
        Self { lane, state, skipping: None, retry_at: None, repeats, lacks_opening, comparison }
    }

    /// Where it would go on over a new connection, holding nothing.
    pub(in crate::ingress) fn reopen(&mut self) -> u64 {
        self.lacks_opening = self.repeats > 0;
        self.lane.reopen()
    }

    /// Another worker takes over what it holds, if it need not get the session's first frames before.
    pub(in crate::ingress) fn restart(&mut self) -> Option<(u64, Tally)> {
        if self.repeats > 0 { None } else { self.lane.restart() }
    }

    /// It may take the next frame: its connection gets the session's `opening` before.
    fn offer_opening(&mut self, opening: &[Bytes], account: &mut Account) {
        let takes = matches!(self.state, SecondaryState::Opening | SecondaryState::Live);
        if !self.lacks_opening || !takes {
            return;
        }
        self.lacks_opening = false;
        let offered = self.lane.voice.as_ref().map_or(0, |voice| voice.offered());
        for frame in opening.iter().take(offered.min(self.repeats.into()) as usize) {
            let chunk = Chunk::new(frame.clone(), true, true, Vec::new());
            account.replay(chunk.tally());
            self.lane.push_unnumbered(chunk);
        }
    }

    /// Offers a stretch of the stream. Its first frame, if it starts here, has `first_cost` units in all and begins after a
    /// pause if `is_clean`; every other frame in it is whole.
    pub(in crate::ingress) fn offer(
        &mut self,
        chunk: &Chunk,
        first_cost: u64,
        is_clean: bool,
        opening: &[Bytes],
        now: Instant,
        account: &mut Account,
    ) -> Offer {
        let mut offer = Offer::default();
        if chunk.starts() {
            self.skipping = None;
            self.join(is_clean, now, &mut offer);
            self.offer_opening(opening, account);
        }
        let takes = matches!(self.state, SecondaryState::Opening | SecondaryState::Live);
        let whole_cost = if chunk.starts() { chunk.cost().max(first_cost) } else { chunk.cost() };
        if takes && self.skipping.is_none() && whole_cost <= self.lane.room() {
            self.admit(chunk.clone(), account);
            return offer;
        }
        self.offer_by_frame(chunk, first_cost, account, &mut offer);
        offer
    }

    /// The slow way, where not everything fits: frames that share a fate stay together. A read of the shortest frames
    /// there are is cut a few times, not once for each: cutting costs as much as there are frames behind the cut.
    fn offer_by_frame(&mut self, chunk: &Chunk, first_cost: u64, account: &mut Account, offer: &mut Offer) {
        let (end, fate) = self.judge(chunk, first_cost, offer);
        if let (true, Some(reason)) = (end == chunk.len(), fate) {
            return self.refuse(chunk, reason, account);
        }
        let mut first = chunk.clone();
        let mut rest = (end < first.len()).then(|| first.split_off(end));
        self.settle(first, fate, account);
        while let Some(mut run) = rest.take() {
            let (end, fate) = self.judge(&run, 0, offer);
            if end < run.len() {
                rest = Some(run.split_off(end));
            }
            self.settle(run, fate, account);
        }
    }

    fn settle(&mut self, run: Chunk, fate: Option<ShedReason>, account: &mut Account) {
        match fate {
            Some(reason) => self.refuse(&run, reason, account),
            None => self.admit(run, account),
        }
    }

    fn refuse(&mut self, run: &Chunk, reason: ShedReason, account: &mut Account) {
        if let Some(voice) = &mut self.lane.voice {
            voice.miss(run.frames());
        }
        account.refuse(run.tally(), reason);
    }

    /// What becomes of the chunk's first frame, and how far the frames behind it share that. `cost` is what the first
    /// takes in all, where that is more than what is here of it.
    fn judge(&mut self, chunk: &Chunk, cost: u64, offer: &mut Offer) -> (usize, Option<ShedReason>) {
        let room = self.lane.room();
        let mut frames = frames_of(chunk);
        let Some((mut end, first)) = frames.next() else { return (chunk.len(), self.absence()) };
        if chunk.starts() {
            self.skipping = self.refusal(cost.max(first), room);
        } else if self.skipping.is_none() && first > room {
            self.skipping = Some(ShedReason::OversizedFrame);
            offer.is_torn = true;
        }
        let fate = self.skipping.or_else(|| self.absence());
        let mut room = room.saturating_sub(if fate.is_none() { first } else { 0 });
        for (next, cost) in frames {
            let refusal = self.refusal(cost, room);
            if refusal != fate {
                break;
            }
            self.skipping = refusal;
            room -= if fate.is_none() { cost } else { 0 };
            end = next;
        }
        (end, fate)
    }

    fn admit(&mut self, chunk: Chunk, account: &mut Account) {
        account.accept(chunk.tally());
        self.lane.push(chunk);
    }

    fn join(&mut self, is_clean: bool, now: Instant, offer: &mut Offer) {
        if let SecondaryState::Joining { since } = self.state {
            let is_overdue = now.since(since) >= FORCED_JOIN;
            if is_clean || is_overdue {
                offer.is_forced = !is_clean;
                self.state = SecondaryState::Live;
            }
        }
    }

    fn refusal(&self, cost: u64, room: u64) -> Option<ShedReason> {
        self.absence().or_else(|| (cost > room).then_some(ShedReason::WindowFull))
    }

    /// Why it would not take this frame.
    pub(in crate::ingress) fn refusal_of(&self, frame: &Chunk) -> Option<ShedReason> {
        self.refusal(frame.cost(), self.lane.room())
    }

    const fn absence(&self) -> Option<ShedReason> {
        match self.state {
            SecondaryState::Opening | SecondaryState::Live => None,
            SecondaryState::Joining { .. } => Some(ShedReason::Joining),
            SecondaryState::Finishing | SecondaryState::Done => Some(ShedReason::SessionEnded),
            SecondaryState::Idle | SecondaryState::Away | SecondaryState::Closed => Some(ShedReason::Away),
        }
    }

    /// The connection is gone: what was on its way is shed, and so is the rest of a frame in progress.
    pub(in crate::ingress) fn give_up(&mut self, reason: ShedReason, account: &mut Account) {
        account.give_up(self.lane.outbound.discard(), reason);
        self.lane.break_off();
        self.skipping.get_or_insert(reason);
    }

    pub(in crate::ingress) const fn is_done(&self) -> bool {
        matches!(self.state, SecondaryState::Done)
    }
}

/// Where each of a chunk's frames, or its part of one, ends in it, and the units it takes.
fn frames_of(chunk: &Chunk) -> impl Iterator<Item = (usize, u64)> {
    let ends = chunk.cuts().iter().map(|&cut| cut as usize).chain([chunk.len()]);
    let mut begin = 0;
    ends.enumerate().map(move |(index, end)| {
        let starts = index > 0 || chunk.starts();
        let cost = u64::from(starts) * FRAME_COST + (end - begin) as u64;
        begin = end;
        (end, cost)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A secondary in this state, with so much room.
    fn lane(state: SecondaryState, window: u64) -> SecondaryLane {
        let mut lane =
            SecondaryLane::new(DestinationIndex(1), &Codec::Lines, 64, window, Keep::Untaken, Rejoin::Next);
        lane.state = state;
        lane
    }

    /// Frames of these lengths, as one read brings them.
    fn read(lengths: &[usize]) -> Chunk {
        let ends: Vec<u32> = lengths
            .iter()
            .scan(0, |end, &length| {
                *end += length as u32;
                Some(*end)
            })
            .collect();
        let inner = ends[..ends.len() - 1].to_vec();
        Chunk::new(Bytes::from(vec![b'x'; lengths.iter().sum()]), true, true, inner)
    }

    proptest! {
        /// Fails if frames that fare differently are taken for one run.
        #[test]
        fn frames_fare_the_same_together_as_one_by_one(
            lengths in proptest::collection::vec(1usize..200, 1..40), window in 0u64..4000, is_away: bool,
        ) {
            let state = if is_away { SecondaryState::Away } else { SecondaryState::Live };
            let (mut together, mut apart) = (lane(state, window), lane(state, window));
            let (mut of_together, mut of_apart) = (Account::default(), Account::default());

            let whole = read(&lengths);
            together.offer(&whole, whole.cost_of(lengths[0]), true, &[], Instant::ZERO, &mut of_together);
            for &length in &lengths {
                let frame = read(&[length]);
                apart.offer(&frame, frame.cost(), true, &[], Instant::ZERO, &mut of_apart);
            }

            prop_assert_eq!(of_together, of_apart);
            prop_assert_eq!(together.lane.outbound.end(), apart.lane.outbound.end());
            prop_assert_eq!(together.skipping, apart.skipping);
        }
    }
}
