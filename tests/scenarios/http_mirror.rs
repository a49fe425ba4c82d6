//! A route of requests that replicates: the primary answers, secondaries get copies, and what they say is compared.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use runtime::event::{Diverged, Event};
use serde_json::Value;

use crate::harness::{
    Destination, Fabric, Meeting, PATIENCE, Peer, Plan, Shape, eventually, eventually_some,
};
use crate::in_every_shape;

in_every_shape!(
    a_secondary_gets_the_same_requests_and_the_client_the_primarys_replies,
    a_secondary_that_lies_is_counted_told_of_and_published,
    a_secondary_that_is_silent_resets_or_refuses_changes_nothing_for_the_client,
);

/// Fails if a copy lacks something, a secondary's reply reaches the client, or equal replies are taken for different.
fn a_secondary_gets_the_same_requests_and_the_client_the_primarys_replies(shape: Shape) {
    let said_by = |name: &'static str| {
        Server::answering(move |asked| reply("200 OK", &format!("X-By: {name}\r\n"), asked.body.as_bytes()))
    };
    let (primary, secondary) = (said_by("primary"), said_by("secondary"));
    let plan = replicating(shape, &[&primary, &secondary]).set("mirror_methods", "['GET', 'POST']");
    let fabric = plan.start();
    let mut client = Client::connect(fabric.address());

    for request in [
        "GET /a?b=c HTTP/1.1\r\nHost: h.example\r\nX-One: 1\r\nx-one: 2\r\nCookie: c\r\n\r\n",
        "POST /d HTTP/1.1\r\nHost: h.example\r\nContent-Length: 5\r\n\r\nhello",
        "POST /e HTTP/1.1\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: h.example\r\nContent-Length: 0\r\n\r\n",
    ] {
        let (head, _) = client.ask(request.as_bytes());
        assert!(head.contains("x-by: primary"), "{head}");
    }

    secondary.expect_count(4);
    let (to_primary, mut to_secondary) = (primary.asked(), secondary.asked());
    // Copies go over connections of their own, and one may overtake another.
    to_secondary.sort_by(|one, other| one.target().cmp(other.target()));
    for (original, copy) in to_primary.iter().zip(&to_secondary) {
        assert_eq!((&original.line, &original.body), (&copy.line, &copy.body));
        assert_eq!(original.headers_but_of_framing(), copy.headers_but_of_framing());
    }
    assert_eq!(to_secondary[0].line, "GET /a?b=c HTTP/1.1");
    assert!(to_secondary[0].headers.contains(&"host: h.example".to_owned()));
    eventually("all replies are compared", || said(&fabric) == [4, 0, 0, 0]);
    let report = fabric.report();
    report.balanced();
    let roles: Vec<_> = ["primary", "secondary-1"].map(|name| role(report.value(), name)).into();
    assert_eq!(roles, ["primary", "secondary"]);
}

/// Fails if a kind of difference is not found, not where it is, or not told in all three ways.
fn a_secondary_that_lies_is_counted_told_of_and_published(shape: Shape) {
    const JSON: &str = "Content-Type: application/json\r\n";
    let primary = Server::answering(|asked| match asked.target() {
        "/json" => reply("200 OK", JSON, br#"{"a":{"b":[1,2]},"c":3}"#),
        _ => reply("200 OK", "Content-Type: text/plain\r\n", b"truth"),
    });
    let secondary = Server::answering(|asked| match asked.target() {
        "/status" => reply("404 Not Found", "Content-Type: text/plain\r\n", b"truth"),
        "/header" => reply("200 OK", "Content-Type: text/html\r\n", b"truth"),
        "/body" => reply("200 OK", "Content-Type: text/plain\r\n", b"trust"),
        _ => reply("200 OK", JSON, br#"{ "c": 3, "a": {"b": [1, 4]} }"#),
    });
    let meeting = Meeting::arranged();
    let listener = meeting.listen();
    let fabric = replicating(shape, &[&primary, &secondary]).stats(meeting.endpoint()).start();

    let rows = [
        ("/status", "status", Some(9)),
        ("/header", "header content-type", Some(36)),
        ("/body", "body", Some(48)),
        ("/json", "body /a/b/1", None),
    ];
    for (number, (target, path, offset)) in rows.into_iter().enumerate() {
        let find = |event: &Event| match event {
            Event::Diverged(diverged) if diverged.path.as_deref() == Some(path) => Some(diverged.clone()),
            _ => None,
        };
        // One a second is told; those before are counted.
        let (mut diverged, mut asked) = (None, 0_u64);
        let before = said(&fabric)[1];
        eventually(&format!("{target} is told of"), || {
            if diverged.is_none() {
                Client::connect(fabric.address()).get(target);
                asked += 1;
                diverged = listener.heard().iter().find_map(|published| find(&published.event));
            }
            diverged.is_some()
        });
        let diverged: Diverged = diverged.unwrap();
        assert_eq!((diverged.finding.as_str(), diverged.destination.as_str()), ("different", "secondary-1"));
        assert_eq!((diverged.offset, number), (offset, number), "{target}");
        assert_eq!(diverged.request.0, format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes());
        assert!(diverged.primary.0.starts_with(b"HTTP/1.1 200 OK\r\n"), "{diverged:?}");
        let record = |record: &Value| record["path"] == path && record["destination"] == "secondary-1";
        let warning = fabric.front().logged("replies diverge", record);
        assert_eq!((&warning["level"], &warning["finding"]), (&"WARN".into(), &"different".into()));
        eventually("each is counted", || said(&fabric) == [0, before + asked, 0, 0]);
    }
}

/// Fails if a client waits for a secondary, hears of it, or gets its reply.
fn a_secondary_that_is_silent_resets_or_refuses_changes_nothing_for_the_client(shape: Shape) {
    let secondaries = [
        ("silent", Destination::silent()),
        ("never reading", Destination::never_reading()),
        ("resetting", Destination::resetting()),
        ("refusing", Destination::silent().not_yet()),
    ];
    for (what, secondary) in secondaries {
        let primary = Server::answering(|asked| reply("200 OK", "", asked.target().as_bytes()));
        let plan = replicating(shape, &[&primary]).forward(&secondary).set("mirror_copies", "8");
        let fabric = plan.start();
        let mut client = Client::connect(fabric.address());
        for number in 0..40 {
            let target = format!("/{number}");
            assert_eq!(client.get(&target).1, target, "{what}");
        }
        let report = eventually_some(PATIENCE, &format!("{what}: every copy is accounted for"), || {
            let report = fabric.report();
            let shed: u64 =
                ["away", "window_full"].map(|why| report.shed("secondary-1", why).frames).iter().sum();
            let missing = report.count("secondary-1", "missing");
            // Those under way to one that is silent are neither, until their time is up.
            let under_way = if what == "silent" || what == "never reading" { 8 } else { 0 };
            (shed + missing + under_way == 40).then_some(report)
        });
        assert_eq!(report.count("secondary-1", "matched"), 0);
        match what {
            "refusing" => assert_eq!(report.shed("secondary-1", "away").frames, 40),
            "resetting" => {}
            _ => assert_eq!(report.shed("secondary-1", "window_full").frames, 32),
        }
        report.balanced();
    }
}

/// Fails if a copy has no end, or keeps its place after it.
#[test]
fn a_reply_that_does_not_come_in_time_is_missing() {
    let (primary, secondary) = (Server::named("same"), Destination::silent());
    let plan = replicating(Shape::Inproc, &[&primary]).forward(&secondary).set("mirror_copies", "1");
    let fabric = plan.set("mirror_timeout", "50ms").start();
    let mut client = Client::connect(fabric.address());

    for number in 1..=3 {
        eventually("its place is free again", || {
            client.get("/a");
            said(&fabric)[2] >= number
        });
    }
    let warning = fabric.front().logged("replies diverge", |record| record["finding"] == "missing");
    assert_eq!((&warning["secondary"], &warning["destination"]), (&"".into(), &"secondary-1".into()));
    assert_eq!((said(&fabric)[0], said(&fabric)[1]), (0, 0));
}

/// Fails if there is more than one line about an outage, or copies do not go on after it.
#[test]
fn a_secondary_that_was_away_gets_copies_again_when_it_is_back() {
    let primary = Server::named("same");
    let mut secondary = Server::named("same");
    secondary.destination.die();
    let plan = replicating(Shape::Inproc, &[&primary, &secondary]).set("backoff_max", "50ms");
    let fabric = plan.set("backoff_min", "10ms").start();
    let mut client = Client::connect(fabric.address());

    eventually("it is tried more than once", || {
        client.get("/away");
        fabric.report().shed("secondary-1", "away").frames > 50
    });
    secondary.destination.start();
    eventually("a copy reaches it", || {
        client.get("/back");
        said(&fabric)[0] > 0
    });
    assert_eq!(fabric.records_about("destination is away", "secondary-1").len(), 1);
    assert_eq!((said(&fabric)[1], said(&fabric)[2]), (0, 0));
}

/// Fails if what may differ is compared, or what may not is passed over.
#[test]
fn what_may_differ_in_json_is_not_compared() {
    let answering = |time: u64, id: u64| {
        Server::answering(move |asked| {
            let value = if asked.target() == "/other" { id } else { 0 };
            let text = format!(r#"{{"meta":{{"time":{time}}},"items":[{{"id":{id},"value":{value}}}]}}"#);
            reply("200 OK", "Content-Type: application/json\r\n", text.as_bytes())
        })
    };
    let (primary, secondary) = (answering(1, 1), answering(2, 2));
    let plan = replicating(Shape::Inproc, &[&primary, &secondary]);
    let fabric = plan.set("ignore_json", "['/meta/time', '/items/*/id']").start();
    let mut client = Client::connect(fabric.address());

    client.get("/same");
    eventually("it is the same", || said(&fabric) == [1, 0, 0, 0]);
    client.get("/other");
    eventually("it is not", || said(&fabric) == [1, 1, 0, 0]);
    let warning = fabric.front().logged("replies diverge", |_| true);
    assert_eq!(warning["path"], "body /items/0/value");
}

/// Fails if methods are not looked at.
#[test]
fn a_request_that_may_change_something_is_copied_only_if_its_method_is_named() {
    let (primary, secondary) = (Server::named("same"), Server::named("same"));
    let fabric = replicating(Shape::Inproc, &[&primary, &secondary]).start();
    let mut client = Client::connect(fabric.address());

    for method in ["POST", "DELETE", "PUT", "GET"] {
        client.ask(format!("{method} /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").as_bytes());
    }
    eventually("the last is compared", || said(&fabric) == [1, 0, 0, 0]);
    assert_eq!(primary.asked().len(), 4);
    let lines: Vec<_> = secondary.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /x HTTP/1.1"]);
}

/// Fails if a body that is not copied is not passed on either, or a part of it is copied.
#[test]
fn a_body_that_is_too_long_to_be_copied_goes_to_the_primary_whole() {
    let (primary, secondary) = (Server::named("same"), Server::named("same"));
    let plan = replicating(Shape::Inproc, &[&primary, &secondary]).set("mirror_body", "64KiB");
    let fabric = plan.set("mirror_methods", "['POST', 'GET']").start();
    let mut client = Client::connect(fabric.address());
    let body = "x".repeat(3 << 20);

    client.ask(
        format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes(),
    );
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    client
        .ask(format!("POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}").as_bytes());
    client.get("/last");

    eventually("the last is compared", || said(&fabric) == [1, 0, 0, 0]);
    assert_eq!(
        primary.asked().iter().map(|asked| asked.body.len()).collect::<Vec<_>>(),
        [3 << 20, 3 << 20, 0]
    );
    assert_eq!(secondary.asked().len(), 1);
    assert_eq!(fabric.report().balanced().shed("secondary-1", "oversized_frame").frames, 2);
}

/// Fails if a long reply is held, or taken for the same or another.
#[test]
fn a_long_reply_passes_and_is_not_compared() {
    let long = || Server::answering(|_| reply("200 OK", "", &vec![b'x'; 3 << 20]));
    let (primary, secondary) = (long(), long());
    let fabric = replicating(Shape::Inproc, &[&primary, &secondary]).start();

    assert_eq!(Client::connect(fabric.address()).get("/long").1.len(), 3 << 20);
    eventually("it is not compared", || said(&fabric) == [0, 0, 0, 1]);
}

/// Fails if places for copies are given without end, or what is gathered is kept.
#[test]
fn a_secondary_that_stalls_holds_so_much_and_no_more() {
    const REQUESTS: u64 = 400;
    let (primary, secondary) = (Server::named("ok"), Destination::never_reading());
    let plan = replicating(Shape::Inproc, &[&primary]).forward(&secondary).set("mirror_copies", "4");
    let fabric = plan.set("mirror_methods", "['POST']").start();
    let mut client = Client::connect(fabric.address());
    let body = "x".repeat(512 << 10);
    let request = format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());

    for _ in 0..20 {
        client.ask(request.as_bytes());
    }
    let before = fabric.front().resident_bytes();
    for _ in 20..REQUESTS {
        client.ask(request.as_bytes());
    }
    let more = fabric.front().resident_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more for {} of copies", REQUESTS << 19);
    assert_eq!(fabric.report().balanced().shed("secondary-1", "window_full").frames, REQUESTS - 4);
    // Whoever holds copies does not hold up the end.
    drop(client);
    fabric.front().terminate();
    assert_eq!(fabric.front().exit_code(), Some(0));
}

/// Fails if a hit is copied.
#[test]
fn what_the_cache_answers_goes_to_nobody() {
    let (primary, secondary) = (Server::named("same"), Server::named("same"));
    let plan = Fabric::shaped(Shape::Inproc).web().forward(&primary.destination);
    let fabric = plan.forward(&secondary.destination).set("mode", "replicate").start();
    let mut client = Client::connect(fabric.address());

    for target in ["/a", "/a", "/a", "/b"] {
        assert_eq!(client.get(target).1, format!("same {target}"));
    }
    eventually("both are compared", || said(&fabric) == [2, 0, 0, 0]);
    assert_eq!((primary.asked().len(), secondary.asked().len()), (2, 2));
}

/// Fails if a secondary gets what no primary got, or answers for it.
#[test]
fn where_the_primary_cannot_be_asked_nobody_is() {
    let mut primary = Server::named("primary");
    primary.destination.die();
    let secondary = Server::named("secondary");
    let fabric = replicating(Shape::Inproc, &[&primary, &secondary]).start();
    let mut client = Client::connect(fabric.address());

    let (head, _) = client.get("/a");
    assert!(head.starts_with("http/1.1 502"), "{head}");
    primary.destination.start();
    eventually("the primary is back", || client.get("/b").0.starts_with("http/1.1 200"));
    eventually("it is asked, too", || !secondary.asked().is_empty());
    assert!(secondary.asked().iter().all(|asked| asked.line == "GET /b HTTP/1.1"));
}

fn replicating(shape: Shape, servers: &[&Server]) -> Plan {
    let plan = Fabric::shaped(shape).web().set("mode", "replicate").set("ttl", "0s");
    servers.iter().fold(plan, |plan, server| plan.forward(&server.destination))
}

/// What was counted of the secondary's replies: matched, different, missing, uncompared.
#[track_caller]
fn said(fabric: &Fabric) -> [u64; 4] {
    let report = fabric.report();
    ["matched", "different", "missing", "uncompared"].map(|counter| report.count("secondary-1", counter))
}

fn role<'a>(report: &'a Value, name: &str) -> &'a str {
    let destinations = report["routes"][0]["destinations"].as_array().unwrap();
    destinations.iter().find(|it| it["destination"] == name).unwrap()["role"].as_str().unwrap()
}

/// A reply with a length.
fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A request as a server got it.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    /// In small letters up to the colon.
    headers: Vec<String>,
    body: String,
}

impl Asked {
    fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Where a body ends is said for each hop.
    fn headers_but_of_framing(&self) -> Vec<&String> {
        let is_framing =
            |line: &str| line.starts_with("transfer-encoding:") || line.starts_with("content-length:");
        self.headers.iter().filter(|line| !is_framing(line)).collect()
    }
}

/// A server that answers what it is told to, and keeps what it was asked.
struct Server {
    destination: Destination,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn answering(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let log: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&log);
        let destination = Destination::serving(move |peer| {
            while let Some(asked) = read(peer) {
                let answer = answer(&asked);
                kept.lock().unwrap().push(asked);
                peer.write(&answer);
            }
        });
        Self { destination, log }
    }

    /// Answers everything with its name and the target.
    fn named(name: &'static str) -> Self {
        Self::answering(move |asked| reply("200 OK", "", format!("{name} {}", asked.target()).as_bytes()))
    }

    fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    #[track_caller]
    fn expect_count(&self, count: usize) {
        eventually(&format!("it is asked {count} times"), || self.asked().len() == count);
    }
}

/// The next request; none at the end.
fn read(peer: &mut Peer) -> Option<Asked> {
    let line = read_line(peer)?;
    let mut headers = Vec::new();
    loop {
        let header = read_line(peer)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push(format!("{}:{value}", name.to_ascii_lowercase()));
    }
    let mut asked = Asked { line, headers, body: String::new() };
    if asked.header("transfer-encoding").is_some() {
        while let size @ 1.. = usize::from_str_radix(&read_line(peer)?, 16).ok()? {
            asked.body.push_str(&read_text(peer, size)?);
            read_line(peer)?;
        }
        read_line(peer)?;
    } else if let Some(length) = asked.header("content-length") {
        let length = length.parse().ok()?;
        asked.body = read_text(peer, length)?;
    }
    Some(asked)
}

fn read_line(peer: &mut Peer) -> Option<String> {
    Some(String::from_utf8_lossy(&peer.read_line()?).trim_end().to_owned())
}

fn read_text(peer: &mut Peer, length: usize) -> Option<String> {
    Some(String::from_utf8_lossy(&peer.read_exactly(length)?).into_owned())
}

/// A client whose connection lasts.
struct Client(TcpStream);

impl Client {
    #[track_caller]
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a route listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes options");
        Self(stream)
    }

    #[track_caller]
    fn get(&mut self, target: &str) -> (String, String) {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
    }

    /// The head of the answer, in small letters, and its body.
    #[track_caller]
    fn ask(&mut self, request: &[u8]) -> (String, String) {
        self.0.write_all(request).expect("a request is taken");
        let mut answer = Vec::new();
        let end = loop {
            match answer.windows(4).position(|part| part == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.fill(&mut answer),
            }
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.expect("an answer has a length");
        while answer.len() < end + length {
            self.fill(&mut answer);
        }
        assert_eq!(answer.len(), end + length, "an answer and nothing else");
        (head, String::from_utf8_lossy(&answer[end..]).into_owned())
    }

    #[track_caller]
    fn fill(&mut self, answer: &mut Vec<u8>) {
        let mut part = vec![0; 64 * 1024];
        let count = self.0.read(&mut part).expect("an answer comes");
        assert!(count > 0, "the answer ends early: {}", String::from_utf8_lossy(answer));
        answer.extend(&part[..count]);
    }
}
