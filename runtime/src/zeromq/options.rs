//! The socket options, each with its reason: libzmq's defaults are made for other uses.
//!
//! There are no ZMTP heartbeats on purpose: with a full receive pipe they tear down healthy connections and can abort
//! the process. Liveness is the link's own.

use std::{ffi::c_int, time::Duration};

use zmq::{Error, Result, Socket};
use zmq_sys::zmq_setsockopt;

use super::Limits;

/// The longest message a peer may send, in bytes; a longer one costs it the connection. Four times the longest batch. It holds
/// for all parts together: one that others follow counts in whole blocks of 8 KiB, one more than it fills.
pub const MAX_BATCH: i64 = 1024 * 1024;

/// How long a closed publisher may still send what it has taken.
pub const PUBLISHER_LINGER: Duration = Duration::from_millis(300);

/// How long a dealer that is closed with care may still send what it has taken.
pub const LAST_WORDS: Duration = Duration::from_millis(300);

/// How long between attempts to connect: at first, and doubling up to the most.
const RECONNECT: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(2);
/// How long the kernel may try to connect before libzmq starts afresh; its own patience is minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may take to become a ZMTP one; who connects and says nothing is shown the door.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence before the first TCP probe, time between probes, probes until the connection is given up.
const KEEPALIVE: (Duration, Duration, i32) = (Duration::from_secs(15), Duration::from_secs(5), 3);
/// A TCP connection on which something goes unacknowledged for so long is given up for a fresh one. Else the kernel tries
/// again ever more rarely, and a network that is whole again is noticed as late as it was broken long, or two minutes.
/// Longer than the silence that links take for death.
///
/// The kernel counts likewise while a peer has no room, so who reads nothing for so long is cut off too. Links and lines have
/// beats, and have given such a peer up before; a subscriber comes back by itself, and the next report says all.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// The same in a hall. Strangers have no beats, may pause, and would not learn that they were cut off and are to join again;
/// what waits for one is bounded, and who lets it wait too long is dropped with a reason. So only who is gone is given up.
const UNACKNOWLEDGED_BY_STRANGERS: Duration = Duration::from_secs(120);

/// A high-water mark of none: it counts messages and is inexact; credit counts bytes and is exact.
const UNLIMITED: i32 = 0;
/// How many messages of one peer may wait to be received. It delays a peer that floods, which then fills its own
/// kernel's buffers, and loses nothing.
const RECEIVE_QUEUE: i32 = 10_000;
/// How many reports may wait for a subscriber that does not read. Beyond that they are lost, as reports may be; without
/// it a listener that is stopped would eat the memory of every node.
const PUBLISH_QUEUE: i32 = 1_000;
/// How many messages may wait at each end of a line, and how long each may be. What people say is short, and nobody is to
/// fill another's memory with it.
const PAIR_QUEUE: i32 = 1_000;
const MAX_PAIR_MESSAGE: i64 = 64 * 1024;

pub(super) fn router(socket: &mut Socket) -> Result<()> {
    link(socket)?;
    // Else what is sent to a peer that is not there vanishes without a word.
    socket.set_router_mandatory(true)?;
    // Else a peer that comes back before its old connection is known to be dead is not heard.
    socket.set_router_handover(true)
}

/// A router for strangers: what waits for one of them, and from one of them, is bounded here, since no credit does it.
pub(super) fn hall(socket: &mut Socket, limits: &Limits) -> Result<()> {
    everywhere(socket)?;
    socket.set_maxmsgsize(limits.message)?;
    socket.set_sndhwm(limits.to_one)?;
    socket.set_rcvhwm(limits.from_one)?;
    socket.set_linger(millis(limits.linger))?;
    give_up(socket, UNACKNOWLEDGED_BY_STRANGERS)?;
    socket.set_router_mandatory(true)?;
    socket.set_router_handover(true)
}

/// What waits to be sent is bounded by `queue` where no credit is counted.
pub(super) fn dealer(socket: &mut Socket, identity: &[u8], queue: Option<u16>) -> Result<()> {
    link(socket)?;
    socket.set_sndhwm(queue.map_or(UNLIMITED, i32::from))?;
    socket.set_identity(identity)?;
    // Nothing is queued for a connection that is not there: it would arrive in the next one, where it means nothing.
    socket.set_immediate(true)
}

pub(super) fn publisher(socket: &mut Socket) -> Result<()> {
    everywhere(socket)?;
    // Nothing waits for a listener that has gone: whoever comes next would hear it in a rush, long after it was so.
    socket.set_immediate(true)?;
    socket.set_sndhwm(PUBLISH_QUEUE)?;
    socket.set_linger(millis(PUBLISHER_LINGER))
}

pub(super) fn subscriber(socket: &mut Socket) -> Result<()> {
    link(socket)
}

/// Neither end queues without a bound, and what was meant for one who has gone is not said to the next.
pub(super) fn pair(socket: &mut Socket) -> Result<()> {
    everywhere(socket)?;
    socket.set_sndhwm(PAIR_QUEUE)?;
    socket.set_rcvhwm(PAIR_QUEUE)?;
    socket.set_maxmsgsize(MAX_PAIR_MESSAGE)?;
    socket.set_linger(0)
}

/// What libzmq itself says is never refused: it would wait, and with it all connections.
pub(super) fn watch(socket: &mut Socket) -> Result<()> {
    socket.set_rcvhwm(UNLIMITED)?;
    socket.set_linger(0)
}

pub(super) fn linger(socket: &mut Socket, linger: Duration) -> Result<()> {
    socket.set_linger(millis(linger))
}

fn link(socket: &mut Socket) -> Result<()> {
    everywhere(socket)?;
    socket.set_sndhwm(UNLIMITED)?;
    // The default waits for ever for a peer that may never come back.
    socket.set_linger(0)
}

fn everywhere(socket: &mut Socket) -> Result<()> {
    socket.set_rcvhwm(RECEIVE_QUEUE)?;
    socket.set_maxmsgsize(MAX_BATCH)?;
    socket.set_ipv6(true)?;
    socket.set_handshake_ivl(millis(HANDSHAKE_TIMEOUT))?;
    socket.set_connect_timeout(millis(CONNECT_TIMEOUT))?;
    socket.set_reconnect_ivl(millis(RECONNECT))?;
    socket.set_reconnect_ivl_max(millis(RECONNECT_MAX))?;
    give_up(socket, UNACKNOWLEDGED)?;
    keepalive(socket)
}

fn keepalive(socket: &Socket) -> Result<()> {
    let (idle, interval, probes) = KEEPALIVE;
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(seconds(idle))?;
    socket.set_tcp_keepalive_intvl(seconds(interval))?;
    socket.set_tcp_keepalive_cnt(probes)
}

/// Names an option that the crate `zmq` has no name for: when a TCP connection is given up.
const ZMQ_TCP_MAXRT: c_int = 80;

#[expect(unsafe_code, reason = "the crate `zmq` leaves this option out")]
fn give_up(socket: &mut Socket, time: Duration) -> Result<()> {
    let value: c_int = millis(time);
    // SAFETY: the socket is open, and libzmq copies an int of this length.
    let result = unsafe {
        zmq_setsockopt(socket.as_mut_ptr(), ZMQ_TCP_MAXRT, (&raw const value).cast(), size_of::<c_int>())
    };
    if result == 0 { Ok(()) } else { Err(Error::EINVAL) }
}

fn millis(duration: Duration) -> i32 {
    duration.as_millis() as i32
}

fn seconds(duration: Duration) -> i32 {
    duration.as_secs() as i32
}

#[cfg(test)]
mod tests {
    use zmq::{Context, SocketType};

    use super::*;

    #[expect(unsafe_code, reason = "the crate `zmq` leaves this option out")]
    fn given_up_after(socket: &mut Socket) -> Duration {
        let (mut value, mut len): (c_int, usize) = (0, size_of::<c_int>());
        // SAFETY: the socket is open, and libzmq writes an int of this length.
        let result = unsafe {
            zmq_sys::zmq_getsockopt(socket.as_mut_ptr(), ZMQ_TCP_MAXRT, (&raw mut value).cast(), &raw mut len)
        };
        assert_eq!(result, 0);
        Duration::from_millis(value.try_into().unwrap())
    }

    fn socket(kind: SocketType) -> Socket {
        Context::new().socket(kind).unwrap()
    }

    // Leave out `give_up` in `hall`: who pauses for 12 s is cut off, and never knows.
    #[test]
    fn only_a_hall_waits_for_who_does_not_read() {
        let limits = Limits { message: MAX_BATCH, to_one: 1, from_one: 1, linger: Duration::ZERO };
        let mut open = socket(zmq::ROUTER);
        hall(&mut open, &limits).unwrap();
        assert_eq!(given_up_after(&mut open), UNACKNOWLEDGED_BY_STRANGERS);
        for (kind, options) in [
            (zmq::ROUTER, router as fn(&mut Socket) -> Result<()>),
            (zmq::PAIR, pair),
            (zmq::PUB, publisher),
            (zmq::SUB, subscriber),
        ] {
            let mut other = socket(kind);
            options(&mut other).unwrap();
            assert_eq!(given_up_after(&mut other), UNACKNOWLEDGED, "{kind:?}");
        }
    }
}
