//! One TCP connection on one shard.
//!
//! Reads are a task, writes are direct: whoever has bytes tries the kernel at once, and only what it refuses waits for
//! writability. Everything is on one thread; an endpoint is closed by dropping it.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use proto::wire::Cause;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::{AbortHandle, spawn_local},
};
use tokio_util::io::poll_read_buf;

use super::{cause_of, unconfirmed::unconfirmed};

/// A read buffer is this large, and shared by all connections of a shard.
const BUFFER: usize = 64 * 1024;
/// A read is given at least so much room.
const LEAST_ROOM: usize = 16 * 1024;

/// Silence before the first probe, time between probes, probes until the connection is given up.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

fn keepalive() -> TcpKeepalive {
    let (idle, interval, probes) = KEEPALIVE;
    TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(probes)
}

/// Where a shard reads into. What was read is handed on as slices of it, counted by reference.
#[derive(Debug, Default)]
pub struct ReadBuffer(RefCell<BytesMut>);

impl ReadBuffer {
    /// Reads what there is; empty at the end of the stream. One system call when something is there.
    async fn read(&self, half: &mut OwnedReadHalf) -> io::Result<Bytes> {
        poll_fn(|context| {
            let mut buffer = self.0.borrow_mut();
            if buffer.capacity() - buffer.len() < LEAST_ROOM {
                buffer.reserve(BUFFER);
            }
            poll_read_buf(Pin::new(&mut *half), context, &mut *buffer).map_ok(|_| buffer.split().freeze())
        })
        .await
    }
}

impl ReadBuffer {
    /// Copies at most `limit` bytes together, as if they had been read.
    pub fn gather(&self, slices: &[io::IoSlice<'_>], limit: usize) -> Bytes {
        let mut buffer = self.0.borrow_mut();
        let mut room = limit.min(slices.iter().map(|slice| slice.len()).sum());
        if buffer.capacity() - buffer.len() < room {
            buffer.reserve(BUFFER.max(room));
        }
        for slice in slices {
            let length = slice.len().min(room);
            buffer.extend_from_slice(&slice[..length]);
            room -= length;
        }
        buffer.split().freeze()
    }
}

/// Who hears what happens to its endpoints. `id` is what the endpoint was opened with.
pub trait Owner: 'static {
    /// Something was read; never empty.
    fn on_bytes(&self, id: u64, bytes: Bytes);
    /// The other side will say nothing more.
    fn on_fin(&self, id: u64);
    /// The connection broke.
    fn on_broken(&self, id: u64, cause: Cause);
    /// The kernel takes bytes again.
    fn on_writable(&self, id: u64);
    /// Where to read into.
    fn buffer(&self) -> &ReadBuffer;
}

/// Stops and starts a reader.
#[derive(Debug)]
struct Gate {
    is_open: Cell<bool>,
    opened: Notify,
}

impl Gate {
    async fn pass(&self) {
        while !self.is_open.get() {
            self.opened.notified().await;
        }
    }
}

/// The writing half. tokio says FIN when it is dropped; one that is to be reset must not.
#[derive(Debug)]
struct WriteHalf {
    // Invariant: there until it is dropped.
    half: Option<OwnedWriteHalf>,
    is_aborted: Cell<bool>,
}

impl WriteHalf {
    fn stream(&self) -> &TcpStream {
        self.tokio().as_ref()
    }

    fn tokio(&self) -> &OwnedWriteHalf {
        self.half.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        if let Some(half) = self.half.take()
            && self.is_aborted.get()
        {
            half.forget();
        }
    }
}

/// A connection: its writing half, and handles of the tasks that read and wait.
#[derive(Debug)]
pub struct Endpoint {
    id: u64,
    half: Rc<WriteHalf>,
    gate: Rc<Gate>,
    reader: AbortHandle,
    waiter: RefCell<Option<AbortHandle>>,
    is_waiting: Rc<Cell<bool>>,
    written: Cell<u64>,
}

impl Endpoint {
    /// Takes a connected stream; starts to read at once if `is_reading`.
    pub fn open(stream: TcpStream, id: u64, is_reading: bool, owner: Rc<impl Owner>) -> Self {
        // Without it a relay costs 40 ms a message when peers write in pieces.
        let _ = stream.set_nodelay(true);
        // Without it a peer that lost its power or its network while nothing was said would be kept for ever.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive());
        let (read_half, half) = stream.into_split();
        let gate = Rc::new(Gate { is_open: Cell::new(is_reading), opened: Notify::new() });
        let reader = spawn_local(read(read_half, id, Rc::clone(&gate), owner)).abort_handle();
        let is_waiting = Rc::new(Cell::new(false));
        let (waiter, written) = (RefCell::new(None), Cell::new(0));
        let half = Rc::new(WriteHalf { half: Some(half), is_aborted: Cell::new(false) });
        Self { id, half, gate, reader, waiter, is_waiting, written }
    }

    /// Writes as much as the kernel takes. What it refuses is asked for again by `on_writable`.
    pub fn write(&self, bytes: &[u8], owner: &Rc<impl Owner>) -> Result<usize, Cause> {
        let taken = match self.half.tokio().try_write(bytes) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(cause_of(&error)),
        };
        self.written.set(self.written.get() + taken as u64);
        if taken < bytes.len() {
            self.await_writable(Rc::clone(owner));
        }
        Ok(taken)
    }

    fn await_writable(&self, owner: Rc<impl Owner>) {
        if self.is_waiting.replace(true) {
            return;
        }
        let (id, half, is_waiting) = (self.id, Rc::clone(&self.half), Rc::clone(&self.is_waiting));
        let task = spawn_local(async move {
            // An error is found by the write that follows.
            let _ = half.tokio().writable().await;
            is_waiting.set(false);
            drop(half);
            owner.on_writable(id);
        });
        *self.waiter.borrow_mut() = Some(task.abort_handle());
    }

    /// Says that nothing more will be written.
    pub fn shut_down(&self) {
        // Fails only where the connection is gone already, which the reader reports.
        let _ = SockRef::from(self.half.stream()).shutdown(std::net::Shutdown::Write);
    }

    /// Stops reading.
    pub fn pause(&self) {
        self.gate.is_open.set(false);
    }

    /// Goes on reading.
    pub fn resume(&self) {
        self.gate.is_open.set(true);
        self.gate.opened.notify_one();
    }

    /// The connection is to be reset, not ended, when it is dropped.
    pub fn abort(&self) {
        self.half.is_aborted.set(true);
        let _ = SockRef::from(self.half.stream()).set_linger(Some(Duration::ZERO));
    }

    /// Bytes written that the other side's kernel has not acknowledged.
    pub fn unconfirmed(&self) -> u64 {
        unconfirmed(self.half.stream(), self.written.get())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.reader.abort();
        if let Some(waiter) = self.waiter.borrow_mut().take() {
            waiter.abort();
        }
    }
}

async fn read(mut half: OwnedReadHalf, id: u64, gate: Rc<Gate>, owner: Rc<impl Owner>) {
    loop {
        if !gate.is_open.get() {
            gate.pass().await;
        }
        match owner.buffer().read(&mut half).await {
            Ok(bytes) if bytes.is_empty() => return owner.on_fin(id),
            Ok(bytes) => owner.on_bytes(id, bytes),
            Err(error) => return owner.on_broken(id, cause_of(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener, time::timeout};

    use super::*;
    use crate::shard::run_local;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Hears nothing.
    #[derive(Default)]
    struct Deaf(ReadBuffer);

    impl Owner for Deaf {
        fn on_bytes(&self, _: u64, _: Bytes) {}
        fn on_fin(&self, _: u64) {}
        fn on_broken(&self, _: u64, _: Cause) {}
        fn on_writable(&self, _: u64) {}
        fn buffer(&self) -> &ReadBuffer {
            &self.0
        }
    }

    /// An endpoint, and the other side of its connection.
    async fn opened(owner: &Rc<Deaf>) -> (Endpoint, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (Endpoint::open(stream, 0, true, Rc::clone(owner)), peer)
    }

    /// How the other side's stream ends.
    async fn end_of(peer: &mut TcpStream) -> Result<usize, io::ErrorKind> {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, peer.read_to_end(&mut rest)).await.expect("it ends");
        end.map_err(|error| error.kind())
    }

    #[test]
    fn one_that_is_dropped_says_its_last_word_and_ends_in_order() {
        let end = run_local(async {
            let owner = Rc::default();
            let (endpoint, mut peer) = opened(&owner).await;
            endpoint.write(b"bye", &owner).unwrap();
            drop(endpoint);
            end_of(&mut peer).await
        });
        assert_eq!(end.unwrap(), Ok(3));
    }

    /// Fails if the writing half is dropped as tokio drops it: its FIN arrives before the reset, and hides it.
    #[test]
    fn one_that_is_aborted_ends_in_a_reset_even_while_a_write_waits() {
        for amount in [0, 16 * 1024 * 1024] {
            let end = run_local(async {
                let owner = Rc::default();
                let (endpoint, mut peer) = opened(&owner).await;
                endpoint.write(&vec![b'x'; amount], &owner).unwrap();
                endpoint.abort();
                drop(endpoint);
                end_of(&mut peer).await
            });
            assert_eq!(end.unwrap(), Err(io::ErrorKind::ConnectionReset), "{amount} bytes");
        }
    }
}
