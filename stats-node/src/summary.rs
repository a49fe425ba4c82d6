//! The report of everything: the one object that a signal prints and that `/stats` is. Who reads that has it again.
//!
//! It names and arranges what [`Statistics`] knows, checks the account of every destination (S13), and says what is wrong:
//! a fabric is healthy if no primary is away and no node has fallen silent.

use std::collections::BTreeMap;

use proto::{counters::Tally, id::Incarnation, time::Instant};
use runtime::report::{DestinationReport, Foo, Report, RouteReport};
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
        let mut sights = destinations.iter();
        let routes = totals.fabric.routes.into_iter();
        Self {
            node: node.to_owned(),
            msg_total: messages.req + messages.ack + messages.nak,
            msg_req: messages.req,
            msg_ack: messages.ack,
            msg_nak: messages.nak,
            rates: statistics.rates.messages(now),
            problems: problems(&destinations, &nodes),
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

fn problems(destinations: &[DestinationSummary], nodes: &[NodeSummary]) -> Vec<Problem> {
    let away = destinations.iter().filter(|destination| destination.is_away && destination.role == "primary");
    let away = away.map(|destination| Problem::PrimaryAway {
        route: destination.route.clone(),
        destination: destination.destination.clone(),
    });
    let stale = nodes.iter().filter(|node| node.state == State::Stale && !node.is_superseded);
    let stale = stale.map(|node| Problem::NodeStale {
        node: node.name.clone(),
        silent_seconds: node.silent_millis / 1000,
    });
    away.chain(stale).collect()
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
mod tests {
    use runtime::report::Published;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn said(node: &str, kind: &str, sequence: u64, destination: DestinationReport) -> Published {
        let destination =
            DestinationReport { destination: "primary".into(), role: "primary".into(), ..destination };
        let foo = (kind == "ingress").then_some(Foo { req: 3, ack: 2, nak: 1, ..Foo::default() });
        let route =
            RouteReport { route: "r".into(), foo, destinations: vec![destination], ..RouteReport::default() };
        let report = Report { node: kind.to_owned(), routes: vec![route], ..Report::default() };
        let (node, incarnation, time) = (node.to_owned(), Incarnation(1), sequence * 1_000);
        Published { node, incarnation, shard: 0, sequence, time, report, is_last: false }
    }

    fn summary(statistics: &Statistics, millis: u64) -> Summary {
        Summary::of(statistics, "stats-node", at(millis))
    }

    #[test]
    fn before_anything_is_known_all_is_zero_and_well() {
        let summary = summary(&Statistics::default(), 0);
        assert_eq!((summary.msg_total, summary.rates), (0, MessageRates::default()));
        assert!(summary.is_healthy());
    }

    #[test]
    fn workers_are_shown_beside_what_the_ingress_counted_and_not_added_to_it() {
        let mut statistics = Statistics::default();
        let tally = Tally::new(5, 50);
        let counted = DestinationReport { accepted: tally, delivered: tally, ..DestinationReport::default() };
        for (node, kind) in [("i1", "ingress"), ("i2", "ingress"), ("w1", "fanout"), ("w2", "fanout")] {
            statistics.observe(said(node, kind, 1, counted.clone()), at(0));
        }
        let summary = summary(&statistics, 0);
        assert_eq!([summary.msg_total, summary.msg_req, summary.msg_ack, summary.msg_nak], [12, 6, 4, 2]);
        assert_eq!(summary.routes[0].report.destinations[0].delivered, Tally::new(10, 100));
        assert_eq!(summary.destinations[0].workers.unwrap().delivered, Tally::new(10, 100));
        assert_eq!((summary.nodes.len(), summary.unbalanced().count()), (4, 0));
    }

    #[test]
    fn a_primary_that_is_away_and_a_silent_node_are_problems() {
        let mut statistics = Statistics::default();
        let away = DestinationReport { is_away: true, outages: 1, ..DestinationReport::default() };
        statistics.observe(said("i", "ingress", 1, DestinationReport::default()), at(0));
        statistics.observe(said("w", "fanout", 1, away.clone()), at(0));
        let (route, destination) = ("r".to_owned(), "primary".to_owned());
        assert_eq!(summary(&statistics, 0).problems, [Problem::PrimaryAway { route, destination }]);

        let back = DestinationReport { is_away: false, connections: 1, ..away };
        statistics.observe(said("w", "fanout", 2, back), at(3_100));
        let node = "i".to_owned();
        assert_eq!(summary(&statistics, 3_100).problems, [Problem::NodeStale { node, silent_seconds: 3 }]);
    }

    /// Fails if a primary that is away is well again because the stats-node was restarted, or is away because one of two
    /// workers still says so, who has not noticed that another has met it.
    #[test]
    fn a_restart_does_not_forget_who_is_away() {
        let seen = |is_away, connections| DestinationReport {
            is_away,
            outages: is_away.into(),
            connections,
            ..DestinationReport::default()
        };
        let mut statistics = Statistics::default();
        let restarted = |statistics: &Statistics| {
            let saved = serde_json::to_string(&statistics.save(50_000, at(2_500))).unwrap();
            Statistics::restore(
                serde_json::from_str(&saved).unwrap(),
                std::time::Duration::from_secs(3),
                at(0),
            )
        };
        statistics.observe(said("i", "ingress", 1, seen(false, 0)), at(0));
        statistics.observe(said("w1", "fanout", 1, seen(true, 0)), at(1_000));
        let mut away = restarted(&statistics);
        let (route, destination) = ("r".to_owned(), "primary".to_owned());
        assert_eq!(summary(&away, 0).problems, [Problem::PrimaryAway { route, destination }]);
        assert_eq!(summary(&away, 0).destinations[0].away_seconds, Some(4));
        away.observe(said("w1", "fanout", 2, seen(true, 0)), at(100));
        assert!(!summary(&away, 100).is_healthy());
        away.observe(said("w1", "fanout", 3, seen(false, 1)), at(200));
        assert!(summary(&away, 200).is_healthy());

        statistics.observe(said("w2", "fanout", 1, seen(false, 0)), at(1_000));
        statistics.observe(said("w2", "fanout", 2, seen(false, 1)), at(2_000));
        assert!(summary(&restarted(&statistics), 0).is_healthy());
    }

    /// Fails if a field is written down and not read, or read under another name.
    #[test]
    fn what_was_written_down_can_be_read_again() {
        let mut statistics = Statistics::default();
        let away = DestinationReport { is_away: true, outages: 1, ..DestinationReport::default() };
        statistics.observe(said("i", "ingress", 1, DestinationReport::default()), at(0));
        statistics.observe(said("w", "fanout", 1, away), at(0));
        let summary = summary(&statistics, 3_100);
        assert!(summary.routes[0].messages.is_some() && summary.destinations[0].workers.is_some());

        let written = serde_json::to_string(&summary).unwrap();

        assert_eq!(serde_json::from_str::<Summary>(&written).unwrap(), summary);
    }

    /// Fails if a frame that is nowhere is not noticed.
    #[test]
    fn an_account_that_does_not_balance_is_shown() {
        let mut statistics = Statistics::default();
        let off = DestinationReport { accepted: Tally::new(1, 1), ..DestinationReport::default() };
        statistics.observe(said("i", "ingress", 1, off), at(0));
        let summary = summary(&statistics, 0);
        assert_eq!(summary.unbalanced().count(), 1);
        assert!(!summary.nodes[0].is_balanced);
    }
}
