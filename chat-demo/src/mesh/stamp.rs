//! A hybrid logical clock: stamps that are later than all that was said or heard before, and near the time on the wall.
//!
//! The algorithm is that of Kulkarni, Demirbas and others ("Logical Physical Clocks", 2014). A stamp from a clock that is
//! far ahead is not followed: one member whose clock is wrong by a year would else move everybody's stamps there, and as
//! stamps never go back, all that is said in that year would be told apart by the counter alone. It orders all the same,
//! so all still agree.

use crate::wire::mesh::Stamp;

/// A stamp further ahead of the time on the wall is not followed, in milliseconds.
const FURTHEST_AHEAD: u64 = 60_000;

/// Gives the stamps of one author.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HybridClock {
    last: Stamp,
}

impl HybridClock {
    /// A stamp after all before it; `wall` is the time in milliseconds since 1970.
    pub(crate) fn stamp(&mut self, wall: u64) -> Stamp {
        self.last = if wall > self.last.at { Stamp { at: wall, counter: 0 } } else { after(self.last) };
        self.last
    }

    /// Somebody has said something then: what is said next is said after it.
    pub(crate) fn observe(&mut self, stamp: Stamp, wall: u64) {
        if !is_far_ahead(stamp, wall) {
            self.last = self.last.max(stamp);
        }
    }
}

/// Whether it is from a clock that is wrong, if that on the wall is right.
pub(crate) fn is_far_ahead(stamp: Stamp, wall: u64) -> bool {
    stamp.at > wall.saturating_add(FURTHEST_AHEAD)
}

fn after(Stamp { at, counter }: Stamp) -> Stamp {
    match counter.checked_add(1) {
        Some(counter) => Stamp { at, counter },
        None => Stamp { at: at.saturating_add(1), counter: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stamp_is_the_time_on_the_wall_while_that_moves_on() {
        let mut clock = HybridClock::default();

        assert_eq!(clock.stamp(5), Stamp { at: 5, counter: 0 });
        assert_eq!(clock.stamp(5), Stamp { at: 5, counter: 1 });
        assert_eq!(clock.stamp(3), Stamp { at: 5, counter: 2 });
        assert_eq!(clock.stamp(6), Stamp { at: 6, counter: 0 });
    }

    #[test]
    fn an_answer_is_later_than_what_it_answers_unless_that_is_from_a_wrong_clock() {
        let mut clock = HybridClock::default();
        let ahead = Stamp { at: 1_000 + FURTHEST_AHEAD, counter: 9 };

        clock.observe(ahead, 1_000);
        assert!(clock.stamp(1_000) > ahead);

        let far = Stamp { at: 2_000_000, counter: 0 };
        clock.observe(far, 1_000);
        assert!(clock.stamp(1_000) < far);
    }

    #[test]
    fn the_last_counter_is_followed_by_the_next_millisecond() {
        let mut clock = HybridClock::default();
        clock.observe(Stamp { at: 7, counter: u32::MAX }, 7);

        assert_eq!(clock.stamp(7), Stamp { at: 8, counter: 0 });
    }

    proptest! {
        #[test]
        fn stamps_only_rise(turns in proptest::collection::vec((0..200_000u64, 0..200_000u64, any::<u32>()), 1..50)) {
            let mut clock = HybridClock::default();
            let mut last = Stamp::default();
            for (wall, at, counter) in turns {
                clock.observe(Stamp { at, counter }, wall);
                let stamp = clock.stamp(wall + 1);
                prop_assert!(stamp > last);
                last = stamp;
            }
        }
    }
}
