//! A body that is gathered beside its way, up to a bound.
//!
//! It takes copies of pieces that somebody else passes on, and never asks for one. Who waits for the whole learns at once
//! when it is too long, and when it breaks.

use std::{future::poll_fn, pin::Pin};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::compare::Body;

/// What is kept of a body that is too long: enough to be shown.
const BEGINNING: usize = 1024;

/// A body on its way. Dropped before it is finished, it has broken.
pub(crate) struct Gathering {
    /// Invariant: at most `most`.
    bytes: Vec<u8>,
    most: usize,
    /// None when what there is to say has been said.
    to: Option<oneshot::Sender<Body>>,
}

impl Gathering {
    /// A body of at most `most` bytes, and where it will be.
    pub(crate) fn new(most: usize) -> (Self, oneshot::Receiver<Body>) {
        let (to, whole) = oneshot::channel();
        (Self { bytes: Vec::new(), most, to: Some(to) }, whole)
    }

    /// The next piece. Where nobody waits any more, nothing is kept.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        let Some(to) = self.to.take_if(|to| !to.is_closed()) else {
            self.bytes = Vec::new();
            return;
        };
        let room = self.most - self.bytes.len();
        if piece.len() <= room {
            self.bytes.extend_from_slice(piece);
            self.to = Some(to);
            return;
        }
        let mut beginning = std::mem::take(&mut self.bytes);
        beginning.extend_from_slice(&piece[..room.min(BEGINNING)]);
        beginning.truncate(BEGINNING);
        // Its room is not needed any more.
        let _ = to.send(Body::TooLong(Bytes::copy_from_slice(&beginning)));
    }

    /// That was all.
    pub(crate) fn finish(&mut self) {
        if let Some(to) = self.to.take() {
            let _ = to.send(Body::Whole(std::mem::take(&mut self.bytes).into()));
        }
    }
}

/// Reads a body that nobody else reads, until it ends or is too long; `None`: it broke.
pub(crate) async fn gather(mut incoming: Incoming, most: usize) -> Option<Body> {
    let (mut gathering, mut whole) = Gathering::new(most);
    loop {
        match next(&mut incoming).await {
            Some(Ok(piece)) => gathering.push(piece.data_ref().map_or(&[], |data| data)),
            Some(Err(_)) => return None,
            None => gathering.finish(),
        }
        if let Ok(body) = whole.try_recv() {
            return Some(body);
        }
    }
}

async fn next(incoming: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    poll_fn(|context| Pin::new(&mut *incoming).poll_frame(context)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(most: usize, pieces: &[&[u8]]) -> Option<Body> {
        let (mut gathering, mut whole) = Gathering::new(most);
        for piece in pieces {
            gathering.push(piece);
        }
        gathering.finish();
        whole.try_recv().ok()
    }

    /// Fails if the bound is off by one.
    #[test]
    fn a_body_is_gathered_up_to_its_bound() {
        let whole = |bytes: &'static [u8]| Some(Body::Whole(bytes.into()));
        assert_eq!(gathered(4, &[b"ab", b"", b"cd"]), whole(b"abcd"));
        assert_eq!(gathered(4, &[]), whole(b""));
        assert_eq!(gathered(4, &[b"abc", b"de", b"f"]), Some(Body::TooLong(b"abcd"[..].into())));
        let long = vec![b'x'; 5000];
        let Some(Body::TooLong(beginning)) = gathered(4096, &[&long]) else { panic!("it is too long") };
        assert_eq!(beginning.len(), BEGINNING);
    }

    #[test]
    fn what_breaks_is_known_to_have_broken() {
        let (mut gathering, mut whole) = Gathering::new(4);
        gathering.push(b"ab");
        drop(gathering);
        assert!(whole.try_recv().is_err());
    }

    /// Fails if bytes are kept for nobody.
    #[test]
    fn nothing_is_kept_where_nobody_waits() {
        let (mut gathering, whole) = Gathering::new(4096);
        gathering.push(b"ab");
        drop(whole);
        gathering.push(b"cd");
        assert_eq!(gathering.bytes.capacity(), 0);
    }
}
