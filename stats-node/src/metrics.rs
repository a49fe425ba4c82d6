//! Metrics: the summary as Prometheus has it, in its text format or as JSON.
//!
//! A family is a name, a kind, a word of help and its samples; [`families`] is all of them, in one place. By hand, since they
//! are made anew from a [`Summary`] each time: libraries keep live counters, and there is none here.

mod destinations;
mod exposition;

use runtime::report::{Latency, RouteReport};

use self::destinations::of_destinations;
pub(crate) use self::exposition::{CONTENT_TYPE, text};
pub use self::exposition::{Family, Kind, Sample};
use crate::{
    summary::{NodeSummary, Summary},
    teller::State,
};

/// All families. One without a sample is there nevertheless, so that it can be looked up.
pub fn families(summary: &Summary) -> Vec<Family> {
    let mut families = whole(summary);
    families.extend(of_routes(summary));
    families.extend(of_destinations(summary));
    families.extend(of_nodes(summary));
    families
}

fn family(name: &'static str, kind: Kind, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { name, kind, help, samples }
}

fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    family(name, Kind::Counter, help, samples)
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    family(name, Kind::Gauge, help, samples)
}

fn sample(labels: Vec<(&'static str, String)>, value: f64) -> Sample {
    Sample { suffix: "", labels, value }
}

#[expect(clippy::cast_precision_loss, reason = "the format knows floats only")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn truth(is_so: bool) -> f64 {
    float(u64::from(is_so))
}

/// What belongs to no part.
fn whole(summary: &Summary) -> Vec<Family> {
    let alone = |value: f64| vec![sample(Vec::new(), value)];
    let per = |span: &str, value: f64| sample(vec![("window", span.to_owned())], value);
    let rates = summary.rates;
    vec![
        gauge(
            "pegloom_healthy",
            "Whether no primary is away and no node is stale.",
            alone(truth(summary.is_healthy())),
        ),
        gauge(
            "pegloom_request_rate",
            "Foo requests a second, in a moving window.",
            vec![per("1s", rates.request_rate_1s), per("10s", rates.request_rate_10s)],
        ),
        gauge(
            "pegloom_response_rate",
            "Foo responses a second, in a moving window.",
            vec![per("1s", rates.response_rate_1s), per("10s", rates.response_rate_10s)],
        ),
        counter(
            "pegloom_reports_passed_over_total",
            "Reports that were repeated, late, or of a node that is long over.",
            alone(float(summary.passed_over)),
        ),
        counter(
            "pegloom_reports_unreadable_total",
            "Messages that were no reports.",
            alone(float(summary.unreadable)),
        ),
        counter(
            "pegloom_links_total",
            "What happened on the links between nodes.",
            summary
                .links
                .iter()
                .map(|(event, &count)| sample(vec![("event", event.clone())], float(count)))
                .collect(),
        ),
    ]
}

/// One value a route.
fn by_route(summary: &Summary, value: impl Fn(&RouteReport) -> Option<u64>) -> Vec<Sample> {
    let of_route = |report: &RouteReport| {
        value(report).map(|value| sample(vec![("route", report.route.clone())], float(value)))
    };
    summary.routes.iter().filter_map(|route| of_route(&route.report)).collect()
}

/// Several values a route, told apart by a label.
fn by_route_and<const N: usize>(
    summary: &Summary,
    label: &'static str,
    values: impl Fn(&RouteReport) -> Option<[(&'static str, u64); N]>,
) -> Vec<Sample> {
    let of_route = |report: &RouteReport| {
        let route = report.route.clone();
        let labelled = move |(name, value): (&str, u64)| {
            sample(vec![("route", route.clone()), (label, name.to_owned())], float(value))
        };
        values(report).into_iter().flatten().map(labelled).collect::<Vec<_>>()
    };
    summary.routes.iter().flat_map(|route| of_route(&route.report)).collect()
}

fn of_routes(summary: &Summary) -> Vec<Family> {
    vec![
        counter(
            "pegloom_foo_messages_total",
            "Messages of the Foo protocol.",
            by_route_and(summary, "type", |route| {
                route.foo.map(|of| [("req", of.req), ("ack", of.ack), ("nak", of.nak)])
            }),
        ),
        counter(
            "pegloom_foo_invalid_total",
            "Lines that are no messages of the Foo protocol.",
            by_route_and(summary, "from", |route| {
                route.foo.map(|of| [("source", of.invalid_source), ("primary", of.invalid_primary)])
            }),
        ),
        counter(
            "pegloom_sessions_opened_total",
            "Sessions begun.",
            by_route(summary, |route| route.sessions.map(|sessions| sessions.opened)),
        ),
        counter(
            "pegloom_sessions_ended_total",
            "Sessions ended.",
            by_route(summary, |route| route.sessions.map(|sessions| sessions.ended)),
        ),
        gauge(
            "pegloom_sessions_live",
            "Sessions begun and not ended.",
            by_route(summary, |route| route.sessions.map(|sessions| sessions.live)),
        ),
        counter(
            "pegloom_sessions_turned_away_total",
            "Sources closed when they connected.",
            by_route(summary, |route| route.sessions.map(|sessions| sessions.turned_away)),
        ),
        counter(
            "pegloom_source_frames_total",
            "Frames between a route and its sources.",
            by_route_and(summary, "direction", |route| {
                route
                    .source
                    .map(|source| [("received", source.received.frames), ("sent", source.sent.frames)])
            }),
        ),
        counter(
            "pegloom_source_bytes_total",
            "Bytes between a route and its sources.",
            by_route_and(summary, "direction", |route| {
                route.source.map(|source| [("received", source.received.bytes), ("sent", source.sent.bytes)])
            }),
        ),
        counter(
            "pegloom_source_oversized_total",
            "Frames of sources longer than max_frame.",
            by_route(summary, |route| route.source.map(|source| source.oversized)),
        ),
        counter(
            "pegloom_source_forgotten_total",
            "Things said that were forgotten before dedup_window was over.",
            by_route(summary, |route| route.source.map(|source| source.forgotten)),
        ),
        counter(
            "pegloom_source_kernel_drops_total",
            "Datagrams of sources that the kernel dropped.",
            by_route(summary, |route| route.source.map(|source| source.kernel_drops)),
        ),
        counter(
            "pegloom_source_unsent_total",
            "Datagrams to sources that the kernel would not send.",
            by_route(summary, |route| route.source.map(|source| source.unsent)),
        ),
        family(
            "pegloom_reply_latency_seconds",
            Kind::Histogram,
            "How long the primary took to reply.",
            summary.routes.iter().flat_map(|route| latencies(&route.report)).collect(),
        ),
    ]
}

/// The buckets of a histogram are cumulative here, and in seconds.
fn latencies(route: &RouteReport) -> Vec<Sample> {
    let Some(Latency { buckets, sum_micros, count }) = &route.latency else { return Vec::new() };
    let label = |le: Option<String>| {
        let name = ("route", route.route.clone());
        std::iter::once(name).chain(le.map(|le| ("le", le))).collect::<Vec<_>>()
    };
    let (mut below, mut limit) = (0, 0.5e-6);
    let bucket = |count: &u64| {
        below += count;
        limit *= 2.0;
        Sample { suffix: "_bucket", labels: label(Some(limit.to_string())), value: float(below) }
    };
    let mut samples: Vec<Sample> = buckets.iter().map(bucket).collect();
    samples.push(Sample { suffix: "_bucket", labels: label(Some("+Inf".to_owned())), value: float(*count) });
    samples.push(Sample { suffix: "_sum", labels: label(None), value: float(*sum_micros) / 1e6 });
    samples.push(Sample { suffix: "_count", labels: label(None), value: float(*count) });
    samples
}

fn of_nodes(summary: &Summary) -> Vec<Family> {
    let one = |value: fn(&NodeSummary) -> f64| {
        let of_node = |node: &NodeSummary| {
            sample(vec![("node", node.name.clone()), ("kind", node.kind.clone())], value(node))
        };
        // One name is one series: the latest start.
        summary.nodes.iter().filter(|node| !node.is_superseded).map(of_node).collect()
    };
    vec![
        gauge("pegloom_node_live", "Whether a node reports.", one(|node| truth(node.state == State::Live))),
        gauge(
            "pegloom_node_stale",
            "Whether a node has been silent for 3 s, and not said goodbye.",
            one(|node| truth(node.state == State::Stale)),
        ),
        gauge("pegloom_node_shards", "Threads of a node that report.", one(|node| float(node.shards as u64))),
        gauge(
            "pegloom_node_silent_seconds",
            "Time since a node's last report.",
            one(|node| float(node.silent_millis) / 1000.0),
        ),
        gauge(
            "pegloom_node_start_seconds",
            "When a node started, since 1970.",
            one(|node| float(node.incarnation.0) / 1000.0),
        ),
        counter("pegloom_node_reports_total", "Reports taken of a node.", one(|node| float(node.reports))),
        counter(
            "pegloom_node_reports_lost_total",
            "Reports of a node that never came.",
            one(|node| float(node.lost)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use prometheus_parse::{Scrape, Value};
    use proto::{counters::Tally, id::Incarnation, time::Instant};
    use runtime::report::{DestinationReport, Foo, Published, Report, Said, Sessions, Source};

    use super::*;
    use crate::statistics::Statistics;

    const ODD: &str = "a \"b\"\\c\nd";

    fn summary() -> Summary {
        let shed = [("away".to_owned(), Tally::new(1, 2))].into();
        let said = Some(Said { matched: 9, ..Said::default() });
        let destination = DestinationReport {
            destination: "primary".to_owned(),
            role: "primary".to_owned(),
            accepted: Tally::new(1, 2),
            shed,
            said,
            ..DestinationReport::default()
        };
        let route = RouteReport {
            route: ODD.to_owned(),
            sessions: Some(Sessions { opened: 3, ..Sessions::default() }),
            source: Some(Source::default()),
            foo: Some(Foo { req: 7, ..Foo::default() }),
            latency: Some(Latency { buckets: vec![1, 0, 2], sum_micros: 2_000_000, count: 4 }),
            destinations: vec![destination],
            ..RouteReport::default()
        };
        let links = [("greetings".to_owned(), 2)].into();
        let report = Report { node: "ingress".to_owned(), routes: vec![route], links };
        let (node, incarnation) = ("i".to_owned(), Incarnation(5_000));
        let published =
            Published { node, incarnation, shard: 0, sequence: 1, time: 5_100, report, is_last: false };
        let mut statistics = Statistics::default();
        statistics.observe(published, Instant::ZERO);
        Summary::of(&statistics, "stats-node", Instant::ZERO)
    }

    fn scraped() -> Scrape {
        let text = text(&families(&summary()));
        Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap()
    }

    fn value(scrape: &Scrape, metric: &str, label: &str) -> f64 {
        let is_it = |sample: &&prometheus_parse::Sample| {
            sample.metric == metric
                && (label.is_empty() || sample.labels.values().any(|value| value == label))
        };
        match scrape.samples.iter().find(is_it).map(|sample| &sample.value) {
            Some(Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value)) => *value,
            other => panic!("{metric} {label}: {other:?}"),
        }
    }

    #[test]
    fn a_parser_reads_what_was_counted() {
        let scrape = scraped();
        for (metric, label, expected) in [
            ("pegloom_foo_messages_total", "req", 7.0),
            ("pegloom_sessions_opened_total", "", 3.0),
            ("pegloom_destination_shed_bytes_total", "away", 2.0),
            ("pegloom_destination_replies_total", "matched", 9.0),
            ("pegloom_destination_balanced", "", 1.0),
            ("pegloom_node_live", "i", 1.0),
            ("pegloom_node_start_seconds", "i", 5.0),
            ("pegloom_healthy", "", 1.0),
            ("pegloom_links_total", "greetings", 2.0),
        ] {
            assert!((value(&scrape, metric, label) - expected).abs() < 1e-9, "{metric}");
        }
    }

    #[test]
    fn histograms_are_cumulative_and_in_seconds() {
        let scrape = scraped();
        let is_it = |sample: &&prometheus_parse::Sample| sample.metric == "pegloom_reply_latency_seconds";
        let Value::Histogram(buckets) = &scrape.samples.iter().find(is_it).unwrap().value else { panic!() };
        let read: Vec<_> = buckets.iter().map(|bucket| (bucket.less_than, bucket.count)).collect();
        assert_eq!(read, [(1e-6, 1.0), (2e-6, 1.0), (4e-6, 3.0), (f64::INFINITY, 4.0)]);
    }

    /// Fails if a name with a quote or a line's end in it makes the text another.
    #[test]
    fn every_line_is_of_the_format_whatever_names_are_like() {
        let all = families(&summary());
        let text = text(&all);
        assert!(text.contains(r#"{route="a \"b\"\\c\nd",type="req"} 7"#), "{text}");
        for line in text.lines() {
            assert!(
                line.starts_with("# HELP pegloom_")
                    || line.starts_with("# TYPE pegloom_")
                    || line.starts_with("pegloom_"),
                "{line}"
            );
        }
        let is_name = |name: &str| name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_');
        for family in &all {
            assert!(is_name(family.name) && !family.samples.is_empty(), "{}", family.name);
            assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
        }
    }
}
