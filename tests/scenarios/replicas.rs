//! Several workers for one destination, and workers that are killed: sessions move, the source goes on.

use std::time::Duration;

use crate::harness::{
    Destination, Fabric, Shape, Talker, assert_each_follows, assert_rises, eventually, eventually_within,
    expect_all_answered, numbers,
};

/// Silence is taken for death after three seconds; a move is done some time after that.
const MOVE: Duration = Duration::from_secs(12);

/// Fails if all sessions go to one replica.
#[test]
fn sessions_are_spread_over_replicas() {
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Tcp).forward(&primary).replicas(2).start();
    let mut sources: Vec<_> = (0..8).map(|_| fabric.connect()).collect();
    for source in &mut sources {
        source.send(b"hello\n");
        source.expect(b"hello\n");
    }
    let held = ["primary-0", "primary-1"].map(|name| held(&fabric, name, &primary));
    assert_eq!(held.iter().sum::<usize>(), 8);
    assert!(held.iter().all(|&count| count >= 2), "sessions by replica: {held:?}");
    drop(sources);
    fabric.at_rest();
}

/// Fails if the loss of a secondary's worker reaches the source, or what it lost is not counted, or a returning worker
/// begins in the middle of a frame.
#[test]
fn a_killed_worker_of_a_secondary_is_shed_and_rejoins_at_a_frame_start() {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let mut fabric = Fabric::shaped(Shape::Tcp).forward(&primary).forward(&secondary).start();
    let talker = Talker::start(0, fabric.address());
    eventually("the secondary is served", || secondary.received_bytes() > 1000);

    fabric.worker("secondary-1-0").process.kill9();
    eventually_within(MOVE, "its frames are shed as away", || {
        fabric.report().balanced().shed("secondary-1", "away").frames > 0
    });
    fabric.front().logged("worker lost", |_| true);
    talker.expect_fresh_reply(Duration::from_secs(1));

    let before = secondary.received_bytes();
    fabric.start_worker(1, 0);
    eventually_within(MOVE, "the traffic resumes", || secondary.received_bytes() > before + 1000);
    let (source, sent) = talker.hush_and_hear_everything();
    drop(source);

    let report = fabric.at_rest();
    assert_eq!(report.volume("primary", "delivered").frames, sent as u64);
    assert_eq!(primary.accepted(), 1);
    assert_eq!(secondary.used(), 2);
    for connection in secondary.connections() {
        assert_rises(&numbers(&connection.received).1);
    }
}

/// Fails if a session is tied to the worker it began with, or what was on its way is lost or reordered by the move.
#[test]
fn sessions_of_a_killed_primary_worker_move_to_the_other_replica() {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let fabric = Fabric::shaped(Shape::Tcp).forward(&primary).replicas(2).forward(&secondary).start();
    let talkers: Vec<_> = (0..4).map(|session| Talker::start(session, fabric.address())).collect();
    expect_all_answered(&talkers);
    let (killed, other) = busier_first(&fabric, &primary);

    fabric.worker(killed).process.kill9();
    eventually_within(MOVE, "the other replica has all sessions", || held(&fabric, other, &primary) == 4);
    fabric.front().logged("worker lost", |_| true);
    expect_all_answered(&talkers);
    fabric.report().balanced();

    let sent = hush_all(talkers);
    fabric.at_rest();
    assert_every_line_arrived(&primary, &sent);
    assert_eq!(secondary.accepted(), 4, "a primary's move is nothing to the secondary");
    assert_every_line_arrived(&secondary, &sent);
}

/// Fails if a session without any worker for its primary waits for ever, or takes the listener with it.
#[test]
fn without_a_worker_for_the_primary_sessions_end_and_a_new_worker_serves_the_next() {
    let primary = Destination::echo();
    let mut fabric = Fabric::shaped(Shape::Tcp).forward(&primary).set("connect_timeout", "1s").start();
    let talker = Talker::start(0, fabric.address());
    expect_all_answered(std::slice::from_ref(&talker));

    fabric.worker("primary-0").process.kill9();
    eventually_within(MOVE, "the source is closed", || talker.end().is_some());
    let mut early = fabric.connect();
    early.drain(Duration::from_secs(5));
    drop(talker);
    fabric.at_rest();

    fabric.start_worker(0, 0);
    let mut source = fabric.connect();
    source.send(b"hello\n");
    source.expect(b"hello\n");
    fabric.report().balanced();
}

/// Fails if a returning worker is a stranger to the sessions of its last life.
#[test]
fn a_killed_primary_worker_that_returns_in_time_gets_its_sessions_back() {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let plan = Fabric::shaped(Shape::Tcp).forward(&primary).forward(&secondary);
    let mut fabric = plan.set("connect_timeout", "10s").start();
    let talkers: Vec<_> = (0..2).map(|session| Talker::start(session, fabric.address())).collect();
    expect_all_answered(&talkers);

    fabric.worker("primary-0").process.kill9();
    fabric.start_worker(0, 0);
    for talker in &talkers {
        talker.expect_fresh_reply(MOVE);
    }
    let sent = hush_all(talkers);
    fabric.at_rest();
    assert_every_line_arrived(&primary, &sent);
    assert_eq!(secondary.accepted(), 2);
    assert_every_line_arrived(&secondary, &sent);
}

/// Fails if a drained worker drops its sessions instead of handing them over, or its end is taken for a failure.
#[test]
fn a_terminated_primary_worker_hands_its_sessions_to_the_other_replica() {
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Tcp).forward(&primary).replicas(2).grace("10s").start();
    let talkers: Vec<_> = (0..4).map(|session| Talker::start(session, fabric.address())).collect();
    expect_all_answered(&talkers);
    let (leaving, other) = busier_first(&fabric, &primary);

    fabric.worker(leaving).process.terminate();
    let code = fabric.worker(leaving).process.exit_code_within(MOVE);
    assert_eq!(code, Some(0));
    eventually_within(MOVE, "the other replica has all sessions", || held(&fabric, other, &primary) == 4);
    expect_all_answered(&talkers);

    let sent = hush_all(talkers);
    fabric.at_rest();
    assert_every_line_arrived(&primary, &sent);
}

/// Connections to `destination` that worker `name` holds.
pub(crate) fn held(fabric: &Fabric, name: &str, destination: &Destination) -> usize {
    fabric.worker(name).process.connections_to(destination.address()).len()
}

/// The two replicas of the primary, that with more sessions first.
pub(crate) fn busier_first(fabric: &Fabric, primary: &Destination) -> (&'static str, &'static str) {
    let [zero, one] = ["primary-0", "primary-1"].map(|name| held(fabric, name, primary));
    assert!(zero + one > 0, "somebody holds the sessions");
    if zero >= one { ("primary-0", "primary-1") } else { ("primary-1", "primary-0") }
}

/// Ends all talkers with a half-close; how many lines each has sent, by session.
pub(crate) fn hush_all(talkers: Vec<Talker>) -> Vec<usize> {
    let hushed: Vec<_> = talkers.into_iter().map(Talker::hush).collect();
    hushed.into_iter().map(|(mut source, sent)| end(&mut source, sent)).collect()
}

fn end(source: &mut crate::harness::Source, sent: usize) -> usize {
    source.half_close();
    source.drain(crate::harness::PATIENCE);
    sent
}

/// Every line of every session arrived at least once, and on each connection in order with none left out.
#[track_caller]
pub(crate) fn assert_every_line_arrived(destination: &Destination, sent: &[usize]) {
    let connections = destination.connections();
    let runs: Vec<_> = connections.iter().map(|record| numbers(&record.received)).collect();
    for (_, run) in &runs {
        assert_each_follows(run);
    }
    for (session, &sent) in sent.iter().enumerate() {
        let mut missing: Vec<bool> = vec![true; sent];
        for (_, run) in runs.iter().filter(|(whose, _)| *whose == session) {
            for &number in run {
                missing[number] = false;
            }
        }
        let lost: Vec<usize> = (0..sent).filter(|&number| missing[number]).collect();
        assert!(lost.is_empty(), "lines of session {session} that never arrived: {lost:?}");
    }
}
