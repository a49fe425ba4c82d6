//! The sources: one thread, many connections, each with a fixed number of lines in flight, every returned byte checked.
//! It runs in the bench's own process, which is never counted; it is kept cheap because it shares the machine's cores
//! with what is measured.

pub(crate) mod churn;
mod conversation;
pub(crate) mod requests;

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

use self::conversation::Conversation;
pub(crate) use self::conversation::Language;
use crate::foo;
use crate::poll::{Flags, Poll, Ready};
use crate::pump::{SCRATCH, is_momentary, write_some};

/// Nothing at all returned for so long is a failure of the peer.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sessions may take to end after their last line.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST_LATENCY: u64 = 60_000_000_000;
/// The lines that fill buffers: long, to be done soon.
const FILL_SIZE: usize = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    pub(crate) connections: u32,
    pub(crate) in_flight: u32,
    pub(crate) size: usize,
}

pub(crate) struct Load {
    poll: Poll,
    shape: Shape,
    language: Language,
    /// Token by index; none where the peer has closed, which only `finish` allows.
    connections: Vec<Option<Connection>>,
    latencies: Histogram<u64>,
    measuring_since: Instant,
    last_reply: Instant,
    ready: Vec<Ready>,
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    conversation: Conversation,
    /// Lines it may still begin to send.
    allowance: u64,
    unwritten: Vec<u8>,
}

impl Load {
    pub(crate) fn connect(address: SocketAddr, shape: Shape, language: Language) -> Result<Self> {
        ensure!(
            language == Language::Letters || shape.size >= foo::SHORTEST,
            "a request of the Foo protocol has {} bytes at least here",
            foo::SHORTEST
        );
        let now = Instant::now();
        let mut load = Self {
            poll: Poll::new()?,
            shape,
            language,
            connections: Vec::new(),
            latencies: latencies()?,
            measuring_since: now,
            last_reply: now,
            ready: Vec::new(),
            scratch: vec![0; SCRATCH],
        };
        for number in 0..shape.connections {
            load.connect_one(address, number)?;
        }
        Ok(load)
    }

    fn connect_one(&mut self, address: SocketAddr, number: u32) -> Result<()> {
        let stream = TcpStream::connect(address)
            .with_context(|| format!("cannot connect to the peer at {address}"))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        self.poll.watch(&stream, u64::from(number), Flags::EPOLLIN)?;
        let conversation = Conversation::new(number, self.shape.size).speaking(self.language);
        self.connections.push(Some(Connection { stream, conversation, allowance: 0, unwritten: Vec::new() }));
        Ok(())
    }

    pub(crate) fn run_for(&mut self, duration: Duration) -> Result<()> {
        let deadline = Instant::now() + duration;
        self.allow(u64::MAX)?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }

    /// One line through each connection: when it has returned, every session is up.
    pub(crate) fn greet(&mut self) -> Result<()> {
        self.allow(1)?;
        self.until_idle()
    }

    /// Sends so many bytes through each connection, in long lines, and waits for their return.
    pub(crate) fn fill(&mut self, bytes_each: u64) -> Result<()> {
        self.drain()?;
        self.set_size(FILL_SIZE);
        self.allow(bytes_each / FILL_SIZE as u64)?;
        self.until_idle()?;
        self.set_size(self.shape.size);
        Ok(())
    }

    pub(crate) fn begin_measuring(&mut self) {
        self.latencies.reset();
        self.measuring_since = Instant::now();
    }

    /// What came back since measuring began, and when that was.
    pub(crate) fn measured(&self) -> (&Histogram<u64>, Duration) {
        (&self.latencies, self.measuring_since.elapsed())
    }

    /// Waits for what is in flight, so that what was sent is a number that stands still.
    pub(crate) fn drain(&mut self) -> Result<()> {
        self.allow(0)?;
        self.until_idle()
    }

    /// Bytes given to the peer so far.
    pub(crate) fn sent(&self) -> u64 {
        self.open()
            .map(|connection| connection.conversation.composed() - connection.unwritten.len() as u64)
            .sum()
    }

    /// Ends every session, and makes sure that nothing returns but its end. Says how many did not end in time.
    pub(crate) fn finish(mut self) -> Result<usize> {
        self.drain()?;
        for connection in self.open() {
            connection.stream.shutdown(Shutdown::Write)?;
        }
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        while self.open().count() > 0 && Instant::now() < deadline {
            self.poll.wait(&mut self.ready, Some(deadline.saturating_duration_since(Instant::now())))?;
            for (token, _) in std::mem::take(&mut self.ready) {
                self.expect_end(token as usize)?;
            }
        }
        Ok(self.open().count())
    }

    fn expect_end(&mut self, index: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[index] else { return Ok(()) };
        if connection.receive(&mut self.scratch, &mut self.latencies)? == Received::End {
            self.connections[index] = None;
        }
        Ok(())
    }

    fn open(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().flatten()
    }

    fn set_size(&mut self, size: usize) {
        for connection in self.connections.iter_mut().flatten() {
            connection.conversation.set_size(size);
        }
    }

    fn allow(&mut self, lines: u64) -> Result<()> {
        self.last_reply = Instant::now();
        for (token, connection) in self.connections.iter_mut().enumerate() {
            let Some(connection) = connection else { continue };
            connection.allowance = lines;
            connection.send(&self.poll, token as u64, self.shape.in_flight)?;
        }
        Ok(())
    }

    fn until_idle(&mut self) -> Result<()> {
        while self.open().any(|connection| connection.conversation.in_flight() > 0) {
            self.turn(REPLY_TIMEOUT)?;
        }
        Ok(())
    }

    fn turn(&mut self, at_most: Duration) -> Result<()> {
        self.poll.wait(&mut self.ready, Some(at_most.min(REPLY_TIMEOUT)))?;
        if !self.ready.is_empty() {
            self.last_reply = Instant::now();
        } else if self.last_reply.elapsed() >= REPLY_TIMEOUT {
            bail!("nothing returned from the peer for {REPLY_TIMEOUT:?}");
        }
        for (token, flags) in &self.ready {
            // A token is given once, and connections are removed only when the load has ended.
            let connection = self.connections[*token as usize].as_mut().expect("open until the load ends");
            if flags.contains(Flags::EPOLLOUT) {
                connection.flush(&self.poll, *token)?;
            }
            if flags.intersects(Flags::EPOLLIN | Flags::EPOLLHUP | Flags::EPOLLERR) {
                if connection.receive(&mut self.scratch, &mut self.latencies)? == Received::End {
                    bail!("the peer closed connection {token}");
                }
                connection.send(&self.poll, *token, self.shape.in_flight)?;
            }
        }
        Ok(())
    }
}

/// For nanoseconds.
fn latencies() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LONGEST_LATENCY, 3)?)
}

#[derive(PartialEq, Eq)]
enum Received {
    Bytes,
    End,
}

impl Connection {
    /// Begins as many lines as may be in flight.
    fn send(&mut self, poll: &Poll, token: u64, in_flight: u32) -> Result<()> {
        let room = u64::from(in_flight).saturating_sub(self.conversation.in_flight() as u64);
        let count = room.min(self.allowance);
        if count == 0 {
            return Ok(());
        }
        self.allowance -= count;
        let was_blocked = !self.unwritten.is_empty();
        self.conversation.compose(count, Instant::now(), &mut self.unwritten);
        if was_blocked { Ok(()) } else { self.write(poll, token, false) }
    }

    fn flush(&mut self, poll: &Poll, token: u64) -> Result<()> {
        self.write(poll, token, true)
    }

    fn write(&mut self, poll: &Poll, token: u64, was_blocked: bool) -> Result<()> {
        let written = write_some(&self.stream, &self.unwritten).context("cannot write to the peer")?;
        self.unwritten.drain(..written);
        let is_blocked = !self.unwritten.is_empty();
        match (was_blocked, is_blocked) {
            (false, true) => poll.rewatch(&self.stream, token, Flags::EPOLLIN | Flags::EPOLLOUT),
            (true, false) => poll.rewatch(&self.stream, token, Flags::EPOLLIN),
            _ => Ok(()),
        }
    }

    fn receive(&mut self, scratch: &mut [u8], latencies: &mut Histogram<u64>) -> Result<Received> {
        match (&self.stream).read(scratch) {
            Ok(0) => Ok(Received::End),
            Ok(count) => {
                let record = |latency: Duration| latencies.saturating_record(latency.as_nanos() as u64);
                self.conversation.check(&scratch[..count], Instant::now(), record)?;
                Ok(Received::Bytes)
            }
            Err(error) if is_momentary(&error) => Ok(Received::Bytes),
            Err(error) => Err(error).context("the peer broke a connection"),
        }
    }
}
