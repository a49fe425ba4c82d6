//! A speaker and members of a server over plain TCP: one thread, a connection each, everything that is heard checked.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::audience::Audience;
use super::{SILENCE, mqtt, nats};
use crate::load::Shape;
use crate::poll::{Flags, Poll, Ready};
use crate::pump::{SCRATCH, is_momentary, write_some};

/// The protocol of a server.
#[derive(Clone, Copy)]
pub(super) enum Dialect {
    Mqtt,
    Nats,
}

/// Who a connection is.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Speaker,
    Member(usize),
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// What the client said first has been understood.
    Ready,
    Text(&'a [u8]),
    /// Something that this is the answer to.
    Asked(&'static [u8]),
    /// Something that needs nothing.
    Nothing,
}

impl Dialect {
    fn open(self, role: Role) -> Vec<u8> {
        match self {
            Self::Mqtt => mqtt::open(role),
            Self::Nats => nats::open(role),
        }
    }

    fn publish(self, text: &[u8], bytes: &mut Vec<u8>) {
        match self {
            Self::Mqtt => mqtt::publish(text, bytes),
            Self::Nats => nats::publish(text, bytes),
        }
    }

    fn parse(self, bytes: &[u8]) -> Result<Option<(usize, Heard<'_>)>> {
        match self {
            Self::Mqtt => mqtt::parse(bytes),
            Self::Nats => nats::parse(bytes),
        }
    }
}

/// All clients of a server. The speaker's connection is the last.
pub(super) struct Streams {
    poll: Poll,
    dialect: Dialect,
    connections: Vec<Connection>,
    audience: Audience,
    last_heard: Instant,
    ready: Vec<Ready>,
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    role: Role,
    is_ready: bool,
    /// What came of something that is not whole.
    unparsed: Vec<u8>,
    unwritten: Vec<u8>,
}

impl Streams {
    /// Returns when all are there.
    pub(super) fn connect(address: SocketAddr, dialect: Dialect, shape: Shape) -> Result<Self> {
        let poll = Poll::new()?;
        let roles = (0..shape.connections as usize).map(Role::Member).chain([Role::Speaker]);
        let connections = roles.enumerate().map(|(token, role)| {
            let mut connection = Connection::open(address, dialect, role)?;
            poll.watch(&connection.stream, token as u64, Flags::EPOLLIN)?;
            connection.write(&poll, token as u64, false)?;
            Ok(connection)
        });
        let connections = connections.collect::<Result<Vec<_>>>()?;
        let (audience, last_heard) = (Audience::new(shape), Instant::now());
        let (ready, scratch) = (Vec::new(), vec![0; SCRATCH]);
        let mut streams = Self { poll, dialect, connections, audience, last_heard, ready, scratch };
        while !streams.connections.iter().all(|connection| connection.is_ready) {
            streams.turn(SILENCE)?;
        }
        Ok(streams)
    }

    pub(super) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Speaks for so long.
    pub(super) fn run_for(&mut self, duration: Duration) -> Result<()> {
        let deadline = Instant::now() + duration;
        loop {
            self.speak()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }

    /// Says nothing more, and waits until all have heard all.
    pub(super) fn settle(&mut self) -> Result<()> {
        while !self.audience.is_settled() {
            self.turn(SILENCE)?;
        }
        Ok(())
    }

    fn speak(&mut self) -> Result<()> {
        let token = self.connections.len() - 1;
        let speaker = &mut self.connections[token];
        let was_blocked = !speaker.unwritten.is_empty();
        while let Some(text) = self.audience.say() {
            self.dialect.publish(text, &mut speaker.unwritten);
        }
        let is_idle = was_blocked || speaker.unwritten.is_empty();
        if is_idle { Ok(()) } else { speaker.write(&self.poll, token as u64, false) }
    }

    fn turn(&mut self, longest: Duration) -> Result<()> {
        self.poll.wait(&mut self.ready, Some(longest.min(SILENCE)))?;
        if self.ready.is_empty() && self.last_heard.elapsed() >= SILENCE {
            bail!("nothing has come from the server for {SILENCE:?}: {}", self.audience.behind());
        }
        for (token, flags) in &self.ready {
            let connection = &mut self.connections[*token as usize];
            if flags.contains(Flags::EPOLLOUT) {
                connection.write(&self.poll, *token, true)?;
            }
            if flags.intersects(Flags::EPOLLIN | Flags::EPOLLHUP | Flags::EPOLLERR) {
                connection.receive(self.dialect, &mut self.scratch, &mut self.audience)?;
                self.last_heard = Instant::now();
            }
        }
        Ok(())
    }
}

impl Connection {
    fn open(address: SocketAddr, dialect: Dialect, role: Role) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .with_context(|| format!("cannot connect to the server at {address}"))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let (unparsed, unwritten) = (Vec::new(), dialect.open(role));
        Ok(Self { stream, role, is_ready: false, unparsed, unwritten })
    }

    fn write(&mut self, poll: &Poll, token: u64, was_blocked: bool) -> Result<()> {
        let written = write_some(&self.stream, &self.unwritten).context("cannot write to the server")?;
        self.unwritten.drain(..written);
        let is_blocked = !self.unwritten.is_empty();
        match (was_blocked, is_blocked) {
            (false, true) => poll.rewatch(&self.stream, token, Flags::EPOLLIN | Flags::EPOLLOUT),
            (true, false) => poll.rewatch(&self.stream, token, Flags::EPOLLIN),
            _ => Ok(()),
        }
    }

    fn receive(&mut self, dialect: Dialect, scratch: &mut [u8], audience: &mut Audience) -> Result<()> {
        let count = match (&self.stream).read(scratch) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(count) => count,
            Err(error) if is_momentary(&error) => return Ok(()),
            Err(error) => return Err(error).context("the server broke a connection"),
        };
        if self.unparsed.is_empty() {
            let parsed = self.hear(dialect, &scratch[..count], audience)?;
            self.unparsed.extend_from_slice(&scratch[parsed..count]);
        } else {
            let mut bytes = std::mem::take(&mut self.unparsed);
            bytes.extend_from_slice(&scratch[..count]);
            let parsed = self.hear(dialect, &bytes, audience)?;
            bytes.drain(..parsed);
            self.unparsed = bytes;
        }
        Ok(())
    }

    /// Says how much of the bytes was whole.
    fn hear(&mut self, dialect: Dialect, bytes: &[u8], audience: &mut Audience) -> Result<usize> {
        let mut parsed = 0;
        while let Some((length, heard)) = dialect.parse(&bytes[parsed..])? {
            parsed += length;
            match (heard, self.role) {
                (Heard::Ready, _) => self.is_ready = true,
                (Heard::Text(text), Role::Member(member)) => audience.hear(member, text)?,
                (Heard::Text(_), Role::Speaker) => bail!("the speaker got a text"),
                (Heard::Asked(answer), _) => self.answer(answer)?,
                (Heard::Nothing, _) => {}
            }
        }
        Ok(parsed)
    }

    /// What is asked is asked rarely: there is room for the answer, or for it after what waits.
    fn answer(&mut self, answer: &[u8]) -> Result<()> {
        if !self.unwritten.is_empty() {
            self.unwritten.extend_from_slice(answer);
            return Ok(());
        }
        let written = write_some(&self.stream, answer).context("cannot write to the server")?;
        ensure!(written == answer.len(), "the server does not read what it asked for");
        Ok(())
    }
}
