//! `lines`: a frame ends just past `\n`, whatever comes before it (a `\r` is the line's own).
//!
//! Keeps nothing between scans: one byte cannot be cut in two.

use super::Scan;

#[derive(Clone, Debug)]
pub(super) struct Lines;

impl Scan for Lines {
    fn scan(&mut self, _in_progress: u64, bytes: &[u8], ends: &mut Vec<u32>) {
        ends.extend(memchr::memchr_iter(b'\n', bytes).map(|at| at as u32 + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, tests::frames};

    #[test]
    fn each_line_feed_ends_a_line_and_belongs_to_it() {
        assert_eq!(
            frames(&Codec::Lines, 100, &[b"one\r\ntw", b"o\n\nrest"]),
            [b"one\r\n".as_slice(), b"two\n", b"\n"]
        );
    }

    #[test]
    fn a_line_longer_than_the_largest_frame_is_still_one_line() {
        assert_eq!(frames(&Codec::Lines, 2, &[b"long", b" line\n"]), [b"long line\n"]);
    }
}
