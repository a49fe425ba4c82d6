//! The same route in three shapes: one process, or an ingress and a fanout worker a replica joined by ipc or tcp.
//!
//! Without settings a route is given as flags, with settings as a file, so both ways are in use all the time.
//! Every port is the kernel's choice and learnt from the log; a started fabric listens and all its workers are linked.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{Destination, Process, Report, Source, eventually_some, eventually_within};

const LISTEN: &str = "tcp://127.0.0.1:0";
const WEB: &str = "http://127.0.0.1:0";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Inproc,
    Ipc,
    Tcp,
}

/// What to start.
pub(crate) struct Plan {
    shape: Shape,
    listen: &'static str,
    /// None where the listener takes datagrams.
    codec: Option<&'static str>,
    grace: Option<&'static str>,
    /// Shards of every process.
    shards: usize,
    /// Where to forward to; the first is the primary.
    destinations: Vec<Forward>,
    settings: Vec<(&'static str, &'static str)>,
    /// Settings of the processes, above the route's.
    general: Vec<(&'static str, &'static str)>,
    stats: Option<String>,
    /// Further flags of what sources connect to.
    front: Vec<String>,
}

struct Forward {
    address: SocketAddr,
    workers: usize,
    /// Settings of it, as in its table in the file.
    settings: Vec<&'static str>,
}

pub(crate) struct Fabric {
    plan: Plan,
    /// What sources connect to: `up` or `ingress`.
    front: Process,
    workers: Vec<Worker>,
    address: SocketAddr,
    link: String,
    dir: TempDir,
}

pub(crate) struct Worker {
    pub(crate) destination: String,
    pub(crate) name: String,
    pub(crate) process: Process,
}

impl Plan {
    /// The next destination; the first is the primary.
    pub(crate) fn forward(self, destination: &Destination) -> Self {
        self.forward_to(destination.address())
    }

    /// The same, by its address.
    pub(crate) fn forward_to(mut self, address: SocketAddr) -> Self {
        self.destinations.push(Forward { address, workers: 1, settings: Vec::new() });
        self
    }

    /// A route of datagrams, listening there.
    pub(crate) fn datagrams(mut self, listen: &'static str) -> Self {
        (self.listen, self.codec) = (listen, None);
        self
    }

    /// A route of requests, each for one of the servers it forwards to.
    pub(crate) fn web(mut self) -> Self {
        (self.listen, self.codec) = (WEB, None);
        self
    }

    /// So many workers for the destination named last.
    pub(crate) fn replicas(mut self, count: usize) -> Self {
        self.destinations.last_mut().expect("a destination to replicate").workers = count;
        self
    }

    /// A setting of the destination named last, as in its table in the file: `asks = false`.
    pub(crate) fn with(mut self, setting: &'static str) -> Self {
        self.destinations.last_mut().expect("a destination to set").settings.push(setting);
        self
    }

    pub(crate) fn codec(mut self, codec: &'static str) -> Self {
        self.codec = Some(codec);
        self
    }

    pub(crate) fn shards(mut self, count: usize) -> Self {
        self.shards = count;
        self
    }

    pub(crate) fn grace(mut self, grace: &'static str) -> Self {
        self.grace = Some(grace);
        self
    }

    /// A setting of the route, as in its file; a word, or a number or list as it is written there.
    pub(crate) fn set(mut self, key: &'static str, value: &'static str) -> Self {
        self.settings.push((key, value));
        self
    }

    /// A setting of the processes, as above the routes of a file.
    pub(crate) fn set_for_all(mut self, key: &'static str, value: &'static str) -> Self {
        self.general.push((key, value));
        self
    }

    /// Every process publishes what it reports, and its events, to this endpoint.
    pub(crate) fn stats(mut self, endpoint: String) -> Self {
        self.stats = Some(endpoint);
        self
    }

    /// Further flags of what sources connect to.
    pub(crate) fn front(mut self, flags: &[&str]) -> Self {
        self.front.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    #[track_caller]
    pub(crate) fn start(self) -> Fabric {
        let dir = tempfile::tempdir().expect("a temporary directory");
        self.write_settings(dir.path());
        let mut args = self.front_args(dir.path());
        args.extend(self.front.iter().cloned());
        let front = Process::start(&args, &[], dir.path());
        let link = self.link_of(&front);
        let address = text(&front.logged("listening", |_| true), "address");
        let address = address.parse().expect("a listener logs its address");
        let mut fabric = Fabric { plan: self, front, workers: Vec::new(), address, link, dir };
        fabric.start_workers();
        fabric
    }

    /// Whether its destinations all get the same.
    fn replicates(&self) -> bool {
        self.listen != WEB || self.settings.contains(&("mode", "replicate"))
    }

    /// What pegloom calls a destination that has no name.
    fn name_of(&self, destination: usize) -> String {
        match destination {
            _ if !self.replicates() => format!("server-{}", destination + 1),
            0 => "primary".to_owned(),
            _ => format!("secondary-{destination}"),
        }
    }

    fn link_of(&self, front: &Process) -> String {
        if self.shape == Shape::Inproc {
            return String::new();
        }
        text(&front.logged("link bound", |_| true), "endpoint")
    }

    fn front_args(&self, dir: &Path) -> Vec<String> {
        let bind = match self.shape {
            Shape::Inproc => return self.args("up", &[]),
            Shape::Ipc => format!("ipc://{}", dir.join("link").display()),
            Shape::Tcp => LISTEN.to_owned(),
        };
        self.args("ingress", &["--bind", &bind])
    }

    fn args(&self, command: &str, own: &[&str]) -> Vec<String> {
        let mut args = vec![command.to_owned()];
        args.extend(self.route_args());
        args.extend(own.iter().map(|&arg| arg.to_owned()));
        args.extend(["--shards", &self.shards.to_string(), "--log-format", "json"].map(str::to_owned));
        if let Some(grace) = self.grace {
            args.extend(["--grace", grace].map(str::to_owned));
        }
        if let Some(endpoint) = &self.stats {
            args.extend(["--stats".to_owned(), endpoint.clone()]);
        }
        args
    }

    fn has_settings(&self) -> bool {
        let has_keys = !self.settings.is_empty() || !self.general.is_empty();
        has_keys || self.destinations.iter().any(|forward| !forward.settings.is_empty())
    }

    fn route_args(&self) -> Vec<String> {
        if self.has_settings() {
            return ["--config", "pegloom.toml"].map(str::to_owned).to_vec();
        }
        let mut args = vec!["--listen".to_owned(), self.listen.to_owned()];
        args.extend(self.codec.iter().flat_map(|codec| ["--codec", codec]).map(str::to_owned));
        for forward in &self.destinations {
            args.extend(["--forward".to_owned(), forward.address.to_string()]);
        }
        args
    }

    fn write_settings(&self, dir: &Path) {
        if !self.has_settings() {
            return;
        }
        let tables: Vec<String> = self.destinations.iter().map(Forward::table).collect();
        let general = self.general.iter().map(|(key, value)| format!("{key} = '{value}'\n"));
        let mut route = general.collect::<String>();
        writeln!(route, "[[route]]\nname = \"main\"\nlisten = \"{}\"", self.listen)
            .expect("a string takes text");
        if let Some(codec) = self.codec {
            writeln!(route, "codec = \"{codec}\"").expect("a string takes text");
        }
        writeln!(route, "destinations = [{}]", tables.join(", ")).expect("a string takes text");
        for (key, value) in &self.settings {
            let is_bare = value.starts_with('[') || value.bytes().all(|byte| byte.is_ascii_digit());
            let value = if is_bare { (*value).to_owned() } else { format!("'{value}'") };
            writeln!(route, "{key} = {value}").expect("a string takes text");
        }
        fs::write(dir.join("pegloom.toml"), route).expect("the settings are written");
    }
}

impl Forward {
    fn table(&self) -> String {
        let address = format!("address = \"{}\"", self.address);
        let settings: Vec<&str> =
            std::iter::once(address.as_str()).chain(self.settings.iter().copied()).collect();
        format!("{{ {} }}", settings.join(", "))
    }
}

impl Fabric {
    pub(crate) fn shaped(shape: Shape) -> Plan {
        Plan {
            shape,
            listen: LISTEN,
            codec: Some("lines"),
            grace: None,
            shards: 1,
            destinations: Vec::new(),
            settings: Vec::new(),
            general: Vec::new(),
            stats: None,
            front: Vec::new(),
        }
    }

    /// Ends all its processes, and starts them again where they listened.
    #[track_caller]
    pub(crate) fn begun_anew(self) -> Self {
        let Self { mut plan, front, workers, address, .. } = self;
        drop((front, workers));
        plan.listen = Box::leak(format!("tcp://{address}").into_boxed_str());
        plan.start()
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Source {
        Source::connect(self.address)
    }

    /// Where sources connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where workers connect to; empty in one process.
    pub(crate) fn link(&self) -> &str {
        &self.link
    }

    /// Where what sources connect to shows its statistics.
    #[track_caller]
    pub(crate) fn http(&self) -> SocketAddr {
        text(&self.front.logged("statistics are shown", |_| true), "address").parse().expect("an address")
    }

    pub(crate) fn front(&self) -> &Process {
        &self.front
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        std::iter::once(&self.front).chain(self.workers.iter().map(|worker| &worker.process))
    }

    /// The process that holds the connections to `destination`: its first worker, or the one process.
    pub(crate) fn server_of(&self, destination: &str) -> &Process {
        let worker = self.workers.iter().find(|worker| worker.destination == destination);
        worker.map_or(&self.front, |worker| &worker.process)
    }

    #[track_caller]
    pub(crate) fn worker(&self, name: &str) -> &Worker {
        let worker = self.workers.iter().rfind(|worker| worker.name == name);
        worker.unwrap_or_else(|| panic!("no worker {name:?}"))
    }

    /// Starts one more worker, named `destination-number`, and waits until it is linked. One that was killed comes
    /// back this way.
    #[track_caller]
    pub(crate) fn start_worker(&mut self, destination: usize, number: usize) {
        let destination = self.plan.name_of(destination);
        let name = format!("{destination}-{number}");
        let links = self.links_of(&name);
        let own = ["--destination", &destination, "--ingress", &self.link, "--worker", &name];
        let process = Process::start(&self.plan.args("fanout", &own), &[], self.dir.path());
        self.workers.push(Worker { destination, name: name.clone(), process });
        let limit = super::PATIENCE;
        // Every shard of the worker to every shard of the ingress.
        let expected = self.plan.shards * self.plan.shards;
        eventually_within(limit, &format!("{name} is linked"), || self.links_of(&name) >= links + expected);
    }

    /// How often this worker was linked so far.
    pub(crate) fn links_of(&self, worker: &str) -> usize {
        let shard = format!("{worker}/");
        let is_it = |name: &str| name == worker || name.starts_with(&shard);
        self.front
            .records("worker linked")
            .iter()
            .filter(|record| record["worker"].as_str().is_some_and(is_it))
            .count()
    }

    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        self.front.report()
    }

    /// Waits until every session is over and nothing is on its way, and returns that report, balanced.
    #[track_caller]
    pub(crate) fn at_rest(&self) -> Report {
        eventually_some(super::PATIENCE, "every session is over, nothing in flight", || {
            let report = self.report();
            report.balanced();
            report.is_at_rest().then_some(report)
        })
    }

    /// Log records with this message about this destination, whichever process wrote them.
    pub(crate) fn records_about(&self, message: &str, destination: &str) -> Vec<Value> {
        let records = self.processes().flat_map(|process| process.records(message));
        records.filter(|record| record["destination"] == destination).collect()
    }

    #[track_caller]
    pub(crate) fn expect_all_running(&self) {
        assert!(self.processes().all(Process::is_running), "a process of the fabric is no more");
    }

    fn start_workers(&mut self) {
        if self.plan.shape == Shape::Inproc {
            return;
        }
        // The primary's come last: until there is one no session begins, so none begins without the others.
        for destination in (0..self.plan.destinations.len()).rev() {
            for number in 0..self.plan.destinations[destination].workers {
                self.start_worker(destination, number);
            }
        }
    }
}

#[track_caller]
fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_else(|| panic!("no {field} in {record}")).to_owned()
}
