//! A session whose source is this process: a stream to one destination, over the fabric.
//!
//! To the machine it is a source like any other, with bytes, pauses and an end; to whoever opened it, it is what a
//! connected socket would be. What the destination says waits here, at most [`ROOM`] of it; the rest waits at the
//! destination.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, BytesMut};
use proto::id::{RouteIndex, SessionId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::shard::Shard;

/// Bytes of a destination that wait to be read.
const ROOM: usize = 64 * 1024;
/// Bytes taken with one write.
const LONGEST_WRITE: usize = 64 * 1024;

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    /// The destination says nothing more.
    Finished,
    /// The session is over; in order, or not.
    Closed {
        is_aborted: bool,
    },
}

/// What lies between a stream and the hands of its shard.
#[derive(Debug)]
pub(crate) struct Pipe(RefCell<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Whether the machine takes bytes.
    is_taking: bool,
    /// Nobody will read what comes.
    is_abandoned: bool,
    /// Said by the destination. Invariant: at most `ROOM`.
    said: BytesMut,
    /// The machine waits for room.
    is_refused: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new() -> Self {
        Self(RefCell::new(State {
            phase: Phase::Connecting,
            is_taking: false,
            is_abandoned: false,
            said: BytesMut::new(),
            is_refused: false,
            reader: None,
            writer: None,
        }))
    }

    /// The destination said this: takes what there is room for. `None`: nobody reads it any more.
    pub(crate) fn write(&self, bytes: &[u8]) -> Option<usize> {
        let mut state = self.0.borrow_mut();
        if state.is_abandoned {
            return None;
        }
        let taken = bytes.len().min(ROOM - state.said.len());
        state.said.extend_from_slice(&bytes[..taken]);
        state.is_refused |= taken < bytes.len();
        wake(&mut state.reader);
        Some(taken)
    }

    /// The machine takes bytes: from the first time on the stream is open.
    pub(crate) fn resume(&self) {
        let mut state = self.0.borrow_mut();
        if state.phase == Phase::Connecting {
            state.phase = Phase::Open;
        }
        state.is_taking = true;
        wake(&mut state.writer);
    }

    pub(crate) fn pause(&self) {
        self.0.borrow_mut().is_taking = false;
    }

    pub(crate) fn finish(&self) {
        let mut state = self.0.borrow_mut();
        state.phase = Phase::Finished;
        wake(&mut state.reader);
    }

    pub(crate) fn close(&self, abort: bool) {
        let mut state = self.0.borrow_mut();
        // A session that never was open is closed like one that was refused.
        let is_aborted = abort || state.phase == Phase::Connecting;
        state.phase = Phase::Closed { is_aborted };
        wake(&mut state.reader);
        wake(&mut state.writer);
    }
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

/// A stream to one destination. Dropped before it is shut down, it resets the destination's connection.
pub(crate) struct Stream {
    shard: Rc<Shard>,
    session: SessionId,
    pipe: Rc<Pipe>,
    is_shut_down: bool,
}

impl Stream {
    /// Begins a session with the only destination of `route`, and waits until it is connected.
    pub(crate) async fn open(shard: &Rc<Shard>, route: RouteIndex) -> io::Result<Self> {
        let pipe = Rc::new(Pipe::new());
        let session = shard.admit_stream(route, &pipe).ok_or_else(|| {
            io::Error::new(io::ErrorKind::ConnectionAborted, "no further session is taken here")
        })?;
        let stream = Self { shard: Rc::clone(shard), session, pipe, is_shut_down: false };
        poll_fn(|context| stream.poll_connected(context)).await?;
        Ok(stream)
    }

    fn poll_connected(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.pipe.0.borrow_mut();
        match state.phase {
            Phase::Connecting => {
                state.writer = Some(context.waker().clone());
                Poll::Pending
            }
            Phase::Open | Phase::Finished => Poll::Ready(Ok(())),
            Phase::Closed { .. } => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionRefused, "cannot be connected")))
            }
        }
    }

    /// Whether the machine takes bytes now.
    fn poll_taking(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.pipe.0.borrow_mut();
        if matches!(state.phase, Phase::Closed { .. }) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if !state.is_taking {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.pipe.0.borrow_mut();
        if state.said.is_empty() {
            return match state.phase {
                Phase::Finished | Phase::Closed { is_aborted: false } => Poll::Ready(Ok(())),
                Phase::Closed { is_aborted: true } => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Phase::Connecting | Phase::Open => {
                    state.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let length = buffer.remaining().min(state.said.len());
        buffer.put_slice(&state.said[..length]);
        state.said.advance(length);
        let had_no_room = std::mem::take(&mut state.is_refused);
        drop(state);
        if had_no_room {
            self.shard.on_stream_room(self.session);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.poll_taking(context) {
            Poll::Ready(Ok(())) => {
                Poll::Ready(Ok(self.shard.on_stream_bytes(self.session, slices, LONGEST_WRITE)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut_down {
            self.is_shut_down = true;
            self.shard.on_stream_fin(self.session);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.pipe.0.borrow_mut().is_abandoned = true;
        if self.is_shut_down {
            // A destination that still has something to say is told that nobody listens.
            self.shard.on_stream_room(self.session);
        } else {
            self.shard.on_stream_dropped(self.session);
        }
    }
}
