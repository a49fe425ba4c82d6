//! The clock, the room's process, and the order in which things happen.

use std::time::Duration;

use proto::time::Instant;

use super::{
    classic::Classic,
    client::{Client, LIMITS, Person, Weather},
    trace::{Event, Trace},
    wires::{Hands, Wire},
};
use crate::{
    Name,
    client::member::{End, Input},
    room::{self, Room, Time},
    wire::room::Refusal,
};

const WORDS: [&str; 4] = ["ann", "bob", "cid", "dan"];
const CLASSIC: [&str; 2] = ["eve", "fay"];
/// Members have so long to receive a room's last words.
const LAST_WORDS: Duration = Duration::from_millis(100);

pub(super) struct World {
    pub(super) random: fastrand::Rng,
    pub(super) hands: Hands,
    pub(super) room: Option<Room>,
    /// When a room that is no more is opened again.
    pub(super) opens_at: Instant,
    /// When the connections of a room that was closed end.
    closes_at: Instant,
    /// When the disk is done with the batch.
    stored_at: Instant,
    pub(super) full_until: Instant,
    pub(super) slow_until: Instant,
    pub(super) people: Vec<Person>,
    pub(super) clients: Vec<Client>,
    pub(super) classics: Vec<Classic>,
    pub(super) weather: Weather,
    /// Keys are copied.
    pub(super) has_copies: bool,
    /// Who gave way to a copy is not started again.
    pub(super) is_healing: bool,
    next_address: u64,
    pub(super) trace: Trace,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut world = Self {
            random: fastrand::Rng::with_seed(seed),
            hands: Hands::new(seed, now),
            room: None,
            opens_at: now,
            closes_at: Instant::NEVER,
            stored_at: Instant::NEVER,
            full_until: Instant::ZERO,
            slow_until: Instant::ZERO,
            people: WORDS.map(Person::new).into(),
            clients: Vec::new(),
            classics: Vec::new(),
            weather: Weather { lost: 5, unwritten: 5, unsynced: 20 },
            has_copies: seed.is_multiple_of(3),
            is_healing: false,
            next_address: 0,
            trace: Trace::default(),
        };
        (0..WORDS.len()).for_each(|who| world.add_client(who));
        for word in CLASSIC {
            let address = world.wire(None);
            world.classics.push(Classic::new(word, address));
        }
        world
    }

    pub(super) fn now(&self) -> Instant {
        self.hands.now
    }

    pub(super) fn add_client(&mut self, who: usize) {
        let address = self.wire(Some(who));
        let seed = self.random.u64(..);
        self.clients.push(Client::new(who, &self.people[who], address, seed, self.now()));
    }

    /// A connection that is yet to be made.
    fn wire(&mut self, who: Option<usize>) -> u64 {
        self.next_address += 1;
        let wire = Wire::new(who.map(|who| self.people[who].id));
        self.hands.wires.insert(self.next_address, wire);
        self.next_address
    }

    /// Everything that happens within this span.
    pub(super) fn pass(&mut self, span: Duration) {
        let until = self.now() + span;
        loop {
            let next = self.next();
            if next > until {
                break;
            }
            self.hands.now = next.max(self.now());
            self.happen();
        }
        self.hands.now = until;
    }

    fn next(&self) -> Instant {
        let of_room = match &self.room {
            Some(room) => room.next_deadline().min(self.stored_at),
            None => self.opens_at.min(self.closes_at),
        };
        let of_clients = self.clients.iter().map(|client| client.next().min(self.next_on_wire(client)));
        let classics = self.classics.iter().filter_map(|classic| self.hands.wires.get(&classic.address));
        let of_classics = classics.filter_map(Wire::next_to_process);
        let hears = self.room.as_ref().is_some_and(Room::has_room);
        let wires = self.hands.wires.values();
        let to_room = wires.clone().filter(|_| hears).filter_map(Wire::next_to_room);
        let up = wires.filter(|wire| !wire.is_up && self.room.is_some()).map(|wire| wire.up_at);
        of_clients.chain(of_classics).chain(to_room).chain(up).fold(of_room, Instant::min)
    }

    /// When a client sees what has become of its connection.
    fn next_on_wire(&self, client: &Client) -> Instant {
        let Some(wire) = self.hands.wires.get(&client.address).filter(|_| client.is_alive()) else {
            return Instant::NEVER;
        };
        let frame = wire.next_to_process().unwrap_or(Instant::NEVER);
        let sees = if wire.is_up == client.is_connected { Instant::NEVER } else { self.now() };
        frame.min(sees).max(client.stopped_until)
    }

    /// All that is due.
    fn happen(&mut self) {
        self.happen_to_room();
        self.make_connections();
        self.room_hears();
        (0..self.clients.len()).for_each(|index| self.happen_to(index));
        (0..self.classics.len()).for_each(|index| self.classic_hears(index));
        self.clear_away();
        if self.room.as_ref().is_some_and(|room| room.next_deadline() <= self.now()) {
            self.on(room::Input::Turn);
        }
    }

    fn happen_to_room(&mut self) {
        if self.stored_at <= self.now() {
            self.store();
            self.on(room::Input::Turn);
        }
        if self.closes_at <= self.now() {
            self.closes_at = Instant::NEVER;
            self.disconnect_all();
        }
        if self.room.is_none() && self.opens_at <= self.now() && self.closes_at == Instant::NEVER {
            self.open_room();
        }
    }

    fn open_room(&mut self) {
        self.trace.add(self.now(), Event::RoomOpens, 0, self.hands.disk.head());
        let more = self.random.u64(0..100);
        let stored = self.hands.disk.stored(more);
        self.room = Some(Room::open(Name::new("room").unwrap(), LIMITS, stored, self.now()));
        self.opens_at = Instant::NEVER;
    }

    fn make_connections(&mut self) {
        let now = self.now();
        if self.room.is_some() {
            let down = self.hands.wires.values_mut().filter(|wire| !wire.is_up && wire.up_at <= now);
            down.for_each(|wire| wire.is_up = true);
        }
    }

    fn room_hears(&mut self) {
        let addresses: Vec<_> = self.hands.wires.keys().copied().collect();
        let mut has_heard = false;
        for address in addresses {
            for _ in 0..self.random.u32(1..10) {
                if !self.room.as_ref().is_some_and(Room::has_room) {
                    return;
                }
                let now = self.now();
                let frame = self.hands.wires.get_mut(&address).and_then(|wire| wire.take_to_room(now));
                let Some(bytes) = frame else { break };
                self.trace.add(now, Event::RoomHears, address, bytes.len() as u64);
                self.on(room::Input::Frame { from: &address.to_be_bytes(), bytes: &bytes });
                has_heard = true;
            }
        }
        if has_heard {
            self.on(room::Input::Turn);
        }
    }

    /// Brings an input to the room, and what it wants stored to the disk.
    fn on(&mut self, input: room::Input<'_>) {
        let Some(room) = &mut self.room else { return };
        let counters = room.counters();
        self.hands.first = counters.head + 1 - counters.entries;
        let now = self.hands.now;
        room.on(input, Time { now, wall: now.as_micros() / 1_000 }, &mut self.hands);
        if self.hands.batch.is_some() && self.stored_at == Instant::NEVER {
            let slowest = if now < self.slow_until { 2_000_000 } else { 20_000 };
            self.stored_at = now + Duration::from_micros(self.random.u64(100..slowest));
        }
    }

    /// The disk is done with the batch, well or not.
    fn store(&mut self) {
        self.stored_at = Instant::NEVER;
        let Some(batch) = self.hands.batch.take() else { return };
        if self.now() < self.full_until {
            self.trace.add(self.now(), Event::DiskIsFull, 0, batch.first);
            return self.on(room::Input::NotStored("full"));
        }
        self.trace.add(self.now(), Event::Stored, 0, batch.first);
        self.hands.disk.write(batch);
        self.on(room::Input::Stored);
    }

    fn happen_to(&mut self, index: usize) {
        let client = &self.clients[index];
        if client.returns_at.is_some_and(|at| at <= self.now()) {
            self.begin_client(index);
        }
        if !self.clients[index].is_running(self.now()) {
            return;
        }
        self.client_hears(index);
        let (client, person, hands, weather) = self.parts(index);
        if client.is_running(hands.now) && client.next() <= hands.now {
            client.expire(person, hands, weather);
        }
        self.tend(index);
    }

    /// What is needed to bring an input to a client.
    pub(super) fn parts(&mut self, index: usize) -> (&mut Client, &mut Person, &mut Hands, Weather) {
        let client = &mut self.clients[index];
        let person = &mut self.people[client.who];
        (client, person, &mut self.hands, self.weather)
    }

    fn client_hears(&mut self, index: usize) {
        for _ in 0..10 {
            let (client, person, hands, weather) = self.parts(index);
            if !client.is_alive() {
                return;
            }
            let (now, address) = (hands.now, client.address);
            let Some(wire) = hands.wires.get_mut(&address) else { return };
            if let Some(bytes) = wire.take_to_process(now) {
                client.hear(person, &bytes, hands, weather);
                self.trace.add(now, Event::ClientHears, address, bytes.len() as u64);
            } else if wire.is_up != client.is_connected {
                client.is_connected = wire.is_up;
                let input = if wire.is_up { Input::Connected } else { Input::Disconnected };
                client.give(person, input, hands, weather);
                self.trace.add(now, Event::ConnectionSeen, address, 0);
            } else {
                return;
            }
        }
    }

    /// What a person does when a client has ended, or cannot go on by itself.
    pub(super) fn tend(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if std::mem::take(&mut client.needs_name) {
            self.rename(index, None);
        }
        let client = &mut self.clients[index];
        let Some(end) = client.end.take() else { return };
        match end {
            End::Refused(Refusal::NameTaken) => self.clients[index].name = self.another_name(index),
            End::Refused(Refusal::Superseded) | End::Left | End::GraceExpired(_) => {}
            End::Refused(why) => panic!("{why:?}"),
            End::InDoubt => panic!("no room here is a classic one"),
        }
        let client = &self.clients[index];
        self.trace.add(self.hands.now, Event::ClientEnds, client.address, 0);
        let has_other = self.clients.iter().filter(|other| other.who == client.who).count() > 1;
        let gives_way = end == End::Refused(Refusal::Superseded) && has_other;
        if gives_way && (self.is_healing || self.random.bool()) {
            self.clients[index].end = Some(end);
        } else {
            self.lose(index, None);
        }
    }

    /// Clients that gave way to a copy, and stay away.
    fn clear_away(&mut self) {
        for index in (0..self.clients.len()).rev() {
            let gone = self.clients[index].end.is_some();
            let who = self.clients[index].who;
            if gone && self.clients.iter().any(|other| other.who == who && other.end.is_none()) {
                let client = self.clients.remove(index);
                self.hands.wires.remove(&client.address);
                client.bury(&mut self.people[who]);
            } else if gone {
                // Both gave way to the other.
                self.clients[index].end = None;
                self.lose(index, None);
            }
        }
    }

    /// A client is no more, and is started again later.
    pub(super) fn lose(&mut self, index: usize, left: Option<usize>) {
        let is_made_short = self.random.bool();
        // A few stay away until the room has forgotten what they lack.
        let longest = if self.random.u32(..8) == 0 { 25_000 } else { 4_000 };
        let returns_at = self.now() + Duration::from_millis(self.random.u64(0..longest));
        let arrived = self.random.usize(0..10);
        let is_noticed = left.is_none() || self.random.bool();
        let (client, person, hands, _) = self.parts(index);
        client.kill(person, left, is_made_short);
        client.returns_at = Some(returns_at);
        if let Some(wire) = hands.wires.get_mut(&client.address).filter(|_| is_noticed) {
            (wire.is_up, wire.up_at) = (false, Instant::NEVER);
            wire.cut(arrived);
        }
    }

    fn begin_client(&mut self, index: usize) {
        let address = self.wire(Some(self.clients[index].who));
        let seed = self.random.u64(..);
        let (client, person, hands, _) = self.parts(index);
        client.begin(person, hands, address, seed);
        self.trace.add(self.hands.now, Event::ClientBegins, address, 0);
    }

    fn classic_hears(&mut self, index: usize) {
        let (classic, now) = (&mut self.classics[index], self.hands.now);
        while let Some(wire) = self.hands.wires.get_mut(&classic.address) {
            let Some(bytes) = wire.take_to_process(now) else { return };
            self.trace.add(now, Event::ClassicHears, classic.address, bytes.len() as u64);
            classic.hear(&bytes, &self.people, &self.hands.disk);
        }
    }

    /// The room ends without a word. The batch that was on its way is on the disk, or not.
    pub(super) fn kill_room(&mut self) {
        if self.room.take().is_none() {
            return;
        }
        self.trace.add(self.now(), Event::RoomIsKilled, 0, self.hands.disk.head());
        if let Some(batch) = self.hands.batch.take().filter(|_| self.random.bool()) {
            self.hands.disk.write(batch);
        }
        self.stored_at = Instant::NEVER;
        self.opens_at = self.now() + Duration::from_millis(self.random.u64(0..5_000));
        self.disconnect_all();
    }

    /// The room is stopped: what is on its way to the disk is delivered still; then everybody is told.
    pub(super) fn stop_room(&mut self) {
        if self.room.is_none() {
            return;
        }
        self.trace.add(self.now(), Event::RoomIsStopped, 0, self.hands.disk.head());
        while self.hands.batch.is_some() {
            self.store();
        }
        self.on(room::Input::Close);
        self.room = None;
        self.stored_at = Instant::NEVER;
        self.hands.wires.values_mut().for_each(Wire::forget_to_room);
        self.closes_at = self.now() + LAST_WORDS;
        self.opens_at = self.closes_at + Duration::from_millis(self.random.u64(0..5_000));
    }

    fn disconnect_all(&mut self) {
        let now = self.now();
        for wire in self.hands.wires.values_mut() {
            wire.cut(0);
            wire.is_up = false;
            if wire.up_at < Instant::NEVER {
                wire.up_at = now + Duration::from_millis(self.random.u64(0..500));
            }
        }
        self.classics.iter_mut().for_each(Classic::on_torn);
    }

    /// One that nobody has, though somebody may have wanted it.
    pub(super) fn another_name(&mut self, index: usize) -> Name {
        let number = self.random.u32(..100_000);
        Name::new(&format!("{} {number}", self.people[self.clients[index].who].word)).unwrap()
    }
}
