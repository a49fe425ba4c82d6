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
    assert_eq!(sent_classic(&chat.types(Typed::Quit)), [Frame::Leave { name: name("ann") }]);
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
    assert_eq!(sent_classic(&back), [Frame::Text { name: name("ann"), text: text("kept") }]);
}
