//! What happened, and when: the same for the same seed.

use proto::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    RoomOpens,
    RoomIsKilled,
    RoomIsStopped,
    RoomHears,
    Stored,
    DiskIsFull,
    ClientBegins,
    ClientEnds,
    ClientIsKilled,
    ClientHears,
    ClientIsStopped,
    ClassicHears,
    ConnectionSeen,
    Cut,
    Copied,
    Renamed,
    Slow,
    Full,
    Behind,
}

/// Of each event, when it was, to whom, and a number of its own. Printed as it happens where one seed is replayed.
#[derive(Default)]
pub(super) struct Trace {
    events: Vec<(u64, Event, u64, u64)>,
    pub(super) is_printed: bool,
}

impl Trace {
    pub(super) fn add(&mut self, now: Instant, event: Event, whom: u64, number: u64) {
        if self.is_printed {
            println!("{:>12} {event:?} {whom} {number}", now.as_micros());
        }
        self.events.push((now.as_micros(), event, whom, number));
    }

    pub(super) fn events(&self) -> &[(u64, Event, u64, u64)] {
        &self.events
    }

    pub(super) fn count(&self, event: Event) -> usize {
        self.events.iter().filter(|(_, one, ..)| *one == event).count()
    }
}
