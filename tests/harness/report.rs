//! A report as a process prints it on a signal, and the accounting that must hold in every one.

use std::ops::Add;

use serde_json::Value;

pub(crate) struct Report(Value);

/// So many frames, so many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

impl Report {
    #[track_caller]
    pub(crate) fn parse(line: &str) -> Self {
        let value = serde_json::from_str(line);
        Self(value.unwrap_or_else(|error| panic!("a report is one line of JSON, not {line:?}: {error}")))
    }

    /// All of it.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn node(&self) -> &str {
        self.0["node"].as_str().unwrap_or_default()
    }

    /// Sessions by `"opened"`, `"ended"` or `"live"`.
    #[track_caller]
    pub(crate) fn sessions(&self, state: &str) -> u64 {
        number(&self.route()["sessions"][state])
    }

    /// What the source sent, all told.
    #[track_caller]
    pub(crate) fn source_received(&self) -> Volume {
        volume(&self.route()["source"]["received"])
    }

    /// Messages of the Foo protocol: REQ, ACK, NAK, and the invalid lines of sources and of the primary.
    #[track_caller]
    pub(crate) fn messages(&self) -> [u64; 5] {
        ["req", "ack", "nak", "invalid_source", "invalid_primary"]
            .map(|kind| number(&self.route()["foo"][kind]))
    }

    /// How many replies were timed, and the sum of the histogram's buckets.
    #[track_caller]
    pub(crate) fn replies_timed(&self) -> (u64, u64) {
        let latency = &self.route()["latency"];
        let buckets = latency["buckets"].as_array().expect("a histogram has buckets");
        (number(&latency["count"]), buckets.iter().map(number).sum())
    }

    /// One of the volumes of a destination: `"accepted"`, `"delivered"`, `"in_flight"`, `"spooled"`, `"received"`.
    #[track_caller]
    pub(crate) fn volume(&self, destination: &str, term: &str) -> Volume {
        volume(&self.destination(destination)[term])
    }

    /// What was shed for one reason; nothing where the reason is not named.
    #[track_caller]
    pub(crate) fn shed(&self, destination: &str, reason: &str) -> Volume {
        self.destination(destination)["shed"].get(reason).map(volume).unwrap_or_default()
    }

    /// A counter of what came from sources and went to them.
    #[track_caller]
    pub(crate) fn source_count(&self, counter: &str) -> u64 {
        number(&self.route()["source"][counter])
    }

    #[track_caller]
    pub(crate) fn count(&self, destination: &str, counter: &str) -> u64 {
        number(&self.destination(destination)[counter])
    }

    /// Nothing is on its way and nobody is there to send more.
    pub(crate) fn is_at_rest(&self) -> bool {
        let idle = |destination: &Value| volume(&destination["in_flight"]) == Volume::default();
        self.sessions("live") == 0 && self.destinations().iter().all(idle)
    }

    /// S13 for every destination: what was offered is delivered, on its way, on disk or shed.
    #[track_caller]
    pub(crate) fn balanced(&self) -> &Self {
        assert!(!self.destinations().is_empty(), "a report without destinations: {}", self.0);
        for destination in self.destinations() {
            let left = imbalance(destination);
            assert!(left == (0, 0), "S13 is off by {left:?} (frames, bytes) in {destination}");
        }
        self
    }

    #[track_caller]
    fn route(&self) -> &Value {
        self.0["routes"].get(0).unwrap_or_else(|| panic!("a report without routes: {}", self.0))
    }

    #[track_caller]
    fn destinations(&self) -> &[Value] {
        self.route()["destinations"].as_array().map_or(&[], Vec::as_slice)
    }

    #[track_caller]
    pub(crate) fn destination(&self, name: &str) -> &Value {
        let found = self.destinations().iter().find(|destination| destination["destination"] == name);
        found.unwrap_or_else(|| panic!("no destination {name:?} in {}", self.0))
    }
}

/// Accepted less all the terms it should be the sum of.
#[track_caller]
fn imbalance(destination: &Value) -> (i128, i128) {
    let shed = destination["shed"].as_object().expect("shed is an object of reasons");
    let kept = ["delivered", "in_flight", "spooled"].map(|term| volume(&destination[term]));
    let sum = kept.into_iter().chain(shed.values().map(volume)).fold(Volume::default(), Add::add);
    let accepted = volume(&destination["accepted"]);
    let off = |accepted: u64, sum: u64| i128::from(accepted) - i128::from(sum);
    (off(accepted.frames, sum.frames), off(accepted.bytes, sum.bytes))
}

#[track_caller]
fn volume(value: &Value) -> Volume {
    Volume { frames: number(&value["frames"]), bytes: number(&value["bytes"]) }
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a counter is a number, not {value}"))
}

impl Add for Volume {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { frames: self.frames + other.frames, bytes: self.bytes + other.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(delivered: u64, away: u64) -> Report {
        let frames = |frames: u64| format!(r#"{{"frames":{frames},"bytes":{}}}"#, frames * 10);
        Report::parse(&format!(
            r#"{{"node":"up","routes":[{{"sessions":{{"live":0}},"destinations":[{{"destination":"primary",
            "accepted":{},"delivered":{},"in_flight":{},"spooled":{},"shed":{{"away":{}}}}}]}}]}}"#,
            frames(9),
            frames(delivered),
            frames(0),
            frames(0),
            frames(away)
        ))
    }

    #[test]
    fn a_report_whose_terms_add_up_is_balanced() {
        let report = report(6, 3);
        report.balanced();
        assert!(report.is_at_rest());
        assert_eq!(report.shed("primary", "away"), Volume { frames: 3, bytes: 30 });
        assert_eq!(report.shed("primary", "window_full"), Volume::default());
    }

    #[test]
    #[should_panic(expected = "S13 is off by (1, 10)")]
    fn a_frame_that_is_nowhere_is_found() {
        report(6, 2).balanced();
    }
}
