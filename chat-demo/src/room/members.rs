//! Who is in the room: by seat, which is the order of coming, by routing id, by key, and by name.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

use proto::time::Instant;

use super::{Log, cursor::Cursor};
use crate::{Name, wire::room::MemberId};

/// How often one peer may come in a beat, whatever its key and its name.
pub(super) const MAX_COMINGS: u32 = 4;

/// A place in the room. Later ones are larger, and none is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat(u64);

/// How somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `wire::room`.
    Ours,
    /// `wire::classic`: without acknowledgements and beats.
    Classic,
}

/// Somebody in the room.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) id: MemberId,
    pub(super) name: Name,
    /// The routing id.
    pub(super) address: Rc<[u8]>,
    pub(super) dialect: Dialect,
    pub(super) cursor: Cursor,
    /// What is up to this number was before its time, whatever its cursor says.
    pub(super) since: Since,
    /// When it was heard last.
    pub(super) heard_at: Instant,
    /// When it was sent something last.
    pub(super) told_at: Instant,
    /// Until then it is sent nothing of the log: it began to be sent the past once more, too soon.
    pub(super) begins_at: Instant,
    /// It wants to know who is there.
    pub(super) asks_who: bool,
    /// When it may be told so again.
    pub(super) who_again_at: Instant,
    /// When it may be told again that its name is wanted.
    pub(super) probe_again_at: Instant,
    /// One of its numbers was missing, and it has been asked to say hello; then it says it again.
    pub(super) is_asked: bool,
    /// It took no frame when that was last tried, and is left alone until the next look.
    pub(super) is_blocked: bool,
}

impl Member {
    /// Whether the log has no longer, not even in memory, all that is still to be sent. Who is just coming lacks nothing yet.
    pub(super) fn is_behind(&self, log: &Log) -> bool {
        match self.since {
            Since::Coming => false,
            Since::After(number) => self.cursor.sent().max(number) + 1 < log.oldest(),
        }
    }

    /// Whether nothing is on its way to it. Of those that never say so, none is known to have.
    pub(super) fn has_read_all(&self) -> bool {
        self.dialect == Dialect::Ours && !self.is_blocked && self.cursor.is_seen()
    }
}

/// Where a member's time in the room begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// At its coming, which has no number yet: until it has, it is sent nothing.
    Coming,
    /// After this number.
    After(u64),
}

/// How somebody comes into the room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(super) dialect: Dialect,
    pub(super) cursor: Cursor,
    pub(super) since: Since,
}

/// All of them. Invariant: each is in every one of the maps, under what it is called there.
#[derive(Debug)]
pub(crate) struct Members {
    seats: BTreeMap<Seat, Member>,
    by_address: HashMap<Rc<[u8]>, Seat>,
    by_id: HashMap<MemberId, Seat>,
    /// By likeness.
    by_name: HashMap<String, Seat>,
    /// Peers that began to be sent the past just now, and when: whoever comes and goes, one is not sent it without end.
    begun: HashMap<Rc<[u8]>, Instant>,
    /// Peers that came just now, when that began, and how often since: one does not fill the log with comings and goings.
    came: HashMap<Rc<[u8]>, (Instant, u32)>,
    room: String,
    next: u64,
    blocked: usize,
}

impl Members {
    /// None yet. Nobody can be called as the room is.
    pub(super) fn new(room: &Name) -> Self {
        Self {
            seats: BTreeMap::new(),
            by_address: HashMap::new(),
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            begun: HashMap::new(),
            came: HashMap::new(),
            room: room.likeness(),
            next: 1,
            blocked: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(super) fn is_any_blocked(&self) -> bool {
        self.blocked > 0
    }

    pub(super) fn at(&self, address: &[u8]) -> Option<Seat> {
        self.by_address.get(address).copied()
    }

    pub(super) fn with(&self, id: MemberId) -> Option<Seat> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn called(&self, name: &Name) -> Option<Seat> {
        self.by_name.get(&name.likeness()).copied()
    }

    /// Whether this one cannot be called so.
    pub(super) fn is_taken(&self, name: &Name, by_other_than: Option<Seat>) -> bool {
        let by = self.by_name.get(&name.likeness());
        self.is_of_room(name) || by.is_some_and(|seat| Some(*seat) != by_other_than)
    }

    /// Whether the room is called so itself.
    pub(super) fn is_of_room(&self, name: &Name) -> bool {
        name.likeness() == self.room
    }

    pub(super) fn get(&self, seat: Seat) -> Option<&Member> {
        self.seats.get(&seat)
    }

    /// To change what is in no map: not the id, the name or the address.
    pub(super) fn get_mut(&mut self, seat: Seat) -> Option<&mut Member> {
        self.seats.get_mut(&seat)
    }

    /// In the order of their coming.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Seat, &Member)> {
        self.seats.iter().map(|(seat, member)| (*seat, member))
    }

    /// The same, to change what is in no map.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Seat, &mut Member)> {
        self.seats.iter_mut().map(|(seat, member)| (*seat, member))
    }

    /// A number for a classic member, which has no key.
    pub(super) fn unkeyed(&self) -> MemberId {
        MemberId::unkeyed(self.next)
    }

    /// Gives somebody a seat. Its name, id and address are not taken.
    pub(super) fn add(&mut self, member: Member) -> Seat {
        let seat = Seat(self.next);
        self.next += 1;
        self.by_address.insert(Rc::clone(&member.address), seat);
        self.by_id.insert(member.id, seat);
        self.by_name.insert(member.name.likeness(), seat);
        self.seats.insert(seat, member);
        seat
    }

    pub(super) fn remove(&mut self, seat: Seat) -> Option<Member> {
        let member = self.seats.remove(&seat)?;
        self.by_address.remove(&member.address);
        self.by_id.remove(&member.id);
        self.by_name.remove(&member.name.likeness());
        self.blocked -= usize::from(member.is_blocked);
        Some(member)
    }

    /// Somebody is called otherwise from now on; says how it was called. The name is not taken.
    pub(super) fn rename(&mut self, seat: Seat, name: Name) -> Option<Name> {
        let member = self.seats.get_mut(&seat)?;
        self.by_name.remove(&member.name.likeness());
        self.by_name.insert(name.likeness(), seat);
        Some(std::mem::replace(&mut member.name, name))
    }

    /// Somebody is found elsewhere from now on, where nobody else is.
    pub(super) fn relocate(&mut self, seat: Seat, address: &[u8]) {
        let Some(member) = self.seats.get_mut(&seat) else { return };
        self.by_address.remove(&member.address);
        member.address = address.into();
        self.by_address.insert(Rc::clone(&member.address), seat);
    }

    /// A peer is to be sent the past, perhaps again. Returns when: each peer once in so long.
    pub(super) fn begin_again(&mut self, address: &[u8], every: Duration, now: Instant) -> Instant {
        let at = match self.begun.get(address) {
            // Who says hello while it waits waits no longer for it.
            Some(last) if *last > now => *last,
            Some(last) => (*last + every).max(now),
            None => now,
        };
        self.begun.insert(address.into(), at);
        at
    }

    /// A peer comes.
    pub(super) fn on_coming(&mut self, address: Rc<[u8]>, every: Duration, now: Instant) {
        let (since, times) = self.came.entry(address).or_insert((now, 0));
        if now.since(*since) >= every {
            (*since, *times) = (now, 0);
        }
        *times += 1;
    }

    /// Whether a peer has come as often as it may in so long.
    pub(super) fn has_come_enough(&self, address: &[u8], every: Duration, now: Instant) -> bool {
        let came = self.came.get(address);
        came.is_some_and(|(since, times)| now.since(*since) < every && *times >= MAX_COMINGS)
    }

    /// Forgets who began, or came, so long ago that it may again.
    pub(super) fn forget_begun(&mut self, every: Duration, now: Instant) {
        self.begun.retain(|_, last| *last + every > now);
        self.came.retain(|_, (since, _)| *since + every > now);
    }

    /// The coming of somebody has a number.
    pub(super) fn begin_after(&mut self, id: MemberId, number: u64) {
        let seat = self.with(id);
        if let Some(member) = seat.and_then(|seat| self.seats.get_mut(&seat))
            && member.since == Since::Coming
        {
            member.since = Since::After(number);
            if member.dialect == Dialect::Classic {
                member.cursor = Cursor::after(number);
            }
        }
    }

    pub(super) fn is_any_coming(&self) -> bool {
        self.seats.values().any(|member| member.since == Since::Coming)
    }

    /// Only these comings are on their way to a number. What was to tell of others was let go of, so nobody waits for it.
    pub(super) fn begin_all_but(&mut self, coming: &HashSet<MemberId>) {
        let is_coming = |member: &&mut Member| member.since == Since::Coming && !coming.contains(&member.id);
        for member in self.seats.values_mut().filter(is_coming) {
            member.since = Since::After(member.cursor.sent());
        }
    }

    pub(super) fn block(&mut self, seat: Seat) {
        if let Some(member) = self.seats.get_mut(&seat).filter(|member| !member.is_blocked) {
            member.is_blocked = true;
            self.blocked += 1;
        }
    }

    /// All may be tried again.
    pub(super) fn unblock(&mut self) {
        if self.blocked > 0 {
            self.seats.values_mut().for_each(|member| member.is_blocked = false);
            self.blocked = 0;
        }
    }

    /// Those of our dialect that have said nothing for so long, while the room was listening.
    pub(super) fn silent(&self, since: Instant, now: Instant, dead: Duration) -> Vec<Seat> {
        let is_silent = |member: &Member| now.since(member.heard_at.max(since)) >= dead;
        let ours = self.iter().filter(|(_, member)| member.dialect == Dialect::Ours);
        ours.filter(|(_, member)| is_silent(member)).map(|(seat, _)| seat).collect()
    }

    pub(super) fn audit(&self) {
        debug_assert_eq!(self.seats.len(), self.by_address.len());
        debug_assert_eq!(self.seats.len(), self.by_id.len());
        debug_assert_eq!(self.seats.len(), self.by_name.len());
        debug_assert!(self.seats.len() >= self.blocked);
    }
}
