//! Who is here, away, or has left.

use super::*;

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
fn a_new_start_at_the_same_address_takes_the_place_of_the_old_one() {
    let mut table = Table::with_two();
    let way = table.mesh.peers.get(BOB).unwrap().way.unwrap();
    let again = AuthorId([0xb1; 16]);

    table.hear(again, 1, table.hello("bob", way));

    assert_eq!(table.told(), ["bob is away. 2 online.", "bob is here. 3 online."]);
    assert!(!table.effects.contains(&Effect::HangUp(way)));
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
