//! Replies compared frame by frame: each reply of one side looks for the same among those of the other that have none yet.
//!
//! Order does not matter, time does: what finds no counterpart before it is due is missing or extra, and a missing one beside
//! an extra one is a difference. Replies with a key look for the oldest of that key instead, and if that says something else
//! it is a difference at once. It promises at most [`MAX_PENDING`] replies a side.

use std::collections::VecDeque;

use super::{Counts, Divergence, Finding, Said, Side, first_difference, sample};
use crate::{conversation::debts::Request, time::Instant};

/// Replies a side may have waiting; the oldest is then given up.
pub(super) const MAX_PENDING: usize = 1024;
/// Buffers kept for the next samples.
const MAX_SPARE: usize = 4;

#[derive(Debug)]
struct Pending {
    hash: u64,
    key: Option<u64>,
    request: Option<Request>,
    due: Option<Instant>,
    sample: Vec<u8>,
}

/// Replies without a counterpart, oldest first.
#[derive(Debug, Default)]
pub struct Frames {
    primary: VecDeque<Pending>,
    secondary: VecDeque<Pending>,
    /// What either side replied to requests up to these was given up: the other's replies to them find no counterpart.
    primary_given_up: Option<Request>,
    secondary_given_up: Option<Request>,
    /// Samples' buffers, so that replies which find their counterpart allocate nothing.
    spare: Vec<Vec<u8>>,
    /// Differences between two replies of one key.
    // Invariant: no more than there were replies waiting.
    found: VecDeque<Divergence>,
    pub(super) counts: Counts,
}

impl Frames {
    /// One side has replied.
    pub fn say(&mut self, side: Side, said: &Said<'_>) {
        let others = match side {
            Side::Primary => &mut self.secondary,
            Side::Secondary => &mut self.primary,
        };
        let is_counterpart = |other: &Pending| match said.key {
            Some(_) => other.key == said.key,
            None => other.hash == said.hash,
        };
        let counterpart = others.iter().position(is_counterpart).and_then(|index| others.remove(index));
        match counterpart {
            Some(other) if other.hash == said.hash => {
                self.counts.matched += 1;
                self.recycle(Some(other));
            }
            Some(other) => self.found.push_back(difference(side, said, other)),
            None => self.keep(side, said),
        }
    }

    fn keep(&mut self, side: Side, said: &Said<'_>) {
        let given_up = match side {
            Side::Primary => self.secondary_given_up,
            Side::Secondary => self.primary_given_up,
        };
        if said.request.is_some_and(|request| given_up.is_some_and(|last| request <= last)) {
            self.counts.uncompared += u64::from(side == Side::Primary);
            return;
        }
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.extend_from_slice(sample(said.bytes));
        let Said { hash, key, request, due, .. } = *said;
        let pending = Pending { hash, key, request, due, sample: kept };
        let (own, given_up) = match side {
            Side::Primary => (&mut self.primary, &mut self.primary_given_up),
            Side::Secondary => (&mut self.secondary, &mut self.secondary_given_up),
        };
        own.push_back(pending);
        if own.len() > MAX_PENDING {
            let oldest = own.pop_front();
            *given_up = oldest.as_ref().and_then(|oldest| oldest.request).max(*given_up);
            self.counts.uncompared += u64::from(side == Side::Primary);
            self.recycle(oldest);
        }
    }

    fn recycle(&mut self, pending: Option<Pending>) {
        if let Some(mut pending) = pending
            && self.spare.len() < MAX_SPARE
        {
            pending.sample.clear();
            self.spare.push(pending.sample);
        }
    }

    pub(super) fn on_written(&mut self, before: Request, due: Instant) {
        let undue = self.primary.iter_mut().filter(|said| said.due.is_none());
        for said in undue.filter(|said| said.request.is_none_or(|request| request < before)) {
            said.due = Some(due);
        }
    }

    pub(super) fn judge(&mut self, is_settled: bool, now: Instant) -> Option<Divergence> {
        if let Some(found) = self.found.pop_front() {
            return Some(found);
        }
        let is_due = |said: Option<&Pending>| said.and_then(|said| said.due).is_some_and(|due| due <= now);
        let (missing, extra) = (is_due(self.primary.front()), is_due(self.secondary.front()));
        if self.is_pair() && (is_settled || missing || extra) {
            return self.find(Finding::Different);
        }
        match (missing, extra) {
            (true, _) => self.find(Finding::Missing),
            (_, true) => self.find(Finding::Extra),
            _ => None,
        }
    }

    /// Whether the oldest of both sides may be a difference. Of different keys, each is by itself.
    fn is_pair(&self) -> bool {
        let oldest = self.primary.front().zip(self.secondary.front());
        oldest.is_some_and(|(primary, secondary)| primary.key.is_none() || secondary.key.is_none())
    }

    fn find(&mut self, finding: Finding) -> Option<Divergence> {
        let primary = if finding == Finding::Extra { None } else { self.primary.pop_front() };
        let secondary = if finding == Finding::Missing { None } else { self.secondary.pop_front() };
        let request = primary.as_ref().or(secondary.as_ref())?.request;
        let said = |pending: Option<Pending>| pending.map(|pending| pending.sample).unwrap_or_default();
        let (primary, secondary) = (said(primary), said(secondary));
        let offset = match finding {
            Finding::Different => first_difference(&primary, &secondary),
            Finding::Missing | Finding::Extra => None,
        };
        Some(Divergence { finding, request, primary, secondary, offset })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = |side: &VecDeque<Pending>| side.front().and_then(|said| said.due);
        due(&self.primary).into_iter().chain(due(&self.secondary)).min()
    }

    pub(super) fn audit(&self) {
        let longest = self.primary.len().max(self.secondary.len());
        assert!(longest <= MAX_PENDING && self.spare.len() <= MAX_SPARE);
    }

    pub(super) fn clear(&mut self) -> u64 {
        let given_up = self.primary.len() as u64;
        self.primary.clear();
        self.secondary.clear();
        given_up
    }
}

/// What one side says now is not what the other has said.
fn difference(side: Side, said: &Said<'_>, other: Pending) -> Divergence {
    let (now, before) = (sample(said.bytes).to_vec(), other.sample);
    let (primary, secondary) = match side {
        Side::Primary => (now, before),
        Side::Secondary => (before, now),
    };
    let offset = first_difference(&primary, &secondary);
    Divergence {
        finding: Finding::Different,
        request: said.request.or(other.request),
        primary,
        secondary,
        offset,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn say(frames: &mut Frames, side: Side, bytes: &[u8], request: u64, due: Option<u64>) {
        let hash = bytes.iter().fold(0, |hash, &byte| hash * 257 + u64::from(byte));
        frames.say(side, &Said { bytes, hash, key: None, request: Some(request), due: due.map(at) });
    }

    /// The same, of replies that have a key: their first byte.
    fn say_keyed(frames: &mut Frames, side: Side, bytes: &[u8], due: u64) {
        let hash = bytes.iter().fold(0, |hash, &byte| hash * 257 + u64::from(byte));
        let key = Some(u64::from(bytes[0]));
        frames.say(side, &Said { bytes, hash, key, request: Some(0), due: Some(at(due)) });
    }

    #[track_caller]
    fn found(frames: &mut Frames, is_settled: bool, seconds: u64) -> Vec<Finding> {
        std::iter::from_fn(|| frames.judge(is_settled, at(seconds))).map(|found| found.finding).collect()
    }

    #[test]
    fn the_same_in_another_order_is_no_divergence() {
        let mut frames = Frames::default();
        say(&mut frames, Side::Primary, b"A", 0, Some(5));
        say(&mut frames, Side::Primary, b"B", 1, Some(5));
        say(&mut frames, Side::Secondary, b"B", 0, Some(5));
        say(&mut frames, Side::Secondary, b"A", 1, Some(5));
        assert_eq!(found(&mut frames, true, 9), []);
        assert_eq!((frames.counts.matched, frames.deadline()), (2, None));
    }

    #[test]
    fn a_difference_is_one_divergence_and_is_certain_once_nobody_owes() {
        let mut frames = Frames::default();
        say(&mut frames, Side::Secondary, b"OK 2", 3, Some(5));
        say(&mut frames, Side::Primary, b"OK 1", 3, Some(5));
        assert_eq!(frames.judge(false, at(4)), None);
        let found = frames.judge(true, at(4)).unwrap();
        assert_eq!((found.finding, found.request, found.offset), (Finding::Different, Some(3), Some(3)));
        assert_eq!((&found.primary[..], &found.secondary[..]), (&b"OK 1"[..], &b"OK 2"[..]));
        assert_eq!(frames.judge(true, at(9)), None);
    }

    #[test]
    fn what_only_one_side_said_is_found_when_it_is_due() {
        let mut frames = Frames::default();
        say(&mut frames, Side::Primary, b"A", 0, Some(5));
        assert_eq!((frames.deadline(), found(&mut frames, true, 4)), (Some(at(5)), vec![]));
        assert_eq!(found(&mut frames, true, 5), [Finding::Missing]);
        say(&mut frames, Side::Secondary, b"B", 0, Some(9));
        assert_eq!(found(&mut frames, false, 9), [Finding::Extra]);
    }

    #[test]
    fn replies_of_one_key_that_differ_are_a_divergence_at_once() {
        let mut frames = Frames::default();
        say_keyed(&mut frames, Side::Secondary, b"8 yes", 5);
        say_keyed(&mut frames, Side::Primary, b"7 no", 5);
        say_keyed(&mut frames, Side::Secondary, b"7 yes", 5);
        say_keyed(&mut frames, Side::Primary, b"8 yes", 5);
        let found = frames.judge(false, at(0)).unwrap();
        assert_eq!((found.finding, found.offset), (Finding::Different, Some(2)));
        assert_eq!((&found.primary[..], &found.secondary[..]), (&b"7 no"[..], &b"7 yes"[..]));
        assert_eq!((frames.judge(true, at(9)), frames.counts.matched), (None, 1));
    }

    #[test]
    fn repeated_keys_pair_in_order() {
        let mut frames = Frames::default();
        for reply in [b"7 a", b"7 b"] {
            say_keyed(&mut frames, Side::Primary, reply, 5);
        }
        for reply in [b"7 b", b"7 b"] {
            say_keyed(&mut frames, Side::Secondary, reply, 5);
        }
        assert_eq!(found(&mut frames, true, 9), [Finding::Different]);
        assert_eq!(frames.counts.matched, 1);
    }

    #[test]
    fn replies_of_different_keys_are_missing_and_extra_but_one_without_a_key_is_a_difference() {
        let mut frames = Frames::default();
        say_keyed(&mut frames, Side::Primary, b"7", 5);
        say_keyed(&mut frames, Side::Secondary, b"8", 5);
        assert_eq!(found(&mut frames, true, 4), []);
        assert_eq!(found(&mut frames, true, 5), [Finding::Missing, Finding::Extra]);
        say_keyed(&mut frames, Side::Primary, b"7", 9);
        say(&mut frames, Side::Secondary, b"garbage", 0, Some(9));
        assert_eq!(found(&mut frames, true, 8), [Finding::Different]);
    }

    #[test]
    fn what_the_secondary_could_not_answer_yet_is_not_due() {
        let mut frames = Frames::default();
        say(&mut frames, Side::Primary, b"A", 7, None);
        assert_eq!(found(&mut frames, true, 1000), []);
        frames.on_written(7, at(1005));
        assert_eq!(frames.deadline(), None, "only what is before has reached it");
        frames.on_written(8, at(1005));
        assert_eq!(found(&mut frames, true, 1005), [Finding::Missing]);
    }

    #[test]
    fn a_silent_secondary_is_not_waited_for_without_bound() {
        let mut frames = Frames::default();
        for request in 0..=MAX_PENDING as u64 {
            say(&mut frames, Side::Primary, &request.to_be_bytes(), request, Some(5));
        }
        assert_eq!((frames.counts.uncompared, frames.clear()), (1, MAX_PENDING as u64));
    }

    /// Fails if what one side has said is forgotten, and the other's same words are then held to be its own.
    #[test]
    fn what_was_given_up_is_nobodys_divergence() {
        for (first, second) in [(Side::Primary, Side::Secondary), (Side::Secondary, Side::Primary)] {
            let mut frames = Frames::default();
            let all = 3 * MAX_PENDING as u64;
            for request in 0..all {
                say(&mut frames, first, &request.to_be_bytes(), request, Some(5));
            }
            for request in 0..all {
                say(&mut frames, second, &request.to_be_bytes(), request, Some(5));
            }
            assert_eq!(found(&mut frames, true, 9), []);
            let given_up = all - MAX_PENDING as u64;
            assert_eq!((frames.counts.matched, frames.counts.uncompared), (MAX_PENDING as u64, given_up));
        }
    }

    #[test]
    fn a_difference_beyond_the_sample_has_no_offset() {
        let mut frames = Frames::default();
        let long = |last| [vec![b'x'; 2000], vec![last]].concat();
        frames.say(Side::Primary, &Said { bytes: &long(1), hash: 1, key: None, request: None, due: None });
        frames.say(Side::Secondary, &Said { bytes: &long(2), hash: 2, key: None, request: None, due: None });
        let found = frames.judge(true, Instant::ZERO + Duration::from_secs(1)).unwrap();
        assert_eq!((found.offset, found.primary.len()), (None, super::super::MAX_SAMPLE));
    }
}
