//! What happens between the room and its disk.

use super::*;
use crate::room::gathering::MAX_TEXTS;

/// Fails if a text that is not kept is delivered, acknowledged, or cannot be said again.
#[test]
fn what_cannot_be_stored_is_not_heard_and_may_be_said_again() {
    let mut scene = Scene::new();
    scene.all_joined(&["ann", "bob"]);
    scene.text("ann", 1, "kept");
    scene.hands.sent.clear();
    scene.frame("ann", &encode(&texts([(2, "lost")])));
    scene.on(Input::Turn);
    scene.frame("ann", &encode(&texts([(3, "behind it")])));
    scene.joined_while_storing("cid");
    scene.hands.batch.take().unwrap();
    scene.on(Input::NotStored("the disk is full"));

    let unheard = FromRoom::Unheard { number: 2, why: "the disk is full".into() };
    assert_eq!(scene.heard("ann"), [unheard]);
    assert_eq!(scene.lines("bob"), [""; 0]);
    assert!(scene.hands.batch.is_none(), "it is not tried again at once");

    scene.wait(1_000);
    assert_eq!(scene.lines("bob"), ["+cid 3"], "who came is told all the same");
    scene.hands.sent.clear();
    scene.say("ann", &texts([(2, "again"), (3, "behind it")]));
    assert_eq!(scene.lines("bob"), ["ann: again", "ann: behind it"]);
    assert_eq!(scene.room.counters().store_failures, 1);
}

impl Scene {
    pub(super) fn joined_while_storing(&mut self, who: &str) {
        self.joined_while_storing_as(who, who);
    }

    pub(super) fn joined_while_storing_as(&mut self, who: &str, whose: &str) {
        self.frame(who, &encode(&hello(whose, whose, None, 0)));
        self.on(Input::Turn);
        assert!(matches!(self.heard(who)[0], FromRoom::Welcome(_)));
    }
}

/// Fails if what is heard while a batch is on its way to the disk is not one batch, or there are two at a time.
#[test]
fn all_that_is_heard_while_the_disk_is_busy_is_one_batch() {
    let mut scene = Scene::new();
    scene.joined("ann");
    for number in 1..=100 {
        scene.frame("ann", &encode(&texts([(number, "x")])));
        scene.on(Input::Turn);
    }
    assert_eq!(scene.hands.batch.take().unwrap().entries.len(), 1);
    scene.on(Input::Stored);
    let second = scene.hands.batch.take().unwrap();
    assert_eq!((second.first, second.entries.len()), (3, 99));
    assert_eq!(second.authors.len(), 1);
    assert_eq!((second.authors[0].own.number, second.authors[0].at), (100, 101));
}

/// Fails if a slow disk makes the room take texts without end, or lets those who are not listened to die.
#[test]
fn while_the_disk_is_slow_the_room_stops_listening_and_nobody_is_silent() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.text("ann", 1, "x");
    let mut number = 2;
    scene.frame("ann", &encode(&texts([(number, "on its way")])));
    scene.on(Input::Turn);
    while scene.room.has_room() {
        number += 1;
        scene.frame("ann", &encode(&texts([(number, "x")])));
    }
    assert_eq!(number, MAX_TEXTS as u64 + 2);
    for _ in 0..40 {
        scene.now += Duration::from_millis(250);
        scene.on(Input::Turn);
    }
    assert_eq!(scene.room.counters().members, 1);
    scene.settle();
    assert!(scene.room.has_room());
    assert_eq!(scene.room.counters().members, 1, "it may beat now");
}

#[test]
fn a_room_goes_on_with_what_is_stored() {
    let mut scene = Scene::new();
    scene.joined("ann");
    let mut batches = Vec::new();
    for number in 1..=3 {
        scene.frame("ann", &encode(&texts([(number, "x")])));
        scene.on(Input::Turn);
        batches.push(scene.hands.batch.take().unwrap());
        scene.on(Input::Stored);
    }
    let entries = batches.iter().flat_map(|batch| batch.entries.clone()).collect();
    let authors = batches[2].authors.clone();
    let stored = Stored { first: 2, entries, authors, ..Stored::empty(LOG) };
    scene.room = Room::open(name("room"), LIMITS, stored, scene.now);
    scene.hands.sent.clear();

    scene.text("ann", 4, "nobody knows me here");
    assert_eq!(scene.heard("ann"), [FromRoom::Speak]);
    scene.say("ann", &hello("ann", "ann", Some(LOG), 4));
    assert!(
        matches!(&scene.heard("ann")[0], FromRoom::Welcome(welcome) if welcome.heard == 3 && welcome.head == 4)
    );
    scene.joined("bob");
    scene.say("ann", &texts([(3, "repeated"), (4, "new")]));
    assert_eq!(scene.lines("bob"), ["ann: new"]);
}

/// Fails if what is said to one alone, by who was back first when a room was started again, is for nobody.
#[test]
fn a_room_knows_who_was_called_how_before_it_was_started_again() {
    let mut scene = Scene::new();
    scene.frame("ann", &encode(&hello("ann", "ann", None, 0)));
    scene.on(Input::Turn);
    let entries = scene.hands.batch.take().unwrap().entries;
    let stored = Stored { first: 1, entries, ..Stored::empty(LOG) };
    scene.room = Room::open(name("room"), LIMITS, stored, scene.now);
    scene.joined("bob");

    let said = Utterance { number: 1, text: Text::new("psst").unwrap(), tone: Tone::Private(name("ANN")) };
    scene.say("bob", &ToRoom::Say(Say { seen: 0, said: vec![said] }));
    scene.say("ann", &hello("ann", "ann", Some(LOG), 1));

    assert!(scene.lines("ann").contains(&"bob (to you): psst".to_owned()));
}

#[test]
fn a_batch_says_from_where_on_entries_are_kept() {
    let mut scene = Scene::with(Limits { entries: 100, ..LIMITS });
    scene.joined("ann");
    let mut keep_from = 0;
    for number in 1..=150 {
        scene.frame("ann", &encode(&texts([(number, "x")])));
        scene.on(Input::Turn);
        keep_from = scene.hands.batch.take().unwrap().keep_from;
        scene.on(Input::Stored);
        assert_eq!(keep_from, scene.room.log.first());
    }
    assert_eq!(keep_from, 52);
}

#[test]
fn comings_and_goings_that_cannot_be_stored_are_bounded() {
    let mut scene = Scene::new();
    for round in 0..6_000 {
        let from = format!("ann {round}");
        scene.frame(&from, &encode(&hello("ann", "ann", None, 0)));
        scene.frame(&from, &encode(&ToRoom::Bye));
        if round == 0 {
            scene.on(Input::Turn);
        }
    }
    assert!(scene.room.counters().waiting <= 4_096 + 2, "{}", scene.room.counters().waiting);
}

/// Fails if what a second failure puts back is more than may wait.
#[test]
fn comings_and_goings_that_come_back_from_a_store_that_fails_are_bounded_too() {
    let mut scene = Scene::new();
    for round in 0..2 {
        for client in 0..2_040 {
            let from = format!("ann {round} {client}");
            scene.frame(&from, &encode(&hello("ann", "ann", None, 0)));
            scene.frame(&from, &encode(&ToRoom::Bye));
        }
        scene.on(Input::Turn);
    }
    assert!(scene.room.counters().waiting > 8_000, "a batch, and as much behind it");
    scene.on(Input::NotStored("the disk is full"));
    assert!(scene.room.counters().waiting <= 4_096, "{}", scene.room.counters().waiting);
}

/// Fails if comings are forgotten because the disk takes its time, as if it had refused them.
#[test]
fn while_the_disk_is_slow_comings_and_goings_wait_where_they_are() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.frame("ann", &encode(&texts([(1, "on its way")])));
    scene.on(Input::Turn);
    let mut came = 0;
    while scene.room.has_room() && came < 3_000 {
        let who = format!("eve {came}");
        scene.frame(&who, &encode(&hello(&who, &who, None, 0)));
        scene.frame(&who, &encode(&ToRoom::Bye));
        came += 1;
    }
    scene.hands.sent.clear();
    scene.settle();
    assert_eq!(scene.lines("ann").len(), 2 * came, "all of them are told");
    assert!(scene.room.has_room());
}

/// Fails if whose coming is never told waits for its number for as long as the disk has something to do.
#[test]
fn who_came_while_the_disk_refused_hears_what_is_said_later_though_its_coming_is_not_told() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.frame("ann", &encode(&texts([(1, "lost")])));
    scene.on(Input::Turn);
    scene.hands.batch.take();
    scene.on(Input::NotStored("the disk is full"));
    scene.frame("bob", &encode(&hello("bob", "bob", None, 0)));
    for round in 0..2_100 {
        assert!(scene.room.has_room(), "a room whose disk refuses still hears who comes");
        let who = format!("eve {round}");
        scene.frame(&who, &encode(&hello(&who, &who, None, 0)));
        scene.frame(&who, &encode(&ToRoom::Bye));
    }
    scene.now += Duration::from_secs(1);
    scene.hands.sent.clear();
    scene.on(Input::Turn);
    for number in 1..=5 {
        scene.now += Duration::from_millis(300);
        scene.frame("ann", &encode(&texts([(number, "x")])));
        scene.frame("bob", &encode(&ToRoom::Beat { seen: u64::MAX }));
        scene.hands.batch.take();
        scene.on(Input::Stored);
    }
    assert!(!scene.lines("ann").contains(&"+bob 2".to_owned()), "its coming was let go of");
    assert_eq!(scene.lines("bob").last().unwrap(), "ann: x");
}
