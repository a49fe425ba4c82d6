//! `bench chat`: what a text costs a server for each member who gets it. One member speaks, the others listen; all
//! servers have the same load, and a run in which anything is lost, repeated or out of order is an error and no number.

mod audience;
mod dealers;
mod memory;
mod mqtt;
mod nats;
mod outcome;
pub(crate) mod relay;
mod server;
mod streams;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use self::memory::Memory;
use self::outcome::{HEADING, Outcome};
use self::server::Programs;
use crate::args::{ChatArgs, Server};
use crate::load::Shape;
use crate::machine::Machine;
use crate::progress;
use crate::report::{table, write_json};
use crate::run::{Meter, Run, Timing};

const USUAL: Shape = Shape { connections: 100, in_flight: 200, size: 100 };
/// Nothing at all heard for so long is a failure of the server.
const SILENCE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Report {
    machine: Machine,
    peers: [String; 2],
    shape: Shape,
    timing: Timing,
    servers: Vec<Outcome>,
    memory: Option<Memory>,
}

pub(crate) fn run(args: &ChatArgs) -> Result<ExitCode> {
    let (machine, programs, shape) = (Machine::here(), Programs::find(args), args.common.shape(USUAL));
    introduce(&machine, &programs, shape);
    ensure!(args.memory.is_none() || shape.connections > 1, "of one member, none would read");
    let memory = args.memory.map(|texts| Memory::measure(&programs, shape, texts)).transpose()?;
    let servers = if memory.is_some() { Vec::new() } else { measure(args, &programs, shape) };
    let (peers, timing) = (programs.describe(), args.common.timing());
    let report = Report { machine, peers, shape, timing, servers, memory };
    print!("{}", report.text());
    write_json(args.common.json.as_deref(), &report)?;
    Ok(report.exit_code(args.common.assert))
}

fn introduce(machine: &Machine, programs: &Programs, shape: Shape) {
    println!("{machine}");
    let Shape { connections, in_flight, size } = shape;
    println!("one speaker, {connections} members, {in_flight} texts of {size} bytes in flight");
    programs.describe().iter().for_each(|peer| println!("{peer}"));
    if let Some(doubt) = machine.doubts() {
        eprintln!("note: {doubt}");
    }
    if cfg!(debug_assertions) {
        eprintln!("note: this is a debug build; measure with --release");
    }
}

/// Round by round, so that what disturbs the machine for a while disturbs all.
fn measure(args: &ChatArgs, programs: &Programs, shape: Shape) -> Vec<Outcome> {
    let servers = args.servers();
    let mut outcomes: Vec<_> = servers.iter().map(|server| Outcome::of(*server)).collect();
    for (server, outcome) in servers.iter().zip(&mut outcomes) {
        outcome.problem = server.unavailable(programs);
    }
    for round in 1..=args.pairs() {
        for (server, outcome) in servers.iter().zip(&mut outcomes) {
            let is_left_out = outcome.problem.is_some();
            let run = (!is_left_out).then(|| measure_one(*server, programs, shape, args.common.timing()));
            if let Some(Ok(run)) = &run {
                say(args, *server, round, run);
            }
            if let Some(Err(problem)) = &run {
                (outcome.problem, outcome.is_failure) = (Some(format!("{problem:#}")), true);
            }
            outcome.runs.push(run.and_then(Result::ok));
        }
    }
    let beside = servers.iter().position(|server| *server == Server::Nats);
    let beside = beside.map(|index| outcomes[index].runs.clone()).unwrap_or_default();
    for outcome in &mut outcomes {
        outcome.compare(&beside);
    }
    outcomes
}

fn measure_one(server: Server, programs: &Programs, shape: Shape, timing: Timing) -> Result<Run> {
    let running = server.start(programs)?;
    let run = || {
        let mut clients = server.connect(&running, shape)?;
        clients.run_for(timing.warm_up)?;
        let (meter, begin, before) = (Meter::start(&running.pids())?, Instant::now(), clients.deliveries());
        clients.run_for(timing.seconds)?;
        let run = meter.stop((clients.deliveries() - before) as f64, begin.elapsed())?;
        clients.settle()?;
        Ok(run)
    };
    let run: Result<Run> = run();
    let run = run.with_context(|| format!("the run failed{}", running.last_words()))?;
    Ok(Run { settings: running.settings.clone(), ..run })
}

fn say(args: &ChatArgs, server: Server, round: u32, run: &Run) {
    let (label, cpu) = (server.label(), run.cpu_seconds_per_unit() * 1e6);
    let text = format!("round {round} of {}: {label}: {cpu:.3} us/delivery", args.pairs());
    progress::run(&text, run, args.common.verbose && round == 1);
}

impl Report {
    fn text(&self) -> String {
        if let Some(memory) = &self.memory {
            return memory.text();
        }
        let rows: Vec<_> = self.servers.iter().map(Outcome::row).collect();
        let remarks: String = self.servers.iter().filter_map(Outcome::remark).collect();
        format!("\n{}\n{remarks}", table(&HEADING, &rows))
    }

    fn exit_code(&self, asserts: bool) -> ExitCode {
        let failed = self.servers.iter().any(|outcome| outcome.is_failure);
        let broken = asserts && !self.servers.iter().all(Outcome::keeps_limit);
        if failed || broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
