//! `bench stall`: what the source notices of a secondary that takes nothing, as ratios of its median latency and of
//! its throughput to those of a run without that secondary.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::args::{Baseline, StallArgs};
use crate::destination::Destination;
use crate::load::Shape;
use crate::machine::Machine;
use crate::measure::Plan;
use crate::peers::{Peer, Programs};
use crate::progress;
use crate::report::{Limit, Spread, table, write_json};
use crate::run::Run;

const USUAL: Shape = Shape { connections: 64, in_flight: 1, size: 100 };
const PEER: Peer = Peer::Up { shards: Some(1) };
const LATENCY_LIMIT: Limit = Limit::AtMost(1.05);
const THROUGHPUT_LIMIT: Limit = Limit::AtLeast(0.95);
const STALLED: [(&str, [Destination; 2]); 2] = [
    ("secondary never reads", [Destination::Echoes, Destination::NeverReads]),
    ("secondary is stopped", [Destination::Echoes, Destination::Stops]),
];
const HEADING: [&str; 7] =
    ["case", "p50 us", "round trips/s", "x p50 latency", "limit", "x throughput", "limit"];

#[derive(Serialize)]
struct Report {
    machine: Machine,
    baseline: Vec<Run>,
    stalled: Vec<Outcome>,
}

/// A kind of stall; its runs were made in the same rounds as the baseline's.
#[derive(Serialize)]
struct Outcome {
    case: &'static str,
    runs: Vec<Run>,
    latency_ratio: Option<Spread>,
    throughput_ratio: Option<Spread>,
}

pub(crate) fn run(args: &StallArgs) -> Result<ExitCode> {
    let machine = Machine::here();
    let programs = Programs::find(&args.common, 1);
    println!("{machine}");
    if let Some(reason) = PEER.unavailable(&programs) {
        println!("skipped: {reason}");
        return Ok(if args.common.assert { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    let report = measure(args, machine, &programs)?;
    print!("\n{}", report.text());
    write_json(args.common.json.as_deref(), &report)?;
    let broken = args.common.assert && !report.stalled.iter().all(Outcome::keeps_limits);
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(args: &StallArgs, machine: Machine, programs: &Programs) -> Result<Report> {
    let fill = u64::from(args.fill) * 1024;
    let plan = Plan { fill, ..Plan::of_lines(&args.common, USUAL) };
    let mut baseline = Vec::new();
    let mut stalled = STALLED.map(|_| Vec::new());
    for round in 1..=args.pairs() {
        let measure = |name: &str, destinations: &[Destination]| {
            let run = plan.run(PEER, programs, destinations)?;
            say(
                &format!("round {round} of {}: {name}", args.pairs()),
                &run,
                args.common.verbose && round == 1,
            );
            Ok::<_, anyhow::Error>(run)
        };
        baseline.push(measure(args.baseline.name(), args.baseline.destinations())?);
        for (runs, (name, destinations)) in stalled.iter_mut().zip(&STALLED) {
            runs.push(measure(name, destinations)?);
        }
    }
    let outcomes = STALLED.iter().zip(stalled).map(|((name, _), runs)| Outcome::of(name, runs, &baseline));
    Ok(Report { machine, stalled: outcomes.collect(), baseline })
}

fn say(progress: &str, run: &Run, with_settings: bool) {
    let (latency, pace) = (run.p50_us(), run.units_per_second());
    progress::run(&format!("{progress}: {latency:.0} us, {pace:.0} round trips/s"), run, with_settings);
}

impl Baseline {
    fn name(self) -> &'static str {
        match self {
            Self::Alone => "primary alone",
            Self::Healthy => "secondary echoes",
        }
    }

    fn destinations(self) -> &'static [Destination] {
        match self {
            Self::Alone => &[Destination::Echoes],
            Self::Healthy => &[Destination::Echoes; 2],
        }
    }
}

impl Outcome {
    fn of(case: &'static str, runs: Vec<Run>, baseline: &[Run]) -> Self {
        let ratios =
            |of: fn(&Run) -> f64| Spread::of(runs.iter().zip(baseline).map(|(run, base)| of(run) / of(base)));
        let latency_ratio = ratios(Run::p50_us);
        let throughput_ratio = ratios(Run::units_per_second);
        Self { case, runs, latency_ratio, throughput_ratio }
    }

    fn keeps_limits(&self) -> bool {
        let kept =
            |ratio: Option<Spread>, limit: Limit| ratio.is_some_and(|ratio| limit.is_kept_by(ratio.median));
        kept(self.latency_ratio, LATENCY_LIMIT) && kept(self.throughput_ratio, THROUGHPUT_LIMIT)
    }

    fn row(&self) -> Vec<String> {
        let ratio = |ratio: Option<Spread>| ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.with_ends(3));
        let median = |ratio: Option<Spread>| ratio.map(|ratio| ratio.median);
        let mut cells = absolute(self.case, &self.runs);
        cells.extend([
            ratio(self.latency_ratio),
            LATENCY_LIMIT.verdict(median(self.latency_ratio)),
            ratio(self.throughput_ratio),
            THROUGHPUT_LIMIT.verdict(median(self.throughput_ratio)),
        ]);
        cells
    }
}

impl Report {
    fn text(&self) -> String {
        let mut baseline = absolute("without a stall", &self.baseline);
        baseline.extend(["1", "", "1", ""].map(str::to_owned));
        let rows: Vec<_> = std::iter::once(baseline).chain(self.stalled.iter().map(Outcome::row)).collect();
        table(&HEADING, &rows)
    }
}

fn absolute(name: &str, runs: &[Run]) -> Vec<String> {
    let median =
        |of: fn(&Run) -> f64| Spread::of(runs.iter().map(of)).map_or(f64::NAN, |spread| spread.median);
    let latency = format!("{:.0}", median(Run::p50_us));
    vec![name.to_owned(), latency, format!("{:.0}", median(Run::units_per_second))]
}
