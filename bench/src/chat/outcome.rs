//! What became of a server: its runs, how they compare with nats-server's, and whether its limit is kept.

use serde::Serialize;

use crate::args::Server;
use crate::report::{Limit, Spread};
use crate::run::Run;

pub(super) const HEADING: [&str; 5] = ["server", "CPU us/delivery", "deliveries/s", "x nats-server", "limit"];

/// What the room may cost, as a multiple of nats-server.
const LIMIT: Limit = Limit::AtMost(2.0);

/// A run is none where it failed or there was no server, so that rounds stay beside each other.
#[derive(Serialize)]
pub(super) struct Outcome {
    server: &'static str,
    pub(super) runs: Vec<Option<Run>>,
    /// Of each round in which nats-server was measured too.
    ratios: Vec<f64>,
    result: Option<Spread>,
    limit: Option<Limit>,
    /// Why there are fewer runs than asked for.
    pub(super) problem: Option<String>,
    #[serde(skip)]
    pub(super) is_failure: bool,
}

impl Outcome {
    pub(super) fn of(server: Server) -> Self {
        Self {
            server: server.label(),
            runs: Vec::new(),
            ratios: Vec::new(),
            result: None,
            limit: (server == Server::Room).then_some(LIMIT),
            problem: None,
            is_failure: false,
        }
    }

    /// Takes its place beside nats-server, run by run.
    pub(super) fn compare(&mut self, beside: &[Option<Run>]) {
        let cpu = |run: &Option<Run>| run.as_ref().map(Run::cpu_seconds_per_unit);
        let ratio = |(run, beside)| Some(cpu(run)? / cpu(beside)?);
        self.ratios = self.runs.iter().zip(beside).filter_map(ratio).collect();
        self.result = Spread::of(self.ratios.iter().copied());
    }

    /// Whether the limit, if there is one, is known to be kept.
    pub(super) fn keeps_limit(&self) -> bool {
        let kept = |limit: Limit| self.result.is_some_and(|result| limit.is_kept_by(result.median));
        self.limit.is_none_or(kept)
    }

    pub(super) fn row(&self) -> Vec<String> {
        let spread = |of: fn(&Run) -> f64| Spread::of(self.runs.iter().flatten().map(of));
        let cell = |spread: Option<Spread>, decimals| {
            spread.map_or_else(|| "-".to_owned(), |spread| spread.with_ends(decimals))
        };
        let verdict = self.limit.map(|limit| limit.verdict(self.result.map(|result| result.median)));
        vec![
            self.server.to_owned(),
            cell(spread(|run| run.cpu_seconds_per_unit() * 1e6), 3),
            cell(spread(Run::units_per_second), 0),
            cell(self.result, 2),
            verdict.unwrap_or_default(),
        ]
    }

    /// What does not fit into the table.
    pub(super) fn remark(&self) -> Option<String> {
        let how = if self.is_failure { "failed" } else { "left out" };
        self.problem.as_ref().map(|problem| format!("{}: {how}: {problem}\n", self.server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of so many microseconds for each delivery.
    fn runs(times: &[Option<f64>]) -> Vec<Option<Run>> {
        let run = |cpu_seconds| Run { units: 1e6, seconds: 1.0, cpu_seconds, ..Run::default() };
        times.iter().map(|time| time.map(run)).collect()
    }

    fn room(times: &[Option<f64>], beside: &[Option<f64>]) -> Outcome {
        let mut outcome = Outcome { runs: runs(times), ..Outcome::of(Server::Room) };
        outcome.compare(&runs(beside));
        outcome
    }

    #[test]
    fn a_round_is_compared_with_itself_and_left_out_if_half_of_it_is_missing() {
        let outcome =
            room(&[Some(3.0), None, Some(9.0), Some(2.0)], &[Some(2.0), Some(1.0), None, Some(1.0)]);
        assert_eq!(outcome.ratios, [1.5, 2.0]);
        assert_eq!(outcome.result, Some(Spread { median: 1.75, min: 1.5, max: 2.0 }));
        assert!(outcome.keeps_limit());
    }

    #[test]
    fn a_limit_is_broken_beyond_it_and_without_a_number() {
        assert!(!room(&[Some(2.1)], &[Some(1.0)]).keeps_limit());
        assert!(!room(&[Some(1.0)], &[]).keeps_limit());
        assert!(Outcome::of(Server::Mosquitto).keeps_limit());
    }

    #[test]
    fn a_row_has_a_cell_for_each_heading_and_dashes_for_what_is_not_known() {
        let row = room(&[Some(0.5)], &[]).row();
        assert_eq!(row.len(), HEADING.len());
        assert_eq!(row[1..4], ["0.500 (0.500 to 0.500)", "1000000 (1000000 to 1000000)", "-"]);
        assert_eq!(row[4], "<= 2: unknown");
    }
}
