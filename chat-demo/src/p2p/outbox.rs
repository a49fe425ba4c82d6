//! What was said and is not known to be heard.
//!
//! ```text
//!   waiting:  [ 4  5  6 | 7  8 ]        sent: 6, last: 8
//!               unheard   unsent
//! ```
//!
//! On a new connection everything in it is sent again; the other end leaves out what it has heard.

use std::collections::VecDeque;

use crate::{PublicTone, Text, wire::p2p::Say};

/// As many texts are kept; while there are so many, nothing further is asked of who types.
const MAX_WAITING: usize = 1_000;
/// As many texts are sent and not known to be heard.
const WINDOW: u64 = 256;

/// The texts of this end.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    // Invariant: numbers rise by one up to `last`.
    waiting: VecDeque<Say>,
    sent: u64,
    last: u64,
}

impl Outbox {
    /// Keeps a text. Who calls has looked whether it [`Self::is_full`].
    pub(super) fn push(&mut self, text: Text, tone: PublicTone) {
        debug_assert!(!self.is_full(), "nothing is asked for while it is full");
        self.last += 1;
        self.waiting.push_back(Say { number: self.last, text, tone });
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All up to this number are heard. What was not sent cannot have been, whatever the other end says.
    pub(super) fn heard(&mut self, number: u64) {
        while self.waiting.front().is_some_and(|say| say.number <= number.min(self.sent)) {
            self.waiting.pop_front();
        }
    }

    /// There is a new connection, over which nothing was sent, to an end that has heard all up to this number.
    pub(super) fn rewind(&mut self, heard: u64) {
        self.heard(heard);
        self.sent = self.first() - 1;
    }

    /// What is to be sent next, and is now taken for sent.
    pub(super) fn next(&mut self) -> Option<Say> {
        let ahead = self.sent + 1 - self.first();
        let next = self.waiting.get(usize::try_from(ahead).ok()?).filter(|_| ahead < WINDOW)?;
        self.sent = next.number;
        Some(next.clone())
    }

    /// Forgets all, and says how many there were.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.waiting.len();
        self.waiting.clear();
        self.sent = self.last;
        count
    }

    /// The number of the first that waits, or will.
    fn first(&self) -> u64 {
        self.last + 1 - self.waiting.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(count: u64) -> Outbox {
        let mut outbox = Outbox::default();
        (0..count).for_each(|_| outbox.push(Text::new("x").unwrap(), PublicTone::Plain));
        outbox
    }

    fn sent(outbox: &mut Outbox) -> Vec<u64> {
        std::iter::from_fn(|| outbox.next()).map(|say| say.number).collect()
    }

    #[test]
    fn all_is_sent_once_a_connection_until_it_is_heard() {
        let mut outbox = with(3);
        assert_eq!(sent(&mut outbox), [1, 2, 3]);
        assert!(sent(&mut outbox).is_empty());
        outbox.rewind(1);
        assert_eq!(sent(&mut outbox), [2, 3]);
        outbox.heard(3);
        assert!(outbox.is_empty());
        outbox.rewind(0);
        outbox.push(Text::new("x").unwrap(), PublicTone::Plain);
        assert_eq!(sent(&mut outbox), [4]);
    }

    #[test]
    fn what_was_not_sent_is_not_heard_whatever_is_claimed() {
        let mut outbox = with(3);
        outbox.heard(u64::MAX);
        outbox.rewind(u64::MAX);
        assert_eq!(sent(&mut outbox), [1, 2, 3]);
    }

    #[test]
    fn no_more_is_under_way_than_the_window() {
        let mut outbox = with(WINDOW + 10);
        assert_eq!(sent(&mut outbox).len() as u64, WINDOW);
        outbox.heard(5);
        assert_eq!(sent(&mut outbox), (WINDOW + 1..=WINDOW + 5).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_forgotten_is_counted_and_its_numbers_are_not_used_again() {
        let mut outbox = with(MAX_WAITING as u64);
        assert!(outbox.is_full());
        assert_eq!(outbox.clear(), MAX_WAITING);
        outbox.push(Text::new("x").unwrap(), PublicTone::Plain);
        assert_eq!(sent(&mut outbox), [MAX_WAITING as u64 + 1]);
    }
}
