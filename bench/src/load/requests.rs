//! Clients of HTTP: each asks on its one connection, hears the whole reply, and asks again. Every byte of a body is checked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;

use super::{REPLY_TIMEOUT, Shape, latencies};
use crate::poll::{Flags, Poll, Ready};
use crate::pump::is_momentary;
use crate::serve;

const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: bench.test\r\nAccept: */*\r\n\r\n";
/// The longest head of a reply.
const LONGEST_HEAD: usize = 16 * 1024;
const SCRATCH: usize = 256 * 1024;

pub(crate) struct Requests {
    poll: Poll,
    /// By token.
    clients: Vec<Client>,
    /// The body of every reply.
    body: Vec<u8>,
    latencies: Histogram<u64>,
    /// Bytes of bodies.
    bytes: u64,
    measuring_since: Instant,
    scratch: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    asked: Instant,
    place: Place,
}

/// How far a reply has come.
enum Place {
    /// Not to the end of its head, of which this is there.
    Head(Vec<u8>),
    /// So far in its body.
    Body(usize),
}

impl Requests {
    pub(crate) fn connect(address: SocketAddr, shape: Shape) -> Result<Self> {
        let mut requests = Self {
            poll: Poll::new()?,
            clients: Vec::new(),
            body: serve::body(shape.size),
            latencies: latencies()?,
            bytes: 0,
            measuring_since: Instant::now(),
            scratch: vec![0; SCRATCH],
        };
        for token in 0..shape.connections {
            let client = Client::connect(address)?;
            requests.poll.watch(&client.stream, u64::from(token), Flags::EPOLLIN)?;
            requests.clients.push(client);
        }
        Ok(requests)
    }

    pub(crate) fn run_for(&mut self, duration: Duration) -> Result<()> {
        let deadline = Instant::now() + duration;
        let mut ready = Vec::new();
        while Instant::now() < deadline {
            self.turn(&mut ready)?;
        }
        Ok(())
    }

    pub(crate) fn begin_measuring(&mut self) {
        self.latencies.reset();
        self.bytes = 0;
        self.measuring_since = Instant::now();
    }

    /// Since measuring began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.measuring_since.elapsed()
    }

    /// Of the replies that were complete since measuring began, from the request to the last byte.
    pub(crate) fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    /// Bytes of bodies that came since measuring began.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn turn(&mut self, ready: &mut Vec<Ready>) -> Result<()> {
        self.poll.wait(ready, Some(REPLY_TIMEOUT))?;
        ensure!(!ready.is_empty(), "nothing returned from the peer for {REPLY_TIMEOUT:?}");
        for (token, _) in &*ready {
            let client = &mut self.clients[*token as usize];
            let count = match client.stream.read(&mut self.scratch) {
                Ok(0) => bail!("the peer closed connection {token}"),
                Ok(count) => count,
                Err(error) if is_momentary(&error) => continue,
                Err(error) => return Err(error).context("the peer broke a connection"),
            };
            self.bytes += client.place.advance(&self.scratch[..count], &self.body)?;
            if client.place.is_end(&self.body) {
                self.latencies.saturating_record(client.asked.elapsed().as_nanos() as u64);
                client.ask()?;
            }
        }
        Ok(())
    }
}

impl Client {
    /// With the first request on its way.
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .with_context(|| format!("cannot connect to the peer at {address}"))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, asked: Instant::now(), place: Place::Head(Vec::new()) };
        client.ask()?;
        Ok(client)
    }

    fn ask(&mut self) -> Result<()> {
        self.asked = Instant::now();
        self.place = Place::Head(Vec::new());
        // Nothing else is on its way: there is room.
        self.stream.write_all(REQUEST).context("cannot write to the peer")
    }
}

impl Place {
    /// Goes on by what was read; says how much of the body that was.
    fn advance(&mut self, bytes: &[u8], body: &[u8]) -> Result<u64> {
        let (at, here) = match self {
            Self::Body(at) => (*at, bytes),
            Self::Head(before) => {
                let searched = before.len();
                before.extend_from_slice(bytes);
                let Some(end) = before.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
                else {
                    ensure!(before.len() < LONGEST_HEAD, "a reply's head has no end");
                    return Ok(0);
                };
                check_head(&before[..end], body.len())?;
                (0, &bytes[end - searched..])
            }
        };
        ensure!(body.get(at..at + here.len()) == Some(here), "a reply's body is not the server's");
        *self = Self::Body(at + here.len());
        Ok(here.len() as u64)
    }

    fn is_end(&self, body: &[u8]) -> bool {
        matches!(self, Self::Body(at) if *at == body.len())
    }
}

/// That it is the server's, and says how long the body is.
fn check_head(head: &[u8], length: usize) -> Result<()> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200 "), "a reply is not 200: {head}");
    ensure!(
        head.contains(&format!("\r\ncontent-length: {length}\r\n")),
        "a reply has another length: {head}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nAge: 1\r\n\r\nabc";

    fn place() -> Place {
        Place::Head(Vec::new())
    }

    #[test]
    fn a_reply_is_followed_however_it_is_cut() {
        for cut in 1..REPLY.len() {
            let mut place = place();
            let (first, second) = REPLY.split_at(cut);
            let bytes = place.advance(first, b"abc").unwrap();
            assert!(!place.is_end(b"abc"), "cut at {cut}");
            assert_eq!(bytes + place.advance(second, b"abc").unwrap(), 3, "cut at {cut}");
            assert!(place.is_end(b"abc"), "cut at {cut}");
        }
    }

    #[test]
    fn another_status_length_or_body_is_an_error() {
        for reply in [
            &b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabd",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabca",
        ] {
            assert!(place().advance(reply, b"abc").is_err(), "{}", String::from_utf8_lossy(reply));
        }
    }
}
