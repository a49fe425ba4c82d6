//! Connections of datagrams (S11).

use super::*;
use crate::wire::Cuts;

/// A live worker of datagrams with session s0, connected.
fn of_datagrams() -> Rig {
    let mut rig = Rig::greeting_with(false, true);
    rig.welcome(&[]);
    rig.say(&[open(A1, Patience::Once)]);
    rig.connected();
    rig.hear();
    rig.done();
    rig
}

fn datagrams<'a>(position: u64, cuts: &'a [u8], payload: &'a str) -> Frame<'a> {
    let cuts = Cuts::parse(cuts, payload.len()).unwrap();
    let payload = payload.as_bytes();
    Frame::Data { session: S0, attempt: A1, position, written: 0, starts: true, ends: true, cuts, payload }
}

#[test]
fn datagrams_are_sent_each_by_itself_empty_ones_too() {
    let mut rig = of_datagrams();
    rig.say(&[datagrams(0, &[0, 0, 0, 1], "abc"), datagrams(131, &[], ""), datagrams(195, &[], "d")]);
    assert_eq!(rig.written(), "[a][bc][][d]");
    rig.pass(50);
    assert_eq!(rig.hear(), ["GRANT s0 a1 260/260/1260"]);
    assert_eq!(rig.worker.counters().delivered, Tally::new(4, 4));
}

/// Fails if an empty datagram that the kernel refuses counts as written, as no byte of it is left.
#[test]
fn what_the_kernel_refuses_waits_from_a_boundary_on() {
    let mut rig = of_datagrams();
    rig.shell.room = 2;
    rig.say(&[datagrams(0, &[0, 0, 0, 1], "abc"), datagrams(131, &[], "")]);
    assert_eq!(rig.written(), "[a]");
    rig.worker.audit();
    rig.writable(3);
    assert_eq!(rig.written(), "[bc]");
    assert_eq!(rig.worker.counters().delivered, Tally::new(2, 3));
    rig.writable(1);
    assert_eq!(rig.written(), "[]");
    rig.worker.audit();
}

#[test]
fn what_came_while_it_was_connecting_goes_out_in_order() {
    let mut rig = Rig::greeting_with(false, true);
    rig.welcome(&[]);
    rig.say(&[
        open(A1, Patience::Once),
        datagrams(0, &[], "a"),
        datagrams(65, &[], ""),
        datagrams(129, &[], "b"),
    ]);
    assert_eq!(rig.written(), "");
    rig.connected();
    assert_eq!(rig.written(), "[a][][b]");
}

#[test]
fn what_cannot_be_sent_counts_as_written_and_the_ingress_hears_of_it() {
    let mut rig = of_datagrams();
    rig.say(&[datagrams(0, &[], "unsendable"), datagrams(74, &[], "a")]);
    assert_eq!((rig.written().as_str(), rig.done()), ("[a]", vec!["unsendable 1".to_owned()]));
    assert_eq!(rig.hear()[..2], ["GRANT s0 a1 74/74/1074", "SHED s0 a1 1/10"]);
    assert_eq!(rig.worker.counters().delivered, Tally::new(1, 1));
    assert_eq!(rig.worker.counters().unsendable, Tally::new(1, 10));
}

/// Fails if it is told once, or by what is new of it.
#[test]
fn what_cannot_be_sent_is_told_as_a_total_and_again_after_a_greeting() {
    let mut rig = of_datagrams();
    for position in [0, 74] {
        rig.say(&[datagrams(position, &[], "unsendable")]);
    }
    assert_eq!(rig.hear()[2..], ["GRANT s0 a1 148/148/1148", "SHED s0 a1 2/20"]);
    rig.say_as(rig.epoch, 0, &[bye(Bye::GreetAgain)]);
    rig.welcome(&[standing(Phase::Open, 0)]);
    assert_eq!(rig.hear(), ["SHED s0 a1 2/20"]);
}

#[test]
fn a_torn_datagram_is_a_fault() {
    let mut rig = of_datagrams();
    rig.say(&[data(0, false, "rest")]);
    assert_eq!(rig.done(), ["lost: a datagram is torn"]);
}

#[test]
fn what_the_destination_says_keeps_its_boundaries_and_is_never_split() {
    let mut rig = of_datagrams();
    let id = rig.newest();
    let bytes = Bytes::from(vec![b'x'; 900]);
    rig.worker.on_datagrams(id, &bytes, &[0, 400, 900], &mut rig.shell);
    // The window of 1000 holds the empty one and the first of 400, and no part of the second.
    assert_eq!(rig.hear(), ["DATA s0 a1 @0 ", "DATA s0 a1 @64 (400 bytes)"]);
    assert_eq!(rig.done(), ["pause c0"]);
    rig.say(&[grant(528, 528, 1528)]);
    assert_eq!(rig.hear(), ["DATA s0 a1 @528 (500 bytes)"]);
    assert_eq!(rig.done(), ["resume c0"]);
    rig.worker.audit();
}

#[test]
fn a_refusal_is_told_and_counted_and_ends_nothing() {
    let mut rig = of_datagrams();
    let id = rig.newest();
    rig.worker.on_refusals(id, 2, &mut rig.shell);
    assert_eq!(rig.done(), ["refusing"]);
    assert_eq!(rig.worker.counters().refusals, 2);
    rig.say(&[datagrams(0, &[], "a")]);
    assert_eq!(rig.written(), "[a]");
}

/// Fails if FIN waits for a destination that has no way to say FIN.
#[test]
fn fin_is_answered_by_fin_once_everything_is_sent() {
    let mut rig = of_datagrams();
    rig.say(&[datagrams(0, &[], "a"), fin(65)]);
    assert_eq!(rig.hear()[0], "FIN s0 a1 @0");
    let id = rig.newest();
    rig.worker.on_datagrams(id, &Bytes::from_static(b"late"), &[4], &mut rig.shell);
    rig.say(&[grant(1, 1, 1001)]);
    assert_eq!(rig.done(), ["close c0"]);
}
