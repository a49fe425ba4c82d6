//! What was sent, and what arrived: two tallies are equal when nothing was lost, repeated or put in another's place.

use serde::{Deserialize, Serialize};

use crate::message;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) datagrams: u64,
    bytes: u64,
    /// Of every datagram's source and number, so that one twice and another not at all is seen.
    sum: u64,
    /// Datagrams that were none of the bench's.
    strange: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, datagram: &[u8]) {
        match message::identity(datagram) {
            Some((source, number)) => self.count_one(source, number, datagram.len()),
            None => self.strange += 1,
        }
    }

    pub(crate) fn count_one(&mut self, source: u32, number: u32, size: usize) {
        self.datagrams += 1;
        self.bytes += size as u64;
        self.sum = self.sum.wrapping_add(mix(source, number));
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            datagrams: self.datagrams - earlier.datagrams,
            bytes: self.bytes - earlier.bytes,
            sum: self.sum.wrapping_sub(earlier.sum),
            strange: self.strange - earlier.strange,
        }
    }

    /// What is wrong about what arrived, where nothing is said to be missing.
    pub(crate) fn disagreement(self, sent: Self) -> Option<String> {
        let said = match self {
            Self { strange: 1.., .. } => format!("{} datagrams arrived that nobody sent", self.strange),
            _ if self.datagrams > sent.datagrams => {
                format!("{} datagrams arrived twice", self.datagrams - sent.datagrams)
            }
            _ if self.datagrams == sent.datagrams && self != sent => {
                "as many datagrams arrived as were sent, but not the same".to_owned()
            }
            _ => return None,
        };
        Some(said)
    }
}

/// Sums of these collide by chance only.
fn mix(source: u32, number: u32) -> u64 {
    let key = (u64::from(source) << 32 | u64::from(number)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(datagrams: &[(u32, u32)]) -> Tally {
        let mut tally = Tally::default();
        for (source, number) in datagrams {
            let mut line = Vec::new();
            message::write(&mut line, *source, *number, 100);
            tally.count(&line);
        }
        tally
    }

    #[test]
    fn the_same_datagrams_in_another_order_are_the_same() {
        assert_eq!(tally(&[(0, 1), (1, 0)]).disagreement(tally(&[(1, 0), (0, 1)])), None);
        assert_eq!(tally(&[(0, 0)]).disagreement(tally(&[(0, 0), (0, 1)])), None, "a loss is said elsewhere");
    }

    #[test]
    fn one_twice_and_another_not_at_all_is_seen() {
        let sent = tally(&[(0, 0), (0, 1), (0, 2)]);
        assert!(tally(&[(0, 0), (0, 0), (0, 2)]).disagreement(sent).is_some());
        assert!(tally(&[(0, 0), (0, 1), (0, 2), (0, 2)]).disagreement(sent).is_some());
    }

    #[test]
    fn what_nobody_sent_is_seen() {
        let mut received = tally(&[(0, 0)]);
        received.count(b"who is it?");
        assert_eq!(
            received.disagreement(tally(&[(0, 0)])),
            Some("1 datagrams arrived that nobody sent".to_owned())
        );
    }

    #[test]
    fn what_was_before_does_not_count() {
        let before = tally(&[(0, 0)]);
        assert_eq!(tally(&[(0, 0), (3, 4)]).since(before), tally(&[(3, 4)]));
    }
}
