//! Finds the end of a chunked body, as hyper does, and keeps nothing of it.

/// How far a chunked body has been followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// In a size, with so much of it read.
    Size(u64),
    /// Behind a size, in what else is on its line.
    Extension(u64),
    /// Before the line feed of a size's line.
    SizeLf(u64),
    /// In a chunk or the CRLF behind it, so many bytes from their end.
    Body(u64),
    /// At the start of a trailer line, or of the empty one that ends the body.
    Trailer,
    /// In a trailer line.
    TrailerLine,
    /// Before the line feed of a trailer line.
    TrailerLf,
    /// Before the last line feed.
    EndLf,
    /// Behind it.
    End,
    /// Not a chunked body: hyper gives up, too.
    Lost,
}

impl Chunks {
    pub(super) const START: Self = Self::Size(0);

    /// Follows `bytes` as far as they are the body's, and returns the rest.
    pub(super) fn follow<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while !matches!(self, Self::End | Self::Lost) {
            if let Self::Body(left) = *self {
                let here = left.min(bytes.len() as u64);
                bytes = &bytes[here as usize..];
                *self = if left == here { Self::START } else { Self::Body(left - here) };
            }
            let Some((&byte, rest)) = bytes.split_first() else { break };
            *self = self.after(byte);
            bytes = rest;
        }
        bytes
    }

    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeLf(size),
            (Self::Size(size), _) => Self::in_size(size, byte),
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::SizeLf(0) | Self::TrailerLf, b'\n') => Self::Trailer,
            (Self::SizeLf(size), b'\n') => size.checked_add(2).map_or(Self::Lost, Self::Body),
            (Self::Trailer, b'\r') => Self::EndLf,
            (Self::TrailerLine, b'\r') => Self::TrailerLf,
            (Self::Trailer | Self::TrailerLine, _) => Self::TrailerLine,
            (Self::EndLf, b'\n') => Self::End,
            _ => Self::Lost,
        }
    }

    fn in_size(size: u64, byte: u8) -> Self {
        match char::from(byte).to_digit(16) {
            Some(digit) => {
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
                size.map_or(Self::Lost, Self::Size)
            }
            None => Self::Extension(size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_wherever_the_body_is_cut() {
        let bodies = [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "A;x=y\r\n0123456789\r\n00\r\n\r\n",
            "1 \r\n\n\r\n0;last\r\nX: a\r\nY: b\r\n\r\n",
            "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
        ];
        for body in bodies {
            let stream = [body.as_bytes(), b"GET"].concat();
            for cut in 0..stream.len() {
                let mut chunks = Chunks::START;
                let rest = [chunks.follow(&stream[..cut]), &stream[cut..]].concat();
                assert_eq!(chunks.follow(&rest), b"GET", "{body:?} cut at {cut}");
                assert_eq!(chunks, Chunks::End);
            }
        }
    }

    #[test]
    fn what_is_no_chunked_body_is_lost() {
        for body in ["fffffffffffffffff\r\n", "ffffffffffffffff\r\n", "1\rx", "0\r\nX: a\rb", "0\r\n\rx"] {
            let mut chunks = Chunks::START;
            chunks.follow(body.as_bytes());
            assert_eq!(chunks, Chunks::Lost, "{body:?}");
        }
    }
}
