//! What leaves an ingress for its workers: lanes served in turn, primaries' links before secondaries'.
//!
//! Nothing is decided here about what is sent: sessions have put it into their lanes, and credit says how far it may
//! go. A lane that the link's window keeps back is parked until there is room.

use super::{
    Ingress, Shell,
    links::{LinkKey, State},
};
use crate::{link::QUANTUM, time::Instant, wire::Frame};

impl Ingress {
    /// Sends everything that may be sent. To be called when the loop has nothing else ready.
    pub fn flush(&mut self, now: Instant, shell: &mut impl Shell) {
        for is_primary in [true, false] {
            let mut last = None;
            while let Some(key) = self.core.links.next_after(last) {
                last = Some(key);
                let serves = self.core.links.at(key).map(|link| link.worker.destination.is_primary());
                if serves == Some(is_primary) && !self.serve(key, now, shell) {
                    self.on_send_refused(key, now, shell);
                }
            }
        }
    }

    /// The worker may live and hold its lease: its sessions stay where they are until it greets, or is silent for too long.
    fn on_send_refused(&mut self, key: LinkKey, now: Instant, shell: &mut impl Shell) {
        self.counters.refused += 1;
        if self.core.links.is_local {
            // What is not kept cannot be sent again.
            return self.lose(key, "its socket takes no batch", now, now, shell);
        }
        if let Some(link) = self.core.links.at_mut(key) {
            link.state = State::Broken;
            link.outbox.clear();
        }
    }

    /// Serves one link. False if the socket refused a batch.
    fn serve(&mut self, key: LinkKey, now: Instant, shell: &mut impl Shell) -> bool {
        if !self.core.links.at(key).is_some_and(super::links::Link::is_live) {
            return true;
        }
        if !self.pump(key, now, shell) {
            return false;
        }
        self.grant_owing(key);
        let Some(link) = self.core.links.at_mut(key) else { return true };
        link.disowned.clear();
        link.dispatch(now, shell)
    }

    /// Serves the link's lanes in turn until none has anything left that it may send.
    fn pump(&mut self, key: LinkKey, now: Instant, shell: &mut impl Shell) -> bool {
        let window = self.core.links.window();
        loop {
            let Some(link) = self.core.links.at_mut(key) else { return true };
            let Some(id) = link.ready.pop_front() else { return true };
            let destination = link.worker.destination;
            let Some(lane) = self.sessions.at_mut(id.0).and_then(|session| session.lane(destination)) else {
                continue;
            };
            if lane.link != Some(key) {
                continue;
            }
            if !link.has_room(window, lane.outbound.unwritten()) {
                link.parked.push_back(id);
                continue;
            }
            let (attempt, inbound) = (lane.attempt, &mut lane.inbound);
            let sent = lane.outbound.send(QUANTUM, |position, chunk| {
                let written = inbound.announce_written();
                link.outbox.post_data(id, attempt, position, written, chunk);
            });
            if let Some(units) = sent {
                link.outstanding += units;
            } else if let Some(position) = lane.outbound.send_fin() {
                link.outstanding += crate::credit::FIN_COST;
                link.outbox.post(&Frame::Fin { session: id, attempt, position });
            }
            if lane.outbound.can_send() {
                link.ready.push_back(id);
            } else {
                lane.is_ready = false;
            }
            if link.outbox.is_full() && !link.dispatch(now, shell) {
                return false;
            }
        }
    }

    fn grant_owing(&mut self, key: LinkKey) {
        let Some(link) = self.core.links.at_mut(key) else { return };
        let destination = link.worker.destination;
        for id in std::mem::take(&mut link.owing) {
            if let Some(session) = self.sessions.at_mut(id.0) {
                session.grant(destination, &mut self.core);
            }
        }
    }
}
