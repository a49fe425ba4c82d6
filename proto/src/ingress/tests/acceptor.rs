//! Links, ingress's end: the table `link::Acceptor` of docs/states.md, cell by cell.

use super::{links::State, *};
use crate::link::LEASE;

const STATES: [&str; 4] = ["unknown", "Greeting", "Live", "Draining"];

/// An ingress that knows `PRIMARY` like this; session s0 is on it where it is live.
fn in_state(state: &str) -> Rig {
    let mut rig = Rig::alone(Codec::Lines, 1);
    match state {
        "Greeting" => {
            rig.numbers.insert(PRIMARY, Numbers { epoch: 1, ..Numbers::default() });
            rig.say(PRIMARY, &[hello("w0", "r/d0", 1, &[], false)]);
        }
        "Live" | "Draining" => {
            rig.greet(PRIMARY, 0, &[]);
            rig.accept();
            rig.say(PRIMARY, &[opened(A1)]);
        }
        _ => {
            rig.numbers.insert(PRIMARY, Numbers { epoch: 1, ..Numbers::default() });
        }
    }
    if state == "Draining" {
        rig.say(PRIMARY, &[Frame::Drain]);
    }
    rig.forget();
    rig
}

/// The link's state, what was said to the peer, what was counted or told.
fn outcome(rig: &mut Rig, before: LinkCounters) -> String {
    let key = rig.ingress.core.links.of_peer(PRIMARY);
    let state = match key.and_then(|key| rig.ingress.core.links.at(key)).map(|link| link.state) {
        None => "unknown",
        Some(State::Greeting) => "Greeting",
        Some(State::Live { draining: false }) => "Live",
        Some(State::Live { draining: true }) => "Draining",
        Some(State::Broken) => "broken",
    };
    let now = rig.ingress.link_counters();
    let counts = [("early", now.early - before.early), ("stale", now.stale - before.stale)];
    let counted = counts.iter().filter(|(_, count)| *count > 0).map(|(name, _)| (*name).to_owned());
    let ignored = rig.ingress.ignored.contains(&PRIMARY).then(|| "ignored".to_owned());
    let mut all = vec![state.to_owned()];
    all.extend(rig.hear(PRIMARY).into_iter().filter(|said| said.starts_with("BYE") || said == "WELCOME"));
    all.extend(counted.chain(ignored));
    all.join(", ")
}

fn hear_input(rig: &mut Rig, input: &str) {
    let Numbers { epoch, sent, .. } = rig.numbers[&PRIMARY];
    let (part, last) = (hello("w0", "r/d0", 1, &[], false), hello("w0", "r/d0", 1, &[], true));
    match input {
        "HELLO part, newer epoch" => rig.say_as(PRIMARY, epoch + 1, 1, &[part]),
        "HELLO part, same epoch" => rig.say_as(PRIMARY, epoch, sent + 1, &[part]),
        "HELLO last part" => rig.say_as(PRIMARY, epoch, sent + 1, &[last]),
        "HELLO of another version" => {
            let Frame::Hello(mut greeting) = last else { unreachable!() };
            greeting.version = 2;
            rig.say_as(PRIMARY, epoch + 1, 1, &[Frame::Hello(greeting)]);
        }
        "HELLO of no destination" => {
            rig.say_as(PRIMARY, epoch + 1, 1, &[hello("w0", "r/nowhere", 1, &[], true)]);
        }
        "another frame" => rig.say_as(PRIMARY, epoch, sent + 1, &[Frame::Pong]),
        "foreign epoch" => rig.say_as(PRIMARY, epoch + 7, sent + 1, &[Frame::Pong]),
        "repeated number" => rig.say_as(PRIMARY, epoch, sent, &[Frame::Pong]),
        "gap" => rig.say_as(PRIMARY, epoch, sent + 2, &[Frame::Pong]),
        "gap between HELLOs" => rig.say_as(PRIMARY, epoch, sent + 2, &[part]),
        "undecodable" => rig.say_bytes(PRIMARY, b"GET / HTTP/1.1"),
        "a worker may not say it" => {
            let standings = vec![];
            let (version, incarnation) = (1, Incarnation(1));
            let welcome =
                Frame::Welcome { version, incarnation, ports: vec![], auth: &[], standings, last: true };
            rig.say_as(PRIMARY, epoch, sent + 1, &[welcome]);
        }
        "DRAIN" => rig.say_as(PRIMARY, epoch, sent + 1, &[Frame::Drain]),
        "BYE 4" => {
            let leaving = Frame::Bye { reason: Bye::Leaving, version: 1 };
            rig.say_as(PRIMARY, epoch, sent + 1, &[leaving]);
        }
        "3 s silence" => rig.pass_in_silence(Duration::from_millis(3250)),
        "send refused" => {
            rig.shell.refuses = Some(PRIMARY);
            rig.say_as(PRIMARY, epoch, sent + 1, &[hello("w0", "r/d0", 1, &[], true)]);
            rig.say_as(PRIMARY, epoch, sent + 1, &[Frame::Ping]);
            rig.ingress.flush(rig.now, &mut rig.shell);
        }
        other => unreachable!("{other}"),
    }
}

/// Fails with: a gap in a greeting counted as a repetition; BYE answered; no `State::Broken`.
#[test]
fn every_input_does_what_the_table_says() {
    let ask = "BYE greet again";
    let asked = format!("unknown, {ask}, early");
    let broken = format!("broken, {ask}");
    let known = [
        ("HELLO part, newer epoch", ["Greeting", "Greeting", "Greeting", "Greeting"]),
        ("HELLO part, same epoch", ["Greeting", "Greeting", "Live, stale", "Draining, stale"]),
        ("HELLO last part", ["Live, WELCOME", "Live, WELCOME", "Live, stale", "Draining, stale"]),
        (
            "HELLO of another version",
            [
                "unknown, BYE protocol version",
                "Greeting, BYE protocol version",
                "Live, BYE protocol version",
                "Draining, BYE protocol version",
            ],
        ),
        (
            "HELLO of no destination",
            [
                "unknown, BYE unknown destination",
                "Greeting, BYE unknown destination",
                "Live, BYE unknown destination",
                "Draining, BYE unknown destination",
            ],
        ),
        ("another frame", [&asked, "Greeting, early", "Live", "Draining"]),
        ("foreign epoch", [&asked, "Greeting, early", "Live, stale", "Draining, stale"]),
        ("repeated number", [&asked, "Greeting, early", "Live, stale", "Draining, stale"]),
        ("gap", [&asked, "Greeting, early", &broken, &broken]),
        ("gap between HELLOs", [&broken, &broken, "Live, stale", "Draining, stale"]),
        ("undecodable", ["unknown, ignored"; 4]),
        ("a worker may not say it", [&asked, "Greeting, early", "unknown, ignored", "unknown, ignored"]),
        ("DRAIN", [&asked, "Greeting, early", "Draining", "Draining"]),
        ("BYE 4", ["unknown, early", "Greeting, early", "unknown", "unknown"]),
        ("3 s silence", ["unknown"; 4]),
        ("send refused", ["Greeting, early", "Greeting, early", "broken, stale", "broken, stale"]),
    ];
    for (input, outcomes) in known {
        for (state, expected) in STATES.into_iter().zip(outcomes) {
            let mut rig = in_state(state);
            let before = rig.ingress.link_counters();
            hear_input(&mut rig, input);
            assert_eq!(outcome(&mut rig, before), expected, "{input} while {state}");
        }
    }
}

#[test]
fn a_link_that_is_lost_moves_its_session_or_leaves_it_waiting() {
    for input in ["a worker may not say it", "undecodable", "BYE 4", "3 s silence"] {
        let mut rig = in_state("Live");
        hear_input(&mut rig, input);
        rig.pass_in_silence(LEASE);
        rig.greet(SPARE_PRIMARY, 0, &[]);
        assert_eq!(rig.hear(SPARE_PRIMARY), ["WELCOME", "OPEN s0 a2 @0 once"], "after {input}");
    }
}

#[test]
fn an_older_link_of_the_same_name_is_superseded_and_its_sessions_come_over() {
    let mut rig = in_state("Live");
    rig.source_says("one\n");
    rig.forget();
    rig.say_as(Peer(5), 1, 1, &[hello("w0", "r/d0", 2, &[], true)]);
    assert_eq!(rig.hear(PRIMARY), ["BYE superseded"]);
    assert_eq!(rig.hear(Peer(5)), ["WELCOME"], "the older may still write");
    rig.pass_in_silence(LEASE);
    assert_eq!(rig.hear(Peer(5)).last().unwrap(), "DATA s0 a2 @0 one↵");
    assert_eq!(rig.done(), ["linked w0", "lost w0: it was superseded, 1"]);
}

/// Fails with: `namesakes` that counts a greeting without an end.
#[test]
fn a_greeting_that_never_ends_does_not_take_a_name() {
    let mut rig = in_state("Live");
    rig.say_as(Peer(5), 1, 1, &[hello("w0", "r/d0", 9, &[], false)]);
    rig.greet(PRIMARY, 0, &[standing(A1, Phase::Open, 0, 0)]);
    assert_eq!(rig.hear(PRIMARY), ["WELCOME s0 a1 open 0/0/1000"]);
}

#[test]
fn an_older_incarnation_is_turned_away_and_loses_its_sessions_to_the_newer() {
    let mut rig = in_state("Live");
    rig.say_as(Peer(5), 1, 1, &[hello("w0", "r/d0", 2, &[], true)]);
    rig.forget();
    rig.say_as(Peer(6), 1, 1, &[hello("w0", "r/d0", 1, &[], true)]);
    assert_eq!(rig.hear(Peer(6)), ["BYE superseded"]);
    assert_eq!(rig.done(), ["refused w0: Superseded"]);
    assert_eq!(rig.ingress.workers().count(), 1);
}

#[test]
fn half_a_second_without_a_word_is_ended_by_a_ping() {
    let mut rig = in_state("Live");
    rig.pass_in_silence(Duration::from_millis(800));
    assert_eq!(rig.hear(PRIMARY), ["PING"]);
    rig.say(PRIMARY, &[Frame::Ping]);
    assert_eq!(rig.hear(PRIMARY), ["PONG"]);
}

#[test]
fn a_pause_of_our_own_is_nobodys_death() {
    let mut rig = in_state("Live");
    rig.now += Duration::from_mins(1);
    rig.ingress.on_time(rig.now, &mut rig.shell);
    assert_eq!(rig.ingress.workers().count(), 1);
}

#[test]
fn a_peer_is_asked_to_greet_once_a_second() {
    let mut rig = in_state("unknown");
    for _ in 0..30 {
        rig.say_as(PRIMARY, 1, 1, &[Frame::Ping]);
        rig.pass_in_silence(Duration::from_millis(50));
    }
    assert_eq!(rig.hear(PRIMARY), ["BYE greet again"; 2]);
}

#[test]
fn an_ignored_peer_is_not_read_again() {
    let mut rig = in_state("unknown");
    rig.say_bytes(PRIMARY, b"nonsense");
    rig.greet(PRIMARY, 0, &[]);
    assert_eq!(rig.hear(PRIMARY), [""; 0]);
    assert_eq!(rig.ingress.link_counters().ignored, 1);
}

#[test]
fn a_hello_in_parts_counts_as_a_whole() {
    let mut rig = in_state("Live");
    rig.numbers.insert(PRIMARY, Numbers { epoch: 2, ..Numbers::default() });
    rig.say(PRIMARY, &[hello("w0", "r/d0", 1, &[standing(A1, Phase::Open, 0, 0)], false)]);
    rig.say(PRIMARY, &[hello("w0", "r/d0", 1, &[], true)]);
    assert_eq!(rig.hear(PRIMARY), ["WELCOME s0 a1 open 0/0/1000"]);
}

#[test]
fn a_draining_worker_is_given_no_new_session() {
    let mut rig = in_state("Draining");
    rig.accept();
    assert_eq!(rig.hear(PRIMARY), [""; 0]);
    rig.greet(SPARE_PRIMARY, 0, &[]);
    assert_eq!(rig.hear(SPARE_PRIMARY), ["WELCOME", "OPEN s1 a1 @0 once"]);
}
