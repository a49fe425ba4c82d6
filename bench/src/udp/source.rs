//! Sources of datagrams: sockets of one thread, at a steady pace, many datagrams a system call.

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};

use super::tally::Tally;
use crate::load::Shape;
use crate::message;

/// The most that one socket sends at once.
const BATCH: usize = 32;
const NANOS: u128 = 1_000_000_000;
const TICK: Duration = Duration::from_micros(200);
/// What could not be sent for so long, because the bench did not run, is not sent at all: no burst of its own making.
const LONGEST_BURST: Duration = Duration::from_millis(10);

pub(crate) struct Sources {
    sockets: Vec<UdpSocket>,
    /// The number of each one's next datagram.
    next: Vec<u32>,
    /// Whose turn it is where not all can send the same.
    turn: usize,
    size: usize,
    sent: Tally,
}

impl Sources {
    pub(crate) fn connect(address: SocketAddr, shape: Shape) -> Result<Self> {
        let connect = |_| {
            let socket = UdpSocket::bind("127.0.0.1:0").context("cannot open a source")?;
            socket.connect(address).with_context(|| format!("cannot connect to the peer at {address}"))?;
            Ok(socket)
        };
        let sockets = (0..shape.connections).map(connect).collect::<Result<Vec<_>>>()?;
        let next = vec![0; sockets.len()];
        Ok(Self { sockets, next, turn: 0, size: shape.size, sent: Tally::default() })
    }

    pub(crate) fn sent(&self) -> Tally {
        self.sent
    }

    /// One datagram from each.
    pub(crate) fn greet(&mut self) -> Result<()> {
        self.send(self.sockets.len() as u64)
    }

    /// Sends this many a second, and says for how long.
    pub(crate) fn run_for(&mut self, duration: Duration, rate: u64) -> Result<Duration> {
        let begin = Instant::now();
        let mut pace = Pace { rate, accounted: Duration::ZERO, rest: 0 };
        while begin.elapsed() < duration {
            let due = pace.due(begin.elapsed());
            self.send(due)?;
            thread::sleep(TICK);
        }
        Ok(begin.elapsed())
    }

    fn send(&mut self, count: u64) -> Result<()> {
        let sources = self.sockets.len();
        let (each, more) = (count / sources as u64, count % sources as u64);
        for nth in 0..sources {
            let source = (self.turn + nth) % sources;
            self.send_from(source, each + u64::from((nth as u64) < more))?;
        }
        self.turn = (self.turn + more as usize) % sources;
        Ok(())
    }

    fn send_from(&mut self, source: usize, mut count: u64) -> Result<()> {
        while count > 0 {
            count -= self.send_batch(source, count.min(BATCH as u64) as u32)?;
        }
        Ok(())
    }

    /// Says how many the kernel took.
    fn send_batch(&mut self, source: usize, count: u32) -> Result<u64> {
        let first = self.next[source];
        let mut bytes = Vec::with_capacity(count as usize * self.size);
        for number in 0..count {
            message::append(&mut bytes, source as u32, first.wrapping_add(number), self.size);
        }
        let taken = send_together(&self.sockets[source], bytes.chunks(self.size))?;
        for number in 0..taken {
            self.sent.count_one(source as u32, first.wrapping_add(number), self.size);
        }
        self.next[source] = first.wrapping_add(taken);
        Ok(u64::from(taken))
    }
}

fn send_together<'a>(socket: &UdpSocket, datagrams: impl Iterator<Item = &'a [u8]>) -> Result<u32> {
    let slices: Vec<_> = datagrams.map(|datagram| [IoSlice::new(datagram)]).collect();
    let mut headers = MultiHeaders::<()>::preallocate(slices.len(), None);
    let addresses = vec![None; slices.len()];
    match sendmmsg(socket.as_raw_fd(), &mut headers, &slices, addresses, [], MsgFlags::empty()) {
        Ok(sent) => Ok(sent.count() as u32),
        Err(Errno::EINTR | Errno::ENOBUFS) => Ok(0),
        Err(errno) => Err(errno).context("cannot send to the peer"),
    }
}

/// How many are due at a moment.
struct Pace {
    rate: u64,
    accounted: Duration,
    /// The fraction of a datagram that was due last time, as a numerator over `NANOS`.
    rest: u128,
}

impl Pace {
    fn due(&mut self, elapsed: Duration) -> u64 {
        let passed = elapsed.saturating_sub(self.accounted).min(LONGEST_BURST);
        self.accounted = elapsed;
        let due = passed.as_nanos() * u128::from(self.rate) + self.rest;
        self.rest = due % NANOS;
        (due / NANOS) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_add_up_to_the_rate() {
        let mut pace = Pace { rate: 1234, accounted: Duration::ZERO, rest: 0 };
        let sent: u64 = (1..=10_000).map(|tick| pace.due(Duration::from_micros(tick * 100))).sum();
        assert_eq!(sent, 1234);
    }

    #[test]
    fn a_pause_of_the_bench_makes_no_burst() {
        let mut pace = Pace { rate: 100_000, accounted: Duration::ZERO, rest: 0 };
        assert_eq!(pace.due(Duration::from_millis(500)), 1000);
        assert_eq!(pace.due(Duration::from_millis(501)), 100);
    }

    #[test]
    fn every_source_has_its_turn() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let shape = Shape { connections: 3, in_flight: 1, size: 20 };
        let mut sources = Sources::connect(receiver.local_addr().unwrap(), shape).unwrap();
        (0..4).for_each(|_| sources.send(2).unwrap());

        let mut received = Tally::default();
        for _ in 0..8 {
            let mut datagram = [0; 64];
            let length = receiver.recv(&mut datagram).unwrap();
            received.count(&datagram[..length]);
        }
        assert_eq!((received, sources.next.as_slice()), (sources.sent(), &[3, 3, 2][..]));
    }
}
