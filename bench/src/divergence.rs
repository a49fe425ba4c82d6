//! Whether pegloom says what the secondaries did: nothing against those that echo, and every lie of one that lies. It is
//! asked by its report; a report without these counters is an error, never a pass.

use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::destination::{self, Destination};
use crate::load::Load;
use crate::measure::Plan;
use crate::peers::{Front, Peer, Programs, Running};

const LIE_EVERY: NonZeroU32 = NonZeroU32::new(1000).expect("it is not zero");
const REPLY_TIMEOUT: &str = "1s";
/// How long after the last line a lie may still be found: the reply timeout, and time for a busy machine.
const FOUND_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What a report says of one secondary's replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Compared {
    matched: u64,
    different: u64,
    missing: u64,
    extra: u64,
    uncompared: u64,
}

impl Compared {
    fn of(destination: &Value) -> Result<Self> {
        let count = |name| counter(destination, name);
        Ok(Self {
            matched: count("matched")?,
            different: count("different")?,
            missing: count("missing")?,
            extra: count("extra")?,
            uncompared: count("uncompared")?,
        })
    }

    fn is_accord(self) -> bool {
        self.matched > 0 && self.different + self.missing + self.extra == 0
    }

    /// Each lie is one difference, or a reply that is missing and another that is extra.
    fn is_every_lie_of(self, told: u64) -> bool {
        self.different + self.missing == told && self.different + self.extra == told
    }
}

/// Fails if a secondary that echoes is said to have done anything else, or was not compared.
pub(crate) fn none_was_reported(report: &Value) -> Result<()> {
    for (name, compared) in secondaries(report)? {
        ensure!(compared.is_accord(), "{name} said what the primary said, and the report says {compared:?}");
    }
    Ok(())
}

/// One more run, short, in which one of two secondaries lies: fails unless all its lies are found and nothing else is.
pub(crate) fn lies_are_found(plan: &Plan, peer: Peer, programs: &Programs) -> Result<String> {
    let kinds = [Destination::Echoes, Destination::Lies(LIE_EVERY), Destination::Echoes];
    let mut ends = destination::start_all(&kinds)?;
    let forward = destination::addresses(&ends);
    let front = Front { reply_timeout: Some(REPLY_TIMEOUT), ..Front::new(plan.protocol, forward) };
    let mut running = peer.start(programs, &front)?;
    let mut load = Load::connect(running.address, plan.shape, plan.protocol.language())?;
    load.run_for(plan.timing.warm_up + plan.timing.seconds)?;
    load.drain()?;
    destination::shares(&mut ends, load.sent())?;
    let told = ends[1].lies()?;
    ensure!(told > 0, "there were too few lines for a lie");
    await_discovery(&mut running, told)?;
    load.finish()?;
    Ok(format!("{told} lies, all found"))
}

fn await_discovery(running: &mut Running, told: u64) -> Result<()> {
    let deadline = Instant::now() + FOUND_TIMEOUT;
    loop {
        let report = running.report()?.context("this peer makes no report")?;
        let said = secondaries(&report)?;
        let [(_, liar), (_, honest)] = said.as_slice() else {
            anyhow::bail!("the report says {said:?} of two secondaries")
        };
        if liar.is_every_lie_of(told) && honest.is_accord() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{told} lies of the first secondary, and the report says {said:?}"
        );
        thread::sleep(POLL_INTERVAL);
    }
}

fn secondaries(report: &Value) -> Result<Vec<(String, Compared)>> {
    let destinations = report.pointer("/routes/0/destinations").and_then(Value::as_array);
    let secondaries = destinations.context("the report has no destinations")?.iter().skip(1);
    secondaries.map(|destination| Ok((name(destination), Compared::of(destination)?))).collect()
}

fn name(destination: &Value) -> String {
    destination.get("destination").and_then(Value::as_str).unwrap_or("a secondary").to_owned()
}

/// A counter of a destination, its own or in one of its groups of counters.
fn counter(destination: &Value, name: &str) -> Result<u64> {
    let groups = destination.as_object().into_iter().flat_map(|fields| fields.values());
    let places = std::iter::once(destination).chain(groups);
    let mut found = places.filter_map(|place| place.get(name)?.as_u64());
    found.next().with_context(|| format!("this pegloom does not count replies that are `{name}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(secondary: &Value) -> Value {
        json!({"routes": [{"destinations": [{"destination": "primary"}, secondary]}]})
    }

    #[test]
    fn counters_are_found_beside_the_others_or_in_a_group() {
        let counts = json!({"matched": 5, "different": 0, "missing": 0, "extra": 0, "uncompared": 1});
        let grouped = json!({"destination": "mirror", "shed": {}, "replies": counts});

        for secondary in [counts, grouped] {
            none_was_reported(&report(&secondary)).unwrap();
        }
    }

    #[test]
    fn counters_that_are_not_there_are_an_error_that_names_one() {
        let problem = none_was_reported(&report(&json!({"matched": 5}))).unwrap_err().to_string();
        assert!(problem.contains("`different`"), "{problem}");
        assert!(none_was_reported(&json!({})).is_err());
    }

    #[test]
    fn a_divergence_where_none_was_is_refused_and_so_is_not_comparing() {
        for (matched, extra) in [(5, 1), (0, 0)] {
            let counts =
                json!({"matched": matched, "different": 0, "missing": 0, "extra": extra, "uncompared": 0});
            assert!(none_was_reported(&report(&counts)).is_err(), "{counts}");
        }
    }

    #[test]
    fn a_lie_is_one_difference_or_a_missing_and_an_extra_reply() {
        let found = |different, missing, extra| {
            Compared { different, missing, extra, ..Compared::default() }.is_every_lie_of(3)
        };
        assert!(found(3, 0, 0) && found(2, 1, 1) && found(0, 3, 3));
        assert!(!found(2, 0, 0) && !found(4, 0, 0) && !found(3, 1, 0) && !found(3, 0, 1));
    }
}
