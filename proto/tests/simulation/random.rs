//! A seeded generator (splitmix64). Every actor of a run has one of its own, so that what one does never shifts the
//! draws of another.

use std::ops::RangeInclusive;

#[derive(Clone, Debug)]
pub(crate) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// The generator of one actor; the same whatever was drawn from this one.
    pub(crate) fn fork(&self, label: &str, index: usize) -> Self {
        let hash =
            label.bytes().fold(self.seed ^ 0x5851_f42d_4c95_7f2d, |hash, byte| mix(hash ^ u64::from(byte)));
        Self::new(mix(hash ^ index as u64))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = u128::from(range.end() - range.start()) + 1;
        range.start() + ((u128::from(self.next()) * width) >> 64) as u64
    }

    pub(crate) fn size(&mut self, range: RangeInclusive<usize>) -> usize {
        self.within(*range.start() as u64..=*range.end() as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.within(0..=99) < percent
    }

    /// One of them, as often as its weight says.
    pub(crate) fn weighted<T: Clone>(&mut self, choices: &[(u64, T)]) -> T {
        let mut left = self.within(0..=choices.iter().map(|(weight, _)| weight).sum::<u64>() - 1);
        for (weight, choice) in choices {
            if left < *weight {
                return choice.clone();
            }
            left -= weight;
        }
        unreachable!("the weights were added up")
    }

    /// Letters, so that nothing in them looks like a frame's end.
    pub(crate) fn letters(&mut self, len: usize) -> Vec<u8> {
        let mut letters = Vec::with_capacity(len + 8);
        while letters.len() < len {
            letters.extend(self.next().to_le_bytes().map(|byte| b'a' + byte % 26));
        }
        letters.truncate(len);
        letters
    }
}

pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
