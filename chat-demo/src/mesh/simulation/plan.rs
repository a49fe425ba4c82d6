//! What a seed means.

use std::time::Duration;

use crate::mesh::history::Bounds;

/// How many members, what goes wrong, and what is kept.
pub(super) struct Plan {
    pub(super) members: usize,
    /// Of so many messages one is lost.
    pub(super) lose_one_in: u64,
    /// The same, for those that come twice.
    pub(super) repeat_one_in: u64,
    pub(super) longest_delay: Duration,
    /// What passes from one member to another.
    pub(super) bytes_a_second: u64,
    /// Of so many steps of trouble one is a cut, and so on.
    pub(super) cut_one_in: u64,
    pub(super) kill_one_in: u64,
    /// What members keep.
    pub(super) bounds: Bounds,
    /// Milliseconds by which clocks are wrong, at most, either way.
    pub(super) skew: i64,
}

const UNBOUNDED: Bounds = Bounds { texts: usize::MAX, bytes: usize::MAX, authors: usize::MAX };

impl Plan {
    /// Whether something that was said may be kept no longer.
    pub(super) fn is_bounded(&self) -> bool {
        let Bounds { texts, bytes, authors } = self.bounds;
        texts.min(bytes).min(authors) < usize::MAX
    }

    /// Nothing goes wrong, but the links are slow.
    pub(super) fn slow(bytes_a_second: u64) -> Self {
        let never = u64::MAX;
        Self {
            members: 2,
            lose_one_in: never,
            repeat_one_in: never,
            longest_delay: Duration::from_millis(20),
            bytes_a_second,
            cut_one_in: never,
            kill_one_in: never,
            bounds: UNBOUNDED,
            skew: 0,
        }
    }

    pub(super) fn of_seed(chance: &mut fastrand::Rng) -> Self {
        Self {
            members: chance.usize(2..=6),
            lose_one_in: *pick(chance, &[5, 20, 100, u64::MAX]),
            repeat_one_in: *pick(chance, &[10, 50, u64::MAX]),
            longest_delay: Duration::from_millis(*pick(chance, &[1, 50, 800])),
            bytes_a_second: *pick(chance, &[30_000, 1_000_000, u64::MAX]),
            cut_one_in: *pick(chance, &[10, 30, u64::MAX]),
            kill_one_in: *pick(chance, &[4, 60, 200, u64::MAX]),
            bounds: Bounds {
                texts: *pick(chance, &[usize::MAX, usize::MAX, 20, 100]),
                bytes: *pick(chance, &[usize::MAX, usize::MAX, 3_000, 15_000]),
                authors: *pick(chance, &[usize::MAX, usize::MAX, 3, 8]),
            },
            skew: *pick(chance, &[0, 500, 50_000, 86_400_000]),
        }
    }
}

fn pick<'a, T>(chance: &mut fastrand::Rng, from: &'a [T]) -> &'a T {
    &from[chance.usize(0..from.len())]
}
