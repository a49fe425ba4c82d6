//! Many members and many texts: all are heard by all, in one order, and nobody's silence costs memory.

use std::collections::HashMap;
use std::time::Duration;

use crate::harness::chat::{Bytes, Chatter, Crowd, Room};
use crate::harness::{eventually, eventually_within};

/// How long a hundred thousand texts may take on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// What each speaker said, heard once and in its order.
#[track_caller]
fn expect_all_of(crowd: Crowd, heard: &[(String, String)]) {
    let mut of_each = HashMap::<&str, Vec<&str>>::new();
    for (name, text) in heard {
        of_each.entry(name).or_default().push(text);
    }
    let mut count = 0;
    for (name, texts) in crowd.said() {
        assert!(
            of_each.get(&*name).is_some_and(|heard| *heard == texts),
            "what {name} said is not what was heard"
        );
        count += texts.len();
    }
    assert_eq!(heard.len(), count);
}

/// Fails if a text is lost, repeated, or heard in two orders; or if memory grows with what is delivered, which is a
/// gigabyte, and not with what is kept.
#[test]
fn a_hundred_members_hear_a_hundred_thousand_texts_in_one_order() {
    let crowd = Crowd { listeners: 95, speakers: 4, texts: 25_000 };
    let room = Room::open();
    // One of the hundred is a real client.
    let real = Chatter::join(room.address(), "real");

    let heard = crowd.chats(room.address());

    expect_all_of(crowd, &heard);
    let peak = room.peak_bytes();
    assert!(peak < 160 << 20, "the room took {peak} bytes");
    let texts = |line: &String| line.starts_with("member ");
    eventually_within(LONG, "the real client shows all", || {
        real.shown().iter().filter(|line| texts(line)).count() >= heard.len()
    });
    let shown: Vec<_> = real.shown().into_iter().filter(texts).collect();
    assert!(
        shown.iter().eq(heard
            .iter()
            .map(|(name, text)| format!("{name}: {text}"))
            .collect::<Vec<_>>()
            .iter())
    );
    assert!(real.peak_bytes() < 64 << 20, "the client took {} bytes", real.peak_bytes());
}

/// Fails if one that does not read is waited for, kept in memory, or kept in the dark when it reads again.
#[test]
fn readers_that_do_not_read_cost_nobody_anything_and_are_told_what_they_missed() {
    let crowd = Crowd { listeners: 3, speakers: 2, texts: 50_000 };
    let room = Room::with(&["--keep", "20000"]);
    let stopped = Chatter::join(room.address(), "stopped");
    let mut deaf = Bytes::dealer(room.address(), b"deaf");
    deaf.say(br#"{"auth": 1, "name": "deaf"}"#);
    stopped.expect("* deaf joined the room. 2 online.");
    stopped.stop();

    let heard = crowd.chats(room.address());

    expect_all_of(crowd, &heard);
    let peak = room.peak_bytes();
    assert!(peak < 96 << 20, "the room took {peak} bytes");
    let all: Vec<String> = heard.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    stopped.cont();
    let shown = || -> Vec<String> {
        let shown = stopped.shown().into_iter().filter(|line| line.starts_with("member "));
        let shown = shown.filter(|line| line.contains(": "));
        shown.map(|line| line.replacen(" (missed): ", ": ", 1)).collect()
    };
    eventually_within(LONG, "the stopped one shows the last text", || shown().last() == all.last());
    let shown = shown();
    let first = all.iter().zip(&shown).take_while(|(said, shown)| said == shown).count();
    let rest = &shown[first..];
    assert!(all.ends_with(rest), "after {first} texts it goes on with what came later, up to the end");
    assert!(rest.len() <= 20_000 && first < 50_000, "{first} and {} of {}", rest.len(), all.len());
    stopped.expect_line("how many are gone", |line| line.contains("no longer kept"));
    stopped.say("back again");
    eventually("it is heard again", || room.counts()["texts"] == 100_001);
}
