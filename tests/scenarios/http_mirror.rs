//! A route of requests that replicates: the primary answers, secondaries get copies, and what they say is compared.

use std::sync::{Arc, Mutex};

use runtime::event::{Diverged, Event};
use serde_json::Value;

use crate::harness::{
    Asked, Client, Destination, Fabric, Meeting, PATIENCE, Plan, Shape, WebServer, eventually,
    eventually_some, ok, reply, web_request,
};
use crate::in_every_shape;

in_every_shape!(
    a_secondary_gets_the_same_requests_and_the_client_the_primarys_replies,
    a_secondary_that_lies_is_counted_told_of_and_published,
    a_secondary_that_is_silent_resets_or_refuses_changes_nothing_for_the_client,
);

/// Fails if a copy lacks something, a secondary's reply reaches the client, or equal replies are taken for different.
fn a_secondary_gets_the_same_requests_and_the_client_the_primarys_replies(shape: Shape) {
    let ((primary, to_primary), (secondary, to_secondary)) = (keeping("primary"), keeping("secondary"));
    let plan = replicating(shape, &[&primary, &secondary]).set("mirror_methods", "['GET', 'POST']");
    let fabric = plan.start();
    let mut client = Client::connect(fabric.address());

    for request in [
        "GET /a?b=c HTTP/1.1\r\nHost: h.example\r\nX-One: 1\r\nx-one: 2\r\nCookie: c\r\n\r\n",
        "POST /d HTTP/1.1\r\nHost: h.example\r\nContent-Length: 5\r\n\r\nhello",
        "POST /e HTTP/1.1\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: h.example\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert_eq!(client.send(request).answer().header("x-by"), Some("primary"));
    }

    eventually("all replies are compared", || said(&fabric) == [4, 0, 0, 0]);
    let (to_primary, mut to_secondary) = (to_primary.lock().unwrap(), to_secondary.lock().unwrap());
    // Copies go over connections of their own, and one may overtake another.
    to_secondary.sort_by(|one, other| one.target().cmp(other.target()));
    assert_eq!(to_secondary.len(), 4);
    for (original, copy) in to_primary.iter().zip(to_secondary.iter()) {
        assert_eq!((&original.line, &original.body), (&copy.line, &copy.body));
        assert_eq!(headers_but_of_framing(original), headers_but_of_framing(copy));
    }
    assert_eq!((to_secondary[0].target(), to_secondary[0].header("host")), ("/a?b=c", Some("h.example")));
    let report = fabric.report();
    report.balanced();
    let roles: Vec<_> = ["primary", "secondary-1"].map(|name| role(report.value(), name)).into();
    assert_eq!(roles, ["primary", "secondary"]);
}

/// Fails if a kind of difference is not found, not where it is, or not told in all three ways.
fn a_secondary_that_lies_is_counted_told_of_and_published(shape: Shape) {
    const JSON: &str = "Content-Type: application/json\r\n";
    let primary = WebServer::answering(|asked| match asked.target() {
        "/json" => reply("200 OK", JSON, br#"{"a":{"b":[1,2]},"c":3}"#),
        _ => reply("200 OK", "Content-Type: text/plain\r\n", b"truth"),
    });
    let secondary = WebServer::answering(|asked| match asked.target() {
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
        let primary = WebServer::answering(|asked| ok(asked.target().as_bytes()));
        let plan = replicating(shape, &[&primary]).forward(&secondary).set("mirror_copies", "8");
        let fabric = plan.start();
        let mut client = Client::connect(fabric.address());
        for number in 0..40 {
            let target = format!("/{number}");
            assert_eq!(client.get(&target).text(), target, "{what}");
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
    let (primary, secondary) = (WebServer::named("same"), Destination::silent());
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
    let primary = WebServer::named("same");
    let mut secondary = WebServer::named("same");
    secondary.die();
    let plan = replicating(Shape::Inproc, &[&primary, &secondary]).set("backoff_max", "50ms");
    let fabric = plan.set("backoff_min", "10ms").start();
    let mut client = Client::connect(fabric.address());

    eventually("it is tried more than once", || {
        client.get("/away");
        fabric.report().shed("secondary-1", "away").frames > 50
    });
    secondary.start();
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
        WebServer::answering(move |asked| {
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
    let (primary, secondary) = (WebServer::named("same"), WebServer::named("same"));
    let fabric = replicating(Shape::Inproc, &[&primary, &secondary]).start();
    let mut client = Client::connect(fabric.address());

    for method in ["POST", "DELETE", "PUT", "GET"] {
        client.ask(method, "/x", "", b"");
    }
    eventually("the last is compared", || said(&fabric) == [1, 0, 0, 0]);
    assert_eq!(primary.asked().len(), 4);
    let lines: Vec<_> = secondary.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /x HTTP/1.1"]);
}

/// Fails if a body that is not copied is not passed on either, or a part of it is copied.
#[test]
fn a_body_that_is_too_long_to_be_copied_goes_to_the_primary_whole() {
    let ((primary, to_primary), (secondary, to_secondary)) = (keeping("primary"), keeping("secondary"));
    let plan = replicating(Shape::Inproc, &[&primary, &secondary]).set("mirror_body", "64KiB");
    let fabric = plan.set("mirror_methods", "['POST', 'GET']").start();
    let mut client = Client::connect(fabric.address());
    let body = vec![b'x'; 3 << 20];

    client.ask("POST", "/a", "", &body);
    let chunks = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let head = "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(head).send(chunks).answer();
    client.get("/last");

    eventually("the last is compared", || said(&fabric) == [1, 0, 0, 0]);
    let lengths: Vec<_> = to_primary.lock().unwrap().iter().map(|asked| asked.body.len()).collect();
    assert_eq!(lengths, [3 << 20, 3 << 20, 0]);
    assert_eq!(to_secondary.lock().unwrap().len(), 1);
    assert_eq!(fabric.report().balanced().shed("secondary-1", "oversized_frame").frames, 2);
}

/// Fails if a long reply is held, or taken for the same or another.
#[test]
fn a_long_reply_passes_and_is_not_compared() {
    let long = || WebServer::answering(|_| ok(&vec![b'x'; 3 << 20]));
    let (primary, secondary) = (long(), long());
    let fabric = replicating(Shape::Inproc, &[&primary, &secondary]).start();

    assert_eq!(Client::connect(fabric.address()).get("/long").body.len(), 3 << 20);
    eventually("it is not compared", || said(&fabric) == [0, 0, 0, 1]);
}

/// Fails if places for copies are given without end, or what is gathered is kept.
#[test]
fn a_secondary_that_stalls_holds_so_much_and_no_more() {
    const REQUESTS: u64 = 400;
    let (primary, secondary) = (WebServer::named("ok"), Destination::never_reading());
    let plan = replicating(Shape::Inproc, &[&primary]).forward(&secondary).set("mirror_copies", "4");
    let fabric = plan.set("mirror_methods", "['POST']").start();
    let mut client = Client::connect(fabric.address());
    let request = web_request("POST", "/a", "", &vec![b'x'; 512 << 10]);

    for _ in 0..20 {
        client.send(&request).answer();
    }
    let before = fabric.front().resident_bytes();
    for _ in 20..REQUESTS {
        client.send(&request).answer();
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
    let (primary, secondary) = (WebServer::named("same"), WebServer::named("same"));
    let plan = Fabric::shaped(Shape::Inproc).web().forward_to(primary.address());
    let fabric = plan.forward_to(secondary.address()).set("mode", "replicate").start();
    let mut client = Client::connect(fabric.address());

    for target in ["/a", "/a", "/a", "/b"] {
        assert_eq!(client.get(target).text(), format!("same {target}"));
    }
    eventually("both are compared", || said(&fabric) == [2, 0, 0, 0]);
    assert_eq!((primary.asked().len(), secondary.asked().len()), (2, 2));
}

/// Fails if a secondary gets what no primary got, or answers for it.
#[test]
fn where_the_primary_cannot_be_asked_nobody_is() {
    let mut primary = WebServer::named("primary");
    primary.die();
    let secondary = WebServer::named("secondary");
    let fabric = replicating(Shape::Inproc, &[&primary, &secondary]).start();
    let mut client = Client::connect(fabric.address());

    assert_eq!(client.get("/a").status, 502);
    primary.start();
    eventually("the primary is back", || client.get("/b").status == 200);
    eventually("it is asked, too", || !secondary.asked().is_empty());
    assert!(secondary.asked().iter().all(|asked| asked.line == "GET /b HTTP/1.1"));
}

fn replicating(shape: Shape, servers: &[&WebServer]) -> Plan {
    let plan = Fabric::shaped(shape).web().set("mode", "replicate").set("ttl", "0s");
    servers.iter().fold(plan, |plan, server| plan.forward_to(server.address()))
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

/// One that says who it is and what it got, and keeps whole requests.
fn keeping(name: &'static str) -> (WebServer, Arc<Mutex<Vec<Asked>>>) {
    let kept: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let log = Arc::clone(&kept);
    let server = WebServer::answering(move |asked| {
        log.lock().unwrap().push(asked.clone());
        reply("200 OK", &format!("X-By: {name}\r\n"), &asked.body)
    });
    (server, kept)
}

/// Where a body ends is said for each hop.
fn headers_but_of_framing(asked: &Asked) -> Vec<&(String, String)> {
    let is_framing = |name: &str| name == "transfer-encoding" || name == "content-length";
    asked.headers.iter().filter(|(name, _)| !is_framing(name)).collect()
}
