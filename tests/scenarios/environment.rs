//! Settings as a user writes them: what must work however it is spelled, and what must be refused, all at once.
//!
//! The port of a bad file is held by the test, so a node that tries to bind before it has checked says so.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::harness::{Destination, Process, Source};

/// Fails if a spelling that people and editors produce is not understood.
#[test]
fn an_environment_file_works_however_it_is_spelled() {
    let (primary, mirror) = (Destination::echo(), Destination::silent());
    let (p, m) = (primary.address(), mirror.address());
    let port = p.port();
    let spellings = [
        format!("MODE=tcp\nDESTINATIONS={p},{m}\n"),
        format!("MODE=TCP\nDESTINATIONS={p}, {m}\n"),
        format!("mode = tcp  \ndestinations = {p} ,  {m}  \n"),
        format!("MODE=tcp\r\nDESTINATIONS={p},{m}\r\n"),
        format!("MODE=\"tcp\"\nDESTINATIONS=\"{p},{m}\"\n"),
        format!("MODE='tcp'\nDESTINATIONS='{p}, {m}'"),
        format!("# what and where\n\nMODE=tcp # streams\nDESTINATIONS={p},{m} # the first leads\n"),
        format!("MODE=tcp\nDESTINATIONS=localhost:{port},{m}\n"),
        format!("MODE=tcp\nDESTINATIONS={p},{m},[::1]:9\n"),
        format!("MODE=tcp\nDESTINATIONS=:{port},{m}\n"),
    ];
    for spelling in &spellings {
        serves(&primary, |port| (format!("SOURCE_PORT={port}\n{spelling}"), Vec::new()));
    }
    mirror.expect(&b"hello\n".repeat(spellings.len()));
}

/// Fails if the file wins over the environment.
#[test]
fn the_environment_wins_over_the_file() {
    let (primary, wrong) = (Destination::echo(), Destination::silent());
    serves(&primary, |port| {
        let file = format!("SOURCE_PORT={port}\nMODE=tcp\nDESTINATIONS={}\n", wrong.address());
        let right = primary.address().to_string();
        (file, vec![("DESTINATIONS", right.clone()), ("PEGLOOM_DESTINATIONS", right)])
    });
    assert_eq!(wrong.accepted(), 0);
}

/// Fails if checking stops at the first problem, or a socket is bound before all is checked.
#[test]
fn every_problem_is_named_at_once_and_nothing_is_bound() {
    let bad = "SOURCE_PORT=70000\nMODE=pigeon\nDESTINATIONS=127.0.0.1:0,,10.0.0.1:99999,noport\n";
    let stderr = refused(bad);
    for named in ["70000", "pigeon", "127.0.0.1:0", "empty", "99999", "noport"] {
        assert!(stderr.contains(named), "{named:?} is not named in:\n{stderr}");
    }
}

/// Fails if one of these gets through, or is refused without its name.
#[test]
fn each_bad_environment_file_is_refused_by_name() {
    let held = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let cases = [
        (format!("SOURCE_PORT={port}\nMODE=tcp\n"), "DESTINATIONS"),
        (format!("SOURCE_PORT={port}\nMODE=tcp\nDESTINATIONS=\n"), "DESTINATIONS"),
        ("MODE=tcp\nDESTINATIONS=127.0.0.1:1\n".to_owned(), "SOURCE_PORT"),
        ("SOURCE_PORT=0\nMODE=tcp\nDESTINATIONS=127.0.0.1:1\n".to_owned(), "SOURCE_PORT"),
        ("SOURCE_PORT=70000\nMODE=tcp\nDESTINATIONS=127.0.0.1:1\n".to_owned(), "70000"),
        ("SOURCE_PORT=abc\nMODE=tcp\nDESTINATIONS=127.0.0.1:1\n".to_owned(), "abc"),
        (format!("SOURCE_PORT={port}\nMODE=x\nDESTINATIONS=127.0.0.1:1\n"), "MODE"),
        (format!("SOURCE_PORT={port}\nMODE=tcp\nDESTINATIONS=127.0.0.1:1,,127.0.0.1:2\n"), "DESTINATIONS"),
        (format!("SOURCE_PORT={port}\nMODE=tcp\nDESTINATIONS=127.0.0.1:0\n"), "127.0.0.1:0"),
        (format!("SOURCE_PORT={port}\nMODE=tcp\nDESTINATIONS=127.0.0.1:70000\n"), "70000"),
        (format!("SOURCE_PORT={port}\nMODE=tcp\nDESTINATIONS=127.0.0.1:abc\n"), "abc"),
        (
            format!("SOURCE_PORT={port}\nMODE=tcp\nDESTINATIONS=127.0.0.1:{port}\n"),
            &format!("127.0.0.1:{port}"),
        ),
    ];
    for (bad, named) in &cases {
        let stderr = refused(bad);
        assert!(stderr.contains(named), "{named:?} is not named for {bad:?}, but:\n{stderr}");
    }
}

/// Fails if an unknown key is ignored, or the nearest known one is not offered.
#[test]
fn a_misspelled_key_of_a_settings_file_is_refused_with_the_nearest_one() {
    let file = "[[route]]\nname = \"main\"\nlisten = \"tcp://127.0.0.1:0\"\ncodec = \"linez\"\n\
                destinations = [\"127.0.0.1:1\"]\nconect_timeout = \"30s\"\n";
    let stderr = refused_with("--config", file);
    assert!(stderr.contains("conect_timeout") && stderr.contains("connect_timeout"), "{stderr}");
}

/// Fails if a file that is not there is taken for an empty one, or wrong usage ends like a failure.
#[test]
fn a_missing_file_and_an_unknown_flag_are_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("--config", "nowhere.toml", "nowhere.toml"),
        ("--env", "nowhere.env", "nowhere.env"),
        ("--no-such", "1", "--no-such"),
    ];
    for (flag, value, named) in cases {
        let process = Process::start(&["up", flag, value], &[], dir.path());
        assert_eq!(process.exit_code(), Some(64), "exit code for {flag} {value}");
        let stderr = process.stderr().join("\n");
        assert!(stderr.contains(named), "{named:?} is not named in:\n{stderr}");
    }
}

/// Starts `up` with the file and environment `settings` makes for a port, and has a hello echoed by `primary`.
#[track_caller]
fn serves(primary: &Destination, settings: impl Fn(u16) -> (String, Vec<(&'static str, String)>)) {
    let dir = tempfile::tempdir().unwrap();
    let (accepted, before) = (primary.accepted(), primary.received_bytes());
    let process = (0..5).find_map(|_| start_on(free_port(), &settings, dir.path()));
    let (process, port) = process.expect("one of five free ports is still free a moment later");
    let mut source = Source::connect(([127, 0, 0, 1], port).into());
    source.send(b"hello\n");
    source.expect(b"hello\n");
    source.half_close();
    source.expect_fin();
    assert_eq!((primary.accepted(), primary.received_bytes()), (accepted + 1, before + 6));
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
}

/// None if someone else took the port in between: an environment file cannot ask for "any".
fn start_on(
    port: u16,
    settings: impl Fn(u16) -> (String, Vec<(&'static str, String)>),
    dir: &Path,
) -> Option<(Process, u16)> {
    let (file, env) = settings(port);
    fs::write(dir.join("spelled.env"), &file).unwrap();
    let env: Vec<(&str, &str)> = env.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let args = ["up", "--env", "spelled.env", "--shards", "1", "--log-format", "json"];
    let process = Process::start(&args, &env, dir);
    crate::harness::eventually(&format!("it listens, or says why not, with {file:?}"), || {
        !process.records("listening").is_empty() || !process.is_running()
    });
    if process.is_running() {
        return Some((process, port));
    }
    process.exit_code();
    let stderr = process.stderr().join("\n");
    assert!(stderr.contains("cannot listen on"), "refused: {file:?}\n{stderr}");
    None
}

fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

#[track_caller]
fn refused(env_file: &str) -> String {
    refused_with("--env", env_file)
}

/// The stderr of an `up` that must end with 64 and must not have tried to listen.
#[track_caller]
fn refused_with(flag: &str, file: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad"), file).unwrap();
    let process = Process::start(&["up", flag, "bad"], &[], dir.path());
    assert_eq!(process.exit_code(), Some(64), "exit code for {file:?}");
    let stderr = process.stderr().join("\n");
    assert!(!stderr.contains("cannot listen") && !stderr.contains("listening"), "it bound first:\n{stderr}");
    assert_eq!(process.stdout(), [""; 0], "stdout is for reports");
    stderr
}
