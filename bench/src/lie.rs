//! A destination that lies: it echoes, but for one byte in every so many lines. No socket; bytes go in.

use std::num::NonZeroU32;

pub(crate) struct Liar {
    every: NonZeroU32,
    /// Lines since the last lie.
    lines: u32,
    told: u64,
}

impl Liar {
    pub(crate) fn new(every: NonZeroU32) -> Self {
        Self { every, lines: 0, told: 0 }
    }

    /// Lies told so far.
    pub(crate) fn told(&self) -> u64 {
        self.told
    }

    /// Changes the byte before the end of each line that is due; a line whose end comes alone leaves it to the next.
    pub(crate) fn alter(&mut self, bytes: &mut [u8]) {
        for at in 0..bytes.len() {
            if bytes[at] != b'\n' {
                continue;
            }
            self.lines += 1;
            if self.lines >= self.every.get() && at > 0 && bytes[at - 1] != b'\n' {
                bytes[at - 1] = b'!';
                self.lines = 0;
                self.told += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn liar(every: u32) -> Liar {
        Liar::new(NonZeroU32::new(every).unwrap())
    }

    #[test]
    fn every_third_line_is_a_lie_across_pieces() {
        let mut liar = liar(3);
        let mut said = Vec::new();
        for piece in ["a\nb\n", "cc", "c\nd\ne\nf\n"] {
            let mut bytes = piece.as_bytes().to_vec();
            liar.alter(&mut bytes);
            said.extend(bytes);
        }
        assert_eq!((said.as_slice(), liar.told()), (&b"a\nb\ncc!\nd\ne\n!\n"[..], 2));
    }

    #[test]
    fn a_line_whose_end_comes_alone_leaves_the_lie_to_the_next() {
        let (mut liar, mut end, mut next) = (liar(1), *b"\n", *b"x\n");
        liar.alter(&mut end);
        liar.alter(&mut next);
        assert_eq!((end, next, liar.told()), (*b"\n", *b"!\n", 1));
    }
}
