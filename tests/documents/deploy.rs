//! What stands under deploy/ for the tools people have: it names metrics, and they are there.

use std::collections::BTreeSet;

use crate::{markdown, names::operations, text};

const HISTOGRAM_PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The words in a text that look like metrics of ours.
fn metrics(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter| !is_part(letter)).filter(|word| word.starts_with("pegloom_"));
    words
        .map(|word| HISTOGRAM_PARTS.iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word))
        .collect()
}

/// Fails if a metric is renamed or dropped, and a dashboard or an alert still asks for it.
#[test]
fn dashboards_and_alerts_ask_for_metrics_that_are_there() {
    let exposed = markdown::column(&operations("## Metrics"), 0);
    for file in ["deploy/grafana/pegloom.json", "deploy/prometheus/alerts.yml"] {
        let text = text(file);
        let asked = metrics(&text);
        assert!(asked.len() > 5, "{file} asks for {asked:?}");
        let absent: Vec<_> = asked.iter().filter(|&&name| !exposed.contains(name)).collect();
        assert!(absent.is_empty(), "{file} asks for {absent:?}");
    }
}

/// Fails if the dashboard is no JSON, or a panel asks for nothing.
#[test]
fn the_dashboard_is_one() {
    let dashboard: serde_json::Value = serde_json::from_str(&text("deploy/grafana/pegloom.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5);
    for panel in panels {
        assert!(
            panel["targets"][0]["expr"].as_str().is_some_and(|expr| !expr.is_empty()),
            "{}",
            panel["title"]
        );
    }
}
