//! In a room of JSON.

use super::*;

#[test]
fn a_classic_room_is_spoken_to_as_it_is_used_to() {
    let mut chat = Chat::joining();
    let greeted = chat.hears_classic("You are now online. 1 online.\n");
    assert_eq!(shown(&greeted)[1], "server: You are now online. 1 online.");

    let says = chat.says("hi");
    chat.types(Typed::Act(text("waves")));
    let acts = chat.syncs();

    assert_eq!(sent_classic(&says), [Frame::Text { name: name("ann"), text: text("hi") }]);
    assert_eq!(sent_classic(&acts), [Frame::Text { name: name("ann"), text: text("* ann waves") }]);
    assert_eq!(chat.member.memory.waiting(), 0);
    for typed in [Typed::Who, Typed::Rename(name("b")), Typed::Tell(name("b"), text("psst"))] {
        let effects = chat.types(typed);
        assert!(shown(&effects)[0].starts_with("! This room is a classic one"), "{effects:?}");
        assert_eq!(sent_classic(&effects), []);
    }
    assert_eq!(sent_classic(&chat.types(Typed::Quit)), []);
    assert_eq!(sent_classic(&chat.on(Input::Delivered)), [Frame::Leave { name: name("ann") }]);
}

fn said(words: &str) -> Frame {
    Frame::Text { name: name("ann"), text: text(words) }
}

/// Fails if a text is forgotten that the connection has refused, or is not said again when there is room.
#[test]
fn what_a_connection_refuses_waits_until_there_is_room() {
    let mut chat = Chat::classic();
    chat.room = 1;
    let offered = chat.says("one");
    let refused = chat.says("two");
    assert_eq!((sent_classic(&offered), sent_classic(&refused)), (vec![said("one")], vec![said("two")]));
    assert_eq!(chat.member.memory.waiting(), 1);
    assert_eq!(sent_classic(&chat.says("three")), [], "nothing is offered to one that is full");

    chat.room = 9;
    let again = chat.on(Input::HasRoom);

    assert_eq!(sent_classic(&again), [said("two"), said("three")]);
    assert_eq!(chat.member.memory.waiting(), 0);
}

#[test]
fn nothing_more_may_be_typed_while_a_full_connection_keeps_as_much_waiting_as_there_may_be() {
    let mut chat = Chat::classic();
    chat.room = 0;
    for number in 0..MAX_KEPT {
        assert!(chat.member.has_room());
        chat.says(&number.to_string());
    }
    assert!(!chat.member.has_room());

    chat.room = MAX_KEPT;
    let all = sent_classic(&chat.on(Input::HasRoom));

    let numbers: Vec<_> = (0..MAX_KEPT).map(|number| said(&number.to_string())).collect();
    assert_eq!(all, numbers);
    assert!(chat.member.has_room());
}

/// Fails if leaving does not wait for what is on its way, or does not say that it may be lost.
#[test]
fn who_leaves_a_classic_room_waits_until_all_has_arrived_or_says_that_it_may_not() {
    let mut chat = Chat::classic();
    chat.says("one");
    assert_eq!(ended(&chat.types(Typed::Quit)), None);
    assert_eq!(ended(&chat.on(Input::Delivered)), Some(End::Left));

    let mut chat = Chat::classic();
    chat.says("one");
    chat.types(Typed::Quit);
    let told = shown(&chat.passes(secs(1.0)));
    assert_eq!(told, ["* What was said is on its way: waiting for it to arrive, 5 s at most."]);
    let late = chat.passes(secs(4.0));
    assert_eq!(shown(&late), [format!("! {}", words::NOT_ARRIVED)]);
    assert_eq!(ended(&late), Some(End::InDoubt));
}

#[test]
fn what_a_full_connection_has_never_taken_is_counted_at_the_end() {
    let mut chat = Chat::classic();
    chat.room = 1;
    chat.says("one");
    chat.says("two");
    chat.says("three");
    chat.types(Typed::Quit);

    let late = chat.passes(secs(5.0));

    assert_eq!(ended(&late), Some(End::GraceExpired(2)));
    let typed = |record: &Record| matches!(record, Record::Typed { .. });
    assert_eq!(chat.member.records().iter().filter(|record| typed(record)).count(), 2, "for the next time");
}

/// Fails if a connection takes with it, without a word, what it was given last.
#[test]
fn what_may_be_lost_with_its_connection_is_told_once_and_at_the_end() {
    let mut chat = Chat::classic();
    chat.says("one");
    chat.on(Input::Delivered);
    assert_eq!(shown(&chat.on(Input::Disconnected)).len(), 1, "all had arrived");

    chat.on(Input::Connected);
    chat.hears_classic("You are now online. 1 online.");
    chat.says("two");
    let lost = shown(&chat.on(Input::Disconnected));
    assert_eq!(lost[0], format!("! {}", words::LOST_WITH_CONNECTION));
    chat.on(Input::Connected);
    chat.hears_classic("You are now online. 1 online.");

    assert_eq!(ended(&chat.types(Typed::Quit)), Some(End::InDoubt));
}

#[test]
fn what_is_typed_for_one_before_a_room_turns_out_classic_is_not_said_to_all() {
    let mut chat = Chat::new();
    chat.types(Typed::Tell(name("bob"), text("secret")));
    chat.syncs();
    chat.on(Input::Connected);

    let effects = chat.hears_classic("You are now online. 1 online.");

    assert_eq!(sent_classic(&effects), []);
    assert!(shown(&effects).iter().any(|line| line.starts_with("! Your private text for bob is not said")));
}

/// Fails if a private text is shown as said where it cannot be, or is not where it can be again.
#[test]
fn a_terminal_knows_whether_something_can_be_said_to_one_only() {
    let private = |effects: &[Effect]| {
        let told = effects.iter().filter_map(|effect| match effect {
            Effect::Private(has_private) => Some(*has_private),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let mut chat = Chat::joining();
    assert_eq!(private(&chat.hears_classic("You are now online. 1 online.")), [false]);
    assert_eq!(private(&chat.hears_classic("hello")), [false; 0]);

    chat.on(Input::Disconnected);
    let tells = chat.types(Typed::Tell(name("bob"), text("while it is away")));
    assert!(shown(&tells)[0].starts_with("! This room is a classic one"), "{tells:?}");
    assert_eq!(chat.member.memory.waiting(), 0);

    chat.on(Input::Connected);
    assert_eq!(private(&chat.hears(&FromRoom::Speak)), [true]);
    assert_eq!(shown(&chat.types(Typed::Tell(name("bob"), text("psst")))), ["ann Mine: psst"]);
}

/// Fails if a text is lost that comes between two joins.
#[test]
fn a_classic_room_that_answers_to_no_join_is_known_by_what_is_said_in_it() {
    let mut chat = Chat::joining();
    chat.passes(secs(2.0));
    assert_eq!(chat.state(), 'P');
    let heard = chat.hears_classic("hello");
    assert_eq!(chat.state(), 'C');
    assert!(shown(&heard).contains(&"server: hello".to_owned()), "{heard:?}");
}

#[test]
fn a_classic_room_is_joined_again_when_the_connection_is_new() {
    let mut chat = Chat::classic();
    chat.on(Input::Disconnected);
    chat.says("kept");
    let joins = chat.on(Input::Connected);
    assert_eq!(sent_classic(&joins).len(), 1);

    let back = chat.hears_classic("You are now online. 1 online.");
    assert_eq!(sent_classic(&back), [said("kept")]);
}
