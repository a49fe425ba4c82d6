//! Replies compared frame by frame: each reply of one side looks for the same among those of the other that have none yet.
//!
//! Order does not matter, time does: what finds no counterpart before it is due is missing or extra, and a missing one beside
//! an extra one is a difference. It promises at most [`MAX_PENDING`] replies a side.

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
    pub(super) counts: Counts,
}

impl Frames {
    /// One side has replied.
    pub fn say(&mut self, side: Side, said: &Said<'_>) {
        let others = match side {
            Side::Primary => &mut self.secondary,
            Side::Secondary => &mut self.primary,
        };
        match others.iter().position(|other| other.hash == said.hash) {
            Some(index) => {
                let matched = others.remove(index);
                self.counts.matched += 1;
                self.recycle(matched);
            }
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
        let pending = Pending { hash: said.hash, request: said.request, due: said.due, sample: kept };
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
        let is_due = |said: Option<&Pending>| said.and_then(|said| said.due).is_some_and(|due| due <= now);
        let (missing, extra) = (is_due(self.primary.front()), is_due(self.secondary.front()));
        let is_pair = !self.primary.is_empty() && !self.secondary.is_empty();
        if is_pair && (is_settled || missing || extra) {
            return self.find(Finding::Different);
        }
        match (missing, extra) {
            (true, _) => self.find(Finding::Missing),
            (_, true) => self.find(Finding::Extra),
            _ => None,
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn say(frames: &mut Frames, side: Side, bytes: &[u8], request: u64, due: Option<u64>) {
        let hash = bytes.iter().fold(0, |hash, &byte| hash * 257 + u64::from(byte));
        frames.say(side, &Said { bytes, hash, request: Some(request), due: due.map(at) });
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
        frames.say(Side::Primary, &Said { bytes: &long(1), hash: 1, request: None, due: None });
        frames.say(Side::Secondary, &Said { bytes: &long(2), hash: 2, request: None, due: None });
        let found = frames.judge(true, Instant::ZERO + Duration::from_secs(1)).unwrap();
        assert_eq!((found.offset, found.primary.len()), (None, super::super::MAX_SAMPLE));
    }
}
