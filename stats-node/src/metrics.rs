//! Metrics: the summary as Prometheus has it, in its text format or as JSON.
//!
//! A family is a name, a kind, a word of help and its samples; [`families`] is all of them, in one place. By hand, since they
//! are made anew from a [`Summary`] each time: libraries keep live counters, and there is none here.

mod destinations;
mod exposition;
mod requests;
mod routes;

pub(crate) use self::exposition::{CONTENT_TYPE, text};
pub use self::exposition::{Family, Kind, Sample};
use self::{destinations::of_destinations, requests::of_requests, routes::of_routes};
use crate::{
    summary::{NodeSummary, Summary},
    teller::State,
};

/// All families. One without a sample is there nevertheless, so that it can be looked up.
pub fn families(summary: &Summary) -> Vec<Family> {
    let mut families = whole(summary);
    families.extend(of_routes(summary));
    families.extend(of_requests(summary));
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
            "Whether no primary is away, every route has a server, and no node is stale.",
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
    use runtime::report::{
        CacheReport, DestinationReport, Foo, Latency, Published, Report, Requests, RouteReport, Said,
        ServerReport, Sessions, Source,
    };

    use super::*;
    use crate::statistics::Statistics;

    const ODD: &str = "a \"b\"\\c\nd";

    fn requests() -> Requests {
        let counted = |name: &str, count| [(name.to_owned(), count)].into();
        let cache = CacheReport {
            counts: counted("hits", 5),
            unkept: counted("forbidden", 4),
            memory_bytes: 1_000,
            disk_bytes: 2_000,
        };
        let server = ServerReport { requests: 8, failures: 3, is_in_ring: true };
        let servers = [("server-1".to_owned(), server)].into();
        Requests {
            requests: 14,
            replies: counted("2xx", 13),
            cache: Some(cache),
            servers,
            ..Requests::default()
        }
    }

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
            http: Some(requests()),
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
            ("pegloom_http_requests_total", "", 14.0),
            ("pegloom_http_replies_total", "2xx", 13.0),
            ("pegloom_cache_events_total", "hits", 5.0),
            ("pegloom_cache_unkept_total", "forbidden", 4.0),
            ("pegloom_cache_held_bytes", "disk", 2_000.0),
            ("pegloom_server_requests_total", "server-1", 8.0),
            ("pegloom_server_failures_total", "server-1", 3.0),
            ("pegloom_server_in_ring", "server-1", 1.0),
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
