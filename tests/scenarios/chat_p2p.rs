//! `chat p2p`: two on a line with nobody between, and a third who is told so.

use std::{
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use runtime::{
    shard::run_local,
    zeromq::{Context, Event, Pair},
};

use crate::harness::{Network, Process, Terminal, eventually, eventually_within};

fn start(args: &[&str]) -> Process {
    Process::start_to_talk_to(&[&["chat", "p2p"], args].concat(), &[], Path::new("/"))
}

/// One that waits, and the port it waits on.
fn waiting(name: &str, port: &str) -> (Process, String) {
    let end = start(&["--name", name, "--port", port, "--server"]);
    let line = end.prints("where it waits", |line| line.starts_with("* Waiting on tcp://"));
    let port = line.rsplit(':').next().unwrap().trim_end_matches('.').to_owned();
    (end, port)
}

fn calling(name: &str, port: &str) -> Process {
    start(&["--name", name, "--port", port, "--ip", "localhost"])
}

fn prints(end: &Process, wanted: &str) {
    end.prints(wanted, |line| line == wanted);
}

/// A waiting, b calling, and each has been told of the other.
fn two() -> (Process, Process, String) {
    let (a, port) = waiting("a", "0");
    let b = calling("b", &port);
    prints(&a, "* b is on the line.");
    prints(&b, "* a is on the line.");
    (a, b, port)
}

/// How often it has printed just this.
fn count(end: &Process, wanted: &str) -> usize {
    end.stdout().iter().filter(|line| *line == wanted).count()
}

/// Fails if one end is deaf, hears itself, or does not notice that the other hangs up.
#[test]
fn two_talk_both_ways_until_one_hangs_up() {
    let (a, b, _) = two();
    a.say("¡hola! ñ € 🦀");
    prints(&b, "a: ¡hola! ñ € 🦀");
    b.say("/me waves");
    prints(&a, "b * waves");
    b.say("/nick bob");
    prints(&a, "* b is now called bob.");
    b.say("/quit");
    assert_eq!(b.exit_code(), Some(0));
    prints(&a, "* bob has hung up.");
    a.signal(Signal::SIGINT);
    assert_eq!(a.exit_code(), Some(0));
    assert_eq!(count(&b, "b * waves") + count(&a, "a: ¡hola! ñ € 🦀"), 0);
}

/// Fails if a third waits for ever, or the two notice anything of it.
#[test]
fn a_third_is_told_that_the_line_is_taken() {
    let (a, b, port) = two();
    let third = calling("c", &port);
    assert_eq!(third.exit_code(), Some(1));
    let said = third.stderr();
    assert!(said[0].ends_with("the line is taken"), "{said:?}");
    assert_eq!(said[1], "  try: later, or another port");
    a.say("still here");
    prints(&b, "a: still here");
    assert_eq!(a.stdout().len(), 2, "{:?}", a.stdout());
}

/// Fails if the line stays taken when one of two has gone, or what was for the first reaches the next.
#[test]
fn a_third_may_come_when_the_first_has_hung_up() {
    let (a, b, port) = two();
    b.close_stdin();
    assert_eq!(b.exit_code(), Some(0));
    prints(&a, "* b has hung up.");
    let third = calling("c", &port);
    prints(&a, "* c is on the line.");
    third.say("hello");
    prints(&a, "c: hello");
    a.say("welcome");
    prints(&third, "a: welcome");
}

/// Fails if somebody killed is not missed, or what was said meanwhile is lost or said twice.
#[test]
fn who_called_and_was_killed_is_missed_and_gets_what_was_said_meanwhile() {
    let (a, b, port) = two();
    a.say("before");
    prints(&b, "a: before");
    b.kill9();
    prints(&a, "* b is away.");
    a.say("meanwhile 1");
    a.say("meanwhile 2");
    let b = calling("b", &port);
    prints(&a, "* b is back.");
    prints(&b, "a: meanwhile 2");
    a.say("after");
    prints(&b, "a: after");
    assert_eq!(&b.stdout()[2..], ["a: meanwhile 1", "a: meanwhile 2", "a: after"]);
}

/// Fails if the calling end does not call on, or loses or repeats what was typed meanwhile.
#[test]
fn who_waited_and_was_killed_is_called_until_it_is_back() {
    let (a, b, port) = two();
    b.say("before");
    prints(&a, "b: before");
    a.kill9();
    prints(&b, "* a is away.");
    b.say("meanwhile");
    let (a, _) = waiting("a", &port);
    prints(&b, "* a is back.");
    prints(&a, "b: meanwhile");
    b.say("after");
    prints(&a, "b: after");
    assert_eq!(count(&a, "b: meanwhile"), 1);
    assert_eq!(count(&a, "b: before"), 0);
}

/// Fails if one that is stopped holds the line, or what was said to it is lost or said twice when it goes on.
#[test]
fn who_is_stopped_is_missed_the_line_is_free_and_it_goes_on_where_it_was() {
    let (a, b, _) = two();
    b.stop();
    a.say("one");
    prints(&a, "* b is away.");
    a.say("two");
    b.cont();
    prints(&b, "a: two");
    prints(&a, "* b is back.");
    b.say("three");
    prints(&a, "b: three");
    for words in ["a: one", "a: two"] {
        assert_eq!(count(&b, words), 1, "{:?}", b.stdout());
    }
}

/// Fails if a vanished peer keeps the line from everybody else.
#[test]
fn somebody_else_may_come_in_place_of_one_who_is_away() {
    let (a, b, port) = two();
    b.stop();
    prints(&a, "* b is away.");
    a.say("for b");
    let third = calling("c", &port);
    prints(&a, "! 1 text did not reach b.");
    prints(&a, "* c is on the line.");
    a.say("for c");
    prints(&third, "a: for c");
    assert_eq!(count(&third, "a: for b"), 0);
}

/// Fails if one who says nothing turns away one who would, or nobody can see that it was refused.
#[test]
fn a_silent_stranger_turns_nobody_away_for_good() {
    let (a, port) = waiting("a", "0");
    let endpoint = format!("tcp://127.0.0.1:{port}");
    let stranger = run_local(async {
        let stranger = Pair::connect(&Context::new(), &endpoint).unwrap();
        while stranger.try_event() != Some(Event::Ready) {
            stranger.eventful().await;
        }
        stranger
    })
    .unwrap();
    let b = calling("b", &port);
    prints(&b, "! The line is taken, or somebody is just calling; it is called on for 5 s.");
    drop(stranger);
    prints(&b, "* a is on the line.");
    prints(&a, "* b is on the line.");
    a.signal(Signal::SIGUSR1);
    let counts = a.prints("counts", |line| line.starts_with('{'));
    let counts: serde_json::Value = serde_json::from_str(&counts).unwrap();
    assert_eq!(counts["online"], 2);
    assert!(counts["refused"].as_u64() > Some(0), "{counts}");
}

/// Fails if a text that reached nobody is taken for said by the script that said it.
#[test]
fn a_script_that_nobody_heard_knows() {
    let script = calling("cron", "1");
    script.say("does anybody hear?");
    script.close_stdin();
    assert_eq!(script.exit_code(), Some(2));
    prints(&script, "! 1 text reached nobody.");
}

/// Fails if a script must wait for the line, or what it said last is lost.
#[test]
fn a_script_says_its_lines_and_goes() {
    let (a, port) = waiting("a", "0");
    let script = calling("cron", &port);
    (0..500).for_each(|line| script.say(&format!("line {line}")));
    script.close_stdin();
    assert_eq!(script.exit_code(), Some(0));
    prints(&a, "* cron has hung up.");
    let expected: Vec<_> = (0..500).map(|line| format!("cron: line {line}")).collect();
    let heard: Vec<_> = a.stdout().into_iter().filter(|line| line.starts_with("cron: ")).collect();
    assert_eq!(heard, expected);
    assert_eq!(script.stderr(), Vec::<String>::new());
}

/// Fails if what is typed is lost when the other speaks, or Ctrl-D does not hang up.
#[test]
fn on_a_terminal_one_types_on_while_the_other_speaks() {
    let (a, port) = waiting("a", "0");
    let mut b = Terminal::start(&["chat", "p2p", "--name", "b", "--port", &port], &[], (80, 24));
    b.shows_text("a is on the line.");
    b.type_in("half a");
    a.say("an interruption");
    b.shows_text("a: an interruption");
    b.type_in(" sentence\r");
    prints(&a, "b: half a sentence");
    b.type_in("\u{4}");
    assert_eq!(b.exit_code(), Some(0));
    prints(&a, "* b has hung up.");
}

/// Fails if bytes that are no frames, or no ZeroMQ, harm the line or hold it.
#[test]
fn a_stranger_on_the_line_is_harmless_and_does_not_hold_it() {
    let (a, port) = waiting("a", "0");
    let mut web = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    web.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let endpoint = format!("tcp://127.0.0.1:{port}");
    let stranger = run_local(async {
        let stranger = Pair::connect(&Context::new(), &endpoint).unwrap();
        for garbage in [&b""[..], b"{}", b"\x92\x02\xa3bye", b"\x92\x01\xa3bye", &vec![0xc1; 100_000]] {
            stranger.try_send(garbage.to_vec()).unwrap();
        }
        stranger
    })
    .unwrap();
    prints(&a, "! What came over the line is not of pegloom; it is left out.");
    drop(stranger);
    let b = eventually_called(&port);
    b.say("hello");
    prints(&a, "b: hello");
    assert_eq!(count(&a, "! What came over the line is not of pegloom; it is left out."), 1);
}

/// Fails if whoever never is silent keeps a signal from being heard.
#[test]
fn who_never_stops_speaking_keeps_nobody_on_the_line() {
    let (a, port) = waiting("a", "0");
    // One letter of this name is eighteen where names are compared: each of these costs whoever hears it.
    let name = "\u{fdfa}".repeat(30);
    let hello = [b"\x92\x01\x81\xa5hello\x94\xd9\x5a", name.as_bytes(), b"\x07\xc0\x00"].concat();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            run_local(async {
                let stranger = Pair::connect(&Context::new(), &format!("tcp://127.0.0.1:{port}")).unwrap();
                let begin = Instant::now();
                while !is_over.load(Relaxed) && begin.elapsed() < 2 * HEALING {
                    // Refused where there is no room at the moment, which is what is wanted.
                    let _ = stranger.try_send(hello.clone());
                }
            })
        });
        prints(&a, &format!("* {name} is on the line."));
        a.signal(Signal::SIGTERM);
        eventually_within(HEALING, "it hears the signal", || !a.is_running());
        is_over.store(true, Relaxed);
    });
    assert_eq!(a.exit_code(), Some(0));
}

/// Calls until the line is free.
fn eventually_called(port: &str) -> Process {
    let mut b = calling("b", port);
    eventually("the line is free", || {
        if !b.is_running() {
            b = calling("b", port);
        }
        count(&b, "* a is on the line.") == 1
    });
    b
}

/// Fails if a port that another has, or an address that makes no sense, ends in other words than those of all commands.
#[test]
fn what_cannot_be_waited_on_or_called_is_said_with_what_to_try() {
    let (_a, port) = waiting("a", "0");
    for (args, code, said) in [
        (&["--port", &port, "--server"][..], 1, "cannot wait on tcp://127.0.0.1:"),
        (&["--port", "1", "--ip", "no.such.host.invalid"], 1, "cannot call no.such.host.invalid"),
        (&["--port", "1", "--ip", "all"], 64, "cannot call all: one end calls one other"),
        (&["--port", "0"], 64, "cannot call port 0: nobody waits there"),
    ] {
        let end = start(&[&["--name", "b"], args].concat());
        assert_eq!(end.exit_code(), Some(code));
        let stderr = end.stderr();
        assert!(stderr[0].contains(said) && stderr[1].starts_with("  try: "), "{stderr:?}");
    }
}

/// What a cut loses is sent again later and later, and who is refused calls on for a while: so long may it take.
const HEALING: Duration = Duration::from_secs(30);

/// Two on hosts of their own, and a third host; nothing where this machine has none for us.
fn two_hosts() -> Option<(Network, Process, Process, String, String)> {
    let network = Network::of(&["a", "b", "c"])?;
    let at = |host: &str, args: &[&str]| network.host(host).inside(|| start(args));
    let a = at("a", &["--name", "a", "--port", "0", "--ip", "all", "--server"]);
    let line = a.prints("where it waits", |line| line.starts_with("* Waiting on tcp://[::]:"));
    let port = line.rsplit(':').next().unwrap().trim_end_matches('.').to_owned();
    let ip = network.host("a").address().to_string();
    let b = at("b", &["--name", "b", "--port", &port, "--ip", &ip]);
    prints(&a, "* b is on the line.");
    prints(&b, "* a is on the line.");
    Some((network, a, b, ip, port))
}

/// Fails if a cut that no packet tells of goes unnoticed, or costs or repeats a text when it is healed.
#[test]
fn a_cut_network_is_noticed_by_both_and_what_was_said_meanwhile_arrives_once_when_it_heals() {
    let Some((network, a, b, ..)) = two_hosts() else { return };
    network.cut_off("b");
    a.say("a in the dark");
    b.say("b in the dark");
    prints(&a, "* b is away.");
    prints(&b, "* a is away.");
    a.say("still dark");
    network.heal();
    eventually_within(HEALING, "they are back", || {
        count(&a, "* b is back.") + count(&b, "* a is back.") >= 2
    });
    prints(&b, "a: still dark");
    prints(&a, "b: b in the dark");
    for words in ["a: a in the dark", "a: still dark"] {
        assert_eq!(count(&b, words), 1, "{:?}", b.stdout());
    }
    assert_eq!(count(&a, "b: b in the dark"), 1, "{:?}", a.stdout());
}

/// Fails if a host that has vanished keeps the line from others, or is not told when it is back that it has lost it.
#[test]
fn a_vanished_host_frees_the_line_and_is_told_when_it_is_back_and_another_has_it() {
    let Some((network, a, b, ip, port)) = two_hosts() else { return };
    network.cut_off("b");
    prints(&a, "* b is away.");
    let c = network.host("c").inside(|| start(&["--name", "c", "--port", &port, "--ip", &ip]));
    prints(&a, "* c is on the line.");
    network.heal();
    assert_eq!(b.exit_code_within(HEALING), Some(1));
    assert!(b.stderr()[0].ends_with("the line is taken"), "{:?}", b.stderr());
    c.say("hello");
    prints(&a, "c: hello");
}
