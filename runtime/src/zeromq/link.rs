//! The two ends of links: an ingress binds a [`Router`], workers connect a [`Dealer`] each.
//!
//! One message is one batch: `[id, batch]` at the router, `[batch]` at the dealer. Over `inproc://`, `ipc://` and
//! `tcp://` alike. A batch is given away with its memory, and copied only where it is short. A link that is dropped loses
//! what it has not sent.

use std::{fs, io, net::IpAddr, os::unix::fs::FileTypeExt as _};

use socket2::{Domain, SockAddr, Type};

use super::{Batch, Context, Error, Malformed, PeerId, SendError, options, socket::Socket};

/// The bound end of links, which has many peers.
pub struct Router {
    socket: Socket,
    endpoint: String,
}

impl Router {
    /// Listens on the endpoint; a port of 0 is any free one.
    ///
    /// Panics outside of a runtime that does input and output, as the other sockets do.
    pub fn bind(context: &Context, endpoint: &str) -> Result<Self, Error> {
        let mut raw = context.0.socket(zmq::ROUTER).map_err(Error::open)?;
        options::router(&mut raw).map_err(Error::open)?;
        let endpoint = bind(&raw, endpoint)?;
        Ok(Self { socket: Socket::new(raw)?, endpoint })
    }

    /// The endpoint as it became, with the real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends the batch to the peer.
    pub fn try_send(&self, peer: PeerId, batch: Vec<u8>) -> Result<(), SendError> {
        self.socket.try_send_to(peer.as_bytes(), batch)
    }

    /// The next message, if there is one.
    pub fn try_receive(&self) -> Option<Result<(PeerId, Batch), Malformed>> {
        let id = self.socket.first_part()?;
        let peer = PeerId::new(&id);
        let batch = self.socket.last_part(&id);
        Some(peer.zip(batch.map(Batch)).ok_or(Malformed { peer }))
    }

    /// The same, and where it came from.
    pub fn try_receive_from(&self) -> Option<Result<Received, Malformed>> {
        let received = self.try_receive()?;
        Some(received.map(|(peer, mut batch)| {
            let from = batch.0.gets("Peer-Address").and_then(|address| address.parse::<IpAddr>().ok());
            Received { peer, from: from.map(|address| address.to_canonical()), batch }
        }))
    }

    /// Returns when [`Self::try_receive`] may find something. For one task; may be dropped at any point.
    pub async fn readable(&self) {
        self.socket.readable().await;
    }
}

/// A message at a router, and where it came from.
#[derive(Debug)]
pub struct Received {
    /// Who sent it.
    pub peer: PeerId,
    /// From where; none but over `tcp://`.
    pub from: Option<IpAddr>,
    /// What.
    pub batch: Batch,
}

/// The connecting end of a link, which has one peer.
pub struct Dealer {
    socket: Socket,
}

impl Dealer {
    /// Connects, for ever again, under this routing id: 1 to [`PeerId::MAX_LEN`] bytes, the first not zero, and random,
    /// since who comes with a used one takes over.
    pub fn connect(context: &Context, endpoint: &str, identity: &[u8]) -> Result<Self, Error> {
        Self::open(context, endpoint, identity, None)
    }

    /// The same, where no credit bounds what waits to be sent: no more than so many batches do. What is more is refused as if
    /// there were no connection.
    pub fn connect_bounded(
        context: &Context,
        endpoint: &str,
        identity: &[u8],
        queue: u16,
    ) -> Result<Self, Error> {
        Self::open(context, endpoint, identity, Some(queue))
    }

    fn open(context: &Context, endpoint: &str, identity: &[u8], queue: Option<u16>) -> Result<Self, Error> {
        PeerId::new(identity).filter(|_| identity[0] != 0).ok_or(Error::Identity)?;
        let mut raw = context.0.socket(zmq::DEALER).map_err(Error::open)?;
        options::dealer(&mut raw, identity, queue).map_err(Error::open)?;
        raw.connect(endpoint).map_err(|source| Error::connect(endpoint, source))?;
        Ok(Self { socket: Socket::new(raw)? })
    }

    /// Sends the batch.
    pub fn try_send(&self, batch: Vec<u8>) -> Result<(), SendError> {
        // What refuses is that there is no queue, for want of a connection; or that it is full, if it has a bound.
        self.socket.try_send(batch).map_err(|_| SendError::Unreachable)
    }

    /// The next message, if there is one.
    pub fn try_receive(&self) -> Option<Result<Batch, Malformed>> {
        let batch = self.socket.first_part()?;
        let skipped = self.socket.skip(&batch);
        Some(if skipped { Err(Malformed { peer: None }) } else { Ok(Batch(batch)) })
    }

    /// Returns when [`Self::try_receive`] may find something. For one task; may be dropped at any point.
    pub async fn readable(&self) {
        self.socket.readable().await;
    }
}

/// Binds and says where.
pub(super) fn bind(raw: &zmq::Socket, endpoint: &str) -> Result<String, Error> {
    if let Some(path) = endpoint.strip_prefix("ipc://") {
        look_at(path).map_err(|source| Error::bind(endpoint, source))?;
    }
    raw.bind(endpoint).map_err(|source| Error::bind(endpoint, source))?;
    let bound = raw.get_last_endpoint().map_err(Error::open)?;
    Ok(unmapped(&bound.unwrap_or_else(|_| endpoint.to_owned())))
}

/// A socket that may speak IPv6 tells an IPv4 address as `[::ffff:127.0.0.1]`; nobody typed that.
fn unmapped(endpoint: &str) -> String {
    let mapped = endpoint.strip_prefix("tcp://[::ffff:").and_then(|rest| rest.split_once(']'));
    mapped.map_or_else(|| endpoint.to_owned(), |(address, port)| format!("tcp://{address}{port}"))
}

/// libzmq removes whatever is at an ipc path before it binds: a file, or the socket that another process listens on.
/// Only a socket that nobody listens on is to go.
fn look_at(path: &str) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            Ok(())
        }
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_as_it_was_typed() {
        assert_eq!(unmapped("tcp://[::ffff:127.0.0.1]:7100"), "tcp://127.0.0.1:7100");
        assert_eq!(unmapped("tcp://[::1]:7100"), "tcp://[::1]:7100");
        assert_eq!(unmapped("ipc:///run/pegloom"), "ipc:///run/pegloom");
    }
}
