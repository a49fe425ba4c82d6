//! A destination: a process of one thread that returns every byte, one that lies now and then, one that answers requests of
//! the Foo protocol, or one that accepts and never reads. It prints its address on stdout, answers each line on stdin with the number of bytes it has received and
//! of lies it has told, and ends with its stdin.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;

use anyhow::{Context, Result};
use nix::sys::socket::{setsockopt, sockopt};

use crate::foo::Server;
use crate::lie::Liar;
use crate::poll::{Flags, Poll, Ready};
use crate::pump::{Flow, Pump, SCRATCH};

const LISTENER: u64 = 0;
const STDIN: u64 = 1;
const FIRST_CONNECTION: u64 = 2;

pub(crate) fn run(never_reads: bool, lie_every: Option<NonZeroU32>, answers: bool) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    if never_reads {
        // A small buffer is full sooner, and a full one is what the peer must cope with.
        setsockopt(&listener, sockopt::RcvBuf, &4096).context("cannot make the receive buffer small")?;
    }
    say(listener.local_addr()?)?;
    Echo { answers, ..Echo::new(listener, never_reads, lie_every.map(Liar::new))? }.serve()
}

fn say(line: impl std::fmt::Display) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("nobody listens to this destination")
}

struct Echo {
    poll: Poll,
    listener: TcpListener,
    never_reads: bool,
    liar: Option<Liar>,
    /// Whether it answers requests of the Foo protocol.
    answers: bool,
    /// One for each open connection, and holes where some have closed, to be used again.
    connections: Vec<Option<(TcpStream, Pump, Server)>>,
    received: u64,
    scratch: Vec<u8>,
}

impl Echo {
    fn new(listener: TcpListener, never_reads: bool, liar: Option<Liar>) -> Result<Self> {
        let poll = Poll::new()?;
        listener.set_nonblocking(true)?;
        poll.watch(&listener, LISTENER, Flags::EPOLLIN)?;
        poll.watch(io::stdin(), STDIN, Flags::EPOLLIN)?;
        Ok(Self {
            poll,
            listener,
            never_reads,
            liar,
            answers: false,
            connections: Vec::new(),
            received: 0,
            scratch: vec![0; SCRATCH],
        })
    }

    fn serve(mut self) -> Result<()> {
        let mut ready = Vec::new();
        loop {
            self.poll.wait(&mut ready, None)?;
            if ready.iter().any(|(token, _)| *token == STDIN) && !self.answer_question()? {
                return Ok(());
            }
            self.turn(&ready)?;
        }
    }

    fn turn(&mut self, ready: &[Ready]) -> Result<()> {
        for (token, _) in ready {
            match *token {
                LISTENER => self.accept()?,
                STDIN => {}
                token => self.return_bytes(token)?,
            }
        }
        Ok(())
    }

    /// False when whoever asks has gone.
    fn answer_question(&self) -> Result<bool> {
        let asked = io::stdin().read(&mut [0; 1]).context("cannot read stdin")?;
        if asked > 0 {
            let lies = self.liar.as_ref().map_or(0, Liar::told);
            say(format_args!("{} {lies}", self.received))?;
        }
        Ok(asked > 0)
    }

    fn accept(&mut self) -> Result<()> {
        // It may have gone again, or been reset; the listener reports what is still there.
        let Ok((stream, _)) = self.listener.accept() else { return Ok(()) };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let slot = self.vacant_slot();
        if !self.never_reads {
            self.poll.watch(&stream, slot as u64 + FIRST_CONNECTION, Flags::EPOLLIN)?;
        }
        self.connections[slot] = Some((stream, Pump::default(), Server::default()));
        Ok(())
    }

    fn vacant_slot(&mut self) -> usize {
        self.connections.iter().position(Option::is_none).unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        })
    }

    fn return_bytes(&mut self, token: u64) -> Result<()> {
        let slot = &mut self.connections[(token - FIRST_CONNECTION) as usize];
        let Some((stream, pump, server)) = slot else { return Ok(()) };
        let before = pump.flow();
        let alter = |bytes: &mut [u8]| {
            if let Some(liar) = &mut self.liar {
                liar.alter(bytes);
            }
            if self.answers {
                server.answer(bytes);
            }
        };
        let after = pump.turn_altered(stream, stream, &mut self.scratch, alter).unwrap_or(Flow::Ended);
        self.received += pump.take_received();
        match after {
            Flow::Ended => *slot = None,
            Flow::Open if before != after => self.poll.rewatch(&*stream, token, Flags::EPOLLIN)?,
            Flow::Blocked if before != after => self.poll.rewatch(&*stream, token, Flags::EPOLLOUT)?,
            Flow::Open | Flow::Blocked => {}
        }
        Ok(())
    }
}
