//! `delimiter`: a frame ends just past a fixed sequence of bytes, found as a leftmost, non-overlapping search of the
//! whole stream would find it.
//!
//! A read may end inside a delimiter, and a delimiter may overlap itself (`aab` in `aaab`), so between scans the
//! framer keeps how much of it is matched, and Knuth-Morris-Pratt says how much of that survives a mismatch. Where
//! nothing is matched, `memchr` jumps to the next byte that could start one. No byte is read twice or kept.

use super::Scan;

/// The longest delimiter, in bytes.
pub const MAX_DELIMITER: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Delimiter {
    needle: [u8; MAX_DELIMITER],
    /// For each prefix of the needle, by its last byte: the length of its longest proper suffix that is a prefix too.
    ///
    /// ```text
    /// needle    a  a  b  a  a  c
    /// fallback  0  1  0  1  2  0
    /// ```
    fallback: [u8; MAX_DELIMITER],
    /// Zero: nothing ends a frame.
    len: u8,
    // Invariant: less than `len`, or both are zero.
    matched: u8,
}

impl Delimiter {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut delimiter =
            Self { needle: [0; MAX_DELIMITER], fallback: [0; MAX_DELIMITER], len: 0, matched: 0 };
        if bytes.len() <= MAX_DELIMITER {
            delimiter.needle[..bytes.len()].copy_from_slice(bytes);
            delimiter.len = bytes.len() as u8;
            delimiter.fill_fallback();
        }
        delimiter
    }

    fn fill_fallback(&mut self) {
        let mut border = 0;
        for at in 1..usize::from(self.len) {
            border = self.advance(border, self.needle[at]);
            self.fallback[at] = border;
        }
    }

    /// How much of the needle is matched after `byte`, when `matched` bytes were before it.
    fn advance(&self, mut matched: u8, byte: u8) -> u8 {
        while matched > 0 && self.needle[usize::from(matched)] != byte {
            matched = self.fallback[usize::from(matched) - 1];
        }
        matched + u8::from(self.needle[usize::from(matched)] == byte)
    }
}

impl Scan for Delimiter {
    fn scan(&mut self, _in_progress: u64, bytes: &[u8], ends: &mut Vec<u32>) {
        if self.len == 0 {
            return;
        }
        let mut at = 0;
        while at < bytes.len() {
            if self.matched == 0 {
                let Some(skipped) = memchr::memchr(self.needle[0], &bytes[at..]) else { return };
                at += skipped;
            }
            self.matched = self.advance(self.matched, bytes[at]);
            at += 1;
            if self.matched == self.len {
                ends.push(at as u32);
                self.matched = 0;
            }
        }
    }

    fn reset(&mut self) {
        self.matched = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, Framer, tests::frames};
    use super::*;

    fn delimiter(bytes: &[u8]) -> Codec {
        Codec::Delimiter(bytes.into())
    }

    #[test]
    fn a_delimiter_ends_its_frame_and_belongs_to_it() {
        assert_eq!(frames(&delimiter(b"#"), 100, &[b"a#bc##d"]), [b"a#".as_slice(), b"bc#", b"#"]);
    }

    #[test]
    fn a_delimiter_is_found_across_reads() {
        assert_eq!(
            frames(&delimiter(b"\r\n"), 100, &[b"a\r", b"\nb\r\r", b"\n"]),
            [b"a\r\n".as_slice(), b"b\r\r\n"]
        );
    }

    #[test]
    fn a_delimiter_that_overlaps_itself_is_found_after_a_false_start() {
        assert_eq!(frames(&delimiter(b"aab"), 100, &[b"aaab"]), [b"aaab"]);
        assert_eq!(frames(&delimiter(b"aab"), 100, &[b"a", b"a", b"a", b"b"]), [b"aaab"]);
        assert_eq!(frames(&delimiter(b"abcabd"), 100, &[b"abcabcabd"]), [b"abcabcabd"]);
    }

    #[test]
    fn delimiters_do_not_share_bytes() {
        assert_eq!(frames(&delimiter(b"aa"), 100, &[b"aaa"]), [b"aa"]);
        assert_eq!(frames(&delimiter(b"aba"), 100, &[b"ababa"]), [b"aba"]);
    }

    #[test]
    fn half_a_delimiter_before_a_finish_does_not_count_after_it() {
        let mut framer = Framer::new(&delimiter(b"\r\n"), 100);
        let mut ends = Vec::new();
        framer.scan(b"a\r", &mut ends);
        framer.finish();
        framer.scan(b"\nb", &mut ends);
        assert_eq!((ends.len(), framer.in_progress()), (0, 2));
    }

    #[test]
    fn the_longest_delimiter_is_found() {
        let longest = [b'x'; MAX_DELIMITER];
        assert_eq!(frames(&delimiter(&longest), 100, &[&[b'x'; MAX_DELIMITER + 3]]), [longest]);
    }

    #[test]
    fn a_delimiter_of_a_length_the_settings_refuse_ends_nothing() {
        assert!(frames(&delimiter(b""), 100, &[b"\0\0ab"]).is_empty());
        assert!(frames(&delimiter(&[0; MAX_DELIMITER + 1]), 100, &[&[0; 64]]).is_empty());
    }

    #[test]
    fn the_fallback_of_each_prefix_is_its_longest_border() {
        assert_eq!(Delimiter::new(b"aabaac").fallback[..6], [0, 1, 0, 1, 2, 0]);
    }
}
