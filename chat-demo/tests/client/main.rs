//! `chat client` as a process, in a pipe: how it ends, what it keeps, and what it says to a classic room.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::fs;

use nix::sys::signal::Signal;
use runtime::zeromq::{Context, PeerId, Router};
use support::Process;
use tempfile::TempDir;
use tokio::{runtime::Builder, task::LocalSet};

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn online(name: &str, room: u16, home: &TempDir) -> Process {
    let client = Process::client(home.path(), room, &["--name", name]);
    client.until(|line| line.starts_with("* You are now online."));
    client
}

#[test]
fn what_a_script_says_is_heard_before_it_leaves() {
    let home = home();
    let (_room, port) = Process::room(home.path(), 0);
    let bob = online("bob", port, &home);
    let mut ann = Process::client(home.path(), port, &["--name", "ann"]);

    ann.types("hello");
    ann.types("/me waves");
    let (code, lines) = ann.end();

    assert_eq!(code, Some(0), "{lines:#?}");
    let heard = bob.hears("* ann left the room. 1 online.");
    assert_eq!(heard, ["* ann joined the room. 2 online.", "ann: hello", "ann * waves", &heard[3]]);
}

/// Fails if a script cannot know that something of it was not said.
#[test]
fn what_a_script_could_not_say_is_in_its_exit_code() {
    let home = home();
    let (_room, port) = Process::room(home.path(), 0);
    let bob = online("bob", port, &home);
    let mut ann = Process::client(home.path(), port, &["--name", "ann"]);
    ann.types(&"x".repeat(9000));
    ann.types("/var/log is full");
    ann.types("heard");

    let (code, lines) = ann.end();

    assert_eq!(code, Some(2), "{lines:#?}");
    let why = ["! Line 1 is not said: a text has at most 8192 bytes.", "! There is no /var/log. Try /help."];
    assert!(why.iter().all(|why| lines.iter().any(|line| line.starts_with(why))), "{lines:#?}");
    bob.hears("ann: heard");
}

/// Fails if a line that others wrote can have a script leave, or is left out.
#[test]
fn no_line_is_a_command_where_a_script_says_them_as_they_are() {
    let home = home();
    let (_room, port) = Process::room(home.path(), 0);
    let bob = online("bob", port, &home);
    let mut ann = Process::client(home.path(), port, &["--name", "ann", "--verbatim"]);
    ann.types("/quit");
    ann.types("//etc");
    ann.types("last");

    assert_eq!(ann.end().0, Some(0));
    let heard = bob.hears("ann: last");
    assert_eq!(heard[1..], ["ann: /quit", "ann: //etc", "ann: last"]);
}

/// Fails if what was seen is not remembered, or what was said has no number on the disk before it is spoken.
#[test]
fn a_killed_client_comes_back_without_loss_or_repetition() {
    let home = home();
    let (_room, port) = Process::room(home.path(), 0);
    let mut bob = online("bob", port, &home);
    let mut ann = online("ann", port, &home);
    bob.types("one");
    ann.hears("bob: one");
    ann.types("from ann");
    bob.hears("ann: from ann");

    ann.signal(Signal::SIGKILL);
    ann.end();
    let carl = online("carl", port, &home);
    bob.types("two");
    bob.types("three");
    carl.hears("bob: three");
    let mut again = online("ann", port, &home);
    again.types("again");

    assert_eq!(again.hears("bob (missed): three"), ["bob (missed): two", "bob (missed): three"]);
    let heard = bob.hears("ann: again");
    assert!(!heard.contains(&"ann: from ann".to_owned()), "{heard:#?}");
}

/// Says so many texts of so many bytes, and ends when the room has them.
fn says_much(room: u16, home: &TempDir, texts: usize, bytes: usize) {
    let mut bob = Process::client(home.path(), room, &["--name", "bob", "--grace", "60s"]);
    for number in 0..texts {
        bob.types(&format!("{number} {}", "x".repeat(bytes)));
    }
    assert_eq!(bob.end().0, Some(0));
}

fn number_of(line: &str) -> Option<usize> {
    line.strip_prefix("bob: ").or(line.strip_prefix("bob (missed): "))?.split(' ').next()?.parse().ok()
}

/// Fails if lines count as seen that the screen has no room for.
#[test]
fn a_screen_that_stalls_loses_nothing() {
    const TEXTS: usize = 1500;
    let home = home();
    let (_room, port) = Process::room(home.path(), 0);
    // It has been there, so that it misses something.
    online("ann", port, &home).end();
    let mut ann = Process::unread_client(home.path(), port, &["--name", "ann"]);

    says_much(port, &home, TEXTS, 8000);
    ann.is_read();

    let lines = ann.until(|line| number_of(line) == Some(TEXTS - 1));
    let seen: Vec<_> = lines.iter().filter_map(|line| number_of(line)).collect();
    assert!(seen.iter().copied().eq(0..TEXTS), "{} of {TEXTS}", seen.len());
}

/// Fails if lines count as seen that were on their way to the screen.
#[test]
fn who_is_killed_misses_nothing_that_was_not_on_its_screen() {
    const TEXTS: usize = 1000;
    const LENGTH: usize = 100;
    let home = home();
    let (_room, port) = Process::room(home.path(), 0);
    online("ann", port, &home).end();
    let mut ann = Process::unread_client(home.path(), port, &["--name", "ann"]);
    says_much(port, &home, TEXTS, LENGTH);

    ann.signal(Signal::SIGKILL);
    ann.is_read();
    let (_, lines) = ann.end();
    let again = online("ann", port, &home);

    // What was cut off is no line.
    let is_whole = |line: &&String| line.ends_with(&"x".repeat(LENGTH));
    let mut seen: Vec<_> = lines.iter().filter(is_whole).filter_map(|line| number_of(line)).collect();
    assert!(seen.len() < TEXTS, "the pipe has them all");
    let lines = again.until(|line| number_of(line) == Some(TEXTS - 1));
    seen.extend(lines.iter().filter_map(|line| number_of(line)));
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.iter().copied().eq(0..TEXTS), "{} of {TEXTS}", seen.len());
}

#[test]
fn what_could_not_be_delivered_is_said_next_time_and_once() {
    let home = home();
    let (room, port) = Process::room(home.path(), 0);
    room.signal(Signal::SIGKILL);
    room.end();
    let mut ann = Process::client(home.path(), port, &["--name", "ann", "--grace", "100ms"]);
    ann.types("kept");
    let (code, lines) = ann.end();
    assert_eq!(code, Some(2));
    assert_eq!(lines, ["! 1 text is not delivered: it will be said next time."]);

    let (_room, port) = Process::room(home.path(), port);
    let bob = online("bob", port, &home);
    let ann = online("ann", port, &home);
    assert_eq!(ann.end().0, Some(0));
    let ann = online("ann", port, &home);
    assert_eq!(ann.end().0, Some(0));

    let left = |line: &String| line.starts_with("* ann left");
    let mut heard = bob.until(|line| line.starts_with("* ann left"));
    heard.extend(bob.until(|line| line.starts_with("* ann left")));
    assert_eq!(heard.iter().filter(|line| *line == "ann: kept").count(), 1, "{heard:#?}");
    assert!(left(heard.last().unwrap()));
}

#[test]
fn a_signal_ends_it_at_once_and_its_texts_stay() {
    let home = home();
    let (room, port) = Process::room(home.path(), 0);
    let mut ann = online("ann", port, &home);
    room.signal(Signal::SIGKILL);
    room.end();
    ann.until(|line| line.starts_with("! The room is away"));
    ann.types("kept");
    let journal = home.path().join("pegloom/chat/keys/ann.key.journal");
    let has_text = || fs::read(&journal).unwrap().windows(4).any(|bytes| bytes == b"kept");
    while !has_text() {
        std::thread::yield_now();
    }

    ann.signal(Signal::SIGTERM);
    assert_eq!(ann.end().0, Some(0));

    let (_room, port) = Process::room(home.path(), port);
    let bob = online("bob", port, &home);
    let _ann = online("ann", port, &home);
    bob.hears("ann: kept");
}

#[test]
fn members_wait_for_a_room_that_is_started_again() {
    let home = home();
    let (room, port) = Process::room(home.path(), 0);
    let (mut ann, bob) = (online("ann", port, &home), online("bob", port, &home));
    room.signal(Signal::SIGINT);
    assert_eq!(room.end().0, Some(0));
    ann.hears("* Server is off.");
    bob.hears("* Server is off.");
    ann.types("meanwhile");

    let (_room, _) = Process::room(home.path(), port);

    ann.until(|line| line.starts_with("* You are now online."));
    // Missed, if ann was there first.
    bob.until(|line| ["ann: meanwhile", "ann (missed): meanwhile"].contains(&line));
}

#[test]
fn a_name_in_use_is_told_wherever_it_is_in_use() {
    let home = home();
    let elsewhere = self::home();
    let (_room, port) = Process::room(home.path(), 0);
    let _ann = online("ann", port, &home);

    let (code, lines) = Process::client(home.path(), port, &["--name", "Ann"]).end();
    assert_eq!(code, Some(1));
    assert!(lines[0].contains("the name is taken, by another client on this machine that has"), "{lines:#?}");

    let mut other = Process::client(elsewhere.path(), port, &["--name", "Ann"]);
    other.types("hello");
    let (code, lines) = other.end();
    let said = "pegloom-chat: cannot chat as Ann: the name is taken, by somebody else in the room";
    assert_eq!((code, lines[0].as_str()), (Some(1), said));
    assert_eq!(lines[1], "  try: another --name");
}

#[test]
fn a_key_that_is_used_elsewhere_takes_the_place() {
    let home = home();
    let (_room, port) = Process::room(home.path(), 0);
    let ann = online("ann", port, &home);
    let copy = home.path().join("copy.key");
    fs::copy(home.path().join("pegloom/chat/keys/ann.key"), &copy).unwrap();

    let newer = Process::client(home.path(), port, &["--name", "ann", "--key", copy.to_str().unwrap()]);
    newer.until(|line| line.starts_with("* You are now online."));

    let told = ann.until(|line| line.contains("its key is used by another client now"));
    assert_eq!(told.len(), 1);
    assert_eq!(ann.end().0, Some(1));
}

#[test]
fn a_host_that_is_none_and_a_port_that_is_none_are_told_at_once() {
    let home = home();
    let (code, lines) = Process::client(home.path(), 9, &["--name", "ann", "--ip", "room.invalid"]).end();
    assert_eq!(code, Some(1), "{lines:#?}");
    assert!(lines[0].starts_with("pegloom-chat: cannot find the host room.invalid: "), "{lines:#?}");
    assert_eq!(lines[1], "  try: --ip with the name or address of the room's host");

    assert_eq!(Process::client(home.path(), 0, &["--name", "ann"]).end().0, Some(64));
}

#[test]
fn a_damaged_file_is_told_and_left_alone() {
    let home = home();
    let keys = home.path().join("pegloom/chat/keys");
    fs::create_dir_all(&keys).unwrap();
    for (file, says) in
        [("ann.key", "a key has 32 bytes, and not 5"), ("bob.key.journal", "not a journal of a chat")]
    {
        fs::write(keys.join(file), "wrong").unwrap();
        let name = file.split('.').next().unwrap();

        let (code, lines) = Process::client(home.path(), 1, &["--name", name]).end();

        assert_eq!(code, Some(1), "{lines:#?}");
        assert!(lines[0].contains(says) && lines[1].starts_with("  try: "), "{lines:#?}");
        assert_eq!(fs::read(keys.join(file)).unwrap(), b"wrong");
    }
}

/// A room as simple as they come: a ROUTER that answers in JSON.
#[test]
fn a_classic_room_never_sees_a_frame_it_cannot_read() {
    let home = home();
    let shard = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&shard, async {
        let router = Router::bind(&Context::new(), "tcp://127.0.0.1:0").unwrap();
        let port = router.endpoint().rsplit(':').next().unwrap().parse().unwrap();
        let mut ann = Process::client(home.path(), port, &["--name", "ann"]);
        ann.types("hello");

        let (peer, join) = next(&router).await;
        assert_eq!((&join["auth"], &join["name"]), (&1.into(), &"ann".into()));
        let greeting = r#"{"name": "old server", "text": "You are now online. 1 online.\n"}"#;
        router.try_send(peer, greeting.into()).unwrap();
        let (_, text) = next(&router).await;
        assert_eq!((&text["name"], &text["text"]), (&"ann".into(), &"hello\n".into()));
        ann.hears("old server: You are now online. 1 online.");
        let end = tokio::task::spawn_blocking(|| ann.end());
        let (_, leave) = next(&router).await;

        assert_eq!((&leave["auth"], &leave["name"]), (&0.into(), &"ann".into()));
        assert_eq!(end.await.unwrap().0, Some(0));
    });
}

async fn next(router: &Router) -> (PeerId, serde_json::Value) {
    loop {
        router.readable().await;
        if let Some(received) = router.try_receive() {
            let (peer, frame) = received.unwrap();
            return (peer, serde_json::from_slice(&frame).unwrap());
        }
    }
}
