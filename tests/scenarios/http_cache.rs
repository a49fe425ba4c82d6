//! What is kept, for how long, for whom, and what makes it go.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::harness::{
    Client, Fabric, Plan, Reply, Shape, Then, WebServer, eventually, get, ok, reply, web_request,
};
use crate::in_every_shape;

in_every_shape!(
    what_is_kept_is_used_for_its_ttl_and_not_longer,
    with_a_ttl_of_nothing_every_request_goes_to_a_server,
    bodies_of_any_length_are_the_same_out_of_the_cache,
    requests_that_change_things_go_to_a_server_whole_and_make_what_is_kept_go,
    fifty_clients_who_want_the_same_cost_a_server_one_request,
    a_reply_that_breaks_off_is_not_kept,
);

/// Bytes of which no two stretches are alike.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// Answers each request with how many it has answered.
fn counting() -> WebServer {
    let count = AtomicUsize::new(0);
    WebServer::answering(move |_| ok(count.fetch_add(1, Relaxed).to_string().as_bytes()))
}

fn before(server: &WebServer, shape: Shape) -> Plan {
    Fabric::shaped(shape).web().forward_to(server.address())
}

fn kept_in(plan: Plan, directory: &Path) -> Plan {
    plan.front(&["--data-dir", directory.to_str().unwrap()])
}

/// Fails if the age of what is kept is not looked at.
fn what_is_kept_is_used_for_its_ttl_and_not_longer(shape: Shape) {
    let server = counting();
    let fabric = before(&server, shape).set("ttl", "2s").start();
    let mut client = Client::connect(fabric.address());
    assert_eq!(client.get("/a").text(), "0");
    let hit = client.get("/a");
    assert_eq!((hit.text().as_str(), hit.is_hit()), ("0", true));
    assert!(hit.header("age").is_some(), "{hit:?}");
    eventually("it is too old", || client.get("/a").text() == "1");
    assert_eq!(server.count(), 2);
}

/// Fails if `ttl = 0` only means "stale at once": even what a server would have kept is not.
fn with_a_ttl_of_nothing_every_request_goes_to_a_server(shape: Shape) {
    let server = WebServer::answering(|_| reply("200 OK", "Cache-Control: max-age=60\r\n", b"x"));
    let fabric = before(&server, shape).set("ttl", "0s").start();
    let mut client = Client::connect(fabric.address());
    for count in 1..=3 {
        assert_eq!(client.get("/a").header("cache-status"), None);
        assert_eq!(server.count(), count);
    }
}

/// Fails if a byte is lost, doubled or changed between a server, the cache and a client.
fn bodies_of_any_length_are_the_same_out_of_the_cache(shape: Shape) {
    const LENGTHS: [usize; 6] = [0, 1, 30_000, 65_536, 1_048_577, 50_000_000];
    let all = Arc::new(noise(50_000_000));
    let said = Arc::clone(&all);
    let server = WebServer::answering(move |asked| {
        let length: usize = asked.target()[1..].parse().unwrap();
        ok(&said[..length])
    });
    let fabric = before(&server, shape).set("cache_memory", "256MiB").start();
    let mut client = Client::connect(fabric.address());
    for length in LENGTHS {
        let target = format!("/{length}");
        let (miss, hit) = (client.get(&target), client.get(&target));
        assert_eq!((miss.is_hit(), hit.is_hit()), (false, true), "{length}");
        assert!(miss.body == all[..length] && hit.body == all[..length], "{length} bytes");
    }
    assert_eq!(server.count(), LENGTHS.len());
}

/// Fails if a method other than GET and HEAD is answered from the cache, if a body is cut, or if what a POST changes
/// is kept.
fn requests_that_change_things_go_to_a_server_whole_and_make_what_is_kept_go(shape: Shape) {
    let server = WebServer::answering(|asked| ok(&[asked.method().as_bytes(), b" ", &asked.body].concat()));
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());
    let body = noise(300_000);
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert!(!client.get("/a").is_hit());
        assert!(client.get("/a").is_hit());
        for _ in 0..2 {
            let answer = client.ask(method, "/a", "", &body);
            assert!(answer.body == [method.as_bytes(), b" ", &body].concat(), "{method}: {}", answer.line);
        }
    }
    assert!(!client.get("/a").is_hit());
    assert_eq!(server.count(), 4 + 8 + 1);

    // HEAD has no body, is answered out of the cache, and leaves nothing there.
    let head = client.ask("HEAD", "/a", "", b"");
    assert_eq!((head.is_hit(), head.header("content-length")), (true, Some("4")), "{head:?}");
    let head = client.ask("HEAD", "/b", "", b"");
    assert_eq!((head.is_hit(), head.header("content-length")), (false, Some("5")), "{head:?}");
    assert_eq!(client.get("/b").text(), "GET ");
}

/// Fails if requests for the same are not collapsed, or one of them gets less than all.
fn fifty_clients_who_want_the_same_cost_a_server_one_request(shape: Shape) {
    const CLIENTS: usize = 50;
    let body = Arc::new(noise(200_000));
    let said = Arc::clone(&body);
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = WebServer::answering(move |asked| {
        if asked.target() == "/cold" {
            // Until all have asked.
            let _ = held.lock().unwrap().recv();
        }
        ok(&said)
    });
    let fabric = before(&server, shape).set("cache_wait", "30s").shards(2).start();
    let address = fabric.address();
    let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(move || get(address, "/cold"))).collect();
    let report = || fabric.report().value()["routes"][0]["http"].clone();
    eventually("all have asked", || report()["cache"]["counts"]["collapsed"] == CLIENTS - 1);
    drop(let_go);
    for client in clients {
        let answer = client.join().unwrap();
        assert!(answer.status == 200 && answer.body == *body, "{}", answer.line);
    }
    assert_eq!(server.count(), 1);
}

/// Fails if the end of a connection is taken for the end of a reply that is longer.
fn a_reply_that_breaks_off_is_not_kept(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        let bytes: &[u8] = match asked.target() {
            "/length" => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            "/chunk" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nhalf",
            _ => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        };
        peer.write(bytes);
        Then::Close
    });
    let fabric = before(&server, shape).set("eject_after", "1000").start();
    for target in ["/length", "/chunk", "/last"] {
        for _ in 0..2 {
            let mut client = Client::connect(fabric.address());
            client.send(web_request("GET", target, "", b""));
            assert!(client.try_answer_to("GET").is_err(), "{target}: the client has to see that it broke");
        }
        assert_eq!(server.count_of(target), 2, "{target}");
    }
}

/// Fails if what is on disk is not used after a start, whatever ended the process before.
#[test]
fn what_is_on_disk_outlives_the_process_and_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let bodies = Arc::new(
        ["/short", "/long"]
            .map(|target| (target, noise(if target == "/short" { 30_000 } else { 5_000_000 }))),
    );
    let said = Arc::clone(&bodies);
    let server = WebServer::answering(move |asked| {
        let found = said.iter().find(|(target, _)| *target == asked.target());
        ok(&found.unwrap().1)
    });
    let start = || kept_in(before(&server, Shape::Inproc), directory.path()).start();
    let fabric = start();
    for (target, body) in &*bodies {
        assert!(get(fabric.address(), target).body == *body);
    }
    let stored = || fabric.report().value()["routes"][0]["http"]["cache"]["disk_bytes"].as_u64();
    eventually("all is on disk", || stored() >= Some(5_030_000));
    fabric.front().terminate();
    assert_eq!(fabric.front().exit_code(), Some(0));

    for _ in 0..3 {
        let fabric = start();
        for (target, body) in &*bodies {
            let answer = get(fabric.address(), target);
            assert!(answer.is_hit() && answer.body == *body, "{target} {}", answer.line);
        }
        fabric.front().kill9();
    }
    assert_eq!(server.count(), 2);
}

/// Fails if what is on disk is believed.
#[test]
fn a_file_that_was_cut_or_changed_is_a_miss() {
    let damage: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.truncate(0),
        |bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        },
        |bytes| bytes[10] ^= 1,
    ];
    let body = noise(100_000);
    let said = body.clone();
    let server = WebServer::answering(move |_| ok(&said));
    for (number, damage) in damage.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let start = || kept_in(before(&server, Shape::Inproc), directory.path()).start();
        let fabric = start();
        get(fabric.address(), "/a");
        fabric.front().terminate();
        assert_eq!(fabric.front().exit_code(), Some(0));
        let is_empty = |file: &std::path::PathBuf| fs::metadata(file).unwrap().len() == 0;
        let files: Vec<_> =
            files_below(directory.path()).into_iter().filter(|file| !is_empty(file)).collect();
        assert!(!files.is_empty(), "there is something to damage");
        for file in files {
            let mut bytes = fs::read(&file).unwrap();
            damage(&mut bytes);
            fs::write(&file, bytes).unwrap();
        }
        let fabric = start();
        let answer = get(fabric.address(), "/a");
        assert!(!answer.is_hit() && answer.body == body, "damage {number}: {answer:?}");
        assert!(get(fabric.address(), "/a").body == body, "damage {number}");
    }
    assert_eq!(server.count(), 2 * damage.len());
}

fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Fails if one resource is taken for another, or if a target is followed as a path.
#[test]
fn resources_are_told_apart_as_they_are_written() {
    let server = WebServer::answering(|asked| {
        ok(format!("{} {}", asked.header("host").unwrap_or_default(), asked.target()).as_bytes())
    });
    let directory = tempfile::tempdir().unwrap();
    let fabric = kept_in(before(&server, Shape::Inproc), directory.path()).start();
    let targets = [
        "/a/b",
        "/a_b",
        "/a%2Fb",
        "/a//b",
        "/a/b?",
        "/a/b?q=1",
        "/a/b?q=2",
        "/a/b?q=1&r=2",
        "/A/b",
        "/a/./b",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/a/b/",
        "/a/b;x",
        "/%00",
        "/a%0d%0ab",
        "/con",
        "/.",
    ];
    let mut client = Client::connect(fabric.address());
    for round in 0..2 {
        for target in targets {
            for host in ["h", "i", "h:81"] {
                client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
                let answer = client.answer();
                assert_eq!(answer.text(), format!("{host} {target}"));
                assert_eq!(answer.is_hit(), round == 1, "{target}");
            }
        }
    }
    assert_eq!(server.count(), targets.len() * 3);
    // Another spelling of the same host is the same resource.
    for host in ["H", "h:80"] {
        client.send(format!("GET /a/b HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(client.answer().is_hit(), "{host}");
    }
    assert!(files_below(directory.path()).iter().all(|file| file.starts_with(directory.path())));
}

/// Fails if a reply that is for one client, or for one time, is given to another.
#[test]
fn what_may_be_kept_is_what_rfc_9111_says_for_a_shared_cache() {
    // What the client says, what the server says, and whether the same request again is answered from the cache.
    let rows: &[(&str, &str, &str, bool)] = &[
        ("", "200 OK", "", true),
        ("", "200 OK", "Cache-Control: no-store\r\n", false),
        ("", "200 OK", "cache-control: NO-STORE\r\n", false),
        ("", "200 OK", "Cache-Control: private\r\n", false),
        ("", "200 OK", "Cache-Control: private, max-age=60\r\n", false),
        ("", "200 OK", "Cache-Control: max-age=60\r\n", true),
        ("", "200 OK", "Cache-Control: max-age=0\r\n", false),
        ("", "200 OK", "Cache-Control: max-age=60, s-maxage=0\r\n", false),
        ("", "200 OK", "Cache-Control: max-age=0, s-maxage=60\r\n", true),
        ("", "200 OK", "Cache-Control: max-age=60\r\nAge: 60\r\n", false),
        ("", "200 OK", "Cache-Control: no-cache\r\n", false),
        ("", "200 OK", "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n", false),
        ("", "200 OK", "Expires: 0\r\n", false),
        ("", "200 OK", "Pragma: no-cache\r\n", false),
        ("", "200 OK", "Set-Cookie: a=b\r\n", false),
        ("", "200 OK", "Set-Cookie: a=b\r\nCache-Control: public, max-age=60\r\n", true),
        ("", "200 OK", "Vary: *\r\n", false),
        ("", "200 OK", "Vary: Accept\r\n", true),
        ("Authorization: x\r\n", "200 OK", "", false),
        ("Authorization: x\r\n", "200 OK", "Cache-Control: max-age=60\r\n", false),
        ("Authorization: x\r\n", "200 OK", "Cache-Control: public, max-age=60\r\n", true),
        ("Cache-Control: no-store\r\n", "200 OK", "", false),
        ("Cache-Control: no-cache\r\n", "200 OK", "", false),
        ("Cache-Control: max-age=0\r\n", "200 OK", "", false),
        ("", "203 Non-Authoritative", "", true),
        ("", "301 Moved Permanently", "Location: /b\r\n", true),
        ("", "302 Found", "Location: /b\r\n", false),
        ("", "302 Found", "Location: /b\r\nCache-Control: max-age=60\r\n", true),
        ("", "404 Not Found", "", true),
        ("", "404 Not Found", "Cache-Control: no-store\r\n", false),
        ("", "410 Gone", "", true),
        ("", "403 Forbidden", "", false),
        ("", "500 Internal Server Error", "", false),
        ("", "502 Bad Gateway", "", false),
        ("", "503 Service Unavailable", "", false),
        ("Range: bytes=0-1\r\n", "206 Partial Content", "Content-Range: bytes 0-1/9\r\n", false),
        ("", "206 Partial Content", "Content-Range: bytes 0-1/9\r\nCache-Control: max-age=60\r\n", false),
    ];
    let said: Vec<(String, String)> =
        rows.iter().map(|(_, status, headers, _)| ((*status).to_owned(), (*headers).to_owned())).collect();
    let server = WebServer::answering(move |asked| {
        let (status, headers) = &said[asked.target()[1..].parse::<usize>().unwrap()];
        reply(status, headers, b"it")
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    for (number, (client_says, status, headers, is_kept)) in rows.iter().enumerate() {
        let target = format!("/{number}");
        let mut ask = || client.ask("GET", &target, client_says, b"");
        let (first, second) = (ask(), ask());
        assert_eq!((first.status, first.text().as_str()), (second.status, "it"));
        let expected = if *is_kept { 1 } else { 2 };
        assert_eq!(server.count_of(&target), expected, "{client_says:?} {status} {headers:?}: {second:?}");
    }
}

/// Fails if a variant is given to who asked for another.
#[test]
fn who_asks_for_another_variant_gets_another() {
    let server = WebServer::answering(|asked| {
        let language = asked.header("accept-language").unwrap_or("none").to_owned();
        reply("200 OK", "Vary: Accept-Language\r\n", language.as_bytes())
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    for round in 0..2 {
        for language in ["de", "es", "none"] {
            let header = match language {
                "none" => String::new(),
                language => format!("Accept-Language: {language}\r\n"),
            };
            let answer = client.ask("GET", "/a", &header, b"");
            assert_eq!((answer.text().as_str(), answer.is_hit()), (language, round == 1));
        }
    }
    // What was authorised is for nobody else, and what was not is not for who is.
    let secret = client.ask("GET", "/b", "Authorization: x\r\n", b"");
    assert!(!secret.is_hit());
    assert!(!client.get("/b").is_hit());
    assert!(client.get("/b").is_hit());
    assert!(!client.ask("GET", "/b", "Authorization: x\r\n", b"").is_hit());
}

/// Fails if what is stale is fetched whole although the server would say that it holds, or if a client's own condition
/// is answered wrongly.
#[test]
fn what_is_stale_is_asked_about_and_conditions_are_answered() {
    let server = WebServer::answering(|asked| {
        let validators = "ETag: \"v1\"\r\nCache-Control: max-age=1\r\n";
        match asked.header("if-none-match") {
            Some("\"v1\"") => format!("HTTP/1.1 304 Not Modified\r\n{validators}\r\n").into_bytes(),
            _ => reply("200 OK", validators, b"version one"),
        }
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    assert_eq!(client.get("/a").text(), "version one");
    eventually("it is asked about", || {
        let answer = client.get("/a");
        assert_eq!((answer.status, answer.text().as_str()), (200, "version one"));
        server.count() == 2
    });
    assert_eq!(server.last().header("if-none-match"), Some("\"v1\""));
    assert!(client.get("/a").is_hit(), "it is fresh again");

    let ask = |client: &mut Client, header: &str| client.ask("GET", "/a", header, b"");
    assert_eq!(ask(&mut client, "If-None-Match: \"v1\"\r\n").status, 304);
    assert_eq!(ask(&mut client, "If-None-Match: \"v2\"\r\n").text(), "version one");
    assert_eq!(ask(&mut client, "If-None-Match: *\r\n").status, 304);
    let part = ask(&mut client, "Range: bytes=8-10\r\n");
    assert_eq!((part.status, part.text().as_str()), (206, "one"), "{part:?}");
    assert_eq!(ask(&mut client, "Range: bytes=50-\r\n").status, 416);
}

/// Fails if a server's leave to be answered for when it is dead goes for nothing, or is taken where it is not given.
#[test]
fn what_is_stale_stands_in_for_a_server_that_is_dead_if_that_allows_it() {
    let mut server = WebServer::answering(|asked| {
        let lasting = if asked.target() == "/lasting" { ", stale-if-error=60" } else { "" };
        reply("200 OK", &format!("ETag: \"1\"\r\nCache-Control: max-age=1{lasting}\r\n"), b"kept")
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    client.get("/lasting");
    client.get("/brief");
    server.die();
    eventually("it is too old", || client.get("/brief").status == 502);
    let answer = client.get("/lasting");
    assert_eq!((answer.status, answer.text().as_str()), (200, "kept"), "{answer:?}");
    let only = "Cache-Control: only-if-cached\r\n";
    assert_eq!(client.ask("GET", "/none", only, b"").status, 504);
    assert_eq!(
        client.ask("GET", "/lasting", "Cache-Control: only-if-cached, max-stale\r\n", b"").text(),
        "kept"
    );
}

/// Fails if who waits for another's reply waits for each failure in turn.
#[test]
fn fifty_clients_of_a_dead_server_all_get_502() {
    let server = WebServer::by_hand(|_, _| Then::Close);
    let fabric = before(&server, Shape::Inproc).shards(2).start();
    let address = fabric.address();
    let clients: Vec<_> = (0..50).map(|_| thread::spawn(move || get(address, "/cold").status)).collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), 502);
    }
}

/// Fails if a client that leaves in the middle of a reply makes what is kept of it wrong, or stops those who wait for it.
#[test]
fn a_client_that_leaves_in_mid_body_harms_nothing() {
    let body = noise(20_000_000);
    let said = body.clone();
    let server = WebServer::answering(move |_| ok(&said));
    let fabric = before(&server, Shape::Inproc).start();
    for is_reset in [true, false, true] {
        let mut leaver = Client::connect(fabric.address());
        leaver.send(web_request("GET", "/a", "", b""));
        leaver.read_exactly(100_000).unwrap();
        let address = fabric.address();
        let follower = thread::spawn(move || get(address, "/a"));
        if is_reset {
            leaver.reset();
        } else {
            drop(leaver);
        }
        let answer: Reply = follower.join().unwrap();
        assert!(answer.status == 200 && answer.body == body, "{}", answer.line);
    }
    assert!(get(fabric.address(), "/a").body == body);
    expect_idle(&fabric, fabric.address());
}

/// Every client has left, and it serves.
#[track_caller]
fn expect_idle(fabric: &Fabric, address: SocketAddr) {
    eventually("no client is connected", || {
        fabric.report().value()["routes"][0]["http"]["clients"].as_u64() == Some(0)
    });
    assert_eq!(get(address, "/").status, 200);
}
