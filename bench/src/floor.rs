//! The floor: a relay of one thread that reads, writes and does nothing else. No proxy with a socket on each side can
//! cost much less, so it tells how much of a peer's cost is system calls and how much is its own.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result};

use crate::poll::{Flags, Poll};
use crate::pump::{Flow, Pump, SCRATCH};

const LISTENER: u64 = u64::MAX;

pub(crate) fn run(forward: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let poll = Poll::new()?;
    poll.watch(&listener, LISTENER, Flags::EPOLLIN)?;
    Floor { poll, listener, forward, pairs: Vec::new(), scratch: vec![0; SCRATCH] }.serve()
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    forward: SocketAddr,
    /// Token / 2 is the pair, token % 2 the side of it. Holes are used again.
    pairs: Vec<Option<Pair>>,
    scratch: Vec<u8>,
}

/// Side 0 is the source, 1 the destination; a pump carries what its side says to the other.
struct Pair {
    sides: [TcpStream; 2],
    pumps: [Pump; 2],
}

impl Floor {
    fn serve(mut self) -> Result<()> {
        let mut ready = Vec::new();
        loop {
            self.poll.wait(&mut ready, None)?;
            for (token, flags) in ready.drain(..) {
                match token {
                    LISTENER => self.accept()?,
                    token => self.relay(token, flags)?,
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        let (source, _) = self.listener.accept().context("cannot accept a source")?;
        let destination = TcpStream::connect(self.forward).context("cannot reach the destination")?;
        let index = self.vacant_slot();
        for (side, stream) in [&source, &destination].into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.poll.watch(stream, token(index, side), Flags::EPOLLIN)?;
        }
        self.pairs[index] = Some(Pair { sides: [source, destination], pumps: Default::default() });
        Ok(())
    }

    fn vacant_slot(&mut self) -> usize {
        self.pairs.iter().position(Option::is_none).unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        })
    }

    fn relay(&mut self, ready: u64, flags: Flags) -> Result<()> {
        let (index, side) = ((ready / 2) as usize, (ready % 2) as usize);
        let Some(pair) = &mut self.pairs[index] else { return Ok(()) };
        let before = pair.flows();
        let lives = pair.turn(side, flags, &mut self.scratch).is_ok();
        let after = pair.flows();
        if !lives || after == [Flow::Ended; 2] {
            self.pairs[index] = None;
        } else if before != after {
            for (side, stream) in pair.sides.iter().enumerate() {
                self.poll.rewatch(stream, token(index, side), interest(after[side], after[1 - side]))?;
            }
        }
        Ok(())
    }
}

impl Pair {
    fn flows(&self) -> [Flow; 2] {
        [self.pumps[0].flow(), self.pumps[1].flow()]
    }

    fn turn(&mut self, side: usize, flags: Flags, scratch: &mut [u8]) -> std::io::Result<()> {
        let other = 1 - side;
        if flags.contains(Flags::EPOLLOUT) {
            self.pumps[other].turn(&self.sides[other], &self.sides[side], scratch)?;
        }
        if flags.intersects(Flags::EPOLLIN | Flags::EPOLLHUP | Flags::EPOLLERR) {
            self.pumps[side].turn(&self.sides[side], &self.sides[other], scratch)?;
        }
        Ok(())
    }
}

fn token(index: usize, side: usize) -> u64 {
    (index * 2 + side) as u64
}

/// What a side waits for, when this is what it says and what it is told.
fn interest(says: Flow, told: Flow) -> Flags {
    let read = if says == Flow::Open { Flags::EPOLLIN } else { Flags::empty() };
    let write = if told == Flow::Blocked { Flags::EPOLLOUT } else { Flags::empty() };
    read | write
}
