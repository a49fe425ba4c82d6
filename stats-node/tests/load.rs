//! What a stats-node costs when a large fabric reports to it: 200 shards of 20 destinations, ten times a second.
//!
//! A measurement and not a test of what is right, so it runs when it is asked for, in a release build:
//! `cargo test --release -p pegloom-stats-node --test load -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a panic is how a measurement fails")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use proto::{counters::Tally, id::Incarnation};
use runtime::{
    clock::unix_millis,
    report::{DestinationReport, Foo, Published, Report, RouteReport, Said, Sessions, Source, TOPIC},
    zeromq::{Context, Publisher},
};

const SHARDS: u16 = 200;
const SHARDS_A_NODE: u16 = 8;
const DESTINATIONS: usize = 20;
const INTERVAL: Duration = Duration::from_millis(100);
/// Before and while it is measured.
const WARM_UP: u32 = 30;
const ROUNDS: u32 = 100;
/// Processor time in `/proc` is in these.
const TICKS_A_SECOND: f64 = 100.0;

struct StatsNode(Child);

impl Drop for StatsNode {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl StatsNode {
    /// Starts it, and says where it listens.
    fn start(recovery: &str) -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pegloom-stats-node"));
        command.args(["--bind", "tcp://127.0.0.1:0", "--log-format", "json", "--recovery", recovery]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line =
            lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening to reports")).unwrap();
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        (Self(child), record["endpoint"].as_str().unwrap().to_owned())
    }

    /// Processor time so far, in seconds.
    fn busy(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u32 = fields[11..13].iter().map(|field| field.parse::<u32>().unwrap()).sum();
        f64::from(ticks) / TICKS_A_SECOND
    }
}

fn report(round: u64) -> Report {
    let tally = Tally::new(round * 10, round * 1000);
    let destination = |index: usize| DestinationReport {
        destination: format!("destination-{index}"),
        role: if index == 0 { "primary" } else { "secondary" }.to_owned(),
        address: format!("10.0.0.{index}:1234"),
        accepted: tally + Tally::new(1, 1),
        delivered: tally,
        shed: [("away".to_owned(), Tally::new(1, 1))].into(),
        said: Some(Said { matched: round, ..Said::default() }),
        ..DestinationReport::default()
    };
    let route = RouteReport {
        route: "devices".to_owned(),
        listen: Some("tcp://0.0.0.0:7890".to_owned()),
        sessions: Some(Sessions { opened: round, ..Sessions::default() }),
        source: Some(Source { received: tally, ..Source::default() }),
        foo: Some(Foo { req: round, ack: round, ..Foo::default() }),
        destinations: (0..DESTINATIONS).map(destination).collect(),
        ..RouteReport::default()
    };
    let links = ["greetings", "workers_lost", "stale", "gaps"].map(|name| (name.to_owned(), 1));
    Report { node: "ingress".to_owned(), routes: vec![route], links: links.into() }
}

fn body(shard: u16, round: u32, start: Incarnation) -> Vec<u8> {
    let published = Published {
        node: format!("ingress-{}", shard / SHARDS_A_NODE),
        incarnation: start,
        shard: shard % SHARDS_A_NODE,
        sequence: u64::from(round),
        time: unix_millis(),
        report: report(u64::from(round)),
        is_last: false,
    };
    rmp_serde::to_vec_named(&published).unwrap()
}

#[test]
#[ignore = "a measurement"]
fn two_hundred_shards_of_twenty_destinations() {
    let directory = tempfile::tempdir().unwrap();
    let (stats, endpoint) = StatsNode::start(&directory.path().join("stats.json").display().to_string());
    let (context, start) = (Context::new(), Incarnation(unix_millis()));
    let publishers: Vec<_> = (0..SHARDS).map(|_| Publisher::connect(&context, &endpoint).unwrap()).collect();
    let begin = Instant::now();
    let mut measured = (0.0, Instant::now());
    for round in 1..=WARM_UP + ROUNDS {
        for (shard, publisher) in publishers.iter().enumerate() {
            let _ = publisher.try_send(TOPIC, &body(shard as u16, round, start));
        }
        thread::sleep((INTERVAL * round).saturating_sub(begin.elapsed()));
        if round == WARM_UP {
            measured = (stats.busy(), Instant::now());
        }
    }
    let share = (stats.busy() - measured.0) / measured.1.elapsed().as_secs_f64();
    let size = body(0, 1, start).len();
    println!(
        "{SHARDS} shards, {DESTINATIONS} destinations, {size} bytes a report: {:.1} % of a core",
        share * 100.0
    );
    let written = fs::read(directory.path().join("stats.json")).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
    let heard: u64 =
        written["nodes"].as_array().unwrap().iter().map(|node| node["reports"].as_u64().unwrap()).sum();
    println!("{heard} reports heard");
    // The file is a second old, and connecting takes a moment.
    assert!(heard > u64::from(SHARDS) * u64::from(WARM_UP + ROUNDS - 20), "{heard}");
    assert!(share < 0.2, "{share}");
}
