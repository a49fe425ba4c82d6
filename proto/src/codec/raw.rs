//! `raw`: the bytes say nothing, so a frame is a burst.
//!
//! Silence ends a burst, and silence is the caller's to notice. Here a burst is only kept from growing for ever: it
//! is cut at exactly the largest frame's size.

use super::Scan;

#[derive(Clone, Debug)]
pub(super) struct Raw {
    // Invariant: at least 1, so that every cut is progress.
    max_frame: u32,
}

impl Raw {
    pub(super) fn new(max_frame: u32) -> Self {
        Self { max_frame: max_frame.max(1) }
    }
}

impl Scan for Raw {
    fn scan(&mut self, in_progress: u64, bytes: &[u8], ends: &mut Vec<u32>) {
        debug_assert!(in_progress < u64::from(self.max_frame));
        let first = self.max_frame as usize - in_progress as usize;
        ends.extend((first..=bytes.len()).step_by(self.max_frame as usize).map(|end| end as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, Framer, tests::frames};

    #[test]
    fn a_burst_has_no_end_of_its_own() {
        assert!(frames(&Codec::Raw, 100, &[b"one\n", b"two\r\n", b"\0"]).is_empty());
    }

    #[test]
    fn a_burst_is_cut_at_exactly_the_largest_frame() {
        assert_eq!(frames(&Codec::Raw, 4, &[b"abcd"]), [b"abcd"]);
        assert_eq!(frames(&Codec::Raw, 4, &[b"abc", b"defgh", b"i"]), [b"abcd", b"efgh"]);
    }

    #[test]
    fn after_silence_a_burst_has_its_full_size_again() {
        let mut framer = Framer::new(&Codec::Raw, 4);
        let mut ends = Vec::new();
        framer.scan(b"abc", &mut ends);
        framer.finish();
        framer.scan(b"defgh", &mut ends);
        assert_eq!((ends.as_slice(), framer.in_progress()), ([4].as_slice(), 1));
    }

    #[test]
    fn a_largest_frame_of_zero_still_makes_progress() {
        assert_eq!(frames(&Codec::Raw, 0, &[b"ab"]), [b"a", b"b"]);
    }

    #[test]
    fn the_largest_frame_of_all_is_no_special_case() {
        assert!(frames(&Codec::Raw, u32::MAX, &[b"ab", b"c"]).is_empty());
    }
}
