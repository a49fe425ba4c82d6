//! Statistics and events as lines for a pipe: the time, what kind of line it is, then fields that are always there and
//! always in this order, as `name=value`.
//!
//! A value is one word: what has spaces or quotes in it is quoted, what is not known is `-`. Nothing here is coloured.

use std::time::{Duration, UNIX_EPOCH};

use runtime::report::{Requests, RouteReport};
use serde_json::Value;
use stats_node::{RouteSummary, Summary, Told};

use super::{escapes::harmless, past::Past};

/// The kinds of events that have a line, and the fields of each.
const EVENTS: [(&str, &[&str]); 4] = [
    (
        "diverged",
        &[
            "route",
            "destination",
            "finding",
            "session",
            "offset",
            "request",
            "primary",
            "secondary",
            "left_out",
        ],
    ),
    ("away", &["route", "destination", "address", "cause"]),
    ("back", &["route", "destination", "address"]),
    ("worker_lost", &["route", "destination", "worker", "sessions", "why"]),
];

/// A line for each route of the latest statistics.
pub(crate) fn routes(past: &Past, now: u64) -> String {
    let Some(summary) = past.latest() else { return String::new() };
    summary.routes.iter().map(|route| line(summary, route, past, now)).collect()
}

fn line(summary: &Summary, route: &RouteSummary, past: &Past, now: u64) -> String {
    let (report, flow) = (&route.report, &route.flow);
    let latency =
        |percent| past.reply_micros(&report.route, percent).map_or("-".to_owned(), |at| at.to_string());
    let mut fields = vec![
        ("route", word(&report.route)),
        ("healthy", summary.is_healthy().to_string()),
        ("live", report.live().to_string()),
        ("frame_rate_1s", format!("{:.1}", flow.frame_rate_1s)),
        ("frame_rate_10s", format!("{:.1}", flow.frame_rate_10s)),
        ("byte_rate_1s", format!("{:.0}", flow.byte_rate_1s)),
        ("byte_rate_10s", format!("{:.0}", flow.byte_rate_10s)),
        ("p50_micros", latency(50)),
        ("p99_micros", latency(99)),
        ("in_flight", report.destinations.iter().map(|of| of.in_flight.frames).sum::<u64>().to_string()),
        ("shed", report.destinations.iter().map(|of| of.shed_total().frames).sum::<u64>().to_string()),
        ("diverged", diverged(report).to_string()),
        ("away", away(report)),
    ];
    fields.extend(report.http.iter().flat_map(of_requests));
    format!("{} route {}\n", time(now), joined(&fields))
}

/// What a route of `http://` has besides.
fn of_requests(requests: &Requests) -> [(&'static str, String); 3] {
    let out = requests.servers.iter().filter(|(_, server)| !server.is_in_ring);
    let out: Vec<&str> = out.map(|(name, _)| name.as_str()).collect();
    [
        ("requests", requests.requests.to_string()),
        ("hits", requests.hits().to_string()),
        ("out", if out.is_empty() { "-".to_owned() } else { word(&out.join(",")) }),
    ]
}

/// Divergences of all its destinations.
fn diverged(route: &RouteReport) -> u64 {
    let said = route.destinations.iter().filter_map(|destination| destination.said);
    said.map(|said| said.different + said.missing + said.extra).sum()
}

/// The destinations that are away, with commas between.
fn away(route: &RouteReport) -> String {
    let away = route.destinations.iter().filter(|destination| destination.is_away);
    let names: Vec<&str> = away.map(|destination| destination.destination.as_str()).collect();
    if names.is_empty() { "-".to_owned() } else { word(&names.join(",")) }
}

/// The line of an event, if it is one that has a line.
pub(crate) fn event(told: &Told) -> Option<String> {
    let event = &told.event.0;
    let kind = event["kind"].as_str()?;
    let (_, names) = EVENTS.iter().find(|(known, _)| *known == kind)?;
    let fields: Vec<_> = names.iter().map(|&name| (name, value(&event[name]))).collect();
    Some(format!("{} {kind} {}\n", time(told.time), joined(&fields)))
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => word(text),
        other => word(&other.to_string()),
    }
}

fn joined(fields: &[(&str, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Text as one word.
fn word(text: &str) -> String {
    let text = harmless(text);
    let is_word = !text.is_empty()
        && text != "-"
        && !text.contains(|at: char| at.is_whitespace() || "\"=\\".contains(at));
    // A sample has its quotes escaped already; text of another origin may not.
    if is_word { text } else { format!("\"{}\"", unescaped_quotes(&text)) }
}

fn unescaped_quotes(text: &str) -> String {
    super::escapes::units(text).into_iter().map(|unit| if unit == "\"" { "\\\"" } else { unit }).collect()
}

fn time(millis: u64) -> String {
    let since = UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(since).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proto::id::Incarnation;
    use serde_json::json;
    use stats_node::Said;

    use super::*;
    use crate::top::watch::tests::{diverged as divergence, summary};

    fn told(event: Value) -> Told {
        let (node, incarnation) = ("n".to_owned(), Incarnation(1));
        Told { node, incarnation, shard: 0, sequence: 1, time: 1_000, event: Said(event) }
    }

    #[test]
    fn a_route_is_a_line_of_fields_that_are_always_there() {
        let mut past = Past::default();
        assert_eq!(routes(&past, 0), "");
        past.take(Arc::new(summary(0)));
        assert_eq!(
            routes(&past, 61_000),
            "1970-01-01T00:01:01Z route route=main healthy=true live=0 frame_rate_1s=0.0 frame_rate_10s=0.0 \
             byte_rate_1s=0 byte_rate_10s=0 p50_micros=- p99_micros=- in_flight=0 shed=0 diverged=0 away=mirror\n"
        );
        past.take(Arc::new(summary(7)));
        let line = routes(&past, 0);
        assert!(
            line.contains(" live=7 frame_rate_1s=7.0 ")
                && line.contains(" p50_micros=4 p99_micros=8 ")
                && line.contains(" shed=7 diverged=7 "),
            "{line}"
        );
    }

    #[test]
    fn a_route_of_http_has_its_requests_at_the_end_of_its_line() {
        let mut past = Past::default();
        past.take(Arc::new(crate::top::watch::tests::http_summary(8)));
        let line = routes(&past, 0);
        assert!(line.ends_with(" away=- requests=8 hits=4 out=server-2\n"), "{line}");
    }

    #[test]
    fn a_divergence_is_a_line_with_both_replies_and_where_they_differ() {
        assert_eq!(
            event(&divergence(1, "say \\\"A\\\"\\n", "B", Some(4))).unwrap(),
            "1970-01-01T00:00:01Z diverged route=main destination=mirror finding=different session=s1 offset=4 \
             request=\"which?\\n\" primary=\"say \\\"A\\\"\\n\" secondary=B left_out=0\n"
        );
    }

    /// Fails if text of strangers can begin a line of its own, end a quote, or reach the terminal as it is.
    #[test]
    fn outages_are_lines_and_strangers_cannot_forge_them() {
        let away =
            json!({ "kind": "away", "route": "a b", "destination": "m\n\u{1b}[2J", "cause": "say \"x\"" });
        assert_eq!(
            event(&told(away)).unwrap(),
            "1970-01-01T00:00:01Z away route=\"a b\" destination=\"m\\u{a}\\u{1b}[2J\" address=- \
             cause=\"say \\\"x\\\"\"\n"
        );
        assert_eq!(event(&told(json!({ "kind": "session_ended" }))), None);
        assert_eq!(event(&told(json!(7))), None);
    }
}
