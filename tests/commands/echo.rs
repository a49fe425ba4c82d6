//! `echo`: a destination to try things with.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    ended,
    harness::{DatagramSource, PATIENCE, Process, Source, eventually, settles},
    run, words,
};

/// A running `pegloom echo` with JSON logs, and where it listens, in the order it was told to.
#[track_caller]
fn start(args: &str) -> (Process, Vec<SocketAddr>) {
    let typed = format!("echo {args} --log-format json");
    let process = Process::start(&words(&typed), &[], Path::new("/"));
    let listeners = words(args).iter().filter(|word| word.contains("://")).count();
    eventually("it listens", || process.records("listening").len() == listeners);
    let records = process.records("listening");
    let addresses = records.iter().map(|record| record["address"].as_str().unwrap().parse().unwrap());
    let addresses = addresses.collect();
    (process, addresses)
}

/// Fails if a listener is missing, or what is returned is not what was sent.
#[test]
fn every_listener_returns_each_byte_and_logs_its_connections() {
    let (process, addresses) = start("tcp://127.0.0.1:0 tcp://127.0.0.1:0");
    assert_eq!(addresses.len(), 2);

    for address in addresses {
        let mut source = Source::connect(address);
        source.send(b"hello\n\0\xff");
        source.expect(b"hello\n\0\xff");
        source.half_close();
        source.expect_fin();
    }

    eventually("both are logged", || process.records("connection closed").len() == 2);
    assert!(process.records("connection closed").iter().all(|record| record["received"] == 8));
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
    assert_eq!(process.stdout(), [""; 0], "stdout is for output");
}

/// Fails if datagrams are not answered each by itself, or not beside connections.
#[test]
fn datagrams_come_back_as_they_were() {
    let (process, addresses) = start("udp://127.0.0.1:0 tcp://127.0.0.1:0 --prefix=me:");
    let source = DatagramSource::new(addresses[0]);

    for (said, answer) in [(&b"hello"[..], &b"me:hello"[..]), (b"", b""), (b"again", b"me:again")] {
        source.send(said);
        assert_eq!(source.hear(), answer);
    }

    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
}

/// Fails if one cannot tell who answers.
#[test]
fn a_prefix_says_who_answers() {
    let (_process, addresses) = start("tcp://127.0.0.1:0 --prefix=mirror:");

    let mut source = Source::connect(addresses[0]);
    source.send(b"one\ntwo\n");

    source.expect(b"mirror:one\nmirror:two\n");
}

/// Fails if a silent one answers, or stops reading: the source could not send so much.
#[test]
fn a_silent_one_reads_everything_and_never_answers() {
    let (process, addresses) = start("tcp://127.0.0.1:0 --silent");

    let mut source = Source::connect(addresses[0]);
    source.send(&vec![b'x'; 1 << 20]);
    source.half_close();
    source.expect_fin();

    process.logged("connection closed", |record| record["received"] == 1 << 20);
}

/// Fails if a connection that stays keeps it for ever, or cutting it off passes for drained.
#[test]
fn open_connections_are_cut_off_when_the_grace_is_over() {
    let (process, addresses) = start("tcp://127.0.0.1:0");
    let mut source = Source::connect(addresses[0]);
    source.send(b"x");
    source.expect(b"x");

    process.terminate();

    process.logged("draining", |_| true);
    source.send(b"y");
    source.expect(b"y");
    assert_eq!(process.exit_code(), Some(2));
    source.expect_end();
}

/// Fails if the second signal waits for the grace, which is 2 s.
#[test]
fn a_second_signal_ends_it_at_once() {
    let (process, addresses) = start("tcp://127.0.0.1:0");
    let mut source = Source::connect(addresses[0]);
    source.send(b"x");
    source.expect(b"x");

    process.signal(Signal::SIGINT);
    process.logged("draining", |_| true);
    process.signal(Signal::SIGTERM);

    assert_eq!(process.exit_code_within(Duration::from_secs(1)), Some(2));
}

/// Fails if it polls, or wakes up to look around.
#[test]
fn an_idle_one_sleeps() {
    let (process, addresses) = start("tcp://127.0.0.1:0");
    let _idle = Source::connect(addresses[0]);
    process.logged("connection opened", |_| true);

    let state = || (process.waits(), process.processor_ticks());
    let (waits, _) = settles(Duration::from_millis(500), "it sleeps on", state);

    assert!(waits > 0, "it slept at all");
}

/// Fails if a report it does not have ends it.
#[test]
fn signals_that_ask_for_a_report_do_not_end_it() {
    let (process, addresses) = start("tcp://127.0.0.1:0");
    let mut source = Source::connect(addresses[0]);

    process.signal(Signal::SIGUSR1);
    process.signal(Signal::SIGUSR2);

    source.send(b"x");
    source.expect(b"x");
    process.terminate();
}

/// Fails if what cannot be served is tried, or the reason is not clear.
#[test]
fn addresses_that_cannot_be_served_are_wrong_usage() {
    for (address, why) in [
        ("http://:1234", "it speaks no HTTP"),
        ("1234", "`1234` is not HOST:PORT"),
        ("tcp://127.0.0.1:70000", "`70000` is not a port"),
    ] {
        let refused = run(&format!("echo {address}"));
        assert_eq!(refused.code, Some(64), "{address}");
        assert!(refused.stderr.contains(why), "{why} is not in:\n{}", refused.stderr);
    }
}

/// Fails if the error is a panic or a dump, or the first of two listeners is said to listen.
#[test]
fn a_taken_port_is_two_clear_lines_and_exit_code_one() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap();

    let refused = run(&format!("echo tcp://127.0.0.1:0 tcp://{taken}"));

    assert_eq!(refused.code, Some(1));
    let lines: Vec<_> = refused.stderr.lines().collect();
    assert_eq!(lines[0], format!("pegloom echo: cannot listen on tcp://{taken}: address already in use"));
    assert!(lines.len() == 2 && lines[1].starts_with("  try: "), "{lines:?}");
}

/// Fails if the variable is passed over, or a wrong one is taken for the default.
#[test]
fn the_log_level_may_be_exported() {
    let args = words("echo tcp://127.0.0.1:0 --log-format json");
    let start = |level| Process::start(&args, &[("PEGLOOM_LOG", level)], Path::new("/"));

    let refused = ended(&start("loud"));
    assert_eq!(refused.code, Some(64));
    assert!(refused.stderr.contains("`loud` is not error, warn, info, debug or trace"), "{}", refused.stderr);

    let talking = start("");
    talking.logged("listening", |_| true);
}

/// Fails if lines for people are coloured in a pipe, or not one each.
#[test]
fn logs_for_people_have_no_colours_in_a_pipe() {
    let process = Process::start(&words("echo tcp://127.0.0.1:0"), &[], Path::new("/"));
    eventually("it listens", || process.stderr().len() == 1);
    process.terminate();

    let logged = ended(&process).stderr;

    assert!(logged.contains("INFO listening address=127.0.0.1:"), "{logged}");
    assert!(!logged.contains('\u{1b}'), "{logged:?}");
    assert_eq!(logged.lines().count(), 3, "{logged}");
}

/// Fails if a log line that nobody can read ends the process or what it serves.
#[test]
fn it_outlives_whoever_reads_its_logs() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pegloom"));
    command.args(words("echo tcp://127.0.0.1:0 --log-format json"));
    let mut child = Gone(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address: SocketAddr = record["address"].as_str().unwrap().parse().unwrap();

    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"x").unwrap();
    let mut echoed = [0];
    stream.read_exact(&mut echoed).unwrap();
    drop(stream);

    kill(Pid::from_raw(child.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!((child.0.wait().unwrap().code(), &echoed), (Some(0), b"x"));
}

/// A process that is gone when the test is, however that ends.
struct Gone(Child);

impl Drop for Gone {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
