//! What secondaries begin by themselves (S7, S9): the source hears it once, from whoever says it first.

use super::{talk::*, *};
use crate::{conversation::asks::MAX_ASKS, policy::Replies};

#[test]
fn an_ask_is_said_once_and_who_repeats_it_gets_the_answer() {
    let mut talk = Talk::lines(2);
    talk.says(S, "X\n");
    assert_eq!(talk.told(), "X\n");
    talk.source("Y\n");
    assert_eq!((talk.given(P), talk.given(S)), ("Y\n".into(), "Y\n".into()));
    talk.pass(seconds(1));
    talk.says(P, "X\n");
    assert_eq!((talk.told(), talk.given(P), talk.given(S)), (String::new(), "Y\n".into(), String::new()));
    assert_eq!((talk.said(P).suppressed, talk.said(P).injected, talk.said(S).asks), (1, Tally::new(1, 2), 1));
    talk.rest();
}

#[test]
fn with_raw_an_ask_is_said_once_and_who_repeats_it_gets_the_answer() {
    let mut talk = Talk::of(Codec::Raw, 2);
    talk.says(S, "X");
    assert_eq!(talk.told(), "", "more may follow");
    talk.pass(GAP);
    assert_eq!(talk.told(), "X");
    talk.source("Y");
    talk.pass(seconds(6));
    assert_eq!(talk.given(P), "Y");
    talk.says(P, "X");
    talk.pass(GAP);
    assert_eq!((talk.told(), talk.given(P)), (String::new(), "Y".into()));
    assert_eq!((talk.said(P).suppressed, talk.said(P).injected.frames), (1, 1));
    talk.rest();
}

#[test]
fn the_window_of_the_same_words_does_not_slide() {
    let mut talk = Talk::lines(3);
    for (at, by, told) in [(0, S, "X\n"), (20, T, ""), (29, P, ""), (35, T, "X\n")] {
        while talk.rig.now < Instant::from_micros(1_000_000) + seconds(at) {
            talk.pass(STEP);
        }
        talk.says(by, "X\n");
        assert_eq!(talk.told(), told, "at {at}");
    }
    talk.rest();
}

#[test]
fn who_repeats_itself_is_heard_again() {
    let mut talk = Talk::lines(3);
    for (by, told) in
        [(S, "X\n"), (S, "X\n"), (P, ""), (T, ""), (P, ""), (P, "X\n"), (T, ""), (S, ""), (T, "")]
    {
        talk.says(by, "X\n");
        assert_eq!(talk.told(), told);
    }
    talk.rest();
}

#[test]
fn two_sessions_share_no_ledger() {
    let mut talk = Talk::lines(2);
    talk.says(S, "X\n");
    let other = talk.rig.accept().unwrap();
    talk.rig.listen();
    for peer in [PRIMARY, SECONDARY] {
        talk.rig.say(peer, &[opened_session(other, A1)]);
        talk.rig.listen();
    }
    talk.told();
    let (position, written, payload) = (0, 0, &b"X\n"[..]);
    let (attempt, starts, ends, cuts) = (A1, false, false, Cuts::default());
    talk.rig.say(
        PRIMARY,
        &[Frame::Data { session: other, attempt, position, written, starts, ends, cuts, payload }],
    );
    assert_eq!(talk.told(), "X\n");
}

/// The primary's bytes that may become what was asked: in pieces, what the source hears after each, what is left in the end.
#[test]
fn the_primarys_words_are_held_only_while_they_may_be_what_was_asked() {
    let rows: [(&[&str], &[&str]); 6] = [
        (&["REB", "OOT\n"], &["", ""]),
        (&["R", "E", "B", "O", "O", "T", "\n"], &["", "", "", "", "", "", ""]),
        (&["RE", "S", "ET\n"], &["", "RES", "ET\n"]),
        (&["SET\n"], &["SET\n"]),
        // It has been repeated once, and is now said anew.
        (&["REBOOT\nRE", "BOOT\n"], &["RE", "BOOT\n"]),
        (&["OK\nREB", "OOT\nOK", "\n"], &["OK\n", "OK", "\n"]),
    ];
    for (pieces, told) in rows {
        let mut talk = Talk::lines(2);
        talk.says(S, "REBOOT\n");
        assert_eq!(talk.told(), "REBOOT\n");
        for (piece, told) in pieces.iter().zip(told) {
            talk.says(P, piece);
            assert_eq!(talk.told(), *told, "{piece:?} of {pieces:?}");
        }
        talk.rest();
    }
}

#[test]
fn what_is_held_goes_on_when_hold_is_over() {
    for codec in [Codec::Lines, Codec::Raw] {
        let mut talk = Talk::of(codec, 2);
        talk.says(S, "REBOOT\n");
        talk.pass(GAP);
        assert_eq!(talk.told(), "REBOOT\n");
        talk.says(P, "REB");
        assert_eq!(talk.told(), "");
        talk.pass(millis(50));
        assert_eq!(talk.told(), "REB");
        talk.says(P, "OOT\n");
        assert_eq!(talk.told(), "OOT\n", "it goes on as it comes");
        talk.rest();
        assert_eq!(talk.said(P).suppressed, 0);
    }
}

/// Fails if every frame that begins like an ask is held, and not every ask holds once.
#[test]
fn an_ask_that_was_held_for_in_vain_holds_no_more() {
    let mut talk = Talk::lines(2);
    talk.says(S, "OK 99\n");
    talk.says(P, "OK ");
    talk.pass(millis(50));
    talk.says(P, "17\n");
    assert_eq!(talk.told(), "OK 99\nOK 17\n");
    talk.says(P, "OK ");
    assert_eq!(talk.told(), "OK ");
}

/// Fails if what an ask has held back is lost when the primary breaks.
#[test]
fn what_is_held_is_said_before_the_session_ends() {
    let mut talk = Talk::lines(2);
    talk.says(S, "REBOOT\n");
    talk.says(P, "REB");
    assert_eq!(talk.told(), "REBOOT\n");
    talk.rig.say(PRIMARY, &[reset(A1)]);
    assert_eq!(talk.told(), "REB");
}

#[test]
fn what_is_held_is_said_before_the_primarys_fin() {
    let mut talk = Talk::lines(2);
    talk.says(S, "REBOOT\n");
    talk.says(P, "REB");
    talk.told();
    talk.finishes(P);
    assert_eq!((talk.told(), talk.rig.done().pop()), ("REB".into(), Some("shut s0".into())));
}

#[test]
fn the_source_speaking_lets_go_of_what_is_held_with_raw() {
    let mut talk = Talk::of(Codec::Raw, 2);
    talk.says(S, "REBOOT");
    talk.pass(GAP);
    talk.told();
    talk.says(P, "REB");
    talk.source("hello");
    assert_eq!(talk.told(), "REB");
    talk.rest();
}

#[test]
fn an_ask_waits_until_the_primary_is_between_frames_and_owes_nothing() {
    let mut talk = Talk::lines(2);
    talk.says(P, "half");
    talk.says(S, "X\n");
    assert_eq!(talk.told(), "half");
    talk.says(P, " whole\nnext");
    assert_eq!(talk.told(), " whole\nnext");
    talk.says(P, "\n");
    assert_eq!(talk.told(), "\nX\n");
    talk.source("Q\n");
    talk.says(S, "R\n");
    talk.says(S, "Z\n");
    assert_eq!(talk.told(), "", "the primary owes a reply");
    talk.pass(seconds(5));
    assert_eq!(talk.told(), "Z\n", "as long as it can be expected");
    talk.rest();
}

#[test]
fn an_ask_waits_while_the_source_does_not_read() {
    let mut talk = Talk::lines(2);
    talk.rig.shell.room = 1;
    talk.says(P, "push\n");
    talk.says(S, "X\n");
    assert_eq!(talk.told(), "p");
    talk.rig.source_takes(3);
    assert_eq!(talk.told(), "ush");
    talk.rig.source_takes(2);
    assert_eq!(talk.told(), "\nX", "the ask follows");
    talk.says(P, "more\n");
    talk.rig.source_takes(100);
    assert_eq!(talk.told(), "\nmore\n");
    talk.rest();
}

#[test]
fn an_ask_that_finds_no_place_within_the_window_is_shed() {
    let mut talk = Talk::lines(3);
    talk.says(P, "half");
    talk.says(S, "X\n");
    talk.pass(seconds(29));
    assert_eq!(talk.said(S).asks_shed, 0);
    talk.pass(seconds(1));
    assert_eq!((talk.said(S).asks_shed, talk.said(S).asks), (1, 0));
    talk.says(P, "\n");
    assert_eq!(talk.told(), "half\n");
    talk.rest();
}

/// Fails with: asks expired in the order they came.
#[test]
fn an_ask_is_over_with_its_group_however_late_it_joined_it() {
    let mut talk = Talk::with(Codec::Lines, 3, |route| route.destinations[T].asks = false);
    talk.says(P, "half");
    talk.says(T, "X\n");
    talk.pass(seconds(10));
    talk.says(S, "W\n");
    talk.pass(seconds(10));
    talk.says(S, "X\n");
    talk.pass(seconds(10));
    assert_eq!(talk.said(S).asks_shed, 1, "what was first said 30 s ago");
    talk.says(P, "\n");
    assert_eq!(talk.told(), "half\nW\n");
    talk.rest();
}

#[test]
fn asks_that_wait_when_the_session_ends_are_shed() {
    let mut talk = Talk::lines(2);
    talk.says(P, "half");
    talk.says(S, "X\n");
    talk.rig.source_reset();
    assert_eq!((talk.said(S).asks_shed, talk.said(S).asks), (1, 0));
    talk.says(S, "Z\n");
    assert_eq!(talk.said(S).asks_shed, 2, "nobody is there to be asked");
}

/// S4. Fails with: an ask that is written counted as activity.
#[test]
fn asks_keep_no_session_that_is_half_closed() {
    let mut talk = Talk::lines(2);
    talk.rig.source_fin();
    for _ in 0..3 {
        talk.pass(seconds(3));
        talk.says(S, "X\n");
    }
    assert_eq!(talk.told(), "X\nX\nX\n");
    talk.rig.done();
    talk.pass(seconds(1));
    assert_eq!(talk.rig.done(), ["close s0", "s0 ended by ingress: linger"]);
}

#[test]
fn more_asks_than_may_wait_are_shed() {
    let mut talk = Talk::lines(2);
    talk.says(P, "half");
    for number in 0..MAX_ASKS + 2 {
        talk.says(S, &format!("{number}\n"));
    }
    assert_eq!(talk.said(S).asks_shed, 2);
    talk.says(P, "\n");
    assert_eq!((talk.said(S).asks, talk.told().lines().count()), (MAX_ASKS as u64, MAX_ASKS + 1));
    talk.rest();
}

/// Fails if what was shed counts as said to the source.
#[test]
fn what_was_shed_is_said_for_another_who_asks_it_and_then_not_again() {
    let mut talk = Talk::lines(3);
    talk.says(P, "half");
    for number in 0..MAX_ASKS {
        talk.says(T, &format!("{number}\n"));
    }
    talk.says(S, "X\n");
    assert_eq!(talk.said(S).asks_shed, 1);
    talk.says(P, "\n");
    talk.told();
    talk.says(T, "X\n");
    assert_eq!((talk.told(), talk.said(T).suppressed), ("X\n".into(), 0));
    talk.says(S, "X\n");
    assert_eq!((talk.told(), talk.said(S).suppressed), (String::new(), 1));
    talk.rest();
}

/// Fails with: an overtaken ask counted as nothing.
#[test]
fn what_the_primary_says_while_the_ask_waits_is_heard_from_the_primary() {
    let mut talk = Talk::lines(2);
    talk.says(P, "half");
    talk.says(S, "X\n");
    talk.says(P, "\nX\n");
    assert_eq!(talk.told(), "half\nX\n");
    assert_eq!((talk.said(S).asks, talk.said(S).suppressed, talk.said(P).suppressed), (0, 1, 0));
    talk.source("Y\n");
    assert_eq!(talk.given(S), "Y\n");
    talk.rest();
}

/// Fails with: a move of the primary that does not look for places.
#[test]
fn an_ask_that_waited_for_a_reply_need_not_wait_for_a_primary_that_moved() {
    let mut talk = Talk::lines(2);
    talk.source("Q\n");
    talk.says(S, "R\n");
    talk.says(S, "X\n");
    assert_eq!(talk.told(), "");
    talk.rig.greet(SPARE_PRIMARY, 0, &[]);
    talk.rig.say(PRIMARY, &[Frame::Bye { reason: Bye::Leaving, version: 1 }]);
    talk.pass(STEP);
    assert_eq!(talk.told(), "X\n");
}

#[test]
fn who_may_not_ask_is_not_heard_and_gets_no_stored_answers() {
    let mut talk = Talk::with(Codec::Lines, 2, |route| route.destinations[S].asks = false);
    talk.says(S, "X\n");
    talk.says(P, "Z\n");
    talk.source("Y\n");
    talk.pass(seconds(6));
    talk.given(S);
    talk.says(S, "Z\n");
    assert_eq!((talk.told(), talk.given(S), talk.said(S).filtered), ("Z\n".into(), String::new(), 2));
    talk.rest();
}

#[test]
fn what_counts_as_a_reply_is_a_setting() {
    let rows = [(Replies::One, "P\nA\nA2\n"), (Replies::Many, "P\n"), (Replies::None, "P\nR\nA\nA2\n")];
    for (replies, told) in rows {
        let mut talk = Talk::with(Codec::Lines, 2, |route| route.talk.replies = replies);
        talk.source("Q\n");
        talk.says(P, "P\n");
        for text in ["R\n", "A\n", "A2\n"] {
            talk.says(S, text);
        }
        assert_eq!(talk.told(), told, "{replies:?}");
        talk.pass(seconds(5));
        talk.says(S, "late\n");
        assert_eq!(talk.told(), "late\n", "{replies:?}");
        talk.rest();
    }
}

#[test]
fn nobody_owes_a_reply_to_a_source_that_only_reports() {
    let mut talk = Talk::lines(2);
    for number in 0..8 {
        talk.source(&format!("report {number}\n"));
    }
    talk.says(S, "R\n");
    talk.pass(seconds(5));
    talk.source("report 8\n");
    talk.says(S, "X\n");
    assert_eq!(talk.told(), "X\n");
    talk.says(P, "at last\n");
    talk.source("report 9\n");
    talk.says(S, "OK\n");
    assert_eq!(talk.told(), "at last\n", "replies are owed again");
    talk.rest();
}

#[test]
fn seven_replies_that_did_not_come_make_no_such_source() {
    let mut talk = Talk::lines(2);
    for number in 0..7 {
        talk.source(&format!("report {number}\n"));
    }
    talk.pass(seconds(5));
    talk.source("report 7\n");
    talk.says(S, "R\n");
    assert_eq!(talk.told(), "");
}

#[test]
fn of_many_notices_in_a_second_one_is_told_with_the_number_of_the_others() {
    let mut talk = Talk::lines(2);
    for _ in 0..5 {
        talk.says(S, "X\n");
    }
    assert_eq!(talk.rig.done(), ["s0 d1 asks X\\n"]);
    for text in ["A\n", "B\n", "C\n"] {
        talk.source("Q\n");
        talk.says(P, text);
        talk.says(S, &text.to_lowercase());
    }
    talk.pass(seconds(6));
    talk.rig.done();
    talk.source("Q\n");
    talk.says(P, "D\n");
    talk.says(S, "d\n");
    let told = talk.rig.done().pop();
    assert_eq!(told.as_deref(), Some("s0 d1: different: Q\\n -> D\\n / d\\n at Some(0) +2"));
}

/// Fails if only what is known to be written counts as owed: that is known up to 50 ms late.
#[test]
fn an_ask_waits_while_the_primary_may_have_got_what_it_will_reply_to() {
    let mut talk = Talk::lines(2);
    talk.rig.source_says("q\n");
    talk.says(S, "X\n");
    assert_eq!(talk.told(), "");
    talk.deliver(P);
    assert_eq!(talk.told(), "");
    talk.says(P, "r\n");
    assert_eq!(talk.told(), "r\nX\n");
}
