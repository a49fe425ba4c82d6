//! One connection at a destination, as the code that plays the destination sees it, and the record it leaves.
//!
//! Every byte is recorded before anything is done with it. Reads and writes give up now and then to see whether
//! the destination is to die, which resets the connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

const GLANCE: Duration = Duration::from_millis(20);

impl Record {
    pub(super) fn of(from: SocketAddr) -> Self {
        Self { from, received: Vec::new(), sent: 0, end: None }
    }
}

/// How the other side ended the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
}

/// What one connection has brought.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The far end's address.
    pub(crate) from: SocketAddr,
    pub(crate) received: Vec<u8>,
    pub(crate) sent: u64,
    pub(crate) end: Option<End>,
}

pub(crate) struct Peer {
    stream: Arc<TcpStream>,
    record: Arc<Mutex<Record>>,
    dies: Arc<AtomicBool>,
    unread: Vec<u8>,
    is_recorded: bool,
}

impl Peer {
    pub(super) fn new(stream: Arc<TcpStream>, record: Arc<Mutex<Record>>, dies: Arc<AtomicBool>) -> Self {
        stream.set_nodelay(true).expect("a fresh socket takes options");
        stream.set_read_timeout(Some(GLANCE)).expect("a fresh socket takes options");
        stream.set_write_timeout(Some(GLANCE)).expect("a fresh socket takes options");
        Self { stream, record, dies, unread: Vec::new(), is_recorded: true }
    }

    /// The next bytes, whatever their number; none at the end.
    pub(crate) fn read(&mut self) -> Option<Vec<u8>> {
        if !self.unread.is_empty() {
            return Some(std::mem::take(&mut self.unread));
        }
        self.receive()
    }

    /// The next line with its newline; none at the end, even where some bytes of one are left.
    pub(crate) fn read_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.iter().position(|&byte| byte == b'\n') {
                let rest = self.unread.split_off(at + 1);
                return Some(std::mem::replace(&mut self.unread, rest));
            }
            let more = self.receive()?;
            self.unread.extend(more);
        }
    }

    /// At most `most` of the next bytes; none at the end.
    pub(crate) fn read_some(&mut self, most: usize) -> Option<Vec<u8>> {
        let mut bytes = self.read()?;
        if bytes.len() > most {
            self.unread = bytes.split_off(most);
        }
        Some(bytes)
    }

    /// From here on only the number of bytes matters, and none is kept.
    pub(crate) fn record_no_more(&mut self) {
        self.is_recorded = false;
    }

    /// Ends what it says; it may go on reading.
    pub(crate) fn half_close(&self) {
        // The other side may have ended all before.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Writes everything, unless the connection ends before.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_to_die() {
            match (&*self.stream).write(bytes) {
                Ok(count) => {
                    self.record.lock().unwrap().sent += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if is_pause(error.kind()) => {}
                Err(_) => return,
            }
        }
    }

    /// Keeps the connection open, reading nothing, as long as the destination lives.
    pub(crate) fn hold(&mut self) {
        while !self.is_to_die() {
            thread::sleep(GLANCE);
        }
    }

    /// A reset instead of a FIN when this is dropped.
    pub(crate) fn reset(&mut self) {
        SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO)).expect("a socket takes options");
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 64 * 1024];
        while !self.is_to_die() {
            match (&*self.stream).read(&mut buffer) {
                Ok(0) => return self.note_end(End::Fin),
                Ok(count) => {
                    buffer.truncate(count);
                    if self.is_recorded {
                        self.record.lock().unwrap().received.extend_from_slice(&buffer);
                    }
                    return Some(buffer);
                }
                Err(error) if is_pause(error.kind()) => {}
                Err(_) => return self.note_end(End::Reset),
            }
        }
        None
    }

    fn note_end(&self, end: End) -> Option<Vec<u8>> {
        self.record.lock().unwrap().end.get_or_insert(end);
        None
    }

    fn is_to_die(&self) -> bool {
        self.dies.load(Ordering::Relaxed)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if self.is_to_die() {
            self.reset();
        }
    }
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
