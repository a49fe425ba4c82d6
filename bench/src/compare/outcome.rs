//! What became of a case: its pairs of runs, the number that is looked at, and whether its limits are kept.

use serde::Serialize;

use super::case::Setup;
use crate::report::{Limit, Spread};
use crate::run::Run;

pub(super) const HEADING: [&str; 9] = [
    "case",
    "unit",
    "CPU us/unit",
    "units/s",
    "p50 us",
    "p99 us",
    "beside it, CPU us/unit",
    "median of pairs",
    "limit",
];

/// `beside` has a run for each of `runs`, made just before it, or none at all.
#[derive(Serialize)]
pub(super) struct Outcome {
    case: String,
    unit: &'static str,
    peer: &'static str,
    pub(super) beside: Vec<Run>,
    pub(super) runs: Vec<Run>,
    number: &'static str,
    /// The number of each pair, in their order.
    pairs: Vec<f64>,
    result: Option<Spread>,
    limit: Option<Limit>,
    /// What else was looked at and found in order.
    pub(super) notes: Vec<String>,
    /// What else had to be so, and was not.
    pub(super) broken: Vec<String>,
    /// Why there are fewer runs than asked for.
    problem: Option<String>,
    #[serde(skip)]
    is_failure: bool,
}

impl Outcome {
    pub(super) fn of(setup: &Setup) -> Self {
        Self {
            case: setup.name.to_owned(),
            unit: setup.work.unit(),
            peer: setup.beside.label(),
            beside: Vec::new(),
            runs: Vec::new(),
            number: setup.number.name(),
            pairs: Vec::new(),
            result: None,
            limit: setup.limit,
            notes: Vec::new(),
            broken: Vec::new(),
            problem: None,
            is_failure: false,
        }
    }

    pub(super) fn skipped(setup: &Setup, reason: String) -> Self {
        Self { problem: Some(reason), ..Self::of(setup) }
    }

    /// A part of a case, under a name of its own.
    pub(super) fn named(self, name: String, limit: Option<Limit>) -> Self {
        Self { case: name, limit, ..self }
    }

    pub(super) fn fail(&mut self, problem: &anyhow::Error) {
        self.problem = Some(format!("{problem:#}"));
        self.is_failure = true;
    }

    /// Takes one pair's runs, the peer's first.
    pub(super) fn add(&mut self, setup: &Setup, beside: Option<Run>, run: Run) {
        self.pairs.extend(setup.number.of(&run, beside.as_ref()));
        self.result = Spread::of(self.pairs.iter().copied());
        self.beside.extend(beside);
        self.runs.push(run);
    }

    /// Something that must be so besides the limit.
    pub(super) fn check(&mut self, what: &str, found: anyhow::Result<String>) {
        match found {
            Ok(note) => self.notes.push(format!("{what}: {note}")),
            Err(problem) => self.broken.push(format!("{what}: {problem:#}")),
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.is_failure
    }

    /// Whether the limit, if there is one, is known to be kept, and everything else is in order.
    pub(super) fn keeps_limits(&self) -> bool {
        let kept = |limit: Limit| self.result.is_some_and(|result| limit.is_kept_by(result.median));
        self.broken.is_empty() && self.limit.is_none_or(kept)
    }

    pub(super) fn row(&self) -> Vec<String> {
        let cell = |runs: &[Run], of: fn(&Run) -> f64| median(runs, of).map_or("-".to_owned(), short);
        let cpu = |run: &Run| run.cpu_seconds_per_unit() * 1e6;
        let result = self.result.map(|result| format!("{} {}", result.with_ends(2), self.number));
        let verdict = self.limit.map(|limit| limit.verdict(self.result.map(|result| result.median)));
        vec![
            self.case.clone(),
            self.unit.to_owned(),
            cell(&self.runs, cpu),
            cell(&self.runs, Run::units_per_second),
            cell(&self.runs, Run::p50_us),
            cell(&self.runs, Run::p99_us),
            format!("{} {}", self.peer, cell(&self.beside, cpu)),
            result.unwrap_or_else(|| "-".to_owned()),
            verdict.unwrap_or_default(),
        ]
    }

    /// What does not fit into the table.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        let how = if self.is_failure { "failed" } else { "skipped" };
        let problem = self.problem.iter().map(move |problem| format!("{how}: {problem}"));
        let broken = self.broken.iter().map(|broken| format!("BROKEN: {broken}"));
        problem.chain(broken).chain(self.notes.iter().cloned()).map(|text| format!("{} {text}\n", self.case))
    }
}

/// None of no runs, and of runs that do not tell.
fn median(runs: &[Run], of: fn(&Run) -> f64) -> Option<f64> {
    Spread::of(runs.iter().map(of)).map(|spread| spread.median).filter(|median| median.is_finite())
}

/// Three digits or more.
fn short(number: f64) -> String {
    let decimals = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Case;

    fn run(cpu_seconds: f64) -> Run {
        Run { units: 1e5, seconds: 1.0, cpu_seconds, ..Run::default() }
    }

    fn outcome(pairs: &[(f64, f64)]) -> Outcome {
        let setup = Case::Up.setup();
        let mut outcome = Outcome::of(&setup);
        for (beside, ours) in pairs {
            outcome.add(&setup, Some(run(*beside)), run(*ours));
        }
        outcome
    }

    #[test]
    fn it_is_the_median_of_ratios_and_not_the_ratio_of_medians() {
        let kept = outcome(&[(1.0, 1.0), (1.0, 1.125), (8.0, 9.0), (10.0, 9.0), (2.0, 4.0)]);
        assert_eq!(kept.result, Some(Spread { median: 1.125, min: 0.9, max: 2.0 }));
        assert!(kept.keeps_limits());
        assert!(!outcome(&[(1.0, 1.2)]).keeps_limits());
    }

    #[test]
    fn a_limit_without_a_pair_and_a_check_that_fails_are_broken() {
        assert!(!outcome(&[]).keeps_limits());

        let mut outcome = outcome(&[(1.0, 1.0)]);
        outcome.check("lies", Ok("3 found".to_owned()));
        assert!(outcome.keeps_limits());
        outcome.check("lies", Err(anyhow::anyhow!("not found")));
        assert!(!outcome.keeps_limits());
        assert_eq!(
            outcome.remarks().collect::<String>(),
            "up --shards 1, 1->1 BROKEN: lies: not found\nup --shards 1, 1->1 lies: 3 found\n"
        );
    }

    #[test]
    fn what_is_not_measured_is_a_dash() {
        let row = outcome(&[(1.0, 1.0)]).row();
        assert_eq!(row.len(), HEADING.len());
        assert_eq!(row[2..7], ["10.0", "100000", "-", "-", "HAProxy 10.0"].map(str::to_owned));
    }
}
