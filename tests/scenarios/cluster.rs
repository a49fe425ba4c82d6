//! Many processes and one that adds up: two ingresses, two workers a destination, a stats-node.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Destination, PATIENCE, Process, Source, Talker, eventually, eventually_within, lines};

const INGRESSES: usize = 2;
const WORKERS: [&str; 4] = ["primary-0", "primary-1", "secondary-1-0", "secondary-1-1"];

struct Cluster {
    dir: TempDir,
    forward: [String; 2],
    stats: Process,
    ingresses: Vec<Process>,
    workers: Vec<Process>,
}

impl Cluster {
    #[track_caller]
    fn start(primary: &Destination, secondary: &Destination) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let forward = [primary, secondary].map(|destination| destination.address().to_string());
        let stats = start_stats(dir.path());
        let mut cluster = Self { dir, forward, stats, ingresses: Vec::new(), workers: Vec::new() };
        cluster.ingresses = (0..INGRESSES).map(|number| cluster.start_ingress(number)).collect();
        cluster.workers = WORKERS.map(|name| cluster.start_worker(name)).into();
        for ingress in &cluster.ingresses {
            eventually("its workers are linked", || ingress.records("worker linked").len() >= WORKERS.len());
        }
        let nodes = INGRESSES + WORKERS.len();
        eventually_within(PATIENCE, "all nodes report", || cluster.live_nodes() == nodes);
        cluster
    }

    fn common(&self) -> Vec<String> {
        let [primary, secondary] = &self.forward;
        let stats = endpoint(self.dir.path(), "stats");
        let args = ["--forward", primary, "--forward", secondary, "--codec", "lines", "--shards", "1"];
        let common = args.into_iter().chain(["--stats", &stats, "--log-format", "json"]);
        common.map(str::to_owned).collect()
    }

    #[track_caller]
    fn start_ingress(&self, number: usize) -> Process {
        let (bind, node) =
            (endpoint(self.dir.path(), &format!("link-{number}")), format!("ingress-{number}"));
        let mut args = self.common();
        args.splice(
            0..0,
            ["ingress", "--listen", "tcp://127.0.0.1:0", "--bind", &bind, "--node", &node].map(str::to_owned),
        );
        let process = Process::start(&args, &[], self.dir.path());
        process.logged("link bound", |_| true);
        process
    }

    fn start_worker(&self, name: &str) -> Process {
        let (destination, _) = name.rsplit_once('-').unwrap();
        let mut args = self.common();
        args.splice(0..0, ["fanout", "--destination", destination, "--worker", name].map(str::to_owned));
        for number in 0..INGRESSES {
            args.extend(["--ingress".to_owned(), endpoint(self.dir.path(), &format!("link-{number}"))]);
        }
        Process::start(&args, &[], self.dir.path())
    }

    #[track_caller]
    fn address(&self, ingress: usize) -> SocketAddr {
        let record = self.ingresses[ingress].logged("listening", |_| true);
        record["address"].as_str().unwrap().parse().unwrap()
    }

    /// `count` lines through an ingress, all of them answered.
    #[track_caller]
    fn pass(&self, ingress: usize, count: usize) -> Source {
        let mut source = Source::connect(self.address(ingress));
        source.send(&lines(0, count));
        source.expect(&lines(0, count));
        source
    }

    #[track_caller]
    fn summary(&self) -> Value {
        self.stats.report().balanced().value().clone()
    }

    /// Lines of sources, all told.
    #[track_caller]
    fn received(&self) -> u64 {
        let summary = self.summary();
        summary["routes"][0]["source"]["received"]["frames"].as_u64().unwrap_or_default()
    }

    #[track_caller]
    fn live_nodes(&self) -> usize {
        let summary = self.stats.report().value().clone();
        let nodes = summary["nodes"].as_array().unwrap();
        nodes.iter().filter(|node| node["state"] == "live").count()
    }
}

fn endpoint(dir: &Path, name: &str) -> String {
    format!("ipc://{}", dir.join(name).display())
}

#[track_caller]
fn start_stats(dir: &Path) -> Process {
    let bind = endpoint(dir, "stats");
    let args = ["stats-node", "--bind", &bind, "--recovery", "stats.json", "--log-format", "json"];
    let process = Process::start(&args, &[], dir);
    process.logged("listening to reports", |_| true);
    process
}

/// Fails if a node is left out, or what workers count is added to what their ingresses count.
#[test]
fn many_processes_give_exact_totals() {
    const SOURCES: usize = 4;
    const LINES: usize = 200;
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let cluster = Cluster::start(&primary, &secondary);
    let sources: Vec<_> =
        (0..INGRESSES * SOURCES).map(|number| cluster.pass(number % INGRESSES, LINES)).collect();
    let sent = (INGRESSES * SOURCES * LINES) as u64;
    assert_eq!(cluster.received(), sent, "two further reports of each node are waited for");

    drop(sources);
    eventually("everything is delivered, and workers and ingresses agree", || {
        let summary = cluster.summary();
        (0..2).all(|destination| {
            let counted = &summary["routes"][0]["destinations"][destination];
            let served = &summary["destinations"][destination]["workers"];
            counted["accepted"]["frames"] == sent && counted["delivered"] == served["delivered"]
        })
    });
    let summary = cluster.summary();
    assert_eq!(summary["routes"][0]["sessions"]["opened"], INGRESSES * SOURCES);
    assert_eq!(
        (summary["problems"].as_array().unwrap().len(), summary["nodes"].as_array().unwrap().len()),
        (0, 6)
    );
}

/// Fails if what a dead node had counted is forgotten, counted again by its next start, or lost by a stats-node that was
/// away itself.
#[test]
fn totals_stay_exact_when_each_node_is_killed_and_started_again_in_traffic() {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let mut cluster = Cluster::start(&primary, &secondary);
    let talker = Talker::start(1, cluster.address(1));
    let mut known = 0;
    let mut rises = |cluster: &Cluster| {
        let received = cluster.received();
        assert!(received >= known, "totals fell from {known} to {received}");
        known = received;
    };

    let before = cluster.pass(0, 100);
    rises(&cluster);
    cluster.ingresses[0].kill9();
    drop(before);
    rises(&cluster);
    cluster.ingresses[0] = cluster.start_ingress(0);
    eventually("its workers are linked", || {
        cluster.ingresses[0].records("worker linked").len() >= WORKERS.len()
    });
    let after = cluster.pass(0, 50);
    rises(&cluster);

    eventually("it is written down", || fs::metadata(cluster.dir.path().join("stats.json")).is_ok());
    cluster.stats.kill9();
    let meanwhile = cluster.pass(0, 30);
    cluster.stats = start_stats(cluster.dir.path());
    eventually_within(PATIENCE, "all nodes report again", || {
        cluster.live_nodes() == INGRESSES + WORKERS.len()
    });
    rises(&cluster);

    for worker in [2, 0] {
        cluster.workers[worker].kill9();
        rises(&cluster);
        cluster.workers[worker] = cluster.start_worker(WORKERS[worker]);
        let name = WORKERS[worker];
        cluster.workers[worker].logged("linked to ingress", |record| record["worker"] == name);
        talker.expect_fresh_reply(PATIENCE);
        rises(&cluster);
    }

    let (source, sent) = talker.hush();
    let all = (100 + 50 + 30 + sent) as u64;
    eventually("every line is counted once", || cluster.received() == all);
    drop((source, after, meanwhile));
    eventually("nothing is on its way", || {
        let sessions = cluster.summary()["routes"][0]["sessions"].clone();
        sessions["live"] == 0 && sessions["opened"] == 4
    });
    assert_eq!(cluster.received(), all);
}
