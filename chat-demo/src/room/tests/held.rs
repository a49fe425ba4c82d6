//! Two with one key, while something that the one has said is on its way to the disk.

use super::*;
use crate::room::members::MAX_COMINGS;
use crate::wire::room::print;

impl Scene {
    /// Ann and bob are here, and ann's first text is on its way to the disk.
    fn with_a_text_under_way() -> Self {
        let mut scene = Self::new();
        scene.all_joined(&["ann", "bob"]);
        scene.frame("ann", &encode(&texts([(1, "from the old place")])));
        scene.on(Input::Turn);
        scene
    }

    fn copy_comes(&mut self, from: &str) {
        self.frame(from, &encode(&hello("ann", "ann", Some(LOG), 1)));
        self.on(Input::Turn);
    }

    fn stored(&mut self) {
        self.hands.batch.take().unwrap();
        self.on(Input::Stored);
    }

    #[track_caller]
    fn welcome_of(&mut self, who: &str) -> (u64, Option<u64>) {
        let heard = self.heard(who);
        let [FromRoom::Welcome(welcome), ..] = &heard[..] else { panic!("{who}: {heard:?}") };
        (welcome.heard, welcome.print)
    }
}

/// Fails if a welcome tells a number that a text on its way to the disk has already.
#[test]
fn a_second_client_with_the_same_key_is_welcome_once_the_disk_has_what_the_first_said() {
    let mut scene = Scene::with_a_text_under_way();
    scene.copy_comes("copy");
    scene.frame("ann", &encode(&texts([(2, "too late")])));
    assert!(scene.hands.sent.is_empty(), "nobody is told anything yet");

    scene.stored();

    assert_eq!(scene.heard("ann"), [FromRoom::Heard { number: 1 }, refused(Refusal::Superseded)]);
    assert_eq!(scene.welcome_of("copy"), (1, Some(print(1, &Text::new("from the old place").unwrap()))));
    scene.say("copy", &texts([(2, "from the new one")]));
    assert_eq!(scene.lines("bob"), ["ann: from the old place", "ann: from the new one"]);
    let counters = scene.room.counters();
    assert_eq!((counters.held, counters.early, counters.texts), (1, 1, 2));
}

/// Fails if who waits is forgotten, or told that a text is kept which is not.
#[test]
fn a_second_client_with_the_same_key_is_welcome_when_the_disk_refuses() {
    let mut scene = Scene::with_a_text_under_way();
    scene.copy_comes("copy");
    scene.hands.batch.take().unwrap();
    scene.on(Input::NotStored("the disk is full"));

    let unheard = FromRoom::Unheard { number: 1, why: "the disk is full".into() };
    assert_eq!(scene.heard("ann"), [unheard, refused(Refusal::Superseded)]);
    assert_eq!(scene.welcome_of("copy"), (0, None));
    scene.wait(1_000);
    scene.say("copy", &texts([(1, "from the new one")]));
    assert_eq!(scene.lines("bob"), ["ann: from the new one"]);
}

/// Fails if the first answer of the disk is taken for the one to what was said last.
#[test]
fn who_waits_waits_for_all_that_was_taken_before() {
    let mut scene = Scene::with_a_text_under_way();
    scene.frame("ann", &encode(&texts([(2, "in the next batch")])));
    scene.copy_comes("copy");
    scene.stored();
    assert_eq!(scene.heard("copy"), []);
    scene.stored();
    assert_eq!(scene.welcome_of("copy").0, 2);
}

#[test]
fn who_comes_after_the_other_one_of_its_key_has_left_waits_for_the_disk_too() {
    let mut scene = Scene::with_a_text_under_way();
    scene.frame("ann", &encode(&ToRoom::Bye));
    scene.copy_comes("copy");
    assert_eq!(scene.heard("copy"), []);
    scene.settle();
    assert_eq!(scene.welcome_of("copy").0, 1);
    assert_eq!(scene.lines("bob"), ["ann: from the old place", "-ann 1", "+ann 2"]);
}

#[test]
fn who_says_hello_from_the_same_place_waits_for_nothing() {
    let mut scene = Scene::with_a_text_under_way();
    scene.copy_comes("ann");
    assert_eq!(scene.welcome_of("ann"), (0, None));
    assert_eq!(scene.room.counters().held, 0);
}

/// Fails if who asks twice is answered twice, or an older one is answered at all.
#[test]
fn of_those_who_wait_with_one_key_the_newest_is_welcome() {
    let mut scene = Scene::with_a_text_under_way();
    scene.copy_comes("copy");
    scene.copy_comes("copy");
    scene.copy_comes("newest");
    assert_eq!(scene.heard("copy"), [refused(Refusal::Superseded)]);
    scene.settle();
    assert_eq!(scene.welcome_of("newest").0, 1);
    assert_eq!(scene.heard("ann").last(), Some(&refused(Refusal::Superseded)));
    assert_eq!(scene.heard("copy"), []);
}

/// Fails if who went while it waited has the place afterwards, or keeps another one from speaking.
#[test]
fn who_leaves_while_it_waits_has_not_come() {
    let mut scene = Scene::with_a_text_under_way();
    scene.copy_comes("copy");
    scene.frame("copy", &encode(&ToRoom::Bye));
    scene.text("ann", 2, "still here");
    assert_eq!(scene.lines("bob"), ["ann: from the old place", "ann: still here"]);
    assert!(scene.heard("ann").contains(&FromRoom::Heard { number: 2 }));
    assert_eq!(scene.heard("copy"), []);
}

#[test]
fn who_waits_is_told_that_the_room_closes() {
    let mut scene = Scene::with_a_text_under_way();
    scene.copy_comes("copy");
    scene.on(Input::Close);
    assert_eq!(scene.heard("copy"), [FromRoom::Closing]);
}

/// Fails if an older hello, which came too often to be heard at once, takes the place of a newer one later.
#[test]
fn who_was_put_off_is_superseded_by_a_newer_one_with_its_key() {
    let mut scene = Scene::new();
    let hello = hello("ann", "ann", None, 0);
    for _ in 0..MAX_COMINGS {
        scene.say("old", &hello);
        scene.say("old", &ToRoom::Bye);
    }
    scene.hands.sent.clear();
    scene.say("old", &hello);
    assert_eq!(scene.heard("old"), []);

    scene.say("new", &hello);

    assert_eq!(scene.heard("old"), [refused(Refusal::Superseded)]);
    scene.wait(1_100);
    assert!(!scene.heard("new").contains(&refused(Refusal::Superseded)));
    assert_eq!(scene.heard("old"), []);
}

/// Fails if who has the place is not asked to say again what was left out while somebody waited who then did not come.
#[test]
fn who_keeps_its_place_is_asked_for_what_was_not_taken_meanwhile() {
    let mut scene = Scene::with_a_text_under_way();
    scene.copy_comes("copy");
    scene.frame("ann", &encode(&texts([(2, "meanwhile")])));
    scene.frame("copy", &encode(&ToRoom::Bye));
    scene.settle();
    scene.hands.sent.clear();

    scene.wait(1_000);

    assert_eq!(scene.heard("ann"), [FromRoom::Speak]);
}

#[test]
fn only_so_many_wait() {
    let mut scene = Scene::new();
    scene.joined("ann");
    scene.frame("ann", &encode(&texts([(1, "the disk is busy")])));
    scene.on(Input::Turn);
    for number in 0..1_025 {
        let who = number.to_string();
        scene.frame(&who, &encode(&hello(&who, &who, None, 0)));
        scene.frame(&who, &encode(&texts([(1, "x")])));
        scene.frame(&who, &encode(&ToRoom::Bye));
        scene.frame(&format!("copy of {who}"), &encode(&hello(&who, &who, Some(LOG), 1)));
    }
    assert_eq!(scene.heard("copy of 1023"), []);
    assert_eq!(scene.heard("copy of 1024"), [refused(Refusal::Full)]);
    assert_eq!((scene.room.counters().held, scene.room.counters().refused.full), (1_024, 1));
}
