//! A kept body on its way to a client: nothing, pieces of memory, or a file read and checked segment by segment.
//!
//! What is not what was written ends the body with an error, so that the client sees it cut short and never wrong.

use std::{
    fmt, io,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::{
    disk::Disk,
    entry::{Content, Held, SEGMENT},
};

/// The body of an answer from the cache.
#[derive(Debug)]
pub struct Body {
    rest: Range<u64>,
    from: From,
}

enum From {
    Nowhere,
    Memory(Arc<[Bytes]>),
    File(Reader),
}

impl fmt::Debug for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nowhere => "Nowhere",
            Self::Memory(_) => "Memory",
            Self::File(_) => "File",
        })
    }
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self { rest: 0..0, from: From::Nowhere }
    }

    /// The bytes of `held` in `range`, which it has.
    pub(crate) fn of(held: &Held, range: Range<u64>, disk: Option<&Disk>) -> Self {
        let from = match (&held.entry.content, disk) {
            (Content::Memory(segments), _) => From::Memory(segments.clone()),
            (Content::File(_), Some(disk)) => {
                From::File(Reader { held: held.clone(), disk: disk.clone(), coming: None })
            }
            (Content::File(_), None) => From::Nowhere,
        };
        Self { rest: range, from }
    }

    /// The part of the segment that the body goes on with.
    fn cut(&mut self, segment: &Bytes) -> Option<Bytes> {
        let begin = (self.rest.start % SEGMENT as u64) as usize;
        let whole = self.rest.end - self.rest.start;
        let end = segment.len().min(begin + whole.min(SEGMENT as u64) as usize);
        if begin >= end {
            return None;
        }
        self.rest.start += (end - begin) as u64;
        Some(segment.slice(begin..end))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let index = (self.rest.start / SEGMENT as u64) as usize;
        let last = ((self.rest.end - 1) / SEGMENT as u64) as usize;
        let segment = match &mut self.from {
            From::Nowhere => None,
            From::Memory(segments) => segments.get(index).cloned(),
            From::File(reader) => Some(ready!(reader.poll_segment(index, last, cx))?),
        };
        let piece = segment.and_then(|segment| self.cut(&segment));
        let piece = piece.ok_or_else(|| io::Error::other("a part of a kept body is missing"));
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.end - self.rest.start)
    }
}

/// Reads one segment ahead of who sends them.
struct Reader {
    held: Held,
    disk: Disk,
    coming: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reader {
    fn poll_segment(&mut self, index: usize, last: usize, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut coming = self.coming.take().unwrap_or_else(|| self.disk.read(&self.held, index));
        match Pin::new(&mut coming).poll(cx) {
            Poll::Pending => {
                self.coming = Some(coming);
                Poll::Pending
            }
            Poll::Ready(read) => {
                self.coming = (index < last).then(|| self.disk.read(&self.held, index + 1));
                Poll::Ready(read.unwrap_or_else(|_| Err(io::Error::other("the cache is closed"))))
            }
        }
    }
}
