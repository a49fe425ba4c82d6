//! Who comes into a [`Hall`](super::Hall), or to any other ROUTER that counts no credit: a DEALER whose queue has a bound.
//!
//! A DEALER that takes no more looks like one without a connection. So what becomes of connections is told by a monitor, as
//! with a [`Pair`](super::Pair), and a guest that is full is known to be connected still.
//!
//! ```text
//!            ready                  ended                   nothing is left to receive,
//!  Closed ───────────▶ Open ───────────────────▶ Ending ─┐  or there is another connection
//!    ▲                                                   │
//!    └───────────────────────────────────────────────────┘
//! ```
//!
//! What a guest has taken may be lost with its connection. [`Guest::is_delivered`] says when nothing more of it can be.

use std::{cell::Cell, time::Duration};

use tokio::select;

use super::{
    Batch, Connection, Context, Error, Event, LAST_WORDS, Malformed, PeerId, SendError, monitor, options,
    socket::Socket,
};

/// A connecting end whose queue has a bound.
pub struct Guest {
    socket: Socket,
    // Invariant: gone after `stop` only. Who tells a monitor that has gone waits for ever, and that is libzmq's own thread.
    events: Socket,
    state: Cell<State>,
    connection: Cell<Option<Connection>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    /// It is over, and may have left something to be received.
    Ending,
}

impl Guest {
    /// Connects, for ever again, under this routing id, as [`Dealer::connect`](super::Dealer::connect) does. So many
    /// messages may wait to be sent.
    ///
    /// Panics outside of a runtime that does input and output, as the other sockets do.
    pub fn connect(context: &Context, endpoint: &str, identity: &[u8], queue: u16) -> Result<Self, Error> {
        PeerId::new(identity).filter(|_| identity[0] != 0).ok_or(Error::Identity)?;
        let mut raw = context.0.socket(zmq::DEALER).map_err(Error::open)?;
        options::dealer(&mut raw, identity, Some(queue)).map_err(Error::open)?;
        let events = monitor::watch(context, &raw)?;
        let (state, connection) = (Cell::new(State::Closed), Cell::new(None));
        let guest = Self { socket: Socket::new(raw)?, events, state, connection };
        guest.socket.raw().connect(endpoint).map_err(|source| Error::connect(endpoint, source))?;
        Ok(guest)
    }

    /// Sends the batch. What refuses is that the queue is full, or that there is no connection, which look alike.
    pub fn try_send(&self, batch: Vec<u8>) -> Result<(), SendError> {
        self.socket.try_send(batch)
    }

    /// The next message, if there is one.
    pub fn try_receive(&self) -> Option<Result<Batch, Malformed>> {
        let batch = self.socket.first_part()?;
        let skipped = self.socket.skip(&batch);
        Some(if skipped { Err(Malformed { peer: None }) } else { Ok(Batch(batch)) })
    }

    /// Whether there is a connection, or something is left of the last one to be received. Each end and each beginning of one
    /// is told, even if nobody asked in between. To be asked when [`Self::try_receive`] has found nothing.
    pub fn is_connected(&self) -> bool {
        let before = self.state.get() != State::Closed;
        while let Some(event) = monitor::next(&self.events) {
            self.observe(event);
            if before != (self.state.get() != State::Closed) {
                return !before;
            }
        }
        if self.state.get() == State::Ending && !self.socket.is_alive() {
            self.state.set(State::Closed);
        }
        self.state.get() != State::Closed
    }

    fn observe(&self, event: Event) {
        match event {
            Event::Connected(connection) => {
                self.connection.set(Some(connection));
                self.state.set(State::Closed);
            }
            Event::Ready => self.state.set(State::Open),
            Event::Disconnected(_) if self.state.get() == State::Open => {
                self.connection.set(None);
                self.state.set(State::Ending);
            }
            Event::Disconnected(_) | Event::Refused(_) => {}
        }
    }

    /// Whether a message would be taken now, or something is there to be received, which comes first. To be asked when
    /// [`Self::try_receive`] has found nothing; [`Self::readable`] returns when it changes, too.
    pub fn has_room(&self) -> bool {
        self.socket.is_alive()
    }

    /// Whether the other end's host has acknowledged all that the kernel was given. libzmq gives the kernel what it has as
    /// soon as there is room, so where this holds twice, some time apart, and nothing was sent in between, all has arrived.
    pub fn is_delivered(&self) -> bool {
        self.connection.get().is_some_and(|connection| connection.unacknowledged() == Some(0))
    }

    /// The other end may read nothing for so long while this connection lasts. Without it a few seconds are taken for death,
    /// since the kernel does not tell who does not read from who is gone; then all is lost that was on its way.
    pub fn be_patient(&self, patience: Duration) {
        self.connection.get().into_iter().for_each(|connection| connection.give_up_after(patience));
    }

    /// Closes it: what it has taken may still be sent, for at most [`LAST_WORDS`].
    pub fn close(self) {
        // Refused only where the socket is gone, with all it had.
        let _ = self.socket.linger(LAST_WORDS);
    }

    /// Returns when [`Self::try_receive`], [`Self::is_connected`] or [`Self::has_room`] may have news; at once while the first two
    /// were not asked. For one task; may be dropped at any point.
    pub async fn readable(&self) {
        select! {
            () = self.socket.readable() => {}
            () = self.events.readable() => {}
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        monitor::stop(self.socket.raw_mut());
    }
}
