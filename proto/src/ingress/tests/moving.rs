//! Sessions when links are greeted anew or lost (L1, L3, L4).

use super::*;

/// A second worker of the primary is there, with nothing to do; sources speak as `codec` says.
fn with_a_spare(codec: Codec) -> Rig {
    let mut rig = Rig::open(codec, 1);
    rig.greet(SPARE_PRIMARY, 0, &[]);
    rig.forget();
    rig
}

fn leave(rig: &mut Rig, peer: Peer) {
    rig.listen();
    rig.say(peer, &[Frame::Bye { reason: Bye::Leaving, version: 1 }]);
}

/// Fails with: `restart` that begins at `written` instead of at a frame's start.
#[test]
fn a_primary_moves_and_begins_at_the_first_frame_not_known_to_be_written() {
    let mut rig = with_a_spare(Codec::Lines);
    rig.source_says("one\ntwo\nth");
    rig.listen();
    rig.say(PRIMARY, &[wrote(A1, 134)]);
    leave(&mut rig, PRIMARY);
    assert_eq!(rig.hear(SPARE_PRIMARY), ["OPEN s0 a2 @68 once", "DATA s0 a2 @68 two↵th"]);
    assert_eq!((rig.destination(0).moved, rig.destination(0).account.replayed), (1, Tally::new(1, 2)));
    rig.say(SPARE_PRIMARY, &[opened(A2), wrote(A2, 202)]);
    assert_eq!(rig.destination(0).account.in_flight, Tally::ZERO);
}

/// Fails with: `taken` believed beyond `written`.
#[test]
fn what_a_worker_takes_and_has_not_written_is_kept_for_the_next() {
    let mut rig = with_a_spare(Codec::Lines);
    rig.source_says("one\n");
    rig.listen();
    rig.say(PRIMARY, &[Frame::Grant { session: S0, attempt: A1, taken: 68, written: 0, limit: 1000 }]);
    leave(&mut rig, PRIMARY);
    assert_eq!(rig.hear(SPARE_PRIMARY), ["OPEN s0 a2 @0 once", "DATA s0 a2 @0 one↵"]);
}

#[test]
fn a_primary_without_another_worker_waits_for_one_as_long_as_connect_timeout() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.source_says("one\n");
    leave(&mut rig, PRIMARY);
    rig.pass_almost(CONNECT_TIMEOUT);
    rig.greet(SPARE_PRIMARY, 0, &[]);
    assert_eq!(rig.hear(SPARE_PRIMARY), ["WELCOME", "OPEN s0 a2 @0 once", "DATA s0 a2 @0 one↵"]);
    rig.pass(Duration::from_millis(50));
    assert!(rig.done().contains(&"s0 ended by primary: connect timeout".to_owned()));
}

/// Fails with: `is_mid_frame` not asked in `move_primary`.
#[test]
fn a_source_that_has_part_of_a_reply_is_reset() {
    let mut rig = with_a_spare(Codec::Lines);
    rig.say(PRIMARY, &[reply(A1, 0, "half a li")]);
    leave(&mut rig, PRIMARY);
    assert!(rig.done().ends_with(&["abort s0".to_owned(), "s0 ended by ingress: torn reply".to_owned()]));
}

#[test]
fn a_request_too_long_to_be_sent_again_is_torn() {
    let mut rig = with_a_spare(Codec::Lines);
    for part in 1..=8 {
        rig.source_says(&"x".repeat(250));
        rig.listen();
        rig.say(PRIMARY, &[wrote(A1, 64 + part * 250)]);
    }
    leave(&mut rig, PRIMARY);
    assert!(rig.done().contains(&"s0 ended by ingress: torn request".to_owned()));
}

#[test]
fn a_primary_that_has_said_its_last_word_is_not_moved() {
    let mut rig = with_a_spare(Codec::Lines);
    rig.say(PRIMARY, &[fin(A1, 0)]);
    leave(&mut rig, PRIMARY);
    assert!(rig.done().ends_with(&["close s0".to_owned(), "s0 ended by ingress: worker lost".to_owned()]));
}

/// Fails with: `inherited` left out of `count_written`.
#[test]
fn a_move_does_not_credit_the_new_worker_with_the_old_ones_bytes() {
    let mut rig = with_a_spare(Codec::Lines);
    rig.shell.room = 0;
    rig.say(PRIMARY, &[reply(A1, 0, "said before\n")]);
    leave(&mut rig, PRIMARY);
    rig.say(SPARE_PRIMARY, &[opened(A2), reply(A2, 0, "and after\n")]);
    rig.forget();
    rig.source_takes(14);
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.written(), "said before\nan");
    assert_eq!(rig.hear(SPARE_PRIMARY)[0], "GRANT s0 a2 10/2/1002");
}

/// Fails with: the new link taken before what cannot be sent again is shed.
#[test]
fn a_secondary_that_moves_inside_a_torn_frame_owes_its_new_link_nothing() {
    let mut rig = Rig::both_open(Codec::Lines);
    rig.greet(SPARE_SECONDARY, 1, &[]);
    for part in 1..=4 {
        rig.source_says(&"x".repeat(400));
        rig.listen();
        rig.say(SECONDARY, &[wrote(A1, 64 + 400 * part - 10)]);
    }
    leave(&mut rig, SECONDARY);
    assert_eq!(rig.hear(SPARE_SECONDARY), ["WELCOME", "OPEN s0 a2 @1664 patient"]);
    assert_eq!(rig.shed(1, ShedReason::ConnectionLost), 0, "its frame was counted as delivered");
}

#[test]
fn frames_of_an_attempt_that_moved_on_are_disowned() {
    let mut rig = Rig::both_open(Codec::Lines);
    rig.say(SECONDARY, &[reset(A1)]);
    rig.forget();
    rig.say(SECONDARY, &[reply(A1, 0, "late"), wrote(A1, 5), fin(A1, 4), reset(A1)]);
    assert_eq!(rig.hear(SECONDARY), ["RESET s0 a1 unknown session or attempt"]);
    assert_eq!(rig.destination(1).received, Tally::ZERO);
}

/// Fails with: `on_greeted` that does not rewind.
#[test]
fn a_worker_that_greets_again_gets_what_it_lacks_and_no_more() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.source_says("one\ntwo\n");
    rig.forget();
    rig.greet(PRIMARY, 0, &[standing(A1, Phase::Open, 68, 10)]);
    assert_eq!(rig.hear(PRIMARY), ["WELCOME s0 a1 open 0/0/1000", "DATA s0 a1 @68 two↵"]);
}

#[test]
fn what_was_written_and_opened_meanwhile_is_learnt_from_the_standing() {
    let mut rig = Rig::linked(Codec::Lines, 1);
    rig.accept();
    rig.forget();
    rig.greet(PRIMARY, 0, &[standing(A1, Phase::Connecting, 0, 0)]);
    assert_eq!(rig.hear(PRIMARY), ["WELCOME s0 a1 connecting 0/0/1000"]);
    rig.greet(PRIMARY, 0, &[standing(A1, Phase::Open, 0, 0)]);
    assert_eq!(rig.hear(PRIMARY), ["WELCOME s0 a1 open 0/0/1000"]);
    assert_eq!(rig.done()[1..3], ["s0 opened", "resume s0"]);
    assert_eq!(rig.destination(0).connections, 1);
}

#[test]
fn an_attempt_the_worker_does_not_know_is_opened_again_or_lost() {
    let mut rig = Rig::linked(Codec::Lines, 1);
    rig.accept();
    rig.forget();
    rig.greet(PRIMARY, 0, &[]);
    assert_eq!(rig.hear(PRIMARY), ["WELCOME", "OPEN s0 a2 @0 once"]);
    rig.say(PRIMARY, &[opened(A2)]);
    rig.greet(PRIMARY, 0, &[]);
    assert!(rig.done().contains(&"s0 ended by primary: lost: link lost".to_owned()));
}

/// Fails with: unknown attempts dealt with before WELCOME, where OPEN is dropped.
#[test]
fn a_secondary_whose_open_was_lost_with_the_link_is_opened_after_welcome() {
    let mut rig = Rig::both_open(Codec::Lines);
    rig.say(SECONDARY, &[reset(A1)]);
    rig.forget();
    rig.greet(SECONDARY, 1, &[standing(A1, Phase::Open, 0, 0)]);
    assert_eq!(rig.hear(SECONDARY), ["WELCOME", "OPEN s0 a3 @0 patient"]);
}

/// Fails with: `received` below `written` accepted by `rewind`.
#[test]
fn a_standing_that_cannot_be_ends_the_attempt() {
    let mut rig = Rig::both_open(Codec::Lines);
    rig.source_says("one\n");
    rig.listen();
    rig.say(SECONDARY, &[wrote(A1, 66)]);
    rig.forget();
    rig.greet(SECONDARY, 1, &[standing(A1, Phase::Open, 65, 66)]);
    assert_eq!(rig.hear(SECONDARY), ["WELCOME", "OPEN s0 a2 @68 patient"]);
}

/// Fails with: `unpark` left out of `restore_outstanding`.
#[test]
fn a_lane_that_waited_for_the_links_window_goes_on_after_a_greeting() {
    let mut rig = Rig::with(Codec::Lines, 1, 500, false);
    rig.greet(PRIMARY, 0, &[]);
    rig.accept();
    rig.say(PRIMARY, &[opened(A1)]);
    let key = rig.ingress.core.links.of_peer(PRIMARY).unwrap();
    rig.source_says("one\n");
    rig.listen();
    // As if the session had more outstanding than its reserve, and a batch were lost.
    let link = rig.ingress.core.links.at_mut(key).unwrap();
    link.state = links::State::Broken;
    link.parked.push_back(S0);
    rig.ingress.sessions.at_mut(S0.0).unwrap().primary.lane.is_ready = true;
    rig.source_says("two\n");
    rig.forget();
    rig.greet(PRIMARY, 0, &[standing(A1, Phase::Open, 0, 0)]);
    assert_eq!(rig.hear(PRIMARY)[1..], ["DATA s0 a1 @0 one↵", "DATA s0 a1 @68 two↵"]);
}

#[test]
fn a_peer_of_another_ingress_incarnation_is_believed_nothing() {
    let mut rig = Rig::open(Codec::Lines, 1);
    let Frame::Hello(mut greeting) = hello("w0", "r/d0", 1, &[standing(A1, Phase::Open, 0, 0)], true) else {
        unreachable!()
    };
    greeting.ingress = Incarnation(69);
    rig.numbers.insert(PRIMARY, Numbers { epoch: 2, ..Numbers::default() });
    rig.say(PRIMARY, &[Frame::Hello(greeting)]);
    assert_eq!(rig.hear(PRIMARY), ["WELCOME"]);
    assert!(rig.done().contains(&"s0 ended by primary: lost: link lost".to_owned()));
}

/// Fails with: `hand_over` that does not look at `is_between_exchanges`.
#[test]
fn a_draining_worker_hands_its_sessions_over_when_they_are_in_the_middle_of_nothing() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.greet(SPARE_PRIMARY, 0, &[]);
    rig.source_says("question\n");
    rig.say(PRIMARY, &[Frame::Drain]);
    rig.pass(Duration::from_millis(500));
    assert!(!rig.hear(SPARE_PRIMARY).iter().any(|frame| frame.starts_with("OPEN")), "an answer is awaited");
    rig.say(PRIMARY, &[wrote(A1, 73), reply(A1, 0, "answer\n")]);
    rig.forget();
    rig.pass(Duration::from_millis(300));
    assert!(rig.hear(PRIMARY).contains(&"RESET s0 a1 ended in order".to_owned()));
    assert!(rig.hear(SPARE_PRIMARY).contains(&"OPEN s0 a2 @73 once".to_owned()));
}

#[test]
fn a_draining_worker_without_a_successor_keeps_its_sessions() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.say(PRIMARY, &[Frame::Drain]);
    rig.forget();
    rig.pass(Duration::from_millis(500));
    assert!(!rig.hear(PRIMARY).iter().any(|frame| frame.starts_with("RESET")));
}

/// Fails with: `hand_over` that looks only at what is outstanding.
#[test]
fn a_secondary_is_not_handed_over_in_the_middle_of_a_frame_that_passes_in_parts() {
    let mut rig = Rig::both_open(Codec::Lines);
    rig.greet(SPARE_SECONDARY, 1, &[]);
    rig.source_says(&"x".repeat(400));
    rig.say(SECONDARY, &[wrote(A1, 464), Frame::Drain]);
    rig.pass(Duration::from_millis(500));
    assert!(
        !rig.hear(SPARE_SECONDARY).iter().any(|frame| frame.starts_with("OPEN")),
        "a frame is in progress"
    );
    rig.source_says("end\n");
    rig.say(SECONDARY, &[wrote(A1, 468)]);
    rig.forget();
    rig.pass(Duration::from_millis(300));
    assert!(rig.hear(SPARE_SECONDARY).contains(&"OPEN s0 a2 @468 if available".to_owned()));
}
