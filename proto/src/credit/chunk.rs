//! A stretch of a stream, with the frame starts in it.
//!
//! ```text
//!   starts        cuts            ends
//!     ▼         ▼      ▼           ▼
//!     │ frame 1 │  f2  │  frame 3  │      cost = 3 × 64 + length
//! ```
//!
//! A chunk whose bytes were released still knows its cost: links that keep nothing count with it.

use bytes::Bytes;

use super::FRAME_COST;
use crate::counters::Tally;

/// Slices shorter than this are copied when they are kept: a few bytes must not pin a whole read buffer.
const WORTH_SHARING: usize = 4096;

/// Bytes of a stream that follow each other, and where frames start and end among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    bytes: Bytes,
    len: usize,
    starts: bool,
    ends: bool,
    // Invariant: strictly increasing, each in 1..len.
    cuts: Vec<u32>,
}

impl Chunk {
    /// A chunk of `bytes`. `starts`: the first byte starts a frame. `ends`: the last one ends one. `cuts`: offsets inside
    /// at which one frame ends and the next starts.
    pub fn new(bytes: Bytes, starts: bool, ends: bool, cuts: Vec<u32>) -> Self {
        debug_assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]));
        debug_assert!(cuts.iter().all(|&cut| cut > 0 && (cut as usize) < bytes.len()));
        Self { len: bytes.len(), bytes, starts, ends, cuts }
    }

    /// A chunk of a stream without frames: the backward direction.
    pub fn unframed(bytes: Bytes) -> Self {
        Self::new(bytes, false, false, Vec::new())
    }

    /// Its bytes; none after [`Chunk::release`].
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many bytes it has or had.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes (an empty frame).
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether its first byte starts a frame.
    pub const fn starts(&self) -> bool {
        self.starts
    }

    /// Whether its last byte ends one.
    pub const fn ends(&self) -> bool {
        self.ends
    }

    /// Offsets of the frames that start inside it.
    pub fn cuts(&self) -> &[u32] {
        &self.cuts
    }

    /// Frames that start in it.
    pub fn frames(&self) -> u64 {
        u64::from(self.starts) + self.cuts.len() as u64
    }

    /// Frames that start in it, and bytes.
    pub fn tally(&self) -> Tally {
        Tally::new(self.frames(), self.len as u64)
    }

    /// Units it takes.
    pub fn cost(&self) -> u64 {
        self.frames() * FRAME_COST + self.len as u64
    }

    /// Frames and bytes in its first `bytes` bytes. A frame counts with its first byte.
    pub fn tally_of(&self, bytes: usize) -> Tally {
        if bytes >= self.len {
            return self.tally();
        }
        let inner = self.cuts.partition_point(|&cut| (cut as usize) < bytes);
        Tally::new(u64::from(self.starts && bytes > 0) + inner as u64, bytes as u64)
    }

    /// Units its first `bytes` bytes take.
    pub fn cost_of(&self, bytes: usize) -> u64 {
        let tally = self.tally_of(bytes);
        tally.frames * FRAME_COST + tally.bytes
    }

    /// How many of its bytes fit in `units`.
    pub fn bytes_within(&self, units: u64) -> usize {
        if units >= self.cost() {
            return self.len;
        }
        let mut before = u64::from(self.starts) * FRAME_COST;
        if units <= before {
            return 0;
        }
        for &cut in &self.cuts {
            let first_of_next = before + FRAME_COST + u64::from(cut) + 1;
            if units < first_of_next {
                return (units - before).min(u64::from(cut)) as usize;
            }
            before += FRAME_COST;
        }
        (units - before) as usize
    }

    /// How many of its bytes are in whole frames that fit in `units`; of no use to a chunk whose last frame goes on.
    pub fn whole_frames_within(&self, units: u64) -> usize {
        if units >= self.cost() {
            return self.len;
        }
        let fits = |(index, cut): (usize, &u32)| (index as u64 + 1) * FRAME_COST + u64::from(*cut) <= units;
        let whole = self.cuts.iter().enumerate().take_while(|&frame| fits(frame)).last();
        whole.map_or(0, |(_, &cut)| cut as usize)
    }

    /// Units that the first of its frames takes.
    pub fn first_frame_cost(&self) -> u64 {
        self.cuts.first().map_or(self.cost(), |&cut| FRAME_COST + u64::from(cut))
    }

    /// How many of its bytes its first frame has.
    fn first_frame_len(&self) -> usize {
        self.cuts.first().map_or(self.len, |&cut| cut as usize)
    }

    /// How many of its bytes go in one piece if its frames are datagrams: as many of them as `quantum` holds, or the first
    /// alone, however long.
    pub fn datagrams_within(&self, permitted: u64, quantum: u64) -> Option<usize> {
        let fits = self.whole_frames_within(permitted.min(quantum));
        let first = || (self.first_frame_cost() <= permitted).then(|| self.first_frame_len());
        Some(fits).filter(|&fits| fits > 0).or_else(first)
    }

    /// Cuts it in two: keeps the first `at` bytes, returns the rest. `at` lies strictly inside.
    pub fn split_off(&mut self, at: usize) -> Self {
        debug_assert!(at > 0 && at < self.len);
        let keep = self.cuts.partition_point(|&cut| (cut as usize) < at);
        let between = self.cuts.get(keep) == Some(&(at as u32));
        let cuts = self.cuts[keep + usize::from(between)..].iter().map(|cut| cut - at as u32).collect();
        self.cuts.truncate(keep);
        let bytes = if self.bytes.is_empty() { Bytes::new() } else { self.bytes.split_off(at) };
        let rest = Self { bytes, len: self.len - at, starts: between, ends: self.ends, cuts };
        self.len = at;
        self.ends = between;
        rest
    }

    /// Lets go of the bytes and keeps the arithmetic.
    pub fn release(&mut self) {
        self.bytes = Bytes::new();
    }

    /// Stops a short slice from pinning the buffer it was read into.
    pub fn compact(&mut self) {
        if self.bytes.len() < WORTH_SHARING {
            self.bytes = Bytes::copy_from_slice(&self.bytes);
        }
    }

    /// The frame in progress at its end is over, though none of its bytes said so.
    pub fn end_here(&mut self) {
        self.ends = true;
    }
}

/// The datagrams of a read as chunks: as many together as there are, but empty ones each alone.
pub(crate) fn datagram_chunks(bytes: &Bytes, ends: &[u32]) -> impl Iterator<Item = Chunk> {
    let (mut rest, mut from) = (ends, 0);
    std::iter::from_fn(move || {
        let &first = rest.first()?;
        let alike = |pair: &[u32]| pair[0] < pair[1];
        let count =
            if first == from { 1 } else { 1 + rest.windows(2).take_while(|pair| alike(pair)).count() };
        let (run, others) = rest.split_at(count);
        let (begin, end) = (from, run[count - 1]);
        (rest, from) = (others, end);
        let cuts = run[..count - 1].iter().map(|cut| cut - begin).collect();
        Some(Chunk::new(bytes.slice(begin as usize..end as usize), true, true, cuts))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(len: usize, starts: bool, cuts: &[u32]) -> Chunk {
        Chunk::new(Bytes::from(vec![b'x'; len]), starts, false, cuts.to_vec())
    }

    #[test]
    fn a_frame_costs_where_its_first_byte_is() {
        let chunk = chunk(10, true, &[4]);
        assert_eq!(chunk.cost(), 2 * 64 + 10);
        assert_eq!([0, 1, 4, 5, 10].map(|bytes| chunk.cost_of(bytes)), [0, 65, 68, 133, 138]);
        assert_eq!([64, 65, 68, 132, 133, 200].map(|units| chunk.bytes_within(units)), [0, 1, 4, 4, 5, 10]);
    }

    #[test]
    fn whole_frames_are_counted_to_the_last_that_fits() {
        let chunk = chunk(10, true, &[4, 6]);
        let within = [0, 67, 68, 133, 134, 201, 202].map(|units| chunk.whole_frames_within(units));
        assert_eq!(within, [0, 0, 4, 4, 6, 6, 10]);
        assert_eq!((chunk.first_frame_cost(), chunk.first_frame_len()), (68, 4));
    }

    #[test]
    fn splitting_at_a_cut_moves_the_frame_start_to_the_rest() {
        let mut first = chunk(10, true, &[4, 7]);
        let rest = first.split_off(4);
        assert_eq!((first.frames(), first.ends(), first.len()), (1, true, 4));
        assert_eq!((rest.frames(), rest.starts(), rest.cuts()), (2, true, &[3][..]));
    }

    #[test]
    fn empty_datagrams_go_alone_and_the_others_together() {
        let bytes = Bytes::from_static(b"aabccc");
        let shapes: Vec<_> = datagram_chunks(&bytes, &[0, 2, 3, 3, 3, 6, 6])
            .map(|chunk| (chunk.bytes().clone(), chunk.cuts().to_vec(), chunk.frames()))
            .collect();
        let empty = (Bytes::new(), vec![], 1);
        let expected = [
            empty.clone(),
            (Bytes::from_static(b"aab"), vec![2], 2),
            empty.clone(),
            empty.clone(),
            (Bytes::from_static(b"ccc"), vec![], 1),
            empty,
        ];
        assert_eq!(shapes, expected);
        assert_eq!(datagram_chunks(&bytes, &[]).count(), 0);
    }

    proptest! {
        #[test]
        fn splitting_anywhere_keeps_cost_and_frames(
            len in 2usize..60, starts: bool, at in 1usize..59, cuts in proptest::collection::btree_set(1u32..60, 0..6),
        ) {
            let cuts: Vec<u32> = cuts.into_iter().filter(|&cut| (cut as usize) < len).collect();
            let whole = chunk(len, starts, &cuts);
            let at = 1 + at % (len - 1);
            let mut first = whole.clone();
            let rest = first.split_off(at);
            prop_assert_eq!(first.cost() + rest.cost(), whole.cost());
            prop_assert_eq!(first.tally() + rest.tally(), whole.tally());
            prop_assert_eq!(first.cost(), whole.cost_of(at));
            prop_assert_eq!(whole.bytes_within(whole.cost_of(at)), at);
        }
    }
}
