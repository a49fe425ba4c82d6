//! Members that ask for more than a room can afford, and what they get.

use super::*;

/// Fails if saying hello is a way to be sent the past again and again without reading it.
#[test]
fn who_says_hello_again_and_again_is_sent_the_past_once_a_beat() {
    let mut scene = Scene::with(Limits { bytes: 16 << 20, ..LIMITS });
    scene.all_joined(&["ann", "eve"]);
    let long = "x".repeat(8_000);
    (1..=200).for_each(|number| scene.text("ann", number, &long));
    scene.say("eve", &ToRoom::Bye);
    scene.hands.sent.clear();

    for round in 0..400 {
        let whose = if round % 150 < 100 { "eve" } else { "mallory" };
        scene.frame("eve", &encode(&hello(whose, whose, Some(LogId([9; 16])), 0)));
        if round % 170 == 0 {
            scene.frame("eve", &encode(&ToRoom::Bye));
        }
        scene.wait(10);
    }

    let sent: usize = scene.hands.sent["eve"].iter().map(Vec::len).sum();
    assert!(sent < 6 << 20, "{sent} bytes in 4 s");
    assert!(sent > 2 << 20, "{sent} bytes in 4 s");
}

/// Fails if a frame of the log is so large that what waits for one who reads nothing is more than can be afforded.
#[test]
fn a_frame_of_the_log_is_small_however_much_there_is_to_send() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    let long = "x".repeat(8_000);
    scene.hands.deaf.insert("bob".into(), Sent::Full);
    (1..=100).for_each(|number| scene.text("ann", number, &long));
    scene.hands.deaf.clear();
    scene.wait(10);
    assert!(scene.hands.sent["bob"].iter().all(|frame| frame.len() <= 32 * 1024));
    assert_eq!(scene.lines("bob").len(), 100);
}

/// Fails if asking is a way to have answers wait without end, or an answer that was not taken is lost.
#[test]
fn who_asks_who_is_there_again_and_again_is_told_once_a_beat() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    let answers = |scene: &mut Scene| {
        let frames = scene.heard("bob");
        frames.iter().filter(|frame| matches!(frame, FromRoom::Who { .. })).count()
    };
    scene.hands.deaf.insert("bob".into(), Sent::Full);
    (0..50).for_each(|_| scene.frame("bob", &encode(&ToRoom::Who)));
    scene.settle();
    scene.hands.deaf.clear();
    scene.wait(10);
    assert_eq!(answers(&mut scene), 1);

    (0..50).for_each(|_| scene.say("bob", &ToRoom::Who));
    assert_eq!(answers(&mut scene), 0);
    scene.wait(1_000);
    assert_eq!(answers(&mut scene), 1);
}

/// Fails if keys that are turned away are remembered, or those that leave without a word.
#[test]
fn keys_of_those_who_say_nothing_are_not_remembered() {
    let mut scene = Scene::with(Limits { members: 2, ..LIMITS });
    scene.joined("ann");
    let next = |key: u64| {
        let name = name(&format!("eve {key}"));
        let key = Key(std::array::from_fn(|index| key.to_le_bytes()[index % 8]));
        encode(&ToRoom::Hello(Hello { key, name, log: None, seen: 0, next: 58, life: 0 }))
    };
    for key in 0..100 {
        scene.frame("eve", &next(key));
    }
    scene.frame("eve", &encode(&ToRoom::Bye));
    scene.joined("bob");
    (100..200).for_each(|key| scene.frame("fay", &next(key)));
    scene.settle();
    scene.text("bob", 1, "x");
    assert!(scene.room.gathering.known() <= 2, "{}", scene.room.gathering.known());
}

/// Fails if who is just coming is taken for one who has not read what was said before its time.
#[test]
fn who_comes_while_more_is_stored_than_is_kept_is_not_behind() {
    let mut scene = Scene::with(Limits { entries: 100, ..LIMITS });
    scene.joined("ann");
    scene.frame("ann", &encode(&texts((1..=150).map(|number| (number, "x")))));
    scene.on(Input::Turn);
    scene.frame("bob", &encode(&hello("bob", "bob", None, 0)));
    scene.settle();
    scene.text("ann", 151, "after");
    assert_eq!(scene.lines("bob"), ["ann: after"]);
    assert_eq!(scene.room.counters().dropped.does_not_read, 0);
}

/// Fails if who is made to wait for the past is taken for one that does not read it: it would come back and wait for ever.
#[test]
fn who_waits_for_the_past_while_the_log_goes_on_begins_where_it_begins_by_then() {
    let mut scene = Scene::with(Limits { entries: 100, ..LIMITS });
    scene.all_joined(&["ann", "bob"]);
    (1..=150).for_each(|number| {
        scene.text("ann", number, "x");
        scene.say("bob", &ToRoom::Beat { seen: number + 2 });
    });
    scene.say("bob", &hello("bob", "bob", Some(LOG), 3));
    scene.say("bob", &hello("bob", "bob", Some(LOG), 3));
    scene.heard("bob");

    (151..=160).for_each(|number| scene.text("ann", number, "x"));
    assert_eq!(scene.heard("bob"), [], "it waits");
    scene.wait(1_000);

    let mut heard = scene.heard("bob");
    heard.retain(|frame| !matches!(frame, FromRoom::Beat { .. }));
    let FromRoom::Welcome(welcome) = &heard[0] else { panic!("it is not welcomed again") };
    assert_eq!((welcome.from, welcome.head), (62, 162));
    assert!(matches!(&heard[1], FromRoom::Entries(entries) if (entries.after, entries.to) == (62, 162)));
    assert_eq!(scene.room.counters().dropped.does_not_read, 0);
}

/// Fails if one batch can drive out of the log what a member that reads all it is sent has not been sent yet.
#[test]
fn who_reads_gets_all_of_a_burst_though_less_is_kept() {
    let mut scene = Scene::with(Limits { entries: 100, leeway: Limits::LEEWAY, ..LIMITS });
    scene.all_joined(&["ann", "bob"]);
    scene.frame("carl", br#"{"auth": 1, "name": "carl"}"#);
    scene.settle();
    scene.frame("ann", &encode(&texts([(1, "on its way")])));
    scene.on(Input::Turn);
    for frame in 0..16 {
        scene.frame("ann", &encode(&texts((2..=251).map(|number| (frame * 250 + number, "x")))));
    }
    scene.hands.deaf = ["bob", "carl"].map(|who| (who.into(), Sent::Full)).into();
    scene.hands.sent.clear();
    scene.settle();
    scene.hands.deaf.clear();

    scene.wait(10);

    assert_eq!(scene.lines("bob").len(), 4_001);
    assert_eq!(scene.classic_lines("carl").len(), 4_001);
    assert_eq!(scene.room.counters().entries, 100, "no more is kept for who comes back");
    assert_eq!(scene.room.counters().dropped.does_not_read, 0);
}

/// Fails if coming again and again, each time as another, is a way to empty the log for all.
#[test]
fn who_comes_again_and_again_comes_four_times_a_beat() {
    let mut scene = Scene::new();
    scene.joined("ann");
    let mut next = 0;
    let mut flood = |scene: &mut Scene| {
        for _ in 0..500 {
            next += 1;
            scene.say("eve", &hello(&format!("eve {next}"), &format!("eve {next}"), None, 0));
        }
    };
    flood(&mut scene);
    assert_eq!(scene.room.counters().head, 1 + 7, "four comings, and three goings by the next");
    assert_eq!(scene.room.counters().held, 496);
    flood(&mut scene);
    scene.wait(1_000);
    assert_eq!(scene.lines("ann").last().unwrap(), "+eve 1000 2", "the last of them comes once it may");
    scene.wait(1_000);
    assert_eq!(scene.room.counters().head, 1 + 7 + 2);
}

/// Fails if who left is not in the room alone and waits for ever, or one that leaves while it waits comes all the same.
#[test]
fn who_waits_to_come_again_comes_to_an_empty_room_too_unless_it_leaves() {
    let mut scene = Scene::new();
    for _ in 0..4 {
        scene.say("eve", &hello("eve", "eve", None, 0));
        scene.say("eve", &ToRoom::Bye);
    }
    scene.hands.sent.clear();
    scene.say("eve", &hello("eve", "eve", None, 0));
    assert_eq!(scene.heard("eve"), []);
    let wait = scene.room.next_deadline().since(scene.now);
    assert!(wait <= Duration::from_millis(250), "{wait:?}");
    scene.say("eve", &ToRoom::Bye);
    scene.say("eve", &hello("eve", "eve", None, 0));
    scene.wait(1_000);
    assert!(matches!(&scene.heard("eve")[0], FromRoom::Welcome(welcome) if welcome.online == 1));
}

#[test]
fn a_classic_client_that_comes_and_goes_too_often_is_told_so() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        scene.frame("bob", br#"{"auth": 1, "name": "bob"}"#);
        scene.frame("bob", br#"{"auth": 0, "name": "bob"}"#);
    }
    scene.settle();
    let lines = scene.classic_lines("bob");
    assert_eq!(
        lines[8..],
        ["room: You have come and gone too often. Try again in a second.", "room: You are not in the room."]
    );
    assert_eq!((scene.room.counters().head, scene.room.counters().refused.often), (8, 1));
    scene.wait(1_000);
    scene.frame("bob", br#"{"name": "bob", "text": "hi"}"#);
    assert_eq!(scene.room.counters().members, 1);
}
