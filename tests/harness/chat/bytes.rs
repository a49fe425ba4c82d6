//! A member made of bytes: as much ZMTP (3.0, mechanism NULL) as is needed to say what no library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{PATIENCE, eventually_some};

/// A frame that another follows, in a message.
const MORE: u8 = 1;
/// A frame whose length has eight bytes.
const LONG: u8 = 2;
/// A frame that is no part of a message.
const COMMAND: u8 = 4;

const GLANCE: Duration = Duration::from_millis(20);

pub(crate) struct Bytes {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Bytes {
    /// A connection on which nothing was said.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_nodelay(true).expect("a fresh socket takes options");
        stream.set_read_timeout(Some(GLANCE)).expect("a fresh socket takes options");
        stream.set_write_timeout(Some(PATIENCE)).expect("a fresh socket takes options");
        Self { stream, unread: Vec::new() }
    }

    /// A DEALER with this routing id, which may be empty, to whom the other side has said that it is ready.
    #[track_caller]
    pub(crate) fn dealer(address: SocketAddr, id: &[u8]) -> Self {
        let mut dealer = Self::connect(address);
        dealer.send(&greeting());
        dealer.send(&ready(id));
        let greeted = eventually_some(PATIENCE, "the other side greets", || dealer.take(64));
        assert_eq!(greeted[10], 3, "it speaks ZMTP 3");
        let (flags, body) = dealer.expect_frame();
        assert!(flags & COMMAND != 0 && body.starts_with(b"\x05READY"), "{}", body.escape_ascii());
        dealer
    }

    /// Sends these bytes; being hung up on meanwhile is fine.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a message of these parts.
    pub(crate) fn send_parts(&mut self, parts: &[&[u8]]) {
        let (last, firsts) = parts.split_last().expect("a message has a part");
        for part in firsts {
            self.send(&frame(MORE, part));
        }
        self.send(&frame(0, last));
    }

    /// Sends a message of one part.
    pub(crate) fn say(&mut self, part: &[u8]) {
        self.send_parts(&[part]);
    }

    /// Waits for a text in the classic dialect of which `pick` makes something.
    #[track_caller]
    pub(crate) fn expect_text<T>(&mut self, what: &str, mut pick: impl FnMut(&str, &str) -> Option<T>) -> T {
        eventually_some(PATIENCE, what, || {
            let (_, body) = self.frame()?;
            let relay: Value = serde_json::from_slice(&body).ok()?;
            pick(relay["name"].as_str()?, relay["text"].as_str()?)
        })
    }

    /// Waits until the other side has hung up.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        eventually_some(PATIENCE, "the other side hangs up", || self.is_over().then_some(()));
    }

    #[track_caller]
    fn expect_frame(&mut self) -> (u8, Vec<u8>) {
        eventually_some(PATIENCE, "a frame comes", || self.frame())
    }

    /// The next frame, if it is whole: its flags and its body.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        self.read();
        let (&flags, rest) = self.unread.split_first()?;
        let (head, length) = match flags & LONG {
            0 => (2, u64::from(*rest.first()?)),
            _ => (9, u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)),
        };
        let whole = self.take(head + usize::try_from(length).ok()?)?;
        Some((flags, whole[head..].to_vec()))
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        self.read();
        (self.unread.len() >= count).then(|| self.unread.drain(..count).collect())
    }

    fn is_over(&mut self) -> bool {
        self.read()
    }

    /// Reads what is there; says whether there will be no more.
    fn read(&mut self) -> bool {
        let mut part = vec![0; 64 * 1024];
        match self.stream.read(&mut part) {
            Ok(0) => true,
            Ok(count) => {
                self.unread.extend(&part[..count]);
                false
            }
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

/// What a peer says first.
pub(crate) fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// All that a DEALER says up to its first message, and that.
pub(crate) fn everything_at_once(message: &[u8]) -> Vec<u8> {
    [greeting(), ready(b""), frame(0, message)].concat()
}

fn ready(id: &[u8]) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity".to_vec();
    body.extend((id.len() as u32).to_be_bytes());
    body.extend(id);
    frame(COMMAND, &body)
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let head = match u8::try_from(body.len()) {
        Ok(length) => vec![flags, length],
        Err(_) => [&[flags | LONG][..], &(body.len() as u64).to_be_bytes()].concat(),
    };
    [&head, body].concat()
}
