//! What the source answers to asks, and who gets it later (S9).

use super::{talk::*, *};
use crate::policy::Replies;

#[test]
fn answers_go_to_asks_in_the_order_the_source_heard_them() {
    let mut talk = Talk::lines(3);
    talk.source("Q\n");
    talk.says(S, "R\n");
    talk.says(S, "late\n");
    talk.says(P, "R\nearly\n");
    assert_eq!(talk.told(), "R\nearly\nlate\n");
    talk.source("to early\n");
    talk.source("to late\n");
    talk.pass(seconds(6));
    (0..3).for_each(|destination| drop(talk.given(destination)));
    talk.says(T, "late\n");
    assert_eq!(talk.given(T), "to late\n");
    talk.says(T, "r\n");
    talk.says(T, "early\n");
    assert_eq!(talk.given(T), "to early\n");
}

/// Fails with: asks that are over still awaiting answers.
#[test]
fn an_ask_that_is_over_takes_no_answer_from_a_later_one() {
    let mut talk = Talk::lines(2);
    talk.says(S, "never answered\n");
    talk.pass(seconds(60));
    talk.says(S, "X\n");
    talk.source("Y\n");
    talk.pass(seconds(6));
    talk.given(P);
    talk.says(P, "X\n");
    assert_eq!(talk.given(P), "Y\n");
}

#[test]
fn only_what_the_pattern_names_is_an_answer_and_only_behind_the_ask() {
    let mut talk = Talk::with(Codec::Lines, 2, |route| {
        route.talk.answer = patterns("^BATTERY ");
        route.talk.replies = Replies::None;
    });
    talk.rig.source_says("BATTERY");
    talk.says(S, "GET BATTERY\n");
    talk.source(" 1\n");
    talk.source("POSITION 5\n");
    talk.source("BATTERY 81\n");
    talk.pass(seconds(6));
    talk.given(P);
    talk.says(P, "GET BATTERY\n");
    assert_eq!(talk.given(P), "BATTERY 81\n");
    talk.rest();
}

/// Fails with: what is too long told by the read instead of by the frame.
#[test]
fn no_frame_that_is_too_long_is_kept_as_an_answer_and_one_behind_it_is() {
    for reads in [&["long", "\nY\n"][..], &["long\nY\n"]] {
        let mut talk = Talk::with(Codec::Lines, 2, |route| route.max_frame = 100);
        talk.says(S, "X\n");
        for read in reads {
            talk.source(&read.replace("long", &"x".repeat(200)));
        }
        talk.pass(seconds(6));
        talk.given(P);
        talk.says(P, "X\n");
        assert_eq!(talk.given(P), "Y\n", "{reads:?}");
    }
}

#[test]
fn an_answer_that_is_on_its_way_is_not_sent_twice() {
    let mut talk = Talk::lines(2);
    talk.says(S, "X\n");
    talk.rig.source_says("Y\n");
    talk.says(P, "X\n");
    assert_eq!((talk.given(P), talk.said(P).injected), ("Y\n".into(), Tally::ZERO));
}

#[test]
fn an_answer_waits_for_the_end_of_a_source_frame() {
    let mut talk = Talk::lines(2);
    talk.says(S, "X\n");
    talk.source("Y\n");
    talk.pass(seconds(6));
    talk.source("half");
    talk.given(P);
    talk.pass(seconds(6));
    talk.says(P, "X\n");
    assert_eq!(talk.given(P), "");
    talk.source("\nnext");
    assert_eq!(talk.given(P), "\nnext");
    talk.source("\n");
    assert_eq!(talk.given(P), "\nY\n");
    talk.rest();
}

#[test]
fn what_is_said_to_a_stored_answer_is_a_reply_and_not_compared() {
    let mut talk = Talk::lines(2);
    talk.says(P, "X\n");
    talk.source("Y\n");
    talk.says(P, "thanks\n");
    talk.says(S, "thanks\n");
    talk.told();
    talk.says(S, "X\n");
    talk.deliver(S);
    talk.says(S, "thanks again\n");
    talk.pass(seconds(6));
    assert_eq!((talk.told(), talk.found(S), talk.said(S).matched), (String::new(), [0, 0, 0], 1));
    talk.says(S, "more\n");
    assert_eq!(talk.told(), "more\n", "nothing is owed any more");
    talk.rest();
}

/// Fails if an ask counts as heard only with all that the primary said in the same read.
#[test]
fn an_ask_of_the_primarys_is_heard_with_its_last_byte_whatever_follows_it() {
    let mut talk = Talk::lines(2);
    talk.rig.shell.room = 2;
    talk.says(P, "X\nand more\n");
    assert_eq!(talk.told(), "X\n");
    talk.source("Y\n");
    talk.rig.source_takes(100);
    talk.pass(seconds(6));
    talk.given(S);
    talk.says(S, "X\n");
    assert_eq!(talk.given(S), "Y\n");
}
