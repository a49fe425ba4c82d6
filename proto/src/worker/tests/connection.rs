//! A connection at a worker: the table `worker::Connection` of docs/states.md, cell by cell.

use super::*;

const STATES: [&str; 3] = ["Waiting", "Connecting", "Open"];

/// A worker with one connection, c0 for s0 a1, in that state.
fn in_state(state: &str) -> Rig {
    let mut rig = Rig::live();
    rig.say(&[open(A1, Patience::Patient)]);
    match state {
        "Waiting" => rig.connect_fails(),
        "Open" => rig.connected(),
        _ => {}
    }
    rig.hear();
    rig.done();
    rig
}

/// What the input did: to the world, and in words to the ingress.
fn outcome(rig: &mut Rig) -> String {
    let mut all = rig.done();
    all.append(&mut rig.hear());
    let written = rig.written();
    if !written.is_empty() {
        all.push(format!("write {written}"));
    }
    all.push(match rig.worker.connections.iter().last().map(|(_, connection)| connection.state) {
        None => "gone".to_owned(),
        Some(State::Open { .. }) => "Open".to_owned(),
        Some(State::Connecting { .. }) => "Connecting".to_owned(),
        Some(state) => format!("{state:?}"),
    });
    all.join("; ")
}

#[track_caller]
fn assert_row(input: fn(&mut Rig), outcomes: [&str; 3]) {
    for (state, expected) in STATES.into_iter().zip(outcomes) {
        let mut rig = in_state(state);
        input(&mut rig);
        assert_eq!(outcome(&mut rig), expected, "while {state}");
    }
}

#[test]
fn a_repeated_open_changes_nothing() {
    let input = |rig: &mut Rig| rig.say(&[open(A1, Patience::Patient)]);
    assert_row(input, ["Waiting", "Connecting", "Open"]);
}

#[test]
fn an_open_of_a_newer_attempt_starts_over() {
    let input = |rig: &mut Rig| rig.say(&[open(Attempt(2), Patience::Once)]);
    let aborted = "abort c0; connect c4294967296; Connecting";
    assert_row(input, ["connect c4294967296; Connecting", aborted, aborted]);
}

#[test]
fn an_open_of_an_older_attempt_is_disowned() {
    let input = |rig: &mut Rig| rig.say(&[open(Attempt(0), Patience::Once)]);
    let [waiting, connecting, open] =
        STATES.map(|state| format!("RESET s0 a0 unknown session or attempt; {state}"));
    assert_row(input, [&waiting, &connecting, &open]);
}

/// Fails with: `find` that answers for unknown sessions only.
#[test]
fn another_frame_of_another_attempt_is_disowned_and_a_reset_is_never_answered() {
    let input = |rig: &mut Rig| {
        rig.say(&[
            Frame::Fin { session: S0, attempt: Attempt(7), position: 0 },
            reset(Attempt(7), Cause::Reset),
            Frame::Reset { session: SessionId(5), attempt: A1, cause: Cause::Reset, unconfirmed: 0 },
        ]);
    };
    let [waiting, connecting, open] =
        STATES.map(|state| format!("RESET s0 a7 unknown session or attempt; {state}"));
    assert_row(input, [&waiting, &connecting, &open]);
}

#[test]
fn what_waits_connects_when_the_probe_is_due() {
    let mut rig = in_state("Waiting");
    rig.pass(100);
    assert_eq!(outcome(&mut rig), "connect c0; Connecting");
}

#[test]
fn once_connected_what_is_queued_is_written() {
    let mut rig = in_state("Connecting");
    rig.say(&[line(0, "early"), fin(69)]);
    rig.connected();
    assert_eq!(outcome(&mut rig), "shut c0; OPENED s0 a1; write early; Open");
}

#[test]
fn a_failed_connect_is_refused_unless_the_ingress_is_patient() {
    let impatient = "away: connection refused; REFUSED s0 a1 connection refused; gone";
    for (patience, expected) in [
        (Patience::Once, impatient),
        (Patience::IfAvailable, impatient),
        (Patience::Patient, "away: connection refused; Waiting"),
    ] {
        let mut rig = Rig::live();
        rig.say(&[open(A1, patience)]);
        rig.done();
        rig.connect_fails();
        assert_eq!(outcome(&mut rig), expected, "{patience}");
    }
}

#[test]
fn an_impatient_open_is_refused_at_once_while_the_destination_is_away() {
    let mut rig = in_state("Waiting");
    rig.say(&[open_session(SessionId(1), A1, Patience::IfAvailable)]);
    assert_eq!(outcome(&mut rig), "REFUSED s1 a1 connection refused; Waiting");
}

#[test]
fn data_is_written_when_open_and_queued_before() {
    assert_row(|rig| rig.say(&[line(0, "abc")]), ["Waiting", "Connecting", "write abc; Open"]);
}

#[test]
fn what_the_kernel_refuses_is_queued_until_it_is_writable() {
    let mut rig = in_state("Open");
    rig.shell.room = 2;
    rig.say(&[line(0, "abcd")]);
    assert_eq!(outcome(&mut rig), "write ab; Open");
    rig.say(&[line(68, "ef")]);
    rig.writable(3);
    assert_eq!(outcome(&mut rig), "write cde; Open");
    rig.writable(9);
    assert_eq!(outcome(&mut rig), "write f; Open");
    assert_eq!(rig.worker.counters().delivered, Tally::new(2, 6));
}

#[test]
fn fin_is_noted_and_shuts_after_the_last_byte() {
    assert_row(|rig| rig.say(&[fin(0)]), ["Waiting", "Connecting", "shut c0; Open"]);
}

#[test]
fn a_fin_waits_for_the_bytes_before_it() {
    let mut rig = in_state("Open");
    rig.shell.room = 0;
    rig.say(&[line(0, "last"), fin(68)]);
    assert_eq!(outcome(&mut rig), "Open");
    rig.writable(9);
    assert_eq!(outcome(&mut rig), "shut c0; write last; Open");
}

#[test]
fn a_reset_ends_it_in_order_for_cause_0_and_with_a_reset_for_any_other() {
    assert_row(|rig| rig.say(&[reset(A1, Cause::InOrder)]), ["gone", "close c0; gone", "close c0; gone"]);
    assert_row(|rig| rig.say(&[reset(A1, Cause::Reset)]), ["gone", "abort c0; gone", "abort c0; gone"]);
}

#[test]
fn what_the_destination_says_goes_as_far_as_the_limit_and_then_it_is_not_read() {
    let mut rig = in_state("Open");
    rig.bytes(&"x".repeat(900));
    assert_eq!(outcome(&mut rig), "DATA s0 a1 @0 (900 bytes); Open");
    rig.bytes(&"y".repeat(101));
    assert_eq!(outcome(&mut rig), "pause c0; DATA s0 a1 @900 (100 bytes); Open");
    rig.say(&[grant(1000, 500, 1500)]);
    assert_eq!(outcome(&mut rig), "resume c0; DATA s0 a1 @1000 y; Open");
}

/// Fails with: `is_over` that does not wait until FIN is taken; `written` taken as told where no DATA carried it.
#[test]
fn both_fins_through_and_taken_close_it_in_order() {
    let mut rig = in_state("Open");
    rig.bytes("bye");
    let id = rig.newest();
    rig.worker.on_fin(id);
    assert_eq!(outcome(&mut rig), "DATA s0 a1 @0 bye; FIN s0 a1 @3; Open");
    rig.say(&[fin(0)]);
    assert_eq!(outcome(&mut rig), "shut c0; Open");
    rig.say(&[grant(4, 3, 1003)]);
    assert_eq!(outcome(&mut rig), "close c0; GRANT s0 a1 1/1/1001; gone");
}

#[test]
fn the_destinations_reset_follows_its_last_bytes() {
    let mut rig = in_state("Open");
    rig.bytes("last words");
    let id = rig.newest();
    rig.worker.on_reset(id, Cause::Reset, 7, rig.now, &mut rig.shell);
    let told = "DATA s0 a1 @0 last words; RESET s0 a1 connection reset; gone";
    assert_eq!(outcome(&mut rig), format!("away: connection reset; {told}"));
    assert_eq!((rig.worker.counters().resets, rig.worker.counters().unconfirmed_bytes), (1, 7));
}

#[test]
fn a_grant_for_what_was_not_sent_is_a_fault() {
    for state in STATES {
        let mut rig = in_state(state);
        rig.say(&[grant(0, 0, 1000)]);
        assert_eq!(rig.worker.counters().faults, 0, "while {state}");
        rig.say(&[grant(1, 0, 1000)]);
        assert_eq!(rig.worker.counters().faults, 1, "while {state}");
    }
}

#[test]
fn lower_totals_than_known_are_ignored() {
    let mut rig = in_state("Open");
    rig.bytes(&"x".repeat(1000));
    rig.hear();
    rig.say(&[grant(1000, 1000, 2000), grant(5, 5, 1005)]);
    rig.bytes("y");
    assert_eq!(rig.hear(), ["DATA s0 a1 @1000 y"]);
}

/// Fails with: GRANTs as a queue; the lag of 50 ms left out.
#[test]
fn what_was_written_is_told_at_once_by_a_quarter_of_the_window_and_else_a_little_later() {
    let mut rig = in_state("Open");
    rig.say(&[line(0, &"x".repeat(186))]);
    assert_eq!(rig.hear(), ["GRANT s0 a1 250/250/1250"]);
    rig.say(&[data(250, false, "abc"), data(253, false, "def")]);
    assert_eq!(rig.hear(), [""; 0]);
    rig.pass(50);
    assert_eq!(rig.hear(), ["GRANT s0 a1 256/256/1256"]);
}

/// Fails with: `written` taken as told by `pump` where it sends no DATA.
#[test]
fn a_fin_the_other_way_does_not_pass_for_a_grant() {
    let mut rig = in_state("Open");
    rig.say(&[line(0, "abc")]);
    let id = rig.newest();
    rig.worker.on_fin(id);
    assert_eq!(rig.hear(), ["FIN s0 a1 @0"]);
    rig.pass(50);
    assert_eq!(rig.hear(), ["GRANT s0 a1 67/67/1067"]);
}

#[test]
fn units_that_were_seen_are_skipped_and_missing_ones_are_a_fault() {
    let mut rig = in_state("Open");
    rig.say(&[line(0, "abc"), line(0, "abc")]);
    assert_eq!(outcome(&mut rig), "write abc; Open");
    rig.say(&[data(66, false, "cde")]);
    rig.writable(9);
    assert_eq!(outcome(&mut rig), "write de; Open");
    rig.say(&[data(70, false, "x")]);
    assert_eq!(rig.worker.counters().faults, 1);
}

/// Fails with: `unseen` that takes a repetition cut inside a frame's start.
#[test]
fn who_cuts_inside_a_frames_start_breaks_the_protocol() {
    let mut rig = in_state("Connecting");
    rig.say(&[line(0, "")]);
    rig.say(&[line(54, "x")]);
    assert_eq!(rig.worker.counters().faults, 1);
    rig.pass(1000);
    rig.welcome(&[standing(Phase::Connecting, 0)]);
    rig.connected();
    assert_eq!(rig.worker.counters().delivered, Tally::new(1, 0));
}

#[test]
fn more_connections_than_the_limit_and_larger_windows_are_refused() {
    let mut rig = Rig::live();
    let opens: Vec<_> = (0..5).map(|at| open_session(SessionId(at), A1, Patience::Once)).collect();
    rig.say(&opens);
    assert_eq!(rig.hear(), ["REFUSED s4 a1 limit reached"]);
    let (position, limit, window, patience) = (0, 0, 10_001, Patience::Once);
    let session = SessionId(9);
    rig.say(&[Frame::Open { session, attempt: A1, position, limit, window, patience, timeout_millis: 1 }]);
    assert_eq!(rig.hear(), ["REFUSED s9 a1 limit reached"]);
}
