//! The beginnings of the last source frames, so that a divergence can show what was asked.

use std::collections::VecDeque;

use super::debts::Request;

/// Source frames that are remembered.
const REMEMBERED: usize = 32;
/// Bytes of each.
const BEGINNING: usize = 256;

/// The last source frames of a session.
#[derive(Debug, Default)]
pub struct Requests {
    // Invariant: at most REMEMBERED; the newest is last, and the one before `next`.
    last: VecDeque<Vec<u8>>,
    next: Request,
}

impl Requests {
    /// The source has said the next frame. Returns its number.
    pub fn note(&mut self, frame: &[u8]) -> Request {
        let mut kept = if self.last.len() == REMEMBERED {
            self.last.pop_front().unwrap_or_default()
        } else {
            Vec::new()
        };
        kept.clear();
        kept.extend_from_slice(&frame[..frame.len().min(BEGINNING)]);
        self.last.push_back(kept);
        self.next += 1;
        self.next - 1
    }

    /// How this one began; nothing if it is too long ago.
    pub fn beginning(&self, request: Request) -> &[u8] {
        let from_newest =
            self.next.checked_sub(request).and_then(|ago| self.last.len().checked_sub(ago as usize));
        from_newest.and_then(|index| self.last.get(index)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered_and_older_ones_are_nothing() {
        let mut requests = Requests::default();
        assert_eq!(requests.beginning(0), b"");
        for number in 0..40u8 {
            requests.note(&[number; 300]);
        }
        assert_eq!(requests.beginning(39), [39; 256]);
        assert_eq!(requests.beginning(8), [8; 256]);
        assert_eq!(requests.beginning(7), b"");
        assert_eq!(requests.beginning(40), b"");
    }
}
