//! The text format of Prometheus, and what is written in it: families of samples.

use std::fmt::Write as _;

use serde::Serialize;

/// What `/metrics` answers with.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a family's values move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// Buckets that hold all that is not above them.
    Histogram,
}

/// Everything under one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How its values move.
    pub kind: Kind,
    /// What it counts.
    pub help: &'static str,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// What follows the family's name.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub suffix: &'static str,
    /// Of what.
    pub labels: Vec<(&'static str, String)>,
    /// How much.
    pub value: f64,
}

/// The text format, version 0.0.4.
pub(crate) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let Family { name, kind, help, .. } = family;
        let kind = format!("{kind:?}").to_lowercase();
        // A string takes all text.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in &family.samples {
            let _ = writeln!(text, "{name}{}{} {}", sample.suffix, braced(&sample.labels), sample.value);
        }
    }
    text
}

fn braced(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", labels.join(","))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
