//! The link, worker's end: the table `link::Dialer` of docs/states.md, cell by cell.

use super::*;

/// A worker whose link is in that state, and quiet for some time.
fn in_state(state: &str) -> Rig {
    let mut rig = Rig::greeting(false);
    rig.hear();
    if state != "Greeting" {
        rig.say(&[welcome(&[], true), open(A1, Patience::Once)]);
        rig.chat(2000);
    }
    if state == "Barred" {
        rig.say(&[bye(Bye::Superseded)]);
    }
    rig.hear();
    rig.done();
    rig
}

/// What became of the link: its state, when it greets next, what was counted, whether connections were aborted.
fn outcome(rig: &mut Rig, before: Counters) -> String {
    let state = match rig.state() {
        link::State::Greeting { again_at } => format!("greet in {:?}", again_at.since(rig.now)),
        link::State::Live => "live".to_owned(),
        link::State::Barred { until: Instant::NEVER } => "barred".to_owned(),
        link::State::Barred { until } => format!("barred for {:?}", until.since(rig.now)),
    };
    let now = rig.worker.counters();
    let counted = [
        ("early", now.early - before.early),
        ("stale", now.stale - before.stale),
        ("fault", now.faults - before.faults),
        ("malformed", now.malformed - before.malformed),
    ];
    let counted = counted.iter().filter(|(_, count)| *count > 0).map(|(name, _)| format!(", {name}"));
    let aborted = if rig.done().iter().any(|done| done.starts_with("abort")) { ", aborted" } else { "" };
    format!("{state}{}{aborted}", counted.collect::<String>())
}

fn hear_input(rig: &mut Rig, input: &str) {
    match input {
        "WELCOME part" => rig.say(&[welcome(&[], false)]),
        "WELCOME last part" => rig.say(&[welcome(&[], true)]),
        "another frame" => rig.say(&[Frame::Pong]),
        "a frame that does not fit" => rig.say(&[Frame::Drain]),
        "foreign epoch" => rig.say_as(rig.epoch + 1, rig.number + 1, &[Frame::Ping]),
        "repeated number" => rig.say_as(rig.epoch, rig.number, &[Frame::Ping]),
        "gap" => rig.say_as(rig.epoch, rig.number + 2, &[Frame::Ping]),
        "undecodable" => rig.worker.on_batch(LINK, b"GET / HTTP/1.1", rig.now, &mut rig.shell),
        "BYE 0" => rig.say_as(rig.epoch, 0, &[bye(Bye::GreetAgain)]),
        "BYE 1" => rig.say_as(rig.epoch, 0, &[bye(Bye::Superseded)]),
        "BYE 2" => rig.say_as(rig.epoch, 0, &[bye(Bye::Version)]),
        "BYE 3" => rig.say_as(rig.epoch, 0, &[bye(Bye::UnknownDestination)]),
        "BYE 4" => rig.say_as(rig.epoch, 0, &[bye(Bye::Leaving)]),
        "leaves" => rig.worker.leave(rig.now, &mut rig.shell),
        "send refused" => {
            rig.shell.takes_batches = false;
            rig.say(&[Frame::Ping]);
            rig.worker.flush(rig.now, &mut rig.shell);
        }
        other => unreachable!("{other}"),
    }
}

/// Fails with: no check for a barred link in `on_batch`; `spoil` without its pause; `early` not counted.
#[test]
fn every_input_does_what_the_table_says() {
    let table = [
        ("WELCOME part", ["greet in 1s", "greet in 0ns, fault", "barred"]),
        ("WELCOME last part", ["live", "greet in 0ns, fault", "barred"]),
        ("another frame", ["greet in 1s, early", "live", "barred"]),
        ("a frame that does not fit", ["greet in 1s, early", "greet in 0ns, fault", "barred"]),
        ("foreign epoch", ["greet in 1s, stale", "live, stale", "barred"]),
        ("repeated number", ["greet in 1s, stale", "live, stale", "barred"]),
        ("gap", ["greet in 1s, fault", "greet in 0ns, fault", "barred"]),
        ("undecodable", ["greet in 1s, malformed", "greet in 0ns, malformed", "barred"]),
        ("BYE 0", ["greet in 100ms", "greet in 0ns", "barred"]),
        ("BYE 1", ["barred", "barred, aborted", "barred"]),
        ("BYE 2", ["barred for 10s", "barred for 10s", "barred"]),
        ("BYE 3", ["barred for 10s", "barred for 10s", "barred"]),
        ("BYE 4", ["greet in 1s", "greet in 0ns", "barred"]),
        ("leaves", ["barred", "barred", "barred"]),
        ("send refused", ["greet in 1s, early", "greet in 0ns", "barred"]),
    ];
    for (input, outcomes) in table {
        for (state, expected) in ["Greeting", "Live", "Barred"].into_iter().zip(outcomes) {
            let mut rig = in_state(state);
            let before = rig.worker.counters();
            hear_input(&mut rig, input);
            assert_eq!(outcome(&mut rig, before), expected, "{input} while {state}");
        }
    }
}

#[test]
fn a_greeting_that_is_not_answered_is_repeated_each_second_with_a_larger_epoch() {
    let mut rig = Rig::greeting(false);
    rig.pass(2000);
    let epochs: Vec<_> = rig.shell.sent.iter().map(|batch| spell::decode(batch).0.epoch.0).collect();
    assert_eq!(epochs, [1, 2, 3]);
}

#[test]
fn a_greeting_that_the_socket_refuses_is_repeated_soon() {
    let mut rig = Rig::live();
    rig.chat(2000);
    rig.shell.takes_batches = false;
    rig.pass(1000);
    let before = rig.worker.counters().greetings;
    rig.pass(3000);
    assert_eq!(rig.worker.counters().greetings - before, 30);
}

#[test]
fn half_a_second_without_a_word_is_ended_by_a_ping() {
    let mut rig = Rig::live();
    rig.pass(450);
    assert_eq!(rig.hear(), [""; 0]);
    rig.pass(100);
    assert_eq!(rig.hear(), ["PING"]);
}

/// Fails with: `look` without `is_dead`.
#[test]
fn three_seconds_of_silence_end_the_epoch() {
    let mut rig = Rig::live();
    for _ in 0..11 {
        rig.now += Duration::from_millis(250);
        // The lease is made to hold, to see the silence.
        rig.worker.links[0].lease.sent(0, rig.now);
        rig.worker.links[0].lease.acknowledged(0);
        rig.worker.on_time(rig.now, &mut rig.shell);
    }
    assert_eq!(rig.done(), [""; 0]);
    rig.pass(500);
    assert_eq!(rig.done()[0], "lost: the ingress is silent");
}

#[test]
fn a_pause_of_the_workers_own_is_not_the_ingress_s_death_but_ends_the_lease() {
    let mut rig = Rig::live();
    rig.now += Duration::from_mins(1);
    rig.worker.on_time(rig.now, &mut rig.shell);
    assert_eq!(rig.done(), ["lost: the lease is over"]);
}

#[test]
fn a_barred_worker_asks_again_after_ten_seconds_unless_it_was_superseded() {
    for (reason, greetings) in [(Bye::Version, 1), (Bye::UnknownDestination, 1), (Bye::Superseded, 0)] {
        let mut rig = Rig::live();
        rig.say(&[bye(reason)]);
        let before = rig.worker.counters().greetings;
        rig.pass(10_500);
        assert_eq!(rig.worker.counters().greetings - before, greetings, "{reason}");
    }
}

#[test]
fn ping_is_answered_by_pong() {
    let mut rig = Rig::live();
    rig.say(&[Frame::Ping]);
    assert_eq!(rig.hear(), ["PONG"]);
}

#[test]
fn a_draining_worker_says_so_on_each_welcome_and_refuses_new_sessions() {
    let mut rig = Rig::live();
    rig.worker.drain();
    rig.say(&[open(A1, Patience::Once)]);
    assert_eq!(rig.hear(), ["DRAIN", "REFUSED s0 a1 draining"]);
    rig.pass(1000);
    rig.say_as(rig.epoch, 0, &[bye(Bye::GreetAgain)]);
    rig.pass(1000);
    rig.welcome(&[]);
    assert_eq!(rig.hear(), ["DRAIN"]);
}
