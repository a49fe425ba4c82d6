//! What becomes of what a person types: numbers, the disk, and what the room has heard.

use super::*;

/// Fails if a text is spoken before its number is on the disk.
#[test]
fn a_text_is_spoken_when_it_is_on_the_disk() {
    let mut chat = Chat::live();

    let typed = chat.types(Typed::Say(text("hi")));
    assert_eq!(shown(&typed), ["ann Mine: hi"]);
    assert_eq!(spoken(&typed), []);
    assert_eq!(typed.last(), Some(&Effect::Sync));
    let further = chat.types(Typed::Act(text("waves")));
    assert!(!further.contains(&Effect::Sync), "one at a time");
    let first = chat.on(Input::Synced { to: 3 });

    assert_eq!(spoken(&first), [(1, "hi".to_owned())]);
    assert_eq!(first.last(), Some(&Effect::Sync));
    assert_eq!(spoken(&chat.syncs()), [(2, "waves".to_owned())]);
}

#[test]
fn what_is_heard_is_forgotten_and_what_is_not_is_said_again_after_the_next_welcome() {
    let mut chat = Chat::live();
    for words in ["one", "two", "three"] {
        chat.says(words);
    }
    chat.hears(&FromRoom::Heard { number: 1 });
    assert_eq!(chat.member.memory.waiting(), 2);

    chat.on(Input::Disconnected);
    chat.says("four");
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    let again = chat.hears(&FromRoom::Welcome(Welcome { heard: 2, ..welcome() }));

    assert_eq!(spoken(&again), [(3, "three".to_owned())]);
    assert_eq!(spoken(&chat.syncs()), [(4, "four".to_owned())]);
}

/// Fails if silence about what was said is taken for consent.
#[test]
fn what_is_not_heard_in_time_is_asked_after() {
    let mut chat = Chat::live();
    chat.says("hi");
    let mut frames = Vec::new();
    for _ in 0..8 {
        chat.hears(&FromRoom::Beat { sent: 0 });
        frames.extend(sent(&chat.passes(secs(0.5))));
    }

    assert!(frames.iter().any(|frame| matches!(frame, ToRoom::Hello(_))), "{frames:?}");
    let again = chat.hears(&FromRoom::Welcome(welcome()));
    assert_eq!(spoken(&again), [(1, "hi".to_owned())]);
    assert_eq!(shown(&again), [""; 0], "nobody was away");
}

#[test]
fn what_the_room_cannot_keep_is_told_once_and_tried_again() {
    let mut chat = Chat::live();
    chat.says("one");
    chat.says("two");
    let unheard = FromRoom::Unheard { number: 1, why: "the disk is full".to_owned() };

    assert_eq!(
        shown(&chat.hears(&unheard)),
        ["! The room cannot keep what you say: the disk is full. It is tried again."]
    );
    assert_eq!(spoken(&chat.says("three")), [], "the room takes nothing that does not follow");
    let again = spoken(&chat.passes(secs(1.0)));
    assert_eq!(again.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(shown(&chat.hears(&unheard)), [""; 0]);
}

#[test]
fn what_cannot_be_written_down_is_not_said() {
    let mut chat = Chat::live();
    let typed = chat.types(Typed::Say(text("hi")));
    let order = typed.iter().find_map(|effect| match effect {
        Effect::Keep(written) => Some(written.order),
        _ => None,
    });

    let lost = chat.on(Input::Unkept { from: order.unwrap(), why: "no space left".to_owned() });

    let words = "! 1 text is not said, for want of a place to write it down first: no space left.";
    assert_eq!(shown(&lost), [words]);
    assert_eq!(spoken(&chat.syncs()), []);
    assert_eq!(chat.member.memory.waiting(), 0);
}

#[test]
fn a_number_that_cannot_be_written_down_is_given_again_later() {
    let mut chat = Chat::new();
    chat.says("hi");
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    let welcomed = chat.hears(&FromRoom::Welcome(welcome()));
    assert!(matches!(chat.records.last(), Some(Record::Numbered { number: 1, .. })), "{welcomed:?}");
    let order = 3;

    let told = chat.on(Input::Unkept { from: order, why: "no space left".to_owned() });
    assert_eq!(shown(&told).len(), 1);
    assert_eq!(spoken(&chat.syncs()), []);
    chat.passes(secs(1.0));

    assert_eq!(spoken(&chat.syncs()), [(1, "hi".to_owned())]);
}

#[test]
fn numbers_that_a_room_has_lost_are_given_anew() {
    let mut chat = Chat::welcomed(Welcome { heard: 7, ..welcome() });
    assert_eq!(spoken(&chat.says("eight")), [(8, "eight".to_owned())]);
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);

    chat.hears(&FromRoom::Welcome(Welcome { log: OTHER_LOG, heard: 0, ..welcome() }));
    assert_eq!(spoken(&chat.syncs()), [(1, "eight".to_owned())]);
    chat.says("nine");
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    chat.hears(&FromRoom::Welcome(Welcome { log: OTHER_LOG, heard: 1, ..welcome() }));
    chat.says("ten");
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);

    // Of the same log, put back to an earlier day.
    chat.hears(&FromRoom::Welcome(Welcome { log: OTHER_LOG, heard: 0, ..welcome() }));
    assert_eq!(spoken(&chat.syncs()), [(1, "nine".to_owned()), (2, "ten".to_owned())]);
}

/// Ann, who has spoken twice and was heard by nobody, comes back to a room that keeps so much of her key.
fn back_where(heard: u64, print: Option<u64>) -> (Vec<String>, Vec<(u64, String)>) {
    let mut chat = Chat::live();
    chat.says("one");
    chat.says("two");
    let mut again = Chat::recalling(chat.records);
    again.on(Input::Connected);
    again.hears(&FromRoom::Speak);
    let mut effects = again.hears(&FromRoom::Welcome(Welcome { heard, print, ..welcome() }));
    effects.extend(again.says("three"));
    let told = shown(&effects).into_iter().filter(|line| line.starts_with('!')).collect();
    (told, spoken(&effects))
}

/// Fails if a text whose number another client with the key has taken is lost without a word, or one that was heard is told.
#[test]
fn what_another_client_with_the_key_may_have_kept_from_being_heard_is_told() {
    let doubt = |text: &str| {
        format!("! Another client with this key has spoken since, so this may not have been heard: {text}")
    };
    let say = |number, text: &str| (number, text.to_owned());
    let own = Some(print(2, &text("two")));
    let others = Some(print(2, &text("of another")));

    assert_eq!(back_where(2, own), (vec![], vec![say(3, "three")]));
    assert_eq!(back_where(2, others), (vec![doubt("one"), doubt("two")], vec![say(3, "three")]));
    assert_eq!(back_where(1, others), (vec![doubt("one")], vec![say(2, "two"), say(3, "three")]));
    assert_eq!(back_where(7, others), (vec![doubt("one"), doubt("two")], vec![say(8, "three")]));
    assert_eq!(back_where(0, None), (vec![], vec![say(1, "one"), say(2, "two"), say(3, "three")]));
}

#[test]
fn what_was_said_for_another_room_stays_for_it() {
    let mut there = Chat::new();
    there.says("for there");
    let memory = Memory::recalled("elsewhere:1", there.records.clone());
    assert_eq!(memory.waiting(), 0);
    assert_eq!(Memory::recalled("there:1", there.records).waiting(), 1);
}

#[test]
fn a_frame_of_texts_is_never_longer_than_frames_may_be() {
    let mut chat = Chat::new();
    while chat.member.has_room() {
        chat.types(Typed::Say(text(&"x".repeat(Text::MAX_BYTES))));
    }
    chat.syncs();
    assert_eq!(chat.member.memory.waiting(), MAX_KEPT);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    chat.hears(&FromRoom::Welcome(welcome()));

    let effects = chat.syncs();

    assert_eq!(spoken(&effects).len(), MAX_KEPT);
    let longest = effects.iter().map(|effect| if let Effect::Send(bytes) = effect { bytes.len() } else { 0 });
    assert!(longest.max().unwrap() <= room::MAX_FRAME);
    let frames = sent(&effects);
    assert!(frames.iter().all(|frame| matches!(frame, ToRoom::Say(Say { said, .. }) if said.len() <= 256)));
}

#[test]
fn small_texts_go_together() {
    let mut chat = Chat::new();
    for number in 0..300 {
        chat.types(Typed::Say(text(&number.to_string())));
    }
    chat.syncs();
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    chat.hears(&FromRoom::Welcome(welcome()));
    let lengths = |frames: Vec<ToRoom>| -> Vec<usize> {
        let said =
            |frame| if let ToRoom::Say(Say { said, .. }) = frame { said } else { Vec::<Utterance>::new() };
        frames.into_iter().map(|frame| said(frame).len()).collect()
    };
    assert_eq!(lengths(sent(&chat.syncs())), [256, 44]);
    assert_eq!(Text::new(""), Err(BadText::Empty));
}

/// Fails if a record that changes the memory is not one that is written, or says something else when it is read.
#[test]
fn memory_is_what_its_records_say() {
    let mut chat = Chat::live();
    for words in ["one", "two", "three"] {
        chat.says(words);
    }
    chat.hears(&FromRoom::Heard { number: 1 });
    chat.hears(&entries(0, 9, &[]));

    let recalled = Memory::recalled("there:1", chat.records.clone());
    let shortened = Memory::recalled("there:1", chat.member.records());

    for memory in [recalled, shortened] {
        assert_eq!(memory.last_seen(), (Some(LOG), 9));
        assert_eq!(memory.waiting(), 2);
        assert_eq!(memory.next(), 2);
        let numbers: Vec<_> = memory.speakable(LOG, 1, 10).iter().map(|said| said.number).collect();
        assert_eq!(numbers, [2, 3]);
    }
}
