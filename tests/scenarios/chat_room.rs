//! A room and its members: who comes, who goes, what is said, and in which order all hear it.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::chat::{Bytes, Chatter, ClassicMember, ROOM, Room};
use crate::harness::{eventually, eventually_within};

/// Fails if coming or going is told otherwise, or to who does it, or a text comes back to its author.
#[test]
fn members_come_speak_and_go_and_the_others_hear_of_it() {
    let room = Room::open();
    let ann = Chatter::join(room.address(), "ann");
    ann.expect("* You are now online. 1 online.");
    let bob = Chatter::join(room.address(), "bob");
    bob.expect("* You are now online. 2 online.");
    ann.expect("* bob joined the room. 2 online.");

    ann.say("hello");
    bob.expect("ann: hello");
    bob.say("/me waves");
    ann.expect("bob * waves");
    assert_eq!(bob.hang_up(), Some(0));
    ann.expect("* bob left the room. 1 online.");

    let told = ["* You are now online. 1 online.", "* bob joined the room. 2 online.", "bob * waves"];
    assert_eq!(ann.shown(), [&told[..], &["* bob left the room. 1 online."]].concat());
}

/// Fails if two receivers hear another order, or anything twice or not at all.
#[test]
fn a_thousand_texts_from_three_members_are_heard_in_one_order_by_all() {
    const TEXTS: usize = 334;
    let room = Room::open();
    let listeners = ["eve", "joe"].map(|name| Chatter::join(room.address(), name));
    let classic = ClassicMember::join(room.address(), "old");
    let speakers = ["ann", "bob", "zoe"].map(|name| Chatter::join(room.address(), name));
    let names = ["ann", "bob", "zoe"];

    for number in 0..TEXTS {
        for (speaker, name) in speakers.iter().zip(names) {
            speaker.say(&format!("{name} {number}"));
        }
    }

    let said = |line: &String| names.iter().any(|name| line.starts_with(&format!("{name}: {name} ")));
    let heard = |chatter: &Chatter| chatter.shown().into_iter().filter(said).collect::<Vec<_>>();
    let order = {
        eventually_within(Duration::from_secs(30), "a listener hears all", || {
            heard(&listeners[0]).len() >= 3 * TEXTS
        });
        heard(&listeners[0])
    };
    for name in names {
        let of_one = order.iter().filter(|line| line.starts_with(name)).cloned().collect::<Vec<_>>();
        let expected: Vec<_> = (0..TEXTS).map(|number| format!("{name}: {name} {number}")).collect();
        assert_eq!(of_one, expected);
    }
    eventually("the other listener hears all", || heard(&listeners[1]).len() >= 3 * TEXTS);
    assert_eq!(heard(&listeners[1]), order);
    for (speaker, name) in speakers.iter().zip(names) {
        let of_others: Vec<_> = order.iter().filter(|line| !line.starts_with(name)).cloned().collect();
        eventually("a speaker hears the others", || heard(speaker).len() >= of_others.len());
        assert_eq!(heard(speaker), of_others, "as {name} heard it");
    }
    let theirs = || {
        let relays = classic.heard().into_iter().filter(|relay| relay.name != ROOM);
        relays.map(|relay| format!("{}: {}", relay.name, relay.text.trim_end())).collect::<Vec<_>>()
    };
    eventually("the classic listener hears all", || theirs().len() >= 3 * TEXTS);
    assert_eq!(theirs(), order);
}

/// Fails if a private text is heard by others, or its absence is noticed by them.
#[test]
fn a_private_text_is_for_one_alone() {
    let room = Room::open();
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(|name| Chatter::join(room.address(), name));

    ann.say("/msg bob between us");
    ann.say("/msg nobody hello?");
    ann.say("for all");

    bob.expect_line("what ann says to it alone", |line| {
        line.contains("between us") && line.contains("to you")
    });
    eve.expect("ann: for all");
    bob.expect("ann: for all");
    assert!(!eve.shown().iter().any(|line| line.contains("between us")), "{:?}", eve.shown());
    ann.expect_line("that nobody is called so", |line| line.contains("nobody") && !line.starts_with("ann"));
}

/// Fails if the list is not that of who is there, or a new name is not told to all, or is one that is taken.
#[test]
fn members_are_listed_and_can_change_their_names() {
    let room = Room::open();
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    ann.say("/who");
    ann.expect("* 2 online: ann, bob.");

    bob.say("/nick ANN");
    bob.expect_line("that the name is taken", |line| line.contains("ANN") && line.contains("taken"));
    bob.say("/nick rob");
    ann.expect_line("the new name", |line| line == "* bob is now called rob.");
    bob.say("as rob");

    ann.expect("rob: as rob");
    let eve = Chatter::join(room.address(), "bob");
    ann.expect("* bob joined the room. 3 online.");
    assert_eq!(eve.hang_up(), Some(0));
}

/// Fails if a client that cannot be called so stays, or does not say why it does not.
#[test]
fn a_client_whose_name_is_taken_ends_and_says_why() {
    let room = Room::open();
    let ann = Chatter::join(room.address(), "Ann");

    for (name, why) in [("Ann", "taken"), ("ann", "taken"), (ROOM, "the room's own")] {
        let second = Chatter::start(room.address(), name);
        assert_eq!(second.exit_code(), Some(1), "a second {name}");
        let stderr = second.stderr().join("\n");
        assert!(stderr.contains(name) && stderr.contains(why), "{stderr}");
        assert_eq!(second.shown(), [""; 0]);
    }

    ann.say("/who");
    ann.expect("* 1 online: Ann.");
    assert!(!ann.shown().iter().any(|line| line.contains("joined")), "{:?}", ann.shown());
}

/// Fails if the room does not say goodbye, waits for who is dead, or ends otherwise than clean.
#[test]
fn a_room_that_closes_tells_all_and_does_not_wait_for_the_dead() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let room = Room::open();
        let (ann, old) = (Chatter::join(room.address(), "ann"), ClassicMember::join(room.address(), "old"));
        let dead = Chatter::join(room.address(), "dead");
        let mut half = Bytes::dealer(room.address(), b"half");
        half.say(br#"{"auth": 1, "name": "half"}"#);
        ann.expect("* half joined the room. 4 online.");
        dead.stop();

        room.signal(signal);

        assert_eq!(room.exit_code_within(Duration::from_secs(2)), Some(0));
        ann.expect_line("that the room is closed", |line| line.contains("Server is off."));
        old.expect(ROOM, "Server is off.");
    }
}

/// Fails if a client that is gone without a word is thought to be there, or one that is silent for a moment is not.
#[test]
fn a_client_that_is_killed_is_missed_within_its_heartbeat() {
    let room = Room::open();
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::join(room.address(), "bob"));
    ann.expect("* bob joined the room. 2 online.");

    bob.kill9();

    ann.expect("* bob left the room. 1 online.");
}

/// Fails if the end of the input loses what was typed before it, or the others are not told at once.
#[test]
fn the_end_of_the_input_says_what_is_left_to_say_and_leaves() {
    let room = Room::open();
    let (ann, bob) = (Chatter::join(room.address(), "ann"), Chatter::start(room.address(), "bob"));

    // Before it is even online.
    for number in 0..100 {
        bob.say(&format!("last words {number}"));
    }
    assert_eq!(bob.hang_up(), Some(0));

    ann.expect("* bob left the room. 1 online.");
    let expected: Vec<_> = (0..100).map(|number| format!("last words {number}")).collect();
    assert_eq!(ann.texts_of("bob"), expected);
}

/// Fails if a signal does not end a client at once, or not cleanly, or the others learn it from its silence.
#[test]
fn a_client_that_is_interrupted_leaves_at_once() {
    let room = Room::open();
    let ann = Chatter::join(room.address(), "ann");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let bob = Chatter::join(room.address(), "bob");
        let left = || ann.shown().iter().filter(|line| *line == "* bob left the room. 1 online.").count();
        let before = left();

        bob.signal(signal);

        assert_eq!(bob.exit_code_within(Duration::from_secs(2)), Some(0));
        eventually_within(Duration::from_secs(2), "ann sees bob leave", || left() > before);
    }
}

/// Fails if the counters are not one line of JSON, or do not follow what happens.
#[test]
fn a_signal_prints_what_the_room_counts() {
    let room = Room::open();
    let (ann, bob) = (ClassicMember::join(room.address(), "ann"), ClassicMember::join(room.address(), "bob"));
    ann.say("one");
    bob.expect("ann", "one");

    eventually("members and texts are counted", || {
        let counts = room.counts();
        counts["members"] == 2 && counts["texts"] == 1
    });
}
