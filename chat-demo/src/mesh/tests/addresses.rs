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
