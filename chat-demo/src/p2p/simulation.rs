//! Two ends in one test, on a time and a network of the test's own: connections end when a seed says so, and with them
//! what was on its way.
//!
//! Each text is said by a machine once for all that; whatever happens, the other hears all of them once and in order.

use std::{collections::VecDeque, time::Duration};

use proto::time::Instant;
use runtime::zeromq::Connection;

use super::{Effect, End, Role};
use crate::{
    Name, PublicTone, Text,
    wire::p2p::{self, Frame},
};

const STEP: Duration = Duration::from_millis(20);
/// How long there are faults, in steps, and how long none any more.
const FAULTS: u32 = 3_000;
const PEACE: u32 = 3_000;

/// One end, its socket, and what its person has said and heard.
struct Side {
    end: End,
    is_open: bool,
    said: u32,
    heard: Vec<String>,
    /// What is on its way to it.
    coming: VecDeque<Vec<u8>>,
}

/// Both, and the connection between them, if there is one.
struct World {
    sides: [Side; 2],
    connection: Option<Connection>,
    connections: u32,
    now: Instant,
    random: fastrand::Rng,
}

impl Side {
    fn new(name: &str, role: Role, seed: u64) -> Self {
        let end = End::new(Name::new(name).unwrap(), role, fastrand::Rng::with_seed(seed));
        Self { end, is_open: true, said: 0, heard: Vec::new(), coming: VecDeque::new() }
    }

    fn speak(&mut self, now: Instant) {
        if self.end.takes_texts() {
            self.said += 1;
            self.end.on_text(Text::new(&self.said.to_string()).unwrap(), PublicTone::Plain, now);
        }
    }

    fn hear(&mut self, by: Connection, now: Instant) {
        if let Some(bytes) = self.coming.pop_front() {
            let frame: Frame = p2p::decode(&bytes).unwrap();
            self.end.on_frame(frame, Some(by), now);
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let sides = [Side::new("ann", Role::Listens, seed), Side::new("bob", Role::Calls, seed + 1)];
        let random = fastrand::Rng::with_seed(seed);
        Self { sides, connection: None, connections: 0, now: Instant::ZERO, random }
    }

    fn run(&mut self) {
        for step in 0..FAULTS + PEACE {
            self.now += STEP;
            self.step(step < FAULTS);
        }
    }

    fn step(&mut self, has_faults: bool) {
        match self.connection {
            None => self.connect(),
            Some(_) if has_faults && self.random.u32(..100) == 0 => self.cut(),
            Some(connection) => self.carry(connection),
        }
        for side in 0..2 {
            if has_faults && self.random.u32(..4) == 0 {
                self.sides[side].speak(self.now);
            }
            let now = self.now;
            self.sides[side].end.on_time(now, true);
            self.carry_out(side);
        }
    }

    fn connect(&mut self) {
        if self.sides.iter().all(|side| side.is_open) && self.sides[0].end.on_knock(self.now) {
            self.connections += 1;
            let connection = Connection(self.connections);
            self.connection = Some(connection);
            for side in 0..2 {
                self.sides[side].end.on_connected(connection);
                self.sides[side].end.on_ready(self.now);
                self.carry_out(side);
            }
        }
    }

    /// A network is slow now and then, or still for long enough to be taken for a death.
    fn carry(&mut self, connection: Connection) {
        for side in 0..2 {
            for _ in 0..self.random.u32(..6) {
                self.sides[side].hear(connection, self.now);
                self.carry_out(side);
            }
        }
    }

    /// Ends the connection, with some of what was on its way.
    fn cut(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        for side in 0..2 {
            for _ in 0..self.random.u32(..4) {
                self.sides[side].hear(connection, self.now);
                self.carry_out(side);
            }
            self.sides[side].coming.clear();
            self.sides[side].end.on_disconnected(connection, self.now);
            self.carry_out(side);
        }
    }

    fn carry_out(&mut self, side: usize) {
        for effect in self.sides[side].end.effects() {
            match effect {
                Effect::Send(frame) if self.connection.is_some() => {
                    self.sides[1 - side].coming.push_back(p2p::encode(&frame));
                }
                Effect::Close => {
                    self.sides[side].is_open = false;
                    self.cut();
                }
                Effect::Open => self.sides[side].is_open = true,
                Effect::Said(_, text, _) => self.sides[side].heard.push(text.as_str().to_owned()),
                Effect::Send(_) | Effect::Tell(_) => {}
                Effect::End(ending) => panic!("nobody left, and it ended: {ending:?}"),
            }
        }
    }
}

// Do not `rewind` on a hello: fails at the first seed.
#[test]
fn every_text_is_heard_once_and_in_order_over_any_number_of_connections() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.run();
        assert!(world.connections > 5, "seed {seed} has faults");
        for side in 0..2 {
            let expected: Vec<_> = (1..=world.sides[1 - side].said).map(|text| text.to_string()).collect();
            assert!(expected.len() > 500, "seed {seed} has texts");
            assert_eq!(world.sides[side].heard, expected, "seed {seed}, side {side}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    let story = |seed| {
        let mut world = World::new(seed);
        world.run();
        (world.connections, world.sides.map(|side| side.heard))
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}
