//! Members of our dialect: coming, speaking, coming back, being refused.

use super::*;

/// Fails if one is told of itself, or the others are not.
#[test]
fn who_comes_is_welcome_and_the_others_are_told() {
    let mut scene = Scene::new();
    let welcome = scene.joined("ann");
    assert_eq!((welcome.room, welcome.online, welcome.heard, welcome.from), (name("room"), 1, 0, 0));
    let welcome = scene.joined("bob");
    assert_eq!((welcome.online, welcome.head, welcome.from), (2, 1, 1));

    scene.joined("cid");
    scene.say("cid", &ToRoom::Bye);

    assert_eq!(scene.lines("bob"), ["-cid 2"]);
    assert!(scene.hands.sent.keys().all(|who| who != "cid"), "it is not told that it left");
}

/// Fails if who comes back is told, as news, of those who came back just before it: with how many there were then.
#[test]
fn what_was_on_its_way_to_the_disk_is_past_for_who_comes_back() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    for who in ["ann", "bob"] {
        scene.say(who, &ToRoom::Bye);
    }
    scene.hands.sent.clear();
    scene.frame("ann", &encode(&hello("ann", "ann", Some(LOG), 4)));
    scene.on(Input::Turn);
    scene.frame("ann", &encode(&texts([(1, "early")])));
    scene.frame("bob", &encode(&hello("bob", "bob", Some(LOG), 4)));

    let heard = scene.heard("bob");
    assert!(
        matches!(&heard[..], [FromRoom::Welcome(Welcome { head: 4, past: 7, online: 2, .. })]),
        "{heard:?}"
    );
    scene.settle();
    assert_eq!(scene.room.counters().head, 7);
}

/// Fails if who comes for the first time is told of those who came just before it, while the disk was slow.
#[test]
fn who_comes_is_told_nothing_that_was_before_its_time() {
    let mut scene = Scene::new();
    scene.frame("ann", &encode(&hello("ann", "ann", None, 0)));
    scene.on(Input::Turn);
    scene.frame("ann", &encode(&texts([(1, "before")])));
    scene.frame("bob", &encode(&hello("bob", "bob", None, 0)));
    scene.frame("cid", br#"{"auth": 1, "name": "cid"}"#);
    scene.frame("ann", &encode(&texts([(2, "after")])));
    scene.settle();
    assert_eq!(scene.lines("bob"), ["+cid 3", "ann: after"]);
    assert_eq!(scene.classic_lines("cid"), ["room: You are now online. 3 online.", "ann: after"]);
    assert_eq!(scene.lines("ann"), ["+bob 2", "+cid 3"]);
}

#[test]
fn who_joins_as_classic_clients_do_is_asked_to_speak_ours_and_is_not_in_the_room() {
    let mut scene = Scene::new();
    scene.frame("ann", br#"{"auth": 1, "name": "ann", "pegloom": 1}"#);
    assert_eq!(scene.heard("ann"), [FromRoom::Speak]);
    assert_eq!(scene.room.counters().members, 0);
}

/// Fails if the author gets an echo, the order differs, or a text is acknowledged before it is stored.
#[test]
fn a_text_is_stored_then_heard_by_all_others_and_acknowledged() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob", "cid"]);
    scene.frame("ann", &encode(&texts([(1, "one"), (2, "two")])));
    scene.frame("bob", &encode(&texts([(1, "three")])));
    scene.on(Input::Turn);
    assert!(scene.hands.sent.is_empty(), "nothing is said before it is stored");

    scene.settle();

    assert_eq!(scene.lines("cid"), ["ann: one", "ann: two", "bob: three"]);
    let heard = scene.heard("bob");
    assert_eq!(heard[0], FromRoom::Heard { number: 1 });
    let FromRoom::Entries(entries) = &heard[1] else { panic!("{heard:?}") };
    assert_eq!(entries.iter().map(|entry| entry.unwrap().number).collect::<Vec<_>>(), [4, 5]);
    assert_eq!((entries.after, entries.to), (3, 6));
    assert!(scene.heard("ann").contains(&FromRoom::Heard { number: 2 }));
}

/// Fails if what is said again is heard again, or one that says it is left waiting.
#[test]
fn a_text_that_comes_again_is_not_taken_again_and_is_acknowledged_again() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.text("ann", 1, "once");
    scene.hands.sent.clear();
    scene.say("ann", &texts([(1, "once"), (2, "more")]));
    assert_eq!(scene.lines("bob"), ["ann: more"]);
    assert_eq!(scene.heard("ann")[0], FromRoom::Heard { number: 1 });
    assert_eq!(scene.room.counters().repeated, 1);
}

/// Fails if a text is taken before one that was lost on its way.
#[test]
fn a_text_after_a_gap_waits_until_the_missing_one_is_said() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.text("ann", 2, "two");
    assert_eq!(scene.heard("ann"), [FromRoom::Speak]);
    scene.text("ann", 3, "three");
    assert_eq!(scene.heard("ann"), [], "it has been asked");
    scene.say("ann", &hello("ann", "ann", Some(LOG), 0));
    scene.say("ann", &texts([(1, "one"), (2, "two"), (3, "three")]));
    assert_eq!(scene.lines("bob"), ["ann: one", "ann: two", "ann: three"]);
    assert_eq!(scene.room.counters().early, 2);
}

/// Fails if a key that has spoken in another room is never heard in this one.
#[test]
fn whose_numbers_began_elsewhere_says_where_they_begin_here() {
    let mut scene = Scene::new();
    scene.joined("bob");
    let hello = Hello { key: key("ann"), name: name("ann"), log: None, seen: 0, next: 58, life: 0 };
    scene.say("ann", &ToRoom::Hello(hello.clone()));
    assert!(matches!(&scene.heard("ann")[0], FromRoom::Welcome(welcome) if welcome.heard == 57));
    scene.say("ann", &texts([(58, "58"), (59, "59")]));
    assert_eq!(scene.lines("bob"), ["+ann 2", "ann: 58", "ann: 59"]);
    scene.say("ann", &ToRoom::Hello(hello));
    scene.say("ann", &texts([(58, "58"), (61, "61")]));
    assert_eq!(scene.lines("bob"), [""; 0]);
}

#[test]
fn who_comes_back_gets_what_it_missed_and_nothing_of_its_own() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.text("bob", 1, "before");
    scene.say("bob", &ToRoom::Bye);
    scene.text("ann", 1, "missed");
    scene.say("bob again", &hello("bob", "bob", Some(LOG), 2));
    let heard = scene.heard("bob again");
    let FromRoom::Welcome(welcome) = &heard[0] else { panic!("{heard:?}") };
    assert_eq!((welcome.heard, welcome.from, welcome.head), (1, 2, 5));
    let FromRoom::Entries(entries) = &heard[1] else { panic!("{heard:?}") };
    assert_eq!(entries.iter().map(|entry| line(&entry.unwrap())).collect::<Vec<_>>(), ["ann: missed"]);
}

/// Fails if who takes its place back from a copy of its key, which had no past, is given the past of that one.
#[test]
fn who_was_here_before_a_copy_of_its_key_gets_what_was_said_before_the_copy_came() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.say("ann", &ToRoom::Bye);
    scene.text("bob", 1, "missed");
    scene.joined_while_storing_as("copy", "ann");
    scene.say("ann again", &hello("ann", "ann", Some(LOG), 2));

    assert_eq!(scene.lines("ann again"), ["bob: missed"]);
}

#[test]
fn who_has_seen_another_log_gets_all_of_this_one_and_who_has_seen_none_nothing() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.text("ann", 1, "old");
    scene.say("bob", &hello("bob", "bob", Some(LogId([9; 16])), 999));
    assert_eq!(scene.lines("bob"), ["+ann 1", "ann: old"]);
    scene.say("cid", &hello("cid", "cid", None, 0));
    assert_eq!(scene.lines("cid"), [""; 0]);
    scene.say("dan", &hello("dan", "dan", Some(LOG), u64::MAX));
    assert_eq!(scene.lines("dan"), [""; 0], "more than there is");
}

/// Fails if what was said between two hellos is taken for missed.
#[test]
fn who_says_hello_twice_at_first_begins_at_its_coming() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.text("ann", 1, "between");
    scene.hands.sent.clear();
    scene.say("bob", &hello("bob", "bob", None, 0));
    assert_eq!(scene.lines("bob"), ["ann: between"]);
}

#[test]
fn a_second_client_with_the_same_key_takes_the_place_and_nobody_else_is_told() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.say("ann 2", &hello("ann", "ann", Some(LOG), 2));
    assert_eq!(scene.heard("ann"), [refused(Refusal::Superseded)]);
    assert_eq!(scene.lines("bob"), [""; 0]);
    scene.text("ann", 1, "from the old place");
    assert_eq!(scene.heard("ann"), [FromRoom::Speak]);
    scene.text("ann 2", 1, "from the new one");
    assert_eq!(scene.lines("bob"), ["ann: from the new one"]);
}

#[test]
fn a_name_is_for_one_whatever_its_case_and_never_the_rooms() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.say("eve", &hello("eve", "ANN", None, 0));
    assert_eq!(scene.heard("eve"), [refused(Refusal::NameTaken)]);
    scene.say("eve", &hello("eve", "Room", None, 0));
    assert_eq!(scene.heard("eve"), [refused(Refusal::NameOfRoom)]);
    scene.say("ann", &ToRoom::Bye);
    scene.say("eve", &hello("eve", "ANN", None, 0));
    assert!(matches!(scene.heard("eve")[0], FromRoom::Welcome(_)), "it is free again");
    assert_eq!(scene.room.counters().refused.name_taken, 2);
}

#[test]
fn a_new_name_is_told_to_all_and_a_taken_one_to_its_asker_only() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.say("ann", &ToRoom::Rename { name: name("anna") });
    assert_eq!(
        (scene.lines("ann"), scene.lines("bob")),
        (vec!["ann = anna".into()], vec!["ann = anna".into()])
    );
    scene.say("bob", &ToRoom::Rename { name: name("Anna") });
    assert!(matches!(&scene.heard("bob")[..], [FromRoom::NotRenamed { why, .. }] if why.contains("taken")));
    scene.say("bob", &ToRoom::Rename { name: name("ann") });
    assert_eq!(scene.lines("ann"), ["bob = ann"], "the old name is free");
    scene.say("ann", &ToRoom::Who);
    assert_eq!(scene.heard("ann"), [FromRoom::Who { names: vec![name("anna"), name("ann")] }]);
}

fn private(number: u64, to: &str) -> ToRoom {
    let said = Utterance { number, text: Text::new("psst").unwrap(), tone: Tone::Private(name(to)) };
    ToRoom::Say(Say { seen: 0, said: vec![said] })
}

/// Fails if what is said to one who is away is lost, or is for whoever has the name next.
#[test]
fn a_private_text_waits_for_one_who_is_away() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.say("bob", &ToRoom::Bye);
    scene.hands.sent.clear();
    scene.say("ann", &private(1, "BOB"));
    let heard = scene.heard("ann");
    assert!(matches!(&heard[0], FromRoom::Note { text } if text.contains("BOB is away")), "{heard:?}");
    scene.say("cid", &hello("cid", "bob", None, 0));
    assert_eq!(scene.lines("cid"), [""; 0]);

    scene.say("bob", &hello("bob", "rob", Some(LOG), 2));
    assert!(scene.lines("bob").contains(&"ann (to you): psst".to_owned()));
    scene.say("ann", &private(2, "bob"));
    assert_eq!(scene.lines("cid"), ["+rob 3", "ann (to you): psst"], "who has a name is there");
}

/// Fails if a private text is seen by another, or shows in another's numbers as missing.
#[test]
fn a_private_text_is_for_one_alone() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob", "cid"]);
    scene.say("ann", &private(1, "BOB"));
    assert_eq!(scene.lines("bob"), ["ann (to you): psst"]);
    let heard = scene.heard("cid");
    assert!(matches!(&heard[..], [FromRoom::Entries(entries)] if entries.entries.is_empty()), "{heard:?}");
    scene.hands.sent.clear();

    scene.say("ann", &private(2, "nobody"));
    let heard = scene.heard("ann");
    assert!(
        matches!(&heard[..], [FromRoom::Note { text }, FromRoom::Heard { number: 2 }] if text.contains("nobody"))
    );
}

#[test]
fn who_is_silent_for_three_beats_leaves_and_may_come_back() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    (0..4).for_each(|_| {
        scene.wait(750);
        scene.say("bob", &ToRoom::Beat { seen: 0 });
    });
    assert_eq!(scene.heard("ann").last(), Some(&refused(Refusal::Silent)));
    let entries =
        scene.heard("bob").into_iter().filter(|frame| matches!(frame, FromRoom::Entries(_))).count();
    assert_eq!(entries, 1);
    assert_eq!(scene.room.counters().dropped.silent, 1);
    scene.say("ann", &ToRoom::Beat { seen: 0 });
    assert_eq!(scene.heard("ann"), [FromRoom::Speak]);
}

/// Fails if a room that was stopped takes its own silence for that of its members.
#[test]
fn a_room_that_was_stopped_blames_nobody() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.wait(60_000);
    assert_eq!(scene.room.counters().members, 1);
    scene.wait(500);
    scene.wait(500);
    assert_eq!(scene.room.counters().members, 1);
}

#[test]
fn who_hears_nothing_else_is_given_a_beat() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.wait(500);
    assert_eq!(scene.heard("ann"), []);
    scene.wait(300);
    assert_eq!(scene.heard("ann"), [FromRoom::Beat { sent: 1 }]);
    assert_eq!(scene.room.next_deadline(), scene.now + Duration::from_millis(250));
}

#[test]
fn there_are_as_many_members_as_there_may_be() {
    let mut scene = Scene::with(Limits { members: 1, ..LIMITS });
    scene.joined("ann");
    scene.say("bob", &hello("bob", "bob", None, 0));
    assert_eq!(scene.heard("bob"), [refused(Refusal::Full)]);
    scene.say("ann 2", &hello("ann", "ann", None, 0));
    assert!(matches!(scene.heard("ann 2")[0], FromRoom::Welcome(_)), "who has a place keeps it");
}

#[test]
fn another_version_is_refused_and_what_is_no_frame_is_told() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.frame("eve", b"\x92\x02\xc0");
    assert_eq!(scene.heard("eve"), [refused(Refusal::Version)]);
    scene.frame("ann", b"\x92\x01\xc0");
    assert!(matches!(&scene.heard("ann")[..], [FromRoom::Note { .. }]));
    scene.on(Input::Parts { from: b"ann" });
    assert!(matches!(&scene.heard("ann")[..], [FromRoom::Note { .. }]));
    let counters = scene.room.counters();
    assert_eq!((counters.refused.version, counters.malformed.ours, counters.malformed.parts), (1, 1, 1));
    assert_eq!(counters.members, 1, "others notice nothing");
}

/// Fails if who does not acknowledge is sent without end, or is never sent more.
#[test]
fn who_does_not_acknowledge_is_sent_its_window_and_then_more_as_it_does() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    for turn in 0..40 {
        let said: Vec<_> = (1..=200).map(|text| (turn * 200 + text, "x")).collect();
        scene.say("ann", &texts(said));
    }
    assert_eq!(scene.entries("bob").len(), 4_095);
    scene.say("bob", &ToRoom::Beat { seen: 1_002 });
    assert_eq!(scene.entries("bob").len(), 1_001);
    scene.say("bob", &ToRoom::Beat { seen: u64::MAX });
    assert_eq!(scene.entries("bob").len(), 8_000 - 4_095 - 1_001);
}

#[test]
fn who_reads_nothing_until_the_log_has_left_it_behind_is_dropped() {
    let mut scene = Scene::with(Limits { entries: 100, ..LIMITS });
    scene.all_joined(&["ann", "bob", "cid"]);
    scene.hands.deaf.insert("bob".into(), Sent::Full);
    (1..=101).for_each(|number| scene.text("ann", number, "x"));
    assert_eq!(scene.room.counters().dropped.does_not_read, 1);
    assert_eq!(scene.lines("cid").last().unwrap(), "-bob 2");
    assert_eq!(scene.room.counters().entries, 100);

    scene.hands.deaf.clear();
    scene.say("bob", &hello("bob", "bob", Some(LOG), 3));
    let heard = scene.heard("bob");
    let FromRoom::Welcome(welcome) = &heard[0] else { panic!("{heard:?}") };
    assert_eq!((welcome.from, welcome.head), (5, 105));
}

#[test]
fn who_takes_no_frames_for_a_while_gets_them_when_it_does() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.hands.deaf.insert("bob".into(), Sent::Full);
    scene.text("ann", 1, "one");
    scene.text("ann", 2, "two");
    assert_eq!(scene.room.counters().blocked, 1, "it is left alone until the next look");
    scene.hands.deaf.clear();
    scene.wait(10);
    assert_eq!(scene.lines("bob"), ["ann: one", "ann: two"]);
}

#[test]
fn a_room_that_closes_tells_all_and_hears_nobody() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.frame("bob", br#"{"auth": 1, "name": "bob"}"#);
    scene.settle();
    scene.hands.sent.clear();
    scene.on(Input::Close);
    assert_eq!(scene.heard("ann"), [FromRoom::Closing]);
    assert_eq!(scene.classic_lines("bob"), ["room: Server is off."]);
    scene.text("ann", 1, "late");
    assert!(scene.hands.sent.is_empty() && scene.hands.batch.is_none());
}

/// Fails if who has seen what a room that was put back to an earlier day has not is left without what was said there since.
#[test]
fn who_has_seen_more_than_the_log_has_in_common_with_it_gets_what_follows_that() {
    let mut scene = Scene::new();
    let life = |id, first| Life { id, first };
    let stored = Stored { lives: vec![life(1, 1), life(2, 4), life(5, 6)], ..Stored::empty(LOG) };
    scene.room = Room::open(name("room"), LIMITS, stored, scene.now);
    scene.joined("ann");
    (1..=9).for_each(|number| scene.text("ann", number, "x"));
    let mut welcome = |who: &str, life, seen| {
        let hello = Hello { key: key(who), name: name(who), log: Some(LOG), seen, next: 0, life };
        scene.say(who, &ToRoom::Hello(hello));
        let FromRoom::Welcome(welcome) = scene.heard(who).remove(0) else { panic!("it is not welcome") };
        assert_eq!(welcome.life, 5);
        (welcome.from, welcome.common)
    };

    assert_eq!(welcome("a", 5, 8), (8, 10));
    assert_eq!(welcome("b", 2, 5), (5, 5));
    assert_eq!(welcome("c", 2, 8), (5, 5));
    assert_eq!(welcome("d", 1, 20), (3, 3));
    assert_eq!(welcome("e", 7, 2), (0, 0));
    assert_eq!(welcome("f", 0, 12), (12, 15));
}
