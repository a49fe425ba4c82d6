//! The name by which a [`Router`](super::Router) knows a peer.

use std::fmt;

/// A routing id: short, inline and cheap to copy. Prints as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId {
    len: u8,
    // Invariant: zero from `len` on, so the derived comparisons are right.
    bytes: [u8; PeerId::MAX_LEN],
}

impl PeerId {
    /// The longest, in bytes. ZeroMQ allows 255; peers of ours use 9.
    pub const MAX_LEN: usize = 31;

    /// The id of these bytes, if there are neither none nor too many.
    pub fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        (!id.is_empty()).then_some(Self { len: id.len() as u8, bytes })
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
    fn an_id_is_neither_empty_nor_longer_than_the_most() {
        assert_eq!(PeerId::new(&[]), None);
        assert!(PeerId::new(&[1; PeerId::MAX_LEN]).is_some());
        assert_eq!(PeerId::new(&[1; PeerId::MAX_LEN + 1]), None);
    }
}
