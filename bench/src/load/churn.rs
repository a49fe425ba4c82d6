//! Sources that come and go: each connects, says one line, hears it, and closes; then the next takes its place.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;

use super::conversation::Conversation;
use super::{REPLY_TIMEOUT, Shape, latencies};
use crate::poll::{Flags, Poll, Ready};
use crate::pump::is_momentary;

pub(crate) struct Churn {
    poll: Poll,
    address: SocketAddr,
    size: usize,
    /// Token by index; none where a visit has ended and no other was to begin.
    visits: Vec<Option<Visit>>,
    begun: u32,
    /// From before the connect to the last byte of the line.
    latencies: Histogram<u64>,
    measuring_since: Instant,
    scratch: Vec<u8>,
}

struct Visit {
    stream: TcpStream,
    conversation: Conversation,
}

impl Churn {
    pub(crate) fn new(address: SocketAddr, shape: Shape) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            address,
            size: shape.size,
            visits: (0..shape.connections).map(|_| None).collect(),
            begun: 0,
            latencies: latencies()?,
            measuring_since: Instant::now(),
            scratch: vec![0; 2 * shape.size],
        })
    }

    pub(crate) fn run_for(&mut self, duration: Duration) -> Result<()> {
        let deadline = Instant::now() + duration;
        for slot in 0..self.visits.len() {
            if self.visits[slot].is_none() {
                self.begin(slot)?;
            }
        }
        while Instant::now() < deadline {
            self.turn(true)?;
        }
        Ok(())
    }

    pub(crate) fn begin_measuring(&mut self) {
        self.latencies.reset();
        self.measuring_since = Instant::now();
    }

    /// The sessions that ended since measuring began, and when that was.
    pub(crate) fn measured(&self) -> (&Histogram<u64>, Duration) {
        (&self.latencies, self.measuring_since.elapsed())
    }

    /// Lets the last sources hear what they wait for.
    pub(crate) fn finish(mut self) -> Result<()> {
        while self.visits.iter().any(Option::is_some) {
            self.turn(false)?;
        }
        Ok(())
    }

    fn begin(&mut self, slot: usize) -> Result<()> {
        let (mut conversation, mut line) = (Conversation::new(self.begun, self.size), Vec::new());
        conversation.compose(1, Instant::now(), &mut line);
        self.begun = self.begun.wrapping_add(1);
        let mut stream = TcpStream::connect(self.address)
            .with_context(|| format!("cannot connect to the peer at {}", self.address))?;
        stream.set_nodelay(true)?;
        stream.write_all(&line).context("cannot write to the peer")?;
        stream.set_nonblocking(true)?;
        self.poll.watch(&stream, slot as u64, Flags::EPOLLIN)?;
        self.visits[slot] = Some(Visit { stream, conversation });
        Ok(())
    }

    fn turn(&mut self, goes_on: bool) -> Result<()> {
        let mut ready: Vec<Ready> = Vec::new();
        self.poll.wait(&mut ready, Some(REPLY_TIMEOUT))?;
        if ready.is_empty() {
            bail!("nothing returned from the peer for {REPLY_TIMEOUT:?}");
        }
        for (token, _) in ready {
            let slot = token as usize;
            if self.hear(slot)? {
                self.visits[slot] = None;
                if goes_on {
                    self.begin(slot)?;
                }
            }
        }
        Ok(())
    }

    /// Whether its line has returned.
    fn hear(&mut self, slot: usize) -> Result<bool> {
        let Some(visit) = &mut self.visits[slot] else { return Ok(false) };
        let count = match (&visit.stream).read(&mut self.scratch) {
            Ok(0) => bail!("the peer closed a connection before it answered"),
            Ok(count) => count,
            Err(error) if is_momentary(&error) => return Ok(false),
            Err(error) => return Err(error).context("the peer broke a connection"),
        };
        let record = |latency: Duration| self.latencies.saturating_record(latency.as_nanos() as u64);
        visit.conversation.check(&self.scratch[..count], Instant::now(), record)?;
        Ok(visit.conversation.in_flight() == 0)
    }
}
