//! Who is heard, what it adds up to, and what of that is known again after a restart.

use proto::counters::Tally;
use runtime::report::{DestinationReport, Foo, RouteReport};

use super::*;

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

fn said(node: &str, start: u64, sequence: u64, req: u64) -> Published {
    let tally = Tally::new(req, req * 10);
    let destination = DestinationReport {
        destination: "primary".to_owned(),
        accepted: tally,
        delivered: tally,
        ..DestinationReport::default()
    };
    let foo = Some(Foo { req, ack: req, ..Foo::default() });
    let route =
        RouteReport { route: "r".to_owned(), foo, destinations: vec![destination], ..RouteReport::default() };
    let report = Report { node: "ingress".to_owned(), routes: vec![route], ..Report::default() };
    let time = start + sequence * 100;
    let (node, incarnation) = (node.to_owned(), Incarnation(start));
    Published { node, incarnation, shard: 0, sequence, time, report, is_last: false }
}

fn requests(statistics: &Statistics, millis: u64) -> u64 {
    statistics.totals(at(millis)).fabric.routes[0].foo.unwrap().req
}

#[test]
fn nodes_are_added_up_and_a_later_start_counts_beside_the_older() {
    let mut statistics = Statistics::default();
    statistics.observe(said("a", 1_000, 1, 10), at(100));
    statistics.observe(said("b", 1_000, 1, 5), at(100));
    statistics.observe(said("a", 1_000, 3, 20), at(300));
    assert_eq!(requests(&statistics, 300), 25);
    statistics.observe(said("a", 9_000, 1, 1), at(8_400));
    assert_eq!(requests(&statistics, 8_400), 26);
    statistics.observe(said("a", 1_000, 2, 15), at(8_500));
    assert_eq!((requests(&statistics, 8_500), statistics.passed_over), (26, 1));
}

/// Fails if two nodes that were given one name by mistake rob each other of what they count.
#[test]
fn two_nodes_with_one_name_are_both_counted() {
    let mut statistics = Statistics::default();
    for round in 1..=50 {
        statistics.observe(said("a", 1_000, round, round), at(round * 100));
        statistics.observe(said("a", 1_007, round, round * 2), at(round * 100));
    }
    assert_eq!(requests(&statistics, 5_000), 150);
    assert_eq!(statistics.known().filter(|known| known.is_shown(at(5_000))).count(), 2);
}

/// Fails if what a killed node held is held for ever.
#[test]
fn what_an_earlier_start_held_is_shed_once_it_is_silent() {
    let mut held = said("a", 1_000, 1, 10);
    let destination = &mut held.report.routes[0].destinations[0];
    (destination.in_flight, destination.delivered) = (Tally::new(2, 20), Tally::new(8, 80));
    let mut statistics = Statistics::default();
    statistics.observe(held, at(0));
    statistics.observe(said("a", 2_000, 1, 1), at(1_000));
    let held = |millis: u64| {
        let destination = statistics.totals(at(millis)).fabric.routes[0].destinations[0].clone();
        assert!(destination.is_balanced(), "{destination:?}");
        (destination.in_flight.frames, destination.shed_total().frames)
    };
    assert_eq!([2_999, 3_000].map(held), [(2, 0), (0, 2)]);
}

#[test]
fn what_is_long_over_is_folded_and_not_heard_again() {
    let mut statistics = Statistics::default();
    statistics.observe(said("a", 1_000, 1, 10), at(0));
    statistics.observe(said("a", 2_000, 1, 1), at(1_000));
    statistics.observe(said("a", 2_000, 2, 2), at(700_000));
    statistics.tidy(at(700_000));
    assert_eq!((requests(&statistics, 700_000), statistics.known().count()), (12, 1));
    statistics.observe(said("a", 1_000, 2, 99), at(700_001));
    assert_eq!((requests(&statistics, 700_001), statistics.passed_over), (12, 1));
}

#[test]
fn a_forgotten_node_keeps_its_totals_and_may_come_back() {
    let mut statistics = Statistics::default();
    statistics.observe(said("a", 1_000, 1, 10), at(0));
    statistics.tidy(at(600_000));
    assert_eq!(requests(&statistics, 600_000), 10);
    assert_eq!(statistics.known().filter(|known| known.is_shown(at(600_000))).count(), 0);
    statistics.observe(said("a", 1_000, 2, 12), at(600_001));
    assert_eq!(requests(&statistics, 600_001), 12);
    assert_eq!(statistics.known().filter(|known| known.is_shown(at(600_001))).count(), 1);
}

#[test]
fn rates_are_of_what_happened_and_not_of_what_was_before() {
    let mut statistics = Statistics::default();
    statistics.observe(said("a", 1_000, 1, 100), at(100));
    assert!((statistics.rates.messages(at(100)).request_rate_1s - 100.0).abs() < 1e-9);
    statistics.observe(said("b", 1_000, 36_000, 36_000), at(150));
    let rate = statistics.rates.messages(at(150)).request_rate_1s - 100.0;
    assert!((9.0..=11.0).contains(&rate), "{rate}");
}

/// Fails if what waited while the stats-node was stopped is a burst when it goes on.
#[test]
fn reports_that_waited_count_when_they_were_made() {
    let mut statistics = Statistics::default();
    (1..=10).for_each(|tick| statistics.observe(said("a", 1_000, tick, tick * 5), at(tick * 100)));
    (11..=80).for_each(|tick| statistics.observe(said("a", 1_000, tick, tick * 5), at(8_050)));
    let rates = statistics.rates.messages(at(8_050));
    assert!((45.0..=55.0).contains(&rates.request_rate_1s), "{rates:?}");
    assert!((39.0..=41.0).contains(&rates.request_rate_10s), "{rates:?}");
    assert_eq!(requests(&statistics, 8_050), 400);
}

/// Fails if of two workers that waited to be heard the one that is read last is believed.
#[test]
fn news_that_waited_is_as_old_as_it_is() {
    let seen = |node: &str, sequence: u64, is_away: bool, connections: u64| {
        let mut said = said(node, 1_000, sequence, 1);
        let destination = &mut said.report.routes[0].destinations[0];
        (destination.is_away, destination.connections) = (is_away, connections);
        said
    };
    let mut statistics = Statistics::default();
    for worker in ["a", "b"] {
        statistics.observe(seen(worker, 1, false, 0), at(100));
    }
    statistics.observe(seen("b", 40, false, 1), at(7_000));
    statistics.observe(seen("a", 20, true, 0), at(7_000));
    assert_eq!(statistics.away_for("r", "primary", at(7_000)), None);
}

#[test]
fn what_was_written_down_is_taken_up_and_nothing_counts_twice() {
    let mut statistics = Statistics::default();
    statistics.observe(said("a", 1_000, 1, 100), at(100));
    let saved = serde_json::to_string(&statistics.save(50_000, at(200))).unwrap();
    let saved: Saved = serde_json::from_str(&saved).unwrap();
    let mut restored = Statistics::restore(saved, Duration::from_secs(3), at(0));
    assert_eq!(requests(&restored, 0), 100);
    assert!((restored.rates.messages(at(0)).request_rate_10s - 10.0).abs() < 1e-9);
    restored.observe(said("a", 1_000, 32, 130), at(0));
    assert_eq!(requests(&restored, 0), 130);
    restored.bury();
    assert_eq!(requests(&restored, 0), 130);
}

#[test]
fn two_further_reports_of_each_living_shard_can_be_waited_for() {
    let mut statistics = Statistics::default();
    statistics.observe(said("a", 1_000, 1, 1), at(0));
    statistics.observe(said("b", 1_000, 7, 1), at(3_400));
    let since = statistics.heard(at(3_450));
    assert_eq!(since.len(), 1, "a is stale");
    statistics.observe(said("b", 1_000, 8, 1), at(3_500));
    assert!(!statistics.has_heard(&since, 2, at(3_450)));
    statistics.observe(said("b", 1_000, 9, 1), at(3_600));
    assert!(statistics.has_heard(&since, 2, at(3_450)));
}

/// Fails if a signal is answered with what was so before it, because two reports had waited since.
#[test]
fn reports_that_waited_are_no_further_ones() {
    let mut statistics = Statistics::default();
    statistics.observe(said("a", 1_000, 1, 1), at(100));
    let since = statistics.heard(at(3_000));
    let has_heard = |statistics: &Statistics| statistics.has_heard(&since, 2, at(3_000));
    (2..=29).for_each(|tick| statistics.observe(said("a", 1_000, tick, tick), at(3_010)));
    assert!(!has_heard(&statistics));
    (30..=31).for_each(|tick| statistics.observe(said("a", 1_000, tick, tick), at(3_110)));
    assert!(has_heard(&statistics));
}

/// Fails if a start that was not heard before, or one that was, may bring any number of shards.
#[test]
fn no_start_has_more_shards_than_are_believed_in() {
    let mut statistics = Statistics::default();
    let last = MAX_SHARDS as u16 - 1;
    for (node, shard) in [("a", last + 1), ("a", last), ("a", last + 1)] {
        statistics.observe(Published { shard, ..said(node, 1_000, 1, 10) }, at(100));
    }
    assert_eq!((requests(&statistics, 100), statistics.passed_over), (10, 2));
}

/// Fails if any number of starts is kept apart, or of folded names, or if what the folded had counted is lost.
#[test]
fn beyond_so_many_starts_the_quietest_are_folded() {
    let mut statistics = Statistics::default();
    let count = MAX_TELLERS as u64;
    for index in 0..=2 * count {
        statistics.observe(said(&format!("n{index}"), 1_000 + index, 1, 1), at(index));
    }
    statistics.tidy(at(2 * count));
    assert_eq!((statistics.tellers.len(), statistics.folded.len()), (MAX_TELLERS, MAX_TELLERS));
    assert_eq!(requests(&statistics, 2 * count), 2 * count + 1);
    statistics.observe(said(&format!("n{count}"), 1_000 + count, 2, 99), at(2 * count));
    assert_eq!((requests(&statistics, 2 * count), statistics.passed_over), (2 * count + 1, 1));
}

/// Fails if every destination a report names is kept in sight.
#[test]
fn so_many_destinations_are_kept_in_sight() {
    let mut report = said("a", 1_000, 1, 10);
    let away = |index| DestinationReport {
        destination: format!("d{index}"),
        is_away: true,
        ..DestinationReport::default()
    };
    report.report.routes[0].destinations = (0..=MAX_SIGHTS).map(away).collect();
    let mut statistics = Statistics::default();
    statistics.observe(report, at(100));
    assert!(statistics.away_for("r", "d0", at(100)).is_some());
    assert!(statistics.away_for("r", &format!("d{MAX_SIGHTS}"), at(100)).is_none());
    assert_eq!(statistics.sights.len(), MAX_SIGHTS);
}
