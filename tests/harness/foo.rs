//! The Foo protocol: clients that write their requests in pieces, and servers with manners or without.
//!
//! A server answers `REQ n` with `ACK n`, every tenth with `NAK n`.

use std::net::SocketAddr;

use super::peer::Peer;
use super::{Destination, Source};

/// A client that sends numbered requests, from 1.
pub(crate) struct FooClient {
    pub(crate) source: Source,
    asked: usize,
}

impl FooClient {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self { source: Source::connect(address), asked: 0 }
    }

    /// One that writes as most programs do who never heard of `TCP_NODELAY`.
    #[track_caller]
    pub(crate) fn with_nagle(address: SocketAddr) -> Self {
        Self { source: Source::connect(address).with_nagle(), asked: 0 }
    }

    /// Sends the next request, in one to three pieces.
    #[track_caller]
    pub(crate) fn ask(&mut self) {
        self.asked += 1;
        let (request, pieces) = (request(self.asked), self.asked % 3 + 1);
        for piece in request.chunks(request.len().div_ceil(pieces)) {
            self.source.send(piece);
        }
    }

    /// How many requests it has sent.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// Sends so many requests, and waits for each answer before the next.
    #[track_caller]
    pub(crate) fn converse(&mut self, requests: usize) {
        for _ in 0..requests {
            self.ask();
            self.source.expect(&answer_to(self.asked));
        }
    }
}

/// Request number `seq`.
pub(crate) fn request(seq: usize) -> Vec<u8> {
    format!("REQ {seq} under over under over\n").into_bytes()
}

/// What a server answers to request number `seq`.
pub(crate) fn answer_to(seq: usize) -> Vec<u8> {
    let kind = if seq.is_multiple_of(10) { "NAK" } else { "ACK" };
    format!("{kind} {seq} as you say\n").into_bytes()
}

/// A server with manners.
pub(crate) fn foo_server() -> Destination {
    Destination::serving(answer_all)
}

/// Answers everything, and never closes its side.
pub(crate) fn never_closing_foo_server() -> Destination {
    Destination::serving(|peer| {
        answer_all(peer);
        peer.hold();
    })
}

fn answer_all(peer: &mut Peer) {
    while let Some(seq) = next_request(peer) {
        peer.write(&answer_to(seq));
    }
}

/// The number of the next request; none at the end.
#[track_caller]
pub(crate) fn next_request(peer: &mut Peer) -> Option<usize> {
    let line = String::from_utf8(peer.read_line()?).expect("a request is text");
    let seq = line.split(' ').nth(1).and_then(|seq| seq.trim_end().parse().ok());
    Some(seq.unwrap_or_else(|| panic!("not a request with a number: {line:?}")))
}
