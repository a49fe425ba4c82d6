//! Nodes, destinations and devices on hosts of their own, and what a network does to them: delay, loss, partition.
//!
//! Without root, `ip` or `/dev/net/tun` these scenarios say so and pass.

mod site;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{
    Destination, Network, PATIENCE, Peer, Record, Source, Talker, assert_each_follows, assert_rises,
    eventually, eventually_within, expect_all_answered, lines, numbers,
};

use super::replicas::{assert_every_line_arrived, hush_all};
use site::{
    DEVICES, HEALING, INGRESS, PRIMARY, SECONDARY, STATS, Site, WORKERS, datagram_destinations, destinations,
    network,
};

/// Fails if a lost packet costs more than time: a frame, its place in the order or in the totals, or a connection.
#[test]
fn traffic_passes_and_is_counted_exactly_over_a_slow_network_that_loses_packets() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    network.delay(Duration::from_millis(20));
    network.lose_one_in(100);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let talkers: Vec<_> = (0..4).map(|session| site.talker(session)).collect();
    eventually_within(HEALING, "packets are lost in traffic", || {
        site.network.lost() > 20 && talkers.iter().all(|talker| talker.sent() > 100)
    });

    let sent: Vec<_> = talkers.into_iter().map(Talker::hush_and_hear_everything).collect();
    let total: usize = sent.iter().map(|(_, sent)| sent).sum();
    site.expect_totals(total as u64);
    drop(sent);
    site.at_rest();
    for destination in [&primary, &secondary] {
        destination.expect_ends();
        let received = destination.connections().into_iter().map(|record| numbers(&record.received).1);
        let counts = received.inspect(|numbers| assert_each_follows(numbers)).map(|numbers| numbers.len());
        assert_eq!(counts.sum::<usize>(), total);
        assert_eq!(destination.accepted(), 4, "nothing was connected anew");
    }
}

/// Fails if silence is not taken for death, or what was on its way is lost or reordered by the move, or a worker that
/// is back is a stranger.
#[test]
fn sessions_move_from_a_worker_whose_host_is_cut_off_and_it_greets_anew_when_it_is_back() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let talkers: Vec<_> = (0..4).map(|session| site.talker(session)).collect();
    expect_all_answered(&talkers);
    let (lost, other) = busier_first(&site, &primary);

    site.network.cut_off(lost);
    eventually_within(HEALING, "its sessions have moved", || held(&site, other, &primary) == 4);
    site.ingress.logged("worker lost", |record| record["worker"] == lost);
    expect_all_answered(&talkers);
    site.worker(lost).logged("link broke, greeting anew", |_| true);

    site.network.heal();
    eventually_within(HEALING, "it is linked again", || site.links_of(lost) > 1);
    eventually("it has given up its old connections", || held(&site, lost, &primary) == 0);
    expect_all_answered(&talkers);
    let sent = hush_all(talkers);
    site.at_rest();
    assert_every_line_arrived(&primary, &sent);
    assert_eq!(secondary.accepted(), 4, "a primary's move is nothing to the secondary");
    assert_every_line_arrived(&secondary, &sent);
}

/// Fails if a worker that can reach its destination, but not its ingress, writes on when its sessions have moved.
#[test]
fn a_worker_that_only_its_ingress_cannot_reach_writes_nothing_once_its_sessions_have_moved() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let talkers: Vec<_> = (0..4).map(|session| site.talker(session)).collect();
    expect_all_answered(&talkers);
    let (zombie, other) = busier_first(&site, &primary);

    site.network.silence(zombie, INGRESS);
    eventually_within(HEALING, "its sessions have moved", || held(&site, other, &primary) == 4);
    expect_all_answered(&talkers);
    let before = from_host(&site, &primary, zombie);
    assert!(!before.is_empty(), "it had sessions");
    site.worker(zombie).logged("link broke, greeting anew", |_| true);

    site.network.heal();
    eventually_within(HEALING, "it is linked again", || site.links_of(zombie) > 1);
    eventually("it has closed its old connections, so they are final", || {
        from_host(&site, &primary, zombie).iter().all(|record| record.end.is_some())
    });
    let after = from_host(&site, &primary, zombie);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.received.len(), after.received.len(), "it wrote on");
    }
    assert_eq!(before.len(), after.len());
    let sent = hush_all(talkers);
    site.at_rest();
    assert_every_line_arrived(&primary, &sent);
}

/// Fails if a worker looks at its lease only when something comes, and not when its destination takes bytes again: what
/// had waited for it would arrive beside what the other worker brings.
#[test]
fn what_waits_in_a_worker_for_its_destination_is_never_written_once_the_session_has_moved() {
    let Some(network) = network() else { return };
    let gate = Arc::new(Mutex::new(()));
    let (_, secondary) = destinations(&network);
    let primary = reading_behind(&gate, &network);
    let closed = gate.lock().unwrap();
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let mut source = site.network.host(DEVICES).inside(|| Source::connect(site.address()));
    let lines = lines(0, 500_000);
    let sent = source.send_until_stalled(&lines);
    assert!(sent < lines.len(), "the primary takes no more");
    let (zombie, other) = busier_first(&site, &primary);

    site.network.cut(zombie, INGRESS);
    eventually_within(HEALING, "the session has moved", || held(&site, other, &primary) == 1);
    site.worker(zombie).logged("link broke, greeting anew", |_| true);
    let written = site.worker(zombie).report().volume("primary", "delivered").bytes;
    drop(closed);
    eventually_within(HEALING, "it has aborted its connection", || {
        from_host(&site, &primary, zombie)[0].end.is_some()
    });
    let received = from_host(&site, &primary, zombie)[0].received.len() as u64;
    assert!(0 < received && received <= written, "{received} received, {written} written with a lease");

    let whole = numbers(&lines[..sent]).1.len();
    eventually_within(HEALING, "the other worker brings the rest", || {
        let moved = &from_host(&site, &primary, other)[0];
        numbers(&moved.received).1.last() == Some(&(whole - 1))
    });
    assert_every_line_arrived(&primary, &[whole]);
}

/// Fails if the source waits for a secondary that nobody hears of, what it does not get is not counted, or it rejoins inside
/// a line.
#[test]
fn a_secondary_whose_worker_is_cut_off_is_shed_and_rejoins_at_a_frame_start() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let worker = WORKERS[2];
    let talker = site.talker(0);
    eventually("the secondary is served", || secondary.received_bytes() > 1000);

    site.network.cut_off(worker);
    eventually_within(HEALING, "its frames are shed as away", || {
        talker.expect_fresh_reply(Duration::from_secs(1));
        site.ingress.report().balanced().shed("secondary-1", "away").frames > 0
    });
    assert_eq!(site.ingress.records("worker lost").len(), 1, "warnings");

    site.network.heal();
    let before = secondary.received_bytes();
    eventually_within(HEALING, "the traffic resumes", || {
        talker.expect_fresh_reply(Duration::from_secs(1));
        secondary.received_bytes() > before + 1000
    });
    let (source, sent) = talker.hush_and_hear_everything();
    drop(source);
    let report = site.at_rest();
    assert_eq!(report.volume("primary", "delivered").frames, sent as u64);
    assert_eq!((primary.accepted(), site.ingress.records("worker lost").len()), (1, 1));
    for connection in secondary.connections() {
        assert_rises(&numbers(&connection.received).1);
    }
}

/// Fails if a connection on which nothing passes is kept until its kernel tries again: that is ever more rarely.
#[test]
fn a_link_is_back_soon_after_a_long_cut() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let worker = WORKERS[2];
    let connections = || site.worker(worker).connections_to(site.link()).len();
    assert_eq!(connections(), 1);

    site.network.cut_off(worker);
    eventually_within(HEALING, "its connection is given up", || connections() == 0);
    site.network.heal();
    eventually_within(PATIENCE, "it is linked again", || site.links_of(worker) > 1);
    assert_eq!(connections(), 1);
}

/// Fails if what was not heard of a node is forgotten, or a node that is heard again is counted twice.
#[test]
fn a_stats_node_that_was_cut_off_has_exact_totals_again() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let talker = site.talker(0);
    talker.expect_fresh_reply(HEALING);

    site.network.cut_off(STATS);
    eventually_within(HEALING, "it misses all nodes", || site.live_nodes() == 0);
    talker.expect_fresh_reply(Duration::from_secs(1));

    site.network.heal();
    let nodes = WORKERS.len() + 1;
    eventually_within(HEALING, "it hears all nodes", || site.live_nodes() == nodes);
    let (source, sent) = talker.hush_and_hear_everything();
    site.expect_totals(sent as u64);
    drop(source);
    let sessions = |state: &str| site.summary()["routes"][0]["sessions"][state].clone();
    eventually("the session is over there too", || sessions("live") == 0);
    assert_eq!(sessions("opened"), 1);
    assert_eq!(site.summary()["nodes"].as_array().unwrap().len(), nodes);
    assert_eq!(site.summary()["problems"].as_array().unwrap().len(), 0);
}

/// Fails if a destination that says nothing for a moment is given up, or a secondary's silence reaches the source.
#[test]
fn a_destination_whose_host_is_out_of_reach_for_a_moment_gets_everything_on_the_same_connection() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let talker = site.talker(0);
    eventually("the secondary is served", || secondary.received_bytes() > 1000);

    site.network.cut_off(SECONDARY);
    let before = secondary.received_bytes();
    talker.expect_fresh_reply(PATIENCE);
    talker.expect_fresh_reply(PATIENCE);
    site.network.cut_off(PRIMARY);
    let unheard = talker.sent() + 100;
    eventually("the source goes on", || talker.sent() > unheard);
    assert!(secondary.received_bytes() <= before + 1000, "the secondary is out of reach");

    site.network.heal();
    let (source, sent) = talker.hush_and_hear_everything();
    site.expect_totals(sent as u64);
    drop(source);
    site.at_rest();
    for destination in [&primary, &secondary] {
        destination.expect(&lines(0, sent));
        assert_eq!(destination.accepted(), 1);
    }
}

/// Fails if a session waits for a primary of which nothing will ever be heard, or its source is told that all is well.
#[test]
fn a_session_whose_primary_has_vanished_ends_with_its_source_and_the_next_is_turned_away() {
    let Some(network) = network() else { return };
    let (primary, secondary) = destinations(&network);
    let site = Site::start(network, [primary.address(), secondary.address()]);
    let talker = site.talker(0);
    talker.expect_fresh_reply(PATIENCE);

    site.network.cut_off(PRIMARY);
    let mut next = site.network.host(DEVICES).inside(|| Source::connect(site.address()));
    let (mut source, _) = talker.hush();
    source.half_close();
    let (_, heard) = next.drain(HEALING);
    assert_eq!(heard, b"");
    source.drain(HEALING);
    site.ingress.logged("primary cannot be connected, source closed", |record| {
        // Either the worker's patience ends first or the ingress's: both are of the same length.
        let ending = record["ending"].as_str().unwrap_or_default();
        ending.contains("connect timeout") || ending.contains("timed out")
    });
    site.at_rest();
    assert_eq!(primary.accepted(), 1);
}

/// Fails if replies to a device leave from whatever address of the ingress its host prefers.
#[test]
fn replies_leave_from_the_address_of_the_host_that_was_spoken_to() {
    let second = Ipv4Addr::new(10, 77, 0, 99);
    let Some(network) = network() else { return };
    let (primary, secondary) = datagram_destinations(&network);
    network.add_address(INGRESS, second);
    let forward = [primary.address(), secondary.address()];
    let site = Site::listening(network, forward, &["--listen", "udp://0.0.0.0:0"]);

    let first = site.network.host(INGRESS).address();
    for address in [first, second, first] {
        let source = site.datagram_source(address);
        for datagram in [&b"hello"[..], b"", &[b'x'; 5000]] {
            source.send(datagram);
            assert!(source.hear() == datagram, "spoken to as {address}");
        }
    }
    eventually("the secondary has them all", || secondary.received().len() == 9);
    assert_eq!(site.ingress.report().balanced().sessions("live"), 3);
}

/// A primary on its host that reads nothing while the gate is closed.
fn reading_behind(gate: &Arc<Mutex<()>>, network: &Network) -> Destination {
    let gate = Arc::clone(gate);
    let behaviour = move |peer: &mut Peer| {
        drop(gate.lock());
        while peer.read().is_some() {}
    };
    network.host(PRIMARY).inside(|| Destination::serving(behaviour))
}

/// Connections to `destination` that this worker holds.
fn held(site: &Site, worker: &str, destination: &Destination) -> usize {
    site.worker(worker).connections_to(destination.address()).len()
}

/// The two replicas of the primary, that with more sessions first.
fn busier_first(site: &Site, primary: &Destination) -> (&'static str, &'static str) {
    let [zero, one] = [WORKERS[0], WORKERS[1]];
    if held(site, zero, primary) >= held(site, one, primary) { (zero, one) } else { (one, zero) }
}

/// What connections from this host have brought.
fn from_host(site: &Site, destination: &Destination, host: &str) -> Vec<Record> {
    let host = site.network.host(host).address();
    destination.connections().into_iter().filter(|record| record.from.ip() == host).collect()
}
