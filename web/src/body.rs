//! Bodies on their way: a request's towards a server, a reply's towards a client.
//!
//! No body is held: each piece is passed on as it comes, and the next is asked for when it is gone. What is watched is how
//! long a body is, and how long nothing comes.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use proto::id::ServerIndex;
use tokio::time::Sleep;

use crate::{
    account::Account,
    answer::Refusal,
    cache::{self, Tee},
    upstream::Lease,
};

/// What is known of a request's body while it is passed on.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Pieces that were passed on.
    pub(crate) pieces: Cell<u64>,
    /// What was wrong with it.
    pub(crate) fault: Cell<Option<Refusal>>,
}

/// A body on its way to a server.
pub(crate) enum Outgoing {
    Empty,
    Upload(Upload),
}

/// A client's body.
pub(crate) struct Upload {
    incoming: Incoming,
    /// Bytes it may still have.
    left: u64,
    silence: Silence,
    progress: Rc<Progress>,
}

impl Outgoing {
    /// What the client sends: at most `limit` bytes, with pauses of at most `patience`.
    pub(crate) fn new(incoming: Incoming, limit: u64, patience: Duration, progress: Rc<Progress>) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        Self::Upload(Upload { incoming, left: limit, silence: Silence::new(patience), progress })
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Upload {
    fn refuse(&self, refusal: Refusal) -> io::Error {
        self.progress.fault.set(Some(refusal));
        io::Error::other("the body is refused")
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                ready!(self.silence.poll_over(context));
                return Poll::Ready(Some(Err(self.refuse(Refusal::SlowBody))));
            }
        };
        self.silence.is_broken();
        self.progress.pieces.set(self.progress.pieces.get() + 1);
        let Some(piece) = piece else { return Poll::Ready(None) };
        let piece = piece.map_err(|error| {
            self.progress.fault.set(Some(Refusal::Malformed));
            io::Error::other(error)
        });
        if let Some(data) = piece.as_ref().ok().and_then(Frame::data_ref) {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(self.refuse(Refusal::TooLarge)))),
            }
        }
        Poll::Ready(Some(piece))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Upload(upload) => upload.poll_piece(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Upload(upload) => upload.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Upload(upload) => upload.incoming.size_hint(),
        }
    }
}

/// How long nothing has come. It costs nothing until something has to be waited for.
struct Silence {
    patience: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    const fn new(patience: Duration) -> Self {
        Self { patience, sleep: None }
    }

    fn is_broken(&mut self) {
        self.sleep = None;
    }

    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience;
        self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience))).as_mut().poll(context)
    }
}

/// A server's reply, and the connection it comes over.
pub(crate) struct Download {
    incoming: Incoming,
    silence: Silence,
    server: ServerIndex,
    // Given back when the reply is complete; with a reply that is not, it is closed.
    lease: Option<Lease>,
}

impl Download {
    /// With pauses of at most `patience`.
    pub(crate) fn new(incoming: Incoming, patience: Duration, lease: Lease) -> Self {
        let (server, silence) = (lease.server(), Silence::new(patience));
        let mut download = Self { incoming, silence, server, lease: Some(lease) };
        download.settle_if_complete();
        download
    }

    /// Whose reply it is.
    pub(crate) fn server(&self) -> ServerIndex {
        self.server
    }

    fn settle_if_complete(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                ready!(self.silence.poll_over(context));
                self.fail();
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
        };
        self.silence.is_broken();
        match &piece {
            None => {
                if let Some(lease) = self.lease.take() {
                    lease.give_back();
                }
            }
            Some(Ok(_)) => self.settle_if_complete(),
            Some(Err(_)) => self.fail(),
        }
        Poll::Ready(piece.map(|piece| piece.map_err(io::Error::other)))
    }

    fn fail(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.fail();
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.poll_piece(context)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Where the body of an answer comes from.
pub(crate) enum Source {
    /// It is ours.
    Own(Full<Bytes>),
    Server(Download),
    /// From a server, into the cache on its way.
    Filling(ServerIndex, Tee<Download>),
    /// Out of the cache.
    Kept(cache::Body),
}

impl Source {
    /// Reads it for the cache alone: as long as it is being kept.
    pub(crate) async fn finish(mut self) {
        while matches!(&self, Self::Filling(_, tee) if tee.is_filling())
            && let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut self).poll_frame(context)).await
        {}
    }
}

/// What a client is sent.
pub(crate) struct Reply {
    pub(crate) source: Source,
    pub(crate) account: Account,
}

impl Body for Source {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Own(own) => Pin::new(own).poll_frame(context).map_err(|never| match never {}),
            Self::Server(download) => Pin::new(download).poll_frame(context),
            Self::Filling(_, filling) => Pin::new(filling).poll_frame(context),
            Self::Kept(kept) => Pin::new(kept).poll_frame(context).map_err(io::Error::other),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(own) => own.is_end_stream(),
            Self::Server(download) => download.is_end_stream(),
            Self::Filling(_, filling) => filling.is_end_stream(),
            Self::Kept(kept) => kept.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(own) => own.size_hint(),
            Self::Server(download) => download.size_hint(),
            Self::Filling(_, filling) => filling.size_hint(),
            Self::Kept(kept) => kept.size_hint(),
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = ready!(Pin::new(&mut self.source).poll_frame(context));
        match &piece {
            Some(Ok(piece)) => {
                let bytes = piece.data_ref().map_or(0, Bytes::len);
                self.account.note_sent(bytes as u64);
            }
            Some(Err(_)) => self.account.note_torn(),
            None => {}
        }
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}
