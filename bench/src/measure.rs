//! One run over TCP: destinations, a peer before them, a load before that; a warm-up, then a stretch of time that is
//! measured, then an orderly end that shows whether anything came twice.

use anyhow::{Context, Result};

use crate::args::Common;
use crate::destination::{self, Destination, End};
use crate::load::churn::Churn;
use crate::load::requests::Requests;
use crate::load::{Load, Shape};
use crate::peers::{Front, Peer, Programs, Protocol, Running};
use crate::run::{Meter, Run, Timing};

/// What every run of a case has in common.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) timing: Timing,
    pub(crate) protocol: Protocol,
    /// Bytes sent through each connection before the warm-up.
    pub(crate) fill: u64,
}

impl Plan {
    /// Lines, and the peer knows that they are lines.
    pub(crate) fn of_lines(common: &Common, usual: Shape) -> Self {
        let (shape, timing) = (common.shape(usual), common.timing());
        Self { shape, timing, protocol: Protocol::Lines, fill: 0 }
    }

    /// Measures a peer before these destinations, the primary first. A unit is a round trip.
    pub(crate) fn run(&self, peer: Peer, programs: &Programs, destinations: &[Destination]) -> Result<Run> {
        self.with_peer(peer, programs, destinations, |running, ends| {
            self.drive(Load::connect(running.address, self.shape, self.protocol.language())?, ends, running)
        })
    }

    /// Measures sources that come and go. A unit is a session.
    pub(crate) fn run_churn(
        &self,
        peer: Peer,
        programs: &Programs,
        destinations: &[Destination],
    ) -> Result<Run> {
        self.with_peer(peer, programs, destinations, |running, _| {
            self.drive_churn(Churn::new(running.address, self.shape)?, running)
        })
    }

    /// Measures clients of HTTP. A unit is a request.
    pub(crate) fn run_requests(
        &self,
        peer: Peer,
        programs: &Programs,
        destinations: &[Destination],
    ) -> Result<Run> {
        self.run_http(peer, programs, destinations, |load| load.latencies().len())
    }

    /// The same. A unit is a byte of a body.
    pub(crate) fn run_bodies(
        &self,
        peer: Peer,
        programs: &Programs,
        destinations: &[Destination],
    ) -> Result<Run> {
        self.run_http(peer, programs, destinations, Requests::bytes)
    }

    fn run_http(
        &self,
        peer: Peer,
        programs: &Programs,
        destinations: &[Destination],
        units: fn(&Requests) -> u64,
    ) -> Result<Run> {
        self.with_peer(peer, programs, destinations, |running, _| {
            let mut load = Requests::connect(running.address, self.shape)?;
            load.run_for(self.timing.warm_up)?;
            load.begin_measuring();
            let meter = Meter::start(&running.pids())?;
            load.run_for(self.timing.seconds)?;
            let run = meter.stop(units(&load) as f64, load.elapsed())?;
            // A long reply may take longer than a short run.
            Ok(if load.latencies().is_empty() { run } else { run.with_latencies(load.latencies()) })
        })
    }

    fn with_peer(
        &self,
        peer: Peer,
        programs: &Programs,
        destinations: &[Destination],
        drive: impl FnOnce(&mut Running, &mut [End]) -> Result<Run>,
    ) -> Result<Run> {
        let mut ends = destination::start_all(destinations)?;
        let front = Front::new(self.protocol, destination::addresses(&ends));
        let mut running = peer.start(programs, &front)?;
        let run = drive(&mut running, &mut ends);
        let run = run.with_context(|| format!("the run failed{}", running.last_words()))?;
        Ok(Run { settings: running.settings.clone(), ..run })
    }

    fn drive(&self, mut load: Load, ends: &mut [End], running: &mut Running) -> Result<Run> {
        load.greet()?;
        ends.iter().try_for_each(End::sessions_are_up)?;
        load.fill(self.fill)?;
        load.run_for(self.timing.warm_up)?;

        load.begin_measuring();
        let meter = Meter::start(&running.pids())?;
        load.run_for(self.timing.seconds)?;
        let (latencies, elapsed) = load.measured();
        let mut run = meter.stop(latencies.len() as f64, elapsed)?.with_latencies(latencies);

        load.drain()?;
        run.secondary_shares = destination::shares(ends, load.sent())?;
        run.report = running.report()?;
        let unclosed = load.finish()?;
        run.doubts.extend(doubts(unclosed, &run.secondary_shares));
        Ok(run)
    }

    fn drive_churn(&self, mut churn: Churn, running: &Running) -> Result<Run> {
        churn.run_for(self.timing.warm_up)?;
        churn.begin_measuring();
        let meter = Meter::start(&running.pids())?;
        churn.run_for(self.timing.seconds)?;
        let (latencies, elapsed) = churn.measured();
        let run = meter.stop(latencies.len() as f64, elapsed)?.with_latencies(latencies);
        churn.finish()?;
        Ok(run)
    }
}

fn doubts(unclosed: usize, shares: &[f64]) -> impl Iterator<Item = String> {
    let unclosed =
        (unclosed > 0).then(|| format!("{unclosed} connections were not ended after their source's FIN"));
    let least = shares.iter().copied().fold(1.0, f64::min);
    let shed =
        (least < 1.0).then(|| format!("a secondary received only {:.2} % of what was sent", least * 100.0));
    [unclosed, shed].into_iter().flatten()
}
