//! Members that were away, rooms that were down, and people with two clients: what is missed is brought, once and in order.

use std::fs;

use crate::harness::chat::{Chatter, ClassicMember, ClassicRoom, OurMember, ROOM, Room};
use crate::harness::eventually;

/// Texts of that many, numbered.
fn numbered(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{what} {number}")).collect()
}

/// Fails if what was said meanwhile is lost, repeated or out of order, or what was seen before comes again.
#[test]
fn a_member_that_comes_back_is_brought_what_it_missed_and_then_goes_on() {
    let room = Room::open();
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    ann.say("before");
    bob.expect("ann: before");
    assert_eq!(bob.hang_up(), Some(0));
    for text in numbered("meanwhile", 300) {
        ann.say(&text);
    }
    // All of it is in the room when somebody else has seen the last of it.
    let eve = Chatter::join(room.address(), "eve");
    ann.say("the last");
    eve.expect("ann: the last");

    let bob = bob.again();
    bob.expect("ann (missed): the last");
    ann.say("live");
    bob.expect("ann: live");

    let expected = [numbered("meanwhile", 300), vec!["the last".to_owned(), "live".to_owned()]].concat();
    assert_eq!(bob.texts_of("ann"), expected);
}

/// Fails if a client that was killed says or shows anything twice, or its place is not its own when it comes back at once.
#[test]
fn a_client_that_was_killed_comes_back_at_once_and_nothing_is_said_or_shown_twice() {
    let room = Room::open();
    let (ann, mut bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    let mut shown = Vec::new();

    for round in 0..5 {
        bob.say(&format!("bob in round {round}"));
        ann.expect(&format!("bob: bob in round {round}"));
        ann.say(&format!("ann in round {round}"));
        bob.expect_line("ann", |line| line.ends_with(&format!("ann in round {round}")));
        bob.kill9();
        shown.extend(bob.texts_of("ann"));
        bob = bob.again();
        bob.expect_online();
    }

    let rounds = |name: &str| (0..5).map(|round| format!("{name} in round {round}")).collect::<Vec<_>>();
    assert_eq!(ann.texts_of("bob"), rounds("bob"));
    // What was shown a moment before the end may be shown again: nobody could write down that it was.
    shown.dedup();
    assert_eq!(shown, rounds("ann"));
    let told = ann.shown().into_iter().filter(|line| line.starts_with("* bob")).collect::<Vec<_>>();
    assert_eq!(told, ["* bob joined the room. 2 online."], "who is back before it is missed was not away");
}

/// Fails if somebody has to type to be back, or a text that was typed meanwhile is lost, or heard twice.
#[test]
fn a_room_that_is_started_again_has_all_back_and_what_they_typed_meanwhile() {
    let mut room = Room::open();
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    ann.say("before");
    bob.expect("ann: before");

    room.close();
    for chatter in [&ann, &bob] {
        chatter.expect_line("that the room is closed", |line| line.contains("Server is off."));
    }
    for text in numbered("while it is down", 50) {
        ann.say(&text);
    }
    room.open_again();

    bob.expect_online_times(2);
    ann.expect_online_times(2);
    bob.expect_line("the last of them", |line| line.ends_with("while it is down 49"));
    ann.say("after");
    bob.expect("ann: after");
    let expected =
        [vec!["before".to_owned()], numbered("while it is down", 50), vec!["after".to_owned()]].concat();
    assert_eq!(bob.texts_of("ann"), expected);
}

/// Fails if a text is acknowledged before it is kept, or is kept and taken again.
#[test]
fn a_room_that_is_killed_in_mid_talk_loses_nothing_and_repeats_nothing() {
    const TEXTS: usize = 400;
    let mut room = Room::open();
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    for (number, text) in numbered("text", TEXTS).iter().enumerate() {
        ann.say(text);
        if number % 100 == 50 {
            eventually("some are heard", || bob.texts_of("ann").len() > number / 2);
            room.kill9();
            room.open_again();
        }
    }

    eventually("bob hears the last", || bob.texts_of("ann").last().is_some_and(|text| text == "text 399"));
    assert_eq!(bob.texts_of("ann"), numbered("text", TEXTS));
}

/// Fails if a room that was killed forgets whom it has heard: who was not told that a text is kept says it again.
#[test]
fn a_text_that_is_said_again_after_the_room_was_killed_is_heard_once() {
    let mut room = Room::open();
    let bob = Chatter::join(room.address(), "bob");
    let mut ann = OurMember::connect(room.address(), "ann");
    assert_eq!(ann.enter(1).heard, 0);
    ann.say(1, "one");
    bob.expect("ann: one");

    room.kill9();
    room.open_again();
    assert_eq!(ann.enter(1).heard, 1);
    ann.say(1, "one");
    ann.say(2, "two");

    bob.expect("ann: two");
    assert_eq!(bob.texts_of("ann"), ["one", "two"]);
    assert_eq!(room.counts()["repeated"], 1);
}

/// Fails if a client ends, or floods its screen, because no room is there yet.
#[test]
fn a_client_may_come_before_its_room() {
    let mut room = Room::open();
    room.close();
    let ann = Chatter::start(room.address(), "ann");
    ann.expect_line("that nobody answers", |line| line.starts_with("! ") || line.contains("answer"));
    ann.say("first");
    let before = ann.shown();
    assert_eq!(before.len(), 1, "{before:?}");

    room.open_again();

    ann.expect_online();
    let bob = ClassicMember::join(room.address(), "bob");
    ann.say("second");
    bob.expect("ann", "second");
}

/// Fails if the room keeps more than it is told to, or hides that there was more.
#[test]
fn what_the_room_no_longer_keeps_is_told_by_its_number() {
    let room = Room::with(&["--keep", "100"]);
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    ann.say("before");
    bob.expect("ann: before");
    assert_eq!(bob.hang_up(), Some(0));
    let eve = Chatter::join(room.address(), "eve");
    for text in numbered("meanwhile", 500) {
        ann.say(&text);
    }
    eve.expect("ann: meanwhile 499");

    let bob = bob.again();
    bob.expect("ann (missed): meanwhile 499");

    let texts = bob.texts_of("ann");
    assert!((90..=100).contains(&texts.len()), "{} texts are kept", texts.len());
    assert_eq!(texts, numbered("meanwhile", 500)[500 - texts.len()..]);
    bob.expect_line("how many are gone", |line| line.contains("no longer kept"));
}

/// Fails if two clients share a key, or the one that is there is harmed by the one that comes.
#[test]
fn a_second_client_of_the_same_key_on_one_machine_is_refused() {
    let room = Room::open();
    let ann = Chatter::join(room.address(), "ann");

    let second = ann.again();

    assert_eq!(second.exit_code(), Some(1));
    let stderr = second.stderr().join("\n");
    assert!(stderr.contains("ann") && stderr.contains("taken"), "{stderr}");
    let bob = Chatter::join(room.address(), "bob");
    ann.say("still here");
    bob.expect("ann: still here");
}

/// Fails if one identity has two places, or the others are told of what does not concern them.
#[test]
fn a_live_second_client_with_a_copy_of_the_key_takes_the_place_over() {
    let room = Room::open();
    let bob = Chatter::join(room.address(), "bob");
    let ann = Chatter::join(room.address(), "ann");
    let copied = ann.key().with_file_name("copy.key");
    fs::copy(ann.key(), &copied).unwrap();

    let newest = ann.again_with("ann", &["--key", copied.to_str().unwrap()]);
    newest.expect_online();

    assert_eq!(ann.exit_code(), Some(1));
    let stderr = ann.stderr().join("\n");
    assert!(stderr.contains("another client"), "{stderr}");
    newest.say("it is me");
    bob.expect("ann: it is me");
    let told = bob.shown().into_iter().filter(|line| line.starts_with("* ann")).collect::<Vec<_>>();
    assert_eq!(told, ["* ann joined the room. 2 online."]);
}

/// Fails if a key can be read by others, or one that is no key is taken or overwritten.
#[test]
fn a_key_is_for_its_owner_and_is_never_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::open();
    let ann = Chatter::join(room.address(), "ann");
    assert_eq!(fs::metadata(ann.key()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ann.hang_up(), Some(0));

    fs::write(ann.key(), "what is this?").unwrap();
    let second = ann.again();

    assert_eq!(second.exit_code(), Some(1));
    assert!(second.stderr().join("\n").contains("ann.key"), "{:?}", second.stderr());
    assert_eq!(fs::read_to_string(ann.key()).unwrap(), "what is this?");
}

/// Fails if two rooms write to one log.
#[test]
fn a_second_room_on_the_same_log_or_port_is_refused() {
    let room = Room::open();
    let kept = room.kept();
    let port = room.address().port().to_string();
    for flags in
        [["--port", "0", "--data-dir", kept.to_str().unwrap()], ["--port", &port, "--data-dir", "other"]]
    {
        let second = room.another(&flags);
        assert_eq!(second.exit_code(), Some(1), "{flags:?}");
        assert!(second.stderr().join("\n").contains("cannot"), "{:?}", second.stderr());
    }
    let ann = ClassicMember::join(room.address(), "ann");
    ann.expect_told("You are now online. 1 online.");
}

/// Fails if a client stays mute after a classic server was started again.
#[test]
fn a_classic_room_that_is_started_again_has_our_client_back_when_it_speaks() {
    let room = ClassicRoom::start();
    let bob = Chatter::start(room.address(), "bob");
    bob.expect_line("that it is online", |line| line.contains("You are now online."));
    let address = room.address();
    drop(room);

    let room = ClassicRoom::start_again(address);
    let ann = ClassicMember::join(room.address(), "ann");

    eventually("ann hears bob", || {
        bob.say("hello again");
        ann.texts_of("bob").contains(&"hello again".to_owned())
    });
    ann.expect(ROOM, "bob joined the room. 2 online.");
}

/// Fails if what a room says after it was put back to an earlier day is taken for what was seen there before.
#[test]
fn a_room_that_is_put_back_to_an_earlier_day_leaves_nobody_without_what_it_says_then() {
    let mut room = Room::open();
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    ann.say("before");
    bob.expect("ann: before");
    room.close();
    let (kept, backup) = (room.kept().join("room.sqlite3"), room.kept().join("backup"));
    fs::copy(&kept, &backup).unwrap();
    room.open_again();
    let comings = || ann.shown().iter().filter(|line| line.starts_with("* You are now online.")).count();
    eventually("ann is back", || comings() == 2);
    for text in numbered("lost", 20) {
        ann.say(&text);
    }
    bob.expect("ann: lost 19");
    assert_eq!(bob.hang_up(), Some(0));
    room.close();
    fs::copy(&backup, &kept).unwrap();
    room.open_again();
    for text in numbered("new", 30) {
        ann.say(&text);
    }
    let eve = Chatter::join(room.address(), "eve");
    ann.say("the last");
    eve.expect("ann: the last");

    let bob = bob.again();
    bob.expect("ann (missed): the last");

    bob.expect_line("that something is lost", |line| line.contains("has an earlier log"));
    let new: Vec<_> = bob.texts_of("ann").into_iter().filter(|text| text.starts_with("new")).collect();
    assert_eq!(new, numbered("new", 30));
}
