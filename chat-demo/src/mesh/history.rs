//! All that was said, as far as it is kept: a log for each author, and the one order that all members agree on.
//!
//! The order is by stamp, author and number, so it is the same whatever the order of arrival. It is bounded: where it is
//! full the first of the order goes, and nothing before that is kept afterwards, so that what is kept is the same whatever
//! the order of arrival, too. What has gone does not come back: the clock keeps that it was had.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Bound;

use super::clock::Clock;
use crate::wire::mesh::{AuthorId, Entry, Run, Stamp};

/// The most texts that are kept.
pub(crate) const MAX_TEXTS: usize = 100_000;
/// The most bytes that are kept: those of texts and names, and so many a text for what is around them.
pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;
const OVERHEAD: usize = 128;

/// A text's place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) stamp: Stamp,
    pub(crate) author: AuthorId,
    pub(crate) number: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is new.
    New(Place),
    /// It is there already, or has been.
    Known,
    /// There are too many authors.
    NoRoom,
}

/// The texts that are kept.
#[derive(Debug)]
pub(crate) struct History {
    clock: Clock,
    // Invariant: one text of `order` for each number of `logs`, and no number above the clock.
    order: BTreeMap<Place, Entry>,
    logs: BTreeMap<AuthorId, BTreeMap<u64, Stamp>>,
    /// The last place of the order that was forgotten. Invariant: nothing is kept up to there.
    forgotten: Option<Place>,
    bytes: usize,
    taken: u64,
    max_texts: usize,
    max_bytes: usize,
}

impl Default for History {
    fn default() -> Self {
        Self::bounded(MAX_TEXTS, MAX_BYTES)
    }
}

impl History {
    pub(super) fn bounded(max_texts: usize, max_bytes: usize) -> Self {
        let (clock, order, logs, forgotten) = Default::default();
        Self { clock, order, logs, forgotten, bytes: 0, taken: 0, max_texts, max_bytes }
    }

    /// What was had so far, kept or not.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many texts are kept.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// How many texts were taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The last so many of the order.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = (&Place, &Entry)> {
        self.order.iter().skip(self.order.len().saturating_sub(count))
    }

    /// What is kept from one place of the order to another that is not before it.
    pub(crate) fn between(&self, from: Bound<Place>, last: Place) -> impl Iterator<Item = (&Place, &Entry)> {
        self.order.range((from, Bound::Included(last)))
    }

    /// Keeps a text. The caller has seen that nothing before it is to come.
    pub(crate) fn take(&mut self, author: AuthorId, entry: Entry) -> Taken {
        if entry.number <= self.clock.of(author) {
            return Taken::Known;
        }
        if !self.clock.raise(author, entry.number) {
            return Taken::NoRoom;
        }
        let place = Place { stamp: entry.stamp, author, number: entry.number };
        self.taken += 1;
        if Some(place) > self.forgotten {
            self.keep(place, entry);
        }
        Taken::New(place)
    }

    fn keep(&mut self, place: Place, entry: Entry) {
        self.bytes += weight(&entry);
        self.logs.entry(place.author).or_default().insert(place.number, place.stamp);
        self.order.insert(place, entry);
        while self.order.len() > self.max_texts || self.bytes > self.max_bytes {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((place, entry)) = self.order.pop_first() else { return };
        self.bytes -= weight(&entry);
        self.forgotten = Some(place);
        if let Some(log) = self.logs.get_mut(&place.author) {
            log.remove(&place.number);
            if log.is_empty() {
                self.logs.remove(&place.author);
            }
        }
    }

    /// What somebody lacks who has what this clock says, of the authors that are `wanted`: in the agreed order as far as
    /// authors allow, whole texts, and no more than `bytes` of them but for the first.
    pub(crate) fn lacking(&self, clock: &Clock, wanted: impl Fn(AuthorId) -> bool, bytes: usize) -> Vec<Run> {
        let wanted = self.logs.keys().copied().filter(|&author| wanted(author));
        let mut next: BinaryHeap<_> =
            wanted.filter_map(|author| Some(Reverse(self.next_of(author, clock.of(author))?))).collect();
        let mut reached = BTreeMap::new();
        let (mut runs, mut sum): (Vec<Run>, usize) = (Vec::new(), 0);
        while let Some(Reverse(place)) = next.pop() {
            let Some(entry) = self.order.get(&place) else { continue };
            sum += weight(entry);
            if sum > bytes && !runs.is_empty() {
                break;
            }
            let after = reached.insert(place.author, place.number).unwrap_or(clock.of(place.author));
            match runs.last_mut().filter(|run| run.author == place.author) {
                Some(run) => run.entries.push(entry.clone()),
                None => runs.push(Run { author: place.author, after, entries: vec![entry.clone()] }),
            }
            next.extend(self.next_of(place.author, place.number).map(Reverse));
        }
        runs
    }

    /// The first that is kept of an author after this number.
    fn next_of(&self, author: AuthorId, after: u64) -> Option<Place> {
        let (&number, &stamp) = self.logs.get(&author)?.range(after.checked_add(1)?..).next()?;
        Some(Place { stamp, author, number })
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let in_logs: usize = self.logs.values().map(BTreeMap::len).sum();
        assert_eq!(in_logs, self.order.len());
        assert_eq!(self.bytes, self.order.values().map(weight).sum::<usize>());
        assert!(self.order.len() <= self.max_texts && self.bytes <= self.max_bytes);
        for (place, entry) in &self.order {
            assert!(Some(*place) > self.forgotten);
            assert!(entry.number == place.number && entry.number <= self.clock.of(place.author));
        }
    }
}

/// What an entry costs to keep, and about what it costs to send.
pub(crate) fn weight(entry: &Entry) -> usize {
    entry.text.as_str().len() + entry.name.as_str().len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, PublicTone, Text};

    const ANN: AuthorId = AuthorId([1; 16]);
    const BOB: AuthorId = AuthorId([2; 16]);
    const CID: AuthorId = AuthorId([3; 16]);
    const DAN: AuthorId = AuthorId([4; 16]);

    fn entry(number: u64, at: u64) -> Entry {
        let (name, text) = (Name::new("x").unwrap(), Text::new(&number.to_string()).unwrap());
        Entry { number, stamp: Stamp { at, counter: 0 }, name, tone: PublicTone::Plain, text }
    }

    fn filled() -> History {
        let mut history = History::default();
        for (author, number, at) in [(ANN, 1, 10), (ANN, 2, 30), (BOB, 1, 20), (BOB, 2, 40)] {
            assert!(matches!(history.take(author, entry(number, at)), Taken::New(_)));
        }
        history.check();
        history
    }

    fn numbers(runs: &[Run]) -> Vec<(AuthorId, u64, Vec<u64>)> {
        let numbers = |run: &Run| run.entries.iter().map(|entry| entry.number).collect();
        runs.iter().map(|run| (run.author, run.after, numbers(run))).collect()
    }

    #[test]
    fn the_order_is_by_stamp_whatever_came_first() {
        let history = filled();

        let order: Vec<_> = history.last(3).map(|(place, _)| (place.author, place.number)).collect();

        assert_eq!(order, [(BOB, 1), (ANN, 2), (BOB, 2)]);
    }

    #[test]
    fn what_was_taken_once_is_not_taken_again() {
        let mut history = filled();

        assert_eq!(history.take(ANN, entry(2, 30)), Taken::Known);
        assert_eq!(history.len(), 4);
    }

    #[test]
    fn what_somebody_lacks_is_given_in_the_agreed_order() {
        let runs = filled().lacking(&Clock::of_wire(&[(ANN, 1)]), |_| true, usize::MAX);

        assert_eq!(numbers(&runs), [(BOB, 0, vec![1]), (ANN, 1, vec![2]), (BOB, 1, vec![2])]);
    }

    #[test]
    fn what_is_given_at_once_is_bounded_but_never_nothing() {
        let runs = filled().lacking(&Clock::default(), |author| author == BOB, 1);

        assert_eq!(numbers(&runs), [(BOB, 0, vec![1])]);
    }

    #[test]
    fn where_it_is_full_the_oldest_goes_and_its_absence_is_told() {
        let mut history = History::bounded(3, MAX_BYTES);
        for number in 1..=4 {
            history.take(ANN, entry(number, number));
        }
        history.take(BOB, entry(1, 1));
        history.check();

        let runs = history.lacking(&Clock::default(), |_| true, usize::MAX);

        assert_eq!(numbers(&runs), [(ANN, 0, vec![2, 3, 4])]);
        assert_eq!(history.clock().of(BOB), 1, "it was had, and is not asked for again");
    }

    #[test]
    fn what_is_kept_is_the_same_whatever_came_first() {
        let texts = [(ANN, 1, 1, 5), (BOB, 1, 2, 10), (CID, 1, 3, 10), (DAN, 1, 4, 1)];
        let kept = |order: [usize; 4]| {
            let mut history = History::bounded(9, 20 + 3 * (OVERHEAD + 1));
            for (author, number, at, bytes) in order.map(|at| texts[at]) {
                let text = Text::new(&"x".repeat(bytes)).unwrap();
                history.take(author, Entry { text, ..entry(number, at) });
                history.check();
            }
            history.last(9).map(|(place, _)| place.author).collect::<Vec<_>>()
        };

        assert_eq!(kept([0, 1, 2, 3]), [CID, DAN]);
        assert_eq!(kept([2, 3, 1, 0]), [CID, DAN]);
    }

    #[test]
    fn a_stranger_whose_stamps_fall_costs_nobody_the_bounds() {
        let mut history = History::bounded(2, MAX_BYTES);
        for number in 1..=9 {
            history.take(ANN, entry(number, 100 - number));
            history.check();
        }
    }
}
