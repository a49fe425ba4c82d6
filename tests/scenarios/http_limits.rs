//! Clients and servers that are slow, large or greedy: nobody else notices, memory stays bounded, and each ends in time.

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use crate::harness::{
    Client, Fabric, Plan, Process, Shape, Then, WebServer, eventually, ok, read_body, reply, settles,
    web_request,
};
use crate::in_every_shape;

in_every_shape!(
    a_client_that_says_little_or_nothing_is_ended_and_holds_up_nobody,
    a_client_that_does_not_read_holds_its_server_and_no_memory,
    a_server_that_does_not_read_holds_its_client_and_no_memory,
    a_download_that_has_begun_ends_before_a_drain_does,
);

/// More than windows, buffers and kernels hold together.
const FLOOD: usize = 128 << 20;
/// What a process may grow by meanwhile.
const GROWTH: u64 = 48 << 20;
/// What is streamed through to see that it leaves nothing behind.
const STREAM: usize = 1 << 30;

fn before(server: &WebServer, shape: Shape) -> Plan {
    Fabric::shaped(shape).web().forward_to(server.address())
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

fn clients(fabric: &Fabric) -> Option<u64> {
    fabric.report().value()["routes"][0]["http"]["clients"].as_u64()
}

/// Fails if a head may take for ever, if a byte now and then renews its time, or if it blocks the thread.
fn a_client_that_says_little_or_nothing_is_ended_and_holds_up_nobody(shape: Shape) {
    let server = WebServer::named("s");
    let fabric = before(&server, shape).set("header_timeout", "1s").set("keep_alive", "1s").start();
    let address = fabric.address();
    let dripping = thread::spawn(move || {
        let mut client = Client::connect(address);
        let mut head = b"GET /slow HTTP/1.1\r\nX: ".to_vec();
        head.resize(10_000, b'x');
        for byte in head {
            if client.try_send([byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        client.try_answer_to("GET").map(|answer| answer.status)
    });
    let mut begun: Vec<Client> = (0..50).map(|_| Client::connect(address)).collect();
    begun.iter_mut().for_each(|client| drop(client.send("GET / HTTP/1.1\r\n")));
    let mut mute: Vec<Client> = (0..50).map(|_| Client::connect(address)).collect();
    let mut other = Client::connect(address);
    for number in 0..50 {
        assert_eq!(other.get(&format!("/{number}")).status, 200);
    }
    for client in &mut begun {
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")), "{answer:?}");
        client.expect_close();
    }
    mute.iter_mut().for_each(Client::expect_close);
    other.expect_close();
    // Its 408 may have been lost to what it went on sending.
    let dripped = dripping.join().unwrap();
    assert!(dripped.is_err() || dripped.is_ok_and(|status| status == 408));
    eventually("nobody is connected", || clients(&fabric) == Some(0));
    assert_eq!(server.count(), 50);
}

/// Fails if a body that comes in drips is waited for without end, or its server is.
#[test]
fn an_upload_that_stops_is_ended_with_408() {
    let server = WebServer::by_hand(|asked, peer| {
        let Some(asked) = read_body(asked, peer) else { return Then::Close };
        peer.write(&ok(&asked.body));
        Then::GoOn
    });
    let fabric = before(&server, Shape::Inproc).set("header_timeout", "500ms").start();
    let mut client = Client::connect(fabric.address());
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")), "{answer:?}");
    client.expect_close();
    assert_eq!(Client::connect(fabric.address()).ask("POST", "/a", "", b"whole").text(), "whole");
}

/// Fails if a reply is read faster than its client does, in the cache's way or besides it.
fn a_client_that_does_not_read_holds_its_server_and_no_memory(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.target() == "/flood" {
            peer.write(&reply("200 OK", "Cache-Control: no-store\r\n", &vec![b'f'; FLOOD]));
        } else {
            peer.write(&ok(b"x"));
        }
        Then::GoOn
    });
    let fabric = before(&server, shape).start();
    let mut other = Client::connect(fabric.address());
    other.get("/warm");
    let before = resident(&fabric);

    let mut deaf: Vec<Client> = (0..4).map(|_| Client::connect(fabric.address())).collect();
    deaf.iter_mut().for_each(|client| drop(client.send(web_request("GET", "/flood", "", b""))));
    server.expect_count(5);
    let sent = settles(Duration::from_millis(500), "the servers stall", || server.sent_bytes());
    assert!(sent < 4 * FLOOD as u64, "the whole flood went somewhere");
    assert_bounded(&fabric, &before);
    for number in 0..50 {
        assert_eq!(other.get(&format!("/{number}")).status, 200);
    }

    let mut first = deaf.pop().unwrap();
    assert_eq!(first.head().status, 200);
    first.skip(FLOOD);
    assert_eq!(first.get("/next").text(), "x", "the connection serves on");
    deaf.into_iter().for_each(Client::reset);
    assert_bounded(&fabric, &before);
    drop((first, other));
    eventually("nobody is connected", || clients(&fabric) == Some(0));
}

/// Fails if an upload is read faster than its server does, or if it is waited for although it has been answered.
fn a_server_that_does_not_read_holds_its_client_and_no_memory(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.method() == "POST" {
            peer.hold();
        }
        peer.write(&ok(b"x"));
        Then::GoOn
    });
    let fabric = before(&server, shape).set("upstream_timeout", "3s").start();
    let mut other = Client::connect(fabric.address());
    other.get("/warm");
    let before = resident(&fabric);

    let address = fabric.address();
    let uploads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                client.send(format!("POST /flood HTTP/1.1\r\nHost: h\r\nContent-Length: {FLOOD}\r\n\r\n"));
                let piece = vec![b'f'; 1 << 20];
                let refused = (0..FLOOD >> 20).find_map(|_| client.try_send(&piece).err());
                (refused, client.try_answer_to("POST").map(|answer| answer.status))
            })
        })
        .collect();
    server.expect_count(5);
    for number in 0..50 {
        assert_eq!(other.get(&format!("/{number}")).status, 200);
    }
    assert_bounded(&fabric, &before);
    for upload in uploads {
        let (refused, answer) = upload.join().unwrap();
        let refused = refused.expect("the whole flood went somewhere");
        assert!(refused.kind() != ErrorKind::WouldBlock, "it waits for ever");
        // Who is still writing when its connection ends may not get to read why.
        assert!(answer.map_or_else(|error| error.kind() != ErrorKind::WouldBlock, |status| status == 504));
    }
    assert_bounded(&fabric, &before);
}

/// Fails if what has passed through stays in memory.
#[test]
fn a_gigabyte_passes_both_ways_and_leaves_nothing_behind() {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.method() == "GET" {
            peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {STREAM}\r\n\r\n").as_bytes());
            let piece = vec![b'd'; 1 << 20];
            (0..STREAM >> 20).for_each(|_| peer.write(&piece));
            return Then::GoOn;
        }
        let mut left = STREAM;
        while left > 0 {
            let Some(piece) = peer.read_some(left) else { return Then::Close };
            left -= piece.len();
        }
        peer.write(&ok(b"taken"));
        Then::GoOn
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    let before = resident(&fabric);

    client.send(web_request("GET", "/a", "", b""));
    assert_eq!(client.head().status, 200);
    for _ in 0..8 {
        client.skip(STREAM / 8);
        assert_bounded(&fabric, &before);
    }
    client.send(format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {STREAM}\r\n\r\n"));
    let piece = vec![b'u'; 1 << 20];
    for _ in 0..STREAM >> 20 {
        client.send(&piece);
    }
    assert_eq!(client.answer().text(), "taken");
    assert_bounded(&fabric, &before);
}

/// Fails if a drain cuts a reply off, goes on taking requests, or waits for idle connections.
fn a_download_that_has_begun_ends_before_a_drain_does(shape: Shape) {
    const LENGTH: usize = 32 << 20;
    let server = WebServer::answering(|_| ok(&vec![b'd'; LENGTH]));
    let fabric = before(&server, shape).grace("20s").start();
    let mut idle = Client::connect(fabric.address());
    idle.get("/warm");
    let mut downloading = Client::connect(fabric.address());
    downloading.send(web_request("GET", "/long", "Cache-Control: no-cache\r\n", b""));
    assert_eq!(downloading.head().status, 200);

    fabric.front().terminate();
    idle.expect_close();
    eventually("nobody listens any more", || Client::try_connect(fabric.address()).is_err());
    downloading.skip(LENGTH);
    downloading.expect_close();
    assert_eq!(fabric.front().exit_code(), Some(0));
}

/// Fails if a drain ends before its grace although a reply is still on its way, or says that nothing was left.
#[test]
fn a_download_that_does_not_end_within_the_grace_is_exit_code_two() {
    let server = WebServer::by_hand(|_, peer| {
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        peer.hold();
        Then::Close
    });
    let fabric = before(&server, Shape::Inproc).grace("1s").start();
    let mut client = Client::connect(fabric.address());
    client.send(web_request("GET", "/a", "", b""));
    assert_eq!(client.head().status, 200);
    fabric.front().terminate();
    assert_eq!(fabric.front().exit_code(), Some(2));
}

/// Fails if a client that takes nothing of its reply keeps its server for ever.
#[test]
fn a_client_that_takes_nothing_of_its_reply_is_given_up() {
    let server = WebServer::answering(|_| ok(&vec![b'f'; FLOOD]));
    let fabric = before(&server, Shape::Inproc).set("keep_alive", "1s").start();
    let mut client = Client::connect(fabric.address());
    client.send(web_request("GET", "/a", "", b""));
    server.expect_count(1);
    eventually("it is given up", || clients(&fabric) == Some(0));
}

/// Fails if anything of a request may be as long as it likes: what has no end is refused, and not kept.
#[test]
fn what_has_no_end_is_refused() {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.target() == "/head" {
            peer.write(b"HTTP/1.1 200 OK\r\n");
            // Until nobody listens.
            (0..FLOOD / 1024).for_each(|_| peer.write(&[b"X: ".as_slice(), &[b'x'; 1019], b"\r\n"].concat()));
            return Then::Close;
        }
        let Some(_) = read_body(asked, peer) else { return Then::Close };
        peer.write(&ok(b"x"));
        Then::GoOn
    });
    let fabric = before(&server, Shape::Inproc).set("header_timeout", "2s").start();
    let address = fabric.address();
    Client::connect(address).get("/warm");
    let before = resident(&fabric);
    let chunked = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        ("a method", String::new(), "G"),
        ("a target", "GET /".to_owned(), "a"),
        ("a value", "GET / HTTP/1.1\r\nX: ".to_owned(), "x"),
        ("a head", "GET / HTTP/1.1\r\n".to_owned(), "X: y\r\n"),
        ("lines before a request", String::new(), "\r\n"),
        ("a chunk's size", chunked.to_owned(), "0"),
        ("a chunk's extension", format!("{chunked}1;"), "x"),
        ("a trailer", format!("{chunked}0\r\nX: "), "x"),
        ("trailers", format!("{chunked}0\r\n"), "X: y\r\n"),
    ];
    for (what, begin, again) in rows {
        let mut client = Client::connect(address);
        client.send(begin);
        let piece = again.repeat(4096);
        let refused = (0..FLOOD / piece.len()).find_map(|_| client.try_send(&piece).err());
        assert!(refused.is_some_and(|error| error.kind() != ErrorKind::WouldBlock), "{what} without an end");
        assert_bounded(&fabric, &before);
    }
    assert_eq!(Client::connect(address).ask("POST", "/head", "", b"").status, 502);
    assert_bounded(&fabric, &before);
    assert_eq!(Client::connect(address).get("/after").text(), "x");
}

/// Fails if requests that come faster than their answers are taken are read without a bound, or any is lost.
#[test]
fn a_client_that_asks_and_does_not_listen_is_not_read_on() {
    const REQUESTS: usize = 10_000;
    const LENGTH: usize = 10_000;
    let server = WebServer::answering(|_| ok(&[b'x'; LENGTH]));
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    client.get("/a");
    let before = resident(&fabric);
    let mut asking = client.twin();
    let asked = thread::spawn(move || {
        // Together more than kernels hold.
        let request = web_request("GET", "/a", &format!("X: {}\r\n", "x".repeat(2000)), b"");
        (0..REQUESTS).for_each(|_| drop(asking.send(&request)));
    });
    settles(Duration::from_millis(300), "it stalls", || {
        fabric.report().value()["routes"][0]["http"]["requests"].as_u64()
    });
    assert!(!asked.is_finished(), "all requests were taken");
    assert_bounded(&fabric, &before);
    for _ in 0..REQUESTS {
        assert_eq!(client.answer().body.len(), LENGTH);
    }
    asked.join().unwrap();
    assert_bounded(&fabric, &before);
    assert_eq!(server.count(), 1);
}
