//! Where strangers are let in: a bound ROUTER for peers that need not be ours.
//!
//! One message is `[id, frame]`. Ids may be of any length that ZeroMQ has, and whoever sends something else than one frame
//! is known by its id, so that it can be answered. What may wait for a peer is bounded by [`Limits`]: nothing here counts
//! credit. A frame is copied for each peer, so that one frame can go to many.

use std::time::Duration;

use super::{Batch, Context, Error, Malformed, PeerId, SendError, link, options, socket::Socket};

/// How much a hall takes, and keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest frame, in bytes; a longer one costs its sender the connection.
    pub message: i64,
    /// How many frames may wait for one peer; [`Hall::try_send`] then says that it is full.
    pub to_one: i32,
    /// How many frames of one peer may wait to be received; further ones wait where it sends them from.
    pub from_one: i32,
    /// How long a closed hall may still send what it has taken.
    pub linger: Duration,
}

/// The bound end for peers of any kind.
pub struct Hall {
    socket: Socket,
    endpoint: String,
}

impl Hall {
    /// Listens on the endpoint; a port of 0 is any free one.
    ///
    /// Panics outside of a runtime that does input and output, as the other sockets do.
    pub fn bind(context: &Context, endpoint: &str, limits: &Limits) -> Result<Self, Error> {
        let mut raw = context.0.socket(zmq::ROUTER).map_err(Error::open)?;
        options::hall(&mut raw, limits).map_err(Error::open)?;
        let endpoint = link::bind(&raw, endpoint)?;
        Ok(Self { socket: Socket::new(raw)?, endpoint })
    }

    /// The endpoint as it became, with the real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends a copy of the frame to the peer with this id.
    pub fn try_send(&self, id: &[u8], frame: &[u8]) -> Result<(), SendError> {
        self.socket.try_send_copy_to(id, frame)
    }

    /// The next message, if there is one: the id of its sender, and its frame if it is one.
    pub fn try_receive(&self) -> Option<(Batch, Result<Batch, Malformed>)> {
        let id = self.socket.first_part()?;
        let frame = self.socket.last_part(&id);
        let frame = frame.map(Batch).ok_or_else(|| Malformed { peer: PeerId::new(&id) });
        Some((Batch(id), frame))
    }

    /// Returns when [`Self::try_receive`] may find something. For one task; may be dropped at any point.
    pub async fn readable(&self) {
        self.socket.readable().await;
    }
}
