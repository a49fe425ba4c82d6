//! One member, and peers that are played by the test.

mod addresses;
mod authors;
mod presence;
mod texts;

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::{
    PublicTone, Text,
    wire::mesh::{Beat, Hello, MAX_PEERS, Run, Stamp},
};

const WALL: u64 = 1_800_000_000_000;
const OWN: AuthorId = AuthorId([0xee; 16]);
const BOB: AuthorId = AuthorId([0xb0; 16]);
const CID: AuthorId = AuthorId([0xc1; 16]);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn entry(number: u64, at: u64) -> Entry {
    let text = Text::new(&format!("text {number}")).unwrap();
    Entry { number, stamp: Stamp { at, counter: 0 }, name: name("bob"), tone: PublicTone::Plain, text }
}

struct Table {
    mesh: Mesh,
    now: Instant,
    effects: Vec<Effect>,
}

impl Table {
    fn new(peers: &[&str]) -> Self {
        let peers = peers.iter().map(|address| address.parse().unwrap()).collect();
        let start = Start { author: OWN, name: name("me"), port: 7001, peers, seed: 1 };
        let mut table =
            Self { mesh: Mesh::new(start, Instant::ZERO, WALL), now: Instant::ZERO, effects: Vec::new() };
        table.input(Input::Tick);
        table
    }

    /// With bob and cid, who are here.
    fn with_two() -> Self {
        let mut table = Self::new(&["10.0.0.1:1", "10.0.0.2:1"]);
        for (author, called, at) in [(BOB, "bob", 1), (CID, "cid", 2)] {
            table.hear(author, at, table.hello(called, table.way_to(at)));
        }
        assert_eq!(table.mesh.online(), 3);
        table.effects.clear();
        table
    }

    fn input(&mut self, input: Input) {
        self.effects.extend(self.mesh.handle(input, self.now, WALL + self.now.as_micros() / 1000));
        self.mesh.check();
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        self.input(Input::Tick);
    }

    fn hear(&mut self, author: AuthorId, at: u8, frame: Frame) {
        let from = IpAddr::from(Ipv4Addr::new(10, 0, 0, at));
        self.input(Input::Heard { speaker: Speaker { author, way: u64::from(at) }, from, frame });
    }

    fn hello(&self, called: &str, hears: WayId) -> Frame {
        Frame::Hello(Hello { name: name(called), beat: self.beat(hears), peers: vec![] })
    }

    #[expect(clippy::unused_self, reason = "it reads as the others do")]
    fn beat(&self, hears: WayId) -> Beat {
        Beat { port: 1, hears, clock: vec![], meets: vec![], floor: None }
    }

    fn texts(&mut self, from: AuthorId, author: AuthorId, after: u64, entries: Vec<Entry>) {
        let at = if from == BOB { 1 } else { 2 };
        self.hear(from, at, Frame::Texts { runs: vec![Run { author, after, entries }] });
    }

    /// The last way that was made to this host.
    fn way_to(&self, at: u8) -> WayId {
        let made = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Dial(way, address, _) if address.host == format!("10.0.0.{at}") => Some(*way),
            _ => None,
        });
        made.expect("a way was made")
    }

    fn told(&self) -> Vec<String> {
        let told = self.effects.iter().filter_map(|effect| match effect {
            Effect::Show(Line::Told(text) | Line::Warned(text)) => Some(text.clone()),
            _ => None,
        });
        told.collect()
    }

    fn shown(&self) -> Vec<(How, String)> {
        let said = self.effects.iter().filter_map(|effect| match effect {
            Effect::Show(Line::Said(said)) => Some((said.how, said.text.as_str().to_owned())),
            _ => None,
        });
        said.collect()
    }

    /// The authors and numbers of texts that were said on this way.
    fn given(&self, on: WayId) -> Vec<(AuthorId, u64)> {
        let runs = self.effects.iter().filter_map(|effect| match effect {
            Effect::Say(way, Frame::Texts { runs }) if *way == on => Some(runs),
            _ => None,
        });
        runs.flatten().flat_map(|run| run.entries.iter().map(|entry| (run.author, entry.number))).collect()
    }
}
