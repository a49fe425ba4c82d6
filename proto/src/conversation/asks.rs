//! Frames that destinations started by themselves: waiting for a place in the source's stream, said, answered (S7, S9).
//!
//! An ask of a secondary waits until the primary's stream is between two frames. Once said to the source it awaits an
//! answer, which is kept for whoever says the same until the group is over. It promises at most [`MAX_ASKS`] at a time.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{debts::Request, ledger::GroupId};
use crate::{id::DestinationIndex, time::Instant};

/// Asks a session keeps at most. Beyond them a new one of a secondary is shed, and the oldest that was said is forgotten.
pub const MAX_ASKS: usize = 64;

#[derive(Debug)]
enum State {
    /// For a place in the source's stream.
    Waiting,
    /// The source has it once so many bytes were written to it.
    Said {
        end: u64,
    },
    Answered(Answer),
}

/// What the source answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The frame.
    pub bytes: Bytes,
    /// Its number: every destination gets it in its turn, too.
    pub request: Request,
}

#[derive(Debug)]
struct Ask {
    group: GroupId,
    by: DestinationIndex,
    /// What was asked; empty if it was the primary, whose own words need not be recognised.
    bytes: Bytes,
    until: Instant,
    state: State,
    /// The primary has said it too.
    has_primary: bool,
    /// It has kept the primary waiting once, in vain: it does not again.
    has_held: bool,
}

/// The asks of one session, oldest first.
#[derive(Debug, Default)]
pub struct Asks {
    all: VecDeque<Ask>,
    waiting: usize,
    /// Said by a secondary, and not by the primary yet.
    unrepeated: usize,
}

impl Asks {
    /// A secondary asks. False if there is no room for another.
    pub fn wait(&mut self, group: GroupId, by: DestinationIndex, bytes: Bytes, until: Instant) -> bool {
        if self.waiting == MAX_ASKS || !self.make_room() {
            return false;
        }
        self.waiting += 1;
        self.all.push_back(Ask {
            group,
            by,
            bytes,
            until,
            state: State::Waiting,
            has_primary: false,
            has_held: false,
        });
        true
    }

    /// The primary asks: the source has all of it once `end` bytes were written to it.
    pub fn said_by_primary(&mut self, group: GroupId, until: Instant, end: u64) {
        if self.make_room() {
            let (by, bytes, state) = (DestinationIndex::PRIMARY, Bytes::new(), State::Said { end });
            self.all.push_back(Ask { group, by, bytes, until, state, has_primary: true, has_held: false });
        }
    }

    /// The oldest ask that waits for a place.
    pub fn next_waiting(&self) -> Option<&Bytes> {
        if self.waiting == 0 {
            return None;
        }
        self.all.iter().find(|ask| ask.is_waiting()).map(|ask| &ask.bytes)
    }

    /// The oldest that waits has found its place: the source has it once `end` bytes were written to it. Returns who asked.
    pub fn said(&mut self, end: u64) -> Option<DestinationIndex> {
        let ask = self.all.iter_mut().find(|ask| ask.is_waiting())?;
        ask.state = State::Said { end };
        self.waiting -= 1;
        self.unrepeated += 1;
        Some(ask.by)
    }

    /// The primary says what is still waiting: the source hears it from the primary. Returns who asked, if it was so.
    pub fn overtake(&mut self, group: GroupId, end: u64) -> Option<DestinationIndex> {
        let ask = self.all.iter_mut().find(|ask| ask.group == group && ask.is_waiting())?;
        ask.state = State::Said { end };
        ask.has_primary = true;
        self.waiting -= 1;
        Some(ask.by)
    }

    /// Another destination has said the same: the answer to it, if there is one.
    pub fn repeat(&mut self, group: GroupId, by: DestinationIndex) -> Option<Answer> {
        let ask = self.all.iter_mut().find(|ask| ask.group == group)?;
        if by.is_primary() && !ask.has_primary && !ask.is_waiting() {
            self.unrepeated -= 1;
            ask.has_primary = true;
        }
        match &ask.state {
            State::Answered(answer) => Some(answer.clone()),
            State::Waiting | State::Said { .. } => None,
        }
    }

    /// Whether these may be the first bytes of what the source has been asked and the primary has not yet said.
    pub fn may_become(&self, bytes: &[u8]) -> bool {
        let may_be = |ask: &Ask| !ask.has_held && ask.bytes.starts_with(bytes);
        self.unrepeated > 0 && self.unrepeated_asks().any(may_be)
    }

    /// The primary was kept waiting because of these bytes for as long as it may be. None of those asks keeps it again.
    pub fn stop_holding(&mut self, bytes: &[u8]) {
        let asks = self.all.iter_mut().filter(|ask| ask.bytes.starts_with(bytes));
        asks.for_each(|ask| ask.has_held = true);
    }

    /// Whether these bytes are such an ask.
    pub fn is_one(&self, bytes: &[u8]) -> bool {
        self.unrepeated > 0 && self.unrepeated_asks().any(|ask| ask.bytes == bytes)
    }

    /// Whether the primary's bytes have to be looked at before they are passed on.
    pub const fn is_watchful(&self) -> bool {
        self.unrepeated > 0 || self.waiting > 0
    }

    /// The source has said its frame of this number, whose first byte was read when `written` bytes had been written to it: it answers the
    /// ask it can be an answer to that it heard first. Whether there was one.
    pub fn answer(&mut self, frame: &[u8], request: Request, written: u64) -> bool {
        let heard = self.all.iter_mut().filter_map(|ask| match ask.state {
            State::Said { end } if end <= written => Some((end, ask)),
            _ => None,
        });
        let Some((_, ask)) = heard.min_by_key(|(end, _)| *end) else { return false };
        ask.state = State::Answered(Answer { bytes: Bytes::copy_from_slice(frame), request });
        true
    }

    /// Forgets what is over. Returns who asked those that never found a place.
    pub fn expire(&mut self, now: Instant) -> Vec<DestinationIndex> {
        let mut shed = Vec::new();
        // Who joins an older group is over before those that asked earlier.
        while let Some(index) = self.all.iter().position(|ask| ask.until <= now) {
            shed.extend(self.forget(index));
        }
        shed
    }

    /// The session is over. Returns who asked those that never found a place.
    pub fn clear(&mut self) -> Vec<DestinationIndex> {
        let all = std::mem::take(self).all;
        all.iter().filter(|ask| ask.is_waiting()).map(|ask| ask.by).collect()
    }

    /// When the first of those that wait is over.
    pub fn deadline(&self) -> Option<Instant> {
        if self.waiting == 0 {
            return None;
        }
        self.all.iter().filter(|ask| ask.is_waiting()).map(|ask| ask.until).min()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn unrepeated_asks(&self) -> impl Iterator<Item = &Ask> {
        self.all.iter().filter(|ask| !ask.has_primary && !ask.is_waiting())
    }

    /// Forgets one that was said, if there are too many: the oldest, but those first that the primary will not say any more.
    fn make_room(&mut self) -> bool {
        if self.all.len() < MAX_ASKS {
            return true;
        }
        let is_over = |ask: &Ask| ask.has_primary && !ask.is_waiting();
        let oldest =
            self.all.iter().position(is_over).or_else(|| self.all.iter().position(|ask| !ask.is_waiting()));
        oldest.is_some_and(|index| {
            self.forget(index);
            true
        })
    }

    /// Who asked the forgotten one, if it was still waiting.
    fn forget(&mut self, index: usize) -> Option<DestinationIndex> {
        let ask = self.all.remove(index)?;
        let was_waiting = ask.is_waiting();
        self.waiting -= usize::from(was_waiting);
        self.unrepeated -= usize::from(!was_waiting && !ask.has_primary);
        was_waiting.then_some(ask.by)
    }
}

impl Ask {
    const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conversation::ledger::{Ledger, Members};

    const P: DestinationIndex = DestinationIndex(0);
    const S: DestinationIndex = DestinationIndex(1);

    fn groups() -> impl Iterator<Item = GroupId> {
        let mut ledger = Ledger::new(Duration::from_secs(30));
        (0..).map(move |hash| ledger.hear(P, hash, true, Members::default(), Instant::ZERO).group)
    }

    fn until(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn waiting(asks: &mut Asks, group: GroupId, bytes: &'static [u8]) -> bool {
        asks.wait(group, S, Bytes::from_static(bytes), until(30))
    }

    #[test]
    fn an_answer_counts_only_if_it_began_after_the_ask_was_written() {
        let (mut asks, group) = (Asks::default(), groups().next().unwrap());
        waiting(&mut asks, group, b"X");
        assert!(!asks.answer(b"early", 0, 100), "the source has not heard it");
        assert_eq!(asks.said(101), Some(S));
        assert!(!asks.answer(b"early", 0, 100));
        assert!(asks.answer(b"Y", 4, 101));
        assert_eq!(asks.repeat(group, P), Some(Answer { bytes: Bytes::from_static(b"Y"), request: 4 }));
        assert!(!asks.is_watchful());
    }

    #[test]
    fn answers_go_to_the_oldest_ask_first() {
        let mut asks = Asks::default();
        let groups: Vec<_> = groups().take(2).collect();
        for &group in &groups {
            waiting(&mut asks, group, b"X");
            asks.said(1);
        }
        assert!(asks.answer(b"Y1", 0, 1) && asks.answer(b"Y2", 1, 1) && !asks.answer(b"Y3", 2, 1));
        assert_eq!(asks.repeat(groups[1], S).map(|answer| answer.bytes), Some(Bytes::from_static(b"Y2")));
    }

    /// Fails with: the order in which they came.
    #[test]
    fn an_answer_is_to_what_the_source_heard_first() {
        let (mut asks, groups) = (Asks::default(), groups().take(2).collect::<Vec<_>>());
        waiting(&mut asks, groups[0], b"late");
        asks.said_by_primary(groups[1], until(30), 1);
        asks.said(5);
        assert!(asks.answer(b"Y1", 0, 9) && asks.answer(b"Y2", 1, 9));
        assert_eq!(asks.repeat(groups[0], P).map(|answer| answer.bytes), Some(Bytes::from_static(b"Y2")));
    }

    /// Fails with: the order in which they came.
    #[test]
    fn each_is_over_in_its_own_time() {
        let (mut asks, groups) = (Asks::default(), groups().take(2).collect::<Vec<_>>());
        asks.wait(groups[1], S, Bytes::new(), until(40));
        asks.wait(groups[0], S, Bytes::new(), until(30));
        assert_eq!((asks.deadline(), asks.expire(until(30))), (Some(until(30)), vec![S]));
        assert_eq!((asks.deadline(), asks.len()), (Some(until(40)), 1));
    }

    #[test]
    fn the_primarys_words_are_recognised_until_it_has_said_them() {
        let (mut asks, group) = (Asks::default(), groups().next().unwrap());
        waiting(&mut asks, group, b"REBOOT");
        assert!(!asks.may_become(b"R"), "it has not been passed on");
        asks.said(6);
        assert!(asks.may_become(b"REB") && asks.may_become(b"REBOOT") && !asks.may_become(b"RES"));
        assert!(asks.is_one(b"REBOOT") && !asks.is_one(b"REB"));
        asks.repeat(group, P);
        assert!(!asks.may_become(b"REB"));
    }

    #[test]
    fn an_ask_keeps_the_primary_waiting_once() {
        let (mut asks, group) = (Asks::default(), groups().next().unwrap());
        waiting(&mut asks, group, b"REBOOT");
        asks.said(6);
        asks.stop_holding(b"REB");
        assert!(!asks.may_become(b"R") && asks.is_one(b"REBOOT"), "whole, it is still recognised");
    }

    #[test]
    fn the_primary_overtakes_an_ask_that_waits() {
        let (mut asks, group) = (Asks::default(), groups().next().unwrap());
        waiting(&mut asks, group, b"X");
        assert_eq!((asks.overtake(group, 1), asks.overtake(group, 1)), (Some(S), None));
        assert_eq!(asks.next_waiting(), None);
        assert!(asks.answer(b"Y", 0, 1));
    }

    #[test]
    fn asks_that_find_no_place_are_counted_when_they_are_over() {
        let (mut asks, mut groups) = (Asks::default(), groups());
        waiting(&mut asks, groups.next().unwrap(), b"X");
        assert_eq!((asks.deadline(), asks.expire(until(29))), (Some(until(30)), vec![]));
        assert_eq!(asks.expire(until(30)), [S]);
        assert_eq!((asks.deadline(), asks.is_watchful()), (None, false));
    }

    /// Fails with: the oldest.
    #[test]
    fn what_the_primary_may_still_repeat_is_forgotten_last() {
        let (mut asks, mut groups) = (Asks::default(), groups());
        waiting(&mut asks, groups.next().unwrap(), b"X");
        asks.said(1);
        for group in groups.take(MAX_ASKS) {
            asks.said_by_primary(group, until(30), 2);
        }
        assert!(asks.is_one(b"X") && asks.len() == MAX_ASKS);
    }

    #[test]
    fn there_is_room_for_so_many_and_those_that_wait_are_not_forgotten() {
        let (mut asks, mut groups) = (Asks::default(), groups());
        asks.said_by_primary(groups.next().unwrap(), until(30), 1);
        for group in groups.by_ref().take(MAX_ASKS) {
            assert!(waiting(&mut asks, group, b"X"));
        }
        assert!(!waiting(&mut asks, groups.next().unwrap(), b"X"));
        assert_eq!((asks.all.len(), asks.clear().len()), (MAX_ASKS, MAX_ASKS));
    }
}
