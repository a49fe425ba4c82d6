//! What a member is sent: entries, gaps, names, and rooms that lie.

use super::*;

#[test]
fn entries_are_shown_once_in_order_and_acknowledged() {
    let mut chat = Chat::live();
    let all = [
        entry(1, What::Joined(2)),
        entry(2, What::Text(text("hi"))),
        entry(3, What::Renamed(name("rob"))),
        entry(5, What::Left(1)),
    ];
    let first = chat.hears(&entries(0, 6, &all));
    let again = chat.hears(&entries(0, 6, &all));

    assert_eq!(
        shown(&first),
        [
            "* bob joined the room. 2 online.",
            "bob: hi",
            "* bob is now called rob.",
            "* bob left the room. 1 online."
        ]
    );
    assert_eq!(shown(&again), [""; 0]);
    assert_eq!(sent(&chat.passes(secs(1.0))), [ToRoom::Beat { seen: 6 }]);
    let log = LOG;
    assert_eq!(
        chat.records.last(),
        Some(&Record::Seen { room: "there:1".to_owned(), log, number: 6, life: 1 })
    );
}

#[test]
fn a_quarter_of_the_window_is_acknowledged_at_once() {
    let mut chat = Chat::live();
    assert_eq!(sent(&chat.hears(&entries(0, 1023, &[]))), []);
    assert_eq!(sent(&chat.hears(&entries(1023, 1024, &[]))), [ToRoom::Beat { seen: 1024 }]);
}

#[test]
fn while_the_screen_cannot_follow_nothing_is_acknowledged_or_remembered_as_seen() {
    let mut chat = Chat::live();
    let before = chat.records.len();
    chat.is_behind = true;
    chat.hears(&entries(0, 2000, &[entry(1, What::Text(text("hi")))]));
    assert_eq!(sent(&chat.passes(secs(1.0))), [ToRoom::Beat { seen: 0 }]);
    assert_eq!(chat.records.len(), before);

    chat.is_behind = false;
    let caught_up = chat.looks();

    assert_eq!(sent(&caught_up), [ToRoom::Beat { seen: 2000 }]);
    assert_eq!(chat.records.len(), before + 1);
}

/// Fails if a place that is lost meanwhile makes the same lines wait for the screen again, or if they are not remembered when
/// they are on it.
#[test]
fn what_a_screen_that_cannot_follow_was_given_is_not_given_to_it_again_by_a_new_place() {
    let mut chat = Chat::live();
    let hi = entries(0, 2, &[entry(1, What::Text(text("hi"))), entry(2, What::Text(text("you")))]);
    chat.is_behind = true;
    assert_eq!(shown(&chat.hears(&hi)), ["bob: hi", "bob: you"]);
    chat.hears(&FromRoom::Speak);
    let hello = sent(&chat.passes(secs(1.0)));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.seen == 0), "{hello:?}");
    chat.hears(&FromRoom::Welcome(Welcome { head: 2, past: 2, ..welcome() }));
    let again =
        chat.hears(&entries(0, 3, &[entry(2, What::Text(text("you"))), entry(3, What::Text(text("!")))]));
    assert_eq!(shown(&again), ["bob: !"]);

    chat.on(Input::Disconnected);
    chat.is_behind = false;
    chat.looks();

    assert!(matches!(chat.records.last(), Some(Record::Seen { number: 3, .. })));
}

#[test]
fn a_gap_sends_it_back_to_say_hello_with_what_it_has() {
    let mut chat = Chat::live();
    chat.hears(&entries(0, 4, &[entry(4, What::Text(text("four")))]));

    let gap = chat.hears(&entries(5, 6, &[entry(6, What::Text(text("six")))]));
    assert_eq!(shown(&gap), [""; 0]);
    let hello = sent(&chat.passes(secs(1.0)));

    assert!(
        matches!(&hello[..], [ToRoom::Hello(hello)] if hello.seen == 4 && hello.log == Some(LOG)),
        "{hello:?}"
    );
}

#[test]
fn what_was_missed_is_shown_as_such_without_who_came_and_went() {
    let seen = Record::Seen { room: "there:1".to_owned(), log: LOG, number: 3, life: 0 };
    let mut chat = Chat::recalling(vec![seen]);
    chat.on(Input::Connected);
    let hello = sent(&chat.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.seen == 3));
    chat.hears(&FromRoom::Welcome(Welcome { head: 6, past: 6, from: 3, ..welcome() }));

    let all =
        [entry(4, What::Joined(2)), entry(5, What::Text(text("old"))), entry(7, What::Text(text("new")))];
    let caught_up = chat.hears(&entries(3, 7, &all));

    assert_eq!(shown(&caught_up), ["bob Missed: old", "bob: new"]);
}

#[test]
fn what_is_no_longer_kept_is_counted() {
    let seen = Record::Seen { room: "there:1".to_owned(), log: LOG, number: 3, life: 0 };
    let back = |welcome| {
        let mut chat = Chat::recalling(vec![seen.clone()]);
        chat.on(Input::Connected);
        chat.hears(&FromRoom::Speak);
        let effects = chat.hears(&FromRoom::Welcome(welcome));
        (shown(&effects), chat)
    };

    let (told, mut chat) = back(Welcome { head: 20, past: 20, from: 10, ..welcome() });
    assert_eq!(told, ["* You are now online. 1 online.", "* 7 messages are no longer kept."]);
    assert_eq!(shown(&chat.hears(&entries(10, 11, &[entry(11, What::Text(text("x")))]))), ["bob Missed: x"]);

    let (told, _) = back(Welcome { log: OTHER_LOG, ..welcome() });
    assert!(told[1].starts_with("* The room has a new log"), "{told:?}");

    let (_, mut chat) = back(Welcome { head: 1, past: 1, from: 1, ..welcome() });
    let later = chat.hears(&entries(1, 2, &[entry(2, What::Text(text("put back")))]));
    assert_eq!(shown(&later), ["bob: put back"], "numbers of a log that was put back come again");
}

#[test]
fn a_name_is_asked_for_after_what_was_typed_before_it() {
    let mut chat = Chat::live();
    chat.types(Typed::Say(text("as ann")));
    let asks = chat.types(Typed::Rename(name("anna")));
    assert_eq!(sent(&asks), []);

    let frames = sent(&chat.syncs());
    assert!(matches!(&frames[..], [ToRoom::Say(_), ToRoom::Rename { .. }]), "{frames:?}");
    let renamed = Entry { name: name("ann"), ..entry(1, What::Renamed(name("anna"))) };
    let effects = chat.hears(&entries(0, 1, &[renamed]));
    assert!(effects.contains(&Effect::Rename(name("anna"))));
    assert_eq!(shown(&effects), ["* You are now called anna."]);
}

/// Fails if a name that was asked for is given up with the place.
#[test]
fn a_name_that_was_asked_for_is_asked_for_until_the_room_answers() {
    let mut chat = Chat::live();
    let rename = ToRoom::Rename { name: name("anna") };
    assert_eq!(sent(&chat.types(Typed::Rename(name("anna")))), [rename]);
    assert_eq!(sent(&chat.says("hi")).len(), 1, "it is not asked for twice");
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    let hello = sent(&chat.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.name == name("anna")), "{hello:?}");
    let back = chat.hears(&FromRoom::Welcome(welcome()));
    assert_eq!(shown(&back), ["* You are now online. 1 online.", "* You are now called anna."]);
    let renamed = Entry { name: name("ann"), ..entry(1, What::Renamed(name("anna"))) };
    assert_eq!(shown(&chat.hears(&entries(0, 1, &[renamed]))), [""; 0]);

    chat.types(Typed::Rename(name("bob")));
    let why = "The name bob is taken. Try another.".to_owned();
    let refused = chat.hears(&FromRoom::NotRenamed { name: name("bob"), why });
    assert_eq!(shown(&refused), ["! The name bob is taken. Try another."]);
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    let hello = sent(&chat.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.name == name("anna")), "{hello:?}");
}

/// Fails if any welcome is taken for the answer to a name that was asked for.
#[test]
fn a_welcome_grants_the_name_of_its_hello_and_no_other() {
    let mut chat = Chat::live();
    chat.types(Typed::Rename(name("bob")));
    let again = chat.hears(&FromRoom::Welcome(Welcome { head: 3, past: 3, ..welcome() }));
    assert_eq!(shown(&again), [""; 0]);
    assert_eq!(sent(&again), [ToRoom::Who], "it is not asked for twice");

    let why = "The name bob is taken. Try another.".to_owned();
    chat.hears(&FromRoom::NotRenamed { name: name("bob"), why });
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    let hello = sent(&chat.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.name == name("ann")), "{hello:?}");

    chat.types(Typed::Rename(name("zoe")));
    let back = chat.hears(&FromRoom::Welcome(welcome()));
    assert_eq!(shown(&back), ["* You are now online. 1 online."]);
    assert_eq!(sent(&back)[1..], [ToRoom::Rename { name: name("zoe") }]);
    let renamed = Entry { name: name("ann"), ..entry(1, What::Renamed(name("zoe"))) };
    assert_eq!(shown(&chat.hears(&entries(0, 1, &[renamed]))), ["* You are now called zoe."]);
}

#[test]
fn who_asks_who_is_there_is_told() {
    let mut chat = Chat::live();
    let who = FromRoom::Who { names: vec![name("ann"), name("bob")] };
    assert_eq!(shown(&chat.hears(&who)), [""; 0], "the first was for completing");
    chat.types(Typed::Who);
    assert_eq!(shown(&chat.hears(&who)), ["* 2 online: ann, bob."]);
    assert_eq!(shown(&chat.hears(&who)), [""; 0]);
}

/// Fails if a script that only asks who is there is gone before it is told.
#[test]
fn who_asks_before_it_has_a_place_is_told_when_it_has_one() {
    let mut chat = Chat::joining();
    assert_eq!(shown(&chat.types(Typed::Who)), [""; 0]);
    assert_eq!(ended(&chat.types(Typed::Quit)), None);
    chat.hears(&FromRoom::Speak);
    assert_eq!(ended(&chat.hears(&FromRoom::Welcome(welcome()))), None);
    let told = chat.hears(&FromRoom::Who { names: vec![name("ann")] });
    assert_eq!(shown(&told), ["* 1 online: ann."]);
    assert_eq!(ended(&told), Some(End::Left));
}

#[test]
fn names_are_kept_up_to_date() {
    let mut chat = Chat::live();
    chat.hears(&FromRoom::Who { names: vec![name("ann")] });
    let known = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Know(names) => Some(names),
            _ => None,
        })
    };
    let joined = chat.hears(&entries(0, 1, &[entry(1, What::Joined(2))]));
    assert_eq!(known(joined), Some(vec![name("ann"), name("bob")]));
    let renamed = chat.hears(&entries(1, 2, &[entry(2, What::Renamed(name("rob")))]));
    assert_eq!(known(renamed), Some(vec![name("ann"), name("rob")]));
    let left = Entry { name: name("rob"), ..entry(3, What::Left(1)) };
    assert_eq!(known(chat.hears(&entries(2, 3, &[left]))), Some(vec![name("ann")]));
}

#[test]
fn a_lying_room_cannot_make_it_panic() {
    for heard in [u64::MAX, u64::MAX - 1, 0] {
        let mut chat =
            Chat::welcomed(Welcome { heard, head: u64::MAX, from: u64::MAX, beat: 0, ..welcome() });
        chat.says("one");
        chat.says("two");
        for frame in [
            FromRoom::Heard { number: u64::MAX },
            FromRoom::Unheard { number: 0, why: String::new() },
            entries(u64::MAX, u64::MAX, &[entry(u64::MAX, What::Left(0))]),
            FromRoom::Beat { sent: u64::MAX },
        ] {
            chat.hears(&frame);
            chat.passes(secs(10.0));
        }
    }
}

/// Fails if what a room that was put back to an earlier day has, in the place of what was seen there, is taken for seen.
#[test]
fn a_log_that_is_put_back_is_told_and_what_it_has_instead_is_shown() {
    let mut chat = Chat::welcomed(Welcome { life: 2, ..welcome() });
    let all = [3, 5, 8].map(|number| entry(number, What::Text(text("lost"))));
    chat.hears(&entries(0, 8, &all));
    assert!(matches!(chat.records.last(), Some(Record::Seen { number: 8, life: 2, .. })));

    let mut again = Chat::recalling(chat.records.clone());
    again.on(Input::Connected);
    let hello = sent(&again.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if (hello.seen, hello.life) == (8, 2)), "{hello:?}");
    let put_back = Welcome { head: 10, past: 10, from: 4, common: 4, life: 3, ..welcome() };
    for mut chat in [chat, again] {
        chat.hears(&FromRoom::Closing);
        chat.on(Input::Connected);
        chat.hears(&FromRoom::Speak);
        let told = shown(&chat.hears(&FromRoom::Welcome(put_back.clone())));
        assert!(told.iter().any(|line| line.contains("has an earlier log")), "{told:?}");
        let instead = chat.hears(&entries(4, 10, &[entry(6, What::Text(text("new")))]));
        assert_eq!(shown(&instead), ["bob Missed: new"]);
        let is_met = |record: &Record| matches!(record, Record::Seen { number: 4, life: 3, .. });
        assert!(chat.records.iter().any(is_met), "{:?}", chat.records);
    }
}
