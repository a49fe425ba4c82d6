//! What an operator sees of a route of `http://`: statistics, metrics, health, the page and the terminal.
//!
//! The settings are those that `pegloom init http` writes, with other addresses.

use std::{net::SocketAddr, path::Path, process::Command};

use tempfile::TempDir;

use crate::harness::{Browser, Destination, Peer, Process, ask, eventually};

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Answers every request, which has no body.
fn web_server() -> Destination {
    let answer = |peer: &mut Peer| {
        while let Some(line) = peer.read_line() {
            if line == b"\r\n" {
                peer.write(REPLY);
            }
        }
    };
    Destination::serving(answer)
}

/// `pegloom up` before three servers, with statistics over HTTP.
struct Served {
    up: Process,
    servers: [Destination; 3],
    /// Where clients connect to.
    address: SocketAddr,
    /// Where statistics are.
    http: SocketAddr,
    _dir: TempDir,
}

impl Served {
    fn start() -> Self {
        let servers = [(); 3].map(|()| web_server());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("http.toml"), settings(&servers)).unwrap();
        let args = "up --config http.toml --http 127.0.0.1:0 --admin 127.0.0.1:0 --log-format json";
        let args: Vec<&str> = args.split(' ').collect();
        let up = Process::start(&args, &[], dir.path());
        let address = |line| up.logged(line, |_| true)["address"].as_str().unwrap().parse().unwrap();
        let (address, http) = (address("listening"), address("statistics are shown"));
        Self { up, servers, address, http, _dir: dir }
    }

    /// The status that a request for this is answered with.
    fn get(&self, path: &str) -> u16 {
        ask(self.address, &format!("GET {path}"), "").status
    }

    /// Takes a server away, and asks for ever new things until it is out of the ring.
    #[track_caller]
    fn lose_the_third(&mut self) {
        self.servers[2].die();
        let mut number = 0;
        eventually("it is out of the ring", || {
            number += 1;
            assert_eq!(self.get(&format!("/lost/{number}")), 200, "the others serve");
            !self.up.records("server fails, it is out of the ring").is_empty()
        });
    }

    fn has_metric(&self, sample: &str) -> bool {
        ask(self.http, "GET /metrics", "").body.lines().any(|line| line == sample)
    }
}

/// The file of `pegloom init http`, with these servers and a port of the kernel's choice.
fn settings(servers: &[Destination; 3]) -> String {
    let init = Command::new(env!("CARGO_BIN_EXE_pegloom")).args(["init", "http"]).output().unwrap();
    let mut text =
        String::from_utf8(init.stdout).unwrap().replace("\"http://:8080\"", "\"http://127.0.0.1:0\"");
    for (number, server) in (1..).zip(servers) {
        let stands = format!("\"10.0.0.{number}:80\"");
        assert!(text.contains(&stands), "{text}");
        text = text.replace(&stands, &format!("\"{}\"", server.address()));
    }
    text
}

/// Fails if what `init http` writes serves nobody, or requests, hits or servers are not counted where they are looked for.
#[test]
fn what_init_http_writes_serves_and_its_requests_are_in_the_metrics() {
    let served = Served::start();
    assert_eq!(["/a", "/b", "/c", "/a"].map(|path| served.get(path)), [200; 4]);
    assert_eq!(
        served.servers.each_ref().map(Destination::accepted),
        [1; 3],
        "in turn, and a hit is nobody's"
    );

    for sample in [
        r#"pegloom_http_requests_total{route="route-1"} 4"#,
        r#"pegloom_http_replies_total{route="route-1",class="2xx"} 4"#,
        r#"pegloom_http_sent_bytes_total{route="route-1"} 20"#,
        r#"pegloom_cache_events_total{route="route-1",event="hits"} 1"#,
        r#"pegloom_cache_events_total{route="route-1",event="stored"} 3"#,
        r#"pegloom_server_requests_total{route="route-1",destination="server-2"} 1"#,
        r#"pegloom_server_in_ring{route="route-1",destination="server-3"} 1"#,
    ] {
        eventually(sample, || served.has_metric(sample));
    }
    served.up.terminate();
    assert_eq!(served.up.exit_code(), Some(0));
}

/// Fails if `/health` says that all is well while every request is answered 502, or one server less is a problem.
#[test]
fn health_is_bad_while_no_server_can_be_reached() {
    let mut served = Served::start();
    let health = |served: &Served| ask(served.http, "GET /health", "");
    served.lose_the_third();
    eventually("one is out", || {
        served.has_metric(r#"pegloom_server_in_ring{route="route-1",destination="server-3"} 0"#)
    });
    assert_eq!(health(&served).status, 200);

    served.servers.iter_mut().take(2).for_each(Destination::die);
    eventually("it is known", || {
        assert_eq!(served.get("/nobody"), 502);
        health(&served).status == 503
    });
    let told = health(&served).json();
    assert_eq!(
        (told["problems"][0]["problem"].as_str(), told["problems"][0]["route"].as_str()),
        (Some("no_server"), Some("route-1"))
    );

    served.servers[0].start();
    eventually("it is well again", || served.get("/again") == 200 && health(&served).status == 200);
}

/// Fails if the page shows a route of http:// as one of devices, or a server that is out of the ring as one that is in it.
#[test]
fn the_page_shows_requests_hits_and_who_is_in_the_ring() {
    let Some(browser) = Browser::start() else { return };
    let mut served = Served::start();
    browser.visit(served.http);
    let state = |row: usize| browser.text(&format!("#routes tbody tr:nth-child({row}) > :nth-child(2)"));
    eventually("requests move", || {
        assert_eq!(served.get("/a"), 200);
        let asked = browser.text("#routes .requests");
        asked.contains(" requests/s · ")
            && !asked.starts_with("0 ")
            && !asked.contains(" 0 % hits")
            && asked.contains(" kept in memory, ")
    });
    assert_eq!([1, 2, 3].map(state), ["in the ring"; 3]);
    assert!(browser.text(".picture .number").contains(" client"), "{}", browser.text(".picture .number"));

    served.lose_the_third();
    eventually("it is shown", || state(3).starts_with("out of the ring, ") && state(3).ends_with(" failed"));
    assert_eq!([1, 2].map(state), ["in the ring"; 2]);
    assert_eq!(browser.ask("return document.querySelectorAll('.destination[data-state=away]').length"), 1);
    assert_eq!(browser.console(), Vec::<serde_json::Value>::new());
}

/// Fails if lines for a pipe lack requests and hits, or who is out of the ring.
#[test]
fn top_has_requests_hits_and_who_is_out_of_the_ring_in_its_lines() {
    let mut served = Served::start();
    let top = Process::start(&["top", &format!("http://{}", served.http)], &[], Path::new("/"));
    assert_eq!([(); 3].map(|()| served.get("/a")), [200; 3]);
    let ends = |end: &str| top.stdout().iter().any(|line| line.ends_with(end));
    eventually("they are counted", || ends(" requests=3 hits=2 out=-"));

    served.lose_the_third();
    eventually("it is named", || ends(" out=server-3"));
}

/// Fails if what is purged is found again, what is not is lost, or a page that somebody looks at may purge.
#[test]
fn what_is_kept_is_dropped_by_url_and_by_prefix() {
    let served = Served::start();
    let admin =
        served.up.logged("caches can be purged", |_| true)["address"].as_str().unwrap().parse().unwrap();
    let purge = |what: &str, headers: &str| {
        let answer = ask(admin, &format!("POST /purge?{what}"), headers);
        (answer.status, answer.json()["purged"].as_u64())
    };
    let get = |paths: &[&str]| {
        for path in paths {
            assert_eq!(served.get(path), 200);
        }
        served.up.report().value()["routes"][0]["http"]["cache"]["counts"]["hits"].as_u64()
    };
    assert_eq!(get(&["/a/1", "/a/2", "/b"]), Some(0));

    assert_eq!(purge(&format!("url=http://{}/a/1", served.address), ""), (200, Some(1)));
    assert_eq!(get(&["/a/1", "/a/2", "/b"]), Some(2));
    assert_eq!(purge(&format!("prefix=http://{}/a/", served.address), ""), (200, Some(2)));
    assert_eq!(get(&["/a/1", "/a/2", "/b"]), Some(3));

    for wrong in ["", "url=/b", "all=1", "url=http://h/&prefix=http://h/"] {
        assert_eq!(purge(wrong, ""), (400, None), "{wrong}");
    }
    assert_eq!(purge(&format!("url=http://{}/b", served.address), "Origin: http://h\r\n"), (403, None));
    assert_eq!(get(&["/b"]), Some(4));
}
