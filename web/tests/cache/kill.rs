//! A process that is killed while it writes: what the next one finds is whole, or not there.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use web::cache::{Count, Found};

use crate::{
    disk::on_disk,
    site::{Site, at, bytes, get, reply},
};

const DIRECTORY: &str = "PEGLOOM_TEST_CACHE";

/// Resources that the writer writes, in turn and over and over.
const RESOURCES: u64 = 16;

/// Versions that are written at once, before any of them is waited for.
const BATCH: u64 = 8;

/// What version `version` of a resource is: a length and a beginning of its own.
fn content(version: u64) -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| bytes(1, 1_000_000));
    let length = if version.is_multiple_of(4) { 600_000 } else { 200_000 };
    BYTES[version as usize % 1009..][..length + version as usize % 100].to_vec()
}

/// Not a test: the process that is killed. It says which versions it begins, and up to which they are on disk.
#[test]
#[ignore = "started by the test below"]
fn writer() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let first = env::var("PEGLOOM_TEST_FIRST").unwrap().parse::<u64>().unwrap();
    let site = Site::open(on_disk(Path::new(&directory)));
    for version in first.. {
        println!("begin {version}");
        let asked = get(&format!("/{}", version % RESOURCES));
        let mut filling =
            site.admit(&asked, &reply(200, &[&format!("x-version: {version}")]), at(version)).unwrap();
        filling.push(&content(version));
        filling.finish();
        if version.is_multiple_of(BATCH) {
            site.settle();
            println!("kept {version}");
        }
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

/// Kills a writer that has begun `count` versions; says the last that it had begun, and the last that was kept.
fn write_and_be_killed(directory: &Path, first: u64, count: usize) -> (u64, u64) {
    let mut child = start(directory, first);
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (mut begun, mut kept, mut seen) = (0, 0, 0);
    for line in said {
        let number = |name| line.split_once(name).map(|(_, number)| number.parse().unwrap());
        begun = number("begin ").unwrap_or(begun);
        kept = number("kept ").unwrap_or(kept);
        seen += 1;
        if seen == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    (begun, kept)
}

/// Fails if files are written in place, or if a long entry's head is written before its body.
#[test]
fn after_a_kill_every_hit_is_whole_and_what_was_kept_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut next = 1;
    for round in 0..24 {
        let (begun, kept) = write_and_be_killed(folder.path(), next, 12 + round);
        let site = Site::open(on_disk(folder.path()));
        assert_eq!(site.cache.counters().of(Count::Damaged), 0);
        for resource in 0..RESOURCES {
            let Found::Fresh(response) = site.look(&get(&format!("/{resource}")), at(begun)) else {
                continue;
            };
            let answer = site.read(response);
            let version: u64 = answer.header("x-version").parse().unwrap();
            assert_eq!(version % RESOURCES, resource);
            assert!(answer.body == content(version), "version {version}");
        }
        // A version that was begun after it may have taken the place of one that was kept, and not be there itself.
        for version in (next..=kept).filter(|version| version + RESOURCES > begun) {
            let answer = site.hit(&get(&format!("/{}", version % RESOURCES)), at(begun));
            assert_eq!(answer.header("x-version"), version.to_string());
        }
        next = begun + 1;
    }
}
