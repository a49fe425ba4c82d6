//! The whole fabric in one thread on virtual time, with everything going wrong that can: the shipped machines, seeded
//! faults, and what must hold looked at after every step.
//!
//! `plan` says what a seed means, `talking` what destinations say in it, `fabric` lets one thing happen after the other;
//! `invariants`, `endings` and `hearing` say what must hold. `datagrams` is a smaller world of its own, for sessions of
//! datagrams. `mutations.md` lists changes to the code it was seen to fail by.

mod datagrams;
mod destinations;
mod endings;
mod fabric;
mod faults;
mod hearing;
mod invariants;
mod nodes;
mod plan;
mod random;
mod scripts;
mod shells;
mod sockets;
mod sources;
mod talking;
mod trace;
mod wires;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use fabric::Fabric;
use plan::Plan;

/// Runs a plan; a failure is told with what went before it, and how to see it again.
fn run(seed: u64, plan: Plan, is_loud: bool) -> Result<Fabric, String> {
    let mut fabric = Fabric::new(plan, is_loud);
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| fabric.run())) else { return Ok(fabric) };
    if !is_loud {
        fabric.world.trace.print_tail();
    }
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default();
    Err(format!("PEGLOOM_SIM_SEED={seed:#x} at {}: {text}", fabric.world.now))
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    Some(parsed.unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Fails with all the runs that did.
fn assert_none(failures: &[String], runs: usize) {
    assert!(failures.is_empty(), "{} of {runs} runs failed:\n{}", failures.len(), failures.join("\n"));
}

fn seeds() -> Vec<u64> {
    match number("PEGLOOM_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("PEGLOOM_SIM_SEEDS").unwrap_or(500)).collect(),
    }
}

/// One in five, for what takes two runs or finds little.
fn some_seeds() -> Vec<u64> {
    seeds().into_iter().step_by(5).collect()
}

fn is_replay() -> bool {
    std::env::var_os("PEGLOOM_SIM_SEED").is_some()
}

#[test]
fn whatever_goes_wrong_the_invariants_hold() {
    let seeds = seeds();
    let failures: Vec<String> =
        seeds.iter().filter_map(|&seed| run(seed, Plan::of_seed(seed), is_replay()).err()).collect();
    assert_none(&failures, seeds.len());
}

/// S8: no false alarms, and no lie that is not found, however fast everybody is and however the streams are cut.
#[test]
fn secondaries_that_agree_never_diverge_and_those_that_lie_do() {
    let mut failures = Vec::new();
    let seeds = some_seeds();
    for &seed in &seeds {
        match run(seed, Plan::of_agreement(seed), is_replay()) {
            Ok(fabric) => failures
                .extend(fabric.misjudgement().map(|said| format!("PEGLOOM_SIM_SEED={seed:#x}: {said}"))),
            Err(failure) => failures.push(failure),
        }
    }
    assert_none(&failures, seeds.len());
}

/// S7 to S10.
#[test]
fn whatever_destinations_say_the_source_hears_what_it_should() {
    let seeds: Vec<u64> = seeds().into_iter().step_by(2).collect();
    let failures: Vec<String> =
        seeds.iter().filter_map(|&seed| run(seed, Plan::of_talk(seed), is_replay()).err()).collect();
    assert_none(&failures, seeds.len());
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..10 {
        for plan in [Plan::of_seed, Plan::of_talk] {
            let [first, second] =
                [(); 2].map(|()| run(seed, plan(seed), false).map(|fabric| fabric.world.trace.hash()));
            assert_eq!(first, second, "seed {seed}");
        }
    }
}

/// What a source and its primary saw: bytes and times.
fn transcripts(fabric: &Fabric) -> Vec<String> {
    let sources = fabric.world.sources.iter().map(|source| {
        format!("{:?} {:?} {:?} {:?}", source.transcript, source.closed, source.ending, source.received)
    });
    let primaries = fabric.world.sockets.iter().filter(|socket| socket.destination == 0);
    let primaries =
        primaries.map(|socket| format!("{} {:?} {:?}", socket.source, socket.transcript, socket.written));
    sources.chain(primaries).collect()
}

#[test]
fn whatever_secondaries_do_source_and_primary_see_the_same_at_the_same_times() {
    let mut failures = Vec::new();
    let seeds = some_seeds();
    for &seed in &seeds {
        let [well, ill] = [true, false].map(|is_well| {
            run(seed, Plan::for_comparison(seed, is_well), is_replay()).map(|fabric| transcripts(&fabric))
        });
        match (well, ill) {
            (Ok(well), Ok(ill)) => {
                if let Some(at) = (0..well.len().max(ill.len())).find(|&at| well.get(at) != ill.get(at)) {
                    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
                    failures.push(format!(
                        "PEGLOOM_SIM_SEED={seed:#x}: S4\n  {:.300}\n  {:.300}",
                        line(&well),
                        line(&ill)
                    ));
                }
            }
            (well, ill) => failures.extend(well.err().into_iter().chain(ill.err())),
        }
    }
    assert_none(&failures, seeds.len());
}

/// S4, with asks: the primary sees the same at the same times; the source too, but for asks, what they suppress and `hold`.
#[test]
fn asks_add_and_suppress_and_delay_by_no_more_than_hold() {
    let mut failures = Vec::new();
    let seeds = some_seeds();
    for &seed in &seeds {
        let [without, with] =
            [false, true].map(|may_ask| run(seed, Plan::for_asking(seed, may_ask), is_replay()));
        match (without, with) {
            (Ok(without), Ok(with)) => {
                let found = hearing::compare_asking(&without, &with).err();
                failures.extend(found.map(|what| format!("PEGLOOM_SIM_SEED={seed:#x}: {what}")));
            }
            (without, with) => failures.extend(without.err().into_iter().chain(with.err())),
        }
    }
    assert_none(&failures, seeds.len());
}
