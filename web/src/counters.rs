//! What one shard counts of a route of `http://`.

use std::cell::Cell;

use proto::id::ServerIndex;
use runtime::report::{Requests, ServerReport};

use crate::site::Site;

/// A count of one shard.
#[derive(Debug, Default)]
pub(crate) struct Count(Cell<u64>);

impl Count {
    pub(crate) fn bump(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.set(self.0.get() + more);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }
}

/// All that is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Clients that connected.
    pub(crate) connections: Count,
    /// Clients for whom there was no room.
    pub(crate) turned_away: Count,
    /// Requests.
    pub(crate) requests: Count,
    /// Replies, by the first digit of their status.
    pub(crate) replies: [Count; 6],
    /// Replies that ended before they were complete.
    pub(crate) torn: Count,
    /// Clients that did not finish a head in time.
    pub(crate) slow: Count,
    /// Bytes of replies' bodies.
    pub(crate) sent: Count,
    /// Requests sent once more, to another server.
    pub(crate) retried: Count,
    /// Requests that waited for a place.
    pub(crate) queued: Count,
    /// By server.
    pub(crate) servers: Vec<OfServer>,
}

/// What is counted of a server.
#[derive(Debug, Default)]
pub(crate) struct OfServer {
    /// Requests sent to it.
    pub(crate) requests: Count,
    /// Those it failed.
    pub(crate) failures: Count,
}

impl Counters {
    pub(crate) fn new(servers: usize) -> Self {
        Self { servers: (0..servers).map(|_| OfServer::default()).collect(), ..Self::default() }
    }

    /// As a report says it; what is shared by shards, and who is connected, the front knows.
    pub(crate) fn report(&self, site: &Site) -> Requests {
        let replies = self.replies.iter().enumerate().filter(|(_, count)| count.get() > 0);
        let servers = site.servers.iter().zip(&self.servers).zip(0..).map(|((server, counted), index)| {
            let is_in_ring = site.balance().is_in_ring(ServerIndex(index));
            let (requests, failures) = (counted.requests.get(), counted.failures.get());
            (server.name.to_string(), ServerReport { requests, failures, is_in_ring })
        });
        Requests {
            connections: self.connections.get(),
            turned_away: self.turned_away.get(),
            requests: self.requests.get(),
            replies: replies.map(|(class, count)| (format!("{class}xx"), count.get())).collect(),
            torn: self.torn.get(),
            slow: self.slow.get(),
            sent_bytes: self.sent.get(),
            retried: self.retried.get(),
            queued: self.queued.get(),
            servers: servers.collect(),
            ..Requests::default()
        }
    }

    pub(crate) fn server(&self, server: ServerIndex) -> &OfServer {
        &self.servers[usize::from(server.0)]
    }
}
