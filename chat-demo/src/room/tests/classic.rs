//! Classic members: every way to come, speak and leave, and what is answered.

use super::*;

impl Scene {
    fn classic(&mut self, from: &str, frame: &str) {
        self.frame(from, frame.as_bytes());
        self.settle();
    }

    fn classic_joined(&mut self, who: &str) {
        self.classic(who, &format!(r#"{{"auth": 1, "name": "{who}"}}"#));
        self.hands.sent.clear();
    }
}

#[test]
fn coming_and_going_is_told_to_all_and_one_hears_neither_of_oneself() {
    let mut scene = Scene::new();
    scene.classic("ann", r#"{"auth": 1, "name": "ann"}"#);
    scene.classic("bob", r#"{"auth": 1, "name": "bob"}"#);
    scene.classic("bob", r#"{"auth": 0, "name": "bob"}"#);
    assert_eq!(
        scene.classic_lines("ann"),
        [
            "room: You are now online. 1 online.",
            "room: bob joined the room. 2 online.",
            "room: bob left the room. 1 online."
        ]
    );
    assert_eq!(
        scene.classic_lines("bob"),
        ["room: You are now online. 2 online.", "room: You are now offline."]
    );
}

#[test]
fn both_dialects_hear_the_same_in_the_same_order() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.classic_joined("bob");
    scene.joined("cid");
    scene.hands.sent.clear();
    scene.classic("bob", r#"{"name": "bob", "text": "hi\nyou\n"}"#);
    scene.text("ann", 1, "hello");
    let act = Utterance { number: 2, text: Text::new("waves").unwrap(), tone: Tone::Action };
    scene.say("ann", &ToRoom::Say(Say { seen: 0, said: vec![act] }));
    scene.say("ann", &ToRoom::Rename { name: name("anna") });
    assert_eq!(scene.lines("cid"), ["bob: hi\nyou", "ann: hello", "* ann waves", "ann = anna"]);
    assert_eq!(
        scene.classic_lines("bob"),
        ["ann: hello", "ann: * ann waves", "room: ann is now called anna."]
    );
}

/// Fails if a text can pass for another's or for the room's on the screen of a simple client, or one that cannot is changed.
#[test]
fn what_could_pass_for_a_line_of_anothers_is_set_in_for_simple_clients_only() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "cid"]);
    scene.classic_joined("bob");
    scene.hands.sent.clear();
    let forged = "hi\nroom: Server is off.\u{1b}[2J\r\nbob: x";
    let harmless = "¡hola!\t👨‍👩‍👧 e\u{301} \u{202e}x";
    scene.say("ann", &texts([(1, forged), (2, harmless)]));
    let set_in = "ann: hi\n  | room: Server is off.␛[2J\n  | bob: x";
    assert_eq!(scene.classic_lines("bob"), [set_in.to_owned(), format!("ann: {harmless}")]);
    assert_eq!(scene.lines("cid"), [format!("ann: {forged}"), format!("ann: {harmless}")]);
}

/// Fails if a text can be made to grow, on its way to classic members, beyond what is said of it.
#[test]
fn a_text_of_line_ends_only_is_five_times_as_long_for_classic_members_and_no_text_longer() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.classic_joined("bob");
    let parts = ["\n", "\r", "\u{2028}", "\t\r", "\u{1b}", "\u{85}", "\u{1b}\n", "a\n", "\"\n"];
    for (number, part) in (1..).zip(parts) {
        let text = part.repeat((Text::MAX_BYTES - 1) / part.len()) + "x";
        scene.text("ann", number, &text);
    }
    let sent = scene.hands.sent["bob"].iter().map(Vec::len).max().unwrap();
    assert!((48_000..50_000).contains(&sent), "{sent}");
}

#[test]
fn who_speaks_without_joining_joins_by_it() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.classic("bob", r#"{"name": "bob", "text": "hi\n"}"#);
    assert_eq!(scene.lines("ann"), ["+bob 2", "bob: hi"]);
    assert_eq!(scene.classic_lines("bob"), ["room: You are now online. 2 online."]);
}

#[test]
fn every_wrong_step_has_one_answer() {
    let mut scene = Scene::new();
    scene.classic_joined("ann");
    let mut answer = |from: &str, frame: &str| {
        scene.classic(from, frame);
        scene.classic_lines(from)
    };
    assert_eq!(
        answer("ann", r#"{"auth": 1, "name": "ann"}"#),
        ["room: You are in the room already, as ann."]
    );
    assert_eq!(answer("bob", r#"{"auth": 0, "name": "bob"}"#), ["room: You are not in the room."]);
    let wrong_name = ["room: You are in the room as ann, not as eve. Leave, and join as eve."];
    assert_eq!(answer("ann", r#"{"name": "eve", "text": "x\n"}"#), wrong_name);
    assert_eq!(answer("ann", r#"{"auth": 0, "name": "eve"}"#), wrong_name);
    assert_eq!(answer("eve", r#"{"auth": 1, "name": "Ann"}"#), ["room: The name Ann is taken. Try another."]);
    assert_eq!(
        answer("eve", r#"{"name": "room", "text": "x"}"#),
        ["room: The name room is taken. Try another."]
    );
    assert!(
        answer("eve", "GET / HTTP/1.1\r\n")[0]
            .starts_with("room: A frame was not understood: it is no object")
    );
    let counters = scene.room.counters();
    assert_eq!((counters.refused.twice, counters.refused.absent, counters.refused.name_taken), (3, 1, 2));
    assert_eq!((counters.malformed.classic, counters.members), (1, 1));
}

/// Fails if a classic client that crashed keeps its name for ever.
#[test]
fn a_name_is_free_again_once_its_classic_holder_is_not_there() {
    let mut scene = Scene::new();
    scene.joined("cid");
    scene.classic_joined("ann");
    scene.hands.deaf.insert("ann".into(), Sent::Gone);
    scene.hands.sent.clear();
    scene.classic("ann 2", r#"{"auth": 1, "name": "ann"}"#);
    assert_eq!(scene.classic_lines("ann 2"), ["room: You are now online. 2 online."]);
    assert_eq!(scene.lines("cid"), ["-ann 1", "+ann 2"]);
}

#[test]
fn a_classic_member_that_is_gone_leaves_when_something_is_said() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.classic_joined("bob");
    scene.hands.deaf.insert("bob".into(), Sent::Gone);
    scene.hands.sent.clear();
    scene.text("ann", 1, "x");
    assert_eq!(scene.lines("ann"), ["-bob 1"]);
    assert_eq!(scene.room.counters().dropped.gone, 1);
}

#[test]
fn a_classic_member_that_does_not_read_gets_the_rest_later_or_is_dropped() {
    let mut scene = Scene::with(Limits { entries: 100, ..LIMITS });
    scene.joined("ann");
    scene.classic_joined("bob");
    scene.hands.deaf.insert("bob".into(), Sent::Full);
    (1..=50).for_each(|number| scene.text("ann", number, &number.to_string()));
    scene.hands.deaf.clear();
    scene.wait(10);
    let lines = scene.classic_lines("bob");
    assert_eq!((lines.len(), lines[49].as_str()), (50, "ann: 50"));
    scene.hands.deaf.insert("bob".into(), Sent::Full);
    (51..=160).for_each(|number| scene.text("ann", number, "x"));
    assert_eq!(scene.room.counters().dropped.does_not_read, 1);
    assert_eq!(scene.room.counters().members, 1);
}

/// Fails if a stranger can fill the screen of whose name it wants.
#[test]
fn who_has_a_name_is_told_once_a_beat_that_it_is_wanted() {
    let mut scene = Scene::new();
    scene.classic_joined("carl");
    for round in 0..100 {
        scene.classic(&format!("eve {round}"), r#"{"auth": 1, "name": "carl"}"#);
    }
    assert_eq!(scene.classic_lines("carl").len(), 1);
    scene.wait(1_000);
    scene.classic("eve", r#"{"auth": 1, "name": "carl"}"#);
    assert_eq!(scene.classic_lines("carl").len(), 1);
}
