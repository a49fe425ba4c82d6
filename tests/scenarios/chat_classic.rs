//! The classic dialect: frames of JSON, as simple clients and simple servers have always spoken them.

use serde_json::json;

use crate::harness::chat::{Chatter, ClassicMember, ClassicRoom, ROOM, Relay, Room};
use crate::harness::eventually;

/// Fails if joining or leaving is announced in other words, with another count, or to the one who does it.
#[test]
fn classic_members_come_and_go_and_all_the_others_are_told() {
    let room = Room::open();
    let ann = ClassicMember::join(room.address(), "ann");
    assert_eq!(ann.expect_told("You are now online."), "You are now online. 1 online.");

    let bob = ClassicMember::join(room.address(), "bob");
    assert_eq!(bob.expect_told("You are now online."), "You are now online. 2 online.");
    ann.expect(ROOM, "bob joined the room. 2 online.");
    bob.leave();
    ann.expect(ROOM, "bob left the room. 1 online.");

    bob.expect_told("You are now offline.");
    assert_eq!(ann.heard().len(), 3, "{:?}", ann.heard());
    assert_eq!(bob.heard().len(), 2, "{:?}", bob.heard());
}

/// Fails if a text comes back to its author, or is changed on its way.
#[test]
fn a_text_reaches_every_other_classic_member_as_it_was_said() {
    let room = Room::open();
    let [ann, bob, zoe] = ["ann", "bob", "zoë"].map(|name| ClassicMember::join(room.address(), name));

    ann.say("¡hola! ñ € 🦀");
    bob.say("and \"quotes\" \\ too");

    for (member, name, text) in [
        (&bob, "ann", "¡hola! ñ € 🦀"),
        (&zoe, "ann", "¡hola! ñ € 🦀"),
        (&zoe, "bob", "and \"quotes\" \\ too"),
    ] {
        member.expect(name, text);
        assert_eq!(member.texts_of(name), [text]);
    }
    ann.expect("bob", "and \"quotes\" \\ too");
    assert_eq!(ann.texts_of("ann"), [""; 0]);
}

/// Fails if one who has not joined cannot speak, or speaks without having come.
#[test]
fn one_who_speaks_before_joining_joins_by_it() {
    let room = Room::open();
    let ann = ClassicMember::join(room.address(), "ann");

    let bob = ClassicMember::connect(room.address(), "bob");
    bob.say("here I am");

    ann.expect("bob", "here I am");
    bob.expect_told("You are now online. 2 online.");
    let joined = Relay { name: ROOM.to_owned(), text: "bob joined the room. 2 online.\n".to_owned() };
    let heard = ann.heard();
    let at = heard.iter().position(|relay| *relay == joined).expect("bob's coming is told");
    assert_eq!(heard[at + 1].text, "here I am\n", "and then what bob says");
}

/// Fails if a second join or leave counts, or is told to anyone.
#[test]
fn joining_twice_and_leaving_twice_is_joining_and_leaving_once() {
    let room = Room::open();
    let (ann, bob) = (ClassicMember::join(room.address(), "ann"), ClassicMember::join(room.address(), "bob"));

    bob.ask_in();
    bob.say("still one");
    bob.leave();
    bob.leave();
    ann.expect(ROOM, "bob left the room. 1 online.");
    let zoe = ClassicMember::join(room.address(), "zoe");
    ann.expect(ROOM, "zoe joined the room. 2 online.");

    zoe.expect_told("You are now online. 2 online.");
    bob.expect_told("You are in the room already, as bob.");
    bob.expect_told("You are not in the room.");
    let told = ann.texts_of(ROOM);
    let of_bob = told.iter().filter(|text| text.starts_with("bob ")).collect::<Vec<_>>();
    assert_eq!(of_bob, ["bob joined the room. 2 online.", "bob left the room. 1 online."]);
}

/// Fails if two of one name are in the room, if case makes two names of one, or the second is not told.
#[test]
fn a_name_that_is_taken_is_refused_with_the_reason() {
    let room = Room::open();
    let ann = ClassicMember::join(room.address(), "Ann");

    for name in ["Ann", "ann", ROOM] {
        let second = ClassicMember::connect(room.address(), name);
        second.ask_in();
        let why = second.expect_told("The name");
        assert!(why.contains(name) && why.contains("taken"), "{why}");
    }
    let bob = ClassicMember::join(room.address(), "bob");
    bob.expect_told("You are now online. 2 online.");
    ann.expect(ROOM, "bob joined the room. 2 online.");
    let comings = ann.texts_of(ROOM).into_iter().filter(|text| text.contains("joined")).count();
    assert_eq!(comings, 1, "{:?}", ann.texts_of(ROOM));
}

/// Fails if a classic member that is gone without a word stays online for ever.
#[test]
fn a_classic_member_whose_connection_is_gone_has_left_once_somebody_speaks() {
    let room = Room::open();
    let (ann, bob) = (ClassicMember::join(room.address(), "ann"), ClassicMember::join(room.address(), "bob"));

    drop(bob);

    eventually("bob's leaving is noticed", || {
        ann.say("is anybody there?");
        ann.texts_of(ROOM).contains(&"bob left the room. 1 online.".to_owned())
    });
}

/// Fails if the two dialects do not meet in one room, in both directions and in one order.
#[test]
fn members_of_both_dialects_chat_in_one_room() {
    let room = Room::open();
    let ann = ClassicMember::join(room.address(), "ann");
    let bob = Chatter::join(room.address(), "bob");
    ann.expect(ROOM, "bob joined the room. 2 online.");
    bob.expect("* You are now online. 2 online.");

    bob.say("hello from ours");
    ann.expect("bob", "hello from ours");
    ann.say("hello from theirs");
    bob.expect("ann: hello from theirs");
    ann.leave();
    bob.expect("* ann left the room. 1 online.");

    assert_eq!(ann.texts_of("bob"), ["hello from ours"]);
    assert_eq!(bob.hang_up(), Some(0));
}

/// Fails if our client cannot chat where nobody speaks its dialect, or sends a classic server what it cannot read.
#[test]
fn our_client_chats_in_a_classic_room() {
    let room = ClassicRoom::start();
    let ann = ClassicMember::join(room.address(), "ann");
    let bob = Chatter::start(room.address(), "bob");
    ann.expect(ROOM, "bob joined the room. 2 online.");
    bob.expect_line("that it is online", |line| line.ends_with("You are now online. 2 online."));

    bob.say("¡hola!");
    ann.expect("bob", "¡hola!");
    ann.say("well met");
    bob.expect("ann: well met");
    assert_eq!(bob.hang_up(), Some(0));

    ann.expect(ROOM, "bob left the room. 1 online.");
    let frames = room.frames();
    let is_read = |frame: &&String| serde_json::from_str::<serde_json::Value>(frame).is_ok();
    let unread: Vec<_> = frames.iter().filter(|frame| !is_read(frame)).collect();
    assert!(unread.is_empty(), "no classic server can read {unread:?}");
}

/// Fails if what only our dialect can do is sent to a classic room as something else, or ends the chat.
#[test]
fn what_a_classic_room_cannot_do_is_said_to_who_asks_for_it() {
    let room = ClassicRoom::start();
    let ann = ClassicMember::join(room.address(), "ann");
    let bob = Chatter::start(room.address(), "bob");
    ann.expect(ROOM, "bob joined the room. 2 online.");

    bob.say("/who");
    bob.say("/nick rob");
    bob.say("still bob");

    ann.expect("bob", "still bob");
    assert_eq!(ann.texts_of("bob"), ["still bob"]);
    let warned = || bob.shown().iter().filter(|line| line.starts_with("! ")).count();
    eventually("bob is told twice that this cannot be", || warned() >= 2);
}

/// More than libzmq and two kernels have room for together, and less than that and what waits in a client.
const MUCH: usize = 1_900;

/// Texts that are each twice as long on the wire, for the quotes in them.
fn much() -> Vec<String> {
    (0..MUCH).map(|number| format!("{number} {}", "\"".repeat(8_000))).collect()
}

/// The numbers of the texts that a room was sent, in their order.
fn numbers(room: &ClassicRoom) -> Vec<usize> {
    let frames = room.frames().into_iter();
    let frames = frames.map(|frame| serde_json::from_str::<serde_json::Value>(&frame).unwrap());
    let texts = frames.filter_map(|frame| frame["text"].as_str().map(str::to_owned));
    texts.map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// Somebody whose room does not read any more, who has said much and wants to leave.
fn leaving_a_room_that_does_not_read(grace: &str) -> (ClassicRoom, Chatter) {
    let room = ClassicRoom::start();
    let bob = Chatter::start_with(room.address(), "bob", &["--grace", grace]);
    bob.expect_line("that it is online", |line| line.contains("You are now online."));
    room.reads(false);
    for text in much() {
        bob.say(&text);
    }
    bob.close_stdin();
    (room, bob)
}

/// Fails if a text that the connection refuses is forgotten, or a client ends while its last words are on their way.
#[test]
fn what_a_classic_room_reads_late_is_all_there_and_in_order() {
    let (room, bob) = leaving_a_room_that_does_not_read("600s");
    bob.expect_line("that it waits", |line| line.contains("waiting for"));

    room.reads(true);

    assert_eq!(bob.exit_code(), Some(0));
    room.expect_frame("bob leaving", |frame| frame["auth"] == 0);
    assert_eq!(numbers(&room), (0..MUCH).collect::<Vec<_>>());
}

/// Fails if a script is told that all went well while a room has not got what it said.
#[test]
fn who_leaves_a_classic_room_that_does_not_read_is_told_that_not_all_has_arrived() {
    let (room, bob) = leaving_a_room_that_does_not_read("1s");

    assert_eq!(bob.exit_code(), Some(2));

    let shown = bob.shown();
    let last = shown.iter().rfind(|line| line.starts_with("! ")).expect("a warning");
    assert!(last.contains("not arrive") || last.contains("not delivered"), "{last}");
    assert!(numbers(&room).len() < MUCH);
}

/// Fails if the first of a classic server's frames is not taken for one of that dialect, or a join is sent for each text.
#[test]
fn a_classic_room_is_joined_once_and_left_once() {
    let room = ClassicRoom::start();
    let bob = Chatter::start(room.address(), "bob");
    bob.expect_line("that it is online", |line| line.contains("You are now online."));
    bob.say("one");
    bob.say("two");
    assert_eq!(bob.hang_up(), Some(0));

    room.expect_frame("bob leaving", |frame| frame["auth"] == 0);
    let said: Vec<serde_json::Value> =
        room.frames().iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
    assert_eq!(said.iter().filter(|frame| frame["auth"] == 1).count(), 1, "{said:?}");
    assert_eq!(said[1], json!({"name": "bob", "text": "one\n"}));
    assert_eq!(said[2], json!({"name": "bob", "text": "two\n"}));
}

/// Fails if our client is back in a classic room that was away only once it has something to say, or never.
#[test]
fn our_client_joins_a_classic_room_that_was_away_again_without_a_word() {
    let room = ClassicRoom::start();
    let address = room.address();
    let bob = Chatter::start(address, "bob");
    bob.expect_line("that it is online", |line| line.ends_with("You are now online. 1 online."));

    drop(room);
    let room = ClassicRoom::start_again(address);
    room.expect_frame("bob joining", |frame| frame["auth"] == 1 && frame["name"] == "bob");

    let ann = ClassicMember::join(address, "ann");
    ann.say("welcome back");
    bob.expect("ann: welcome back");
    assert_eq!(bob.hang_up(), Some(0));
}
