//! A worker that is stopped, taken for dead, and wakes up again: it must not write on.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::{
    Destination, Fabric, Record, Shape, Talker, eventually, eventually_within, expect_all_answered, numbers,
};

use super::replicas::{assert_every_line_arrived, busier_first, held, hush_all};

const MOVE: Duration = Duration::from_secs(12);

/// Fails if a worker writes without looking at its lease: what waited for it in the link would reach the destination a
/// second time, after newer lines.
#[test]
fn a_worker_that_was_stopped_and_replaced_writes_nothing_more() {
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Tcp).forward(&primary).replicas(2).start();
    let talkers: Vec<_> = (0..4).map(|session| Talker::start(session, fabric.address())).collect();
    expect_all_answered(&talkers);
    let (zombie, other) = busier_first(&fabric, &primary);
    let (stopped, others) = (held(&fabric, zombie, &primary), held(&fabric, other, &primary));
    let old_ends = fabric.worker(zombie).process.connections_to(primary.address());

    fabric.worker(zombie).process.stop();
    eventually_within(MOVE, "its sessions have moved", || held(&fabric, other, &primary) == stopped + others);
    expect_all_answered(&talkers);
    let before = from(&primary, &old_ends);
    assert_eq!(before.len(), stopped);

    fabric.worker(zombie).process.cont();
    eventually("it has closed its old connections, so they are final", || {
        from(&primary, &old_ends).iter().all(|record| record.end.is_some())
    });
    for (before, after) in before.iter().zip(from(&primary, &old_ends)) {
        let (before, after) = (numbers(&before.received).1, numbers(&after.received).1);
        assert_eq!(after.last(), before.last(), "the last line before the stop, and after: it wrote on");
        assert_eq!(after.len(), before.len());
    }
    expect_all_answered(&talkers);

    fabric.report().balanced();
    let sent = hush_all(talkers);
    fabric.at_rest();
    assert_every_line_arrived(&primary, &sent);
}

/// What the connections from `ends` have brought.
fn from(destination: &Destination, ends: &[SocketAddr]) -> Vec<Record> {
    destination.connections().into_iter().filter(|record| ends.contains(&record.from)).collect()
}

/// Fails if a stop shorter than the lease is taken for a death.
#[test]
fn a_worker_that_was_stopped_for_a_moment_keeps_its_sessions() {
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Tcp).forward(&primary).replicas(2).start();
    let talkers: Vec<_> = (0..4).map(|session| Talker::start(session, fabric.address())).collect();
    expect_all_answered(&talkers);
    let (paused, _) = busier_first(&fabric, &primary);

    fabric.worker(paused).process.stop();
    fabric.worker(paused).process.cont();
    expect_all_answered(&talkers);

    assert_eq!(primary.accepted(), 4, "nothing was connected anew");
    let sent: Vec<usize> = talkers.into_iter().map(|talker| talker.hush_and_hear_everything().1).collect();
    assert_every_line_arrived(&primary, &sent);
    fabric.at_rest();
}
