//! Bytes from one socket to another, or back to the same: all that an echo and a bare relay do.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

/// The most that one read takes, and so the most that waits to be written.
pub(crate) const SCRATCH: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Waits for bytes to read.
    Open,
    /// Waits for room to write; reads nothing until then.
    Blocked,
    /// The end was read and passed on.
    Ended,
}

#[derive(Default)]
pub(crate) struct Pump {
    /// What was read and the kernel did not take.
    unwritten: Vec<u8>,
    received: u64,
    ended: bool,
}

impl Pump {
    pub(crate) fn flow(&self) -> Flow {
        match (self.ended, self.unwritten.is_empty()) {
            (true, _) => Flow::Ended,
            (false, true) => Flow::Open,
            (false, false) => Flow::Blocked,
        }
    }

    /// Bytes received since this was last asked.
    pub(crate) fn take_received(&mut self) -> u64 {
        std::mem::take(&mut self.received)
    }

    /// Writes what waits, or reads once and writes that. The sockets do not block; `scratch` is anyone's.
    pub(crate) fn turn(&mut self, from: &TcpStream, to: &TcpStream, scratch: &mut [u8]) -> io::Result<Flow> {
        self.turn_altered(from, to, scratch, |_| {})
    }

    /// The same, with a look at what was read before it is written.
    pub(crate) fn turn_altered(
        &mut self,
        from: &TcpStream,
        to: &TcpStream,
        scratch: &mut [u8],
        alter: impl FnOnce(&mut [u8]),
    ) -> io::Result<Flow> {
        match self.flow() {
            Flow::Open => self.read(from, to, scratch, alter)?,
            Flow::Blocked => {
                let written = write_some(to, &self.unwritten)?;
                self.unwritten.drain(..written);
            }
            Flow::Ended => {}
        }
        Ok(self.flow())
    }

    fn read(
        &mut self,
        mut from: &TcpStream,
        to: &TcpStream,
        scratch: &mut [u8],
        alter: impl FnOnce(&mut [u8]),
    ) -> io::Result<()> {
        let count = match from.read(scratch) {
            Ok(count) => count,
            Err(error) if is_momentary(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        if count == 0 {
            self.ended = true;
            return to.shutdown(Shutdown::Write);
        }
        self.received += count as u64;
        alter(&mut scratch[..count]);
        let written = write_some(to, &scratch[..count])?;
        self.unwritten.extend_from_slice(&scratch[written..count]);
        Ok(())
    }
}

/// Writes once; 0 if there is no room now.
pub(crate) fn write_some(mut to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match to.write(bytes) {
        Err(error) if is_momentary(&error) => Ok(0),
        result => result,
    }
}

pub(crate) fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
