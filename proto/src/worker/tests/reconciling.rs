//! What a greeting takes up again, and what it ends (L1, L3).

use super::*;

/// The link breaks; the worker greets again, and says where it stands.
fn greet_again(rig: &mut Rig) -> Vec<String> {
    rig.say_as(rig.epoch, 0, &[bye(Bye::GreetAgain)]);
    rig.pass(150);
    rig.done();
    rig.hear()
}

/// Fails with: `resume` that does not rewind.
#[test]
fn what_the_ingress_did_not_receive_is_sent_again() {
    let mut rig = Rig::open();
    rig.bytes("hello");
    rig.hear();
    assert_eq!(greet_again(&mut rig), ["HELLO s0 a1 open 0/0/1000"]);
    rig.say(&[welcome(&[standing(Phase::Open, 2)], true)]);
    assert_eq!(rig.hear(), ["DATA s0 a1 @2 llo"]);
}

#[test]
fn what_welcome_does_not_name_is_aborted() {
    let mut rig = Rig::open();
    greet_again(&mut rig);
    rig.say(&[welcome(&[], true)]);
    assert_eq!(rig.done(), ["abort c0", "linked", "ports [7100]"]);
}

#[test]
fn a_welcome_in_parts_counts_as_a_whole() {
    let mut rig = Rig::open();
    greet_again(&mut rig);
    rig.say(&[welcome(&[standing(Phase::Open, 0)], false)]);
    rig.say(&[welcome(&[], true)]);
    assert_eq!(rig.done(), ["linked", "ports [7100]"]);
}

#[test]
fn another_ingress_behind_the_same_address_knows_none_of_the_connections() {
    let mut rig = Rig::open();
    greet_again(&mut rig);
    let standings = vec![standing(Phase::Open, 0)];
    rig.say(&[Frame::Welcome {
        version: 1,
        incarnation: Incarnation(71),
        ports: vec![],
        auth: &[],
        standings,
        last: true,
    }]);
    assert_eq!(rig.done()[0], "abort c0");
}

/// Fails with: WELCOME's phase taken for open always.
#[test]
fn a_connection_made_during_the_greeting_is_told_after_it() {
    let mut rig = Rig::live();
    rig.say(&[open(A1, Patience::Once)]);
    assert_eq!(greet_again(&mut rig), ["HELLO s0 a1 connecting 0/0/1000"]);
    rig.connected();
    rig.say(&[welcome(&[standing(Phase::Connecting, 0)], true)]);
    assert_eq!(rig.hear(), ["OPENED s0 a1"]);
}

#[test]
fn what_the_ingress_knows_to_be_open_is_not_told_again() {
    let mut rig = Rig::open();
    greet_again(&mut rig);
    rig.say(&[welcome(&[standing(Phase::Open, 0)], true)]);
    assert_eq!(rig.hear(), [""; 0]);
}

/// Fails with: `reconcile` that looks only at the connections it has.
#[test]
fn a_connection_that_ended_during_the_greeting_is_reset_after_it() {
    let mut rig = Rig::open();
    greet_again(&mut rig);
    let id = rig.newest();
    rig.worker.on_reset(id, Cause::Reset, 0, rig.now, &mut rig.shell);
    rig.say(&[welcome(&[standing(Phase::Open, 0)], true)]);
    assert_eq!(rig.hear(), ["RESET s0 a1 unknown session or attempt"]);
}

#[test]
fn a_standing_that_cannot_be_is_reset() {
    let mut rig = Rig::open();
    greet_again(&mut rig);
    rig.say(&[welcome(&[standing(Phase::Open, 999)], true)]);
    assert_eq!(rig.hear(), ["RESET s0 a1 link lost"]);
    assert_eq!(rig.done()[0], "abort c0");
}

#[test]
fn a_welcome_that_names_more_than_there_can_be_is_a_fault() {
    let mut rig = Rig::greeting(false);
    rig.hear();
    rig.say(&[welcome(&[standing(Phase::Open, 0); 5], false)]);
    assert_eq!(rig.worker.counters().faults, 1);
}

#[test]
fn reads_that_were_paused_go_on_where_the_ingress_has_room() {
    let mut rig = Rig::open();
    rig.bytes(&"x".repeat(1000));
    assert_eq!(rig.done(), ["pause c0"]);
    rig.hear();
    greet_again(&mut rig);
    rig.say(&[welcome(&[standing(Phase::Open, 1000)], true)]);
    assert!(rig.done().contains(&"resume c0".to_owned()));
}
