//! One member, and peers that are played by the test.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::{
    Text,
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
    Entry { number, stamp: Stamp { at, counter: 0 }, name: name("bob"), tone: crate::PublicTone::Plain, text }
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
        Beat { port: 1, hears, clock: vec![], meets: vec![] }
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

#[test]
fn a_peer_is_here_when_it_says_to_hear_us_and_away_when_it_is_silent() {
    let mut table = Table::new(&["10.0.0.1:1"]);
    let way = table.way_to(1);
    table.hear(BOB, 1, table.hello("bob", 0));
    assert_eq!(table.told(), [""; 0], "it may not hear us");

    table.hear(BOB, 1, table.hello("bob", way));
    table.pass(Duration::from_secs(3));

    assert_eq!(table.told(), ["bob is here. 2 online.", "bob is away. 1 online."]);
    assert!(table.effects.contains(&Effect::HangUp(way)));
}

#[test]
fn a_peer_that_does_not_hear_us_any_more_is_away_though_it_speaks() {
    let mut table = Table::with_two();
    for _ in 0..4 {
        table.pass(Duration::from_secs(1));
        table.hear(BOB, 1, table.hello("bob", 0));
    }
    assert_eq!(table.told(), ["cid is away. 2 online.", "bob is away. 1 online."]);
}

#[test]
fn whoever_greets_is_called_back_where_it_says_it_hears() {
    let mut table = Table::new(&[]);

    table.hear(BOB, 7, table.hello("bob", 0));

    let way = table.way_to(7);
    let is_hello = |effect: &Effect| matches!(effect, Effect::Say(on, Frame::Hello(hello)) if *on == way && hello.beat.hears == 7);
    assert!(table.effects.iter().any(is_hello), "and told that it is heard: {:?}", table.effects);
}

#[test]
fn ones_own_address_is_known_by_the_author_and_not_tried_again() {
    let mut table = Table::new(&["10.0.0.9:7001"]);
    let way = table.way_to(9);
    let frame = table.hello("me", 0);
    table.input(Input::Heard {
        speaker: Speaker { author: OWN, way },
        from: Ipv4Addr::new(10, 0, 0, 9).into(),
        frame,
    });
    assert!(table.effects.contains(&Effect::HangUp(way)));
    table.effects.clear();

    (0..100).for_each(|_| table.pass(Duration::from_secs(1)));

    assert_eq!((table.effects, table.mesh.online()), (vec![], 1));
}

#[test]
fn one_peer_by_two_addresses_is_one() {
    let mut table = Table::new(&["10.0.0.1:1", "10.0.0.5:1"]);
    let (first, second) = (table.way_to(1), table.way_to(5));
    table.hear(BOB, 1, table.hello("bob", first));
    table.hear(BOB, 1, table.hello("bob", second));

    assert_eq!(table.told(), ["bob is here. 2 online."]);
    assert!(
        table.effects.contains(&Effect::HangUp(second)) && !table.effects.contains(&Effect::HangUp(first))
    );
}

#[test]
fn a_new_start_at_the_same_address_takes_the_place_of_the_old_one() {
    let mut table = Table::with_two();
    let way = table.mesh.peers.get(BOB).unwrap().way.unwrap();
    let again = AuthorId([0xb1; 16]);

    table.hear(again, 1, table.hello("bob", way));

    assert_eq!(table.told(), ["bob is away. 2 online.", "bob is here. 3 online."]);
    assert!(!table.effects.contains(&Effect::HangUp(way)));
}

#[test]
fn a_text_goes_to_all_at_once_and_a_foreign_one_only_to_who_does_not_hear_its_author() {
    let mut table = Table::with_two();
    let ways = [BOB, CID].map(|author| table.mesh.peers.get(author).unwrap().way.unwrap());
    table.hear(CID, 2, Frame::Beat(Beat { meets: vec![BOB], ..table.beat(ways[1]) }));
    table.input(Input::Typed(Typed::Say(Text::new("x").unwrap())));
    assert_eq!(ways.map(|way| table.given(way)), [[(OWN, 1)], [(OWN, 1)]]);

    table.effects.clear();
    table.texts(BOB, BOB, 0, vec![entry(1, WALL)]);
    assert_eq!(table.given(ways[1]), [], "bob tells it himself");

    table.hear(CID, 2, Frame::Beat(table.beat(ways[1])));
    assert_eq!(table.given(ways[1]), [(BOB, 1)], "now he does not");
}

#[test]
fn what_comes_twice_is_dropped_and_what_comes_early_is_asked_for_by_the_next_beat() {
    let mut table = Table::with_two();
    table.texts(BOB, BOB, 1, vec![entry(2, WALL)]);
    assert_eq!(table.shown(), []);

    table.texts(BOB, BOB, 0, vec![entry(1, WALL)]);
    table.texts(CID, BOB, 0, vec![entry(1, WALL), entry(2, WALL + 1)]);

    assert_eq!(table.shown(), [1, 2].map(|number| (How::Live, format!("text {number}"))));
    let counts = table.mesh.counts();
    assert_eq!((counts.early, counts.repeated, counts.texts), (1, 1, 2));
}

#[test]
fn what_nobody_keeps_is_told_and_holds_nothing_up() {
    let mut table = Table::with_two();

    table.texts(BOB, BOB, 0, vec![entry(4, WALL), entry(6, WALL)]);

    assert_eq!(
        table.told(),
        ["3 messages of bob are no longer kept.", "1 message of bob is no longer kept."]
    );
    assert_eq!(table.shown().len(), 2);
}

#[test]
fn a_text_whose_place_is_before_one_that_was_shown_is_late() {
    let mut table = Table::with_two();
    table.texts(BOB, BOB, 0, vec![entry(1, WALL + 10)]);
    table.texts(CID, CID, 0, vec![entry(1, WALL)]);
    table.input(Input::Typed(Typed::History(10)));

    let hows: Vec<_> = table.shown().iter().map(|(how, _)| *how).collect();
    assert_eq!(hows, [How::Live, How::Late, How::Again, How::Again]);
}

#[test]
fn texts_wait_for_a_screen_that_is_behind_and_what_is_too_much_is_given_again() {
    let mut table = Table::with_two();
    table.input(Input::Behind(true));
    let large =
        |number| Entry { text: Text::new(&"x".repeat(Text::MAX_BYTES)).unwrap(), ..entry(number, WALL) };
    for frame in 0..200 {
        table.texts(BOB, BOB, frame, vec![large(frame + 1)]);
    }
    assert_eq!(table.shown(), []);
    let waiting = 200 - table.mesh.counts().unread;
    assert!((100..150).contains(&waiting), "{waiting}");

    table.input(Input::Behind(false));
    for shown in 2..=waiting as usize {
        assert_eq!(table.mesh.deadline(), table.now);
        table.input(Input::Tick);
        assert_eq!(table.shown().len(), shown);
    }

    table.texts(BOB, BOB, waiting, vec![large(waiting + 1)]);
    assert_eq!(table.shown().len() as u64, waiting + 1);
}

#[test]
fn a_long_history_is_told_in_pieces_and_what_is_said_meanwhile_comes_after_it() {
    let mut table = Table::with_two();
    table.texts(BOB, BOB, 0, (1..=1_000).map(|number| entry(number, WALL + number)).collect());
    table.effects.clear();

    table.input(Input::Typed(Typed::History(900)));
    let first = table.shown().len();
    assert!(first < 100 && !table.mesh.has_room(), "{first}");
    table.input(Input::Behind(true));
    table.texts(CID, CID, 0, vec![entry(1, WALL + 5_000)]);
    assert_eq!(table.shown().len(), first);

    table.input(Input::Behind(false));
    while table.mesh.deadline() == table.now {
        table.input(Input::Tick);
    }
    assert!(table.mesh.has_room());
    let again: Vec<_> = (101..=1_000).map(|number| (How::Again, format!("text {number}"))).collect();
    assert_eq!(table.shown(), [again, vec![(How::Live, "text 1".to_owned())]].concat());
}

#[test]
fn one_clock_that_is_wrong_makes_nobody_late_and_is_told_once() {
    let mut table = Table::with_two();
    table.texts(BOB, BOB, 0, vec![entry(1, WALL + 3_600_000), entry(2, WALL + 3_600_001)]);
    table.texts(CID, CID, 0, vec![entry(1, WALL)]);

    let hows: Vec<_> = table.shown().iter().map(|(how, _)| *how).collect();
    assert_eq!(hows, [How::Live; 3]);
    let told =
        "The clock of bob is 3600 s ahead of this one. What it says stands after all else in the history.";
    assert_eq!(table.told(), [told]);
}

#[test]
fn addresses_that_nobody_far_can_know_and_ports_that_nobody_can_have_are_not_believed() {
    let mut table = Table::with_two();
    let peers = ["127.0.0.1:22", "[::1]:22", "[::ffff:127.0.0.1]:22", "10.0.0.3:0"];
    let peers = peers.iter().map(|peer| peer.parse().unwrap()).collect();
    let hello = |port, peers| {
        Frame::Hello(Hello {
            name: name("x"),
            beat: Beat { port, hears: 0, clock: vec![], meets: vec![] },
            peers,
        })
    };
    table.hear(BOB, 1, hello(1, peers));
    let stranger = AuthorId([9; 16]);
    table.hear(stranger, 9, hello(0, vec![]));
    table.pass(Duration::from_secs(1));

    assert!(!table.effects.iter().any(|effect| matches!(effect, Effect::Dial(..))), "{:?}", table.effects);
    assert!(table.mesh.peers.get(stranger).is_none());
    assert_eq!(table.mesh.counts().strange, 1);
}

#[test]
fn an_answer_stands_after_what_it_answers_though_that_is_from_a_clock_ahead() {
    let mut table = Table::with_two();
    table.texts(BOB, BOB, 0, vec![entry(1, WALL + 30_000)]);
    table.input(Input::Typed(Typed::Say(Text::new("yes").unwrap())));
    table.effects.clear();

    table.input(Input::Typed(Typed::History(10)));

    assert_eq!(table.shown(), ["text 1", "yes"].map(|text| (How::Again, text.to_owned())));
}

#[test]
fn what_was_there_before_one_came_was_missed() {
    let mut table = Table::new(&["10.0.0.1:1"]);
    let beat = Beat { clock: vec![(BOB, 1)], ..table.beat(table.way_to(1)) };
    table.hear(BOB, 1, Frame::Hello(Hello { name: name("bob"), beat, peers: vec![] }));

    table.texts(BOB, BOB, 0, vec![entry(1, WALL - 5), entry(2, WALL)]);

    let hows: Vec<_> = table.shown().iter().map(|(how, _)| *how).collect();
    assert_eq!(hows, [How::Missed, How::Live]);
}

#[test]
fn nobody_can_say_what_this_member_has_said_and_strangers_are_not_listened_to() {
    let mut table = Table::with_two();

    table.texts(BOB, OWN, 0, vec![entry(1, WALL)]);
    table.hear(AuthorId([5; 16]), 5, Frame::Texts { runs: vec![] });
    table.hear(AuthorId([5; 16]), 5, Frame::Private { at: WALL, text: Text::new("x").unwrap() });
    table.input(Input::Strange);

    assert_eq!(table.shown(), []);
    assert_eq!((table.mesh.counts().unknown, table.mesh.counts().strange), (2, 1));
}

#[test]
fn more_members_than_the_most_are_not_met() {
    let mut table = Table::new(&[]);
    for at in 1..=MAX_PEERS as u8 + 1 {
        table.hear(AuthorId([at; 16]), at, table.hello("x", 0));
    }
    assert_eq!(table.mesh.counts().crowded_out, 1);
}

#[test]
fn a_private_text_is_said_to_one_alone_and_to_nobody_where_it_is_away() {
    let mut table = Table::with_two();
    let way = table.mesh.peers.get(BOB).unwrap().way.unwrap();
    let text = Text::new("psst").unwrap();

    table.input(Input::Typed(Typed::Tell(name("Bob"), text.clone())));
    table.input(Input::Typed(Typed::Tell(name("dan"), text.clone())));

    let said = |effect: &&Effect| matches!(effect, Effect::Say(_, Frame::Private { .. }));
    let said: Vec<_> = table.effects.iter().filter(said).collect();
    assert_eq!(said, [&Effect::Say(way, Frame::Private { at: WALL, text })]);
    assert_eq!(table.told(), ["dan is not here, and is told nothing. /who says who is."]);
    assert_eq!(table.mesh.kept(), 0);
}

#[test]
fn addresses_near_one_host_are_not_told_to_another() {
    let mut table = Table::new(&["127.0.0.1:1"]);
    let way = |table: &Table| {
        let made = table.effects.iter().rev().find_map(|effect| match effect {
            Effect::Dial(way, ..) => Some(*way),
            _ => None,
        });
        made.unwrap()
    };
    let near = Input::Heard {
        speaker: Speaker { author: BOB, way: 1 },
        from: Ipv4Addr::LOCALHOST.into(),
        frame: table.hello("bob", way(&table)),
    };
    table.input(near);
    table.hear(CID, 2, table.hello("cid", 0));
    let far = way(&table);
    table.hear(CID, 2, table.hello("cid", far));

    let told = table.effects.iter().filter_map(|effect| match effect {
        Effect::Say(way, Frame::Hello(hello)) if *way == far => Some(hello.peers.clone()),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert!(!told.is_empty() && told.iter().all(Vec::is_empty), "{told:?}");
}

#[test]
fn who_quits_waits_until_the_others_have_what_it_said_and_no_longer_than_the_grace() {
    let said = || Input::Typed(Typed::Say(Text::new("x").unwrap()));
    let mut table = Table::with_two();
    let ways = [BOB, CID].map(|author| table.mesh.peers.get(author).unwrap().way.unwrap());
    table.input(said());
    table.input(Input::Typed(Typed::Quit));
    for (author, at) in [(BOB, 1), (CID, 2)] {
        assert!(!table.effects.contains(&Effect::End(0)), "not before {at}");
        let clock = vec![(OWN, 1)];
        table.hear(author, at, Frame::Beat(Beat { clock, ..table.beat(ways[usize::from(at) - 1]) }));
    }
    let last = &table.effects[table.effects.len() - 3..];
    assert_eq!(last, [Effect::Say(ways[0], Frame::Bye), Effect::Say(ways[1], Frame::Bye), Effect::End(0)]);

    let mut alone = Table::new(&["10.0.0.1:1"]);
    alone.input(said());
    alone.input(Input::Typed(Typed::Quit));
    alone.pass(GRACE / 2);
    assert!(!alone.effects.contains(&Effect::End(1)));
    alone.pass(GRACE / 2);
    assert!(alone.effects.contains(&Effect::End(1)));
}

#[test]
fn who_has_left_is_told_to_have_left() {
    let mut table = Table::with_two();

    table.hear(BOB, 1, Frame::Bye);
    table.input(Input::Leave);

    assert_eq!(table.told(), ["bob left. 2 online."]);
    assert_eq!(table.effects.last(), Some(&Effect::End(0)));
}
