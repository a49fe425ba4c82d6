//! What is counted, as people and machines see it: on a signal, over HTTP, and after a restart.
//!
//! Messages of a protocol are published by the test itself, as a node would, so that it is known to the moment what there
//! is to see. What passes through a fabric is looked at in one process.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use nix::sys::signal::Signal;
use proto::id::Incarnation;
use runtime::clock::unix_millis;
use runtime::report::{Foo, Published, Report as Counted, RouteReport, TOPIC};
use runtime::zeromq::{Context, Publisher};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Destination, Fabric, Process, Shape, always_for, ask, eventually, eventually_within, follow, lines,
};

/// A stats-node, and a node that publishes to it what the test tells it to.
struct StatsNode {
    process: Process,
    dir: TempDir,
}

impl StatsNode {
    #[track_caller]
    fn start(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { process: start_in(dir.path(), flags), dir }
    }

    fn node(&self, name: &str) -> Node {
        let start = Incarnation(unix_millis());
        let publisher = Publisher::connect(&Context::new(), &endpoint_in(self.dir.path())).unwrap();
        Node { publisher, name: name.to_owned(), start, sequence: 0 }
    }

    #[track_caller]
    fn summary(&self) -> Value {
        self.process.report().value().clone()
    }

    #[track_caller]
    fn http(&self) -> SocketAddr {
        let record = self.process.logged("statistics are shown", |_| true);
        record["address"].as_str().unwrap().parse().unwrap()
    }
}

fn endpoint_in(dir: &Path) -> String {
    format!("ipc://{}", dir.join("stats").display())
}

#[track_caller]
fn start_in(dir: &Path, flags: &[&str]) -> Process {
    let bind = endpoint_in(dir);
    let args =
        ["stats-node", "--bind", &bind, "--log-format", "json"].into_iter().chain(flags.iter().copied());
    let process = Process::start(&args.collect::<Vec<_>>(), &[], dir);
    process.logged("listening to reports", |_| true);
    process
}

struct Node {
    publisher: Publisher,
    name: String,
    start: Incarnation,
    sequence: u64,
}

impl Node {
    /// Publishes what it has counted since its start.
    fn say(&mut self, req: u64, ack: u64, nak: u64) {
        let messages = Foo { req, ack, nak, ..Foo::default() };
        let route = RouteReport { route: "r".to_owned(), foo: Some(messages), ..RouteReport::default() };
        let report = Counted { node: "ingress".to_owned(), routes: vec![route], ..Counted::default() };
        self.sequence += 1;
        let (node, incarnation, time) = (self.name.clone(), self.start, unix_millis());
        let sequence = self.sequence;
        let published = Published { node, incarnation, shard: 0, sequence, time, report, is_last: false };
        let _ = self.publisher.try_send(TOPIC, &rmp_serde::to_vec_named(&published).unwrap());
    }

    /// Publishes that again and again until it has arrived.
    #[track_caller]
    fn say_to(&mut self, stats: &StatsNode, [req, ack, nak]: [u64; 3]) {
        let heard = |summary: &Value| summary["msg_total"] == req + ack + nak;
        eventually("a report arrives", || {
            self.say(req, ack, nak);
            heard(&ask(stats.http(), "GET /stats", "").json())
        });
    }
}

/// Requests over one second and ten, responses over one and ten, exactly.
#[derive(Debug, PartialEq)]
struct Rates([String; 4]);

impl Rates {
    fn of(summary: &Value) -> Self {
        let names = ["request_rate_1s", "request_rate_10s", "response_rate_1s", "response_rate_10s"];
        Self(names.map(|name| summary[name].as_f64().expect("a rate is a number").to_string()))
    }

    fn are(short: u32, long: u32) -> Self {
        Self([short, long, short, long].map(|rate| rate.to_string()))
    }
}

/// Fails if a signal is answered twice, not at all, or with something else than numbers.
#[test]
fn each_signal_is_one_line_with_the_eight_fields_before_and_after_traffic() {
    let stats = StatsNode::start(&["--http", "127.0.0.1:0"]);
    let messages = |summary: &Value| {
        ["msg_total", "msg_req", "msg_ack", "msg_nak"].map(|name| summary[name].as_u64().expect("an integer"))
    };
    let before = stats.summary();
    assert_eq!((messages(&before), Rates::of(&before)), ([0; 4], Rates::are(0, 0)));

    stats.node("a").say_to(&stats, [100, 90, 10]);
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        assert_eq!(messages(stats.process.report_by(signal).value()), [200, 100, 90, 10]);
    }
    always_for(Duration::from_millis(300), "a line for each signal", || stats.process.stdout().len() == 3);
    stats.process.terminate();
    assert_eq!(stats.process.exit_code(), Some(0));
}

/// Fails if a window is a mean since the start, does not move, or keeps what has left it.
#[test]
fn a_burst_is_in_the_short_window_for_a_second_and_in_the_long_one_for_ten() {
    let stats = StatsNode::start(&["--http", "127.0.0.1:0"]);
    let mut node = stats.node("a");
    node.say_to(&stats, [0, 0, 0]);
    node.say_to(&stats, [100, 100, 0]);
    let now = || Rates::of(&ask(stats.http(), "GET /stats", "").json());
    assert_eq!(now(), Rates::are(100, 10));
    let late = Duration::from_secs(3);
    eventually_within(late, "the second is over", || now() == Rates::are(0, 10));
    eventually_within(Duration::from_secs(12), "so are the ten", || now() == Rates::are(0, 0));
}

/// Fails if a later start of a node makes totals fall, or its silence is not noticed.
#[test]
fn a_later_start_counts_on_and_a_silent_node_is_a_problem() {
    let stats = StatsNode::start(&["--http", "127.0.0.1:0"]);
    stats.node("a").say_to(&stats, [10, 5, 5]);
    eventually("a later start has another number", {
        let begun = unix_millis();
        move || unix_millis() > begun
    });
    let mut again = stats.node("a");
    eventually("it counts beside the first", || {
        again.say(1, 1, 0);
        stats.summary()["msg_total"] == 22
    });
    assert_eq!(ask(stats.http(), "GET /health", "").status, 200);
    eventually("its silence is noticed", || ask(stats.http(), "GET /health", "").status == 503);
    let why = ask(stats.http(), "GET /health", "").json();
    assert_eq!(
        (&why["problems"][0]["problem"], &why["problems"][0]["node"]),
        (&json!("node_stale"), &json!("a"))
    );
    again.say(1, 1, 0);
    eventually("it is back", || ask(stats.http(), "GET /health", "").status == 200);
    assert_eq!(stats.summary()["msg_total"], 22);
}

/// What does not depend on the moment it is asked.
fn lasting(mut summary: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !name.contains("_rate_"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut summary);
    for node in summary["nodes"].as_array_mut().unwrap() {
        for moving in ["silent_millis", "reports", "lost"] {
            node.as_object_mut().unwrap().remove(moving);
        }
    }
    summary
}

fn shown(plan: crate::harness::Plan) -> Fabric {
    plan.front(&["--http", "127.0.0.1:0"]).start()
}

/// Fails if HTTP and signals tell different stories, or not the whole.
#[test]
fn what_is_shown_over_http_is_what_a_signal_prints() {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&primary).forward(&secondary).shards(2));
    for session in 0..4 {
        let (mut source, traffic) = (fabric.connect(), lines(session, 25));
        source.send(&traffic);
        source.expect(&traffic);
        source.half_close();
        source.expect_fin();
    }
    let report = fabric.at_rest();
    assert_eq!(report.source_received().frames, 100);
    eventually("HTTP says the same", || {
        let printed = lasting(fabric.report().value().clone());
        lasting(ask(fabric.http(), "GET /stats", "").json()) == printed
    });
    assert!(report.value()["destinations"].as_array().unwrap().iter().all(|of| of["is_balanced"] == true));

    let text = ask(fabric.http(), "GET /metrics", "");
    assert!(text.head.contains("content-type: text/plain; version=0.0.4"), "{}", text.head);
    let frames = "pegloom_source_frames_total{route=\"route-1\",direction=\"received\"} 100\n";
    assert!(text.body.contains(frames), "{}", text.body);
    let families = ask(fabric.http(), "GET /metrics", "Accept: application/json\r\n").json();
    assert!(families.as_array().unwrap().iter().any(|family| family["name"] == "pegloom_sessions_live"));
}

/// Fails if a wrong question is answered with silence, HTML or a wrong status.
#[test]
fn wrong_questions_are_answered_with_what_there_is() {
    let primary = Destination::echo();
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&primary));
    let http = fabric.http();
    for path in ["/health", "/status", "/heartbeat"] {
        let answer = ask(http, &format!("GET {path}"), "");
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "OK!" })));
    }
    for path in ["/stats", "/metrics", "/health"] {
        let head = ask(http, &format!("HEAD {path}"), "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        let post = ask(http, &format!("POST {path}"), "Content-Length: 0\r\n");
        assert_eq!(post.status, 405, "{path}");
        assert!(post.head.contains("\r\nallow: get,head\r\n"), "{}", post.head);
        assert!(post.json()["error"].as_str().unwrap().contains("can only be read"));
    }
    let unknown = ask(http, "GET /nothing?x=1", "");
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"], "there is nothing at /nothing");
    assert!(unknown.json()["paths"].as_array().unwrap().contains(&json!("/stats")));
}

/// Fails if sources are turned away and the health says all is well, or stays bad when the primary is back.
#[test]
fn a_primary_that_is_away_is_unhealthy_until_it_is_back() {
    let mut primary = Destination::echo();
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&primary).shards(2));
    primary.die();
    eventually("it is noticed", || {
        fabric.connect().expect_end();
        ask(fabric.http(), "GET /health", "").status == 503
    });
    let why = ask(fabric.http(), "GET /heartbeat", "").json();
    let problem = json!({ "problem": "primary_away", "route": "route-1", "destination": "primary" });
    assert_eq!(why, json!({ "status": "unhealthy", "problems": [problem] }));
    primary.start();
    eventually("it is back", || {
        let mut source = fabric.connect();
        let _ = source.try_send(b"hello\n");
        source.read_bytes(6);
        ask(fabric.http(), "GET /health", "").status == 200
    });
}

/// Fails if readers have to ask again, or hear nothing of what nodes tell.
#[test]
fn who_reads_along_hears_statistics_and_events() {
    let (primary, secondary) = (Destination::replying(b"A\n"), Destination::replying(b"B\n"));
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&primary).forward(&secondary));
    let http = fabric.http();
    let has_both = |heard: &str| {
        heard.contains("event: event\ndata: {") && heard.matches("event: stats\ndata: {").count() > 1
    };
    let reader = thread::spawn(move || follow(http, "/events", has_both));
    let mut source = fabric.connect();
    source.send(b"which?\n");
    source.expect(b"A\n");
    let heard = reader.join().unwrap();
    assert!(heard.contains("\"kind\":\"diverged\""), "{heard}");
    eventually("the statistics keep it", || {
        let divergences = fabric.report().value()["divergences"].clone();
        divergences[0]["event"]["primary"] == "A\\n" && divergences[0]["event"]["secondary"] == "B\\n"
    });
}

/// Fails if a taken port is found when everything runs already, or panics.
#[test]
fn a_taken_http_port_is_one_clear_line_and_exit_code_one() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = held.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let up = ["up", "--listen", "tcp://127.0.0.1:0", "--forward", "127.0.0.1:9", "--http", &http];
    let stats = ["stats-node", "--bind", &endpoint_in(dir.path()), "--http", &http];
    for args in [&up[..], &stats[..]] {
        let process = Process::start(args, &[], dir.path());
        assert_eq!(process.exit_code(), Some(1));
        let stderr = process.stderr();
        let named = format!("pegloom {}: cannot listen on http://{http}: address already in use", args[0]);
        assert!(stderr.contains(&named), "{stderr:?}");
        assert!(stderr.iter().any(|line| line.trim_start().starts_with("try: --http")), "{stderr:?}");
    }
}

/// Fails if what was counted before a crash is gone after it, or is counted again.
#[test]
fn totals_and_windows_outlive_kill_9() {
    let primary = Destination::echo();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a/b/stats.json").display().to_string();
    let start = || {
        Fabric::shaped(Shape::Inproc)
            .forward(&primary)
            .front(&["--http", "127.0.0.1:0", "--recovery", &file])
            .start()
    };
    let fabric = start();
    let mut source = fabric.connect();
    source.send(&lines(0, 50));
    source.expect(&lines(0, 50));
    let written = || fs::read_to_string(&file).unwrap_or_default();
    eventually("it is written down", || written().contains("\"received\":{\"frames\":50,"));
    always_for(Duration::from_millis(1500), "the file is whole", || {
        serde_json::from_str::<Value>(&written()).is_ok()
    });
    fabric.front().kill9();

    let fabric = start();
    let before = fabric.report();
    assert_eq!((before.source_received().frames, before.sessions("live")), (50, 0));
    let rate = before.value()["routes"][0]["frame_rate_10s"].as_f64().unwrap();
    assert!((4.9..=5.1).contains(&rate), "{rate}");
    let mut source = fabric.connect();
    source.send(&lines(1, 7));
    source.expect(&lines(1, 7));
    let after = fabric.report();
    assert_eq!((after.balanced().source_received().frames, after.sessions("opened")), (57, 2));

    source.half_close();
    source.expect_fin();
    fabric.front().terminate();
    assert_eq!(fabric.front().exit_code(), Some(0));
    let fabric = start();
    let last = fabric.report();
    assert_eq!((last.source_received().frames, last.sessions("ended")), (57, 2), "a clean end loses nothing");
}

/// Fails if a bad file ends the process, or is written over before anybody has looked at it.
#[test]
fn a_bad_recovery_file_is_set_aside_with_a_warning() {
    for bad in ["", "garbage", "{\"version\":1,\"time\":"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stats.json");
        fs::write(&file, bad).unwrap();
        let process = start_in(dir.path(), &["--recovery", "stats.json"]);
        process.logged("the recovery file is not taken up", |record| record["level"] == "WARN");
        assert_eq!(fs::read_to_string(dir.path().join("stats.json.bad")).unwrap(), bad);
        eventually("a good one is written", || {
            fs::read(&file).is_ok_and(|bytes| serde_json::from_slice::<Value>(&bytes).is_ok())
        });
    }
}

/// Fails if a place that cannot be written to is more than a warning.
#[test]
fn a_recovery_file_that_cannot_be_written_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "in the way").unwrap();
    let process = start_in(dir.path(), &["--recovery", "file/stats.json"]);
    process.logged("the recovery file cannot be written", |record| record["level"] == "WARN");
    assert_eq!(process.report().value()["msg_total"], 0);
}
