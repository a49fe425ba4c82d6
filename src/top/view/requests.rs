//! What the page of routes says of routes of `http://`: requests, hits, failures, and whether a server is in the ring.
//!
//! Of a destination that is no server, and of a route that has none, it says nothing.

use ratatui::text::Line;
use runtime::report::{Requests, ServerReport};
use stats_node::Summary;

use super::{
    super::{
        number::{self, count},
        past::Past,
    },
    Paint,
    routes::Entry,
    table::Column,
};

/// What was counted of a route's requests.
fn requests_of<'a>(summary: &'a Summary, route: &str) -> Option<&'a Requests> {
    summary.routes.iter().find(|known| known.report.route == route)?.report.http.as_ref()
}

/// The columns, if there is a route of `http://`.
pub(super) fn columns<'a>(summary: &Summary, paint: Paint, past: &'a Past) -> Vec<Column<'a, Entry<'a>>> {
    if summary.routes.iter().all(|route| route.report.http.is_none()) {
        return Vec::new();
    }
    vec![
        Column::numbers("REQ/S", 6, move |entry: &Entry| {
            let rate = || past.per_second(|summary| asked(summary, entry));
            entry.requests().map(|_| number::rate(rate())).unwrap_or_default().into()
        }),
        Column::numbers("HITS", 5, move |entry: &Entry| hits(entry, past).into()),
        Column::numbers("FAILED", 6, move |entry: &Entry| failed(entry, paint)),
        Column::numbers("KEPT", 9, |entry: &Entry| kept(entry).into()),
    ]
}

/// Requests of a route, or to a server.
fn asked(summary: &Summary, entry: &Entry) -> u64 {
    let (route, server) = entry.name();
    let requests = requests_of(summary, &route);
    match server {
        None => requests.map_or(0, |of| of.requests),
        Some(server) => requests.and_then(|of| of.servers.get(&server)).map_or(0, |server| server.requests),
    }
}

/// Of a hundred requests of late, those that the cache answered while it was fresh.
fn hits(entry: &Entry, past: &Past) -> String {
    if entry.requests().is_none_or(|of| of.cache.is_none()) || entry.server().is_some() {
        return String::new();
    }
    let (route, _) = entry.name();
    let risen = |of: fn(&Requests) -> u64| past.risen(|summary| requests_of(summary, &route).map_or(0, of));
    match (risen(Requests::hits), risen(|of| of.requests)) {
        (_, 0) => "-".to_owned(),
        // Shards report one after the other.
        (hits, requests) => format!("{}%", (hits * 100 / requests).min(100)),
    }
}

fn failed(entry: &Entry, paint: Paint) -> Line<'static> {
    let Some(requests) = entry.requests() else { return Line::default() };
    let all = || requests.servers.values().map(|server| server.failures).sum();
    match entry.server().map_or_else(all, |server: &ServerReport| server.failures) {
        0 => Line::from("0"),
        failures => Line::styled(count(failures), paint.odd()),
    }
}

/// What the cache holds, the larger of memory and disk: what is in memory is mostly on disk, too.
fn kept(entry: &Entry) -> String {
    let cache = entry.requests().filter(|_| entry.server().is_none()).and_then(|of| of.cache.as_ref());
    cache.map(|cache| number::volume(cache.memory_bytes.max(cache.disk_bytes))).unwrap_or_default()
}
