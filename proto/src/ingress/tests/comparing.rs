//! What secondaries reply, held against what the primary replies (S8).

use super::{talk::*, *};

#[test]
fn the_same_reply_is_no_divergence_and_another_is_one() {
    let mut talk = Talk::lines(2);
    talk.source("Q\n");
    talk.says(P, "A\n");
    talk.says(S, "A\n");
    talk.source("Q\n");
    talk.says(P, "A\n");
    assert_eq!((talk.told(), talk.found(S), talk.said(S).matched), ("A\nA\n".into(), [0, 0, 0], 1));
    talk.says(S, "B\n");
    assert_eq!(talk.rig.done(), ["s0 d1: different: Q\\n -> A\\n / B\\n at Some(0) +0"]);
    assert_eq!((talk.told(), talk.found(S)), (String::new(), [0, 0, 1]));
    talk.rest();
}

#[test]
fn a_silent_secondary_misses_a_reply_when_it_is_overdue() {
    for codec in [Codec::Lines, Codec::Raw] {
        let mut talk = Talk::of(codec, 2);
        talk.source("Q\n");
        talk.pass(GAP);
        (P..=S).for_each(|destination| talk.deliver(destination));
        talk.says(P, "A\n");
        assert_eq!(talk.told(), "A\n", "at once");
        talk.rig.pass_almost(seconds(5));
        assert_eq!(talk.found(S), [0, 0, 0]);
        talk.pass(seconds(1));
        assert_eq!(talk.found(S), [1, 0, 0]);
        talk.source("Q\n");
        talk.says(P, "A\n");
        talk.says(S, "A\n");
        talk.pass(seconds(6));
        assert_eq!(talk.given(S), "Q\nQ\n");
        talk.rest();
    }
}

/// Fails with: debts of secondaries that never lapse.
#[test]
fn with_raw_each_reply_that_is_missed_is_found() {
    let mut talk = Talk::of(Codec::Raw, 2);
    for round in 1..=3 {
        talk.source("Q");
        talk.pass(GAP);
        (P..=S).for_each(|destination| talk.deliver(destination));
        talk.says(P, "A");
        talk.pass(seconds(6));
        assert_eq!(talk.found(S), [round, 0, 0]);
    }
}

#[test]
fn how_a_reply_is_cut_makes_no_difference() {
    for (codec, reply) in [(Codec::Lines, ["AB\n", "A", "B\n"]), (Codec::Raw, ["AB", "A", "B"])] {
        let mut talk = Talk::of(codec, 2);
        talk.source(if reply[0] == "AB" { "Q" } else { "Q\n" });
        talk.pass(GAP);
        (P..=S).for_each(|destination| talk.deliver(destination));
        talk.says(P, reply[0]);
        talk.says(S, reply[1]);
        talk.pass(GAP);
        talk.says(S, reply[2]);
        talk.pass(seconds(6));
        assert_eq!((talk.told(), talk.found(S)), (reply[0].into(), [0, 0, 0]));
        talk.rest();
    }
}

#[test]
fn a_reply_that_only_the_secondary_says_is_extra() {
    let mut talk = Talk::lines(2);
    talk.source("Q\n");
    talk.says(S, "A\n");
    talk.pass(seconds(6));
    assert_eq!((talk.told(), talk.found(S)), (String::new(), [0, 1, 0]));
    talk.rest();
}

/// Fails with: comparing that goes on when the primary is gone.
#[test]
fn what_a_secondary_replies_when_the_session_is_over_is_not_extra() {
    let mut talk = Talk::lines(2);
    talk.source("Q\n");
    talk.rig.source_reset();
    talk.says(S, "A\n");
    talk.pass(seconds(9));
    talk.finishes(S);
    talk.pass(seconds(9));
    assert_eq!(talk.found(S), [0, 0, 0]);
}

#[test]
fn what_is_ignored_is_no_difference() {
    let mut talk = Talk::with(Codec::Lines, 2, |route| route.talk.ignore = patterns("[0-9]+"));
    for (ours, theirs, found) in [("at 12\n", "at 7\n", 0), ("at 1\n", "on 1\n", 1)] {
        talk.source("Q\n");
        talk.says(P, ours);
        talk.says(S, theirs);
        assert_eq!((talk.told(), talk.found(S)[2]), (ours.to_owned(), found));
    }
    talk.says(S, "GET 1\n");
    talk.says(P, "GET 2\n");
    assert_eq!(talk.told(), "GET 1\nGET 2\n", "asks are told apart by all their bytes");
    talk.rest();
}

#[test]
fn a_request_that_was_shed_is_not_compared() {
    let mut talk = Talk::with(Codec::Lines, 2, |route| route.secondary_window = 70);
    talk.rig.source_says("Q\n");
    talk.rig.source_says("Q\n");
    (P..=S).for_each(|destination| talk.deliver(destination));
    talk.says(P, "A\nB\n");
    talk.says(S, "A\n");
    talk.pass(seconds(6));
    assert_eq!((talk.found(S), talk.said(S).uncompared, talk.said(S).matched), ([0, 0, 0], 2, 0));
    talk.source("Q\n");
    talk.says(P, "C\n");
    talk.says(S, "c\n");
    assert_eq!(talk.found(S), [0, 0, 1], "it is in step again");
}

#[test]
fn what_a_secondary_had_no_connection_for_is_not_compared() {
    let mut talk = Talk::lines(2);
    talk.source("Q\n");
    talk.breaks(S);
    talk.says(P, "A\n");
    talk.pass(seconds(6));
    assert_eq!((talk.found(S), talk.said(S).uncompared), ([0, 0, 0], 1));
    talk.source("Q\n");
    talk.says(P, "A\n");
    talk.says(S, "A\n");
    assert_eq!((talk.found(S), talk.said(S).matched), ([0, 0, 0], 1));
}

#[test]
fn a_reply_awaited_from_a_connection_that_breaks_is_not_compared() {
    let mut talk = Talk::lines(2);
    talk.source("Q\n");
    talk.says(P, "A\n");
    talk.breaks(S);
    talk.pass(seconds(6));
    assert_eq!((talk.found(S), talk.said(S).uncompared), ([0, 0, 0], 1));
}

#[test]
fn a_primary_that_moves_takes_everybody_out_of_step() {
    let mut talk = Talk::lines(2);
    talk.source("Q\n");
    talk.says(S, "A\n");
    talk.rig.greet(SPARE_PRIMARY, 0, &[]);
    talk.rig.say(PRIMARY, &[Frame::Bye { reason: Bye::Leaving, version: 1 }]);
    talk.rig.listen();
    talk.rig.say(SPARE_PRIMARY, &[opened(A2)]);
    talk.rig.say(SPARE_PRIMARY, &[reply(A2, 0, "A\n")]);
    talk.pass(seconds(6));
    assert_eq!((talk.told(), talk.found(S)), ("A\n".into(), [0, 0, 0]));
}

#[test]
fn a_secondary_that_logs_in_anew_is_held_against_nothing_for_that() {
    let mut talk =
        Talk::with(Codec::Lines, 2, |route| route.destinations[S].rejoin = policy::Rejoin::First(2));
    for text in ["LOGIN 7\n", "STATUS 1\n"] {
        talk.source(text);
        talk.says(P, "OK\n");
        talk.says(S, "OK\n");
    }
    talk.breaks(S);
    talk.given(S);
    talk.source("STATUS 2\n");
    assert_eq!(talk.given(S), "LOGIN 7\nSTATUS 1\nSTATUS 2\n");
    talk.says(P, "OK 2\n");
    talk.says(S, "WELCOME BACK\nOK\nOK 2\n");
    talk.pass(seconds(6));
    assert_eq!((talk.found(S), talk.said(S).matched), ([0, 0, 0], 3));
    talk.told();
    talk.says(S, "X\n");
    assert_eq!(talk.told(), "X\n", "it owes nothing");
    assert_eq!(talk.rig.destination(S).account.replayed, Tally::new(2, 17));
}

/// Fails with: a burst of a secondary's that goes on when the source has spoken to it.
#[test]
fn with_raw_what_a_secondary_replies_behind_its_ask_is_no_part_of_it() {
    let mut talk = Talk::of(Codec::Raw, 2);
    talk.says(S, "X");
    talk.source("Q");
    talk.pass(STEP);
    talk.says(P, "A");
    (P..=S).for_each(|destination| talk.deliver(destination));
    talk.says(S, "A");
    talk.pass(seconds(6));
    assert_eq!((talk.told(), talk.found(S)), ("AX".into(), [0, 0, 0]));
}

/// Fails with: debts that lapse though a burst has answered them too.
#[test]
fn with_raw_one_reply_to_many_bursts_makes_no_source_that_only_reports() {
    let mut talk = Talk::of(Codec::Raw, 2);
    for _ in 0..10 {
        talk.source("Q");
        talk.pass(GAP);
        (P..=S).for_each(|destination| talk.deliver(destination));
    }
    talk.says(P, "A");
    talk.says(S, "A");
    talk.pass(seconds(6));
    talk.source("Q");
    talk.pass(GAP);
    (P..=S).for_each(|destination| talk.deliver(destination));
    talk.says(S, "B");
    talk.pass(seconds(1));
    assert_eq!(talk.told(), "A");
    talk.says(P, "B");
    talk.pass(seconds(6));
    assert_eq!((talk.told(), talk.found(S)), ("B".into(), [0, 0, 0]));
}

/// Fails with: a burst that was cut begun anew.
#[test]
fn with_raw_a_long_reply_stays_a_reply_where_it_is_cut() {
    let mut talk = Talk::with(Codec::Raw, 2, |route| route.max_frame = 10);
    talk.source("Q");
    talk.pass(GAP);
    (P..=S).for_each(|destination| talk.deliver(destination));
    talk.says(P, "no");
    talk.says(S, "0123456789abcdefghijABC");
    talk.pass(seconds(6));
    assert_eq!((talk.told(), talk.found(S)), ("no".into(), [0, 0, 1]));
    talk.rest();
}
