//! Starting, being asked, and stopping: exit codes, signals, ports that are taken.

use std::net::TcpListener;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Destination, Fabric, Process, Shape, Source, always_for, eventually, lines, settles};
use crate::in_every_shape;
use crate::pressure::flood;

in_every_shape!(
    a_terminated_fabric_finishes_what_it_has_and_ends_clean,
    work_left_when_the_grace_is_over_is_exit_code_two,
    a_second_signal_ends_it_at_once,
    each_signal_is_answered_by_one_line_and_loses_nothing,
);

/// Fails if the drain closes sessions whose bytes are still on their way, or goes on accepting.
fn a_terminated_fabric_finishes_what_it_has_and_ends_clean(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).grace("10s").start();
    let traffic = lines(0, 20_000);
    let mut source = fabric.connect();
    source.send(&traffic[..64]);
    source.expect(&traffic[..64]);
    source.send(&traffic[64..]);
    source.half_close();

    fabric.front().terminate();
    assert!(source.read_bytes(traffic.len() - 64) == traffic[64..], "the echoes are complete");
    source.expect_fin();
    assert_eq!(fabric.front().exit_code(), Some(0));
    fabric.front().logged("drained", |_| true);
    assert!(Source::try_connect(fabric.address()).is_err(), "nobody listens any more");

    secondary.expect_ends();
    assert!(secondary.received() == traffic, "the secondary's bytes are complete");
    for worker in fabric.processes().skip(1) {
        worker.terminate();
        assert_eq!(worker.exit_code(), Some(0), "{}", worker.name());
    }
}

/// Fails if work that cannot be finished is reported as drained, or the grace is not kept.
fn work_left_when_the_grace_is_over_is_exit_code_two(shape: Shape) {
    let primary = Destination::never_reading();
    let (fabric, _source) = stuck(shape, &primary, "1s");

    fabric.front().terminate();
    assert_eq!(fabric.front().exit_code_within(Duration::from_secs(5)), Some(2));
}

/// Fails if the second signal is swallowed by a drain that cannot end.
fn a_second_signal_ends_it_at_once(shape: Shape) {
    let primary = Destination::never_reading();
    let (fabric, _source) = stuck(shape, &primary, "60s");

    fabric.front().signal(Signal::SIGINT);
    let half = Duration::from_millis(500);
    always_for(half, "it drains as long as it may", || fabric.front().is_running());
    fabric.front().signal(Signal::SIGINT);
    fabric.front().exit_code_within(Duration::from_secs(2));
}

/// A fabric with bytes on their way to a primary that does not read.
fn stuck(shape: Shape, primary: &Destination, grace: &'static str) -> (Fabric, Source) {
    let fabric = Fabric::shaped(shape).forward(primary).grace(grace).start();
    let mut source = fabric.connect();
    assert!(source.send_until_stalled(&flood()) > 0);
    (fabric, source)
}

/// Fails if reports are merged, cut, printed twice, or if a signal interrupts the data path.
fn each_signal_is_answered_by_one_line_and_loses_nothing(shape: Shape) {
    const ROUNDS: usize = 10;
    let primary = Destination::echo();
    let fabric = Fabric::shaped(shape).forward(&primary).start();
    let talker = crate::harness::Talker::start(0, fabric.address());
    for _ in 0..ROUNDS {
        for process in fabric.processes() {
            assert!(["up", "ingress", "fanout"].contains(&process.report_by(Signal::SIGUSR1).node()));
            process.report_by(Signal::SIGUSR2);
        }
        fabric.report().balanced();
    }
    let (source, _) = talker.hush_and_hear_everything();
    drop(source);
    let count = settles(Duration::from_millis(300), "no more reports come", || fabric.front().stdout().len());
    assert_eq!(count, 3 * ROUNDS, "lines on stdout");
}

/// Fails if `SO_REUSEPORT` lets two nodes share a port by accident, or the error is a panic, a dump or silence.
#[test]
fn a_taken_port_is_one_clear_line_and_exit_code_one() {
    let primary = Destination::echo();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_refused_port(&held.local_addr().unwrap().to_string(), &primary);

    let first = Fabric::shaped(Shape::Inproc).forward(&primary).start();
    assert_refused_port(&first.address().to_string(), &primary);
    first.expect_all_running();
    let mut source = first.connect();
    source.send(b"mine\n");
    source.expect(b"mine\n");
}

#[track_caller]
fn assert_refused_port(address: &str, primary: &Destination) {
    let dir = tempfile::tempdir().unwrap();
    let (listen, forward) = (format!("tcp://{address}"), primary.address().to_string());
    let process = Process::start(&["up", "--listen", &listen, "--forward", &forward], &[], dir.path());
    assert_eq!(process.exit_code(), Some(1));
    let stderr = process.stderr();
    let errors = stderr.iter().filter(|line| line.starts_with("pegloom up: cannot listen on"));
    assert_eq!(errors.count(), 1, "{stderr:?}");
    assert!(stderr.iter().any(|line| line.trim_start().starts_with("try:")), "{stderr:?}");
    assert!(!stderr.iter().any(|line| line.contains("panicked")), "{stderr:?}");
}

/// Fails if a worker keeps the sessions of an ingress that is no more, or cannot go without it.
#[test]
fn a_worker_outlives_its_ingress_without_its_sessions() {
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Ipc).forward(&primary).start();
    let mut source = fabric.connect();
    source.send(b"hello\n");
    source.expect(b"hello\n");

    fabric.front().kill9();
    source.expect_end();
    primary.expect_ends();
    let worker = fabric.server_of("primary");
    eventually("its connection is closed", || worker.connections_to(primary.address()).is_empty());
    assert!(worker.is_running());
    worker.terminate();
    assert_eq!(worker.exit_code(), Some(0));
}
