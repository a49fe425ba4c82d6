//! A Foo proxy that is killed and started again with `--recovery`: what it had counted is there, as old as it is by then.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::foo_statistics::{BURST, Eight, burst};
use crate::harness::{
    Destination, Fabric, PATIENCE, Shape, always_for, eventually, eventually_some, foo_server,
};

/// A server, and where its proxy keeps what it has counted.
struct Site {
    server: Destination,
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { server: foo_server(), dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("stats.json")
    }

    /// A proxy that keeps what it counts there.
    #[track_caller]
    fn proxy(&self, file: &Path, more: &[&str]) -> Fabric {
        let file = file.display().to_string();
        let plan = Fabric::shaped(Shape::Inproc).codec("foo").forward(&self.server);
        plan.front(&["--http", "127.0.0.1:0", "--recovery", &file]).front(more).start()
    }

    /// Lets a burst pass, waits until it is written down, and kills.
    #[track_caller]
    fn proxy_killed_after_a_burst(&self) {
        let proxy = self.proxy(&self.file(), &[]);
        let client = burst(&proxy);
        eventually("it is written down", || text(&self.file()).contains("\"req\":100,"));
        proxy.front().kill9();
        drop(client);
    }

    /// Makes the file so much older.
    fn age(&self, by: Duration) {
        let mut saved: Value = serde_json::from_str(&text(&self.file())).unwrap();
        saved["time"] = (saved["time"].as_u64().unwrap() - by.as_millis() as u64).into();
        fs::write(self.file(), saved.to_string()).unwrap();
    }
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// Fails if a killed proxy starts at zero, or its windows stand still while it is away.
#[test]
fn three_seconds_after_kill_9_the_totals_and_the_ten_seconds_are_there() {
    let site = Site::new();
    site.proxy_killed_after_a_burst();
    let left = text(&site.file());
    always_for(Duration::from_secs(3), "nobody writes", || text(&site.file()) == left);

    let proxy = site.proxy(&site.file(), &[]);
    assert_eq!(Eight::on_signal(&proxy), Eight::are(BURST, 0.0, 10.0));
    let client = burst(&proxy);
    assert_eq!(Eight::on_signal(&proxy), Eight::are(BURST.map(|count| 2 * count), 100.0, 20.0));
    drop(client);
}

/// Fails if what is long over is in the window, or totals go with it; or a file is taken up that is older than it may be.
#[test]
fn eleven_seconds_later_the_window_is_empty_and_the_totals_stay_as_long_as_they_may() {
    let site = Site::new();
    site.proxy_killed_after_a_burst();
    site.age(Duration::from_secs(11));
    let left = text(&site.file());

    let proxy = site.proxy(&site.file(), &["--recovery-max-age", "1h"]);
    assert_eq!(Eight::on_signal(&proxy), Eight::are(BURST, 0.0, 0.0));
    proxy.front().kill9();

    fs::write(site.file(), left).unwrap();
    let proxy = site.proxy(&site.file(), &[]);
    proxy.front().logged("the recovery file is not taken up", |record| record["level"] == "WARN");
    assert_eq!(Eight::on_signal(&proxy), Eight::are([0; 4], 0.0, 0.0));
}

/// Fails if a proxy does not start because of what somebody left there, or does so without a word.
#[test]
fn a_proxy_starts_and_warns_whatever_its_recovery_file_is() {
    let site = Site::new();
    site.proxy_killed_after_a_burst();
    let whole = text(&site.file());
    let mut future: Value = serde_json::from_str(&whole).unwrap();
    future["time"] = (future["time"].as_u64().unwrap() + 3_600_000).into();
    let bads = ["", "garbage", &whole[..whole.len() / 2], "[]", &future.to_string()];
    for bad in bads {
        fs::write(site.file(), bad).unwrap();
        let proxy = site.proxy(&site.file(), &[]);
        proxy.front().logged("the recovery file is not taken up", |record| record["level"] == "WARN");
        assert_eq!(text(&site.dir.path().join("stats.json.bad")), bad);
        let client = burst(&proxy);
        assert_eq!(Eight::on_signal(&proxy).messages, BURST);
        proxy.front().kill9();
        drop(client);
    }
}

/// Fails if a place that cannot be written to is more than a warning, or a folder that is missing is not made.
#[test]
fn a_proxy_counts_wherever_its_recovery_file_is_to_be() {
    let site = Site::new();
    fs::write(site.dir.path().join("file"), "in the way").unwrap();
    for nowhere in [site.dir.path().join("file/stats.json"), PathBuf::from("/proc/none/stats.json")] {
        let proxy = site.proxy(&nowhere, &[]);
        proxy.front().logged("the recovery file cannot be written", |record| record["level"] == "WARN");
        let client = burst(&proxy);
        assert_eq!(Eight::on_signal(&proxy).messages, BURST);
        drop(client);
    }
    let made = site.dir.path().join("a/b/stats.json");
    let proxy = site.proxy(&made, &[]);
    eventually("its folders are made", || made.exists());
    assert!(proxy.front().records("the recovery file cannot be written").is_empty());
}

/// Fails if the file is written in place: whoever reads it at the wrong moment finds half of it.
#[test]
fn the_recovery_file_is_whole_whenever_it_is_read() {
    let site = Site::new();
    let proxy = site.proxy(&site.file(), &[]);
    let client = burst(&proxy);
    eventually("it is there", || site.file().exists());
    let mut versions = BTreeSet::new();
    eventually_some(PATIENCE, "it is written again and again", || {
        for _ in 0..1_000 {
            let read = fs::read(site.file()).expect("it is there at every instant");
            let saved: Value = serde_json::from_slice(&read).expect("it is whole at every instant");
            versions.insert(saved["time"].as_u64());
        }
        (versions.len() >= 4).then_some(())
    });
    drop(client);
}
