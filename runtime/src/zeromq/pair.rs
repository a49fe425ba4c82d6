//! The two ends of a line between two: PAIR sockets, one of which listens.
//!
//! A PAIR keeps to one peer and hangs up on others without a word. So the listening end asks the
//! [`Doorkeeper`](super::Doorkeeper) of its context before it lets somebody in, who is then told if he is refused. What
//! becomes of connections, [`Pair::event`] tells.
//!
//! An end that is dropped loses what it has not sent, and its connection with it; [`Pair::close`] sends it first.

use std::time::Duration;

use super::{
    Batch, Connection, Context, Error, Event, Malformed, SendError, link, monitor, options, socket::Socket,
};

/// One end of a line between two.
pub struct Pair {
    socket: Socket,
    // Invariant: gone after `stop` only. Who tells a monitor that has gone waits for ever, and that is libzmq's own thread.
    events: Socket,
    endpoint: String,
}

impl Pair {
    /// Listens on the endpoint; a port of 0 is any free one. Whoever comes is announced to the doorkeeper of this
    /// context, if there is one, under this domain.
    pub fn bind(context: &Context, endpoint: &str, domain: &str) -> Result<Self, Error> {
        let mut pair = Self::open(context)?;
        let raw = pair.socket.raw();
        raw.set_zap_domain(domain).map_err(Error::open)?;
        pair.endpoint = link::bind(raw, endpoint)?;
        Ok(pair)
    }

    /// Connects, and tries again until it is connected or refused.
    pub fn connect(context: &Context, endpoint: &str) -> Result<Self, Error> {
        let mut pair = Self::open(context)?;
        pair.socket.raw().connect(endpoint).map_err(|source| Error::connect(endpoint, source))?;
        endpoint.clone_into(&mut pair.endpoint);
        Ok(pair)
    }

    fn open(context: &Context) -> Result<Self, Error> {
        let mut raw = context.0.socket(zmq::PAIR).map_err(Error::open)?;
        options::pair(&mut raw).map_err(Error::open)?;
        let events = monitor::watch(context, &raw)?;
        Ok(Self { socket: Socket::new(raw)?, events, endpoint: String::new() })
    }

    /// The endpoint; if it listens, as it became, with the real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends the batch to the other end. While there is none, a listening end refuses and a connecting one keeps it.
    pub fn try_send(&self, batch: Vec<u8>) -> Result<(), SendError> {
        self.socket.try_send(batch)
    }

    /// The next message and the connection it came by, if there is one.
    pub fn try_receive(&self) -> Option<Result<(Option<Connection>, Batch), Malformed>> {
        let mut batch = self.socket.first_part()?;
        if self.socket.skip(&batch) {
            return Some(Err(Malformed { peer: None }));
        }
        Some(Ok((Connection::of(&mut batch), Batch(batch))))
    }

    /// Returns when [`Self::try_receive`] may find something. For one task; may be dropped at any point.
    pub async fn readable(&self) {
        self.socket.readable().await;
    }

    /// What has become of a connection, if anything has. A connection is ready before its first message is there to be
    /// received, and may have left messages behind when it has ended.
    pub fn try_event(&self) -> Option<Event> {
        monitor::next(&self.events)
    }

    /// Returns when [`Self::try_event`] may find something. For one task; may be dropped at any point.
    pub async fn eventful(&self) {
        self.events.readable().await;
    }

    /// Closes it, and has what it has taken sent for so long. The end of the context waits for that.
    pub fn close(mut self, linger: Duration) {
        // Refused for a closed socket only.
        let _ = options::linger(self.socket.raw_mut(), linger);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        monitor::stop(self.socket.raw_mut());
    }
}
