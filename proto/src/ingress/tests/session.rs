//! A session towards source and primary: the table `session::Session` of docs/states.md, cell by cell.

use super::*;

/// An ingress with session s0 in that phase; `d1` is connected but in Connecting.
fn in_state(state: &str) -> Rig {
    let mut rig = Rig::linked(Codec::Lines, 2);
    rig.accept();
    if state != "Connecting" {
        rig.say(PRIMARY, &[opened(A1)]);
        rig.say(SECONDARY, &[opened(A1)]);
    }
    if state == "Draining" {
        rig.source_says("kept\n");
        rig.source_reset();
    }
    rig.forget();
    rig
}

/// What was done, and said to the primary and to the secondary.
fn outcome(rig: &mut Rig) -> String {
    let mut all = rig.done();
    let written = rig.written();
    if !written.is_empty() {
        all.push(format!("write {written}"));
    }
    all.extend(rig.hear(PRIMARY).into_iter().filter(|it| it != "PING").map(|it| format!("primary: {it}")));
    all.extend(
        rig.hear(SECONDARY).into_iter().filter(|it| it != "PING").map(|it| format!("secondary: {it}")),
    );
    all.join("; ")
}

#[track_caller]
fn assert_row(input: impl Fn(&mut Rig), outcomes: [&str; 3]) {
    for (state, expected) in ["Connecting", "Open", "Draining"].into_iter().zip(outcomes) {
        let mut rig = in_state(state);
        input(&mut rig);
        assert_eq!(outcome(&mut rig), expected, "while {state}");
    }
}

/// S1. Fails with: `open_secondary` called in `start`.
#[test]
fn nothing_goes_to_a_secondary_before_the_primary_is_open() {
    let mut rig = Rig::linked(Codec::Lines, 2);
    rig.accept();
    rig.pass(Duration::from_secs(4));
    assert_eq!(outcome(&mut rig), "primary: OPEN s0 a1 @0 once");
    rig.say(PRIMARY, &[opened(A1)]);
    assert_eq!(outcome(&mut rig), "s0 opened; resume s0; secondary: OPEN s0 a1 @0 if available");
}

#[test]
fn a_refused_primary_closes_the_source_and_the_next_one_is_tried_afresh() {
    let mut rig = in_state("Connecting");
    rig.say(PRIMARY, &[refused(A1, Cause::Refused)]);
    assert_eq!(outcome(&mut rig), "abort s0; s0 ended by primary: refused: connection refused");
    assert_eq!(rig.accept(), Some(SessionId(1 << 32)));
    assert_eq!(rig.hear(PRIMARY), ["OPEN s4294967296 a1 @0 once"]);
}

#[test]
fn opened_twice_is_opened_once() {
    let again = |rig: &mut Rig| rig.say(PRIMARY, &[opened(A1)]);
    assert_row(
        again,
        [
            "s0 opened; resume s0; secondary: OPEN s0 a1 @0 if available",
            "",
            "primary: RESET s0 a1 unknown session or attempt",
        ],
    );
    let mut rig = in_state("Open");
    again(&mut rig);
    assert_eq!(rig.destination(0).connections, 1);
}

#[test]
fn no_answer_within_connect_timeout_closes_the_source() {
    let mut rig = in_state("Connecting");
    rig.pass_almost(CONNECT_TIMEOUT);
    assert_eq!(outcome(&mut rig), "");
    rig.pass(STEP);
    let ended =
        "abort s0; s0 ended by primary: connect timeout; primary: RESET s0 a1 connection reset by peer";
    assert_eq!(outcome(&mut rig), ended.replace(" by peer", ""));
}

#[test]
fn without_a_worker_a_source_waits_for_connect_timeout_and_no_longer() {
    let mut rig = Rig::alone(Codec::Lines, 1);
    rig.accept();
    rig.pass(CONNECT_TIMEOUT);
    assert_eq!(outcome(&mut rig), "abort s0; s0 ended by primary: connect timeout");
    assert!(rig.ingress.is_idle());
}

/// Fails with: `connect_by` begun anew in `move_primary`.
#[test]
fn workers_that_come_and_go_do_not_extend_connect_timeout() {
    let mut rig = in_state("Connecting");
    for attempt in 1..=6 {
        rig.pass(Duration::from_secs(1));
        rig.say(PRIMARY, &[refused(Attempt(attempt), Cause::Draining)]);
    }
    assert!(outcome(&mut rig).contains("ended by primary: connect timeout"));
}

#[test]
fn source_bytes_go_to_the_primary_and_whole_frames_to_the_secondary() {
    let both = "primary: DATA s0 a1 @0 one↵; secondary: DATA s0 a1 @0 one↵";
    assert_row(|rig| rig.source_says("one\n"), ["", both, ""]);
    let mut rig = in_state("Open");
    rig.source_says("one\ntw");
    assert_eq!(outcome(&mut rig), "primary: DATA s0 a1 @0 one↵tw; secondary: DATA s0 a1 @0 one↵");
    rig.source_says("o\n");
    assert_eq!(
        outcome(&mut rig),
        "primary: DATA s0 a1 @134 o↵; secondary: DATA s0 a1 @68 tw; secondary: DATA s0 a1 @134 o↵"
    );
}

#[test]
fn a_fin_is_a_fin_for_all_and_waits_for_the_primary_to_open() {
    assert_row(Rig::source_fin, ["", "primary: FIN s0 a1 @0; secondary: FIN s0 a1 @0", ""]);
    let mut rig = in_state("Connecting");
    rig.source_fin();
    rig.say(PRIMARY, &[opened(A1)]);
    assert_eq!(
        outcome(&mut rig),
        "s0 opened; primary: FIN s0 a1 @0; secondary: OPEN s0 a1 @0 if available; secondary: FIN s0 a1 @0"
    );
}

/// Fails with: `pass_on_fin` without `end_burst`.
#[test]
fn a_fin_ends_the_frame_in_progress() {
    let mut rig = in_state("Open");
    rig.source_says("no end");
    assert_eq!(outcome(&mut rig), "primary: DATA s0 a1 @0 no end");
    rig.source_fin();
    assert_eq!(
        outcome(&mut rig),
        "primary: FIN s0 a1 @70; secondary: DATA s0 a1 @0 no end; secondary: FIN s0 a1 @70"
    );
}

#[test]
fn a_source_that_breaks_resets_the_primary_and_the_secondaries_get_a_fin() {
    let ended = "abort s0; s0 ended by source: reset; primary: RESET s0 a1 connection reset";
    assert_row(Rig::source_reset, [ended, &format!("{ended}; secondary: FIN s0 a1 @0"), ""]);
}

#[test]
fn what_the_primary_says_goes_to_the_source() {
    let fault =
        "ignored: it speaks for what is not connected; lost w0: it speaks for what is not connected, 1";
    let disowned = "primary: RESET s0 a1 unknown session or attempt";
    assert_row(|rig| rig.say(PRIMARY, &[reply(A1, 0, "hi\n")]), [fault, "write hi\n", disowned]);
}

#[test]
fn the_primarys_fin_reaches_the_source_after_its_last_byte() {
    let mut rig = in_state("Open");
    rig.shell.room = 1;
    rig.say(PRIMARY, &[reply(A1, 0, "hi"), fin(A1, 2)]);
    assert_eq!(outcome(&mut rig), "write h");
    rig.source_takes(9);
    assert_eq!(outcome(&mut rig), "shut s0; write i");
}

/// S6, both ways. Fails with: `end_if_closed` that does not ask for the source's or the primary's FIN.
#[test]
fn a_session_is_closed_once_both_have_finished_and_all_is_written() {
    for source_first in [true, false] {
        let mut rig = Rig::open(Codec::Lines, 1);
        if source_first {
            rig.source_fin();
        }
        rig.say(PRIMARY, &[fin(A1, 0)]);
        if !source_first {
            assert!(!rig.ingress.is_idle());
            rig.source_says("still\n");
            rig.say(PRIMARY, &[wrote(A1, 70)]);
            rig.source_fin();
        }
        assert!(!rig.ingress.is_idle());
        rig.listen();
        rig.say(PRIMARY, &[wrote(A1, if source_first { 1 } else { 71 })]);
        assert_eq!(rig.done(), ["shut s0", "close s0", "s0 ended by source: closed"]);
        assert!(rig.ingress.is_idle());
    }
}

#[test]
fn a_primary_that_breaks_resets_the_source_and_the_secondaries_get_a_fin() {
    let ended = "abort s0; s0 ended by primary: lost: connection reset";
    let of_secondary = format!("{ended}; secondary: FIN s0 a1 @0");
    assert_row(|rig| rig.say(PRIMARY, &[reset(A1)]), [ended, &of_secondary, ""]);
    let mut rig = in_state("Open");
    rig.say(PRIMARY, &[reset(A1)]);
    assert_eq!((rig.destination(0).outages, rig.destination(0).unconfirmed_bytes), (1, 3));
}

/// Fails with: `linger_at` that looks at one of the two FINs only.
#[test]
fn a_half_closed_session_ends_after_linger_of_silence() {
    for by_source in [true, false] {
        let mut rig = Rig::open(Codec::Lines, 1);
        if by_source {
            rig.source_fin();
        } else {
            rig.say(PRIMARY, &[fin(A1, 0)]);
        }
        rig.pass(LINGER / 2);
        if by_source {
            rig.say(PRIMARY, &[reply(A1, 0, "late")]);
        } else {
            rig.source_says("late");
        }
        rig.pass_almost(LINGER);
        assert!(!rig.ingress.is_idle());
        rig.pass(STEP);
        assert_eq!(rig.done().last().unwrap(), "s0 ended by ingress: linger");
        assert!(rig.hear(PRIMARY).contains(&"RESET s0 a1 ended in order".to_owned()));
    }
}

/// Fails with: `close_source` in order whatever is left.
#[test]
fn a_torn_answer_ends_in_a_reset() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.source_fin();
    rig.shell.room = 2;
    rig.say(PRIMARY, &[reply(A1, 0, "whole")]);
    rig.pass(LINGER);
    assert_eq!(rig.done(), ["abort s0", "s0 ended by ingress: linger"]);
}

#[test]
fn once_its_secondaries_are_done_an_ended_session_is_gone() {
    let mut rig = in_state("Draining");
    assert_eq!(rig.ingress.sessions(), 1);
    rig.say(SECONDARY, &[wrote(A1, 70)]);
    rig.say(SECONDARY, &[fin(A1, 0)]);
    assert!(rig.ingress.is_idle());
    assert_eq!(rig.destination(1).account.delivered, Tally::new(1, 5));
}

#[test]
fn after_linger_what_a_secondary_has_not_got_is_shed() {
    let mut rig = in_state("Draining");
    rig.pass(LINGER);
    assert!(rig.ingress.is_idle());
    assert_eq!(outcome(&mut rig), "secondary: RESET s0 a1 ended in order");
    assert_eq!(rig.shed(1, ShedReason::SessionEnded), 1);
}

#[test]
fn a_drain_ends_who_is_connecting_and_finishes_the_others() {
    let drain = |rig: &mut Rig| rig.ingress.drain(rig.now, &mut rig.shell);
    let fins = "pause s0; primary: FIN s0 a1 @0; secondary: FIN s0 a1 @0";
    let ended = "close s0; s0 ended by ingress: drained; primary: RESET s0 a1 ended in order";
    assert_row(drain, [ended, "", ""]);
    let drained = |rig: &mut Rig| {
        drain(rig);
        rig.pass(Duration::from_millis(350));
    };
    assert_row(drained, [ended, fins, ""]);
    let mut rig = in_state("Open");
    drain(&mut rig);
    assert_eq!(rig.accept(), None);
    assert_eq!(rig.ingress.route_counters(ROUTE).turned_away, 1);
}

/// Fails with: `resume_source_if_room` that does not ask whether the source has finished.
#[test]
fn a_drained_source_is_not_read_again() {
    let mut rig = in_state("Open");
    rig.source_says("one\n");
    rig.ingress.drain(rig.now, &mut rig.shell);
    rig.listen();
    rig.pass(Duration::from_millis(350));
    assert_eq!(rig.done(), [""; 0], "the primary has not got all yet");
    rig.say(PRIMARY, &[wrote(A1, 68)]);
    rig.pass(Duration::from_millis(350));
    rig.source_says("on its way already");
    assert_eq!(rig.done(), ["pause s0"]);
}
