//! The metrics of routes of `http://`: requests and replies, the cache, and servers.
//!
//! A server is a destination, so its label is that of destinations.

use std::collections::BTreeMap;

use runtime::report::{CacheReport, Requests, ServerReport};

use super::{Family, Sample, counter, float, gauge, routes::by_route, sample};
use crate::summary::Summary;

pub(super) fn of_requests(summary: &Summary) -> Vec<Family> {
    let mut families = requests(summary);
    families.extend(cache(summary));
    families.extend(servers(summary));
    families
}

/// Several values a route, whose names are those that were counted.
fn by_name<'a>(
    summary: &'a Summary,
    label: &'static str,
    values: impl Fn(&'a Requests) -> Vec<(&'a str, u64)>,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for route in &summary.routes {
        for (name, value) in route.report.http.iter().flat_map(&values) {
            let labels = vec![("route", route.report.route.clone()), (label, name.to_owned())];
            samples.push(sample(labels, float(value)));
        }
    }
    samples
}

fn named(counts: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    counts.iter().map(|(name, &count)| (name.as_str(), count)).collect()
}

fn requests(summary: &Summary) -> Vec<Family> {
    let one = |value: fn(&Requests) -> u64| by_route(summary, move |route| route.http.as_ref().map(value));
    vec![
        counter(
            "pegloom_http_connections_total",
            "Clients of a route of http:// that connected.",
            one(|of| of.connections),
        ),
        counter(
            "pegloom_http_turned_away_total",
            "Clients for whom there was no room.",
            one(|of| of.turned_away),
        ),
        gauge("pegloom_http_clients", "Clients that are connected.", one(|of| of.clients)),
        counter("pegloom_http_requests_total", "Requests of clients.", one(|of| of.requests)),
        counter(
            "pegloom_http_replies_total",
            "Replies by the first digit of their status.",
            by_name(summary, "class", |of| named(&of.replies)),
        ),
        counter(
            "pegloom_http_torn_total",
            "Replies that ended before they were complete.",
            one(|of| of.torn),
        ),
        counter("pegloom_http_slow_total", "Clients that did not finish a head in time.", one(|of| of.slow)),
        counter("pegloom_http_sent_bytes_total", "Bytes of replies' bodies.", one(|of| of.sent_bytes)),
        counter(
            "pegloom_http_retried_total",
            "Requests sent once more, to another server.",
            one(|of| of.retried),
        ),
        counter("pegloom_http_queued_total", "Requests that waited for a place.", one(|of| of.queued)),
    ]
}

fn cache(summary: &Summary) -> Vec<Family> {
    let told = |label: &'static str, values: fn(&CacheReport) -> Vec<(&str, u64)>| {
        by_name(summary, label, move |of| of.cache.as_ref().map(values).unwrap_or_default())
    };
    vec![
        counter(
            "pegloom_cache_events_total",
            "What became of requests and entries in a cache.",
            told("event", |of| named(&of.counts)),
        ),
        counter(
            "pegloom_cache_unkept_total",
            "Replies that a cache did not keep, by reason.",
            told("reason", |of| named(&of.unkept)),
        ),
        gauge(
            "pegloom_cache_held_bytes",
            "Bytes held by a cache.",
            told("where", |of| vec![("memory", of.memory_bytes), ("disk", of.disk_bytes)]),
        ),
    ]
}

fn servers(summary: &Summary) -> Vec<Family> {
    let one = |value: fn(&ServerReport) -> u64| {
        by_name(summary, "destination", move |of| {
            of.servers.iter().map(|(name, server)| (name.as_str(), value(server))).collect()
        })
    };
    vec![
        counter("pegloom_server_requests_total", "Requests sent to a server.", one(|of| of.requests)),
        counter("pegloom_server_failures_total", "Requests that a server failed.", one(|of| of.failures)),
        gauge(
            "pegloom_server_in_ring",
            "Whether a server is neither ejected nor unwell.",
            one(|of| u64::from(of.is_in_ring)),
        ),
    ]
}
