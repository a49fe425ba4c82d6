//! A ZeroMQ socket that a tokio task can wait on.
//!
//! libzmq signals through a descriptor that speaks once: it becomes readable when the first command for the socket
//! comes, and *any* call on the socket, a send too, may take the commands in and the signal with them. So the
//! descriptor is believed only while nobody has called anything since a receive last found nothing:
//!
//! ```text
//!             receive finds nothing                a signal
//!   Short, Again ────────────────────▶ Drained ────────────────▶ Again
//!     ▲            receive finds one       │ a send (wakes the waiter)
//!     └────────────────────────────────────┴──────────────────▶ Again
//! ```
//!
//! Looking is receiving. `ZMQ_EVENTS` would say the same for one more system call a turn.

use std::{
    cell::Cell,
    io,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::io::{Interest, unix::AsyncFd};
use zmq::{DONTWAIT, Message, PollEvents, SNDMORE};

use super::{Error, SendError};

/// A shorter message is copied: that costs less than to hand over its memory.
const WORTH_GIVING: usize = 4096;

/// What is known of the messages that wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// There were none, and the next will be signalled.
    Drained,
    /// There may be some: look.
    Again,
    /// There was one, and the receiver stopped there.
    Short,
}

/// A socket of any kind that receives.
pub(super) struct Socket {
    // The socket in the care of its own descriptor: that leaves the runtime before libzmq closes it.
    raw: AsyncFd<zmq::Socket>,
    look: Cell<Look>,
    waiting: Cell<Option<Waker>>,
}

impl Socket {
    /// Panics outside of a runtime that does input and output.
    pub(super) fn new(raw: zmq::Socket) -> Result<Self, Error> {
        let raw = register(raw).map_err(Error::open)?;
        Ok(Self { raw, look: Cell::new(Look::Again), waiting: Cell::new(None) })
    }

    /// Returns when there may be something to receive, and at once if that is not known to be otherwise.
    ///
    /// For one task at a time. May be dropped and called again at any point.
    pub(super) async fn readable(&self) {
        if self.look.get() == Look::Short {
            self.look.set(Look::Again);
            tokio::task::yield_now().await;
        }
        std::future::poll_fn(|cx| self.poll_readable(cx)).await;
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.look.get() == Look::Drained {
            self.waiting.set(Some(cx.waker().clone()));
            // The runtime is about to end where this is an error: so is the task that waits.
            let Ok(mut guard) = ready!(self.raw.poll_read_ready(cx)) else { return Poll::Pending };
            guard.clear_ready();
            self.look.set(Look::Again);
        }
        Poll::Ready(())
    }

    /// Whether a message would be taken now, or there is something left to receive, which comes first. Call it when a receive
    /// has found nothing: it takes the news in, so that what it says is so until the next signal.
    pub(super) fn is_alive(&self) -> bool {
        let events = self.raw.get_ref().get_events().unwrap_or(PollEvents::empty());
        if events.contains(zmq::POLLIN) {
            self.look_again();
        }
        !events.is_empty()
    }

    /// When it is closed, what was taken may be sent for so long.
    pub(super) fn linger(&self, time: Duration) -> zmq::Result<()> {
        self.raw.get_ref().set_linger(i32::try_from(time.as_millis()).unwrap_or(i32::MAX))
    }

    /// The first part of the next message. The caller then takes the rest with [`Self::last_part`] or [`Self::skip`].
    pub(super) fn first_part(&self) -> Option<Message> {
        let part = receive(self.raw.get_ref());
        self.look.set(if part.is_some() { Look::Short } else { Look::Drained });
        part
    }

    /// The part after this one, if it is the message's last; else the rest of the message is skipped.
    pub(super) fn last_part(&self, previous: &Message) -> Option<Message> {
        let part = previous.get_more().then(|| receive(self.raw.get_ref())).flatten()?;
        (!self.skip(&part)).then_some(part)
    }

    /// Skips what follows this part in its message; says whether anything did. That takes no time that counts: of what comes
    /// over a connection, `ZMQ_MAXMSGSIZE` lets 128 parts in where it is 1 MiB (docs/adr/0005-libzmq-from-source.md).
    pub(super) fn skip(&self, part: &Message) -> bool {
        let mut more = part.get_more();
        let skipped = more;
        while more {
            more = receive(self.raw.get_ref()).is_some_and(|part| part.get_more());
        }
        skipped
    }

    /// All parts of the next message, for sockets whose peers are libzmq itself.
    pub(super) fn parts(&self) -> Option<Vec<Message>> {
        let mut parts = vec![self.first_part()?];
        while parts.last().is_some_and(Message::get_more) {
            parts.push(receive(self.raw.get_ref())?);
        }
        Some(parts)
    }

    /// Sends a message of these parts. All are taken or none.
    pub(super) fn try_send_parts(&self, parts: &[&[u8]]) -> Result<(), SendError> {
        let sent = parts.split_last().map_or(Ok(()), |(last, first)| {
            let raw = self.raw.get_ref();
            first.iter().try_for_each(|part| send_part(raw, part, DONTWAIT | SNDMORE))?;
            send_part(raw, last, DONTWAIT)
        });
        self.look_again();
        sent
    }

    /// For what is done before it is used.
    pub(super) fn raw(&self) -> &zmq::Socket {
        self.raw.get_ref()
    }

    /// For what is done before it is closed.
    pub(super) fn raw_mut(&mut self) -> &mut zmq::Socket {
        self.raw.get_mut()
    }

    /// Sends the body to the peer with this id. All is taken or nothing.
    pub(super) fn try_send_to(&self, id: &[u8], body: Vec<u8>) -> Result<(), SendError> {
        let sent = self.send_first(id, DONTWAIT | SNDMORE).and_then(|()| self.send_rest(body));
        self.look_again();
        sent
    }

    /// Sends a copy of the body to the peer with this id. All is taken or nothing.
    pub(super) fn try_send_copy_to(&self, id: &[u8], body: &[u8]) -> Result<(), SendError> {
        let sent = self.send_first(id, DONTWAIT | SNDMORE);
        // With the first part taken, libzmq refuses no second one.
        let sent = sent.and_then(|()| send_part(self.raw.get_ref(), body, DONTWAIT));
        self.look_again();
        sent
    }

    /// Sends the body to the one peer there is. All is taken or nothing.
    pub(super) fn try_send(&self, body: Vec<u8>) -> Result<(), SendError> {
        let sent = if body.len() < WORTH_GIVING {
            self.send_first(&body, DONTWAIT)
        } else {
            // What is given is gone, so it is not given on old news.
            self.take_news();
            give(self.raw.get_ref(), body)
        };
        self.look_again();
        sent
    }

    /// Sends the first part of a message, or all of it.
    fn send_first(&self, part: &[u8], flags: i32) -> Result<(), SendError> {
        let raw = self.raw.get_ref();
        send_part(raw, part, flags).or_else(|_| {
            self.take_news();
            send_part(raw, part, flags)
        })
    }

    /// Sends the last part. With the first taken, libzmq refuses no second one; if it ever did, an empty one would keep this
    /// message from being joined to the next.
    fn send_rest(&self, part: Vec<u8>) -> Result<(), SendError> {
        let raw = self.raw.get_ref();
        if part.len() < WORTH_GIVING {
            return send_part(raw, &part, DONTWAIT);
        }
        give(raw, part).inspect_err(|_| {
            let _ = send_part(raw, b"", DONTWAIT);
        })
    }

    /// Sends hardly ever take commands in, so a refusal may rest on old news: a peer that has come, room that there is.
    fn take_news(&self) {
        // Called for what it does first, taking commands in; what it fails with, the send fails with.
        let _ = self.raw.get_ref().get_events();
    }

    /// A call has been made that may have taken the signal.
    fn look_again(&self) {
        if self.look.get() == Look::Drained {
            self.look.set(Look::Again);
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }
}

#[expect(unsafe_code, reason = "tokio takes the caller's word that the descriptor stays open")]
fn register(raw: zmq::Socket) -> io::Result<AsyncFd<zmq::Socket>> {
    // SAFETY: a socket's descriptor is one and the same until the socket is closed, which the `AsyncFd` does as it goes.
    Ok(unsafe { AsyncFd::register_with_interest(raw, Interest::READABLE) }?)
}

/// Sends what may be lost: the first part is a topic.
pub(super) fn publish(raw: &zmq::Socket, topic: &[u8], body: &[u8]) -> Result<(), SendError> {
    send_part(raw, topic, DONTWAIT | SNDMORE)?;
    // With the first part taken, libzmq refuses no second one.
    send_part(raw, body, DONTWAIT)
}

/// Sends a part without a copy: libzmq frees it once it is on its way.
fn give(raw: &zmq::Socket, part: Vec<u8>) -> Result<(), SendError> {
    raw.send(Message::from(part), DONTWAIT).map_err(|_| SendError::Unreachable)
}

fn send_part(raw: &zmq::Socket, part: &[u8], flags: i32) -> Result<(), SendError> {
    loop {
        match raw.send(part, flags) {
            Ok(()) => return Ok(()),
            // A signal came while it took commands in; nothing was sent. Giving up between two parts would join this
            // message to the next.
            Err(zmq::Error::EINTR) => {}
            Err(zmq::Error::EAGAIN) => return Err(SendError::Full),
            Err(_) => return Err(SendError::Unreachable),
        }
    }
}

fn receive(raw: &zmq::Socket) -> Option<Message> {
    let mut part = Message::new();
    loop {
        match raw.recv(&mut part, DONTWAIT) {
            Ok(()) => return Some(part),
            Err(zmq::Error::EINTR) => {}
            Err(_) => return None,
        }
    }
}
