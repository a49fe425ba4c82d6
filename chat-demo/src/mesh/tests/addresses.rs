//! Where members are, and who is believed about it.

use super::*;

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

    // Nor is it looked at: there is somebody.
    assert_eq!((table.effects, table.mesh.online()), (vec![], 1));
}

/// The addresses that were looked at.
fn looked_at(table: &Table) -> Vec<String> {
    let looked = table.effects.iter().filter_map(|effect| match effect {
        Effect::Look(address, attempt) => Some(format!("{address} {attempt}")),
        _ => None,
    });
    looked.collect()
}

#[test]
fn who_was_given_and_is_not_met_is_told_to_be_missing_once_and_tried_on() {
    let mut table = Table::new(&["10.0.0.1:1", "10.0.0.5:1", "there:1", "there:1"]);
    let bob = Frame::Hello(Hello {
        name: name("bob"),
        beat: table.beat(table.way_to(1)),
        peers: vec!["10.0.0.6:1".parse().unwrap()],
    });
    table.hear(BOB, 1, bob);
    table.pass(MISSED / 2);
    assert_eq!(looked_at(&table), [""; 0]);

    table.pass(MISSED / 2);

    assert_eq!(looked_at(&table), ["10.0.0.5:1 0", "there:1 0"], "not who is met, or was only heard of");
    table.input(Input::Absent("there:1".parse().unwrap(), Absence::NotFound));
    table.hear(CID, 5, table.hello("cid", table.way_to(5)));
    table.input(Input::Absent("10.0.0.5:1".parse().unwrap(), Absence::NobodyListens));
    (0..100).for_each(|_| table.pass(Duration::from_secs(1)));
    let told = table.told().into_iter().filter(|told| told.contains("not there")).collect::<Vec<_>>();
    assert_eq!(told, ["there:1 is not there yet: its host is not found. It is tried on."]);
    assert_eq!(looked_at(&table).len(), 2);
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
fn a_peer_that_is_heard_on_ever_other_ways_is_greeted_once_a_beat_and_told_of_the_last() {
    let mut table = Table::with_two();
    let (way, from) = (table.mesh.peers.get(BOB).unwrap().way.unwrap(), IpAddr::from([10, 0, 0, 1]));
    table.pass(BEAT);
    table.effects.clear();
    for on in 100..200 {
        let speaker = Speaker { author: BOB, way: on };
        table.input(Input::Heard { speaker, from, frame: Frame::Beat(table.beat(way)) });
    }

    let said = |table: &Table| {
        let said = table.effects.iter().filter_map(|effect| match effect {
            Effect::Say(on, Frame::Hello(hello)) if *on == way => Some(("hello", hello.beat.hears)),
            Effect::Say(on, Frame::Beat(beat)) if *on == way => Some(("beat", beat.hears)),
            _ => None,
        });
        said.collect::<Vec<_>>()
    };
    assert_eq!(said(&table), [("hello", 100)]);
    table.pass(BEAT);
    assert_eq!(said(&table), [("hello", 100), ("beat", 199)]);
}

#[test]
fn addresses_that_nobody_far_can_know_and_ports_that_nobody_can_have_are_not_believed() {
    let mut table = Table::with_two();
    let peers = ["127.0.0.1:22", "[::1]:22", "[::ffff:127.0.0.1]:22", "10.0.0.3:0"];
    let peers = peers.iter().map(|peer| peer.parse().unwrap()).collect();
    let hello = |port, peers| {
        Frame::Hello(Hello {
            name: name("x"),
            beat: Beat { port, hears: 0, clock: vec![], meets: vec![], floor: None },
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
