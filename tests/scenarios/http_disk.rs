//! What is kept on disk: it outlives its process, and is not believed where it was damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::harness::{Client, Plan, Shape, WebServer, eventually, get, ok};
use crate::http_cache::{before, noise};

fn kept_in(plan: Plan, directory: &Path) -> Plan {
    plan.front(&["--data-dir", directory.to_str().unwrap()])
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
        let is_empty = |file: &PathBuf| fs::metadata(file).unwrap().len() == 0;
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

fn files_below(directory: &Path) -> Vec<PathBuf> {
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
