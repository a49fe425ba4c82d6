//! The report of everything: the one object that a signal prints and that `/stats` is. Who reads that has it again.
//!
//! It names and arranges what [`Statistics`] knows, checks the account of every destination (S13), and says what is wrong:
//! a fabric is healthy if no primary is away, every route of `http://` has a server, and no node has fallen silent.

use std::collections::BTreeMap;

use proto::{counters::Tally, id::Incarnation, time::Instant};
use runtime::report::{DestinationReport, Foo, Report, RouteReport, ServerReport};
use serde::{Deserialize, Serialize};

use crate::{
    events::Told,
    rates::{FlowRates, MessageRates},
    statistics::{Known, Statistics},
    teller::State,
};

/// Everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// `up`, `stats-node`, or `top` where that adds up itself.
    pub node: String,
    /// Requests and replies of the Foo protocol, over all its routes.
    pub msg_total: u64,
    /// Requests.
    pub msg_req: u64,
    /// Replies that acknowledge.
    pub msg_ack: u64,
    /// Replies that do not.
    pub msg_nak: u64,
    /// Of the Foo protocol, over all its routes.
    #[serde(flatten)]
    pub rates: MessageRates,
    /// What is wrong; nothing while all is well.
    pub problems: Vec<Problem>,
    /// By route.
    pub routes: Vec<RouteSummary>,
    /// By destination, over all routes.
    pub destinations: Vec<DestinationSummary>,
    /// Every node there is.
    pub nodes: Vec<NodeSummary>,
    /// The latest, oldest first.
    pub divergences: Vec<Told>,
    /// About links, over all nodes.
    pub links: BTreeMap<String, u64>,
    /// Reports that were not taken.
    pub passed_over: u64,
    /// Messages that were no reports.
    pub unreadable: u64,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// A primary is away: its sources are not served.
    PrimaryAway {
        /// Of which route.
        route: String,
        /// Which destination.
        destination: String,
    },
    /// Every server of a route of `http://` is away or out of the ring.
    NoServer {
        /// Of which route.
        route: String,
    },
    /// A node has fallen silent.
    NodeStale {
        /// Which.
        node: String,
        /// For so long.
        silent_seconds: u64,
    },
}

/// A route, and how fast it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteSummary {
    /// What was counted.
    #[serde(flatten)]
    pub report: RouteReport,
    /// What its sources send.
    #[serde(flatten)]
    pub flow: FlowRates,
    /// Its messages, with the codec `foo`.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<MessageRates>,
}

/// A destination: how it is and how fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationSummary {
    /// Of which route.
    pub route: String,
    /// Its name.
    pub destination: String,
    /// `primary` or `secondary`.
    pub role: String,
    /// Where it is.
    pub address: String,
    /// Whether it cannot be connected.
    pub is_away: bool,
    /// For so long, as far as that was heard here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away_seconds: Option<u64>,
    /// S13.
    pub is_balanced: bool,
    /// What it takes.
    #[serde(flatten)]
    pub flow: FlowRates,
    /// What its workers counted, where they are processes of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkersSummary>,
}

/// What the workers of a destination counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkersSummary {
    /// Taken by their sockets.
    pub delivered: Tally,
    /// What it said.
    pub received: Tally,
    /// Delivered, but not confirmed when a connection was reset.
    pub unconfirmed: Tally,
    /// Connections made.
    pub connections: u64,
    /// Times it went away, as each worker saw it.
    pub outages: u64,
}

/// A node, and how it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSummary {
    /// Its name.
    pub name: String,
    /// `up`, `ingress` or `fanout`.
    pub kind: String,
    /// Which start of it: milliseconds since 1970.
    pub incarnation: Incarnation,
    /// How it is doing.
    pub state: State,
    /// There is a later start under its name.
    pub is_superseded: bool,
    /// Threads that report.
    pub shards: usize,
    /// Since its last report.
    pub silent_millis: u64,
    /// Reports taken.
    pub reports: u64,
    /// Reports that never came.
    pub lost: u64,
    /// S13 for every destination it counts.
    pub is_balanced: bool,
    /// What it gets from its sources, or gives to its destination.
    #[serde(flatten)]
    pub flow: FlowRates,
}

impl Summary {
    /// What is known now, as the node of this kind tells it.
    pub fn of(statistics: &Statistics, node: &str, now: Instant) -> Self {
        let totals = statistics.totals(now);
        let messages = messages(&totals.fabric);
        let destinations = destinations(statistics, &totals.fabric, &totals.workers, now);
        let nodes: Vec<_> = statistics
            .known()
            .filter(|known| known.is_shown(now))
            .map(|known| NodeSummary::of(&known, statistics, now))
            .collect();
        let mut links = totals.fabric.links;
        for (name, count) in totals.workers.links {
            *links.entry(name).or_default() += count;
        }
        let problems = problems(&totals.fabric.routes, &destinations, &nodes);
        let mut sights = destinations.iter();
        let routes = totals.fabric.routes.into_iter();
        Self {
            node: node.to_owned(),
            msg_total: messages.req + messages.ack + messages.nak,
            msg_req: messages.req,
            msg_ack: messages.ack,
            msg_nak: messages.nak,
            rates: statistics.rates.messages(now),
            problems,
            routes: routes.map(|route| RouteSummary::of(route, &mut sights, statistics, now)).collect(),
            destinations,
            nodes,
            divergences: statistics.events.divergences().cloned().collect(),
            links,
            passed_over: statistics.passed_over,
            unreadable: statistics.malformed,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_healthy(&self) -> bool {
        self.problems.is_empty()
    }

    /// Destinations whose account does not balance.
    pub fn unbalanced(&self) -> impl Iterator<Item = &DestinationSummary> {
        self.destinations.iter().filter(|destination| !destination.is_balanced)
    }
}

fn messages(fabric: &Report) -> Foo {
    fabric.routes.iter().filter_map(|route| route.foo).fold(Foo::default(), |sum, of| Foo {
        req: sum.req + of.req,
        ack: sum.ack + of.ack,
        nak: sum.nak + of.nak,
        ..sum
    })
}

fn destinations(
    statistics: &Statistics,
    fabric: &Report,
    workers: &Report,
    now: Instant,
) -> Vec<DestinationSummary> {
    let of_route = |route: &RouteReport| {
        let served = workers.routes.iter().find(|served| served.route == route.route);
        let summary = |destination: &DestinationReport| {
            let is_it = |served: &&DestinationReport| served.destination == destination.destination;
            let workers = served.and_then(|served| served.destinations.iter().find(is_it));
            let away_for = statistics.away_for(&route.route, &destination.destination, now);
            let is_away =
                away_for.is_some() && (destination.is_away || workers.is_some_and(|workers| workers.is_away));
            DestinationSummary {
                route: route.route.clone(),
                destination: destination.destination.clone(),
                role: destination.role.clone(),
                address: destination.address.clone(),
                is_away,
                away_seconds: away_for.filter(|_| is_away).map(|away| away.as_secs()),
                is_balanced: destination.is_balanced(),
                flow: statistics.rates.of_destination(&route.route, &destination.destination, now),
                workers: workers.map(WorkersSummary::of),
            }
        };
        route.destinations.iter().map(summary).collect::<Vec<_>>()
    };
    fabric.routes.iter().flat_map(of_route).collect()
}

fn problems(
    routes: &[RouteReport],
    destinations: &[DestinationSummary],
    nodes: &[NodeSummary],
) -> Vec<Problem> {
    let away = destinations.iter().filter(|destination| destination.is_away && destination.role == "primary");
    let away = away.map(|destination| Problem::PrimaryAway {
        route: destination.route.clone(),
        destination: destination.destination.clone(),
    });
    let without = routes.iter().filter(|route| has_no_server(route, destinations));
    let without = without.map(|route| Problem::NoServer { route: route.route.clone() });
    let stale = nodes.iter().filter(|node| node.state == State::Stale && !node.is_superseded);
    let stale = stale.map(|node| Problem::NodeStale {
        node: node.name.clone(),
        silent_seconds: node.silent_millis / 1000,
    });
    away.chain(without).chain(stale).collect()
}

/// Whether it has servers, and no request would find one of them.
fn has_no_server(route: &RouteReport, destinations: &[DestinationSummary]) -> bool {
    let Some(requests) = &route.http else { return false };
    let is_lost = |(name, server): (&String, &ServerReport)| {
        let its = |known: &&DestinationSummary| known.route == route.route && known.destination == *name;
        !server.is_in_ring || destinations.iter().find(its).is_some_and(|known| known.is_away)
    };
    !requests.servers.is_empty() && requests.servers.iter().all(is_lost)
}

impl RouteSummary {
    /// `sights` are those of its destinations, and of the routes after it.
    fn of<'a>(
        mut report: RouteReport,
        sights: &mut impl Iterator<Item = &'a DestinationSummary>,
        statistics: &Statistics,
        now: Instant,
    ) -> Self {
        let (messages, flow) = statistics.rates.of_route(&report.route, now);
        for (destination, sight) in report.destinations.iter_mut().zip(sights) {
            destination.is_away = sight.is_away;
        }
        Self { flow, messages: report.foo.map(|_| messages), report }
    }
}

impl WorkersSummary {
    fn of(report: &DestinationReport) -> Self {
        Self {
            delivered: report.delivered,
            received: report.received,
            unconfirmed: report.unconfirmed,
            connections: report.connections,
            outages: report.outages,
        }
    }
}

impl NodeSummary {
    fn of(known: &Known<'_>, statistics: &Statistics, now: Instant) -> Self {
        let (teller, report) = (known.teller, known.teller.sum());
        Self {
            name: known.key.0.clone(),
            incarnation: known.key.1,
            state: teller.state(now),
            is_superseded: known.is_superseded,
            shards: teller.shards(),
            silent_millis: u64::try_from(teller.silent_for(now).as_millis()).unwrap_or(u64::MAX),
            reports: teller.reports,
            lost: teller.lost,
            is_balanced: report
                .routes
                .iter()
                .flat_map(|route| &route.destinations)
                .all(DestinationReport::is_balanced),
            kind: report.node,
            flow: statistics.rates.of_node(&known.key.0, now),
        }
    }
}

#[cfg(test)]
mod tests;
