//! All that was said, as far as it is kept: a log for each author, and the one order that all members agree on.
//!
//! The order is by stamp, author and number, so it is the same whatever the order of arrival. What is kept is its shortest
//! end that reaches a bound, of texts, bytes or authors:
//!
//! ```text
//!   not kept              │◀── shortest end that is full ──▶│
//!   … a b d c b b d c a c │ d a b c c a b a a c b c b c a b │   full with 4 authors: without its first
//!                           ▲ floor                             text it would have 3
//! ```
//!
//! It depends on the texts alone, and what two such ends have between them has the same end as all texts together have. So
//! members that give one another what they keep agree on where the order begins (the floor), and nobody has to be believed.
//!
//! The clock names the authors of what is kept, and who is held: peers and oneself. Others are forgotten. Nobody can tell
//! whether a text of somebody forgotten was had, if it stands before the floor: it is not taken.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::ops::Bound;

use super::clock::Clock;
use crate::wire::mesh::{AuthorId, Entry, MAX_AUTHORS, Place, Run, Stamp};

/// Bytes a text for what is around it.
const OVERHEAD: usize = 128;
/// Of so many texts that were taken last it is known whose they were.
const RECENT: usize = 64;
/// The most texts of one's own that wait below the floor for a peer to have them.
const MAX_ASIDE: usize = 1_000;

/// Where a history is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Texts that are kept.
    pub(crate) texts: usize,
    /// Bytes, as [`weight`] counts them; all but the first text are less.
    pub(crate) bytes: usize,
    /// Authors of texts that are kept.
    pub(crate) authors: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { texts: 100_000, bytes: 32 * 1024 * 1024, authors: MAX_AUTHORS }
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is new. So many before it are missing for good.
    New(Place, u64),
    /// It is there already, or has been.
    Known,
    /// It stands before the floor, and its author is not known: it may have been there.
    Below,
}

/// The texts that are kept.
#[derive(Debug)]
pub(crate) struct History {
    own: AuthorId,
    bounds: Bounds,
    // Invariant: names the authors of `logs` and `held`, and nobody else.
    clock: Clock,
    // Invariant: one text of `order` for each number of `logs`, and no number above the clock.
    order: BTreeMap<Place, Entry>,
    // Invariant: none is empty.
    logs: BTreeMap<AuthorId, BTreeMap<u64, Stamp>>,
    /// Who is known though nothing of it may be kept: peers and oneself. With the number up to which its texts may have been
    /// had before it was forgotten.
    held: BTreeMap<AuthorId, u64>,
    /// Of one's own, what stands before the floor and is still to be given.
    aside: BTreeMap<u64, Entry>,
    bytes: usize,
    taken: u64,
    /// Whose texts were taken last, the newest at the end.
    recent: VecDeque<AuthorId>,
}

impl History {
    /// That of this author, with nothing in it.
    pub(super) fn new(own: AuthorId, bounds: Bounds) -> Self {
        let (clock, order, logs, held, aside, recent) = Default::default();
        let mut history = Self { own, bounds, clock, order, logs, held, aside, bytes: 0, taken: 0, recent };
        history.hold(own, 0);
        history
    }

    /// What was had so far, of those that are known.
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

    /// Before which nothing is kept, where it is full.
    pub(crate) fn floor(&self) -> Option<Place> {
        let first = self.order.first_key_value().map(|(place, _)| *place);
        first.filter(|_| self.is_full(self.order.len(), self.bytes, self.logs.len()))
    }

    /// The last so many of the order.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = (&Place, &Entry)> {
        self.order.iter().skip(self.order.len().saturating_sub(count))
    }

    /// What is kept from one place of the order to another that is not before it.
    pub(crate) fn between(&self, from: Bound<Place>, last: Place) -> impl Iterator<Item = (&Place, &Entry)> {
        self.order.range((from, Bound::Included(last)))
    }

    /// Does not forget this author until it is released. `said` is the number of its last text.
    pub(crate) fn hold(&mut self, author: AuthorId, said: u64) {
        let doubted = if self.clock.knows(author) { 0 } else { self.doubted(author).min(said) };
        self.held.insert(author, doubted);
        self.clock.raise(author, 0);
    }

    /// May forget this author.
    pub(crate) fn release(&mut self, author: AuthorId) {
        self.held.remove(&author);
        self.forget_if_gone(author);
    }

    /// Keeps a text, if it is new and not before the floor. The caller has seen that nothing before it is to come.
    pub(crate) fn take(&mut self, author: AuthorId, entry: Entry) -> Taken {
        let (number, had, doubted) = (entry.number, self.clock.of(author), self.doubted(author));
        if number <= had {
            return Taken::Known;
        }
        let place = Place { stamp: entry.stamp, author, number };
        let is_below = self.floor().is_some_and(|floor| place < floor);
        if is_below && !self.clock.knows(author) {
            return Taken::Below;
        }
        self.clock.raise(author, number);
        if is_below && number <= doubted {
            return Taken::Known;
        }
        self.count(author);
        if is_below {
            self.put_aside(place, entry);
        } else {
            self.keep(place, entry);
        }
        Taken::New(place, (number - 1).saturating_sub(had.max(doubted)))
    }

    fn count(&mut self, author: AuthorId) {
        self.taken += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(author);
    }

    /// Of whom something can be given that was not there when so many texts had been taken; all, if that was long ago.
    fn authors_since(&self, taken: Option<u64>) -> Vec<AuthorId> {
        let newer = taken.and_then(|taken| usize::try_from(self.taken - taken).ok());
        if let Some(newer) = newer.filter(|&newer| newer <= self.recent.len()) {
            let authors: BTreeSet<_> = self.recent.iter().rev().take(newer).copied().collect();
            return authors.into_iter().collect();
        }
        let own = Some(self.own).filter(|own| !self.logs.contains_key(own));
        self.logs.keys().copied().chain(own).collect()
    }

    /// Everybody here has one's own texts up to this number.
    pub(crate) fn on_heard(&mut self, number: u64) {
        while self.aside.first_key_value().is_some_and(|(&first, _)| first <= number) {
            self.aside.pop_first();
        }
    }

    /// Up to which number texts of this author may have been had, and forgotten.
    fn doubted(&self, author: AuthorId) -> u64 {
        let unknown = if self.floor().is_some() { u64::MAX } else { 0 };
        let known = self.held.get(&author).copied();
        known.unwrap_or(if self.clock.knows(author) { 0 } else { unknown })
    }

    fn keep(&mut self, place: Place, entry: Entry) {
        self.bytes += weight(&entry);
        self.logs.entry(place.author).or_default().insert(place.number, place.stamp);
        self.order.insert(place, entry);
        while self.is_full_without_first() {
            self.forget_first();
        }
    }

    fn is_full(&self, texts: usize, bytes: usize, authors: usize) -> bool {
        let bounds = &self.bounds;
        texts >= bounds.texts || bytes >= bounds.bytes || authors >= bounds.authors
    }

    fn is_full_without_first(&self) -> bool {
        let Some((place, entry)) = self.order.first_key_value() else { return false };
        let is_last_of_author = self.logs.get(&place.author).is_some_and(|log| log.len() == 1);
        let authors = self.logs.len() - usize::from(is_last_of_author);
        self.is_full(self.order.len() - 1, self.bytes - weight(entry), authors)
    }

    fn forget_first(&mut self) {
        let Some((place, entry)) = self.order.pop_first() else { return };
        self.bytes -= weight(&entry);
        if let Some(log) = self.logs.get_mut(&place.author) {
            log.remove(&place.number);
            if log.is_empty() {
                self.logs.remove(&place.author);
                self.forget_if_gone(place.author);
            }
        }
        self.put_aside(place, entry);
    }

    fn forget_if_gone(&mut self, author: AuthorId) {
        if !self.logs.contains_key(&author) && !self.held.contains_key(&author) {
            self.clock.forget(author);
        }
    }

    /// Who is here hears what one says, whatever the history is full of.
    fn put_aside(&mut self, place: Place, entry: Entry) {
        if place.author == self.own {
            self.aside.insert(place.number, entry);
        }
        if self.aside.len() > MAX_ASIDE {
            self.aside.pop_first();
        }
    }

    /// What somebody lacks who has what this clock says, of the authors that are `wanted`, and nothing before its floor of
    /// authors that it does not know: in the agreed order as far as authors allow, whole texts, and no more than `bytes` of
    /// them but for the first. Who lacked nothing when so many texts had been taken (`since`) lacks only what came later.
    pub(crate) fn lacking(
        &self,
        clock: &Clock,
        floor: Option<Place>,
        wanted: impl Fn(AuthorId) -> bool,
        bytes: usize,
        since: Option<u64>,
    ) -> Vec<Run> {
        let wanted = self.authors_since(since).into_iter().filter(|&author| wanted(author));
        let first_of = |author| {
            let floor = floor.filter(|_| !clock.knows(author));
            self.after(author, clock.of(author)).find(|&place| Some(place) >= floor).map(Reverse)
        };
        let mut next: BinaryHeap<_> = wanted.filter_map(first_of).collect();
        let mut reached = BTreeMap::new();
        let (mut runs, mut sum): (Vec<Run>, usize) = (Vec::new(), 0);
        while let Some(Reverse(place)) = next.pop() {
            let Some(entry) = self.entry(place) else { continue };
            sum += weight(entry);
            if sum > bytes && !runs.is_empty() {
                break;
            }
            let after = reached.insert(place.author, place.number).unwrap_or(clock.of(place.author));
            match runs.last_mut().filter(|run| run.author == place.author) {
                Some(run) => run.entries.push(entry.clone()),
                None => runs.push(Run { author: place.author, after, entries: vec![entry.clone()] }),
            }
            next.extend(self.after(place.author, place.number).next().map(Reverse));
        }
        runs
    }

    fn entry(&self, place: Place) -> Option<&Entry> {
        let aside = || self.aside.get(&place.number).filter(|_| place.author == self.own);
        self.order.get(&place).or_else(aside)
    }

    /// Where the texts of an author after this number stand: all that one can give, by number.
    pub(crate) fn after(&self, author: AuthorId, number: u64) -> impl Iterator<Item = Place> {
        let numbers = (Bound::Excluded(number), Bound::Unbounded);
        let log = self.logs.get(&author).into_iter().flat_map(move |log| log.range(numbers));
        let aside = (author == self.own).then_some(&self.aside).into_iter();
        let aside = aside.flat_map(move |aside| aside.range(numbers));
        let mut kept = log.map(move |(&number, &stamp)| Place { stamp, author, number }).peekable();
        let mut aside =
            aside.map(move |(&number, entry)| Place { stamp: entry.stamp, author, number }).peekable();
        std::iter::from_fn(move || match (kept.peek(), aside.peek()) {
            (Some(one), Some(other)) if other.number < one.number => aside.next(),
            (None, _) => aside.next(),
            _ => kept.next(),
        })
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> Vec<AuthorId> {
        self.held.keys().copied().collect()
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let in_logs: usize = self.logs.values().map(BTreeMap::len).sum();
        assert_eq!(in_logs, self.order.len());
        assert_eq!(self.bytes, self.order.values().map(weight).sum::<usize>());
        assert!(self.order.len() <= self.bounds.texts && self.logs.len() <= self.bounds.authors);
        assert!(!self.is_full_without_first() && self.aside.len() <= MAX_ASIDE);
        for (place, entry) in &self.order {
            assert!(entry.number == place.number && entry.number <= self.clock.of(place.author));
        }
        let known: Vec<_> = self.clock.to_wire().into_iter().map(|(author, _)| author).collect();
        let named: BTreeSet<_> = self.logs.keys().chain(self.held.keys()).copied().collect();
        assert_eq!(known, Vec::from_iter(named));
    }
}

/// What an entry costs to keep, and about what it costs to send.
pub(crate) fn weight(entry: &Entry) -> usize {
    entry.text.as_str().len() + entry.name.as_str().len() + OVERHEAD
}
