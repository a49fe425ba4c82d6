//! A connection whose heads are looked at before hyper reads them.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::follower::{Follower, Lengths};

/// What [`Watched`] has seen, for the service of the same connection. Both stay on their shard's thread.
#[derive(Clone, Debug, Default)]
pub struct Heads(Rc<RefCell<Follower>>);

impl Heads {
    /// To be asked once for each request, in their order.
    pub(super) fn take(&self) -> Option<Lengths> {
        self.0.borrow_mut().take()
    }
}

/// A connection that is read through [`Heads`].
#[derive(Debug)]
pub struct Watched<IO> {
    io: IO,
    heads: Heads,
}

impl<IO> Watched<IO> {
    /// A connection of which nothing has been read.
    pub fn new(io: IO) -> (Self, Heads) {
        let heads = Heads::default();
        (Self { io, heads: heads.clone() }, heads)
    }

    /// The connection, with whatever was not read.
    pub fn into_inner(self) -> IO {
        self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, into))?;
        self.heads.0.borrow_mut().follow(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
