//! What an ingress shard has counted, as a report.
//!
//! It copies and names, and computes nothing: what must add up was counted by the machine.

use proto::{
    codec::{Codec, foo},
    conversation::comparing::Finding,
    counters::Tally,
    ingress::{DestinationCounters, RouteCounters, SaidCounters},
};
use runtime::{
    report::{DestinationReport, Foo, Latency, Report, RouteReport, Said, Sessions, Source},
    settings::{Destination, Mode, Route, Settings},
};

use crate::{places::shares, shard::Shard, visitors::AtDoor};

/// The report of one shard of the node called `node`; its listeners have these addresses.
pub fn report(node: &str, shard: &Shard, settings: &Settings, listening: &[String]) -> Report {
    let routes = settings.routes.iter().zip(listening).enumerate();
    let routes = routes.map(|(index, (route, listen))| of_route(index, route, listen, shard));
    let links = shard.look(proto::ingress::Ingress::link_counters);
    let counts = [
        ("greetings", links.greetings),
        ("workers_lost", links.workers_lost),
        ("ignored", links.ignored),
        ("malformed", links.malformed),
        ("foreign", shard.foreign_messages()),
        ("stale", links.stale),
        ("early", links.early),
        ("gaps", links.gaps),
        ("faults", links.faults),
        ("refused", links.refused),
    ];
    let links = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    Report { node: node.to_owned(), routes: routes.collect(), links }
}

/// What was counted of all that stands for a route in the machine.
fn of_route(index: usize, route: &Route, listen: &str, shard: &Shard) -> RouteReport {
    let (places, mut at_door) = (shard.places().of_route(index), shard.at_door(index));
    let parts = places.zip(shares(route)).enumerate().map(|(first, (place, destinations))| {
        let part = Part { route, first, destinations, at_door: std::mem::take(&mut at_door) };
        shard.look(|machine| of_part(&part, listen, machine.route_counters(place)))
    });
    let sum = parts.reduce(|mut sum, part| {
        sum.absorb(&part);
        sum
    });
    let mut sum = sum.unwrap_or_default();
    shard.complete(index, &mut sum.destinations);
    RouteReport { http: shard.requests(index), ..sum }
}

/// What one route of the machine stands for.
struct Part<'a> {
    route: &'a Route,
    /// The place of its first destination in the route.
    first: usize,
    destinations: &'a [Destination],
    at_door: AtDoor,
}

fn of_part(part: &Part<'_>, listen: &str, counters: &RouteCounters) -> RouteReport {
    let Part { route, first, destinations, at_door } = *part;
    let destinations = destinations.iter().zip(&counters.destinations).enumerate();
    RouteReport {
        route: route.name.clone(),
        listen: Some(format!("{}{listen}", route.listen.transport)),
        sessions: Some(Sessions {
            opened: counters.opened,
            ended: counters.ended,
            live: counters.opened - counters.ended,
            turned_away: counters.turned_away,
        }),
        source: Some(Source {
            received: counters.received,
            sent: counters.sent,
            oversized: counters.oversized,
            forgotten: counters.forgotten,
            kernel_drops: at_door.dropped,
            unsent: at_door.unsent,
        }),
        foo: (route.codec == Codec::Foo).then(|| messages(&counters.foo)),
        // How long a secondary takes to reply is no latency of the route.
        latency: (first == 0 || !replicates(route)).then(|| latency(&counters.latency)),
        http: None,
        destinations: destinations
            .map(|(index, (settings, counted))| of_destination(settings, role(route, first + index), counted))
            .collect(),
    }
}

fn messages(counters: &foo::Counters) -> Foo {
    Foo {
        req: counters.req,
        ack: counters.ack,
        nak: counters.nak,
        invalid_source: counters.invalid_source,
        invalid_primary: counters.invalid_primary,
    }
}

fn latency(counted: &proto::latency::Latency) -> Latency {
    Latency { buckets: counted.buckets.to_vec(), sum_micros: counted.sum_micros, count: counted.count }
}

fn replicates(route: &Route) -> bool {
    route.http.as_ref().is_none_or(|http| http.mode == Mode::Replicate)
}

fn role(route: &Route, index: usize) -> &'static str {
    match index {
        _ if !replicates(route) => "server",
        0 => "primary",
        _ => "secondary",
    }
}

fn of_destination(settings: &Destination, role: &str, counters: &DestinationCounters) -> DestinationReport {
    DestinationReport {
        destination: settings.name.clone(),
        role: role.to_owned(),
        address: settings.address.to_string(),
        unconfirmed: Tally::new(0, counters.unconfirmed_bytes),
        received: counters.received,
        connections: counters.connections,
        outages: counters.outages,
        moved: counters.moved,
        forced_joins: counters.forced_joins,
        said: Some(said(&counters.said)),
        ..DestinationReport::default()
    }
    .with_account(&counters.account)
}

fn said(counters: &SaidCounters) -> Said {
    let found = |finding: Finding| counters.found[finding as usize];
    Said {
        matched: counters.matched,
        missing: found(Finding::Missing),
        extra: found(Finding::Extra),
        different: found(Finding::Different),
        uncompared: counters.uncompared,
        asks: counters.asks,
        suppressed: counters.suppressed,
        asks_shed: counters.asks_shed,
        filtered: counters.filtered,
        oversized: counters.oversized,
        injected: counters.injected,
    }
}
