//! The bench as it is run: it measures what it can find, says so, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("never: {what}");
}

/// Processes whose parent is this one, zombies aside.
fn children(parent: u32) -> Vec<u32> {
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pids = names.filter_map(|name| name.parse().ok());
    pids.filter(|pid| status(*pid).is_some_and(|(_, its_parent)| its_parent == parent)).collect()
}

/// State and parent; none of a process that has ended, though nobody may have waited for it yet.
fn status(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.to_owned();
    (state != "Z" && state != "X").then_some((state, fields.next()?.parse().ok()?))
}

fn command_line(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

fn start_long_run() -> (Child, Vec<u32>) {
    let arguments =
        "compare --case floor --pairs 1 --seconds 60 --connections 2".split(' ').collect::<Vec<_>>();
    let bench = bench(&arguments).spawn().unwrap();
    let started = eventually("a destination and a peer run", || {
        let children = children(bench.id());
        (children.len() == 2).then_some(children)
    });
    (bench, started)
}

#[test]
fn a_short_run_is_measured_and_reported() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("floor-{}.json", std::process::id()));
    let arguments =
        "compare --case floor --pairs 1 --seconds 0.1 --warm-up 0.02 --connections 3 --in-flight 2 --json";
    let arguments: Vec<_> = arguments.split(' ').chain([file.to_str().unwrap()]).collect();

    let output = bench(&arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let report: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    fs::remove_file(&file).unwrap();
    let run = &report["cases"][0]["runs"][0];
    assert!(run["units"].as_f64().unwrap() > 0.0, "{report}");
    assert!(run["cpu_seconds"].as_f64().unwrap() > 0.0, "{report}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("floor 1->1"), "{output:?}");
}

#[test]
fn every_kind_of_work_over_tcp_is_measured() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kinds-{}.json", std::process::id()));
    let arguments = "compare --case up --case bulk --case churn --case latency --pairs 1 --seconds 0.1 --warm-up 0.02 --json";
    let arguments: Vec<_> = arguments.split(' ').chain([file.to_str().unwrap()]).collect();

    let output = bench(&arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let report: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    fs::remove_file(&file).unwrap();
    let cases = report["cases"].as_array().unwrap();
    let units: Vec<_> = cases.iter().map(|case| case["unit"].as_str().unwrap()).collect();
    assert_eq!(units, ["round trip", "MB", "session", "round trip"]);
    for case in cases {
        assert!(case["runs"][0]["latency_p50_us"].as_f64().unwrap() > 0.0, "{case}");
    }
}

#[test]
fn requests_are_measured_whether_they_are_kept_or_passed_on() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("http-{}.json", std::process::id()));
    let arguments = "http --case http-hit --case http-miss --case http-body --pairs 1 --seconds 0.1 --warm-up 0.02 --connections 2 --json";
    let arguments: Vec<_> = arguments.split(' ').chain([file.to_str().unwrap()]).collect();

    let output = bench(&arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let report: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    fs::remove_file(&file).unwrap();
    let cases = report["cases"].as_array().unwrap();
    let units: Vec<_> = cases.iter().map(|case| case["unit"].as_str().unwrap()).collect();
    assert_eq!(units, ["request", "request", "GB"]);
    for case in cases {
        assert!(case["runs"][0]["units"].as_f64().unwrap() > 0.0, "{case}");
    }
}

#[test]
fn every_server_of_a_chat_that_is_here_is_measured_and_the_others_are_left_out() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chat-{}.json", std::process::id()));
    let arguments =
        "chat --pairs 1 --seconds 0.1 --warm-up 0.02 --connections 3 --in-flight 5 --size 20 --json";
    let arguments: Vec<_> = arguments.split_whitespace().chain([file.to_str().unwrap()]).collect();

    let output = bench(&arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let report: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    fs::remove_file(&file).unwrap();
    let servers = report["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 4);
    assert!(servers[0]["problem"].is_null(), "the room is always here: {report}");
    for server in servers {
        let has_run = server["runs"][0]["units"].as_f64().is_some_and(|units| units > 0.0);
        let is_left_out = server["problem"].as_str().is_some_and(|why| why.contains("is not installed"));
        assert!(has_run != is_left_out, "{server}");
    }
}

#[test]
fn the_memory_of_a_room_is_looked_at_while_one_member_reads_nothing() {
    let output = bench(&["chat", "--memory", "6000", "--connections", "3"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("6000 texts to 3 members, one of which reads nothing: peak "), "{said}");
}

#[test]
fn a_limit_that_cannot_be_measured_breaks_an_assertion() {
    let skipped = ["compare", "--case", "up", "--pairs", "1", "--pegloom", "/nonexistent/pegloom"];
    assert!(bench(&skipped).output().unwrap().status.success());

    let asserted: Vec<_> = skipped.into_iter().chain(["--assert"]).collect();
    let output = bench(&asserted).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("there is no program /nonexistent/pegloom"));
}

#[test]
fn everything_it_started_ends_when_it_is_killed() {
    let (mut bench, started) = start_long_run();

    bench.kill().unwrap();
    bench.wait().unwrap();

    eventually("all have ended", || started.iter().all(|pid| status(*pid).is_none()).then_some(()));
}

#[test]
fn everything_it_started_ends_when_a_run_fails() {
    let (mut bench, started) = start_long_run();
    let destination = started.iter().copied().find(|pid| command_line(*pid).contains("__echo")).unwrap();

    kill(Pid::from_raw(destination.cast_signed()), Signal::SIGKILL).unwrap();

    assert_eq!(bench.wait().unwrap().code(), Some(1));
    assert!(started.iter().all(|pid| status(*pid).is_none()));
}

#[test]
fn hidden_commands_are_not_for_people() {
    let output = bench(&["__echo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("for the bench itself to start"), "{output:?}");
}
