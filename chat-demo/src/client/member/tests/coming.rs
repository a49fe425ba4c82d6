//! How a member gets its place, loses it, and leaves.

use super::*;

#[test]
fn who_comes_joins_says_hello_and_is_told_how_many_there_are() {
    let mut chat = Chat::new();

    let joins = chat.on(Input::Connected);
    assert_eq!(sent_classic(&joins), [Frame::Join { name: name("ann"), is_ours: true }]);
    let greets = chat.hears(&FromRoom::Speak);
    let hello = Hello { key: Key([1; 32]), name: name("ann"), log: None, seen: 0, next: 0, life: 0 };
    assert_eq!(sent(&greets), [ToRoom::Hello(hello)]);
    let is_in = chat.hears(&FromRoom::Welcome(Welcome { online: 3, ..welcome() }));

    assert_eq!(shown(&is_in), ["* You are now online. 3 online."]);
    assert_eq!(sent(&is_in), [ToRoom::Who]);
    let names = vec![name("ann"), name("bob")];
    let knows = chat.hears(&FromRoom::Who { names: names.clone() });
    assert_eq!(knows, [Effect::Know(names)]);
}

#[test]
fn a_room_that_does_not_answer_is_told_once_and_tried_again() {
    let mut chat = Chat::new();
    let early = chat.passes(secs(1.9));
    let told = chat.passes(secs(0.2));

    assert_eq!(shown(&early), [""; 0]);
    let words =
        "! The room at there:1 does not answer yet: no room answers there. It is tried again until it does.";
    assert_eq!(shown(&told), [words]);
    chat.on(Input::Connected);
    for _ in 0..5 {
        let pauses = chat.passes(secs(2.0));
        let tries = chat.passes(secs(2.0));
        assert_eq!((shown(&pauses).len(), shown(&tries).len()), (0, 0));
        assert_eq!(sent_classic(&tries).len(), 1);
    }
    chat.hears(&FromRoom::Speak);
    assert_eq!(shown(&chat.hears(&FromRoom::Welcome(welcome()))), ["* You are now online. 1 online."]);
}

#[test]
fn who_is_away_is_told_once_and_once_that_it_is_back() {
    let mut chat = Chat::live();
    let lost = chat.on(Input::Disconnected);
    assert_eq!(shown(&lost), ["! The room is away: the connection is lost. What you say is kept for it."]);
    chat.on(Input::Connected);
    let no_answer = chat.passes(secs(2.0));
    assert_eq!(shown(&no_answer), [""; 0]);
    chat.passes(secs(2.0));
    chat.hears(&FromRoom::Speak);
    assert_eq!(shown(&chat.hears(&FromRoom::Welcome(welcome()))), ["* You are now online. 1 online."]);
}

#[test]
fn silence_of_three_beats_is_absence() {
    let mut chat = Chat::live();
    chat.passes(secs(2.9));
    assert_eq!(chat.state(), 'L');
    let silent = chat.passes(secs(0.1));
    assert_eq!(shown(&silent), ["! The room is away: it is silent. What you say is kept for it."]);
}

#[test]
fn a_room_that_closes_is_waited_for() {
    let mut chat = Chat::live();
    assert_eq!(shown(&chat.hears(&FromRoom::Closing)), ["* Server is off."]);
    assert_eq!(shown(&chat.on(Input::Disconnected)), [""; 0]);
    chat.says("meanwhile");
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    assert_eq!(shown(&chat.hears(&FromRoom::Welcome(welcome()))), ["* You are now online. 1 online."]);
    assert_eq!(spoken(&chat.syncs()), [(1, "meanwhile".to_owned())]);
}

#[test]
fn a_taken_name_ends_who_comes_and_not_who_comes_back() {
    let taken = FromRoom::Refused { why: Refusal::NameTaken };
    assert_eq!(ended(&Chat::greeting().hears(&taken)), Some(End::Refused(Refusal::NameTaken)));

    let mut chat = Chat::live();
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    let told = shown(&chat.hears(&taken));
    assert!(told[0].starts_with("! The name ann is somebody else's by now."), "{told:?}");
    chat.passes(secs(2.0));
    assert_eq!(shown(&chat.hears(&taken)), [""; 0], "once");
    chat.types(Typed::Rename(name("anna")));
    let hello = sent(&chat.passes(secs(2.0)));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.name == name("anna")), "{hello:?}");
}

#[test]
fn a_room_of_another_version_ends_it() {
    for mut chat in [Chat::joining(), Chat::greeting()] {
        let effects = chat.on(Input::Frame { bytes: b"\x92\x02\xc0", at: 0 });
        assert_eq!(ended(&effects), Some(End::Refused(Refusal::Version)));
    }
}

#[test]
fn who_quits_with_nothing_to_say_leaves_at_once() {
    let effects = Chat::live().types(Typed::Quit);
    assert_eq!(sent(&effects), [ToRoom::Bye]);
    assert_eq!(ended(&effects), Some(End::Left));
}

/// Fails if who leaves does not wait for what it said to be heard.
#[test]
fn who_quits_is_heard_first() {
    let mut chat = Chat::live();
    chat.types(Typed::Say(text("last words")));
    assert_eq!(ended(&chat.types(Typed::Quit)), None);
    assert!(!chat.member.has_room());
    assert_eq!(ended(&chat.syncs()), None);

    let heard = chat.hears(&FromRoom::Heard { number: 1 });

    assert_eq!(sent(&heard), [ToRoom::Bye]);
    assert_eq!(ended(&heard), Some(End::Left));
}

#[test]
fn who_is_not_heard_in_time_leaves_its_texts_for_the_next_time() {
    let mut chat = Chat::new();
    chat.says("one");
    chat.says("two");
    chat.types(Typed::Quit);
    assert_eq!(
        shown(&chat.passes(secs(0.6))),
        ["* 2 texts are not delivered yet: waiting for the room, 5 s at most."]
    );
    assert_eq!(ended(&chat.passes(secs(4.4))), Some(End::GraceExpired(2)));
    assert_eq!(left_behind(2), "2 texts are not delivered: they will be said next time.");

    let mut next = Chat::recalling(chat.records);
    next.on(Input::Connected);
    next.hears(&FromRoom::Speak);
    next.hears(&FromRoom::Welcome(welcome()));
    assert_eq!(spoken(&next.syncs()), [(1, "one".to_owned()), (2, "two".to_owned())]);
}
