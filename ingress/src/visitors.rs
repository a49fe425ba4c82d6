//! Sources of datagrams: whose session each address is, and the doors they come through.
//!
//! A source is an address of its own and the one of ours it speaks to: answers leave from there. The machine knows
//! sessions only; here they get their addresses back.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use proto::id::{RouteIndex, SessionId};
use runtime::udp::{Desk, Door};
use rustc_hash::FxHashMap;

/// Who speaks, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Visitor {
    pub(crate) route: RouteIndex,
    pub(crate) from: SocketAddr,
    /// The address of ours, where a listener has several.
    pub(crate) to: Option<IpAddr>,
}

/// What is counted at a door.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AtDoor {
    pub(crate) dropped: u64,
    pub(crate) unsent: u64,
}

/// Those who have a session. As many as the machine holds sessions.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    doors: FxHashMap<RouteIndex, Rc<Door>>,
    // Addresses are chosen by strangers: the hash must not be predictable.
    sessions: HashMap<Visitor, SessionId>,
    by_session: FxHashMap<SessionId, Visitor>,
    /// Sessions whose datagrams had no room at the door.
    starved: Vec<SessionId>,
}

impl Visitors {
    pub(crate) fn open(&mut self, route: RouteIndex, door: Rc<Door>) {
        self.doors.insert(route, door);
    }

    pub(crate) fn session_of(&self, visitor: Visitor) -> Option<SessionId> {
        self.sessions.get(&visitor).copied()
    }

    pub(crate) fn admit(&mut self, visitor: Visitor, session: SessionId) {
        self.sessions.insert(visitor, session);
        self.by_session.insert(session, visitor);
    }

    pub(crate) fn forget(&mut self, session: SessionId) {
        if let Some(visitor) = self.by_session.remove(&session) {
            self.sessions.remove(&visitor);
        }
    }

    /// Gathers datagrams for a source; how many of them there was room for.
    pub(crate) fn write(&mut self, session: SessionId, bytes: &[u8], ends: &[u32]) -> usize {
        let Some(visitor) = self.by_session.get(&session) else { return 0 };
        let Some(door) = self.doors.get(&visitor.route) else { return 0 };
        let taken = door.gather(bytes, ends, visitor.from, visitor.to);
        if taken < ends.len() {
            self.starved.push(session);
        }
        taken
    }

    /// Sends what was gathered; the doors whose kernel has no room for all of it.
    pub(crate) fn flush(&self, desk: &Desk) -> Vec<Rc<Door>> {
        self.doors.values().filter(|door| !door.flush(desk)).cloned().collect()
    }

    /// Those who had no room, as far as there is room now.
    pub(crate) fn take_starved(&mut self) -> Vec<SessionId> {
        if self.doors.values().any(|door| door.is_behind()) {
            return Vec::new();
        }
        std::mem::take(&mut self.starved)
    }

    pub(crate) fn at_door(&self, route: RouteIndex) -> AtDoor {
        let door = self.doors.get(&route);
        door.map_or_else(AtDoor::default, |door| AtDoor { dropped: door.dropped(), unsent: door.unsent() })
    }
}
