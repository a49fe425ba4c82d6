//! The beginnings of the last source frames, so that a divergence can show what was asked; and their keys, where the codec
//! has such a thing, so that a reply finds what it answers.

use std::collections::VecDeque;

use super::debts::Request;

/// Source frames that are remembered.
const REMEMBERED: usize = 32;
/// Bytes of each.
const BEGINNING: usize = 256;

#[derive(Debug, Default)]
struct Remembered {
    key: Option<u64>,
    beginning: Vec<u8>,
}

/// The last source frames of a session.
#[derive(Debug, Default)]
pub struct Requests {
    // Invariant: at most REMEMBERED; the newest is last, and the one before `next`.
    last: VecDeque<Remembered>,
    next: Request,
}

impl Requests {
    /// The source has said the next frame. Returns its number.
    pub fn note(&mut self, frame: &[u8], key: Option<u64>) -> Request {
        let mut kept = if self.last.len() == REMEMBERED {
            self.last.pop_front().unwrap_or_default()
        } else {
            Remembered::default()
        };
        kept.key = key;
        kept.beginning.clear();
        kept.beginning.extend_from_slice(&frame[..frame.len().min(BEGINNING)]);
        self.last.push_back(kept);
        self.next += 1;
        self.next - 1
    }

    /// How this one began; nothing if it is too long ago.
    pub fn beginning(&self, request: Request) -> &[u8] {
        let from_newest =
            self.next.checked_sub(request).and_then(|ago| self.last.len().checked_sub(ago as usize));
        from_newest.and_then(|index| self.last.get(index)).map_or(&[], |kept| kept.beginning.as_slice())
    }

    /// The newest of this key, if it is not too long ago.
    pub fn newest(&self, key: u64) -> Option<Request> {
        let ago = self.last.iter().rev().position(|kept| kept.key == Some(key))?;
        Some(self.next - 1 - ago as Request)
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
            requests.note(&[number; 300], None);
        }
        assert_eq!(requests.beginning(39), [39; 256]);
        assert_eq!(requests.beginning(8), [8; 256]);
        assert_eq!(requests.beginning(7), b"");
        assert_eq!(requests.beginning(40), b"");
    }

    #[test]
    fn of_equal_keys_the_newest_is_found_while_it_is_remembered() {
        let mut requests = Requests::default();
        for key in [Some(7), None, Some(7), Some(8)] {
            requests.note(b"", key);
        }
        assert_eq!([7, 8, 9].map(|key| requests.newest(key)), [Some(2), Some(3), None]);
        for _ in 0..REMEMBERED {
            requests.note(b"", None);
        }
        assert_eq!(requests.newest(8), None);
    }
}
