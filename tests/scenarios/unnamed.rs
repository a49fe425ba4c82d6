//! Workers that nobody gave a name: each has one of its own, and the same one after a restart.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Destination, Process, Source, ask, eventually, lines};

struct Site {
    dir: TempDir,
    stats: Process,
    ingress: Process,
}

impl Site {
    /// A stats-node and an ingress, of a route that no other test has: unnamed workers are called after it.
    #[track_caller]
    fn start(primary: &Destination) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let route = format!("unnamed-{}", std::process::id());
        let address = primary.address();
        let settings = format!(
            "shards = 1\n[[route]]\nname = '{route}'\nlisten = 'tcp://127.0.0.1:0'\ncodec = 'lines'\n\
             destinations = ['{address}']\n"
        );
        fs::write(dir.path().join("pegloom.toml"), settings).unwrap();
        let stats = endpoint(dir.path(), "stats");
        let stats = Process::start(
            &["stats-node", "--bind", &stats, "--http", "127.0.0.1:0", "--log-format", "json"],
            &[],
            dir.path(),
        );
        stats.logged("listening to reports", |_| true);
        let ingress = node(dir.path(), "ingress", "--bind");
        ingress.logged("link bound", |_| true);
        Self { dir, stats, ingress }
    }

    /// A worker that is linked, and its name.
    #[track_caller]
    fn worker(&self) -> (Process, String) {
        let process = node(self.dir.path(), "fanout", "--ingress");
        let name = text(&process.logged("serving", |_| true), "worker");
        process.logged("linked to ingress", |_| true);
        (process, name)
    }

    #[track_caller]
    fn health(&self) -> u16 {
        let http = text(&self.stats.logged("statistics are shown", |_| true), "address").parse().unwrap();
        ask(http, "GET /health", "").status
    }

    /// The names of the workers that the statistics show.
    #[track_caller]
    fn live_workers(&self) -> BTreeSet<String> {
        let report = self.stats.report();
        let nodes = report.value()["nodes"].as_array().unwrap();
        let live = nodes.iter().filter(|node| node["kind"] == "fanout" && node["state"] == "live");
        live.map(|node| text(node, "name")).collect()
    }
}

fn node(dir: &Path, kind: &str, to_link: &str) -> Process {
    let (link, stats) = (endpoint(dir, "link"), endpoint(dir, "stats"));
    let args = [kind, "--config", "pegloom.toml", to_link, &link, "--stats", &stats, "--log-format", "json"];
    Process::start(&args, &[], dir)
}

fn endpoint(dir: &Path, name: &str) -> String {
    format!("ipc://{}", dir.join(name).display())
}

#[track_caller]
fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_else(|| panic!("no {field} in {record}")).to_owned()
}

/// Fails if a worker's name has something of its process in it, so that the one before it is stale for minutes; or if two
/// workers of a destination on one host take each other's sessions over.
#[test]
fn a_killed_worker_that_is_started_again_is_healthy_within_seconds_beside_a_replica() {
    let primary = Destination::echo();
    let site = Site::start(&primary);
    let (first, name) = site.worker();
    let (_second, other) = site.worker();
    assert_ne!(name, other);
    let both = BTreeSet::from([name.clone(), other]);
    eventually("both report", || site.live_workers() == both && site.health() == 200);

    first.kill9();
    eventually("it is missed", || site.health() == 503);
    let (_again, after) = site.worker();
    assert_eq!(after, name);
    eventually("it is back", || site.health() == 200);
    eventually("both report again", || site.live_workers() == both);

    let address = text(&site.ingress.logged("listening", |_| true), "address");
    let mut sources: Vec<_> = (0..4).map(|_| Source::connect(address.parse().unwrap())).collect();
    for (number, source) in sources.iter_mut().enumerate() {
        source.send(&lines(number, 10));
        source.expect(&lines(number, 10));
    }
    let turned_away = site.ingress.records("worker turned away, a newer start of it is linked");
    assert!(turned_away.is_empty(), "{turned_away:?}");
}
