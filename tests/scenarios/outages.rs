//! Destinations that refuse, die, come back, or reset everything: what the source sees, and what it must not.

use std::time::Duration;

use crate::harness::{
    Destination, Fabric, Process, Shape, Source, Talker, assert_each_follows, eventually, eventually_within,
    lines, numbers, since,
};
use crate::in_every_shape;

in_every_shape!(
    a_refused_primary_closes_the_source_and_the_next_one_works,
    a_secondary_refused_at_first_joins_the_session_at_a_frame_start,
    a_secondary_that_resets_without_end_costs_neither_bytes_nor_a_busy_loop,
    a_primary_that_dies_ends_its_sessions_and_leaves_no_descriptor,
    a_secondary_that_dies_is_nothing_to_the_source,
);

/// Fails if a secondary is written to before the primary is connected, or if a refusal ends the listener.
fn a_refused_primary_closes_the_source_and_the_next_one_works(shape: Shape) {
    let (mut primary, secondary) = (Destination::echo().not_yet(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();

    for _ in 0..3 {
        let mut source = fabric.connect();
        // It may be closed already.
        let _ = source.try_send(b"lost\n");
        source.drain(Duration::from_secs(1));
    }
    assert_eq!(secondary.received_bytes(), 0, "bytes at the secondary of a session without a primary");

    primary.start();
    let mut source = fabric.connect();
    source.send(b"hello\n");
    source.expect(b"hello\n");
    secondary.expect(b"hello\n");
    drop(source);
    assert_eq!(fabric.at_rest().sessions("opened"), 4);
}

/// Fails if a refused destination is warned about per frame, or rejoins in the middle of a frame.
fn a_secondary_refused_at_first_joins_the_session_at_a_frame_start(shape: Shape) {
    let (primary, mut secondary) = (Destination::echo(), Destination::silent().not_yet());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let talker = Talker::start(0, fabric.address());
    talker.expect_fresh_reply(crate::harness::PATIENCE);
    eventually("the secondary's frames are shed as away", || {
        fabric.report().balanced().shed("secondary-1", "away").frames > 0
    });
    let warnings = || fabric.records_about("destination is away", "secondary-1").len();
    eventually("there is a warning", || warnings() > 0);

    secondary.start();
    let limit = Duration::from_secs(15);
    eventually_within(limit, "the later traffic reaches it", || secondary.received_bytes() > 1000);
    let (source, sent) = talker.hush_and_hear_everything();
    drop(source);
    secondary.expect_ends();

    let (_, joined) = numbers(&secondary.received());
    assert_each_follows(&joined);
    assert_eq!(joined.last(), Some(&(sent - 1)), "the last line it should have");
    assert_eq!(secondary.used(), 1);
    assert_eq!(warnings(), 1, "warnings for one outage");
    let report = fabric.at_rest();
    assert_eq!(report.volume("secondary-1", "delivered").frames, joined.len() as u64);
    assert_eq!(report.count("secondary-1", "outages"), 1);
}

/// Fails if a connection that succeeds resets the backoff although nothing came of it, or if warnings are not paced.
fn a_secondary_that_resets_without_end_costs_neither_bytes_nor_a_busy_loop(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::resetting());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();
    let stream = lines(0, 34_000);
    assert!(stream.len() > 1_000_000);
    source.send(&stream);
    primary.expect(&stream);

    let elapsed = since();
    let (ticks, attempts) = (fabric.server_of("secondary-1").processor_ticks(), secondary.accepted());
    let talker = Talker::start(1, fabric.address());
    eventually("three seconds of talking are over", || elapsed() > Duration::from_secs(3));
    let spent = fabric.server_of("secondary-1").processor_ticks() - ticks;
    assert!(spent < 150, "{spent} hundredths of a second of processor time in three seconds");
    let attempts = secondary.accepted() - attempts;
    assert!(attempts < 80, "{attempts} connections in three seconds");
    let warnings = fabric.records_about("destination is away", "secondary-1").len();
    assert!(warnings <= 8, "{warnings} warnings in about four seconds");

    source.expect_nothing();
    drop(talker);
    fabric.report().balanced();
}

/// Fails if one side's end leaves the other side's socket, a task, or a table row behind.
fn a_primary_that_dies_ends_its_sessions_and_leaves_no_descriptor(shape: Shape) {
    let (mut primary, secondary) = (Destination::echo(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    drop(greeted(&fabric, 1));
    fabric.at_rest();
    let descriptors: Vec<usize> = fabric.processes().map(Process::descriptors).collect();

    let sources = greeted(&fabric, 10);
    eventually("the secondary has all sessions", || secondary.received_bytes() == 11 * 6);
    primary.die();
    for mut source in sources {
        source.expect_end();
    }
    secondary.expect_ends();

    eventually("the descriptors are back to what they were", || {
        fabric.processes().zip(&descriptors).all(|(process, &before)| process.descriptors() <= before)
    });
    let report = fabric.at_rest();
    assert_eq!((report.sessions("opened"), report.sessions("ended")), (11, 11));
    fabric.expect_all_running();
}

/// So many sources that have each had an answer.
fn greeted(fabric: &Fabric, count: usize) -> Vec<Source> {
    let mut sources: Vec<_> = (0..count).map(|_| fabric.connect()).collect();
    for source in &mut sources {
        source.send(b"hello\n");
        source.expect(b"hello\n");
    }
    sources
}

/// Fails if a secondary's reset reaches the session, or what it sent again overlaps what it had.
fn a_secondary_that_dies_is_nothing_to_the_source(shape: Shape) {
    let (primary, mut secondary) = (Destination::echo(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let talker = Talker::start(0, fabric.address());
    eventually("the secondary is served", || secondary.received_bytes() > 1000);

    secondary.die();
    eventually("its frames are shed", || fabric.report().balanced().shed("secondary-1", "away").frames > 0);
    let before = secondary.received_bytes();
    secondary.start();
    let limit = Duration::from_secs(15);
    eventually_within(limit, "it is served again", || secondary.received_bytes() > before + 1000);

    let (source, sent) = talker.hush_and_hear_everything();
    drop(source);
    let connections = secondary.connections();
    let runs: Vec<_> = connections.iter().map(|record| numbers(&record.received).1).collect();
    for run in &runs {
        assert_each_follows(run);
    }
    assert!(
        runs.iter().flatten().is_sorted_by(|earlier, later| earlier < later),
        "a line came twice: {runs:?}"
    );
    assert!(sent > 0 && primary.accepted() == 1);
    fabric.at_rest();
}
