//! What somebody has: of each author it knows, the number up to which it has all.
//!
//! It has no bound of its own: what is told has one on the wire, and what is kept is as large as the history allows.

use std::collections::BTreeMap;

use crate::wire::mesh::AuthorId;

/// A vector clock that also forgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock(BTreeMap<AuthorId, u64>);

impl Clock {
    /// Up to which number it has all of this author's; 0 where it has nothing.
    pub(crate) fn of(&self, author: AuthorId) -> u64 {
        self.0.get(&author).copied().unwrap_or_default()
    }

    /// Whether it names this author.
    pub(crate) fn knows(&self, author: AuthorId) -> bool {
        self.0.contains_key(&author)
    }

    /// It has all up to this number, or more.
    pub(crate) fn raise(&mut self, author: AuthorId, number: u64) {
        let known = self.0.entry(author).or_default();
        *known = number.max(*known);
    }

    /// It does not name this author any more.
    pub(crate) fn forget(&mut self, author: AuthorId) {
        self.0.remove(&author);
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
    fn a_clock_rises_until_it_forgets() {
        let author = AuthorId([1; 16]);
        let mut clock = Clock::of_wire(&[(author, 3), (author, 2)]);

        clock.raise(author, 1);
        clock.raise(AuthorId([2; 16]), 0);
        assert_eq!(clock.to_wire(), [(author, 3), (AuthorId([2; 16]), 0)]);

        clock.forget(author);
        assert!(!clock.knows(author) && clock.of(author) == 0 && clock.knows(AuthorId([2; 16])));
    }
}
