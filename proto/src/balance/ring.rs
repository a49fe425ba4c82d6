//! Smooth weighted round robin, as nginx turns it.
//!
//! Each turn every server that takes part gains its weight, and the one with the most gets the request and pays what all
//! gained. Weights 5, 1, 1 make `a a b a c a a`: each has its share of any whole cycle, and the heavy one's is spread over
//! it. Who does not take part neither gains nor pays, and goes on from where it was.

/// The servers' weights, and how far each is from its next turn.
#[derive(Debug)]
pub(super) struct Ring {
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    weight: i64,
    // Invariant: these of all places add up to zero.
    gained: i64,
}

impl Ring {
    /// A weight of zero counts as one: a server that may get nothing is not listed.
    pub(super) fn new(weights: &[u16]) -> Self {
        let places = weights.iter().map(|&weight| Place { weight: weight.max(1).into(), gained: 0 });
        Self { places: places.collect() }
    }

    /// The one whose turn it is, of those that take part; of two with the same gains the first.
    pub(super) fn turn(&mut self, takes_part: impl Fn(usize) -> bool) -> Option<usize> {
        let mut paid = 0;
        let mut best: Option<(usize, i64)> = None;
        for (at, place) in self.places.iter_mut().enumerate().filter(|&(at, _)| takes_part(at)) {
            place.gained += place.weight;
            paid += place.weight;
            if best.is_none_or(|(_, most)| place.gained > most) {
                best = Some((at, place.gained));
            }
        }
        let (chosen, _) = best?;
        self.places[chosen].gained -= paid;
        debug_assert_eq!(self.places.iter().map(|place| place.gained).sum::<i64>(), 0);
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn turns(weights: &[u16], count: usize) -> String {
        let mut ring = Ring::new(weights);
        (0..count).map(|_| char::from(b'a' + ring.turn(|_| true).unwrap() as u8)).collect()
    }

    #[test]
    fn the_cycles_are_those_of_nginx() {
        let rows: [(&[u16], &str); 6] = [
            (&[1], "aaa"),
            (&[1, 1, 1], "abcabc"),
            (&[5, 1, 1], "aabacaa"),
            (&[1, 2], "babbab"),
            (&[3, 3], "ababab"),
            (&[0, 1], "abab"),
        ];
        for (weights, expected) in rows {
            assert_eq!(turns(weights, expected.len()), expected, "{weights:?}");
        }
    }

    #[test]
    fn who_does_not_take_part_is_passed_over_and_owed_nothing() {
        let mut ring = Ring::new(&[1, 1, 1]);
        let without_b: Vec<_> = (0..4).map(|_| ring.turn(|at| at != 1).unwrap()).collect();
        assert_eq!(without_b, [0, 2, 0, 2]);
        let with_b: Vec<_> = (0..3).map(|_| ring.turn(|_| true).unwrap()).collect();
        assert_eq!(with_b, [0, 1, 2], "no burst for who was away");
        assert_eq!(ring.turn(|_| false), None);
    }

    proptest! {
        #[test]
        fn every_cycle_holds_the_weights_exactly(weights in prop::collection::vec(1..20_u16, 1..8)) {
            let mut ring = Ring::new(&weights);
            let cycle: u16 = weights.iter().sum();
            for _ in 0..3 {
                let mut counts = vec![0; weights.len()];
                (0..cycle).for_each(|_| counts[ring.turn(|_| true).unwrap()] += 1);
                prop_assert_eq!(&counts, &weights);
            }
        }

        #[test]
        fn nobody_who_always_takes_part_starves_whoever_comes_and_goes(
            weights in prop::collection::vec(1..20_u16, 2..6),
            others in prop::collection::vec(any::<u8>(), 300),
        ) {
            let mut ring = Ring::new(&weights);
            let all: usize = weights.iter().map(|&weight| usize::from(weight)).sum();
            let mut waited = 0;
            for mask in others {
                waited += 1;
                if ring.turn(|at| at == 0 || mask >> at & 1 == 1) == Some(0) {
                    waited = 0;
                }
                prop_assert!(waited <= 2 * all, "{waited} turns without the first");
            }
        }
    }
}
