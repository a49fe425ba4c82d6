//! Who gets a request: one server after the other, those that are there, and those that are well.

use std::thread;

use crate::harness::{
    Asked, Client, Fabric, Plan, Shape, Then, WebServer, eventually, get, ok, read_body, reply,
};
use crate::in_every_shape;

in_every_shape!(
    requests_go_round_the_servers_and_a_hit_is_no_turn,
    a_dead_server_costs_nobody_an_answer_and_is_back_when_it_is,
    a_server_is_back_with_the_head_of_its_first_reply,
    with_all_servers_dead_the_answer_is_502_and_is_not_kept,
    a_server_that_never_answers_is_504_for_its_request_only,
    a_request_that_may_have_been_acted_on_is_not_repeated,
    an_unwell_server_gets_no_requests_until_it_is_well,
);

const NAMES: [&str; 3] = ["one", "two", "three"];

fn servers() -> [WebServer; 3] {
    NAMES.map(WebServer::named)
}

fn before(servers: &[WebServer], shape: Shape) -> Plan {
    servers.iter().fold(Fabric::shaped(shape).web(), |plan, server| plan.forward_to(server.address()))
}

fn counts(servers: &[WebServer]) -> Vec<usize> {
    servers.iter().map(WebServer::count).collect()
}

/// Fails if a hit takes a turn of the ring, if shards have rings of their own, or if what is kept is not what came.
fn requests_go_round_the_servers_and_a_hit_is_no_turn(shape: Shape) {
    for shards in [1, 2] {
        let servers = servers();
        let fabric = before(&servers, shape).shards(shards).start();
        let fetch = |target: &str| get(fabric.address(), target);

        let first: Vec<String> = ["/a", "/b", "/c"].map(|target| fetch(target).text()).to_vec();
        assert_eq!(first, ["one /a", "two /b", "three /c"]);
        // Over connections enough for every shard to have some.
        for _ in 0..16 {
            let again = fetch("/a");
            assert_eq!((again.text().as_str(), again.is_hit()), ("one /a", true));
        }
        assert_eq!(counts(&servers), [1, 1, 1]);
        assert_eq!(["/d", "/e"].map(|target| fetch(target).text()), ["one /d", "two /e"]);
    }
}

/// Fails if a refused connection is answered to the client, or a server that is back gets no turn.
fn a_dead_server_costs_nobody_an_answer_and_is_back_when_it_is(shape: Shape) {
    let mut servers = servers();
    let fabric = before(&servers, shape).set("ttl", "0s").set("eject_for", "100ms").start();
    let mut client = Client::connect(fabric.address());
    client.get("/warm");
    servers[1].die();

    for number in 0..30 {
        let answer = client.get(&format!("/{number}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.text().starts_with("two"), "{answer:?}");
    }
    fabric.front().logged("server fails, it is out of the ring", |record| record["server"] == "server-2");
    servers[1].start();
    eventually("it is back in the ring", || client.get("/again").text() == "two /again");
    fabric
        .front()
        .logged("server answers again, it is back in the ring", |record| record["server"] == "server-2");
}

/// Fails if a reply of our own is kept, or the ring is empty for ever.
fn with_all_servers_dead_the_answer_is_502_and_is_not_kept(shape: Shape) {
    let mut servers = servers();
    servers.iter_mut().for_each(WebServer::die);
    let fabric = before(&servers, shape).set("eject_for", "100ms").start();
    let mut client = Client::connect(fabric.address());

    for _ in 0..5 {
        let answer = client.get("/a");
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(answer.header("connection"), None, "the connection serves on");
    }
    servers.iter_mut().for_each(WebServer::start);
    eventually("it is served again", || client.get("/a").status == 200);
    assert!(client.get("/a").is_hit());
}

/// Fails if a server is back only when the first reply it gives is complete: some never are.
fn a_server_is_back_with_the_head_of_its_first_reply(shape: Shape) {
    let streaming = |name: &'static str| {
        WebServer::by_hand(move |asked, peer| {
            if asked.target() == "/stream" {
                peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
                peer.hold();
            }
            peer.write(&ok(name.as_bytes()));
            Then::GoOn
        })
    };
    let mut servers = [streaming("one"), streaming("two")];
    let fabric = before(&servers, shape).set("ttl", "0s").set("eject_for", "100ms").start();
    servers[1].die();
    let mut client = Client::connect(fabric.address());
    eventually("it is out of the ring", || {
        assert_eq!(client.get("/a").text(), "one");
        !fabric.front().records("server fails, it is out of the ring").is_empty()
    });
    servers[1].start();

    let mut streams = Vec::new();
    eventually("the first request it gets is a stream", || {
        let mut stream = Client::connect(fabric.address());
        stream.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(stream.head().status, 200);
        streams.push(stream);
        servers[1].count_of("/stream") == 1
    });
    let next = [client.get("/a").text(), client.get("/a").text()];
    assert!(next.contains(&"two".to_owned()), "{next:?}");
}

/// Fails if `upstream_timeout` does not end it, if the request is sent to another, or if it holds up others.
fn a_server_that_never_answers_is_504_for_its_request_only(shape: Shape) {
    let asleep = WebServer::by_hand(|asked, peer| {
        match asked.target() {
            "/slow" => peer.hold(),
            target => peer.write(&ok(target.as_bytes())),
        }
        Then::GoOn
    });
    let fabric = before(&[], shape)
        .forward_to(asleep.address())
        .set("ttl", "0s")
        .set("upstream_timeout", "1s")
        .set("eject_after", "1000")
        .start();
    let mut waiting = Client::connect(fabric.address());
    waiting.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    asleep.expect_count(1);

    let mut other = Client::connect(fabric.address());
    for number in 0..20 {
        assert_eq!(other.get(&format!("/{number}")).text(), format!("/{number}"));
    }
    let answer = waiting.answer();
    assert_eq!((answer.status, asleep.count_of("/slow")), (504, 1), "{answer:?}");
    assert_eq!(waiting.get("/on").text(), "/on", "the connection serves on");
}

/// Fails if a POST is sent a second time after a server has read it, or a GET is not.
fn a_request_that_may_have_been_acted_on_is_not_repeated(shape: Shape) {
    let die = |asked: &Asked, peer: &mut crate::harness::Peer| {
        read_body(asked, peer);
        Then::Close
    };
    let servers = [WebServer::by_hand(die), WebServer::by_hand(die), WebServer::named("well")];
    let fabric = before(&servers, shape).set("ttl", "0s").set("eject_after", "1000").start();
    let mut client = Client::connect(fabric.address());

    let refused = client.ask("POST", "/act", "", b"once");
    assert_eq!((refused.status, counts(&servers)), (502, vec![1, 0, 0]), "{refused:?}");
    for method in ["GET", "HEAD", "OPTIONS"] {
        let answer = client.ask(method, "/ask", "", b"");
        assert_eq!(answer.status, 200, "{method} {answer:?}");
    }
    // Whose body is gone cannot be repeated, whatever its method.
    let asked: usize = counts(&servers)[..2].iter().sum();
    let answers: Vec<u16> = (0..3).map(|_| client.ask("PUT", "/put", "", b"whole").status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(counts(&servers)[..2].iter().sum::<usize>(), asked + 2);
}

/// Fails if checks are not made, are made of requests' connections only, or do not end.
fn an_unwell_server_gets_no_requests_until_it_is_well(shape: Shape) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    let is_well = Arc::new(AtomicBool::new(false));
    let said = Arc::clone(&is_well);
    let moody = WebServer::answering(move |asked| match asked.target() {
        "/health" if said.load(Relaxed) => ok(b"well"),
        "/health" => reply("503 Service Unavailable", "", b""),
        target => ok(format!("moody {target}").as_bytes()),
    });
    let steady = WebServer::named("steady");
    let fabric = before(&[], shape)
        .forward_to(moody.address())
        .forward_to(steady.address())
        .set("ttl", "0s")
        .set("health", "/health")
        .set("health_interval", "50ms")
        .start();
    fabric.front().logged("server is unwell, its checks fail", |record| record["server"] == "server-1");

    let mut client = Client::connect(fabric.address());
    for _ in 0..10 {
        assert_eq!(client.get("/a").text(), "steady /a");
    }
    is_well.store(true, Relaxed);
    fabric.front().logged("server is well again", |record| record["server"] == "server-1");
    eventually("it gets requests", || client.get("/a").text() == "moody /a");
}

/// Fails if who finds no place is refused at once, waits for ever, or is not counted.
#[test]
fn beyond_max_connections_requests_wait_and_then_get_503() {
    let slow = WebServer::by_hand(|asked, peer| {
        if asked.target() == "/hold" {
            // Until the test lets go of it.
            peer.hold();
        }
        peer.write(&ok(asked.target().as_bytes()));
        Then::GoOn
    });
    let fabric = before(&[], Shape::Inproc)
        .forward_to(slow.address())
        .set("ttl", "0s")
        .set("max_connections", "1")
        .set("queue_timeout", "500ms")
        .start();
    let mut holder = Client::connect(fabric.address());
    holder.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    slow.expect_count(1);

    let mut waiting = Client::connect(fabric.address());
    waiting.send("GET /waits HTTP/1.1\r\nHost: h\r\n\r\n");
    let queued = || fabric.report().value()["routes"][0]["http"]["queued"].as_u64();
    eventually("it waits", || queued() == Some(1));
    // One may wait, and another is one too many.
    assert_eq!(get(fabric.address(), "/beyond").status, 503);
    assert_eq!(waiting.answer().status, 503, "nobody left within queue_timeout");

    waiting.send("GET /waits HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("it waits again", || queued() == Some(2));
    drop(holder);
    assert_eq!(waiting.answer().text(), "/waits", "it gets the place of who has left");
    assert_eq!(slow.count(), 2);
}

/// Fails if weights, or what is in progress, go for nothing.
#[test]
fn servers_get_what_their_weight_and_their_work_allow() {
    let servers = servers();
    let plan = Fabric::shaped(Shape::Inproc).web().set("ttl", "0s");
    let plan = plan.forward_to(servers[0].address()).with("weight = 3").forward_to(servers[1].address());
    let fabric = plan.start();
    for _ in 0..40 {
        assert_eq!(get(fabric.address(), "/a").status, 200);
    }
    assert_eq!(counts(&servers), [30, 10, 0]);

    let held = WebServer::by_hand(|_, peer| {
        peer.hold();
        Then::Close
    });
    let plan = before(&[], Shape::Inproc).forward_to(held.address()).forward_to(servers[2].address());
    let fabric = plan.set("ttl", "0s").set("balance", "least-requests").start();
    let mut waiting = Client::connect(fabric.address());
    waiting.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    held.expect_count(1);
    for _ in 0..20 {
        assert_eq!(get(fabric.address(), "/a").text(), "three /a");
    }
}

/// Fails if many clients at once upset the ring's order or the pools.
#[test]
fn many_clients_at_once_are_spread_evenly() {
    const CLIENTS: usize = 12;
    const EACH: usize = 50;
    let servers = servers();
    let fabric = before(&servers, Shape::Inproc).set("ttl", "0s").shards(2).start();
    let address = fabric.address();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            thread::spawn(move || {
                let mut connection = Client::connect(address);
                for number in 0..EACH {
                    let target = format!("/{client}/{number}");
                    let answer = connection.get(&target);
                    assert_eq!(answer.status, 200);
                    assert!(answer.text().ends_with(&format!(" {target}")), "{answer:?}");
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(counts(&servers), [CLIENTS * EACH / 3; 3]);
    let connections: usize = servers.iter().map(WebServer::accepted).sum();
    assert!(connections <= 3 * CLIENTS, "{connections} connections to servers");
}
