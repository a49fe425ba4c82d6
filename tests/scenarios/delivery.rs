//! The source's bytes reach every destination, and the primary's answers reach the source.

use crate::harness::{Destination, Fabric, Report, Shape, Volume, always_for, eventually};
use crate::in_every_shape;
use std::time::Duration;

in_every_shape!(
    hello_is_echoed_once_and_each_destination_has_one_connection,
    three_messages_share_one_connection_to_each_destination,
    every_byte_value_passes_unchanged_as_lines,
    every_byte_value_passes_unchanged_as_raw,
    only_the_primary_answers_the_source,
    a_silent_secondary_delays_nothing_and_gets_everything_once,
    sources_side_by_side_hear_their_own_answers,
    shards_share_the_sessions_and_the_report_adds_them_up,
);

/// Fails if a secondary's reply is forwarded too, or if a destination is connected to per message.
fn hello_is_echoed_once_and_each_destination_has_one_connection(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::echo());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    source.send(b"hello\n");
    source.expect(b"hello\n");
    secondary.expect(b"hello\n");
    source.expect_nothing();

    assert_eq!((primary.accepted(), secondary.accepted()), (1, 1));
    let report = fabric.report();
    report.balanced();
    assert_eq!(report.sessions("live"), 1);
    assert_eq!(report.source_received(), Volume { frames: 1, bytes: 6 });
    eventually("both destinations' delivery and replies are counted", || {
        let report = fabric.report();
        ["primary", "secondary-1"].iter().all(|name| has_exchanged_hello(&report, name))
    });
}

fn has_exchanged_hello(report: &Report, destination: &str) -> bool {
    let hello = Volume { frames: 1, bytes: 6 };
    ["accepted", "delivered", "received"].iter().all(|term| report.volume(destination, term) == hello)
}

/// Fails if a connection is opened per frame, or frames are reordered or repeated.
fn three_messages_share_one_connection_to_each_destination(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::echo());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    for message in [b"one\n".as_slice(), b"two\n", b"one\n"] {
        source.send(message);
        source.expect(message);
    }
    secondary.expect(b"one\ntwo\none\n");
    assert_eq!(primary.received(), b"one\ntwo\none\n");
    assert_eq!((primary.accepted(), secondary.accepted()), (1, 1));

    source.half_close();
    source.expect_fin();
    assert_eq!(fabric.at_rest().volume("secondary-1", "delivered"), Volume { frames: 3, bytes: 12 });
}

fn every_byte_value_passes_unchanged_as_lines(shape: Shape) {
    every_byte_value_passes_unchanged(shape, "lines");
}

fn every_byte_value_passes_unchanged_as_raw(shape: Shape) {
    every_byte_value_passes_unchanged(shape, "raw");
}

/// Fails if anything on the way takes the bytes for text, or a codec eats what it cuts at.
fn every_byte_value_passes_unchanged(shape: Shape, codec: &'static str) {
    let (primary, secondary) = (Destination::echo(), Destination::echo());
    let fabric = Fabric::shaped(shape).codec(codec).forward(&primary).forward(&secondary).start();
    let every_value: Vec<u8> = (0..=255).chain((0..=255).rev()).chain(*b"\r\n\n").collect();
    let mut source = fabric.connect();

    source.send(&every_value);
    source.expect(&every_value);
    primary.expect(&every_value);
    secondary.expect(&every_value);
    source.expect_nothing();
}

/// Fails if a secondary's reply is taken for an ask.
fn only_the_primary_answers_the_source(shape: Shape) {
    let (primary, secondary) = (Destination::replying(b"A\n"), Destination::replying(b"B\n"));
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    for _ in 0..10 {
        source.send(b"which?\n");
        source.expect(b"A\n");
    }
    eventually("the secondary has answered too", || secondary.sent_bytes() == 20);
    source.expect_nothing();
}

/// Fails if the primary's reply waits for the secondary's, or a frame without a reply is sent again.
fn a_silent_secondary_delays_nothing_and_gets_everything_once(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    source.send(b"hello\n");
    source.expect(b"hello\n");
    secondary.expect(b"hello\n");
    always_for(Duration::from_millis(900), "the secondary has it once", || secondary.received_bytes() == 6);

    source.send(b"still here\n");
    source.expect(b"still here\n");
    assert_eq!((primary.accepted(), secondary.accepted()), (1, 1));
    fabric.report().balanced();
}

/// Fails if sessions share a ledger or a lane.
fn sources_side_by_side_hear_their_own_answers(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::echo());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut sources: Vec<_> = (0..20).map(|_| fabric.connect()).collect();

    for round in 0..3 {
        for (at, source) in sources.iter_mut().enumerate() {
            source.send(format!("{round} from {}\n", at % 4).as_bytes());
        }
        for (at, source) in sources.iter_mut().enumerate() {
            source.expect(format!("{round} from {}\n", at % 4).as_bytes());
        }
    }
    assert_eq!(primary.accepted(), 20);
    drop(sources);
    assert_eq!(fabric.at_rest().volume("primary", "delivered").frames, 60);
    assert_eq!(secondary.accepted(), 20);
}

/// Fails if a worker's shard links to one shard of the ingress only, or a report leaves a shard out.
fn shards_share_the_sessions_and_the_report_adds_them_up(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::echo());
    let fabric = Fabric::shaped(shape).shards(2).forward(&primary).forward(&secondary).start();
    let mut sources: Vec<_> = (0..16).map(|_| fabric.connect()).collect();
    for (at, source) in sources.iter_mut().enumerate() {
        source.send(format!("hello from {at}\n").as_bytes());
        source.expect(format!("hello from {at}\n").as_bytes());
    }
    assert_eq!(fabric.report().balanced().sessions("live"), 16);
    drop(sources);
    let report = fabric.at_rest();
    assert_eq!(["primary", "secondary-1"].map(|name| report.volume(name, "delivered").frames), [16, 16]);
    assert_eq!((primary.accepted(), secondary.accepted()), (16, 16));
}
