//! Readers that do not read: memory stays bounded, and nobody else notices.

use std::time::Duration;

use crate::harness::{Destination, Fabric, Process, Shape, eventually, settles, since};
use crate::in_every_shape;

in_every_shape!(
    a_source_that_does_not_read_stalls_its_primary_and_nobody_else,
    a_secondary_that_never_reads_costs_the_primary_nothing,
    a_primary_that_never_reads_stalls_its_source_and_nobody_else,
);

/// More than windows and kernel buffers hold together, so that "it stalls" can be told from "it is kept in memory".
const FLOOD: usize = 64 << 20;

/// What a process may grow by while something stalls: less than the flood.
const GROWTH: u64 = 48 << 20;

/// Fails if the primary's bytes are queued without a bound, or one stalled session stops the reading of all.
fn a_source_that_does_not_read_stalls_its_primary_and_nobody_else(shape: Shape) {
    let primary = Destination::flooding(flood());
    let secondary = Destination::silent();
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut other = fabric.connect();
    other.send(b"warm\n");
    other.expect(b"warm\n");
    let before = resident(&fabric);

    let mut deaf = fabric.connect();
    deaf.send(b"flood\n");
    eventually("the flood begins", || primary.sent_bytes() > 1 << 16);
    let sent = settles(Duration::from_millis(500), "the primary stalls", || primary.sent_bytes());
    assert!(sent < FLOOD as u64, "the whole flood went somewhere");
    assert_bounded(&fabric, &before);
    let elapsed = since();
    for _ in 0..50 {
        other.send(b"ping\n");
        other.expect(b"ping\n");
    }
    assert!(elapsed() < Duration::from_secs(2), "50 round trips beside a stall took {:?}", elapsed());

    assert!(deaf.read_bytes(FLOOD) == flood(), "the flood as read is not the flood as sent");
    assert_bounded(&fabric, &before);
}

/// Fails if a secondary's spent window makes the source wait, or its backlog is kept whole.
fn a_secondary_that_never_reads_costs_the_primary_nothing(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::never_reading());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).set("linger", "400ms").start();
    let before = resident(&fabric);
    let mut source = fabric.connect();

    source.send(&flood());
    eventually("the primary has everything", || primary.received_bytes() == FLOOD);
    assert!(primary.received() == flood(), "the primary's bytes are not the source's");
    assert_bounded(&fabric, &before);
    let report = fabric.report();
    assert!(report.balanced().shed("secondary-1", "window_full").frames > 0);

    source.half_close();
    source.expect_fin();
    fabric.at_rest();
}

/// Fails if a spent primary window sheds or grows instead of stopping the reading of that source.
fn a_primary_that_never_reads_stalls_its_source_and_nobody_else(shape: Shape) {
    let primary = Destination::serving(|peer| {
        while let Some(line) = peer.read_line() {
            if line == b"deaf\n" {
                return peer.hold();
            }
            peer.write(&line);
        }
    });
    let fabric = Fabric::shaped(shape).forward(&primary).start();
    let mut other = fabric.connect();
    other.send(b"warm\n");
    other.expect(b"warm\n");
    let before = resident(&fabric);

    let mut source = fabric.connect();
    source.send(b"deaf\n");
    let sent = source.send_until_stalled(&flood());
    assert!(sent < FLOOD, "the whole flood went somewhere");
    assert_bounded(&fabric, &before);
    for _ in 0..50 {
        other.send(b"ping\n");
        other.expect(b"ping\n");
    }
    let report = fabric.report();
    assert_eq!(report.balanced().shed("primary", "window_full").frames, 0);
}

/// Lines of a kilobyte, each with its number at its end.
pub(crate) fn flood() -> Vec<u8> {
    const LINE: usize = 1024;
    let mut flood = vec![b'.'; FLOOD];
    for (number, line) in flood.chunks_exact_mut(LINE).enumerate() {
        line[LINE - 8..].copy_from_slice(format!("{number:07}\n").as_bytes());
    }
    flood
}

fn resident(fabric: &Fabric) -> Vec<u64> {
    fabric.processes().map(Process::resident_bytes).collect()
}

#[track_caller]
fn assert_bounded(fabric: &Fabric, before: &[u64]) {
    for (process, before) in fabric.processes().zip(before) {
        let growth = process.resident_bytes().saturating_sub(*before);
        assert!(growth < GROWTH, "{} grew by {growth} bytes", process.name());
    }
}
