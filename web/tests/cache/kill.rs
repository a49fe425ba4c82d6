//! A process that is killed while it writes: what the next one finds is whole, or not there.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use web::cache::{Count, Found};

use crate::{
    disk::on_disk,
    site::{Site, at, bytes, get, reply},
};

const DIRECTORY: &str = "PEGLOOM_TEST_CACHE";

/// Resources that the writer writes, in turn and over and over.
const RESOURCES: u64 = 16;

/// What version `version` of a resource is: a length and bytes of its own.
fn content(version: u64) -> Vec<u8> {
    let length = if version.is_multiple_of(4) { 900_000 } else { 3_000 };
    bytes(version, length + version as usize % 1000)
}

/// Not a test: the process that is killed. It says each version that is on disk.
#[test]
#[ignore = "started by the test below"]
fn writer() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let first = env::var("PEGLOOM_TEST_FIRST").unwrap().parse::<u64>().unwrap();
    let site = Site::open(on_disk(Path::new(&directory)));
    for version in first.. {
        let target = format!("/{}", version % RESOURCES);
        site.fetch(&get(&target), &reply(200, &[&format!("x-version: {version}")]), &content(version), at(0));
        println!("version {version}");
    }
}

fn start(directory: &Path, first: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::writer", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env("PEGLOOM_TEST_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a writer in the middle of what comes after `count` versions; says the last version it had on disk.
fn write_and_be_killed(directory: &Path, first: u64, count: usize) -> u64 {
    let mut child = start(directory, first);
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut versions = said.filter_map(|line| Some(line.split_once("version ")?.1.parse::<u64>().unwrap()));
    let seen = versions.by_ref().take(count).last().unwrap();
    child.kill().unwrap();
    let last = versions.last().unwrap_or(seen);
    child.wait().unwrap();
    last
}

/// Fails if the head is written before the body, or files are written in place.
#[test]
fn after_a_kill_every_hit_is_whole_and_what_was_said_to_be_kept_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut next = 1;
    for round in 0..12 {
        let last = write_and_be_killed(folder.path(), next, 5 + round * 3);
        let site = Site::open(on_disk(folder.path()));
        for resource in 0..RESOURCES {
            let Found::Fresh(response) = site.look(&get(&format!("/{resource}")), at(1)) else { continue };
            let answer = site.read(response);
            let version: u64 = answer.header("x-version").parse().unwrap();
            assert_eq!(version % RESOURCES, resource);
            assert!(answer.body == content(version), "version {version}");
        }
        // What was being written when the kill came may be there or not, and with it that of its predecessor.
        for version in (next..=last).rev().take(RESOURCES as usize - 1) {
            let answer = site.hit(&get(&format!("/{}", version % RESOURCES)), at(1));
            assert_eq!(answer.header("x-version"), version.to_string());
        }
        assert_eq!(site.cache.counters().of(Count::Damaged), 0);
        next = last + 2;
    }
}
