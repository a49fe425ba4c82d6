//! What people do and what goes wrong, one thing a step; and that it stops, and all must be well.

use std::time::Duration;

use proto::time::Instant;

use super::{
    classic::Classic,
    client::{LIMITS, Weather},
    trace::Event,
    world::World,
};
use crate::{Name, Typed, client::member::Input};

impl World {
    /// Time passes, and one thing happens.
    pub(super) fn step(&mut self) {
        let span = Duration::from_micros(self.random.u64(1..60_000));
        self.pass(span);
        let index = self.random.usize(0..self.clients.len());
        match self.random.u32(0..1_000) {
            0..450 => self.say(index),
            450..520 => self.classic_says(),
            520..540 => self.classic_comes_or_goes(),
            540..555 => self.cut(true),
            555..565 => self.cut(false),
            565..580 => self.slow_down(),
            580..590 => self.stop(index),
            590..605 => self.fill(),
            605..617 => self.kill(index),
            617..622 => self.type_in(index, Typed::Quit),
            626..650 => self.rename_somebody(index),
            650..660 => self.type_in(index, Typed::Who),
            660..675 => self.fall_behind(index),
            675..678 => self.kill_room(),
            678..681 => self.stop_room(),
            681..687 => self.full_until = self.now() + Duration::from_millis(self.random.u64(0..3_000)),
            687..693 => self.slow_until = self.now() + Duration::from_millis(self.random.u64(0..3_000)),
            693..696 => self.pass(Duration::from_secs(4)),
            696..706 => self.copy(index),
            _ => {}
        }
        self.audit();
    }

    /// Nothing goes wrong any more, and soon all have heard all.
    pub(super) fn heal(&mut self) {
        self.weather = Weather::default();
        self.is_healing = true;
        (self.full_until, self.slow_until) = (Instant::ZERO, Instant::ZERO);
        let alive: Vec<_> = self.clients.iter().map(|client| client.address).collect();
        let classic: Vec<_> = self.classics.iter().map(|classic| classic.address).collect();
        self.hands.wires.retain(|address, _| alive.contains(address) || classic.contains(address));
        self.hands.wires.values_mut().for_each(|wire| wire.is_full = false);
        self.classics.iter_mut().for_each(Classic::on_torn);
        for index in 0..self.clients.len() {
            self.clients[index].stopped_until = Instant::ZERO;
            self.clients[index].is_behind = false;
            self.give(index, Input::Tick);
        }
        for _ in 0..60 {
            self.pass(Duration::from_secs(1));
            self.audit();
        }
        self.assert_all_is_well();
    }

    fn assert_all_is_well(&self) {
        for client in &self.clients {
            client.assert_has_seen_all(&self.people[client.who], &self.hands);
        }
        for person in &self.people {
            let lost = person.promised.difference(&person.excused).find(|text| !self.hands.disk.has(text));
            assert_eq!(lost, None, "it was said, and is not heard");
            assert!(person.copies > 0 || person.doubted == 0, "{} was alone with its key", person.word);
        }
        let counters = self.room.as_ref().unwrap().counters();
        assert!((4..=6).contains(&counters.members) && counters.waiting == 0, "{counters:?}");
    }

    fn audit(&self) {
        let Some(room) = &self.room else { return };
        let counters = room.counters();
        assert_eq!(counters.head, self.hands.disk.head());
        assert!(counters.entries <= LIMITS.entries as u64 && counters.members <= LIMITS.members as u64);
        assert!(counters.waiting <= 2 * 4_096);
        assert!(self.clients.len() <= 2 * self.people.len());
    }

    fn give(&mut self, index: usize, input: Input<'_>) {
        let (client, person, hands, weather) = self.parts(index);
        if client.is_running(hands.now) {
            client.give(person, input, hands, weather);
            self.tend(index);
        }
    }

    fn type_in(&mut self, index: usize, typed: Typed) {
        if self.clients[index].has_room() {
            self.give(index, Input::Typed { typed, at: 0 });
        }
    }

    fn say(&mut self, index: usize) {
        let to = (self.random.u32(..10) == 0).then(|| self.somebody());
        let (client, person, hands, weather) = self.parts(index);
        if client.is_running(hands.now) && client.has_room() {
            client.say(person, to, hands, weather);
        }
        self.clients[index].assert_is_bounded();
    }

    /// The name of anybody.
    fn somebody(&mut self) -> Name {
        let clients = self.clients.iter().map(|client| &client.name);
        let names: Vec<_> =
            clients.chain(self.classics.iter().map(|classic| &classic.name)).cloned().collect();
        self.random.choice(names).unwrap()
    }

    fn classic_says(&mut self) {
        let index = self.random.usize(0..self.classics.len());
        self.classics[index].say(&mut self.hands);
    }

    fn classic_comes_or_goes(&mut self) {
        let index = self.random.usize(0..self.classics.len());
        if self.random.bool() {
            self.classics[index].join(&mut self.hands);
        } else {
            self.classics[index].leave(&mut self.hands);
        }
    }

    /// A connection breaks and is made again; where that is not noticed, only what was under way is gone.
    fn cut(&mut self, is_noticed: bool) {
        let addresses: Vec<_> = self.hands.wires.keys().copied().collect();
        let Some(address) = self.random.choice(addresses) else { return };
        self.trace.add(self.now(), Event::Cut, address, is_noticed.into());
        let (arrived, pause) = (self.random.usize(0..5), self.random.u64(0..4_000));
        let at = self.now() + Duration::from_millis(pause);
        let Some(wire) = self.hands.wires.get_mut(&address) else { return };
        wire.cut(arrived);
        if is_noticed && wire.is_up {
            (wire.is_up, wire.up_at) = (false, at);
        }
        self.tear(address);
    }

    /// What a classic member at this address hears need not follow what it heard.
    fn tear(&mut self, address: u64) {
        self.classics.iter_mut().filter(|classic| classic.address == address).for_each(Classic::on_torn);
    }

    fn slow_down(&mut self) {
        let until = self.now() + Duration::from_millis(self.random.u64(0..8_000));
        let addresses: Vec<_> = self.hands.wires.keys().copied().collect();
        let Some(address) = self.random.choice(addresses) else { return };
        self.trace.add(self.now(), Event::Slow, address, 0);
        if let Some(wire) = self.hands.wires.get_mut(&address) {
            wire.slow_until = until;
        }
    }

    fn stop(&mut self, index: usize) {
        self.trace.add(self.now(), Event::ClientIsStopped, self.clients[index].address, 0);
        self.clients[index].stopped_until = self.now() + Duration::from_millis(self.random.u64(0..10_000));
    }

    /// Somebody reads nothing, or does again.
    fn fill(&mut self) {
        let addresses: Vec<_> = self.hands.wires.keys().copied().collect();
        let Some(address) = self.random.choice(addresses) else { return };
        self.trace.add(self.now(), Event::Full, address, 0);
        if let Some(wire) = self.hands.wires.get_mut(&address) {
            wire.is_full = !wire.is_full;
        }
        // It may not be told that it lost its place.
        self.tear(address);
    }

    /// A client dies, alone or with its machine.
    fn kill(&mut self, index: usize) {
        if !self.clients[index].is_alive() {
            return;
        }
        self.trace.add(self.now(), Event::ClientIsKilled, self.clients[index].address, 0);
        let left = self.random.usize(0..=self.clients[index].paper.at_risk());
        let left = self.random.bool().then_some(left);
        self.lose(index, left);
    }

    /// Somebody begins elsewhere with a copy of the key, and of the journal or not; the older gives way.
    fn copy(&mut self, index: usize) {
        let who = self.clients[index].who;
        if !self.has_copies || self.clients.iter().filter(|client| client.who == who).count() > 1 {
            return;
        }
        self.trace.add(self.now(), Event::Copied, self.clients[index].address, 0);
        self.people[who].copies += 1;
        self.add_client(who);
        let paper = self.clients[index].paper.copy().filter(|_| self.random.bool());
        if let Some(paper) = paper {
            let (seed, newer) = (self.random.u64(..), self.clients.len() - 1);
            let (client, person, hands, _) = self.parts(newer);
            client.bring(paper, person, seed, hands.now);
        }
    }

    fn rename_somebody(&mut self, index: usize) {
        let of_another = (self.random.u32(..4) == 0).then(|| self.somebody());
        self.rename(index, of_another);
    }

    pub(super) fn rename(&mut self, index: usize, name: Option<Name>) {
        let name = name.unwrap_or_else(|| self.another_name(index));
        self.trace.add(self.now(), Event::Renamed, self.clients[index].address, 0);
        self.type_in(index, Typed::Rename(name));
    }

    /// A screen cannot follow, or can again.
    fn fall_behind(&mut self, index: usize) {
        if self.clients[index].is_running(self.now()) {
            let is_behind = !self.clients[index].is_behind;
            self.clients[index].is_behind = is_behind;
            self.trace.add(self.now(), Event::Behind, self.clients[index].address, is_behind.into());
            self.give(index, Input::Tick);
        }
    }
}
