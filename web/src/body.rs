//! Bodies on their way: a request's towards a server, a reply's towards a client.
//!
//! No body is held: each piece is passed on as it comes, and the next is asked for when it is gone. What is watched is how
//! long a body is, and how long nothing comes.

use std::{
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
    mirror::Gathering,
    progress::Progress,
    upstream::Lease,
    watch::Part,
};

/// A body on its way to a server.
pub(crate) enum Outgoing {
    Empty,
    Upload(Upload),
    /// It is all there.
    Held(Full<Bytes>),
}

/// A client's body.
pub(crate) struct Upload {
    incoming: Incoming,
    /// Bytes it may still have.
    left: u64,
    silence: Silence,
    progress: Rc<Progress>,
    /// There while copies are to be made of it.
    gathering: Option<Gathering>,
    /// Its client is busy as long as it is read.
    _part: Rc<Part>,
}

impl Outgoing {
    /// What the client sends: at most `limit` bytes, with pauses of at most `patience`.
    pub(crate) fn new(
        incoming: Incoming,
        limit: u64,
        patience: Duration,
        progress: Rc<Progress>,
        part: Rc<Part>,
    ) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        progress.is_partial.set(true);
        let silence = Silence::new(patience);
        Self::Upload(Upload { incoming, left: limit, silence, progress, gathering: None, _part: part })
    }

    /// Has it gathered on its way.
    pub(crate) fn gather(&mut self, mut gathering: Gathering) {
        match self {
            Self::Upload(upload) => upload.gathering = Some(gathering),
            Self::Held(_) | Self::Empty => gathering.finish(),
        }
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
        // Behind trailers nobody asks for more.
        let is_last = piece.as_ref().is_none_or(|piece| piece.as_ref().is_ok_and(Frame::is_trailers));
        self.progress.is_partial.set(!(is_last || self.incoming.is_end_stream()));
        let Some(piece) = piece else {
            if let Some(gathering) = &mut self.gathering {
                gathering.finish();
            }
            return Poll::Ready(None);
        };
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
        if let (Some(gathering), Ok(piece)) = (&mut self.gathering, &piece) {
            note_piece(gathering, piece, self.incoming.is_end_stream());
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
            Self::Held(held) => Pin::new(held).poll_frame(context).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Upload(upload) => upload.incoming.is_end_stream(),
            Self::Held(held) => held.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Upload(upload) => upload.incoming.size_hint(),
            Self::Held(held) => held.size_hint(),
        }
    }
}

/// A piece has passed; behind the last, and behind trailers, nobody asks for more.
fn note_piece(gathering: &mut Gathering, piece: &Frame<Bytes>, is_last: bool) {
    if let Some(data) = piece.data_ref() {
        gathering.push(data);
    }
    if is_last || piece.is_trailers() {
        gathering.finish();
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
    /// There while secondaries' replies are to be held against it.
    gathering: Option<Gathering>,
}

impl Download {
    /// With pauses of at most `patience`.
    pub(crate) fn new(
        incoming: Incoming,
        patience: Duration,
        lease: Lease,
        gathering: Option<Gathering>,
    ) -> Self {
        let (server, silence) = (lease.server(), Silence::new(patience));
        let mut download = Self { incoming, silence, server, lease: Some(lease), gathering };
        download.settle_if_complete();
        download
    }

    /// Whose reply it is.
    pub(crate) fn server(&self) -> ServerIndex {
        self.server
    }

    fn settle_if_complete(&mut self) {
        if self.incoming.is_end_stream() {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if let Some(gathering) = &mut self.gathering {
            gathering.finish();
        }
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                ready!(self.silence.poll_over(context));
                // It may have nothing to say for good reasons.
                self.lease = None;
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
        };
        self.silence.is_broken();
        match &piece {
            None => self.settle(),
            // Behind trailers nobody asks for more.
            Some(Ok(piece)) if piece.is_trailers() => self.settle(),
            Some(Ok(piece)) => {
                if let (Some(gathering), Some(data)) = (&mut self.gathering, piece.data_ref()) {
                    gathering.push(data);
                }
                self.settle_if_complete();
            }
            Some(Err(_)) => self.fail(),
        }
        Poll::Ready(piece.map(|piece| piece.map_err(io::Error::other)))
    }

    fn fail(&mut self) {
        self.gathering = None;
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
    Filling(ServerIndex, Box<Tee<Download>>),
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
            Self::Filling(_, filling) => Pin::new(&mut **filling).poll_frame(context),
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
                if piece.is_trailers() || self.source.is_end_stream() {
                    self.account.note_complete();
                }
            }
            Some(Err(_)) => {}
            None => self.account.note_complete(),
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
