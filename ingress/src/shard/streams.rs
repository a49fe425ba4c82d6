//! What streams bring to a shard: sources that are this process.

use std::{io::IoSlice, rc::Rc};

use proto::id::{RouteIndex, SessionId};

use super::Shard;
use crate::stream::Pipe;

impl Shard {
    /// `None`: it is turned away.
    pub(crate) fn admit_stream(&self, route: RouteIndex, pipe: &Rc<Pipe>) -> Option<SessionId> {
        self.turn(|machine, now, hands| {
            let session = machine.on_source(route, now, hands)?;
            hands.streams.insert(session, Rc::clone(pipe));
            Some(session)
        })
    }

    /// Takes at most `limit` bytes of them; how many.
    pub(crate) fn on_stream_bytes(&self, session: SessionId, slices: &[IoSlice<'_>], limit: usize) -> usize {
        let bytes = self.buffer.gather(slices, limit);
        let length = bytes.len();
        self.turn(|machine, now, hands| machine.on_source_bytes(session, bytes, now, hands));
        length
    }

    pub(crate) fn on_stream_fin(&self, session: SessionId) {
        self.turn(|machine, now, hands| machine.on_source_fin(session, now, hands));
    }

    /// It has room for what it refused.
    pub(crate) fn on_stream_room(&self, session: SessionId) {
        self.turn(|machine, now, hands| machine.on_source_writable(session, now, hands));
    }

    /// Nobody holds it any more.
    pub(crate) fn on_stream_dropped(&self, session: SessionId) {
        self.turn(|machine, now, hands| machine.on_source_reset(session, now, hands));
    }
}
