//! Batch numbers of one epoch: what is next, what was lost, what the other side has.
//!
//! It judges a batch by its header alone. What a gap costs (a new greeting) is decided by the two ends; nothing is kept
//! here to be sent again, because credit does that for each session.

use crate::{id::Epoch, wire::Header};

/// What a batch's header says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one.
    Next,
    /// It belongs to another epoch.
    Foreign,
    /// It was received before.
    Repeat,
    /// One before it is missing.
    Gap,
}

/// Numbers of one epoch, in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbering {
    epoch: Epoch,
    sent: u64,
    received: u64,
    // Invariant: acknowledged <= sent.
    acknowledged: u64,
}

impl Numbering {
    /// Nothing sent, nothing received in `epoch`.
    pub const fn new(epoch: Epoch) -> Self {
        Self { epoch, sent: 0, received: 0, acknowledged: 0 }
    }

    /// The epoch.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The number of the newest batch sent.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// The number of the newest batch the other side says it has.
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Judges a batch by its header; one that is next is counted as received.
    pub fn judge(&mut self, header: Header) -> Verdict {
        if header.epoch != self.epoch || header.received > self.sent {
            return Verdict::Foreign;
        }
        match header.number {
            number if number <= self.received => Verdict::Repeat,
            number if number == self.received + 1 => {
                self.received = number;
                self.acknowledged = self.acknowledged.max(header.received);
                Verdict::Next
            }
            _ => Verdict::Gap,
        }
    }

    /// The header of the next batch to be sent.
    pub fn advance(&mut self) -> Header {
        self.sent += 1;
        Header { epoch: self.epoch, number: self.sent, received: self.received }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(epoch: u64, number: u64, received: u64) -> Header {
        Header { epoch: Epoch(epoch), number, received }
    }

    #[test]
    fn each_kind_of_number_has_its_verdict() {
        let mut numbering = Numbering::new(Epoch(3));
        numbering.advance();
        assert_eq!(numbering.judge(header(2, 1, 0)), Verdict::Foreign);
        assert_eq!(numbering.judge(header(3, 2, 0)), Verdict::Gap);
        assert_eq!(numbering.judge(header(3, 1, 1)), Verdict::Next);
        assert_eq!(numbering.judge(header(3, 1, 1)), Verdict::Repeat);
        assert_eq!(numbering.judge(header(3, 2, 2)), Verdict::Foreign, "acknowledges what was never sent");
        assert_eq!(numbering.acknowledged(), 1);
    }
}
