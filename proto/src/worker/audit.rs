//! What must hold in a worker after every step. For tests and simulations.

use super::{Worker, connection::State};
use crate::id::ConnectionId;

impl Worker {
    /// Looks for what was forgotten: connections that nobody serves, totals that nobody is told of.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub fn audit(&self) {
        assert_eq!(self.index.len(), self.connections.len(), "sessions and connections");
        for (id, connection) in self.connections.iter() {
            let order = connection.order;
            assert_eq!(self.index.get(&(order.link, order.session)), Some(&ConnectionId(id)), "its session");
            connection.audit();
            let waits = self.waiting.contains(&ConnectionId(id));
            assert!(connection.state != State::Waiting || waits, "it waits for nothing");
            if self.links[order.link.0 as usize].is_live() {
                assert!(!connection.outbound.can_send() || connection.is_ready, "a connection sleeps");
                let is_told = connection.is_owing || connection.is_lagging;
                assert!(!connection.inbound.lags() || is_told, "what was written is told to nobody");
                let is_owed = connection.inbound.owes_limit();
                assert!(!is_owed || connection.is_owing, "permission is told to nobody");
            }
        }
        let connects = self.connections.iter().any(|(_, connection)| connection.is_connecting());
        assert!(!self.outage.awaits_probe() || connects, "a probe that nobody makes");
    }
}
