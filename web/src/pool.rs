//! Connections to one server that wait for the next request.
//!
//! The one that was used last is used first: what is never needed grows old and is closed.

use std::{cell::RefCell, collections::VecDeque, time::Duration};

use hyper::client::conn::http1::SendRequest;
use proto::time::Instant;
use tokio::task::AbortHandle;

use crate::body::Outgoing;

/// Idle connections kept for one server by one shard.
const MOST: usize = 64;
/// How long one may be idle. Shorter than servers usually wait before they close.
const LONGEST_IDLE: Duration = Duration::from_secs(15);

/// A connection to a server, over which one request goes at a time.
pub(crate) struct Connection {
    pub(crate) requests: SendRequest<Outgoing>,
    /// What moves its bytes.
    pub(crate) task: AbortHandle,
}

impl Connection {
    /// Ends it whatever is on its way. Dropped, it ends when a request that is being sent has been, which a server that
    /// does not read can keep from happening.
    pub(crate) fn break_off(self) {
        self.task.abort();
    }

    fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }
}

/// The idle connections, the oldest first.
#[derive(Default)]
pub(crate) struct Pool(RefCell<VecDeque<(Instant, Connection)>>);

impl Pool {
    /// One that is still open, if there is one.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut idle = self.0.borrow_mut();
        loop {
            let (_, connection) = idle.pop_back()?;
            if !connection.is_closed() {
                return Some(connection);
            }
        }
    }

    /// Keeps one whose reply is complete.
    pub(crate) fn put(&self, connection: Connection, now: Instant) {
        if connection.is_closed() {
            return;
        }
        let mut idle = self.0.borrow_mut();
        idle.push_back((now, connection));
        if idle.len() > MOST {
            idle.pop_front();
        }
    }

    /// Closes those that were idle for too long.
    pub(crate) fn sweep(&self, now: Instant) {
        self.0
            .borrow_mut()
            .retain(|(since, connection)| *since + LONGEST_IDLE > now && !connection.is_closed());
    }

    /// Closes all.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
