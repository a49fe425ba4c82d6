//! The UDP case: first the highest rate at which the copier loses nothing, then pairs of runs at rates up to it.

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::case::Setup;
use super::outcome::Outcome;
use crate::load::Shape;
use crate::progress;
use crate::report::Spread;
use crate::run::{Run, Timing};
use crate::udp::rate::Search;
use crate::udp::{Plan, keeps_pace};

/// The highest rate is divided by these; the last is the one that the limits are about.
const PARTS: [u64; 3] = [4, 2, 1];

/// One outcome for each rate.
pub(super) fn measure(bench: &Bench, setup: &Setup, shape: Shape) -> Vec<Outcome> {
    let timing = bench.args.common.timing();
    let plan = Plan { shape, timing, receivers: setup.destinations };
    match highest_rate(bench, setup, plan) {
        Ok(highest) => PARTS.iter().map(|part| at_part(bench, setup, plan, highest, *part)).collect(),
        Err(problem) => {
            let mut outcome = Outcome::of(setup);
            outcome.fail(&problem.context("no rate was found to compare at"));
            vec![outcome]
        }
    }
}

fn highest_rate(bench: &Bench, setup: &Setup, plan: Plan) -> Result<u64> {
    // Short steps: what is found is looked at again, and for longer, by the pairs.
    let timing = Timing { warm_up: plan.timing.warm_up / 4, seconds: plan.timing.seconds / 3 };
    let (plan, mut search) = (Plan { timing, ..plan }, Search::new());
    while let Some(rate) = search.next() {
        let run = plan.run(setup.beside, bench.programs, rate)?;
        progress::run(
            &format!("{}: {} at {rate}/s: {}", setup.name, setup.beside.label(), loss(&run)),
            &run,
            false,
        );
        search.observe(run.lost == Some(0.0) && keeps_pace(&run, rate));
    }
    search.best().context("at the lowest it loses datagrams, or the sources are too slow for it")
}

fn at_part(bench: &Bench, setup: &Setup, plan: Plan, highest: u64, part: u64) -> Outcome {
    let (rate, is_highest) = (highest / part, part == 1);
    let name = format!("{}, {rate}/s", setup.name);
    let mut outcome = Outcome::of(setup).named(name.clone(), setup.limit.filter(|_| is_highest));
    if let Err(problem) =
        bench.measure_pairs(setup, &name, &mut outcome, |peer| plan.run(peer, bench.programs, rate))
    {
        outcome.fail(&problem);
    } else {
        let found = no_loss(&outcome);
        if is_highest { outcome.check("loss", found) } else { outcome.notes.push(losses(&outcome)) }
    }
    outcome
}

/// Beside a copier that loses nothing either; the median, since one hiccup of the machine is nobody's fault.
fn no_loss(outcome: &Outcome) -> Result<String> {
    let median =
        Spread::of(outcome.runs.iter().filter_map(|run| run.lost)).context("nothing was sent")?.median;
    ensure!(median == 0.0, "{}", losses(outcome));
    Ok(losses(outcome))
}

fn losses(outcome: &Outcome) -> String {
    let of = |runs: &[Run]| {
        let lost = runs.iter().filter_map(|run| run.lost).map(|lost| lost * 100.0);
        Spread::of(lost).map_or_else(|| "unknown".to_owned(), |lost| lost.with_ends(3))
    };
    format!("lost {} %, the copier {} %", of(&outcome.runs), of(&outcome.beside))
}

fn loss(run: &Run) -> String {
    format!("lost {:.3} %", run.lost.unwrap_or(f64::NAN) * 100.0)
}
