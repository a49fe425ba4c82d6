//! The Foo protocol: whatever clients and servers do passes unchanged, and what passed is counted exactly.

use std::time::Duration;
use std::{fs, thread};

use crate::harness::{
    Destination, Fabric, FooClient, Process, Shape, answer_to, eventually, foo_server,
    never_closing_foo_server, next_request, request, since,
};
use crate::in_every_shape;

in_every_shape!(
    a_client_that_writes_in_pieces_is_answered_at_once,
    twenty_clients_at_once_are_counted_exactly,
    a_message_in_pieces_is_one_and_three_in_one_piece_are_three,
    ten_thousand_requests_at_once_are_answered_in_order,
    what_is_no_message_passes_and_is_counted_apart,
    lines_of_any_length_pass_and_cost_no_memory,
    a_server_that_answers_late_is_forwarded_as_it_is,
    a_server_that_answers_twice_or_first_is_forwarded_as_it_is,
    a_server_that_never_answers_is_forwarded_as_it_is,
    two_hundred_clients_of_a_server_that_never_closes_leave_nothing_behind,
    a_server_that_is_down_costs_its_client_the_connection_and_the_next_one_nothing,
    a_second_server_is_compared_by_the_numbers_and_changes_no_count,
);

/// So many bytes more than before are no leak: windows and buffers, less than the longest line here.
const GROWTH: u64 = 8 << 20;

/// Fails if the proxy's sockets wait to fill segments: each answer would take 40 ms.
fn a_client_that_writes_in_pieces_is_answered_at_once(shape: Shape) {
    let server = foo_server();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&server).start();
    let elapsed = since();
    FooClient::connect(fabric.address()).converse(100);
    assert!(elapsed() < Duration::from_secs(1), "100 round trips took {:?}", elapsed());

    // Its own kernel holds a second piece back until the first is acknowledged, here as at the server itself.
    FooClient::with_nagle(fabric.address()).converse(10);
    assert_eq!(fabric.report().messages(), [110, 99, 11, 0, 0]);
    assert_eq!(fabric.report().replies_timed(), (110, 110));
}

/// Fails if shards are not added up, or a message that is cut counts twice.
fn twenty_clients_at_once_are_counted_exactly(shape: Shape) {
    let server = foo_server();
    let fabric = Fabric::shaped(shape).codec("foo").shards(2).forward(&server).start();
    let address = fabric.address();
    let clients: Vec<_> =
        (0..20).map(|_| thread::spawn(move || FooClient::connect(address).converse(100))).collect();
    for client in clients {
        client.join().expect("a client is answered");
    }
    assert_eq!(fabric.report().messages(), [2000, 1800, 200, 0, 0]);
    assert_eq!(fabric.at_rest().messages(), [2000, 1800, 200, 0, 0]);
}

/// Fails if reads are taken for messages.
fn a_message_in_pieces_is_one_and_three_in_one_piece_are_three(shape: Shape) {
    let server = foo_server();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&server).start();
    let mut client = fabric.connect();
    let mut sent = 0;
    for piece in ["RE", "Q 1", " He", "y\n"] {
        client.send(piece.as_bytes());
        sent += piece.len();
        eventually("the piece arrives by itself", || server.received_bytes() == sent);
    }
    client.expect(&answer_to(1));
    assert_eq!(fabric.report().messages(), [1, 1, 0, 0, 0]);

    client.send(b"REQ 2\nREQ 3 x\nREQ 4\n");
    client.expect(&[2, 3, 4].map(answer_to).concat());
    assert_eq!(fabric.report().messages(), [4, 4, 0, 0, 0]);
}

/// Fails if requests in flight are kept somewhere until they are answered.
fn ten_thousand_requests_at_once_are_answered_in_order(shape: Shape) {
    const REQUESTS: usize = 10_000;
    let server = foo_server();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&server).start();
    let mut client = fabric.connect();
    let before = resident(&fabric);
    client.send(&(1..=REQUESTS).flat_map(request).collect::<Vec<_>>());
    client.expect(&(1..=REQUESTS).flat_map(answer_to).collect::<Vec<_>>());
    assert_bounded(&fabric, &before);
    assert_eq!(fabric.report().messages(), [10_000, 9_000, 1_000, 0, 0]);
}

/// Fails if a line that is no message is held, mended, dropped or counted as one.
fn what_is_no_message_passes_and_is_counted_apart(shape: Shape) {
    let echo = Destination::echo();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&echo).start();
    let mut client = fabric.connect();
    let invalid = [
        &b"\n"[..],
        b"FOO 1\n",
        b"req 1\n",
        b"REQ\n",
        b"REQ x\n",
        b"REQ 1\r\n",
        b"REQ  1\n",
        b"REQ 1\0\n",
        b"\0\n",
        b"REQ 1 \xff\xfe\n",
        b"ACK 1 of a source\n",
    ];
    let valid = [&b"REQ 1 data\r\n"[..], b"REQ\t1\tdata\n", b"REQ 1 \0\n", b"REQ 18446744073709551616\n"];
    for line in invalid.iter().chain(&valid) {
        client.send(line);
        client.expect(line);
    }
    assert_eq!(echo.received(), [invalid.concat(), valid.concat()].concat());
    // The echo of a request is none of a server's; only that of the ACK is.
    assert_eq!(fabric.report().messages(), [4, 1, 0, 11, 14]);
}

/// Fails if a line is gathered to be read.
fn lines_of_any_length_pass_and_cost_no_memory(shape: Shape) {
    const ENDLESS: usize = 10 << 20;
    let server = Destination::serving(|peer| {
        while let Some(bytes) = peer.read() {
            bytes.iter().filter(|&&byte| byte == b'\n').for_each(|_| peer.write(b"ACK 1\n"));
        }
    });
    let fabric = Fabric::shaped(shape).codec("foo").forward(&server).start();
    let mut client = fabric.connect();
    let long = [b"REQ 1 ", &vec![b'x'; 64 << 10][..], b"\n"].concat();
    client.send(&long);
    client.expect(b"ACK 1\n");
    assert_eq!(fabric.report().messages(), [1, 1, 0, 0, 0]);

    let before = resident(&fabric);
    client.send(b"REQ 2 ");
    client.send(&vec![b'x'; ENDLESS]);
    eventually("all of it arrives", || server.received_bytes() == long.len() + 6 + ENDLESS);
    assert_bounded(&fabric, &before);
    assert_eq!(fabric.report().messages(), [1, 1, 0, 0, 0]);
    client.half_close();
    client.expect_fin();
    assert_eq!(fabric.at_rest().messages(), [2, 1, 0, 0, 0]);
}

/// Fails if answers are waited for, or put in order.
fn a_server_that_answers_late_is_forwarded_as_it_is(shape: Shape) {
    let late = Destination::serving(|peer| {
        while let Some(first) = next_request(peer) {
            let Some(second) = next_request(peer) else { return };
            peer.write(&[second, first].map(answer_to).concat());
        }
    });
    let fabric = Fabric::shaped(shape).codec("foo").forward(&late).start();
    let mut client = FooClient::connect(fabric.address());
    client.ask();
    client.source.expect_nothing();
    client.ask();
    client.source.expect(&[2, 1].map(answer_to).concat());
    assert_eq!(fabric.report().messages(), [2, 2, 0, 0, 0]);
}

/// Fails if answers are matched with requests.
fn a_server_that_answers_twice_or_first_is_forwarded_as_it_is(shape: Shape) {
    let eager = Destination::serving(|peer| {
        peer.write(&answer_to(7));
        while let Some(seq) = next_request(peer) {
            peer.write(&[seq, seq].map(answer_to).concat());
        }
    });
    let fabric = Fabric::shaped(shape).codec("foo").forward(&eager).start();
    let mut client = FooClient::connect(fabric.address());
    client.source.expect(&answer_to(7));
    client.ask();
    client.source.expect(&[1, 1].map(answer_to).concat());
    assert_eq!(fabric.report().messages(), [1, 3, 0, 0, 0]);
}

/// Fails if a request is counted when it is answered.
fn a_server_that_never_answers_is_forwarded_as_it_is(shape: Shape) {
    let silent = Destination::silent();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&silent).start();
    let mut client = FooClient::connect(fabric.address());
    for _ in 0..3 {
        client.ask();
    }
    silent.expect(&(1..=3).flat_map(request).collect::<Vec<_>>());
    client.source.expect_nothing();
    assert_eq!(fabric.report().messages(), [3, 0, 0, 0, 0]);
    client.source.half_close();
    client.source.expect_fin();
}

/// Fails if a session waits for the server's FIN.
fn two_hundred_clients_of_a_server_that_never_closes_leave_nothing_behind(shape: Shape) {
    let server = never_closing_foo_server();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&server).set("linger", "400ms").start();
    for _ in 0..200 {
        FooClient::connect(fabric.address()).converse(1);
    }
    let report = fabric.at_rest();
    assert_eq!((report.sessions("ended"), report.messages()), (200, [200, 200, 0, 0, 0]));
    eventually("no connection to the server is left", || {
        fabric.server_of("primary").connections_to(server.address()).is_empty()
    });
}

/// Fails if a refused server ends more than the session that wanted it.
fn a_server_that_is_down_costs_its_client_the_connection_and_the_next_one_nothing(shape: Shape) {
    let mut server = foo_server().not_yet();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&server).start();
    fabric.connect().expect_end();
    fabric.expect_all_running();

    server.start();
    FooClient::connect(fabric.address()).converse(10);
    assert_eq!(fabric.report().messages(), [10, 9, 1, 0, 0]);
}

/// Fails if answers are paired in the order they come, or a server's answer can be an ask.
fn a_second_server_is_compared_by_the_numbers_and_changes_no_count(shape: Shape) {
    let other = Destination::serving(|peer| {
        peer.write(b"ACK 0 nobody asked\n");
        let asked: Vec<_> = (0..3).map_while(|_| next_request(peer)).collect();
        asked.iter().rev().for_each(|&seq| match seq {
            2 => peer.write(b"NAK 2 not at all\n"),
            seq => peer.write(&answer_to(seq)),
        });
        peer.hold();
    });
    let server = foo_server();
    let fabric = Fabric::shaped(shape).codec("foo").forward(&server).forward(&other).start();
    let mut client = FooClient::connect(fabric.address());
    eventually("the second server has spoken", || {
        fabric.report().volume("secondary-1", "received").frames == 1
    });
    client.converse(3);
    eventually("its answers are compared", || fabric.report().count("secondary-1", "matched") == 2);
    client.source.expect_nothing();

    let report = fabric.report();
    let counts =
        ["different", "missing", "extra", "asks"].map(|counter| report.count("secondary-1", counter));
    assert_eq!((counts, report.messages()), ([1, 0, 0, 0], [3, 3, 0, 0, 0]));
}

/// Fails if the file that `init foo` writes does not make a Foo proxy, once its two addresses are changed.
#[test]
fn the_file_that_init_writes_is_served() {
    let (server, dir) = (foo_server(), tempfile::tempdir().unwrap());
    let written = Process::start(&["init", "foo", "--output", "foo.toml"], &[], dir.path());
    assert_eq!(written.exit_code(), Some(0));
    let file = dir.path().join("foo.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let (here, there) = ("listen = \"tcp://:8002\"", "address = \":8001\"");
    assert!(settings.contains(here) && settings.contains(there), "{settings}");
    let settings = settings.replace(here, "listen = \"tcp://127.0.0.1:0\"");
    fs::write(&file, settings.replace(there, &format!("address = \"{}\"", server.address()))).unwrap();

    let up = Process::start(&["up", "--config", "foo.toml", "--log-format", "json"], &[], dir.path());
    let listening = up.logged("listening", |_| true);
    FooClient::connect(listening["address"].as_str().unwrap().parse().unwrap()).converse(20);
    assert_eq!(up.report().messages(), [20, 18, 2, 0, 0]);
}

fn resident(fabric: &Fabric) -> Vec<u64> {
    fabric.processes().map(Process::resident_bytes).collect()
}

#[track_caller]
fn assert_bounded(fabric: &Fabric, before: &[u64]) {
    for (process, before) in fabric.processes().zip(before) {
        let growth = process.resident_bytes().saturating_sub(*before);
        assert!(growth < GROWTH, "{} grew by {growth} bytes", process.name());
    }
}
