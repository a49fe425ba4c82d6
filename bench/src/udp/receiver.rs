//! Receivers of datagrams: a process of one thread with some sockets. It prints their addresses on stdout, one a line,
//! answers each line on stdin with what every one of them has received, and ends with its stdin.

use std::io::{self, IoSliceMut, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt};
use serde::{Deserialize, Serialize};

use super::tally::Tally;
use super::{deepen, overflow};
use crate::poll::{Flags, Poll};
use crate::process::{self, Process, Talks};

const STDIN: u64 = u64::MAX;
const BATCH: usize = 64;
const LONGEST: usize = 65_536;
const BUFFER: usize = 32 * 1024 * 1024;

/// What the receivers have, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) tallies: Vec<Tally>,
    /// Datagrams that found a receiver's own buffer full: not the peer's fault.
    pub(crate) overflowed: u64,
}

/// The process as the bench sees it. Dropped, it ends.
pub(crate) struct Receivers {
    pub(crate) addresses: Vec<SocketAddr>,
    process: Process,
}

impl Receivers {
    pub(crate) fn start(sockets: usize) -> Result<Self> {
        let mut command = process::own("__receive");
        command.arg(sockets.to_string());
        let mut process = Process::start("the receivers", &mut command, Talks::OnStdout)?;
        let address = |_| process.expect("an address", |line| line.parse().ok());
        let addresses = (0..sockets).map(address).collect::<Result<_>>()?;
        Ok(Self { addresses, process })
    }

    pub(crate) fn received(&mut self) -> Result<Received> {
        self.process.tell("\n")?;
        self.process.expect("what they have received", |line| serde_json::from_str(line).ok())
    }
}

/// The body of `__receive`.
pub(crate) fn run(sockets: usize) -> Result<()> {
    let open = |_| Receiver::open();
    let mut receivers = (0..sockets).map(open).collect::<Result<Vec<_>>>()?;
    let mut poll = Poll::new()?;
    poll.watch(io::stdin(), STDIN, Flags::EPOLLIN)?;
    for (token, receiver) in receivers.iter().enumerate() {
        poll.watch(&receiver.socket, token as u64, Flags::EPOLLIN)?;
        writeln!(io::stdout(), "{}", receiver.socket.local_addr()?)?;
    }
    let (mut ready, mut buffers) = (Vec::new(), vec![0; BATCH * LONGEST]);
    loop {
        poll.wait(&mut ready, None)?;
        for (token, _) in &ready {
            if let Some(receiver) = receivers.get_mut(*token as usize) {
                receiver.receive(&mut buffers)?;
            } else if !answer_question(&receivers)? {
                return Ok(());
            }
        }
    }
}

/// False when whoever asks has gone.
fn answer_question(receivers: &[Receiver]) -> Result<bool> {
    let asked = io::stdin().read(&mut [0; 1]).context("cannot read stdin")?;
    if asked > 0 {
        let received = Received {
            tallies: receivers.iter().map(|receiver| receiver.tally).collect(),
            overflowed: receivers.iter().map(Receiver::overflowed).sum::<Result<u64>>()?,
        };
        writeln!(io::stdout(), "{}", serde_json::to_string(&received)?)?;
    }
    Ok(asked > 0)
}

struct Receiver {
    socket: UdpSocket,
    tally: Tally,
}

impl Receiver {
    fn open() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("cannot listen on loopback")?;
        // Only root may have it as deep as this.
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            deepen(&socket)?;
        }
        socket.set_nonblocking(true)?;
        Ok(Self { socket, tally: Tally::default() })
    }

    fn receive(&mut self, buffers: &mut [u8]) -> Result<()> {
        let mut slices: Vec<_> =
            buffers.chunks_mut(LONGEST).map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let mut headers = MultiHeaders::<()>::preallocate(slices.len(), None);
        let received =
            recvmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::empty(), None);
        let lengths: Vec<_> = match received {
            Ok(received) => received.map(|datagram| datagram.bytes).collect(),
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(errno) => return Err(errno).context("cannot receive"),
        };
        for (buffer, length) in buffers.chunks(LONGEST).zip(lengths) {
            self.tally.count(&buffer[..length]);
        }
        Ok(())
    }

    fn overflowed(&self) -> Result<u64> {
        overflow::of(self.socket.local_addr()?.port())
    }
}
