//! Which replies a destination owes (S9).
//!
//! A source frame that was written to it is a debt; what it says while it is in debt is a reply and pays the oldest. Here
//! is also which source frame the lane's next written frame is, for a lane need not have got all of them.

use std::{collections::VecDeque, time::Duration};

use crate::{policy::Replies, time::Instant};

/// Runs that a destination's debts, and its frames on their way, are kept in at most. Frames beyond them are counted with the
/// last run, and their numbers are not known.
const MAX_RUNS: usize = 4096;

/// The number of a source frame within its session, from 0.
pub type Request = u64;

/// Source frames that follow each other. What is not of the source has no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: Option<Request>,
    count: u64,
    at: Instant,
}

impl Run {
    /// Makes one run of two that follow each other.
    fn append(&mut self, next: &Self) -> bool {
        let follows = match (self.first, next.first) {
            (Some(first), Some(next)) => first + self.count == next,
            (None, None) => true,
            _ => false,
        };
        let is_one = follows && self.at == next.at;
        self.count += if is_one { next.count } else { 0 };
        is_one
    }

    /// Takes its first frame.
    fn take(&mut self) -> Option<Request> {
        let first = self.first;
        self.first = first.map(|first| first + 1);
        self.count -= 1;
        first
    }
}

fn push(runs: &mut VecDeque<Run>, run: Run) {
    if run.count == 0 || runs.back_mut().is_some_and(|last| last.append(&run)) {
        return;
    }
    let is_full = runs.len() >= MAX_RUNS;
    match runs.back_mut() {
        Some(last) if is_full => {
            last.first = None;
            last.count += run.count;
        }
        _ => runs.push_back(run),
    }
}

/// A reply: to which source frame, if it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply(pub Option<Request>);

/// What one destination was given and owes.
#[derive(Debug, Default)]
pub struct Debts {
    /// On their way to it, oldest first; `at` means nothing.
    underway: VecDeque<Run>,
    /// Frames it has that are also the newest ones on `underway`'s far side, should they have to be sent again.
    written: VecDeque<Run>,
    owed: VecDeque<Run>,
    latest: Option<(Option<Request>, Instant)>,
}

/// How many written runs are remembered: another worker repeats a few frames at most.
const MAX_WRITTEN: usize = 8;

impl Debts {
    /// Frames were queued for it; `first` is the number of the first, if they are the source's.
    pub fn send(&mut self, first: Option<Request>, count: u64) {
        push(&mut self.underway, Run { first, count, at: Instant::ZERO });
    }

    /// So many frames more have reached it. Unless `is_owed`, nobody expects a reply. Returns the number behind the last of them.
    pub fn deliver(&mut self, count: u64, is_owed: bool, now: Instant) -> Option<Request> {
        let mut left = count;
        let mut reached = None;
        while left > 0 {
            let Some(run) = self.underway.front_mut() else { break };
            let part = Run { first: run.first, count: run.count.min(left), at: now };
            run.count -= part.count;
            run.first = run.first.map(|first| first + part.count);
            left -= part.count;
            if run.count == 0 {
                self.underway.pop_front();
            }
            reached = part.first.map(|first| first + part.count).or(reached);
            self.note(part, is_owed);
        }
        reached
    }

    fn note(&mut self, part: Run, is_owed: bool) {
        if is_owed {
            self.latest = Some((part.first.map(|first| first + part.count - 1), part.at));
            push(&mut self.owed, part);
        }
        push(&mut self.written, part);
        if self.written.len() > MAX_WRITTEN {
            self.written.pop_front();
        }
    }

    /// The last `count` frames it had are on their way again, over a new connection, which owes nothing yet.
    pub fn resend(&mut self, count: u64) {
        self.forgive();
        let mut left = count;
        while left > 0 {
            let unknown = Run { first: None, count: left, at: Instant::ZERO };
            let mut run = self.written.pop_back().unwrap_or(unknown);
            let part = run.count.min(left);
            left -= part;
            run.count -= part;
            let again =
                Run { first: run.first.map(|first| first + run.count), count: part, at: Instant::ZERO };
            self.underway.push_front(again);
            if run.count > 0 {
                self.written.push_back(run);
            }
        }
    }

    /// Its connection is gone, and what was on its way with it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// It owes nothing any more.
    pub fn forgive(&mut self) {
        self.owed.clear();
        self.latest = None;
    }

    /// It says something: what that is a reply to, if it is one.
    pub fn pay(&mut self, replies: Replies, timeout: Duration, now: Instant) -> Option<Reply> {
        match replies {
            Replies::None => None,
            Replies::Many => {
                self.owed.clear();
                let (request, at) = self.latest?;
                (at + timeout > now).then_some(Reply(request))
            }
            Replies::One => {
                self.lapse(timeout, now, now);
                let run = self.owed.front_mut()?;
                let reply = Reply(run.take());
                if run.count == 0 {
                    self.owed.pop_front();
                }
                Some(reply)
            }
        }
    }

    /// Gives up debts that are too old; returns how many of them arose at `since` or later.
    pub fn lapse(&mut self, timeout: Duration, now: Instant, since: Instant) -> u64 {
        let mut lapsed = 0;
        while let Some(run) = self.owed.front().filter(|run| run.at + timeout <= now) {
            lapsed += if run.at < since { 0 } else { run.count };
            self.owed.pop_front();
        }
        lapsed
    }

    /// Since when it owes its oldest reply.
    pub fn owes_since(&self) -> Option<Instant> {
        self.owed.front().map(|run| run.at)
    }

    /// Whether something is on its way to it, or has reached it without our knowing.
    pub fn has_underway(&self) -> bool {
        !self.underway.is_empty()
    }

    /// Whether this is on its way to it.
    pub fn is_underway(&self, request: Request) -> bool {
        let holds = |run: &Run| run.first.is_some_and(|first| (first..first + run.count).contains(&request));
        self.underway.iter().any(holds)
    }

    /// Whether it owes nothing and nothing is on its way to it.
    pub fn is_settled(&self) -> bool {
        self.owed.is_empty() && self.underway.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn paid(debts: &mut Debts, seconds: u64) -> Option<Reply> {
        debts.pay(Replies::One, TIMEOUT, at(seconds))
    }

    #[test]
    fn what_is_written_is_owed_and_the_oldest_is_paid_first() {
        let mut debts = Debts::default();
        debts.send(Some(0), 2);
        assert_eq!(paid(&mut debts, 0), None, "nothing has reached it");
        assert_eq!(debts.deliver(2, true, at(0)), Some(2));
        assert_eq!(paid(&mut debts, 1), Some(Reply(Some(0))));
        assert_eq!(paid(&mut debts, 1), Some(Reply(Some(1))));
        assert_eq!(paid(&mut debts, 1), None);
        assert!(debts.is_settled());
    }

    #[test]
    fn a_debt_lapses() {
        let mut debts = Debts::default();
        debts.send(Some(0), 2);
        debts.deliver(1, true, at(0));
        debts.deliver(1, true, at(3));
        assert_eq!(paid(&mut debts, 5), Some(Reply(Some(1))));
        debts.send(Some(2), 1);
        debts.deliver(1, true, at(6));
        assert_eq!((debts.lapse(TIMEOUT, at(10), at(0)), debts.lapse(TIMEOUT, at(11), at(0))), (0, 1));
    }

    #[test]
    fn frames_that_were_shed_are_owed_by_nobody() {
        let mut debts = Debts::default();
        debts.send(Some(0), 1);
        debts.send(Some(5), 1);
        debts.send(None, 1);
        assert_eq!(debts.deliver(3, true, at(0)), Some(6));
        let replies: Vec<_> = std::iter::from_fn(|| paid(&mut debts, 1)).collect();
        assert_eq!(replies, [Reply(Some(0)), Reply(Some(5)), Reply(None)]);
    }

    #[test]
    fn frames_sent_again_are_owed_again() {
        let mut debts = Debts::default();
        debts.send(Some(0), 4);
        debts.deliver(3, true, at(0));
        debts.resend(2);
        assert_eq!(paid(&mut debts, 0), None, "the old connection's debts are gone with it");
        assert_eq!(debts.deliver(3, true, at(1)), Some(4));
        assert_eq!(paid(&mut debts, 1), Some(Reply(Some(1))));
    }

    #[test]
    fn with_many_every_frame_within_the_timeout_is_a_reply() {
        let mut debts = Debts::default();
        debts.send(Some(0), 1);
        debts.deliver(1, true, at(0));
        for _ in 0..3 {
            assert_eq!(debts.pay(Replies::Many, TIMEOUT, at(4)), Some(Reply(Some(0))));
        }
        assert_eq!(debts.pay(Replies::Many, TIMEOUT, at(5)), None);
        assert_eq!(debts.pay(Replies::None, TIMEOUT, at(4)), None);
    }

    #[test]
    fn a_flood_of_gaps_is_bounded_and_no_frame_is_miscounted() {
        let (mut debts, flood) = (Debts::default(), 2 * MAX_RUNS as u64);
        for request in 0..flood {
            debts.send(Some(2 * request), 1);
        }
        assert_eq!(debts.underway.len(), MAX_RUNS);
        debts.deliver(flood, true, at(0));
        assert!(debts.underway.is_empty() && debts.written.len() <= MAX_WRITTEN);
        debts.resend(flood);
        debts.send(Some(7), 1);
        assert_eq!(debts.deliver(flood + 1, true, at(0)), Some(8));
    }
}
