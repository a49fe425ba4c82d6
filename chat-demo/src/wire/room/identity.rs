//! Who somebody is, which log numbers count, and what tells two texts of one number apart.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Text;

/// What proves a member to be itself: the bytes of its key file. Never shown, never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// Who somebody is, whatever the name: a digest of the key, which all may know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// Which log a room's numbers count: made with the log, and new when the log is lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogId(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// What tells a text from another one that was given the same number by another client with the same key: the first 8 octets
/// of a SHA-256.
pub fn print(number: u64, text: &Text) -> u64 {
    let digest = Sha256::new().chain_update(number.to_be_bytes()).chain_update(text.as_str()).finalize();
    let mut print = [0; 8];
    print.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(print)
}

impl Key {
    /// Who has it: the first half of its SHA-256.
    pub fn member(&self) -> MemberId {
        let digest = Sha256::digest(self.0);
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        MemberId(id)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
