//! A fabric as an owner has it: every node, every destination and the devices on hosts of their own, with a network between.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{
    DatagramDestination, DatagramSource, Destination, Network, Process, Report, Talker, eventually,
    eventually_some, eventually_within,
};

/// Hosts of what is there once; those of workers are called as the workers are.
pub(super) const DEVICES: &str = "devices";
pub(super) const INGRESS: &str = "ingress";
pub(super) const STATS: &str = "stats";
pub(super) const PRIMARY: &str = "primary";
pub(super) const SECONDARY: &str = "secondary";
/// Two workers for the primary, one for the secondary.
pub(super) const WORKERS: [&str; 3] = ["primary-0", "primary-1", "secondary-1-0"];
const HOSTS: [&str; 8] = [DEVICES, INGRESS, STATS, PRIMARY, SECONDARY, WORKERS[0], WORKERS[1], WORKERS[2]];

/// What is lost is sent again, later and later: what should happen soon may take this long after a cut.
pub(super) const HEALING: Duration = Duration::from_secs(20);

pub(super) struct Site {
    pub(super) ingress: Process,
    pub(super) stats: Process,
    workers: Vec<Process>,
    address: SocketAddr,
    link: SocketAddr,
    // Processes go first, then the network they are in.
    pub(super) network: Network,
    _dir: TempDir,
}

/// The hosts, unless this machine has none for us.
pub(super) fn network() -> Option<Network> {
    Network::of(&HOSTS)
}

/// An echoing primary and a secondary that listens, each on its host.
pub(super) fn destinations(network: &Network) -> (Destination, Destination) {
    (network.host(PRIMARY).inside(Destination::echo), network.host(SECONDARY).inside(Destination::silent))
}

pub(super) fn datagram_destinations(network: &Network) -> (DatagramDestination, DatagramDestination) {
    let primary = network.host(PRIMARY).inside(DatagramDestination::echo);
    (primary, network.host(SECONDARY).inside(DatagramDestination::silent))
}

impl Site {
    /// A route of lines to these destinations; all nodes are linked and known to the stats-node.
    #[track_caller]
    pub(super) fn start(network: Network, forward: [SocketAddr; 2]) -> Self {
        let listen = format!("tcp://{}:0", network.host(INGRESS).address());
        Self::listening(network, forward, &["--listen", &listen, "--codec", "lines"])
    }

    /// The same with a listener of one's own.
    #[track_caller]
    pub(super) fn listening(network: Network, forward: [SocketAddr; 2], listener: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start =
            |host: &str, args: &[&str]| network.host(host).inside(|| Process::start(args, &[], dir.path()));
        let stats = start_stats(&network, dir.path());
        let reports = logged(&stats, "listening to reports", "endpoint");
        let forward = forward.map(|address| address.to_string());
        let route =
            ["--forward", &forward[0], "--forward", &forward[1]].into_iter().chain(listener.iter().copied());
        let common: Vec<&str> =
            route.chain(["--shards", "1", "--stats", &reports, "--log-format", "json"]).collect();
        let bind = format!("tcp://{}:0", network.host(INGRESS).address());
        let own = ["ingress", "--bind", &bind, "--node", INGRESS];
        let ingress = start(INGRESS, &[&own[..], &common].concat());
        let link = logged(&ingress, "link bound", "endpoint");
        let workers = WORKERS.map(|name| {
            let (destination, _) = name.rsplit_once('-').unwrap();
            let own = ["fanout", "--destination", destination, "--worker", name, "--ingress", &link];
            start(name, &[&own[..], &common].concat())
        });
        let address = logged(&ingress, "listening", "address").parse().unwrap();
        let link = link.trim_start_matches("tcp://").parse().unwrap();
        let site = Self { ingress, stats, workers: workers.into(), address, link, network, _dir: dir };
        site.expect_complete();
        site
    }

    #[track_caller]
    fn expect_complete(&self) {
        for name in WORKERS {
            eventually(&format!("{name} is linked"), || self.links_of(name) == 1);
        }
        eventually_within(HEALING, "the stats-node knows all nodes", || {
            self.live_nodes() == WORKERS.len() + 1
        });
    }

    /// Where devices find the ingress.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where workers find the ingress.
    pub(super) fn link(&self) -> SocketAddr {
        self.link
    }

    #[track_caller]
    pub(super) fn talker(&self, session: usize) -> Talker {
        self.network.host(DEVICES).inside(|| Talker::start(session, self.address))
    }

    /// A device that knows the ingress by this address.
    #[track_caller]
    pub(super) fn datagram_source(&self, known_as: Ipv4Addr) -> DatagramSource {
        let address = SocketAddr::from((known_as, self.address.port()));
        self.network.host(DEVICES).inside(|| DatagramSource::new(address))
    }

    #[track_caller]
    pub(super) fn worker(&self, name: &str) -> &Process {
        &self.workers[WORKERS.iter().position(|&worker| worker == name).expect("a worker")]
    }

    /// How often the ingress has linked this worker.
    pub(super) fn links_of(&self, worker: &str) -> usize {
        self.ingress.records("worker linked").iter().filter(|record| record["worker"] == worker).count()
    }

    /// Waits until nothing of any session is left, and returns that report.
    #[track_caller]
    pub(super) fn at_rest(&self) -> Report {
        eventually_some(HEALING, "every session is over, nothing in flight", || {
            let report = self.ingress.report();
            report.balanced();
            report.is_at_rest().then_some(report)
        })
    }

    /// Everything added up, as the stats-node has it now.
    #[track_caller]
    pub(super) fn summary(&self) -> Value {
        self.stats.report().balanced().value().clone()
    }

    #[track_caller]
    pub(super) fn live_nodes(&self) -> usize {
        let summary = self.stats.report().value().clone();
        summary["nodes"].as_array().unwrap().iter().filter(|node| node["state"] == "live").count()
    }

    /// Waits until the stats-node counts exactly so many frames of sources, all of them delivered to both destinations.
    #[track_caller]
    pub(super) fn expect_totals(&self, frames: u64) {
        eventually_within(HEALING, "the totals are exact, and workers and ingress agree", || {
            let summary = self.summary();
            let route = &summary["routes"][0];
            let is_delivered = |at: usize| {
                let delivered = &route["destinations"][at]["delivered"];
                delivered["frames"] == frames
                    && *delivered == summary["destinations"][at]["workers"]["delivered"]
            };
            route["source"]["received"]["frames"] == frames && is_delivered(0) && is_delivered(1)
        });
    }
}

#[track_caller]
fn start_stats(network: &Network, dir: &Path) -> Process {
    let host = network.host(STATS);
    let bind = format!("tcp://{}:0", host.address());
    let args = ["stats-node", "--bind", &bind, "--http", "127.0.0.1:0", "--log-format", "json"];
    host.inside(|| Process::start(&args, &[], dir))
}

#[track_caller]
fn logged(process: &Process, message: &str, field: &str) -> String {
    process.logged(message, |_| true)[field].as_str().unwrap().to_owned()
}
