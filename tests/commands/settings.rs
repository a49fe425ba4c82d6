//! `check` and `init`: what settings mean, and a file to begin with.

use std::{
    fs, io,
    process::{Command, ExitStatus, Stdio},
};

use crate::{run, run_in};

const ROUTE: &str = "--listen tcp://:7890 --forward 10.0.0.1:1234 --forward :2 --codec lines";

/// Fails if a value, its origin or the sentence is missing, or anything is on stderr.
#[test]
fn check_prints_every_value_with_its_origin_and_each_route_in_words() {
    let checked = run(&format!("check {ROUTE}"));

    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let squeezed: Vec<_> = checked.stdout.lines().map(|line| crate::words(line).join(" ")).collect();
    for line in ["listen tcp://:7890 --listen", "codec lines --codec", "grace 10s default"] {
        assert!(squeezed.iter().any(|it| it == line), "{line:?} is not in:\n{}", checked.stdout);
    }
    let sentence = "route-1: what a source sends to tcp://:7890 goes to primary (10.0.0.1:1234), which replies to it; \
                    a copy goes, in whole lines, to secondary-1 (localhost:2), whose replies never reach the source.";
    assert!(checked.stdout.contains(&format!("\n{sentence}\n")), "{}", checked.stdout);
}

/// Fails if what a route's destinations may say is not told, or a route is told of what is another's.
#[test]
fn check_says_what_destinations_may_say_below_their_route() {
    let directory = tempfile::tempdir().unwrap();
    let mirror = "{ name = 'mirror', address = 'b:2', deny = ['^REBOOT'], rejoin = 'first:2' }";
    let talking = format!(
        "[[route]]\nlisten = ':1'\ncodec = 'lines'\ndestinations = ['a:1', {mirror}]\nhold = '20ms'\n"
    );
    let alone = "[[route]]\nlisten = ':2'\ndestinations = ['c:1']\n";
    fs::write(directory.path().join("two.toml"), talking + alone).unwrap();

    let checked = run_in(directory.path(), "check --config two.toml");

    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let (_, told) = checked.stdout.split_once("\nroute-1: ").unwrap();
    let (first, second) = told.split_once("\nroute-2: ").unwrap();
    for sentence in [
        "\n  If mirror says a line that is no reply, the source gets it, ",
        "for at most 20ms.\n",
        "\n  Of what mirror says, the source gets nothing that matches [\"^REBOOT\"].\n",
        "\n  After an absence, mirror gets the session's first 2 lines again, ",
    ] {
        assert!(first.contains(sentence), "{sentence:?} is not in:\n{first}");
    }
    assert!(second.ends_with("no other destination gets a copy.\n"), "{second}");
}

/// Fails if a key that does nothing passes without a word, or a bad pattern without the engine's reason.
#[test]
fn check_tells_what_does_nothing_and_why_a_pattern_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let route = "[[route]]\nlisten = ':1'\n";
    let check = |text: String| {
        fs::write(directory.path().join("one.toml"), text).unwrap();
        run_in(directory.path(), "check --config one.toml")
    };

    let idle = check(format!("{route}destinations = ['a:1']\nreplies = 'many'\n"));
    assert!(idle.stdout.contains("\n  `replies` does nothing here: "), "{}", idle.stdout);
    let bad = check(format!("{route}destinations = ['a:1', {{ address = 'b:1', deny = ['('] }}]\n"));
    assert_eq!((bad.code, bad.stdout.as_str()), (Some(64), ""));
    let refusal = "one.toml:3: deny[1]: `(` is not a pattern: unclosed group\n    try: a regular expression";
    assert!(bad.stderr.contains(refusal), "{}", bad.stderr);
}

/// Fails if a flag that means nothing for the route's transport passes without a word.
#[test]
fn flags_of_requests_and_of_frames_are_refused_where_they_mean_nothing() {
    let rows = [
        ("--listen tcp://:1 --ttl 1s", "--ttl: is for routes that listen on http://"),
        ("--listen udp://:1 --ttl 1s", "--ttl: is for routes that listen on http://"),
        ("--listen tcp://:1 --access-log x", "--access-log: is for routes that listen on http://"),
        ("--listen http://:1 --codec lines", "--codec: means nothing in a route of http://"),
        ("--listen http://:1 --ttl soon", "--ttl: `soon` is not a duration"),
    ];
    for (flags, problem) in rows {
        for command in ["check", "up"] {
            let refused = run(&format!("{command} {flags} --forward 10.0.0.1:80"));
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(64), ""), "{command} {flags}");
            assert!(refused.stderr.contains(problem), "{command} {flags}: {}", refused.stderr);
        }
    }
}

/// Fails if only the first problem is named, or one is on stdout.
#[test]
fn check_names_every_problem_on_stderr_and_ends_with_64() {
    let directory = tempfile::tempdir().unwrap();
    let file = "grase = '1s'\n[[route]]\nlisten = ':1'\ndestinations = ['a:0']\nlinger = 'long'\n";
    fs::write(directory.path().join("bad.toml"), file).unwrap();

    let checked = run_in(directory.path(), "check --config bad.toml");

    assert_eq!((checked.code, checked.stdout.as_str()), (Some(64), ""));
    assert!(checked.stderr.starts_with("pegloom check: 3 problems in bad.toml\n"), "{}", checked.stderr);
    for named in ["bad.toml:1: grase", "bad.toml:4: destinations[1]", "bad.toml:5: linger"] {
        assert!(checked.stderr.contains(named), "{named} is not in:\n{}", checked.stderr);
    }
}

/// Fails if `--env` is not read, or its three keys mean something else.
#[test]
fn check_reads_an_environment_file() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(".env"), "SOURCE_PORT=7890\nMODE=tcp\nDESTINATIONS=a:1, b:2\n").unwrap();

    let checked = run_in(directory.path(), "check --env .env");

    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(checked.stdout.contains("secondary-1 (b:2)"), "{}", checked.stdout);
}

/// What `init` writes a file for.
const KINDS: [&str; 3] = ["replicate", "foo", "http"];

/// Fails if what `init` writes is refused by `check`, has a key that does nothing, or a file that is there is touched.
#[test]
fn init_writes_a_file_that_check_accepts_and_overwrites_none() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let init = format!("init {kind} --output pegloom.toml");

        let written = run_in(directory.path(), &init);
        assert_eq!(written.code, Some(0), "{}", written.stderr);
        assert!(written.stdout.contains("pegloom check --config pegloom.toml"), "{}", written.stdout);
        let checked = run_in(directory.path(), "check --config pegloom.toml");
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
        assert!(!checked.stdout.contains("nothing here"), "{}", checked.stdout);

        let path = directory.path().join("pegloom.toml");
        fs::write(&path, "mine").unwrap();
        let again = run_in(directory.path(), &init);
        assert_eq!((again.code, fs::read_to_string(&path).unwrap().as_str()), (Some(1), "mine"));
        assert!(
            again.stderr.starts_with("pegloom init: cannot write pegloom.toml: file exists\n  try: "),
            "{}",
            again.stderr
        );
    }
}

/// Fails if the file on stdout is another than the one that is written.
#[test]
fn init_prints_the_same_file_it_would_write() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();

        let printed = run(&format!("init {kind}"));
        run_in(directory.path(), &format!("init {kind} --output pegloom.toml"));

        let written = fs::read_to_string(directory.path().join("pegloom.toml")).unwrap();
        assert_eq!((printed.code, printed.stdout.as_str()), (Some(0), written.as_str()));
    }
}

/// Fails if the file for Foo is no Foo proxy's, or does not say how to get at statistics.
#[test]
fn init_foo_writes_a_route_that_counts_and_says_how_to_ask() {
    let directory = tempfile::tempdir().unwrap();
    run_in(directory.path(), "init foo --output foo.toml");

    let checked = run_in(directory.path(), "check --config foo.toml");
    assert!(checked.stdout.contains("REQ lines and the primary's ACK and NAK lines are counted"));
    let written = fs::read_to_string(directory.path().join("foo.toml")).unwrap();
    for said in ["--http", "--recovery", "-USR1", "-USR2", "/stats", "/metrics", "/health", "msg_total"] {
        assert!(written.contains(said), "{said}");
    }
}

/// How `check` ends with this stdout, and what it says.
#[track_caller]
fn checked_into(stdout: impl Into<Stdio>) -> (ExitStatus, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pegloom"));
    let output = command.arg("check").args(crate::words(ROUTE)).stdout(stdout).output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

/// Fails if `pegloom check | head -1` panics, is killed or complains.
#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);

    let (status, stderr) = checked_into(writer);

    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

/// Fails if output that was lost passes for printed.
#[test]
fn a_full_disk_is_a_failure() {
    let (status, stderr) = checked_into(fs::File::options().write(true).open("/dev/full").unwrap());

    assert_eq!(status.code(), Some(1));
    assert!(
        stderr.starts_with("pegloom check: cannot write to stdout: no space left on device\n"),
        "{stderr}"
    );
}
