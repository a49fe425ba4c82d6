//! What is said, shown and given.

use super::*;

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
