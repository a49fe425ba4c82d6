//! How long a client's connection has been in its phase: hyper says nothing of it.
//!
//! Between requests a client may be silent for a long time; once it has begun a head it may not. Nor may it leave a reply
//! lying for long: there is a server at the other end.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use proto::time::Instant;
use runtime::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing has come yet.
    New,
    /// Nothing of a further request has come.
    Idle,
    /// A head is coming.
    Head,
    /// A request is being answered.
    Busy,
}

/// The phase, and since when.
pub(crate) struct Watch {
    clock: Clock,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Since when it takes nothing of a reply.
    stuck: Cell<Option<Instant>>,
    /// Counts requests.
    request: Cell<u64>,
}

/// A part of an exchange that is not over: the reply, or what is read of the request. With the last of them it is.
pub(crate) struct Part {
    watch: Rc<Watch>,
    request: u64,
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.watch.request.get() == self.request {
            self.watch.enter(Phase::Idle);
        }
    }
}

impl Watch {
    pub(crate) fn new(clock: Clock) -> Self {
        let (phase, since) = (Cell::new(Phase::New), Cell::new(clock.now()));
        Self { clock, phase, since, stuck: Cell::new(None), request: Cell::new(0) }
    }

    /// Whether it is in the middle of a head, and takes what it is told.
    pub(crate) fn is_in_head(&self) -> bool {
        self.phase.get() == Phase::Head && self.stuck.get().is_none()
    }

    /// Whether it is owed something.
    pub(crate) fn is_in_reply(&self) -> bool {
        self.phase.get() == Phase::Busy || self.stuck.get().is_some()
    }

    /// A request's head is complete. It is answered until what is returned, and every copy of it, is gone.
    pub(crate) fn begin(self: &Rc<Self>) -> Rc<Part> {
        self.phase.set(Phase::Busy);
        self.request.set(self.request.get() + 1);
        Rc::new(Part { watch: Rc::clone(self), request: self.request.get() })
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.clock.now());
    }

    fn hears(&self) {
        if matches!(self.phase.get(), Phase::New | Phase::Idle) {
            self.enter(Phase::Head);
        }
    }

    fn takes(&self, takes: bool) {
        match (takes, self.stuck.get()) {
            (true, Some(_)) => self.stuck.set(None),
            (false, None) => self.stuck.set(Some(self.clock.now())),
            _ => {}
        }
        // The end of a reply may take long to go after it was handed over.
        if takes && self.phase.get() == Phase::Idle {
            self.since.set(self.clock.now());
        }
    }

    /// When the phase has lasted too long; `None` while a request is answered, whose own limits hold.
    pub(crate) fn due(&self, head: Duration, idle: Duration) -> Option<Instant> {
        match (self.stuck.get(), self.phase.get()) {
            (Some(since), _) => Some(since + idle),
            (None, Phase::New | Phase::Head) => Some(self.since.get() + head),
            (None, Phase::Idle) => Some(self.since.get() + idle),
            (None, Phase::Busy) => None,
        }
    }
}

/// A connection whose watch hears what is read.
pub(crate) struct Timed<Io> {
    pub(crate) io: Io,
    pub(crate) watch: Rc<Watch>,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Timed<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.watch.hears();
        }
        polled
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Timed<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch.takes(polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.watch.takes(polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
