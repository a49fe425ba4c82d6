//! Datagrams: boundaries, addresses, refusals, and sessions that nobody ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::harness::{
    DatagramDestination, DatagramSource, Fabric, Process, Shape, Volume, eventually, eventually_some,
};
use crate::in_every_shape;

const ANY_PORT: &str = "udp://127.0.0.1:0";

in_every_shape!(
    two_sources_interleaved_get_each_its_own_replies,
    datagrams_of_any_size_and_any_bytes_keep_their_boundaries,
    identical_datagrams_are_all_forwarded,
    a_primary_that_refuses_is_warned_about_and_the_session_goes_on,
    idle_sessions_give_their_sockets_back,
    replies_leave_from_the_address_that_was_spoken_to,
    two_shards_serve_one_port,
);

/// Fails if sources share a session, or a socket to a destination.
fn two_sources_interleaved_get_each_its_own_replies(shape: Shape) {
    let (primary, secondary) = (DatagramDestination::echo(), DatagramDestination::silent());
    let fabric = started(shape, &primary, &secondary);
    let sources = [DatagramSource::new(fabric.address()), DatagramSource::new(fabric.address())];

    for number in 0..50 {
        for (index, source) in sources.iter().enumerate() {
            source.send(format!("{index}:{number}").as_bytes());
        }
    }
    for number in 0..50 {
        for (index, source) in sources.iter().enumerate() {
            assert_eq!(source.hear(), format!("{index}:{number}").as_bytes());
        }
    }
    eventually("the secondary has them all", || secondary.received().len() == 100);
    assert_eq!((primary.senders(), secondary.senders()), (2, 2));
    let report = fabric.report();
    assert_eq!(report.balanced().sessions("live"), 2);
    assert_eq!(report.source_received().frames, 100);
}

/// Fails if an empty datagram is skipped, two are joined, or one is cut anywhere on its way.
fn datagrams_of_any_size_and_any_bytes_keep_their_boundaries(shape: Shape) {
    let (primary, secondary) = (DatagramDestination::echo(), DatagramDestination::silent());
    let fabric = started(shape, &primary, &secondary);
    let source = DatagramSource::new(fabric.address());
    let every_byte: Vec<u8> = (0..=255).collect();
    let longest = vec![b'x'; 65_507];
    let sent = [&[][..], &[0xff, 0xfe], &longest, &[], &every_byte, b"a", b"b", &longest];

    for datagram in sent {
        source.send(datagram);
        assert!(source.hear() == datagram, "{} bytes come back as they were", datagram.len());
    }
    eventually("the secondary has them all", || secondary.received().len() == sent.len());
    assert!(secondary.received() == sent, "the secondary's are the same");
    // At rest the totals of the last have arrived too.
    let report = eventually_some(Duration::from_secs(10), "everything is delivered", || {
        let report = fabric.report();
        let delivered = report.balanced().volume("secondary-1", "delivered").frames;
        (delivered == sent.len() as u64).then_some(report)
    });
    assert_eq!(report.volume("primary", "received").frames, sent.len() as u64);
}

/// Fails if a datagram is taken for a repetition.
fn identical_datagrams_are_all_forwarded(shape: Shape) {
    let (primary, secondary) = (DatagramDestination::silent(), DatagramDestination::silent());
    let fabric = started(shape, &primary, &secondary);
    let source = DatagramSource::new(fabric.address());

    for _ in 0..100 {
        source.send(b"same");
    }

    for destination in [&primary, &secondary] {
        eventually("all are there", || destination.received().len() == 100);
    }
}

/// Fails if a refusal ends the session, or is told for every datagram.
fn a_primary_that_refuses_is_warned_about_and_the_session_goes_on(shape: Shape) {
    let (mut primary, secondary) = (DatagramDestination::echo(), DatagramDestination::silent());
    let fabric = started(shape, &primary, &secondary);
    let source = DatagramSource::new(fabric.address());
    source.send(b"before");
    assert_eq!(source.hear(), b"before");

    primary.close();
    let warnings = || fabric.records_about("destination refuses datagrams", "primary").len();
    eventually("there is a warning", || {
        source.send(b"refused");
        warnings() > 0
    });
    assert!(warnings() <= 2, "{} warnings in a moment", warnings());
    assert!(fabric.server_of("primary").report().count("primary", "refusals") > 0);

    primary.open();
    let pause = Duration::from_millis(50);
    eventually("it works again", || {
        source.send(b"after");
        source.hear_within(pause).is_some_and(|reply| reply == b"after")
    });
    let report = fabric.report();
    assert_eq!((report.sessions("opened"), report.sessions("live")), (1, 1));
    assert_eq!(primary.senders(), 1);
}

/// Fails if a session that nobody ends is kept, or its end leaves a socket behind.
fn idle_sessions_give_their_sockets_back(shape: Shape) {
    const SOURCES: usize = 300;
    let (primary, secondary) = (DatagramDestination::echo(), DatagramDestination::silent());
    let plan = Fabric::shaped(shape).datagrams(ANY_PORT).set("idle_timeout", "1s");
    let fabric = plan.forward_to(primary.address()).forward_to(secondary.address()).start();
    // What a process opens for its first session stays.
    let first = DatagramSource::new(fabric.address());
    first.send(b"first");
    assert_eq!(first.hear(), b"first");
    fabric.at_rest();
    let descriptors: Vec<usize> = fabric.processes().map(Process::descriptors).collect();

    let sources: Vec<_> = (0..SOURCES).map(|_| DatagramSource::new(fabric.address())).collect();
    for source in &sources {
        source.send(b"hello");
        assert_eq!(source.hear(), b"hello");
    }
    eventually("the secondary heard all", || secondary.senders() == SOURCES + 1);

    let report = fabric.at_rest();
    assert_eq!(report.sessions("ended"), SOURCES as u64 + 1);
    assert_eq!(report.count("primary", "connections"), SOURCES as u64 + 1);
    eventually("the descriptors are back to what they were", || {
        fabric.processes().zip(&descriptors).all(|(process, &before)| process.descriptors() <= before)
    });
    sources[0].send(b"again");
    assert_eq!(sources[0].hear(), b"again");
}

/// Fails if answers leave from whatever address the kernel prefers.
fn replies_leave_from_the_address_that_was_spoken_to(shape: Shape) {
    for listen in ["udp://0.0.0.0:0", "udp://:0"] {
        let primary = DatagramDestination::echo();
        let fabric = Fabric::shaped(shape).datagrams(listen).forward_to(primary.address()).start();
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)] {
            let source = DatagramSource::new(SocketAddr::from((address, fabric.address().port())));
            source.send(b"hello");
            assert_eq!(source.hear(), b"hello", "spoken to as {address}");
        }
        assert_eq!(fabric.report().sessions("live"), 2);
    }
}

/// Fails if a session of datagrams cannot be taken up by another worker.
#[test]
fn a_session_goes_on_when_its_worker_is_killed() {
    let (primary, secondary) = (DatagramDestination::echo(), DatagramDestination::silent());
    let plan = Fabric::shaped(Shape::Tcp).datagrams(ANY_PORT).forward_to(primary.address()).replicas(2);
    let fabric = plan.forward_to(secondary.address()).start();
    let sources: Vec<_> = (0..4).map(|_| DatagramSource::new(fabric.address())).collect();
    for source in &sources {
        source.send(b"before");
        assert_eq!(source.hear(), b"before");
    }

    fabric.worker("primary-0").process.kill9();
    let pause = Duration::from_millis(50);
    for source in &sources {
        eventually("it is answered again", || {
            source.send(b"");
            source.hear_within(pause).is_some_and(|reply| reply.is_empty())
        });
    }

    let report = fabric.report();
    assert_eq!(report.balanced().sessions("live"), 4);
    assert_eq!(report.count("primary", "moved"), 2);
}

/// Fails if a shard does not listen, or a source is served by two.
fn two_shards_serve_one_port(shape: Shape) {
    let (primary, secondary) = (DatagramDestination::echo(), DatagramDestination::silent());
    let plan = Fabric::shaped(shape).datagrams(ANY_PORT).shards(2);
    let fabric = plan.forward_to(primary.address()).forward_to(secondary.address()).start();
    let sources: Vec<_> = (0..20).map(|_| DatagramSource::new(fabric.address())).collect();

    for round in 0..3 {
        for (index, source) in sources.iter().enumerate() {
            source.send(format!("{round}:{index}").as_bytes());
            assert_eq!(source.hear(), format!("{round}:{index}").as_bytes());
        }
    }

    assert_eq!(primary.senders(), 20);
    let report = fabric.report();
    assert_eq!(report.balanced().sessions("live"), 20);
    let shed = report.shed("primary", "window_full");
    assert_eq!((report.source_received().frames, shed), (60, Volume::default()));
    assert_eq!((report.source_count("kernel_drops"), report.source_count("unsent")), (0, 0));
}

#[track_caller]
fn started(shape: Shape, primary: &DatagramDestination, secondary: &DatagramDestination) -> Fabric {
    let plan = Fabric::shaped(shape).datagrams(ANY_PORT);
    plan.forward_to(primary.address()).forward_to(secondary.address()).start()
}
