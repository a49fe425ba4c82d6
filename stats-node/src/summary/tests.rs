//! What is shown of what was observed: problems, health, and what is written down and read again.

use runtime::report::{Published, Requests};

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
        Statistics::restore(serde_json::from_str(&saved).unwrap(), std::time::Duration::from_secs(3), at(0))
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

/// Fails if one server that is left is not enough, or one that nobody can reach is.
#[test]
fn a_route_of_http_without_a_server_is_a_problem() {
    let problems = |a_is_in_ring, b_is_away| {
        let mut said = said("i", "ingress", 1, DestinationReport::default());
        let route = &mut said.report.routes[0];
        let server = |is_in_ring| ServerReport { is_in_ring, ..ServerReport::default() };
        let servers = [("a".to_owned(), server(a_is_in_ring)), ("b".to_owned(), server(true))];
        route.http = Some(Requests { servers: servers.into(), ..Requests::default() });
        let destination = |name: &str, is_away| DestinationReport {
            destination: name.to_owned(),
            role: "server".to_owned(),
            is_away,
            outages: u64::from(is_away),
            ..DestinationReport::default()
        };
        route.destinations = vec![destination("a", false), destination("b", b_is_away)];
        let mut statistics = Statistics::default();
        statistics.observe(said, at(0));
        summary(&statistics, 0).problems
    };
    assert_eq!([problems(true, true), problems(false, false)], [vec![], vec![]]);
    assert_eq!(problems(false, true), [Problem::NoServer { route: "r".to_owned() }]);
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
