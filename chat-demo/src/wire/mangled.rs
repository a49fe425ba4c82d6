//! Frames that were valid and are damaged: octets flipped, cut out, put in, or taken from another frame.
//!
//! Octets drawn at random hardly ever get past the first that a reader looks at; these mostly do.

use std::cell::Cell;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index, usize),
    Insert(Index, Vec<u8>),
    /// What follows there is taken from another frame, from here on.
    Splice(Index, Vec<u8>, Index),
}

impl Damage {
    fn any(frames: Vec<Vec<u8>>) -> impl Strategy<Value = Self> {
        let at = any::<Index>;
        prop_oneof![
            4 => (at(), 0..8).prop_map(|(at, bit)| Self::Flip(at, 1_u8 << bit)),
            2 => (at(), 1..8_usize).prop_map(|(at, length)| Self::Cut(at, length)),
            2 => (at(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            1 => (at(), select(frames), at()).prop_map(|(at, other, from)| Self::Splice(at, other, from)),
        ]
    }

    fn befall(self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            Self::Flip(at, bits) if length > 0 => bytes[at.index(length)] ^= bits,
            Self::Flip(..) => {}
            Self::Cut(at, count) => {
                let at = at.index(length + 1);
                bytes.drain(at..length.min(at + count));
            }
            Self::Insert(at, further) => {
                let at = at.index(length + 1);
                bytes.splice(at..at, further);
            }
            Self::Splice(at, other, from) => {
                bytes.truncate(at.index(length + 1));
                bytes.extend_from_slice(&other[from.index(other.len())..]);
            }
        }
    }
}

fn damaged(frames: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damages = vec(Damage::any(frames.clone()), 1..3);
    (select(frames), damages).prop_map(|(mut bytes, damages)| {
        for damage in damages {
            damage.befall(&mut bytes);
        }
        bytes
    })
}

/// Looks at many of them, and at any octets: they are read or refused, and `read` itself says what else must hold. Both
/// happen, or this looks at nothing.
#[track_caller]
pub(super) fn assert_read_or_refused(frames: Vec<Vec<u8>>, read: impl Fn(&[u8]) -> bool) {
    let (some_read, some_refused) = (Cell::new(0), Cell::new(0));
    let bytes = prop_oneof![9 => damaged(frames), 1 => vec(any::<u8>(), 0..200)];
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let looked = TestRunner::new(config).run(&bytes, |bytes| {
        let count = if read(&bytes) { &some_read } else { &some_refused };
        count.set(count.get() + 1);
        Ok(())
    });
    looked.unwrap_or_else(|error| panic!("{error}"));
    assert!(some_read.get() > 40 && some_refused.get() > 40, "of 2000, {} were read", some_read.get());
}
