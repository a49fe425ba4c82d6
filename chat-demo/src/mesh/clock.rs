//! What somebody has: of each author, the number up to which it has all.

use std::collections::BTreeMap;

use crate::wire::mesh::{AuthorId, MAX_AUTHORS};

/// A vector clock, with at most [`MAX_AUTHORS`] authors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock(BTreeMap<AuthorId, u64>);

impl Clock {
    /// Up to which number it has all of this author's; 0 where it has nothing.
    pub(crate) fn of(&self, author: AuthorId) -> u64 {
        self.0.get(&author).copied().unwrap_or_default()
    }

    /// It has all up to this number, or more. False if that is one author too many.
    pub(crate) fn raise(&mut self, author: AuthorId, number: u64) -> bool {
        if !self.has_room_for(author) {
            return false;
        }
        let known = self.0.entry(author).or_default();
        *known = number.max(*known);
        true
    }

    /// It has all that the other has, too.
    pub(crate) fn join(&mut self, other: &Self) {
        for (&author, &number) in &other.0 {
            self.raise(author, number);
        }
    }

    /// Whether this author is known, or may become so.
    pub(crate) fn has_room_for(&self, author: AuthorId) -> bool {
        self.0.len() < MAX_AUTHORS || self.0.contains_key(&author)
    }

    /// As it is told.
    pub(crate) fn to_wire(&self) -> Vec<(AuthorId, u64)> {
        self.0.iter().map(|(&author, &number)| (author, number)).collect()
    }

    /// As it was told.
    pub(crate) fn of_wire(told: &[(AuthorId, u64)]) -> Self {
        let mut clock = Self::default();
        for &(author, number) in told {
            clock.raise(author, number);
        }
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_only_rises() {
        let author = AuthorId([1; 16]);
        let mut clock = Clock::of_wire(&[(author, 3), (author, 2)]);

        clock.join(&Clock::of_wire(&[(author, 1), (AuthorId([2; 16]), 5)]));

        assert_eq!(clock.to_wire(), [(author, 3), (AuthorId([2; 16]), 5)]);
        assert_eq!(clock.of(AuthorId([3; 16])), 0);
    }

    #[test]
    fn a_clock_has_room_for_so_many_authors() {
        let mut clock = Clock::default();
        let author = |number: usize| AuthorId((number as u128).to_be_bytes());

        assert!((0..MAX_AUTHORS).all(|number| clock.raise(author(number), 1)));

        assert!(!clock.raise(author(MAX_AUTHORS), 1));
        assert!(clock.raise(author(0), 2));
    }
}
