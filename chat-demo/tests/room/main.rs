//! A room as a process, and simple clients of it: what goes over the wire, byte for byte where that matters.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::process::Command;

use chat::{
    Name, Text, Tone,
    wire::room::{FromRoom, Hello, Key, LogId, Say, ToRoom, Utterance, Welcome, What, decode, encode},
};
use support::{Peer, RoomProcess, on_one_thread};

/// Fails if somebody hears itself, if others do not, or if they hear it otherwise than it was said.
#[test]
fn classic_members_hear_each_other_and_not_themselves() {
    on_one_thread(async {
        let room = RoomProcess::start(&["--data-dir", "none"]);
        let ann = Peer::connect(&room);
        ann.say(r#"{"auth": 1, "name": "ann"}"#).await;
        assert_eq!(ann.hear().await, ("room".into(), "You are now online. 1 online.\n".into()));
        let bob = Peer::connect(&room);
        bob.say(r#"{"auth": 1, "name": "bob"}"#).await;
        assert_eq!(bob.hear().await, ("room".into(), "You are now online. 2 online.\n".into()));
        assert_eq!(ann.hear().await, ("room".into(), "bob joined the room. 2 online.\n".into()));

        ann.say(r#"{"name": "ann", "text": "¡hola! ñ € 🦀\n"}"#).await;
        assert_eq!(bob.hear().await, ("ann".into(), "¡hola! ñ € 🦀\n".into()));
        bob.say(r#"{"name": "bob", "text": "hi\n"}"#).await;
        assert_eq!(ann.hear().await, ("bob".into(), "hi\n".into()));

        bob.say(r#"{"auth": 0, "name": "bob"}"#).await;
        assert_eq!(ann.hear().await, ("room".into(), "bob left the room. 1 online.\n".into()));
        assert_eq!(room.end(), Some(0));
        assert_eq!(ann.hear().await, ("room".into(), "Server is off.\n".into()));
    });
}

/// Fails if what cannot be understood harms the room, or its sender is not told.
#[test]
fn what_is_no_frame_is_answered_and_the_room_lives() {
    on_one_thread(async {
        let room = RoomProcess::start(&["--data-dir", "none"]);
        let peer = Peer::with_id(&room, &[7; 31]);
        for wrong in
            [&b""[..], b"\xff\xfe", b"{", b"[1]", b"{\"name\": 7}", b"\x92\x01\xc0", &vec![b' '; 100_000]]
        {
            peer.say(wrong).await;
            let (name, text) = peer.hear().await;
            assert_eq!(name, "room", "{text}");
            assert!(text.starts_with("A frame was not understood: "), "{text}");
        }
        peer.say(r#"{"name": "late", "text": "joins by speaking\n"}"#).await;
        assert_eq!(peer.hear().await.1, "You are now online. 1 online.\n");
        assert_eq!(room.end(), Some(0));
    });
}

/// One of ours, with a key made of a word, which comes with what it has seen.
fn hello(word: &str, log: Option<LogId>, seen: u64) -> Vec<u8> {
    let mut key = [0; 32];
    key[..word.len()].copy_from_slice(word.as_bytes());
    encode(&ToRoom::Hello(Hello {
        key: Key(key),
        name: Name::new(word).unwrap(),
        log,
        seen,
        next: 1,
        life: 0,
    }))
}

fn say(number: u64, text: &str) -> Vec<u8> {
    let text = Text::new(text).unwrap();
    encode(&ToRoom::Say(Say { seen: 0, said: vec![Utterance { number, text, tone: Tone::Plain }] }))
}

/// The next frame that is wanted of one of ours.
async fn awaited<T>(peer: &Peer, wanted: impl Fn(FromRoom) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(decode(&peer.frame().await).unwrap()) {
            return found;
        }
    }
}

async fn welcomed(peer: &Peer) -> Welcome {
    awaited(peer, |frame| if let FromRoom::Welcome(welcome) = frame { Some(welcome) } else { None }).await
}

async fn heard(peer: &Peer, number: u64) {
    awaited(peer, |frame| (frame == FromRoom::Heard { number }).then_some(())).await;
}

/// Fails if what was acknowledged is lost with the process, or taken again after it.
#[test]
fn a_room_that_is_killed_has_all_that_it_said_was_heard() {
    on_one_thread(async {
        let directory = tempfile::tempdir().unwrap();
        let kept = ["--data-dir", directory.path().to_str().unwrap()];
        let room = RoomProcess::start(&kept);
        let ann = Peer::connect(&room);
        ann.say(hello("ann", None, 0)).await;
        let welcome = welcomed(&ann).await;
        for number in 1..=20 {
            ann.say(say(number, &number.to_string())).await;
            heard(&ann, number).await;
        }
        room.kill();

        let mut room = RoomProcess::start(&kept);
        let ann = Peer::connect(&room);
        ann.say(hello("ann", Some(welcome.log), 0)).await;
        assert_eq!(welcomed(&ann).await.heard, 20);
        ann.say(say(20, "20")).await;
        let bob = Peer::connect(&room);
        // Another log, so that it gets all that this one keeps.
        bob.say(hello("bob", Some(LogId([0; 16])), 0)).await;
        assert_eq!(welcomed(&bob).await.from, 0);
        let entries =
            awaited(&bob, |frame| if let FromRoom::Entries(entries) = frame { Some(entries) } else { None });
        let texts = entries
            .await
            .iter()
            .filter_map(|entry| match entry.unwrap().what {
                What::Text(text) => Some(text.as_str().to_owned()),
                _ => None,
            })
            .collect::<Vec<_>>();
        assert_eq!(texts, (1..=20).map(|number: u32| number.to_string()).collect::<Vec<_>>());
        let counters = room.counters();
        assert_eq!((&counters["members"], &counters["repeated"]), (&2.into(), &1.into()));
        assert_eq!(room.end(), Some(0));
    });
}

/// Fails if a second room shares what the first one keeps, or does not say why it will not.
#[test]
fn a_second_room_with_the_same_directory_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().to_str().unwrap();
    let room = RoomProcess::start(&["--data-dir", kept]);
    let second = Command::new(env!("CARGO_BIN_EXE_pegloom-chat"))
        .args(["room", "--port", "0", "--data-dir", kept])
        .output()
        .unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains("another room uses it\n  try: "), "{told}");
    drop(room);
}

/// Fails if who does not read makes the room keep what it lacks, or keeps others from reading.
#[test]
fn a_classic_client_that_does_not_read_costs_the_room_little_and_others_nothing() {
    const TEXTS: u64 = 60_000;
    on_one_thread(async {
        let mut room = RoomProcess::start(&["--data-dir", "none", "--keep", "2000"]);
        let (deaf, ann, bob) = (Peer::connect(&room), Peer::connect(&room), Peer::connect(&room));
        deaf.say(r#"{"auth": 1, "name": "deaf"}"#).await;
        deaf.hear().await;
        ann.say(hello("ann", None, 0)).await;
        welcomed(&ann).await;
        bob.say(hello("bob", None, 0)).await;
        welcomed(&bob).await;
        let text = "x".repeat(1_000);
        let (mut said, mut seen, mut got) = (0, 0, 0);
        while got < TEXTS {
            while said < TEXTS && said < got + 500 {
                said += 1;
                ann.say(say(said, &text)).await;
            }
            let awaited =
                awaited(
                    &bob,
                    |frame| if let FromRoom::Entries(entries) = frame { Some(entries) } else { None },
                );
            let entries = awaited.await;
            got +=
                entries.iter().filter(|entry| matches!(entry.as_ref().unwrap().what, What::Text(_))).count()
                    as u64;
            seen = entries.to.max(seen);
            bob.say(encode(&ToRoom::Beat { seen })).await;
            // Who speaks is sent the numbers of its own texts too.
            ann.say(encode(&ToRoom::Beat { seen })).await;
            ann.let_go();
        }
        let counters = room.counters();
        assert_eq!(counters["dropped"]["does_not_read"], 1, "{counters}");
        assert!(room.peak_memory() < 60 * 1024, "{} KiB", room.peak_memory());
        assert_eq!(room.end(), Some(0));
    });
}
