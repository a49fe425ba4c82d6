//! A fabric watched from outside: lines in a pipe, and a full screen on a terminal.
//!
//! What moves is traffic of real sources. A pipe is any stdout that is no terminal; the terminal is the kernel's.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Destination, Fabric, Process, Shape, Terminal, always_for, ask, eventually};

/// A fabric whose secondary answers otherwise than its primary, shown over HTTP.
struct Watched {
    fabric: Fabric,
    _destinations: [Destination; 2],
}

impl Watched {
    fn start() -> Self {
        let destinations = [Destination::replying(b"A\n"), Destination::replying(b"B\n")];
        let plan = Fabric::shaped(Shape::Inproc).forward(&destinations[0]).forward(&destinations[1]);
        Self { fabric: plan.front(&["--http", "127.0.0.1:0"]).start(), _destinations: destinations }
    }

    fn url(&self) -> String {
        format!("http://{}", self.fabric.http())
    }

    /// Asks until `holds`: so numbers move while somebody watches.
    #[track_caller]
    fn asks_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let mut source = self.fabric.connect();
        eventually(what, || {
            source.send(b"which?\n");
            source.expect(b"A\n");
            holds()
        });
    }
}

/// The field of a line of that kind, and whether there is such a line.
fn field<'a>(line: &'a str, kind: &str, name: &str) -> Option<&'a str> {
    let mut words = line.split(' ').skip(1);
    (words.next() == Some(kind)).then_some(())?;
    words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn has_field(process: &Process, kind: &str, name: &str, holds: impl Fn(&str) -> bool) -> bool {
    process.stdout().iter().filter_map(|line| field(line, kind, name)).any(holds)
}

fn moves(value: &str) -> bool {
    value.parse::<f64>().is_ok_and(|rate| rate > 0.0)
}

/// Fails if lines stand still, lack a divergence or have something in them that only a terminal understands.
#[test]
fn in_a_pipe_there_are_plain_lines_of_routes_and_of_divergences() {
    let watched = Watched::start();
    let top = Process::start(&["top", &watched.url()], &[], Path::new("/"));

    watched.asks_until("lines move", || {
        has_field(&top, "route", "frame_rate_1s", moves) && has_field(&top, "diverged", "secondary", |_| true)
    });

    assert!(has_field(&top, "route", "route", |name| name == "route-1"));
    assert!(has_field(&top, "diverged", "primary", |reply| reply == "\"A\\n\""));
    assert!(has_field(&top, "diverged", "secondary", |reply| reply == "\"B\\n\""));
    assert!(top.stdout().iter().all(|line| !line.contains('\u{1b}')), "{:?}", top.stdout());
    top.terminate();
    assert_eq!((top.exit_code(), top.stderr()), (Some(0), Vec::new()));
}

/// Fails if it does not listen where nodes publish to, or adds up otherwise than a stats-node.
#[test]
fn without_a_stats_node_it_listens_to_the_nodes_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}", dir.path().join("stats").display());
    let top = Process::start(&["top", &endpoint, "--log-format", "json"], &[], dir.path());
    top.logged("listening to reports", |record| record["endpoint"] == endpoint.as_str());
    let (primary, secondary) = (Destination::replying(b"A\n"), Destination::replying(b"B\n"));
    let plan = Fabric::shaped(Shape::Tcp).forward(&primary).forward(&secondary).stats(endpoint);
    let fabric = plan.start();

    let mut source = fabric.connect();
    eventually("lines move", || {
        source.send(b"which?\n");
        source.expect(b"A\n");
        has_field(&top, "route", "frame_rate_1s", moves) && has_field(&top, "diverged", "secondary", |_| true)
    });
    assert!(has_field(&top, "route", "live", |live| live == "1"));
}

/// Fails if a stats-node that is started anew is not found again, or its absence fills the log.
#[test]
fn it_survives_the_death_of_what_it_looks_at() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}", dir.path().join("stats").display());
    let start = |http: &str| {
        let args = ["stats-node", "--bind", &endpoint, "--http", http, "--log-format", "json"];
        let stats = Process::start(&args, &[], dir.path());
        let record = stats.logged("statistics are shown", |_| true);
        (stats, record["address"].as_str().unwrap().to_owned())
    };
    let (stats, address) = start("127.0.0.1:0");
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Inproc).forward(&primary).stats(endpoint.clone()).start();
    let top = Process::start(&["top", &address, "--log-format", "json"], &[], dir.path());
    let routes = || top.stdout().iter().filter(|line| field(line, "route", "live").is_some()).count();
    eventually("there are lines", || routes() > 0);

    stats.kill9();
    top.logged("no statistics come, trying again", |record| record["level"] == "WARN");
    let before = routes();
    let (_stats, _) = start(&address);

    top.logged("statistics come again", |_| true);
    eventually("there are lines again", || routes() > before);
    assert_eq!(top.records("no statistics come, trying again").len(), 1);
    drop(fabric);
}

/// Fails if what is printed is not what HTTP shows, field by field.
#[test]
fn json_is_what_is_shown_over_http_one_object_a_line() {
    let watched = Watched::start();
    let mut source = watched.fabric.connect();
    source.send(b"which?\n");
    source.expect(b"A\n");
    let top = Process::start(&["top", &watched.url(), "--json", "--count", "2"], &[], Path::new("/"));

    assert_eq!(top.exit_code(), Some(0));
    let printed: Vec<Value> =
        top.stdout().iter().map(|line| serde_json::from_str(line).expect("a line is an object")).collect();
    assert_eq!(printed.len(), 2);
    let shown = ask(watched.fabric.http(), "GET /stats", "").json();
    assert_eq!(names(&printed[1]), names(&shown));
    assert_eq!(printed[1]["routes"][0]["source"], shown["routes"][0]["source"]);
}

/// Every name in it, with the names above it.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let below = |(name, value): (&String, &Value)| {
                let inner =
                    names(value).into_iter().map(|inner| format!("{name}.{inner}")).collect::<Vec<_>>();
                std::iter::once(name.clone()).chain(inner)
            };
            fields.iter().flat_map(below).collect()
        }
        Value::Array(items) => items.first().map(names).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Fails if who reads no further is an error, or keeps it running.
#[test]
fn who_closes_the_pipe_ends_it() {
    let watched = Watched::start();
    let script = format!("'{}' top {} | head -n 1", env!("CARGO_BIN_EXE_pegloom"), watched.url());
    let output = std::process::Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(" route route=route-1 "), "{output:?}");
}

/// Fails if the wrong place is looked at for ever, or said in other words than those of all commands.
#[test]
fn a_place_that_makes_no_sense_is_wrong_usage_and_one_that_is_silent_a_failure() {
    for (args, code, said) in [
        (&["top", "ftp://h:1"][..], 64, "pegloom top: cannot look at `ftp://h:1`: ftp:// is not known"),
        (
            &["top", "127.0.0.1:1", "--for", "200ms"],
            1,
            "pegloom top: cannot look at http://127.0.0.1:1: connection refused",
        ),
    ] {
        let top = Process::start(args, &[], Path::new("/"));
        assert_eq!(top.exit_code(), Some(code));
        let stderr = top.stderr();
        let at =
            stderr.iter().position(|line| line.starts_with(said)).unwrap_or_else(|| panic!("{stderr:?}"));
        assert!(stderr[at + 1].starts_with("  try: "), "{stderr:?}");
        assert!(top.stdout().is_empty());
    }
}

/// Fails if an endpoint that a stats-node has is told on a screen that is gone at once, or without advice.
#[test]
fn an_endpoint_that_another_has_is_one_clear_line_even_on_a_terminal() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", held.local_addr().unwrap());
    let mut top = Terminal::start(&["top", &endpoint], &[], (100, 30));

    assert_eq!(top.exit_code(), Some(1));

    top.shows_text(&format!("pegloom top: cannot listen to reports on {endpoint}: Address already in use"));
    top.shows_text("  try: the http:// address of the stats-node that has it");
    assert!(!top.is_alternate());
}

/// The frames a second of the route, as the screen has them.
fn rate(screen: &str) -> Option<f64> {
    let row = screen.lines().find(|line| line.starts_with("route-1 "))?;
    let (_, after) = row.split_once(" live")?;
    after.split_whitespace().next()?.parse().ok()
}

/// Fails if the screen does not follow what happens and what is typed, or the terminal is not given back.
#[test]
fn on_a_terminal_numbers_move_keys_turn_pages_and_q_gives_it_back() {
    let watched = Watched::start();
    let mut top = Terminal::start(&["top", &watched.url()], &[], (100, 30));
    let before = cooked();
    top.shows_text("route-1 tcp://127.0.0.1:");
    assert!(top.is_alternate() && top.is_colored() && top.settings() != before);
    watched.asks_until("numbers move", || rate(&top.text()).is_some_and(|rate| rate > 0.0));
    eventually("and come to rest", || rate(&top.text()) == Some(0.0));

    top.type_in("2");
    top.shows_text("which?\\n");
    top.shows("both replies", |screen| (screen.contains("│A\\n") && screen.contains("│B\\n")).then_some(()));
    top.type_in("4");
    top.shows_text("balanced");
    top.type_in("?");
    top.shows_text("pause the screen");
    top.type_in("q");

    assert_eq!(top.exit_code(), Some(0));
    top.is_given_back(&before);
}

/// The settings of a terminal that nobody has changed.
fn cooked() -> nix::sys::termios::Termios {
    let untouched = Terminal::start(&["--version"], &[], (80, 24));
    untouched.settings()
}

/// Fails if a pause is none, what happened meanwhile is lost after it, or `NO_COLOR` is coloured.
#[test]
fn a_paused_screen_stands_still_until_it_goes_on() {
    let watched = Watched::start();
    let mut top = Terminal::start(&["top", &watched.url()], &[("NO_COLOR", "1")], (100, 30));
    top.shows_text("healthy");
    top.type_in("2p");
    top.shows_text("paused");
    top.shows_text("No divergences.");
    assert!(!top.is_colored(), "NO_COLOR is set");
    let other = Process::start(&["top", &watched.url()], &[], Path::new("/"));
    watched.asks_until("others see it", || has_field(&other, "route", "diverged", |count| count != "0"));
    always_for(std::time::Duration::from_millis(300), "it stands still", || {
        top.text().contains("No divergences.")
    });
    top.type_in("p");
    top.shows_text("which?\\n");
}

/// Fails if a signal leaves the terminal in pieces.
#[test]
fn a_signal_ends_it_with_the_terminal_given_back() {
    let watched = Watched::start();
    let mut top = Terminal::start(&["top", &watched.url()], &[], (80, 24));
    top.shows_text("healthy");
    top.signal(Signal::SIGTERM);
    assert_eq!(top.exit_code(), Some(0));
    top.is_given_back(&cooked());
}

/// Fails if it ends because nobody is there yet, or does not find who comes later.
#[test]
fn on_a_terminal_it_waits_for_what_is_not_there_yet() {
    let (primary, dir) = (Destination::echo(), tempfile::tempdir().unwrap());
    let free = std::net::TcpListener::bind("127.77.0.1:0").unwrap().local_addr().unwrap().to_string();
    let top = Terminal::start(&["top", &free], &[], (80, 24));
    top.shows_text("connection refused");
    let forward = primary.address().to_string();
    let args = ["up", "--listen", "tcp://127.0.0.1:0", "--forward", &forward, "--http", &free];
    let _up = Process::start(&args, &[], dir.path());
    top.shows_text("healthy");
    top.shows_text("└ primary");
}
