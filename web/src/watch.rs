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
    /// Nothing of a request has come.
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
}

impl Watch {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, phase: Cell::new(Phase::Idle), since: Cell::new(clock.now()), stuck: Cell::new(None) }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// A request's head is complete.
    pub(crate) fn is_busy(&self) {
        self.phase.set(Phase::Busy);
    }

    /// A reply has ended.
    pub(crate) fn is_idle(&self) {
        self.enter(Phase::Idle);
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.clock.now());
    }

    fn hears(&self) {
        if self.phase.get() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    fn takes(&self, takes: bool) {
        match (takes, self.stuck.get()) {
            (true, Some(_)) => self.stuck.set(None),
            (false, None) => self.stuck.set(Some(self.clock.now())),
            _ => {}
        }
    }

    /// When the phase has lasted too long; `None` while a request is answered, whose own limits hold.
    pub(crate) fn due(&self, head: Duration, idle: Duration) -> Option<Instant> {
        match self.phase.get() {
            Phase::Idle => Some(self.since.get() + idle),
            Phase::Head => Some(self.since.get() + head),
            Phase::Busy => self.stuck.get().map(|since| since + idle),
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
