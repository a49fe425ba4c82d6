//! The metrics of routes: the Foo protocol, sessions, sources, and how long replies take.

use runtime::report::{Latency, RouteReport, Sessions, Source};

use super::{Family, Kind, Sample, counter, family, float, gauge, sample};
use crate::summary::Summary;

pub(super) fn of_routes(summary: &Summary) -> Vec<Family> {
    let mut families = foo(summary);
    families.extend(sessions(summary));
    families.extend(sources(summary));
    families.push(latency(summary));
    families
}

/// One value a route.
pub(super) fn by_route(summary: &Summary, value: impl Fn(&RouteReport) -> Option<u64>) -> Vec<Sample> {
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

fn foo(summary: &Summary) -> Vec<Family> {
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
    ]
}

fn sessions(summary: &Summary) -> Vec<Family> {
    let one = |value: fn(Sessions) -> u64| by_route(summary, move |route| route.sessions.map(value));
    vec![
        counter("pegloom_sessions_opened_total", "Sessions begun.", one(|sessions| sessions.opened)),
        counter("pegloom_sessions_ended_total", "Sessions ended.", one(|sessions| sessions.ended)),
        gauge("pegloom_sessions_live", "Sessions begun and not ended.", one(|sessions| sessions.live)),
        counter(
            "pegloom_sessions_turned_away_total",
            "Sources closed when they connected.",
            one(|sessions| sessions.turned_away),
        ),
    ]
}

fn sources(summary: &Summary) -> Vec<Family> {
    let one = |value: fn(Source) -> u64| by_route(summary, move |route| route.source.map(value));
    let both = |value: fn(Source) -> [(&'static str, u64); 2]| {
        by_route_and(summary, "direction", move |route| route.source.map(value))
    };
    vec![
        counter(
            "pegloom_source_frames_total",
            "Frames between a route and its sources.",
            both(|source| [("received", source.received.frames), ("sent", source.sent.frames)]),
        ),
        counter(
            "pegloom_source_bytes_total",
            "Bytes between a route and its sources.",
            both(|source| [("received", source.received.bytes), ("sent", source.sent.bytes)]),
        ),
        counter(
            "pegloom_source_oversized_total",
            "Frames of sources longer than max_frame.",
            one(|source| source.oversized),
        ),
        counter(
            "pegloom_source_forgotten_total",
            "Things said that were forgotten before dedup_window was over.",
            one(|source| source.forgotten),
        ),
        counter(
            "pegloom_source_kernel_drops_total",
            "Datagrams of sources that the kernel dropped.",
            one(|source| source.kernel_drops),
        ),
        counter(
            "pegloom_source_unsent_total",
            "Datagrams to sources that the kernel would not send.",
            one(|source| source.unsent),
        ),
    ]
}

fn latency(summary: &Summary) -> Family {
    family(
        "pegloom_reply_latency_seconds",
        Kind::Histogram,
        "How long the primary took to reply.",
        summary.routes.iter().flat_map(|route| latencies(&route.report)).collect(),
    )
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
