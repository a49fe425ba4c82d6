//! How sessions end: half-closes that travel, late replies, destinations that do not close, resets.

use std::time::Duration;

use crate::harness::{Destination, End, Fabric, Shape, always_for, eventually};
use crate::in_every_shape;

in_every_shape!(
    a_fin_reaches_the_destinations_and_a_late_reply_the_source,
    a_primary_that_never_closes_does_not_keep_the_session,
    a_secondary_that_never_closes_does_not_keep_the_session,
    an_unfinished_last_line_is_delivered_too,
    what_the_primary_said_last_arrives_before_its_fin,
    a_reset_of_the_primary_resets_the_source,
    a_reset_of_the_source_resets_the_primary_and_a_secondary_gets_a_fin,
);

/// Fails if a FIN closes both halves.
fn a_fin_reaches_the_destinations_and_a_late_reply_the_source(shape: Shape) {
    let (primary, secondary) = (Destination::replying_after_fin(b"late\n"), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    source.send(b"question\n");
    primary.expect(b"question\n");
    always_for(Duration::from_millis(200), "there is no end yet", || primary.connections()[0].end.is_none());
    source.half_close();
    source.expect(b"late\n");
    source.expect_fin();

    assert_eq!(primary.expect_ends(), [End::Fin]);
    assert_eq!(secondary.expect_ends(), [End::Fin]);
    assert_eq!(secondary.received(), b"question\n");
    assert_eq!(fabric.at_rest().sessions("ended"), 1);
}

/// Fails if only the primary's FIN can end a session.
fn a_primary_that_never_closes_does_not_keep_the_session(shape: Shape) {
    let (primary, secondary) = (Destination::never_closing(), Destination::echo());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).set("linger", "400ms").start();
    let mut source = fabric.connect();

    source.send(b"hello\n");
    source.half_close();
    source.expect(b"hello\n");
    source.expect_end();

    assert_eq!(fabric.at_rest().sessions("ended"), 1);
    eventually("no connection to the primary is left", || {
        fabric.server_of("primary").connections_to(primary.address()).is_empty()
    });
}

/// Fails if a session waits for its secondaries to close.
fn a_secondary_that_never_closes_does_not_keep_the_session(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::never_closing());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).set("linger", "400ms").start();
    let mut source = fabric.connect();

    source.send(b"hello\n");
    source.half_close();
    source.expect(b"hello\n");
    source.expect_fin();

    secondary.expect(b"hello\n");
    assert_eq!(fabric.at_rest().sessions("ended"), 1);
    eventually("no connection to the secondary is left", || {
        fabric.server_of("secondary-1").connections_to(secondary.address()).is_empty()
    });
}

/// Fails if the codec keeps what no newline ended.
fn an_unfinished_last_line_is_delivered_too(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::echo());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    source.send(b"whole\nand a ha");
    source.half_close();
    source.expect(b"whole\nand a ha");
    source.expect_fin();

    secondary.expect_ends();
    assert_eq!(secondary.received(), b"whole\nand a ha");
    assert_eq!(fabric.at_rest().volume("secondary-1", "delivered").frames, 2);
}

/// Fails if a FIN overtakes data, on the link or in a lane.
fn what_the_primary_said_last_arrives_before_its_fin(shape: Shape) {
    const SPEECH: usize = 1 << 20;
    let primary = Destination::serving(|peer| {
        if peer.read_line().is_some() {
            peer.write(&vec![b'z'; SPEECH]);
        }
    });
    let fabric = Fabric::shaped(shape).codec("raw").forward(&primary).start();
    let mut source = fabric.connect();

    source.send(b"speak\n");
    assert_eq!(source.read_bytes(SPEECH), vec![b'z'; SPEECH]);
    source.expect_fin();
    drop(source);
    fabric.at_rest();
}

/// Fails if an aborted endpoint says FIN as it is dropped (`WriteHalf` that never forgets).
fn a_reset_of_the_primary_resets_the_source(shape: Shape) {
    let primary = Destination::serving(|peer| {
        if peer.read_line().is_some() {
            peer.reset();
        }
    });
    let fabric = Fabric::shaped(shape).forward(&primary).start();
    let mut source = fabric.connect();
    source.send(b"hello\n");
    assert_eq!(source.expect_end(), End::Reset);
    fabric.at_rest();
}

/// Fails for the same reason, at the worker.
fn a_reset_of_the_source_resets_the_primary_and_a_secondary_gets_a_fin(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();
    source.send(b"hello\n");
    source.expect(b"hello\n");
    secondary.expect(b"hello\n");
    source.reset();
    assert_eq!(primary.expect_ends(), [End::Reset]);
    assert_eq!(secondary.expect_ends(), [End::Fin]);
    fabric.at_rest();
}
