//! What a worker shard has counted, as a report.
//!
//! It copies and names, and computes little. A worker sheds only datagrams that cannot be sent, so what it delivered and
//! those are what it had accepted; it runs no codec, so what it received of a stream has bytes only.

use std::collections::BTreeMap;

use proto::counters::{ShedReason, Tally};
use runtime::{
    report::{DestinationReport, Report, RouteReport},
    settings::{Destination, Route},
};

use crate::shard::Shard;

/// The report of one shard.
pub(crate) fn report(shard: &Shard, route: &Route, destination: &Destination) -> Report {
    let counters = shard.look(proto::worker::Worker::counters);
    let is_primary = route.destinations.first().is_some_and(|first| first.name == destination.name);
    let of_destination = DestinationReport {
        destination: destination.name.clone(),
        role: if is_primary { "primary" } else { "secondary" }.to_owned(),
        address: destination.address.to_string(),
        accepted: counters.delivered + counters.unsendable,
        delivered: counters.delivered,
        shed: shed(counters.unsendable),
        received: Tally::new(counters.received_datagrams, counters.received_bytes),
        unconfirmed: Tally::new(0, counters.unconfirmed_bytes),
        connections: counters.connections,
        outages: counters.outages,
        is_away: shard.is_away(),
        refusals: Some(counters.refusals),
        ..DestinationReport::default()
    };
    let counts = [
        ("greetings", counters.greetings),
        ("connect_failures", counters.connect_failures),
        ("resets", counters.resets),
        ("malformed", counters.malformed + shard.malformed()),
        ("stale", counters.stale),
        ("early", counters.early),
        ("faults", counters.faults),
    ];
    Report {
        node: "fanout".to_owned(),
        routes: vec![RouteReport {
            route: route.name.clone(),
            destinations: vec![of_destination],
            ..RouteReport::default()
        }],
        links: counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
    }
}

fn shed(unsendable: Tally) -> BTreeMap<String, Tally> {
    let named = (ShedReason::Unsendable.name().to_owned(), unsendable);
    BTreeMap::from_iter((!unsendable.is_zero()).then_some(named))
}
