//! The access log: a line for each request, in a file that may be moved away.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Client, Fabric, Plan, Shape, Then, WebServer, eventually, get, ok, read_body};
use crate::in_every_shape;

in_every_shape!(each_request_has_a_line_that_says_who_answered_it);

/// What comes after the time and the client of a line, without how long it took.
fn told(line: &str) -> String {
    let (_, rest) = line.split_once(" 127.0.0.1:").unwrap_or_else(|| panic!("no client in {line:?}"));
    let (_, rest) = rest.split_once(' ').unwrap();
    rest.split(' ').filter(|word| !word.ends_with("ms")).collect::<Vec<_>>().join(" ")
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn logged(plan: Plan, file: &Path) -> Plan {
    plan.front(&["--access-log", file.to_str().unwrap()])
}

/// Fails if a request has no line or two, or the line says another thing than the client was told.
fn each_request_has_a_line_that_says_who_answered_it(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        let Some(asked) = read_body(asked, peer) else { return Then::Close };
        match asked.target() {
            "/torn" => {
                peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
                return Then::Close;
            }
            "/none" => return Then::Close,
            _ => peer.write(&ok(&asked.body.repeat(2))),
        }
        Then::GoOn
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let plan = Fabric::shaped(shape).web().forward_to(server.address()).set("eject_after", "1000");
    let fabric = logged(plan.set("max_body", "10B"), &file).start();
    let mut client = Client::connect(fabric.address());
    client.get("/a");
    client.get("/a");
    client.ask("HEAD", "/a", "", b"");
    client.ask("POST", "/b\"d\"", "", b"12345");
    let none = client.ask("POST", "/none", "", b"1").body.len();
    let long = client.ask("PUT", "/b", "", b"longer than ten").body.len();
    client.expect_close();
    let mut client = Client::connect(fabric.address());
    client.send("GET /torn HTTP/1.0\r\n\r\n");
    assert!(client.try_answer_to("GET").is_err());

    let (none, long) = (
        format!("\"POST /none HTTP/1.1\" 502 {none} PEGLOOM"),
        format!("\"PUT /b HTTP/1.1\" 413 {long} PEGLOOM"),
    );
    let expected = [
        "\"GET /a HTTP/1.1\" 200 0 SERVER server-1",
        "\"GET /a HTTP/1.1\" 200 0 CACHE",
        "\"HEAD /a HTTP/1.1\" 200 0 CACHE",
        "\"POST /b\\\"d\\\" HTTP/1.1\" 200 10 SERVER server-1",
        &none,
        &long,
        "\"GET /torn HTTP/1.0\" 200 4 SERVER server-1",
    ];
    eventually("all is written", || lines(&file).len() >= expected.len());
    assert_eq!(lines(&file).iter().map(|line| told(line)).collect::<Vec<_>>(), expected);
}

/// Fails if lines go on into the file that was moved away, or any is lost at the change or at the end.
#[test]
fn the_file_is_opened_anew_on_a_hangup_and_complete_at_the_end() {
    const REQUESTS: usize = 300;
    let server = WebServer::named("s");
    let directory = tempfile::tempdir().unwrap();
    let [file, old] = ["access.log", "access.log.1"].map(|name| directory.path().join(name));
    let plan = Fabric::shaped(Shape::Inproc).web().shards(2).forward_to(server.address());
    let fabric = logged(plan, &file).start();
    for number in 0..REQUESTS {
        if number == REQUESTS / 2 {
            fs::rename(&file, &old).unwrap();
            fabric.front().signal(Signal::SIGHUP);
            eventually("there is a new file", || file.exists());
        }
        get(fabric.address(), &format!("/{number}"));
    }
    fabric.front().terminate();
    assert_eq!(fabric.front().exit_code(), Some(0));
    let mut all = [lines(&old), lines(&file)].concat();
    assert!(!lines(&file).is_empty());
    assert_eq!(all.len(), REQUESTS);
    all.sort_by_key(|line| told(line));
    all.dedup_by_key(|line| told(line));
    assert_eq!(all.len(), REQUESTS, "each has a line");
}

/// Fails if a line is no object by itself, or says less than the text.
#[test]
fn lines_for_machines_are_objects() {
    let server = WebServer::named("s");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let plan = Fabric::shaped(Shape::Inproc).web().forward_to(server.address());
    let fabric = logged(plan.set_for_all("access_log_format", "json"), &file).start();
    let mut client = Client::connect(fabric.address());
    client.get("/\"a\"");
    client.get("/\"a\"");
    eventually("both are written", || lines(&file).len() == 2);
    let objects: Vec<Value> = lines(&file).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["request"], "GET /\"a\" HTTP/1.1");
    assert_eq!((&objects[0]["source"], &objects[0]["server"]), (&"SERVER".into(), &"server-1".into()));
    assert_eq!((&objects[1]["source"], objects[1].get("server")), (&"CACHE".into(), None));
    for object in &objects {
        assert_eq!((&object["status"], &object["bytes"]), (&200.into(), &6.into()));
        assert!(object["duration_ms"].is_number() && object["timestamp"].is_string(), "{object}");
        assert!(object["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{object}");
    }
}
