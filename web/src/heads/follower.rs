//! Follows the bytes of a connection from head to head, and notes of each head what hyper does not show.
//!
//! It reads the same bytes as hyper with the same parser and the same limits, so it finds the same heads. Where it cannot go
//! on, hyper cannot either; should they ever disagree, it is lost, notes nothing more, and what hyper does by itself stands.

use std::collections::VecDeque;

use super::{MAX_BUFFER, MAX_HEADERS, chunks::Chunks};

/// Heads that were read and not yet asked for: a peer that sends requests and waits for no answer.
const MAX_NOTED: usize = 4096;

/// How a head says where its body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Lines of `Content-Length`.
    pub(super) content_lengths: usize,
    /// Lines of `Transfer-Encoding`.
    pub(super) transfer_encodings: usize,
}

#[derive(Debug, Default)]
pub(super) struct Follower {
    place: Place,
    // What is there of a head that is not whole. Invariant: no longer than MAX_BUFFER.
    partial: Vec<u8>,
    // Invariant: no more than MAX_NOTED.
    noted: VecDeque<Lengths>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    /// In a body, so many bytes from its end.
    Body(u64),
    Chunked(Chunks),
    Lost,
}

impl Follower {
    /// Bytes as they were read from the connection.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.place != Place::Lost {
            bytes = match &mut self.place {
                Place::Body(left) => {
                    let here = (*left).min(bytes.len() as u64);
                    *left -= here;
                    &bytes[here as usize..]
                }
                Place::Chunked(chunks) => chunks.follow(bytes),
                Place::Head | Place::Lost => self.read_head(bytes),
            };
            self.settle();
        }
    }

    /// What was noted of the oldest head that was not asked for; `None` where it is lost.
    pub(super) fn take(&mut self) -> Option<Lengths> {
        self.noted.pop_front()
    }

    fn settle(&mut self) {
        match self.place {
            Place::Body(0) | Place::Chunked(Chunks::End) => self.place = Place::Head,
            Place::Chunked(Chunks::Lost) => self.place = Place::Lost,
            _ => {}
        }
    }

    /// Looks for the end of a head, and returns what is behind it. A head that comes whole is not copied.
    fn read_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.partial.is_empty() {
            let end = self.parse(bytes);
            if end.is_none() {
                self.partial.extend_from_slice(bytes);
            }
            return end.map_or(&[], |end| &bytes[end..]);
        }
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        // Only a line's end can end a head.
        if !bytes.contains(&b'\n') {
            self.give_up_if_long();
            return &[];
        }
        let partial = std::mem::take(&mut self.partial);
        let end = self.parse(&partial);
        if end.is_none() {
            self.partial = partial;
            self.give_up_if_long();
        }
        end.map_or(&[], |end| &bytes[end - before..])
    }

    fn give_up_if_long(&mut self) {
        if self.partial.len() > MAX_BUFFER {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.place = Place::Lost;
        self.partial = Vec::new();
    }

    /// Where the head ends, if it is whole.
    fn parse(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(end)) => {
                self.note(request.headers);
                Some(end)
            }
            Ok(httparse::Status::Partial) => None,
            Err(_) => {
                self.give_up();
                Some(bytes.len())
            }
        }
    }

    fn note(&mut self, headers: &[httparse::Header<'_>]) {
        let named = |name: &'static str| {
            headers
                .iter()
                .filter(move |header| header.name.eq_ignore_ascii_case(name))
                .map(|header| header.value)
        };
        let lengths = Lengths {
            content_lengths: named("content-length").count(),
            transfer_encodings: named("transfer-encoding").count(),
        };
        if self.noted.len() == MAX_NOTED {
            return self.give_up();
        }
        self.noted.push_back(lengths);
        self.place = match (lengths.transfer_encodings, named("content-length").next_back()) {
            (1.., _) => Place::Chunked(Chunks::START),
            (0, Some(length)) => length_of(length).map_or(Place::Lost, Place::Body),
            (0, None) => Place::Head,
        };
    }
}

/// hyper refuses any other.
fn length_of(value: &[u8]) -> Option<u64> {
    str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Heads, bodies and chunked bodies, one behind the other, and what is to be noted of them.
    fn stream(kinds: &[u8]) -> (Vec<u8>, Vec<Lengths>) {
        let parts: Vec<_> = kinds.iter().map(|kind| request(*kind)).collect();
        let bytes = parts.iter().flat_map(|(text, ..)| text.bytes()).collect();
        let noted = parts
            .iter()
            .map(|&(_, content_lengths, transfer_encodings)| Lengths { content_lengths, transfer_encodings });
        (bytes, noted.collect())
    }

    fn request(kind: u8) -> (&'static str, usize, usize) {
        match kind % 6 {
            0 => ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, 0),
            1 => ("\r\nPOST / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n", 1, 0),
            2 => ("POST / HTTP/1.1\ncontent-length: 3\ncontent-length: 3\n\nabc", 2, 0),
            3 => ("PUT / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n2\r\n\r\n\r\n0\r\nX: y\r\n\r\n", 0, 1),
            4 => ("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 1, 1),
            _ => ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 1, 0),
        }
    }

    proptest! {
        #[test]
        fn every_head_is_noted_however_the_stream_is_cut(
            kinds in prop::collection::vec(any::<u8>(), 1..20),
            cuts in prop::collection::vec(1..60_usize, 1..50),
        ) {
            let (bytes, expected) = stream(&kinds);
            let mut follower = Follower::default();
            let mut rest = &bytes[..];
            for cut in cuts.into_iter().cycle() {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                follower.follow(piece);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            let noted: Vec<_> = std::iter::from_fn(|| follower.take()).collect();
            prop_assert_eq!(noted, expected);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_given_up_and_nothing_is_kept() {
        let endless = vec![b'a'; MAX_BUFFER + 1];
        let streams: [&[u8]; 4] = [
            &endless,
            b"\0",
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\rx",
        ];
        for stream in streams {
            let mut follower = Follower::default();
            follower.follow(&stream[..1]);
            follower.follow(&stream[1..]);
            follower.follow(b"GET / HTTP/1.1\r\n\r\n");
            assert_eq!(follower.place, Place::Lost);
            assert!(follower.partial.is_empty());
        }
    }

    #[test]
    fn who_never_waits_for_an_answer_is_followed_so_far_only() {
        let mut follower = Follower::default();
        (0..=MAX_NOTED).for_each(|_| follower.follow(b"GET / HTTP/1.1\r\n\r\n"));
        assert_eq!((follower.noted.len(), &follower.place), (MAX_NOTED, &Place::Lost));
    }
}
