//! One run: destinations, a peer before them, a load before that; a warm-up, then a stretch of time that is measured,
//! then an orderly end that shows whether anything came twice.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::args::Common;
use crate::cpu::CpuTime;
use crate::load::{Load, Shape};
use crate::peers::{Peer, Programs};
use crate::process::{self, Process, Talks};

/// How long secondaries may take to receive what the primary has received.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Echoes,
    NeverReads,
    /// Echoes until every session is up, and is then stopped by SIGSTOP.
    Stops,
}

/// What every run of a command has in common.
pub(crate) struct Plan {
    shape: Shape,
    warm_up: Duration,
    seconds: Duration,
    /// Bytes sent through each connection before the warm-up.
    fill: u64,
}

#[derive(Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) round_trips: u64,
    pub(crate) seconds: f64,
    /// Of all processes of the peer.
    pub(crate) cpu_seconds: f64,
    pub(crate) latency_p50_us: f64,
    pub(crate) latency_p99_us: f64,
    /// What each echoing secondary received of what was sent, from 0 to 1.
    pub(crate) secondary_shares: Vec<f64>,
    /// What makes this run doubtful.
    pub(crate) doubts: Vec<String>,
    #[serde(skip)]
    pub(crate) settings: String,
}

impl Run {
    pub(crate) fn cpu_us_per_round_trip(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.round_trips as f64
    }

    pub(crate) fn round_trips_per_second(&self) -> f64 {
        self.round_trips as f64 / self.seconds
    }
}

impl Plan {
    pub(crate) fn new(common: &Common, fill: u64) -> Self {
        let Common { connections, in_flight, size, seconds, warm_up, .. } = *common;
        Self { shape: Shape { connections, in_flight, size: size as usize }, warm_up, seconds, fill }
    }

    /// Measures a peer before these destinations, the primary first.
    pub(crate) fn run(&self, peer: Peer, programs: &Programs, destinations: &[Destination]) -> Result<Run> {
        let mut ends = destinations.iter().map(|kind| End::start(*kind)).collect::<Result<Vec<_>>>()?;
        let forward: Vec<_> = ends.iter().map(|end| end.address).collect();
        let running = peer.start(programs, &forward)?;
        let run = Load::connect(running.address, self.shape)
            .and_then(|load| self.drive(load, &mut ends, &running.pids()))
            .with_context(|| format!("the run failed{}", running.last_words()))?;
        Ok(Run { settings: running.settings.clone(), ..run })
    }

    fn drive(&self, mut load: Load, ends: &mut [End], peer: &[nix::unistd::Pid]) -> Result<Run> {
        load.greet()?;
        for end in ends.iter().filter(|end| end.kind == Destination::Stops) {
            end.process.stop()?;
        }
        load.fill(self.fill)?;
        load.run_for(self.warm_up)?;

        load.begin_measuring();
        let before = CpuTime::of(peer)?;
        load.run_for(self.seconds)?;
        let measured = load.measured();
        let cpu = CpuTime::of(peer)?.since(before);

        load.drain()?;
        let secondary_shares = shares(ends, load.sent())?;
        let unclosed = load.finish()?;
        anyhow::ensure!(measured.round_trips > 0, "nothing returned while it was measured");
        Ok(Run {
            round_trips: measured.round_trips,
            seconds: measured.elapsed.as_secs_f64(),
            cpu_seconds: cpu.time().as_secs_f64(),
            latency_p50_us: measured.latency_p50.as_secs_f64() * 1e6,
            latency_p99_us: measured.latency_p99.as_secs_f64() * 1e6,
            doubts: doubts(cpu, unclosed, &secondary_shares),
            secondary_shares,
            settings: String::new(),
        })
    }
}

fn doubts(cpu: CpuTime, unclosed: usize, shares: &[f64]) -> Vec<String> {
    let unclosed =
        (unclosed > 0).then(|| format!("{unclosed} connections were not ended after their source's FIN"));
    let least = shares.iter().copied().fold(1.0, f64::min);
    let shed =
        (least < 1.0).then(|| format!("a secondary received only {:.2} % of what was sent", least * 100.0));
    [cpu.disagreement(), unclosed, shed].into_iter().flatten().collect()
}

/// A destination's process.
struct End {
    kind: Destination,
    address: std::net::SocketAddr,
    process: Process,
}

impl End {
    fn start(kind: Destination) -> Result<Self> {
        let mut command = process::own("__echo");
        if kind == Destination::NeverReads {
            command.arg("--never-reads");
        }
        let mut process = Process::start("a destination", &mut command, Talks::OnStdout)?;
        let address = process.expect("its address", |line| line.parse().ok())?;
        Ok(Self { kind, address, process })
    }

    fn received(&mut self) -> Result<u64> {
        self.process.tell("\n")?;
        self.process.expect("what it has received", |line| line.parse().ok())
    }
}

/// What each echoing secondary received of the bytes sent, once it has all or has had the time to.
fn shares(ends: &mut [End], sent: u64) -> Result<Vec<f64>> {
    let deadline = Instant::now() + CATCH_UP_TIMEOUT;
    let secondaries = ends.iter_mut().skip(1).filter(|end| end.kind == Destination::Echoes);
    secondaries.map(|end| Ok(await_bytes(end, sent, deadline)? as f64 / sent as f64)).collect()
}

fn await_bytes(end: &mut End, bytes: u64, deadline: Instant) -> Result<u64> {
    loop {
        let received = end.received()?;
        if received >= bytes || Instant::now() > deadline {
            return Ok(received);
        }
        thread::sleep(POLL_INTERVAL);
    }
}
