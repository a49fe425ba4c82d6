//! `length-prefixed`: a header of fixed size holds a length, and the length says where the frame ends.
//!
//! ```text
//!  |<------------- header ------------>|
//!  | offset bytes | field: width bytes | payload ... | trailer |
//!                                      |<- Payload ----------->|
//!                 |<- Field ---------------------------------->|
//!  |<- Frame ------------------------------------------------->|
//!                                      |<--------->| BeforeTrailer
//! ```
//!
//! Any length is accepted. One smaller than what the header already holds makes the header alone the frame, so there
//! is always progress; one that would pass 2^64 ends past anything a connection can carry.

use super::Scan;

/// Where the length stands in a frame's header, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthPrefix {
    /// Bytes before the length field.
    pub offset: u8,
    /// Bytes of the length field.
    pub width: Width,
    /// Which byte of the field comes first.
    pub endianness: Endianness,
    /// What the length counts.
    pub counts: Counts,
}

impl LengthPrefix {
    fn header(self) -> u64 {
        u64::from(self.offset) + u64::from(self.width.bytes())
    }

    fn frame_len(self, length: u64) -> u64 {
        let len = match self.counts {
            Counts::Payload => self.header().saturating_add(length),
            Counts::Field => u64::from(self.offset).saturating_add(length),
            Counts::Frame => length,
            Counts::BeforeTrailer(trailer) => (self.header() + u64::from(trailer)).saturating_add(length),
        };
        len.max(self.header())
    }
}

/// How many bytes hold the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1 byte.
    One,
    /// 2 bytes.
    Two,
    /// 3 bytes.
    Three,
    /// 4 bytes.
    Four,
    /// 8 bytes.
    Eight,
}

impl Width {
    /// The width as a number.
    pub fn bytes(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// The order of the length's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endianness {
    /// The most significant byte first, as in network order.
    Big,
    /// The least significant byte first.
    Little,
}

/// What the length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// All after the field (Modbus TCP, most home-made protocols).
    Payload,
    /// The field and all after it, but not what stands before it (`PostgreSQL`).
    Field,
    /// The whole frame, header and all (SMPP, Diameter).
    Frame,
    /// What is after the field but for a trailer of so many bytes, such as a checksum or stop bytes (GT06: 2).
    BeforeTrailer(u8),
}

#[derive(Clone, Debug)]
pub(super) struct LengthPrefixed {
    prefix: LengthPrefix,
    /// What is read of the length so far.
    length: u64,
}

impl LengthPrefixed {
    pub(super) fn new(prefix: LengthPrefix) -> Self {
        Self { prefix, length: 0 }
    }

    /// Reads on, at most to the header's end or the frame's; returns how far.
    fn take(&mut self, in_progress: u64, bytes: &[u8]) -> usize {
        let header = self.prefix.header();
        let end = if in_progress < header { header } else { self.prefix.frame_len(self.length) };
        let taken = (end - in_progress).min(bytes.len() as u64) as usize;
        if in_progress < header {
            self.read_header(in_progress as usize, &bytes[..taken]);
        }
        taken
    }

    fn read_header(&mut self, in_progress: usize, bytes: &[u8]) {
        let offset = usize::from(self.prefix.offset);
        let skipped = offset.saturating_sub(in_progress);
        let first = in_progress.saturating_sub(offset);
        for (index, &byte) in (first..).zip(bytes.iter().skip(skipped)) {
            match self.prefix.endianness {
                Endianness::Big => self.length = self.length << 8 | u64::from(byte),
                Endianness::Little => self.length |= u64::from(byte) << (8 * index),
            }
        }
    }

    fn is_whole(&self, in_progress: u64) -> bool {
        in_progress >= self.prefix.header() && in_progress == self.prefix.frame_len(self.length)
    }
}

impl Scan for LengthPrefixed {
    fn scan(&mut self, mut in_progress: u64, bytes: &[u8], ends: &mut Vec<u32>) {
        let mut at = 0;
        while at < bytes.len() {
            let taken = self.take(in_progress, &bytes[at..]);
            at += taken;
            in_progress += taken as u64;
            if self.is_whole(in_progress) {
                ends.push(at as u32);
                self.reset();
                in_progress = 0;
            }
        }
    }

    fn reset(&mut self) {
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, Framer, tests::frames};
    use super::*;

    fn prefixed(offset: u8, width: Width, endianness: Endianness, counts: Counts) -> Codec {
        Codec::LengthPrefixed(LengthPrefix { offset, width, endianness, counts })
    }

    #[test]
    fn the_length_may_count_the_payload() {
        let codec = prefixed(4, Width::Two, Endianness::Big, Counts::Payload);
        assert_eq!(
            frames(&codec, 100, &[b"tidp\0\x03abctidp\0\0tid"]),
            [b"tidp\0\x03abc".as_slice(), b"tidp\0\0"]
        );
    }

    #[test]
    fn the_length_may_count_itself_but_not_what_stands_before_it() {
        let codec = prefixed(1, Width::Four, Endianness::Big, Counts::Field);
        assert_eq!(
            frames(&codec, 100, &[b"Q\0\0\0\x06hiX\0\0\0\x04"]),
            [b"Q\0\0\0\x06hi".as_slice(), b"X\0\0\0\x04"]
        );
    }

    #[test]
    fn the_length_may_count_the_whole_frame() {
        let codec = prefixed(1, Width::Three, Endianness::Big, Counts::Frame);
        assert_eq!(
            frames(&codec, 100, &[b"\x01\0\0\x06hi\x01\0\0\x04"]),
            [b"\x01\0\0\x06hi".as_slice(), b"\x01\0\0\x04"]
        );
    }

    #[test]
    fn the_length_may_leave_out_a_trailer() {
        let codec = prefixed(2, Width::One, Endianness::Big, Counts::BeforeTrailer(2));
        assert_eq!(
            frames(&codec, 100, &[b"xx\x03abc\r", b"\nxx\0\r\n"]),
            [b"xx\x03abc\r\n".as_slice(), b"xx\0\r\n"]
        );
    }

    #[test]
    fn every_width_is_read_in_both_orders() {
        for width in [Width::One, Width::Two, Width::Three, Width::Four, Width::Eight] {
            let mut big = vec![0; usize::from(width.bytes())];
            *big.last_mut().unwrap() = 2;
            let little: Vec<u8> = big.iter().rev().copied().collect();
            for (endianness, header) in [(Endianness::Big, big), (Endianness::Little, little)] {
                let frame = [header.as_slice(), b"hi"].concat();
                let pieces: Vec<&[u8]> = frame.chunks(1).collect();
                let codec = prefixed(0, width, endianness, Counts::Payload);
                assert_eq!(frames(&codec, 100, &pieces), [frame.as_slice()], "{codec:?}");
            }
        }
    }

    #[test]
    fn a_header_is_read_across_cuts_with_every_byte_in_its_place() {
        for (endianness, header) in [(Endianness::Big, b"ab\x01\x02"), (Endianness::Little, b"ab\x02\x01")] {
            let codec = prefixed(2, Width::Two, endianness, Counts::Payload);
            let frame = [header.as_slice(), &[7; 0x102]].concat();
            for cut in 0..frame.len() {
                let (head, tail) = frame.split_at(cut);
                assert_eq!(frames(&codec, 100, &[head, tail]), [frame.as_slice()], "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_length_smaller_than_the_header_makes_the_header_the_frame() {
        for counts in [Counts::Field, Counts::Frame] {
            let codec = prefixed(0, Width::Two, Endianness::Big, counts);
            assert_eq!(frames(&codec, 100, &[b"\0\0\0\x01\0"]), [b"\0\0", b"\0\x01"], "{counts:?}");
        }
    }

    #[test]
    fn the_largest_length_does_not_overflow() {
        for counts in [Counts::Payload, Counts::Field, Counts::Frame, Counts::BeforeTrailer(255)] {
            let codec = prefixed(255, Width::Eight, Endianness::Little, counts);
            let mut framer = Framer::new(&codec, 100);
            let mut ends = Vec::new();
            framer.scan(&[0xff; 1000], &mut ends);
            framer.scan(&[0xff; 1000], &mut ends);
            assert_eq!((ends.len(), framer.in_progress()), (0, 2000), "{counts:?}");
        }
    }

    #[test]
    fn a_frame_longer_than_the_largest_is_still_delimited() {
        let codec = prefixed(0, Width::One, Endianness::Big, Counts::Payload);
        assert_eq!(frames(&codec, 2, &[b"\x05ab", b"cde\x01f"]), [b"\x05abcde".as_slice(), b"\x01f"]);
    }

    #[test]
    fn half_a_length_before_a_finish_does_not_count_after_it() {
        let mut framer = Framer::new(&prefixed(0, Width::Two, Endianness::Big, Counts::Payload), 100);
        let mut ends = Vec::new();
        framer.scan(b"\x01", &mut ends);
        framer.finish();
        framer.scan(b"\0\x01a", &mut ends);
        assert_eq!(ends, [3]);
    }
}
