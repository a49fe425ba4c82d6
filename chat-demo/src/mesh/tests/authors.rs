//! More authors than are kept, and who is heard all the same.

use super::*;
use crate::wire::mesh::{MAX_AUTHORS, MAX_FRAME, MAX_KNOWN, decode, encode};

const DAN: AuthorId = AuthorId([0xda; 16]);

fn invented(number: u64) -> AuthorId {
    AuthorId((1_000 + u128::from(number)).to_be_bytes())
}

/// With texts of so many authors, one of each, that cid has told, a millisecond apart and the last of this time.
fn with_invented(authors: u64, last: u64) -> Table {
    let mut table = Table::with_two();
    for number in 1..=authors {
        table.texts(CID, invented(number), 0, vec![entry(1, last - authors + number)]);
    }
    assert_eq!(table.shown().len() as u64, authors);
    has_all(&mut table, BOB, 1);
    has_all(&mut table, CID, 2);
    table.effects.clear();
    table
}

/// This peer tells that it has all that is there.
fn has_all(table: &mut Table, author: AuthorId, at: u8) {
    let way = table.mesh.peers.get(author).unwrap().way.unwrap();
    let (clock, floor) = (table.mesh.history.clock().to_wire(), table.mesh.history.floor());
    table.hear(author, at, Frame::Beat(Beat { clock, floor, ..table.beat(way) }));
}

fn say(table: &mut Table, text: &str) {
    table.input(Input::Typed(Typed::Say(Text::new(text).unwrap())));
}

/// The last beat that was said to bob.
fn beat(table: &mut Table) -> Beat {
    table.pass(Duration::from_secs(1));
    let beats = table.effects.iter().rev().find_map(|effect| match effect {
        Effect::Say(_, frame @ Frame::Beat(beat)) => Some((frame.clone(), beat.clone())),
        _ => None,
    });
    let (frame, beat) = beats.expect("a beat is said");
    let bytes = encode(&frame);
    assert!(bytes.len() < MAX_FRAME / 4 && decode(&bytes).is_ok_and(|again| again == frame));
    beat
}

#[test]
fn however_many_authors_are_invented_those_who_live_are_heard_and_newcomers_too() {
    let mut table = with_invented(5_000, WALL);
    let ways = [BOB, CID].map(|author| table.mesh.peers.get(author).unwrap().way.unwrap());

    say(&mut table, "mine");
    table.texts(BOB, BOB, 0, vec![entry(1, WALL + 1)]);
    table.hear(DAN, 4, table.hello("dan", 0));
    table.hear(
        DAN,
        4,
        Frame::Texts { runs: vec![Run { author: DAN, after: 0, entries: vec![entry(1, WALL + 2)] }] },
    );

    let shown: Vec<_> = table.shown().into_iter().map(|(how, _)| how).collect();
    assert_eq!(shown, [How::Mine, How::Live, How::Live]);
    assert!(ways.iter().all(|&way| table.given(way).contains(&(OWN, 1))));
    assert_eq!(table.mesh.kept(), MAX_AUTHORS);
    let beat = beat(&mut table);
    assert!(beat.clock.len() <= MAX_KNOWN, "{} authors", beat.clock.len());
    assert!(beat.floor.is_some() && beat.floor == table.mesh.history.floor());
    assert!([OWN, BOB, CID, DAN].iter().all(|author| beat.clock.iter().any(|(known, _)| known == author)));
}

#[test]
fn what_was_forgotten_is_not_shown_again_and_who_was_forgotten_is_heard_again() {
    let mut table = with_invented(1_500, WALL);

    table.texts(CID, invented(7), 0, vec![entry(1, WALL - 1_493)]);
    assert_eq!((table.shown(), table.mesh.counts().below), (vec![], 1));

    table.texts(CID, invented(7), 0, vec![entry(2, WALL + 1)]);
    table.texts(CID, invented(7), 0, vec![entry(2, WALL + 1)]);
    assert_eq!(table.shown(), [(How::Live, "text 2".to_owned())]);
    assert_eq!(table.told(), [""; 0], "nothing is missing");
}

#[test]
fn who_is_here_hears_what_one_says_though_stamps_from_the_future_fill_the_history() {
    let future = WALL + 86_400_000;
    let mut table = with_invented(1_024, future);
    let ways = [BOB, CID].map(|author| table.mesh.peers.get(author).unwrap().way.unwrap());

    say(&mut table, "mine");
    table.texts(BOB, BOB, 0, vec![entry(1, WALL + 1)]);
    table.texts(BOB, BOB, 1, vec![entry(2, WALL + 2)]);

    let shown: Vec<_> = table.shown().into_iter().map(|(how, _)| how).collect();
    assert_eq!(shown, [How::Mine, How::Live, How::Live]);
    assert_eq!(ways.map(|way| table.given(way).contains(&(OWN, 1))), [true; 2]);
    assert!(!table.given(ways[1]).contains(&(BOB, 1)), "what is not kept is not relayed");
    assert_eq!(table.mesh.kept(), MAX_AUTHORS, "nor is it in the history");
}

#[test]
fn nobody_waits_for_a_newcomer_to_have_what_is_not_kept() {
    let mut table = with_invented(1, WALL);
    say(&mut table, "mine");
    for number in 2..=1_100 {
        table.texts(CID, invented(number), 0, vec![entry(1, WALL + number)]);
    }
    has_all(&mut table, BOB, 1);
    has_all(&mut table, CID, 2);
    table.hear(DAN, 4, table.hello("dan", 0));
    table.hear(DAN, 4, table.hello("dan", table.way_to(4)));
    assert_eq!(table.mesh.online(), 4);

    table.input(Input::Typed(Typed::Quit));

    assert_eq!(table.effects.last(), Some(&Effect::End(0)));
}

#[test]
fn a_peer_that_has_forgotten_an_author_is_given_of_it_only_what_does_not_stand_before_its_floor() {
    let mut table = Table::with_two();
    let way = table.mesh.peers.get(BOB).unwrap().way.unwrap();
    let place = |number, at| Place { stamp: Stamp { at, counter: 0 }, author: CID, number };
    let hear = |table: &mut Table, floor, clock| {
        table.hear(BOB, 1, Frame::Beat(Beat { floor: Some(floor), clock, ..table.beat(way) }));
    };
    hear(&mut table, place(1, WALL + 5), vec![]);
    table.texts(CID, DAN, 0, (1..=4).map(|number| entry(number, WALL + 3 * number)).collect());
    assert_eq!(table.given(way), [(DAN, 2), (DAN, 3), (DAN, 4)]);

    for _ in 0..20 {
        table.pass(Duration::from_millis(500));
        hear(&mut table, place(2, WALL + 20), vec![]);
    }
    assert_eq!(table.mesh.counts().resent, 0, "its floor has risen, and it takes none of them any more");
    assert_eq!(table.given(way).len(), 3);
}
