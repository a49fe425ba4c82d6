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

/// A listener's door, and who waits for room at it: each door by itself.
#[derive(Debug)]
struct Entrance {
    door: Rc<Door>,
    /// Sessions whose datagrams had no room.
    starved: Vec<SessionId>,
}

/// Those who have a session. As many as the machine holds sessions.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    entrances: FxHashMap<RouteIndex, Entrance>,
    // Addresses are chosen by strangers: the hash must not be predictable.
    sessions: HashMap<Visitor, SessionId>,
    by_session: FxHashMap<SessionId, Visitor>,
}

impl Visitors {
    pub(crate) fn open(&mut self, route: RouteIndex, door: Rc<Door>) {
        self.entrances.insert(route, Entrance { door, starved: Vec::new() });
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
        let Some(entrance) = self.entrances.get_mut(&visitor.route) else { return 0 };
        let taken = entrance.door.gather(bytes, ends, visitor.from, visitor.to);
        if taken < ends.len() {
            entrance.starved.push(session);
        }
        taken
    }

    /// Sends what was gathered; the doors whose kernel has no room for all of it.
    pub(crate) fn flush(&self, desk: &Desk) -> Vec<Rc<Door>> {
        let doors = self.entrances.values().map(|entrance| &entrance.door);
        doors.filter(|door| !door.flush(desk)).cloned().collect()
    }

    /// Those who had no room, as far as there is room now.
    pub(crate) fn take_starved(&mut self) -> Vec<SessionId> {
        let with_room = self.entrances.values_mut().filter(|entrance| !entrance.door.is_behind());
        with_room.flat_map(|entrance| std::mem::take(&mut entrance.starved)).collect()
    }

    pub(crate) fn at_door(&self, route: RouteIndex) -> AtDoor {
        self.entrances.get(&route).map_or_else(AtDoor::default, |Entrance { door, .. }| AtDoor {
            dropped: door.dropped(),
            unsent: door.unsent(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use runtime::shard::run_local;

    use super::*;

    const FULL: RouteIndex = RouteIndex(0);
    const FREE: RouteIndex = RouteIndex(1);

    fn door() -> Rc<Door> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Rc::new(Door::new(socket).unwrap())
    }

    /// Fails if one door that is behind keeps the sources of all of them waiting.
    #[test]
    fn who_waits_for_room_waits_for_his_own_door() {
        run_local(async {
            let source = UdpSocket::bind("127.0.0.1:0").unwrap();
            let (mut visitors, free) = (Visitors::default(), door());
            visitors.open(FULL, door());
            visitors.open(FREE, Rc::clone(&free));
            let too_many: Vec<u32> = (1..=100).map(|index| index * 60_000).collect();
            let bytes = vec![b'x'; 6_000_000];
            for route in [FULL, FREE] {
                let from = source.local_addr().unwrap();
                visitors.admit(Visitor { route, from, to: None }, SessionId(route.0.into()));
                assert!(visitors.write(SessionId(route.0.into()), &bytes, &too_many) < too_many.len());
            }

            assert!(free.flush(&Desk::default()));

            assert_eq!(visitors.take_starved(), [SessionId(1)]);
            assert!(visitors.take_starved().is_empty(), "each is told once");
        })
        .unwrap();
    }
}
