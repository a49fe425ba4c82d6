//! What leaves a worker for its ingresses: lanes served in turn, and GRANTs as latest values.
//!
//! Written totals travel with DATA where there is any; a GRANT of its own goes out at once if a quarter of the window
//! has become free, and a little later otherwise.

use super::{Shell, Worker};
use crate::{
    id::{Attempt, ConnectionId, SessionId},
    link::{GRANT_LAG, MAX_DISOWNED, QUANTUM},
    time::Instant,
    wire::{Cause, Frame},
};

impl super::link::Link {
    /// Tells the ingress that a session or attempt is unknown here, once a batch.
    pub(super) fn disown(&mut self, session: SessionId, attempt: Attempt) {
        if self.disowned.last() != Some(&(session, attempt)) && self.disowned.len() < MAX_DISOWNED {
            self.disowned.push((session, attempt));
            self.post(&Frame::Reset { session, attempt, cause: Cause::Unknown, unconfirmed: 0 });
        }
    }
}

impl Worker {
    /// Sends everything that may be sent. To be called when the loop has nothing else ready.
    pub fn flush(&mut self, now: Instant, shell: &mut impl Shell) {
        for index in 0..self.links.len() {
            if !self.links[index].is_live() {
                continue;
            }
            if !(self.pump(index, now, shell) && self.links[index].dispatch(now, shell)) {
                let link = self.links[index].index;
                self.lose(link, "the socket takes no batch", now, shell);
            }
            self.links[index].disowned.clear();
        }
    }

    /// Serves the link's connections in turn until none has anything left that it may send. False if a batch was refused.
    fn pump(&mut self, index: usize, now: Instant, shell: &mut impl Shell) -> bool {
        while let Some(id) = self.links[index].ready.pop_front() {
            let link = &mut self.links[index];
            let Some(connection) = self.connections.at_mut(id.0) else { continue };
            let order = connection.order;
            let (inbound, outbound) = (&mut connection.inbound, &mut connection.outbound);
            let sent = outbound.send(QUANTUM, |position, chunk| {
                let written = inbound.announce_written();
                link.outbox.post_data(order.session, order.attempt, position, written, chunk);
            });
            if sent.is_none()
                && let Some(position) = connection.outbound.send_fin()
            {
                link.outbox.post(&Frame::Fin { session: order.session, attempt: order.attempt, position });
            }
            if connection.outbound.can_send() {
                link.ready.push_back(id);
            } else {
                connection.is_ready = false;
            }
            if link.outbox.is_full() && !link.dispatch(now, shell) {
                return false;
            }
        }
        for id in std::mem::take(&mut self.links[index].owing) {
            if let Some(connection) = self.connections.at_mut(id.0) {
                connection.is_owing = false;
            }
            self.grant(id);
        }
        true
    }

    /// Puts everything one connection still has to say into the batch: nothing can be said once it is forgotten.
    pub(super) fn flush_connection(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        let (order, link) = (connection.order, &mut self.links[connection.order.link.0 as usize]);
        if !link.is_live() {
            return;
        }
        let (inbound, outbound) = (&mut connection.inbound, &mut connection.outbound);
        while outbound
            .send(QUANTUM, |position, chunk| {
                let written = inbound.announce_written();
                link.outbox.post_data(order.session, order.attempt, position, written, chunk);
            })
            .is_some()
        {}
        self.grant(id);
    }

    pub(super) fn grant(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        if !(connection.inbound.lags() || connection.inbound.owes_limit()) {
            return;
        }
        let link = &mut self.links[connection.order.link.0 as usize];
        if link.is_live() {
            let (order, totals) = (connection.order, connection.inbound.announce());
            let (session, attempt) = (order.session, order.attempt);
            let (taken, written, limit) = (totals.taken, totals.written, totals.limit);
            link.post(&Frame::Grant { session, attempt, taken, written, limit });
        }
    }

    pub(super) fn make_ready(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        if !connection.is_ready {
            connection.is_ready = true;
            self.links[connection.order.link.0 as usize].ready.push_back(id);
        }
    }

    /// Something was written: the ingress hears of it at once, with the next DATA, or a little later.
    pub(super) fn note_progress(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.at_mut(id.0) else { return };
        if connection.inbound.owes_limit() {
            if !connection.is_owing {
                connection.is_owing = true;
                self.links[connection.order.link.0 as usize].owing.push(id);
            }
        } else if connection.inbound.lags() && !connection.is_lagging {
            connection.is_lagging = true;
            self.lagging.push(id);
            self.lag_at.get_or_insert(now + GRANT_LAG);
        }
    }

    pub(super) fn grant_lagging(&mut self, now: Instant) {
        if self.lag_at.is_none_or(|at| at > now) {
            return;
        }
        self.lag_at = None;
        for id in std::mem::take(&mut self.lagging) {
            if let Some(connection) = self.connections.at_mut(id.0) {
                connection.is_lagging = false;
            }
            self.grant(id);
        }
    }
}
