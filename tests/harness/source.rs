//! A source: a device that connects, sends, and has its expectations of what it hears.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::destination::assert_same;
use super::peer::End;
use super::{PATIENCE, eventually_some, since};

/// How long "nothing" is listened for.
const HUSH: Duration = Duration::from_millis(300);

const CONNECT: Duration = Duration::from_secs(5);

pub(crate) struct Source {
    stream: TcpStream,
}

/// What one read brought.
pub(crate) enum Heard {
    Bytes(Vec<u8>),
    Nothing,
    End(End),
}

impl Source {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// What it writes may wait for the acknowledgement of what it wrote before.
    pub(crate) fn with_nagle(self) -> Self {
        self.stream.set_nodelay(false).expect("a socket takes options");
        self
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the source can send");
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends until nothing more is taken for a while; returns how much was.
    pub(crate) fn send_until_stalled(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_write_timeout(Some(2 * HUSH)).expect("a socket takes options");
        let mut sent = 0;
        while let Ok(count @ 1..) = self.stream.write(&bytes[sent..]) {
            sent += count;
        }
        sent
    }

    /// Waits for as many bytes as expected and compares them; the next are left alone.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &[u8]) {
        assert_same(&self.read_bytes(expected.len()), expected, "the source's bytes");
    }

    /// Up to `count` bytes: fewer only if the conversation ends or time is up.
    pub(crate) fn read_bytes(&mut self, count: usize) -> Vec<u8> {
        let elapsed = since();
        let mut bytes = Vec::new();
        while bytes.len() < count && elapsed() < PATIENCE {
            match self.read(count - bytes.len(), HUSH) {
                Heard::Bytes(more) => bytes.extend(more),
                Heard::Nothing => {}
                Heard::End(_) => break,
            }
        }
        bytes
    }

    /// Neither a byte nor an end for a while.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        match self.read(64, HUSH) {
            Heard::Nothing => {}
            Heard::Bytes(bytes) => panic!("the source hears {:?} too", bytes.escape_ascii().to_string()),
            Heard::End(end) => panic!("the source is ended by {end:?}"),
        }
    }

    pub(crate) fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the source can close its half");
    }

    /// A FIN, and not a byte before it.
    /// Ends with a reset instead of a FIN.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket takes options");
    }

    #[track_caller]
    pub(crate) fn expect_fin(&mut self) {
        assert_eq!(self.expect_end(), End::Fin, "how the source's connection ends");
    }

    /// A FIN or a reset, and not a byte before it.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) -> End {
        let (end, bytes) = self.drain(PATIENCE);
        assert_same(&bytes, b"", "the source's last bytes");
        end
    }

    /// Reads on to the end; panics where there is none within `limit`.
    #[track_caller]
    pub(crate) fn drain(&mut self, limit: Duration) -> (End, Vec<u8>) {
        let mut bytes = Vec::new();
        let end = eventually_some(limit, "the source's connection ends", || {
            loop {
                match self.read(64 * 1024, HUSH) {
                    Heard::Bytes(more) => bytes.extend(more),
                    Heard::Nothing => return None,
                    Heard::End(end) => return Some(end),
                }
            }
        });
        (end, bytes)
    }

    /// One read of at most `most` bytes that waits for `patience`.
    pub(crate) fn read(&mut self, most: usize, patience: Duration) -> Heard {
        self.stream.set_read_timeout(Some(patience)).expect("a socket takes options");
        let mut buffer = vec![0; most.min(256 * 1024)];
        match self.stream.read(&mut buffer) {
            Ok(0) => Heard::End(End::Fin),
            Ok(count) => {
                buffer.truncate(count);
                Heard::Bytes(buffer)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Heard::Nothing
            }
            Err(_) => Heard::End(End::Reset),
        }
    }
}
