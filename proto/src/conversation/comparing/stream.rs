//! Replies compared as streams, however they were cut: for `raw`.
//!
//! ```text
//!   primary    ──── same ────┬── ahead ──┐
//!   secondary  ──── same ────┘           the secondary has still to say this
//! ```
//!
//! Whoever is ahead, its bytes are kept until the other has said the same, at most [`MAX_AHEAD`] of them. After a difference
//! nothing is compared until both have fallen silent: then a new exchange begins from nothing.

use super::{Counts, Divergence, Finding, MAX_SAMPLE, Said, Side, sample};
use crate::{conversation::debts::Request, time::Instant};

/// How far one side may be ahead; beyond that the exchange is given up.
pub(super) const MAX_AHEAD: usize = 256 * 1024;

/// A buffer that grew larger than this is given back.
const KEPT_CAPACITY: usize = 4096;

/// Two streams, of which one may be ahead.
#[derive(Debug, Default)]
pub struct Stream {
    ahead: Vec<u8>,
    /// How much of `ahead` the other has said by now.
    from: usize,
    leader: Option<Side>,
    due: Option<Instant>,
    request: Option<Request>,
    /// They differ, or one is too far ahead: nothing is compared before a new exchange.
    is_lost: bool,
    found: Option<Divergence>,
    pub(super) counts: Counts,
}

impl Stream {
    /// One side says more.
    pub fn say(&mut self, side: Side, said: &Said<'_>) {
        if self.is_lost {
            return;
        }
        match self.leader {
            Some(leader) if leader != side => self.follow(side, said),
            _ => self.lead(side, said),
        }
    }

    /// Whether these bytes are what the other side has said and this one has not.
    pub fn expects(&self, side: Side, bytes: &[u8]) -> bool {
        let rest = &self.ahead[self.from..];
        !self.is_lost && self.leader.is_some_and(|leader| leader != side) && rest.starts_with(bytes)
    }

    /// Both are silent and owe nothing: what comes next is compared afresh.
    pub fn begin(&mut self) {
        if self.is_lost {
            *self = Self { counts: self.counts, found: self.found.take(), ..Self::default() };
        }
    }

    fn follow(&mut self, side: Side, said: &Said<'_>) {
        let rest = &self.ahead[self.from..];
        let common = rest.len().min(said.bytes.len());
        if rest[..common] != said.bytes[..common] {
            return self.differ(side, said);
        }
        self.from += common;
        // What is still ahead was said later than what was just matched.
        self.due = said.due.or(self.due);
        if self.from == self.ahead.len() {
            self.counts.matched += 1;
            self.catch_up();
            if common < said.bytes.len() {
                self.lead(side, &Said { bytes: &said.bytes[common..], ..*said });
            }
        }
    }

    fn lead(&mut self, side: Side, said: &Said<'_>) {
        if self.leader.is_none() {
            (self.leader, self.due, self.request) = (Some(side), said.due, said.request);
        }
        if self.from > self.ahead.len() / 2 {
            self.ahead.drain(..std::mem::take(&mut self.from));
        }
        self.ahead.extend_from_slice(said.bytes);
        if self.ahead.len() - self.from > MAX_AHEAD {
            self.counts.uncompared += 1;
            self.lose();
        }
    }

    fn differ(&mut self, side: Side, said: &Said<'_>) {
        let rest = &self.ahead[self.from..];
        let at = rest.iter().zip(said.bytes).take_while(|(one, other)| one == other).count();
        let (leading, following) = (sample(rest).to_vec(), sample(said.bytes).to_vec());
        let (primary, secondary) = match side {
            Side::Primary => (following, leading),
            Side::Secondary => (leading, following),
        };
        let (finding, offset) = (Finding::Different, (at < MAX_SAMPLE).then_some(at as u64));
        self.found = Some(Divergence { finding, request: said.request, primary, secondary, offset });
        self.lose();
    }

    fn catch_up(&mut self) {
        if self.ahead.capacity() > KEPT_CAPACITY {
            self.ahead = Vec::new();
        }
        self.ahead.clear();
        self.from = 0;
        self.leader = None;
        self.due = None;
    }

    fn lose(&mut self) {
        self.catch_up();
        self.ahead = Vec::new();
        self.is_lost = true;
    }

    pub(super) fn on_written(&mut self, due: Instant) {
        if self.leader == Some(Side::Primary) {
            self.due.get_or_insert(due);
        }
    }

    pub(super) fn judge(&mut self, now: Instant) -> Option<Divergence> {
        if self.due.is_some_and(|due| due <= now) {
            let said = sample(&self.ahead[self.from..]).to_vec();
            let (finding, primary, secondary) = match self.leader? {
                Side::Primary => (Finding::Missing, said, Vec::new()),
                Side::Secondary => (Finding::Extra, Vec::new(), said),
            };
            let request = self.request;
            self.lose();
            return Some(Divergence { finding, request, primary, secondary, offset: None });
        }
        self.found.take()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn audit(&self) {
        assert!(self.ahead.len() - self.from <= MAX_AHEAD && self.from <= self.ahead.len());
    }

    pub(super) fn clear(&mut self) -> u64 {
        let given_up = u64::from(self.leader == Some(Side::Primary));
        let counts = self.counts;
        *self = Self { counts, found: self.found.take(), ..Self::default() };
        given_up
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn say(stream: &mut Stream, side: Side, bytes: &[u8]) {
        stream.say(side, &Said { bytes, hash: 0, key: None, request: Some(1), due: Some(at(5)) });
    }

    #[test]
    fn how_replies_are_cut_makes_no_difference() {
        let mut stream = Stream::default();
        say(&mut stream, Side::Primary, b"AB");
        say(&mut stream, Side::Secondary, b"A");
        assert!(stream.expects(Side::Secondary, b"B") && !stream.expects(Side::Secondary, b"BC"));
        say(&mut stream, Side::Secondary, b"BC");
        say(&mut stream, Side::Primary, b"C");
        assert_eq!((stream.judge(at(9)), stream.deadline()), (None, None));
    }

    #[test]
    fn a_difference_is_found_once_and_the_next_exchange_begins_afresh() {
        let mut stream = Stream::default();
        say(&mut stream, Side::Primary, b"OK 1");
        say(&mut stream, Side::Secondary, b"OK");
        say(&mut stream, Side::Secondary, b" 2");
        say(&mut stream, Side::Primary, b"more");
        let found = stream.judge(at(0)).unwrap();
        assert_eq!((found.finding, found.offset), (Finding::Different, Some(1)));
        assert_eq!((&found.primary[..], &found.secondary[..]), (&b" 1"[..], &b" 2"[..]));
        stream.begin();
        say(&mut stream, Side::Primary, b"X");
        say(&mut stream, Side::Secondary, b"X");
        assert_eq!(stream.judge(at(9)), None);
    }

    #[test]
    fn who_stays_behind_misses_and_who_stays_ahead_said_too_much() {
        for (side, finding) in [(Side::Primary, Finding::Missing), (Side::Secondary, Finding::Extra)] {
            let mut stream = Stream::default();
            say(&mut stream, side, b"AB");
            assert_eq!(stream.judge(at(4)), None);
            assert_eq!(stream.judge(at(5)).map(|found| found.finding), Some(finding));
            assert_eq!(stream.judge(at(50)), None);
        }
    }

    #[test]
    fn a_reply_of_any_length_is_followed_within_bounds() {
        let mut stream = Stream::default();
        say(&mut stream, Side::Primary, &vec![b'x'; MAX_AHEAD]);
        say(&mut stream, Side::Primary, b"x");
        assert_eq!((stream.counts.uncompared, stream.ahead.capacity(), stream.deadline()), (1, 0, None));
    }

    proptest! {
        #[test]
        fn the_same_stream_cut_anyhow_is_the_same(
            bytes in proptest::collection::vec(0u8..3, 0..200), cuts in proptest::collection::vec((any::<bool>(), 1usize..20), 0..80),
        ) {
            let (mut stream, mut at_primary, mut at_secondary) = (Stream::default(), 0, 0);
            for (is_primary, len) in cuts {
                let (side, from) = if is_primary { (Side::Primary, &mut at_primary) } else { (Side::Secondary, &mut at_secondary) };
                let end = (*from + len).min(bytes.len());
                say(&mut stream, side, &bytes[*from..end]);
                *from = end;
                prop_assert_eq!(stream.judge(Instant::ZERO + Duration::from_secs(1)), None);
                let apart = stream.ahead.len() - stream.from;
                prop_assert_eq!(apart, at_primary.abs_diff(at_secondary));
            }
        }
    }
}
