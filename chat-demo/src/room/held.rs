//! Hellos that wait: of who comes from elsewhere with a key of whose texts some are on their way to the disk.
//!
//! A welcome tells the last own number that is kept, and who is welcome goes on from there. While there are texts of the key
//! that are taken and not kept, that number would be given to two texts, and one of them taken for the other. So the hello
//! waits until the disk has answered, well or not, and is heard then as if it had come then. Until then the place stays with who
//! has it, and no text of its is taken: it would be behind the one that waits.

use std::{collections::BTreeMap, mem, rc::Rc};

use super::{
    Room, Shell, Time,
    counters::{Dropped, Refused},
    hearing::tell,
};
use crate::wire::room::{FromRoom, Hello, Key, MemberId, Refusal};

/// The most that wait. Each has a key that was in the room a moment ago, so there are hardly ever any.
const MAX_HELD: usize = 1_024;

/// The last hellos of those that have come as often as they may in a beat, which wait for the rest of it. Invariant: each
/// address in it came within a beat, or the next look, so they are no more than connections.
#[derive(Debug, Default)]
pub(super) struct Soon(BTreeMap<Rc<[u8]>, Hello>);

impl Soon {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same as [`Held::remove_at`].
    pub(super) fn remove_at(&mut self, address: &[u8]) -> bool {
        self.0.remove(address).is_some()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &[u8]> {
        self.0.keys().map(|from| &**from)
    }
}

/// The last hello of each key. Invariant: at most [`MAX_HELD`], and at most one from each address.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<MemberId, (Rc<[u8]>, Hello)>);

impl Held {
    /// Whether somebody waits for the place of this key.
    pub(super) fn has(&self, id: MemberId) -> bool {
        self.0.contains_key(&id)
    }

    /// Forgets who waits at this address, and says whether anybody did.
    pub(super) fn remove_at(&mut self, address: &[u8]) -> bool {
        let before = self.0.len();
        self.0.retain(|_, (from, _)| **from != *address);
        self.0.len() < before
    }

    pub(super) fn authors(&self) -> impl Iterator<Item = MemberId> {
        self.0.keys().copied()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values().map(|(from, _)| &**from)
    }
}

impl Room {
    /// Whether a hello with this key, from here, has to wait. Who has the place, or its own texts under way, does not: what is
    /// said again from the same address is the same.
    pub(super) fn holds(&self, id: MemberId, from: &[u8]) -> bool {
        let has_place = self.members.with(id).is_some_and(|seat| self.members.at(from) == Some(seat));
        !has_place && self.gathering.is_on_its_way(id)
    }

    /// The newest hello of a key is the one that waits.
    pub(super) fn hold(&mut self, from: &[u8], hello: Hello, shell: &mut impl Shell) {
        self.held.remove_at(from);
        let id = hello.key.member();
        if !self.held.has(id) && self.held.0.len() >= MAX_HELD {
            return self.refuse(from, Refused::Full, Refusal::Full, shell);
        }
        self.supersede_put_off(&hello.key, from, shell);
        self.counters.held += 1;
        if let Some((older, _)) = self.held.0.insert(id, (from.into(), hello)) {
            self.counters.dropped.add(Dropped::Superseded);
            tell(&older, &FromRoom::Refused { why: Refusal::Superseded }, shell);
        }
    }

    /// Somebody comes too often: the newest of its hellos waits until it may come again.
    pub(super) fn put_off(&mut self, from: &[u8], hello: Hello) {
        self.counters.held += 1;
        self.soon.0.insert(from.into(), hello);
    }

    /// A newer hello of this key is heard, or held: one that was put off elsewhere must not take its place later.
    pub(super) fn supersede_put_off(&mut self, key: &Key, from: &[u8], shell: &mut impl Shell) {
        let of_key = self.soon.0.iter().filter(|(address, hello)| ***address != *from && hello.key == *key);
        let older: Vec<_> = of_key.map(|(address, _)| Rc::clone(address)).collect();
        for address in older {
            self.soon.0.remove(&address);
            self.counters.dropped.add(Dropped::Superseded);
            tell(&address, &FromRoom::Refused { why: Refusal::Superseded }, shell);
        }
    }

    /// Who may come again by now is heard.
    pub(super) fn hear_those_put_off(&mut self, time: Time, shell: &mut impl Shell) {
        for (from, hello) in mem::take(&mut self.soon.0) {
            // That it waits on is no news.
            let held = self.counters.held;
            self.on_hello(&from, hello, time, shell);
            if self.soon.0.contains_key(&from) {
                self.counters.held = held;
            }
        }
    }

    /// The disk has answered: who waited for it is heard.
    pub(super) fn on_settled(&mut self, time: Time, shell: &mut impl Shell) {
        let is_waiting = |id: &MemberId| self.gathering.is_on_its_way(*id);
        let (waiting, due): (BTreeMap<_, _>, BTreeMap<_, _>) =
            mem::take(&mut self.held.0).into_iter().partition(|(id, _)| is_waiting(id));
        self.held.0 = waiting;
        for (from, hello) in due.into_values() {
            self.on_hello(&from, hello, time, shell);
        }
    }
}
