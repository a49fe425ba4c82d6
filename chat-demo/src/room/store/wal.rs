//! Damage in a write-ahead log, of which SQLite says nothing: it takes one that is damaged for one that ends there, and what
//! was committed behind would be gone without a word.
//!
//! ```text
//! head     magic │ version │ page size │ sequence │ two salts │ two sums
//! frame    page  │ length of the file, or 0 │ two salts │ two sums │ the page …
//! ```
//!
//! Words have 32 bits, big endian. Sums go on from those of the frame before; salts are the head's, or the frame is left over
//! from before the log began anew; a frame with a length ends a commit (<https://sqlite.org/fileformat2.html#walformat>).
//!
//! The last commit may be torn: a crash does that, and nobody was told that it is kept. Where a frame that is not as it was
//! written is followed by the ends of two commits, or ends one and is followed by another, it was on the disk whole.

use std::{fs, io, path::Path};

use super::Error;

const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
/// The last bit says that sums are of big endian words.
const MAGIC: u32 = 0x377f_0682;
/// Ends of commits from a frame on that is not whole: no crash leaves so many.
const TOO_MANY: usize = 2;

type Sums = (u32, u32);

/// Tells of damage in this log, if there is one.
pub(super) fn check(file: &Path) -> Result<(), Error> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::Disk(error)),
    };
    fault(&bytes).map_or(Ok(()), |what| Err(Error::Damaged { file: file.to_owned(), what: what.to_owned() }))
}

fn fault(bytes: &[u8]) -> Option<&'static str> {
    let (head, frames) = bytes.split_at_checked(HEAD)?;
    // What is not written yet.
    if head.iter().all(|byte| *byte == 0) {
        return None;
    }
    let is_big = word(head, 0) & 1 == 1;
    let sums = (word(head, 24), word(head, 28));
    if word(head, 0) & !1 != MAGIC || add((0, 0), &head[..24], is_big) != sums {
        return Some("its head has other bytes than were written");
    }
    let salts = &head[16..24];
    let mut before = sums;
    let mut is_broken = false;
    let mut commits = 0;
    for frame in frames.chunks_exact(FRAME_HEAD + word(head, 8) as usize) {
        let sums = (word(frame, 16), word(frame, 20));
        let is_whole = frame[8..16] == *salts
            && add(add(before, &frame[..8], is_big), &frame[FRAME_HEAD..], is_big) == sums;
        before = sums;
        is_broken |= !is_whole;
        // Either salt: the other may be what is damaged.
        let is_of_log = frame[8..12] == salts[..4] || frame[12..16] == salts[4..];
        commits += usize::from(is_broken && is_of_log && word(frame, 4) > 0);
    }
    (commits >= TOO_MANY).then_some("a batch before the last has other bytes than were written")
}

fn add(mut sums: Sums, bytes: &[u8], is_big: bool) -> Sums {
    let order = |word: u32| if is_big { word } else { word.swap_bytes() };
    for pair in bytes.chunks_exact(8) {
        sums.0 = sums.0.wrapping_add(order(word(pair, 0))).wrapping_add(sums.1);
        sums.1 = sums.1.wrapping_add(order(word(pair, 4))).wrapping_add(sums.0);
    }
    sums
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
