//! A server of HTTP: a process of one thread that answers every request, whatever it asks for, with the same reply. It
//! prints its address on stdout and ends with its stdin.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result};

use crate::poll::{Flags, Poll, Ready};
use crate::pump::{is_momentary, write_some};

const LISTENER: u64 = 0;
const STDIN: u64 = 1;
const FIRST_CONNECTION: u64 = 2;
/// The longest head of a request: a proxy adds a few lines to a few.
const LONGEST_HEAD: usize = 4096;
/// Bytes of a long reply before other connections have their turn.
const LONGEST_WRITE: usize = 256 * 1024;

/// What the body of each reply is.
pub(crate) fn body(size: usize) -> Vec<u8> {
    // Not a power of two: what is left out or comes twice shows wherever buffers end.
    (0..size).map(|at| (at % 251) as u8).collect()
}

pub(crate) fn run(size: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    writeln!(io::stdout(), "{}", listener.local_addr()?).context("nobody listens to this server")?;
    Server::new(listener, size)?.serve()
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    reply: Vec<u8>,
    /// By token. A closed one leaves a hole.
    connections: Vec<Option<Connection>>,
}

struct Connection {
    stream: TcpStream,
    /// What is there of a request's head.
    head: Vec<u8>,
    /// How far the reply has been written; all of it when no request is being answered.
    written: usize,
    is_blocked: bool,
}

impl Server {
    fn new(listener: TcpListener, size: usize) -> Result<Self> {
        let poll = Poll::new()?;
        listener.set_nonblocking(true)?;
        poll.watch(&listener, LISTENER, Flags::EPOLLIN)?;
        poll.watch(io::stdin(), STDIN, Flags::EPOLLIN)?;
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
        );
        let reply = [head.into_bytes(), body(size)].concat();
        Ok(Self { poll, listener, reply, connections: Vec::new() })
    }

    fn serve(mut self) -> Result<()> {
        let mut ready: Vec<Ready> = Vec::new();
        loop {
            self.poll.wait(&mut ready, None)?;
            for (token, _) in &ready {
                match *token {
                    LISTENER => self.accept()?,
                    // Nobody asks anything: it is the end.
                    STDIN => return Ok(()),
                    token => self.turn(token)?,
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        // It may have gone again.
        let Ok((stream, _)) = self.listener.accept() else { return Ok(()) };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let token = self.connections.len() as u64 + FIRST_CONNECTION;
        self.poll.watch(&stream, token, Flags::EPOLLIN)?;
        let written = self.reply.len();
        self.connections.push(Some(Connection { stream, head: Vec::new(), written, is_blocked: false }));
        Ok(())
    }

    fn turn(&mut self, token: u64) -> Result<()> {
        let slot = &mut self.connections[(token - FIRST_CONNECTION) as usize];
        let Some(connection) = slot else { return Ok(()) };
        let was_blocked = connection.is_blocked;
        // A proxy may break what it no longer needs.
        if !connection.turn(&self.reply).unwrap_or(false) {
            *slot = None;
            return Ok(());
        }
        if was_blocked != connection.is_blocked {
            let interest = if connection.is_blocked { Flags::EPOLLOUT } else { Flags::EPOLLIN };
            self.poll.rewatch(&connection.stream, token, interest)?;
        }
        Ok(())
    }
}

impl Connection {
    /// Reads a request or goes on with its reply; false at the end.
    fn turn(&mut self, reply: &[u8]) -> io::Result<bool> {
        if self.written == reply.len() {
            if !self.hear()? {
                return Ok(false);
            }
            if !self.head.ends_with(b"\r\n\r\n") {
                return Ok(self.head.len() < LONGEST_HEAD);
            }
            self.head.clear();
            self.written = 0;
        }
        let end = reply.len().min(self.written + LONGEST_WRITE);
        self.written += write_some(&self.stream, &reply[self.written..end])?;
        self.is_blocked = self.written < reply.len();
        Ok(true)
    }

    /// False at the end of what is said.
    fn hear(&mut self) -> io::Result<bool> {
        let mut bytes = [0; LONGEST_HEAD];
        match (&self.stream).read(&mut bytes) {
            Ok(count) => {
                self.head.extend_from_slice(&bytes[..count]);
                Ok(count > 0)
            }
            Err(error) if is_momentary(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
