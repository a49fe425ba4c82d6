//! Where requests and replies end when somebody leaves, breaks or lies in the middle: nobody takes a part for the whole.

use std::thread;

use crate::harness::{Client, End, Fabric, Plan, Shape, Then, WebServer, eventually, get, ok, read_body};
use crate::in_every_shape;

in_every_shape!(
    a_reply_that_nobody_reads_any_more_is_stopped,
    a_reply_without_a_length_that_breaks_does_not_seem_whole,
    a_reply_with_two_lengths_is_as_long_as_its_chunks,
    a_coding_that_nobody_asked_for_is_no_reply,
    a_connection_that_is_still_uploading_serves_nobody_else,
    what_ends_connections_does_not_end_them_all,
    strangers_do_not_say_by_which_name_they_asked,
);

fn before(server: &WebServer, shape: Shape) -> Plan {
    Fabric::shaped(shape).web().forward_to(server.address()).set("ttl", "0s")
}

/// Fails if what a server says to who has left is read on.
fn a_reply_that_nobody_reads_any_more_is_stopped(shape: Shape) {
    const ALL: usize = 1 << 30;
    let server = WebServer::by_hand(|_, peer| {
        peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {ALL}\r\n\r\n").as_bytes());
        let piece = vec![b'x'; 1 << 20];
        (0..ALL / piece.len()).for_each(|_| peer.write(&piece));
        Then::Close
    });
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());
    client.send("GET /all HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.head().status, 200);
    drop(client);

    eventually("nobody is connected to the server", || {
        fabric.processes().all(|process| process.connections_to(server.address()).is_empty())
    });
    assert!(server.sent_bytes() < ALL as u64 / 2, "{} bytes were sent", server.sent_bytes());
}

/// Fails if a connection whose end is that of the reply ends in order though the reply did not.
fn a_reply_without_a_length_that_breaks_does_not_seem_whole(shape: Shape) {
    let server = WebServer::by_hand(|_, peer| {
        peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        Then::Close
    });
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());

    client.send("GET /half HTTP/1.0\r\n\r\n");

    assert_eq!(client.rest().0, End::Reset);
}

/// Fails if a length beside chunks is believed.
fn a_reply_with_two_lengths_is_as_long_as_its_chunks(shape: Shape) {
    let server = WebServer::by_hand(|_, peer| {
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer.write(b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n");
        Then::GoOn
    });
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());

    for _ in 0..2 {
        assert_eq!(client.get("/two").text(), "firstsecond");
    }
}

/// Fails if a coding is taken off a reply that is still in it.
fn a_coding_that_nobody_asked_for_is_no_reply(shape: Shape) {
    let server = WebServer::by_hand(|_, peer| {
        peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nzzzz\r\n0\r\n\r\n");
        Then::GoOn
    });
    let fabric = before(&server, shape).start();

    assert_eq!(Client::connect(fabric.address()).get("/coded").status, 502);
}

/// Fails if a connection is used again while a request is on its way over it.
fn a_connection_that_is_still_uploading_serves_nobody_else(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.method() == "POST" {
            // Answered before it is read, as a server does that has nothing to say to it.
            peer.write(&ok(b"early"));
            return if read_body(asked, peer).is_some() { Then::GoOn } else { Then::Close };
        }
        peer.write(&ok(b"got"));
        Then::GoOn
    });
    let fabric = before(&server, shape).set("header_timeout", "1h").set("upstream_timeout", "1h").start();
    let mut uploading = Client::connect(fabric.address());
    uploading.send("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf ");
    assert_eq!(uploading.answer_to("POST").text(), "early");

    let mut other = Client::connect(fabric.address());

    assert_eq!(other.get("/got").text(), "got");
    assert_eq!(server.accepted(), 2);
}

/// Fails if a request that ends every connection is tried on all that there are.
fn what_ends_connections_does_not_end_them_all(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.target() == "/poison" {
            return Then::Close;
        }
        peer.write(&ok(b"well"));
        Then::GoOn
    });
    let fabric = before(&server, shape).start();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let address = fabric.address();
            thread::spawn(move || Client::connect(address).get("/well").status)
        })
        .collect();
    for client in waiting {
        assert_eq!(client.join().unwrap(), 200);
    }

    assert_eq!(Client::connect(fabric.address()).get("/poison").status, 502);

    assert!(server.count_of("/poison") <= 2, "{} times", server.count_of("/poison"));
}

/// Fails if a server sees the host and the scheme that a client made up.
fn strangers_do_not_say_by_which_name_they_asked(shape: Shape) {
    let server = WebServer::named("one");
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());

    client.ask("GET", "/a", "X-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n", b"");

    let asked = server.last();
    assert_ne!(asked.header("x-forwarded-host"), Some("evil"));
    assert_eq!(asked.header("x-forwarded-host"), asked.header("host"));
    assert_eq!(asked.header("x-forwarded-proto"), Some("http"));
}

/// Fails if a session goes on over another connection: what is left of the request would be another request.
#[test]
fn a_request_whose_worker_is_lost_is_not_continued_elsewhere() {
    let server = WebServer::by_hand(|asked, peer| {
        let Some(_) = read_body(asked, peer) else { return Then::Close };
        peer.write(&ok(b"whole"));
        Then::GoOn
    });
    let fabric = before(&server, Shape::Ipc).replicas(2).set("upstream_timeout", "1h").start();
    let mut client = Client::connect(fabric.address());
    client.send("POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 36\r\n\r\n");
    server.expect_count(1);
    let serving =
        fabric.processes().skip(1).find(|worker| !worker.connections_to(server.address()).is_empty());

    serving.expect("one of them holds the connection").kill9();
    // What would be a request of its own on a new connection.
    let _ = client.try_send("DELETE /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.answer_to("POST");

    assert_eq!(answer.status, 502, "{answer:?}");
    eventually("the next worker serves", || get(fabric.address(), "/next").status == 200);
    assert!(server.asked().iter().skip(1).all(|asked| asked.target() == "/next"), "{:?}", server.asked());
}
