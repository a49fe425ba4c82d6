//! What becomes of the connections of a socket: libzmq's socket monitor, which is a PAIR of its own over `inproc://`.
//!
//! libzmq tells from its own thread, and waits for who does not read: so what is told may pile up here without a bound,
//! and [`stop`] comes before the end of the reader.

use std::{
    ffi::c_int,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use zmq::Message;
use zmq_sys::{
    ZMQ_EVENT_ACCEPTED, ZMQ_EVENT_CONNECTED, ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
    ZMQ_EVENT_HANDSHAKE_SUCCEEDED, zmq_socket_monitor,
};

use super::{Context, Error, options, socket::Socket};

const WATCHED: u32 = ZMQ_EVENT_ACCEPTED
    | ZMQ_EVENT_CONNECTED
    | ZMQ_EVENT_DISCONNECTED
    | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
    | ZMQ_EVENT_HANDSHAKE_SUCCEEDED;

/// A connection of this process, as long as it is open; its number may be another's later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection(pub u32);

impl Connection {
    /// The one that a message came by.
    pub(super) fn of(message: &mut Message) -> Option<Self> {
        // libzmq's name for the descriptor of the connection; `zmq_msg_get(ZMQ_SRCFD)` reads the same.
        message.gets("__fd")?.parse().ok().map(Self)
    }

    /// How many bytes the kernel was given for it that the other end has not acknowledged; `None` if it is not open.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "ioctl(SIOCOUTQ) on a descriptor that is libzmq's")]
    pub(super) fn unacknowledged(self) -> Option<u32> {
        let mut bytes: c_int = 0;
        // SAFETY: the kernel writes an int for a socket, and nothing for any other descriptor, or none.
        let status = unsafe { libc::ioctl(self.0.cast_signed(), libc::TIOCOUTQ, &raw mut bytes) };
        (status == 0).then(|| bytes.unsigned_abs())
    }

    /// So much time may pass in which the other end takes nothing of what waits for it, before the kernel gives it up.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "setsockopt(TCP_USER_TIMEOUT) on a descriptor that is libzmq's")]
    pub(super) fn give_up_after(self, patience: Duration) {
        let patience = patience.as_millis() as libc::c_uint;
        // SAFETY: the kernel reads an int for a socket of TCP, and nothing for any other descriptor, or none; which then
        // keeps the patience it has.
        unsafe {
            libc::setsockopt(
                self.0.cast_signed(),
                libc::IPPROTO_TCP,
                libc::TCP_USER_TIMEOUT,
                (&raw const patience).cast(),
                size_of_val(&patience) as libc::socklen_t,
            );
        }
    }

    /// Other systems give up when they do.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn give_up_after(self, _: Duration) {}

    /// Other systems do not tell.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn unacknowledged(self) -> Option<u32> {
        Some(0)
    }
}

/// What has become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is there, and nothing has been said on it.
    Connected(Connection),
    /// Both sides agree: messages can go. Which connection it is, its messages tell.
    Ready,
    /// This end, or the other, has a doorkeeper who said no with this code: 300, 400 or 500.
    Refused(u16),
    /// It has ended. If it never was ready, the other end is no ZeroMQ socket, or none of a kind that goes with this one.
    Disconnected(Connection),
}

impl Event {
    fn parse(frame: &[u8]) -> Option<Self> {
        let (kind, value) = frame.split_first_chunk()?;
        let value = u32::from_ne_bytes(value.try_into().ok()?);
        Some(match u32::from(u16::from_ne_bytes(*kind)) {
            ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED => Self::Connected(Connection(value)),
            ZMQ_EVENT_HANDSHAKE_SUCCEEDED => Self::Ready,
            ZMQ_EVENT_HANDSHAKE_FAILED_AUTH => Self::Refused(u16::try_from(value).ok()?),
            ZMQ_EVENT_DISCONNECTED => Self::Disconnected(Connection(value)),
            _ => return None,
        })
    }
}

/// Tells of the socket's connections from now on.
pub(super) fn watch(context: &Context, raw: &zmq::Socket) -> Result<Socket, Error> {
    static WATCHES: AtomicU64 = AtomicU64::new(0);
    let endpoint = format!("inproc://pegloom-watch-{}", WATCHES.fetch_add(1, Ordering::Relaxed));
    raw.monitor(&endpoint, WATCHED.cast_signed()).map_err(Error::open)?;
    let mut events = context.0.socket(zmq::PAIR).map_err(Error::open)?;
    options::watch(&mut events).map_err(Error::open)?;
    events.connect(&endpoint).map_err(|source| Error::connect(&endpoint, source))?;
    Socket::new(events)
}

/// The next event, if there is one.
pub(super) fn next(events: &Socket) -> Option<Event> {
    loop {
        let first = events.first_part()?;
        // The endpoint of ours that it happened at.
        events.skip(&first);
        if let Some(event) = Event::parse(&first) {
            return Some(event);
        }
    }
}

/// Tells no more.
#[expect(unsafe_code, reason = "the crate `zmq` can only start a monitor")]
pub(super) fn stop(raw: &mut zmq::Socket) {
    // SAFETY: the socket is open, and without an endpoint nothing is read through the pointer.
    let _: c_int = unsafe { zmq_socket_monitor(raw.as_mut_ptr(), ptr::null(), 0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u32, value: u32) -> Vec<u8> {
        [&(kind as u16).to_ne_bytes()[..], &value.to_ne_bytes()].concat()
    }

    #[test]
    fn an_event_is_read_and_anything_else_is_not() {
        assert_eq!(Event::parse(&frame(ZMQ_EVENT_ACCEPTED, 7)), Some(Event::Connected(Connection(7))));
        assert_eq!(Event::parse(&frame(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0)), Some(Event::Ready));
        assert_eq!(Event::parse(&frame(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400)), Some(Event::Refused(400)));
        assert_eq!(Event::parse(&frame(zmq_sys::ZMQ_EVENT_LISTENING, 7)), None);
        assert_eq!(Event::parse(b"\x01"), None);
        assert_eq!(Event::parse(b""), None);
    }
}
