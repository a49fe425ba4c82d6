//! The destination at a worker: the table `outage::Outage` of docs/states.md, through the worker.

use super::*;

const STATES: [&str; 3] = ["Available", "Away", "Pacing"];

/// A worker that has come to know its destination like this.
fn in_state(state: &str) -> Rig {
    let mut rig = Rig::live();
    if state != "Available" {
        rig.say(&[open_session(SessionId(100), A1, Patience::Once)]);
        rig.connect_fails();
    }
    if state == "Pacing" {
        rig.say(&[open_session(SessionId(101), A1, Patience::Once)]);
        rig.connected();
    }
    rig.hear();
    rig.done();
    rig
}

/// What was done and said, without the numbers of connections.
fn outcome(rig: &mut Rig) -> String {
    let mut all = rig.done();
    all.append(&mut rig.hear());
    let all = all.iter().map(|it| if it.starts_with("connect ") { "connect" } else { it.as_str() });
    all.collect::<Vec<_>>().join("; ")
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
fn the_patient_wait_the_others_try_or_are_refused() {
    let refused = "REFUSED s0 a1 connection refused";
    assert_row(|rig| rig.say(&[open(A1, Patience::Patient)]), ["connect", "", ""]);
    assert_row(|rig| rig.say(&[open(A1, Patience::IfAvailable)]), ["connect", refused, "connect"]);
    assert_row(|rig| rig.say(&[open(A1, Patience::Once)]), ["connect", "connect", "connect"]);
}

#[test]
fn a_failure_is_warned_of_once_an_outage() {
    let fail = |rig: &mut Rig| {
        rig.say(&[open(A1, Patience::Once)]);
        rig.connect_fails();
    };
    let (fresh, known) = (
        "connect; away: connection refused; REFUSED s0 a1 connection refused",
        "connect; REFUSED s0 a1 connection refused",
    );
    assert_row(fail, [fresh, known, fresh]);
}

#[test]
fn a_connection_that_is_reset_within_a_second_is_a_failure_too() {
    let mut rig = in_state("Available");
    rig.say(&[open(A1, Patience::Once)]);
    rig.connected();
    rig.pass(900);
    let id = rig.newest();
    rig.worker.on_reset(id, Cause::Reset, 0, rig.now, &mut rig.shell);
    assert!(rig.worker.is_away());
}

#[test]
fn a_connection_that_stood_for_a_second_is_reset_without_an_outage() {
    let mut rig = in_state("Available");
    rig.say(&[open(A1, Patience::Once)]);
    rig.connected();
    rig.chat(1000);
    let id = rig.newest();
    rig.worker.on_reset(id, Cause::Reset, 0, rig.now, &mut rig.shell);
    assert!(!rig.worker.is_away());
}

#[test]
fn the_first_success_is_told() {
    let succeed = |rig: &mut Rig| {
        rig.say(&[open(A1, Patience::Once)]);
        rig.connected();
    };
    assert_row(succeed, ["connect; OPENED s0 a1", "connect; back; OPENED s0 a1", "connect; OPENED s0 a1"]);
}

/// Fails with: `turns` that grants more than one while away.
#[test]
fn one_of_those_who_wait_probes_for_all_and_the_others_follow() {
    let mut rig = in_state("Away");
    let wait = |session| open_session(SessionId(session), A1, Patience::Patient);
    rig.say(&[wait(0), wait(1), wait(2)]);
    rig.pass(50);
    assert_eq!(outcome(&mut rig), "");
    rig.pass(50);
    assert_eq!(outcome(&mut rig), "connect");
    let probe = rig.worker.index[&(LINK, S0)];
    rig.worker.on_connected(probe, rig.now, &mut rig.shell);
    assert_eq!(outcome(&mut rig), "back; OPENED s0 a1");
    rig.pass(50);
    assert_eq!(outcome(&mut rig), "connect; connect");
}

#[test]
fn a_probe_that_its_session_gives_up_is_followed_by_another() {
    let mut rig = in_state("Away");
    rig.say(&[open(A1, Patience::Patient), open_session(SessionId(1), A1, Patience::Patient)]);
    rig.pass(100);
    rig.done();
    rig.say(&[reset(A1, Cause::Reset)]);
    rig.pass(50);
    assert_eq!(outcome(&mut rig), "abort c0; connect".replace("c0", "c4294967296"));
}

#[test]
fn with_none_waiting_there_is_no_probe_and_pacing_ends() {
    let mut rig = in_state("Away");
    rig.pass(60_000);
    assert!(rig.worker.is_away() && !rig.done().iter().any(|done| done.starts_with("connect")));
    let mut rig = in_state("Pacing");
    rig.pass(50);
    assert!(rig.worker.outage.is_available());
}
