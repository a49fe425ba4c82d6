//! `bench compare`: each case beside a peer, run and run about, as the median of the pairs' ratios.

mod case;
mod outcome;
mod rising;

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use self::case::{Setup, Work};
use self::outcome::{HEADING, Outcome};
use crate::args::{Case, CompareArgs};
use crate::load::Shape;
use crate::machine::Machine;
use crate::measure::Plan;
use crate::peers::{Peer, Programs, Protocol};
use crate::report::{table, write_json};
use crate::run::{Run, Timing};
use crate::{divergence, foo, idle, progress};

#[derive(Serialize)]
struct Report {
    machine: Machine,
    peers: [String; 2],
    pairs: u32,
    timing: Timing,
    is_quick: bool,
    cases: Vec<Outcome>,
}

pub(crate) fn run(args: &CompareArgs) -> Result<ExitCode> {
    let machine = Machine::here();
    let programs = Programs::find(&args.common, args.haproxy_threads);
    introduce(args, &machine, &programs);
    let bench = Bench { args, programs: &programs };
    let cases = args.cases().into_iter().flat_map(|case| bench.measure(case)).collect();
    let report = Report {
        machine,
        peers: programs.describe(),
        pairs: args.pairs(),
        timing: args.common.timing(),
        is_quick: args.common.quick,
        cases,
    };
    print!("{}", report.text());
    write_json(args.common.json.as_deref(), &report)?;
    Ok(report.exit_code(args.common.assert))
}

fn introduce(args: &CompareArgs, machine: &Machine, programs: &Programs) {
    println!("{machine}");
    println!("{} pairs of runs of {:?}", args.pairs(), args.common.timing().seconds);
    programs.describe().iter().for_each(|peer| println!("{peer}"));
    if let Some(doubt) = machine.doubts() {
        eprintln!("note: {doubt}");
    }
    if cfg!(debug_assertions) {
        eprintln!("note: this is a debug build; measure with --release");
    }
}

struct Bench<'a> {
    args: &'a CompareArgs,
    programs: &'a Programs,
}

impl Bench<'_> {
    fn measure(&self, case: Case) -> Vec<Outcome> {
        let setup = case.setup();
        if let Some(reason) = setup.ours.unavailable(self.programs) {
            eprintln!("{}: skipped: {reason}", setup.name);
            return vec![Outcome::skipped(&setup, reason)];
        }
        let outcomes = match setup.work {
            Work::Datagrams(usual) => rising::measure(self, &setup, self.args.common.shape(usual)),
            _ => vec![self.measure_one(&setup)],
        };
        for problem in outcomes.iter().filter(|outcome| outcome.is_failure()).flat_map(Outcome::remarks) {
            eprint!("{problem}");
        }
        outcomes
    }

    fn measure_one(&self, setup: &Setup) -> Outcome {
        let mut outcome = Outcome::of(setup);
        let done = self.measure_pairs(setup, setup.name, &mut outcome, |peer| self.run(setup, peer));
        match done {
            Err(problem) => outcome.fail(&problem),
            Ok(()) if setup.destinations > 1 => self.check_divergence(setup, &mut outcome),
            Ok(()) if matches!(setup.work, Work::Foo(_)) => check_counts(&mut outcome),
            Ok(()) => {}
        }
        outcome
    }

    fn measure_pairs(
        &self,
        setup: &Setup,
        name: &str,
        outcome: &mut Outcome,
        measure: impl Fn(Peer) -> Result<Run>,
    ) -> Result<()> {
        let has_peer = setup.beside.unavailable(self.programs).is_none();
        for pair in 1..=self.args.pairs() {
            let measure = |peer: Peer| {
                let run = measure(peer)?;
                let progress = format!("{name}: pair {pair} of {}: {}", self.args.pairs(), peer.label());
                self.say(&progress, setup, &run, pair == 1);
                Ok::<_, anyhow::Error>(run)
            };
            let beside = has_peer.then(|| measure(setup.beside)).transpose()?;
            outcome.add(setup, beside, measure(setup.ours)?);
        }
        Ok(())
    }

    fn say(&self, progress: &str, setup: &Setup, run: &Run, is_first: bool) {
        let (cpu, unit) = (run.cpu_seconds_per_unit() * 1e6, setup.work.unit());
        let with_settings = self.args.common.verbose && is_first;
        progress::run(&format!("{progress}: {cpu:.2} us/{unit}"), run, with_settings);
    }

    /// One run of a peer, with as many destinations as it can have.
    fn run(&self, setup: &Setup, peer: Peer) -> Result<Run> {
        let count = if peer == setup.beside { 1 } else { setup.destinations };
        let Some(shape) = setup.work.shape() else { return self.idle_plan().run(peer, self.programs) };
        let destinations = vec![setup.work.destination(shape); count];
        let plan = self.plan(setup, shape);
        let run = match setup.work {
            Work::Requests(..) => plan.run_requests(peer, self.programs, &destinations)?,
            Work::Bodies(..) => plan.run_bodies(peer, self.programs, &destinations)?,
            Work::Churn(_) => plan.run_churn(peer, self.programs, &destinations)?,
            _ => plan.run(peer, self.programs, &destinations)?,
        };
        Ok(Run { units: run.units * setup.work.scale(plan.shape), ..run })
    }

    fn plan(&self, setup: &Setup, shape: Shape) -> Plan {
        let plan = Plan::of_lines(&self.args.common, shape);
        match setup.work {
            Work::Bulk(_) => Plan { protocol: Protocol::Bytes, ..plan },
            Work::Foo(_) => Plan { protocol: Protocol::Foo, ..plan },
            Work::Requests(_, replies) | Work::Bodies(_, replies) => {
                Plan { protocol: Protocol::Http(replies), ..plan }
            }
            _ => plan,
        }
    }

    fn idle_plan(&self) -> idle::Plan {
        if self.args.common.quick {
            idle::Plan { few: 200, many: 2_000 }
        } else {
            idle::Plan { few: 1_000, many: 10_000 }
        }
    }

    fn check_divergence(&self, setup: &Setup, outcome: &mut Outcome) {
        let reports = outcome.runs.iter().filter_map(|run| run.report.as_ref());
        let accord = reports.map(divergence::none_was_reported).collect::<Result<Vec<()>>>();
        outcome
            .check("secondaries that echo", accord.map(|runs| format!("in accord in {} runs", runs.len())));
        let Some(shape) = setup.work.shape() else { return };
        progress::say(&format!("{}: with a secondary that lies", setup.name));
        let lies = divergence::lies_are_found(&self.plan(setup, shape), setup.ours, self.programs);
        outcome.check("a secondary that lies", lies);
    }
}

fn check_counts(outcome: &mut Outcome) {
    let counts = |run: &Run| {
        let report = run.report.as_ref().context("a run has no report")?;
        foo::all_was_counted(report, run.units)
    };
    let counted = outcome.runs.iter().map(counts).collect::<Result<Vec<()>>>();
    outcome.check("messages", counted.map(|runs| format!("all counted in {} runs", runs.len())));
}

impl Report {
    fn text(&self) -> String {
        let rows: Vec<_> = self.cases.iter().map(Outcome::row).collect();
        let remarks: String = self.cases.iter().flat_map(Outcome::remarks).collect();
        format!("\n{}\n{remarks}", table(&HEADING, &rows))
    }

    fn exit_code(&self, asserts: bool) -> ExitCode {
        let failed = self.cases.iter().any(Outcome::is_failure);
        let broken = asserts && !self.cases.iter().all(Outcome::keeps_limits);
        if failed || broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
