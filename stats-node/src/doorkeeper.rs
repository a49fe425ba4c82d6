//! How many may have the HTTP port open at once. Beyond that a connection waits to be accepted.
//!
//! Those who are let in hold a permit until they close, or until nothing has been said either way for [`PATIENCE`]: guests who
//! only sit there must not keep out the one who asks after the health of the process.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

/// Connections at once.
const MAX_CONNECTIONS: usize = 256;

/// A connection on which nothing was said for so long is closed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener with so many places.
pub(crate) struct Doorkeeper {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Doorkeeper {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }
}

impl Listener for Doorkeeper {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        // It is never closed, so there is always a permit some day.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Guest { stream, silence: Box::pin(sleep(PATIENCE)), _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection and its place.
pub(crate) struct Guest {
    stream: TcpStream,
    /// Over when nothing has been read or written for too long.
    silence: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Guest {
    fn note_sign_of_life(&mut self) {
        self.silence.as_mut().reset(Instant::now() + PATIENCE);
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, into) {
            self.note_sign_of_life();
            return Poll::Ready(read);
        }
        self.silence.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.note_sign_of_life();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn guest() -> (Guest, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stranger = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Doorkeeper::new(listener).accept().await.0, stranger)
    }

    /// Fails if who says nothing keeps its place: time is virtual here, and only the patience ends this.
    #[tokio::test(start_paused = true)]
    async fn a_guest_who_says_nothing_loses_its_place() {
        let (mut guest, mut stranger) = guest().await;
        stranger.write_all(b"G").await.unwrap();
        assert_eq!(guest.read_u8().await.unwrap(), b'G');

        let silent = guest.read_u8().await.unwrap_err();

        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    }
}
