//! What each codec means, written the slow and obvious way, and the property that a [`Framer`] agrees with it.
//!
//! Compiled for tests and fuzzing only; both call [`assert_agrees`], so that a fuzzer's finding and a failing
//! property are about the same thing. [`assert_foo_agrees`] is the same for what lines of the Foo protocol say.

use super::{
    Codec, Counts, Endianness, Framer, LengthPrefix, Width,
    foo::{self, Kind, Message, Reader},
};

/// One read: how many bytes it brings, and whether the frame in progress is finished after it. A tuple, because a
/// fuzzer makes those without a derive.
pub type Read = (u8, bool);

/// Cuts `stream` into `reads` and one more of what is left, and frames it.
///
/// # Panics
/// Unless the framer reports exactly the reference's frame ends and, after each read, the frame in progress.
pub fn assert_agrees(codec: &Codec, max_frame: u32, stream: &[u8], reads: &[Read]) {
    let mut framer = Framer::new(codec, max_frame);
    let (mut ends, mut finished, mut at) = (Vec::new(), 0, 0);
    let rest = (usize::MAX, false);
    for (len, finish) in reads.iter().map(|&(len, finish)| (usize::from(len), finish)).chain([rest]) {
        let read = &stream[at..][..len.min(stream.len() - at)];
        scan_at(&mut framer, read, at - finished, &mut ends);
        at += read.len();
        let last = ends.last().copied().unwrap_or(0);
        assert_eq!(framer.in_progress(), (at - finished - last) as u64);
        assert_eq!(framer.is_mid_frame(), at - finished != last);
        if finish {
            assert_eq!(std::mem::take(&mut ends), frame_ends(codec, max_frame, &stream[finished..at]));
            framer.finish();
            assert!(!framer.is_mid_frame());
            finished = at;
        }
    }
    assert_eq!(ends, frame_ends(codec, max_frame, &stream[finished..]));
}

/// Scans one read, which starts at `base`, checks what is reported against the promise, and appends it.
fn scan_at(framer: &mut Framer, read: &[u8], base: usize, ends: &mut Vec<usize>) {
    let mut found = Vec::new();
    framer.scan(read, &mut found);
    assert!(found.is_sorted_by(|a, b| a < b), "strictly increasing");
    assert!(found.iter().all(|&end| (1..=read.len()).contains(&(end as usize))), "in range");
    ends.extend(found.into_iter().map(|end| base + end as usize));
}

/// The offsets just past each frame that ends by itself in `stream`, which starts at a frame's start.
pub fn frame_ends(codec: &Codec, max_frame: u32, stream: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    while let Some(len) = frame_len(codec, max_frame, &stream[start..]) {
        start += len;
        ends.push(start);
    }
    ends
}

/// The length of the frame at the start of `stream`, if it is whole.
fn frame_len(codec: &Codec, max_frame: u32, stream: &[u8]) -> Option<usize> {
    let len = match codec {
        Codec::Raw => max_frame.max(1) as usize,
        Codec::Datagram => Some(stream.len()).filter(|&len| len > 0)?,
        Codec::Lines | Codec::Foo => stream.iter().position(|&byte| byte == b'\n')? + 1,
        Codec::Delimiter(bytes) => {
            (bytes.len()..=stream.len()).find(|&end| stream[..end].ends_with(bytes) && end > 0)?
        }
        Codec::LengthPrefixed(prefix) => usize::try_from(prefixed_len(*prefix, stream)?).ok()?,
    };
    (len <= stream.len()).then_some(len)
}

fn prefixed_len(prefix: LengthPrefix, stream: &[u8]) -> Option<u128> {
    let offset = usize::from(prefix.offset);
    let header = offset + usize::from(prefix.width.bytes());
    let mut field = stream.get(offset..header)?.to_vec();
    if prefix.endianness == Endianness::Little {
        field.reverse();
    }
    let length = field.iter().fold(0, |length, &byte| length * 256 + u128::from(byte));
    let counted_from = match prefix.counts {
        Counts::Frame => 0,
        Counts::Field => offset,
        Counts::Payload => header,
        Counts::BeforeTrailer(trailer) => header + usize::from(trailer),
    };
    Some((counted_from as u128 + length).max(header as u128))
}

/// Cuts `stream` into `pieces` and one more of what is left, and reads it to its FIN.
///
/// # Panics
/// Unless every line is what it is when the stream is read in one.
pub fn assert_foo_agrees(stream: &[u8], pieces: &[u8]) {
    let (mut reader, mut found, mut rest) = (Reader::default(), Vec::new(), stream);
    for &len in pieces {
        let (piece, behind) = rest.split_at(rest.len().min(len.into()));
        reader.read(piece, |line| found.push(line));
        rest = behind;
    }
    reader.read(rest, |line| found.push(line));
    reader.finish(|line| found.push(line));
    let lines: Vec<_> = stream.split_inclusive(|&byte| byte == b'\n').collect();
    assert_eq!(found, lines.iter().map(|line| kind(line)).collect::<Vec<_>>());
    for line in lines {
        assert_eq!(Message::parse(line).map(|message| message.kind), kind(line));
        assert!(foo::key(line).is_some() || kind(line).is_none());
    }
}

/// What a line of the Foo protocol is.
fn kind(line: &[u8]) -> Option<Kind> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line)).ok()?;
    let mut words = text.splitn(3, [' ', '\t']);
    let (word, seq) = (words.next()?, words.next()?);
    let digits = seq.strip_prefix(['+', '-']).unwrap_or(seq);
    let is_integer = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit());
    Kind::ALL.into_iter().find(|kind| is_integer && kind.word() == word.as_bytes())
}

/// Any length prefix, out of any bytes: offset, width, endianness, what is counted, trailer.
pub fn length_prefix([offset, width, endianness, counts, trailer]: [u8; 5]) -> LengthPrefix {
    let widths = [Width::One, Width::Two, Width::Three, Width::Four, Width::Eight];
    let counted = [Counts::Payload, Counts::Field, Counts::Frame, Counts::BeforeTrailer(trailer)];
    LengthPrefix {
        offset,
        width: widths[usize::from(width) % widths.len()],
        endianness: if endianness % 2 == 0 { Endianness::Big } else { Endianness::Little },
        counts: counted[usize::from(counts) % counted.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// Bytes of a small alphabet, so that delimiters, line ends and short lengths come up often.
    fn few(alphabet: u8, len: usize) -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![20 => b'\n'..b'\n' + alphabet, 1 => any::<u8>()], 0..len)
    }

    fn reads() -> impl Strategy<Value = Vec<Read>> {
        vec((0..12_u8, prop::bool::weighted(0.1)), 0..40)
    }

    fn delimiter() -> impl Strategy<Value = Codec> {
        vec(b'\n'..b'\n' + 2, 1..=16).prop_map(|bytes| Codec::Delimiter(bytes.into()))
    }

    fn length_prefixed() -> impl Strategy<Value = Codec> {
        (0..5_u8, any::<[u8; 4]>()).prop_map(|(offset, [width, endianness, counts, trailer])| {
            Codec::LengthPrefixed(length_prefix([offset, width, endianness, counts, trailer % 4]))
        })
    }

    /// A stream in which a length is sometimes plausible at any width: small numbers among zeros.
    fn lengths() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![8 => Just(0), 4 => 0..9_u8, 1 => any::<u8>()], 0..300)
    }

    fn any_codec() -> impl Strategy<Value = Codec> {
        prop_oneof![Just(Codec::Raw), Just(Codec::Lines), delimiter(), length_prefixed()]
    }

    proptest! {
        #[test]
        fn raw_agrees_with_the_reference_however_cut(max in 0..20_u32, stream in few(4, 300), reads in reads()) {
            assert_agrees(&Codec::Raw, max, &stream, &reads);
        }

        #[test]
        fn lines_agree_with_the_reference_however_cut(stream in few(4, 300), reads in reads()) {
            assert_agrees(&Codec::Lines, 8, &stream, &reads);
            assert_agrees(&Codec::Foo, 8, &stream, &reads);
        }

        #[test]
        fn delimiters_agree_with_the_reference_however_cut(
            codec in delimiter(), stream in few(2, 300), reads in reads(),
        ) {
            assert_agrees(&codec, 8, &stream, &reads);
        }

        #[test]
        fn planted_delimiters_agree_with_the_reference_however_cut(
            needle in vec(any::<u8>(), 1..=16), plan in vec((0..18_usize, any::<bool>()), 0..30), reads in reads(),
        ) {
            let part = |&(len, whole): &(usize, bool)| {
                if whole { needle.clone() } else { needle[..len.min(needle.len())].to_vec() }
            };
            let stream: Vec<u8> = plan.iter().flat_map(part).collect();
            assert_agrees(&Codec::Delimiter(needle.clone().into()), 8, &stream, &reads);
        }

        #[test]
        fn length_prefixes_agree_with_the_reference_however_cut(
            codec in length_prefixed(), stream in lengths(), reads in reads(),
        ) {
            assert_agrees(&codec, 8, &stream, &reads);
        }

        #[test]
        fn a_stream_cut_in_two_has_the_ends_of_the_whole(
            codec in any_codec(), stream in lengths(), cut in any::<prop::sample::Index>(),
        ) {
            let (head, tail) = stream.split_at(cut.index(stream.len() + 1));
            let mut whole = Vec::new();
            scan_at(&mut Framer::new(&codec, 8), &stream, 0, &mut whole);
            let (mut framer, mut ends) = (Framer::new(&codec, 8), Vec::new());
            scan_at(&mut framer, head, 0, &mut ends);
            scan_at(&mut framer, tail, head.len(), &mut ends);
            prop_assert_eq!(ends, whole);
        }

        #[test]
        fn the_frames_and_the_rest_are_the_stream(codec in any_codec(), stream in lengths()) {
            let (mut framer, mut ends) = (Framer::new(&codec, 8), Vec::new());
            framer.scan(&stream, &mut ends);
            let mut joined = Vec::new();
            for end in ends {
                joined.extend_from_slice(&stream[joined.len()..end as usize]);
            }
            prop_assert_eq!(framer.in_progress(), (stream.len() - joined.len()) as u64);
            joined.extend_from_slice(&stream[joined.len()..]);
            prop_assert_eq!(joined, stream);
        }
    }
}
