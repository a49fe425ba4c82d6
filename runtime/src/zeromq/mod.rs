//! ZeroMQ sockets on tokio.
//!
//! [`Router`] and [`Dealer`] are the two ends of links, [`Publisher`] and [`Subscriber`] those of reports, a [`Hall`] is
//! where strangers are let in and a [`Guest`] comes in, two [`Pair`]s are those of a line between two, where a [`Doorkeeper`] refuses a third. Each
//! is one private `Socket`, which knows when there is something to read, with the options of its kind.
//!
//! Nothing here waits but `readable`: a send is taken or refused at once, a receive finds something or does not. No
//! bytes from a peer can make anything here panic. What a batch means, and how much of it may be under way, is known
//! elsewhere.
//!
//! ```text
//! loop {
//!     router.readable().await;
//!     for _ in 0..TURN { match router.try_receive() { None => break, Some(received) => … } }
//! }
//! ```
//!
//! A turn that ends before `None` is continued by the next `readable`, which lets other tasks run first.

mod error;
mod guest;
mod hall;
mod link;
mod monitor;
mod options;
mod pair;
mod peer;
mod report;
mod socket;
mod zap;

pub use error::{Error, Malformed, SendError};
pub use guest::Guest;
pub use hall::{Hall, Limits};
pub use link::{Dealer, Received, Router};
pub use monitor::{Connection, Event};
pub use options::{LAST_WORDS, MAX_BATCH, PUBLISHER_LINGER};
pub use pair::Pair;
pub use peer::PeerId;
pub use report::{Publisher, Subscriber};
pub use zap::{Doorkeeper, Knock, Verdict};

use std::{fmt, ops::Deref};

/// What all sockets of a process share: `inproc://` endpoints are known within one context only.
///
/// A clone is the same context. When the last clone and the last socket are gone libzmq's own threads end; that waits
/// for what a closed [`Publisher`], [`Dealer`] or [`Guest`] may still send, at most [`PUBLISHER_LINGER`] or [`LAST_WORDS`].
#[derive(Clone, Default)]
pub struct Context(zmq::Context);

impl Context {
    /// A context with one thread for input and output.
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

/// A received message part: derefs to its bytes, which stay where libzmq put them.
pub struct Batch(zmq::Message);

impl Deref for Batch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} bytes)", self.len())
    }
}
