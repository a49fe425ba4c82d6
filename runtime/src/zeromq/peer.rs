//! The name by which a [`Router`](super::Router) knows a peer.
//!
//! Workers of ours have ids of nine octets (docs/protocol.md, section 2); whoever has another kind is none of ours.

use std::fmt;

/// A routing id: short, inline and cheap to copy. Prints as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId {
    len: u8,
    // Invariant: zero from `len` on, so the derived comparisons are right.
    bytes: [u8; PeerId::MAX_LEN],
}

impl PeerId {
    /// The first byte of the ids of our DEALERs; the eight of a number follow.
    const OURS: u8 = 1;

    /// The longest, in bytes. ZeroMQ allows 255; peers of ours use 9.
    pub const MAX_LEN: usize = 31;

    /// The id of these bytes, if there are neither none nor too many.
    pub fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        (!id.is_empty()).then_some(Self { len: id.len() as u8, bytes })
    }

    /// The id of a DEALER of ours that has this number.
    pub fn ours(number: u64) -> Self {
        let mut bytes = [0; Self::MAX_LEN];
        bytes[0] = Self::OURS;
        bytes[1..9].copy_from_slice(&number.to_be_bytes());
        Self { len: 9, bytes }
    }

    /// The number of a DEALER of ours; `None` for a peer that is none.
    pub fn number(&self) -> Option<u64> {
        let (&first, rest) = self.as_bytes().split_first()?;
        let number = rest.try_into().ok()?;
        (first == Self::OURS).then(|| u64::from_be_bytes(number))
    }

    /// As it goes over the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_bytes() {
        let id = PeerId::new(&[0xab, 0, 1]).unwrap();
        assert_eq!(id.as_bytes(), [0xab, 0, 1]);
        assert_eq!(id.to_string(), "ab0001");
        assert_ne!(Some(id), PeerId::new(&[0xab, 0, 1, 0]));
    }

    #[test]
    fn only_ids_of_ours_have_a_number() {
        assert_eq!(PeerId::ours(0x0203).as_bytes(), [1, 0, 0, 0, 0, 0, 0, 2, 3]);
        assert_eq!(PeerId::ours(u64::MAX).number(), Some(u64::MAX));
        assert_eq!(PeerId::new(&[2; 9]).unwrap().number(), None, "another kind");
        assert_eq!(PeerId::new(&[1; 8]).unwrap().number(), None, "too short");
        assert_eq!(PeerId::new(&[1; 10]).unwrap().number(), None, "too long");
    }

    #[test]
    fn an_id_is_neither_empty_nor_longer_than_the_most() {
        assert_eq!(PeerId::new(&[]), None);
        assert!(PeerId::new(&[1; PeerId::MAX_LEN]).is_some());
        assert_eq!(PeerId::new(&[1; PeerId::MAX_LEN + 1]), None);
    }
}
