//! `bench tcp`: each case against HAProxy, run and run about, as the median ratio of CPU time per round trip.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::args::{Case, TcpArgs};
use crate::machine::Machine;
use crate::measure::{Destination, Plan, Run};
use crate::peers::{Peer, Programs};
use crate::report::{Limit, Spread, table, write_json};

const HEADING: [&str; 7] =
    ["case", "CPU us/round trip", "round trips/s", "p50 us", "p99 us", "x HAProxy", "limit of the ratio"];

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor 1->1",
            Self::Up => "up --shards 1, 1->1",
            Self::UpDefault => "up, 1->1",
            Self::Distributed => "ingress+fanout tcp, 1->1",
            Self::UpThree => "up --shards 1, 1->3",
        }
    }

    fn peer(self) -> Peer {
        match self {
            Self::Floor => Peer::Floor,
            Self::Up | Self::UpThree => Peer::Up { shards: Some(1) },
            Self::UpDefault => Peer::Up { shards: None },
            Self::Distributed => Peer::Distributed,
        }
    }

    fn destinations(self) -> &'static [Destination] {
        match self {
            Self::UpThree => &[Destination::Echoes; 3],
            _ => &[Destination::Echoes],
        }
    }

    /// What the fabric may cost, as a multiple of what HAProxy does.
    fn limit(self) -> Option<Limit> {
        match self {
            Self::Up | Self::UpDefault => Some(Limit::AtMost(1.25)),
            Self::Distributed => Some(Limit::AtMost(1.6)),
            Self::Floor | Self::UpThree => None,
        }
    }
}

#[derive(Serialize)]
struct Report {
    machine: Machine,
    haproxy: Option<String>,
    haproxy_threads: u32,
    connections: u32,
    in_flight: u32,
    size: u32,
    cases: Vec<Outcome>,
}

/// What became of a case. `haproxy` has a run for each of `runs`, made just before it, or none at all.
#[derive(Serialize)]
struct Outcome {
    case: &'static str,
    haproxy: Vec<Run>,
    runs: Vec<Run>,
    ratio: Option<Spread>,
    limit: Option<Limit>,
    /// Why there are fewer runs than asked for.
    problem: Option<String>,
    #[serde(skip)]
    failed: bool,
}

pub(crate) fn run(args: &TcpArgs) -> Result<ExitCode> {
    let machine = Machine::here();
    let programs = Programs::find(&args.common);
    introduce(args, &machine, &programs);
    let bench = Bench { args, programs: &programs, plan: Plan::new(&args.common, 0) };
    let cases = selected(args).into_iter().map(|case| bench.measure(case)).collect();
    let report = Report {
        machine,
        haproxy: programs.haproxy_version().map(str::to_owned),
        haproxy_threads: args.haproxy_threads,
        connections: args.common.connections,
        in_flight: args.common.in_flight,
        size: args.common.size,
        cases,
    };
    print!("{}", report.text());
    write_json(args.common.json.as_deref(), &report)?;
    Ok(report.exit_code(args.common.assert))
}

fn introduce(args: &TcpArgs, machine: &Machine, programs: &Programs) {
    let common = &args.common;
    println!("{machine}");
    println!(
        "{} connections, {} lines of {} bytes in flight on each, {} pairs of runs of {:?}",
        common.connections, common.in_flight, common.size, args.pairs, common.seconds
    );
    match Peer::unavailable(haproxy(args), programs) {
        Some(reason) => println!("HAProxy skipped, so there are no ratios: {reason}"),
        None => println!(
            "HAProxy {}, nbthread {}",
            programs.haproxy_version().unwrap_or("?"),
            args.haproxy_threads
        ),
    }
    if let Some(doubt) = machine.doubts() {
        eprintln!("note: {doubt}");
    }
    if cfg!(debug_assertions) {
        eprintln!("note: this is a debug build; measure with --release");
    }
}

fn selected(args: &TcpArgs) -> Vec<Case> {
    if args.cases.is_empty() { Case::value_variants().to_vec() } else { args.cases.clone() }
}

fn haproxy(args: &TcpArgs) -> Peer {
    Peer::Haproxy { threads: args.haproxy_threads }
}

struct Bench<'a> {
    args: &'a TcpArgs,
    programs: &'a Programs,
    plan: Plan,
}

impl Bench<'_> {
    fn measure(&self, case: Case) -> Outcome {
        let mut outcome = Outcome::of(case);
        if let Some(reason) = case.peer().unavailable(self.programs) {
            eprintln!("{}: skipped: {reason}", case.name());
            outcome.problem = Some(reason);
            return outcome;
        }
        if let Err(problem) = self.measure_pairs(case, &mut outcome) {
            eprintln!("{}: failed: {problem:#}", case.name());
            outcome.problem = Some(format!("{problem:#}"));
            outcome.failed = true;
        }
        outcome.ratio = Spread::of(outcome.ratios());
        outcome
    }

    fn measure_pairs(&self, case: Case, outcome: &mut Outcome) -> Result<()> {
        let has_haproxy = haproxy(self.args).unavailable(self.programs).is_none();
        for pair in 0..self.args.pairs {
            let progress = format!("{}: pair {} of {}", case.name(), pair + 1, self.args.pairs);
            let haproxy = has_haproxy.then(|| self.measure_haproxy(&progress, pair == 0)).transpose()?;
            let run = self.plan.run(case.peer(), self.programs, case.destinations())?;
            self.say(&format!("{progress}: {}", case.peer().label()), &run, pair == 0);
            outcome.haproxy.extend(haproxy);
            outcome.runs.push(run);
        }
        Ok(())
    }

    fn measure_haproxy(&self, progress: &str, first: bool) -> Result<Run> {
        let run = self.plan.run(haproxy(self.args), self.programs, &[Destination::Echoes])?;
        self.say(&format!("{progress}: HAProxy"), &run, first);
        Ok(run)
    }

    fn say(&self, progress: &str, run: &Run, first: bool) {
        if self.args.common.verbose && first {
            eprintln!("{}", run.settings);
        }
        eprintln!("{progress}: {:.2} us", run.cpu_us_per_round_trip());
        for doubt in &run.doubts {
            eprintln!("  note: {doubt}");
        }
    }
}

impl Outcome {
    fn of(case: Case) -> Self {
        let (haproxy, runs) = (Vec::new(), Vec::new());
        Self {
            case: case.name(),
            haproxy,
            runs,
            ratio: None,
            limit: case.limit(),
            problem: None,
            failed: false,
        }
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        let pairs = self.runs.iter().zip(&self.haproxy);
        pairs.map(|(run, haproxy)| run.cpu_us_per_round_trip() / haproxy.cpu_us_per_round_trip())
    }

    fn row(&self) -> Vec<String> {
        let ratio = self.ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.with_ends(2));
        let verdict = self.limit.map(|limit| limit.verdict(self.ratio.map(|ratio| ratio.median)));
        row(self.case, &self.runs, ratio, verdict.unwrap_or_default())
    }

    /// Whether the limit, if there is one, is known to be kept.
    fn keeps_limit(&self) -> bool {
        let kept = |limit: Limit| self.ratio.is_some_and(|ratio| limit.is_kept_by(ratio.median));
        self.limit.is_none_or(kept)
    }
}

impl Report {
    fn text(&self) -> String {
        let haproxy: Vec<Run> = self.cases.iter().flat_map(|outcome| outcome.haproxy.clone()).collect();
        let mut rows = vec![row("HAProxy 1->1", &haproxy, "1".to_owned(), String::new())];
        rows.extend(self.cases.iter().map(Outcome::row));
        let problems = self.cases.iter().filter_map(|outcome| Some((outcome, outcome.problem.as_ref()?)));
        let said = problems.map(|(outcome, problem)| {
            format!("{} {}: {problem}\n", outcome.case, if outcome.failed { "failed" } else { "skipped" })
        });
        format!("\n{}\n{}", table(&HEADING, &rows), said.collect::<String>())
    }

    fn exit_code(&self, asserts: bool) -> ExitCode {
        let failed = self.cases.iter().any(|outcome| outcome.failed);
        let broken = asserts && !self.cases.iter().all(Outcome::keeps_limit);
        if failed || broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

fn row(name: &str, runs: &[Run], ratio: String, verdict: String) -> Vec<String> {
    let spread = |of: fn(&Run) -> f64| Spread::of(runs.iter().map(of));
    let Some(cpu) = spread(Run::cpu_us_per_round_trip) else {
        let mut cells = vec![name.to_owned()];
        cells.extend(["-"; 5].map(str::to_owned));
        cells.push(verdict);
        return cells;
    };
    let median = |of: fn(&Run) -> f64| format!("{:.0}", spread(of).map_or(f64::NAN, |spread| spread.median));
    vec![
        name.to_owned(),
        cpu.with_ends(2),
        median(Run::round_trips_per_second),
        median(|run| run.latency_p50_us),
        median(|run| run.latency_p99_us),
        ratio,
        verdict,
    ]
}
