//! What destinations begin by themselves: the source hears it once, whoever else says it, and its answer is kept.
//!
//! What the source must not hear is looked for behind a line that it does hear.

use std::time::Duration;

use crate::harness::{Destination, Fabric, PATIENCE, Shape, eventually, eventually_within, since};
use crate::in_every_shape;

in_every_shape!(
    what_a_secondary_asks_is_asked_once_and_its_answer_is_kept_for_the_primary,
    only_what_looks_like_an_answer_is_kept_as_one,
    an_ask_waits_until_the_primary_has_replied,
    what_may_become_an_ask_is_held_for_a_moment_and_let_go,
    an_ask_is_news_again_when_its_window_is_over_and_windows_do_not_slide,
    one_that_repeats_itself_is_heard_again_and_sessions_share_no_ledger,
    a_secondary_may_not_ask_what_it_is_denied_and_others_may,
    a_primary_is_kept_from_saying_what_it_is_denied,
    one_that_may_not_ask_is_never_heard,
    a_secondary_that_is_back_gets_the_login_again_and_then_the_next_line,
);

/// Fails if an ask is forwarded for everyone who has it, or the source's answer is not given to who asks later.
fn what_a_secondary_asks_is_asked_once_and_its_answer_is_kept_for_the_primary(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    secondary.say(b"X\n");
    source.expect(b"X\n");
    source.send(b"Y\n");
    primary.expect(b"Y\n");
    secondary.expect(b"Y\n");

    primary.say(b"X\n");
    primary.expect(b"Y\nY\n");
    primary.say(b"done\n");
    source.expect(b"done\n");
    let report = fabric.report();
    report.balanced();
    assert_eq!(report.count("secondary-1", "asks"), 1);
    assert_eq!(report.count("primary", "suppressed"), 1);
    assert_eq!(report.volume("primary", "injected").frames, 1);
    assert_eq!(secondary.received(), b"Y\n");
}

/// Fails if whatever the source says next is its answer.
fn only_what_looks_like_an_answer_is_kept_as_one(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary);
    let fabric = plan.set("answer", "^BATTERY ").start();
    let mut source = fabric.connect();

    secondary.say(b"GET BATTERY\n");
    source.expect(b"GET BATTERY\n");
    source.send(b"POSITION 52 4\nBATTERY 81\n");
    primary.expect(b"POSITION 52 4\nBATTERY 81\n");
    primary.say(b"GET BATTERY\n");
    primary.expect(b"POSITION 52 4\nBATTERY 81\nBATTERY 81\n");
}

/// Fails if an ask goes in between a request and its reply.
fn an_ask_waits_until_the_primary_has_replied(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    source.send(b"which?\n");
    secondary.expect(b"which?\n");
    // From then on the ingress knows that the primary owes a reply.
    let delivered = || fabric.report().volume("primary", "delivered").frames;
    eventually("the primary is known to have the request", || delivered() == 1);
    secondary.say(b"A\nX\n");
    eventually("the ask is there", || fabric.report().volume("secondary-1", "received").frames == 2);
    primary.say(b"A\n");
    source.expect(b"A\nX\n");
    assert_eq!(fabric.report().count("secondary-1", "asks"), 1);
}

/// Fails if what is held is lost, or held until something follows.
fn what_may_become_an_ask_is_held_for_a_moment_and_let_go(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    secondary.say(b"GET BATTERY\n");
    source.expect(b"GET BATTERY\n");
    primary.say(b"GET B");
    source.expect(b"GET B");
    primary.say(b"OOK\n");
    source.expect(b"OOK\n");
    primary.say(b"GET BATTERY\ndone\n");
    source.expect(b"done\n");
    assert_eq!(fabric.report().count("primary", "suppressed"), 1);
}

/// Fails if a window never ends, or if whoever joins it makes it longer.
fn an_ask_is_news_again_when_its_window_is_over_and_windows_do_not_slide(shape: Shape) {
    const WINDOW: Duration = Duration::from_secs(3);
    let primary = Destination::silent();
    let [first, second, third] = [(); 3].map(|()| Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&first).forward(&second).forward(&third);
    let fabric = plan.set("dedup_window", "3s").start();
    let mut source = fabric.connect();
    eventually("everybody is there", || third.accepted() == 1 && second.accepted() == 1);

    first.say(b"X\n");
    source.expect(b"X\n");
    let elapsed = since();
    eventually("half of the window is over", || elapsed() > WINDOW / 2);
    second.say(b"X\n");
    eventually("the second is not heard", || fabric.report().count("secondary-2", "suppressed") == 1);
    eventually_within(WINDOW, "the window is over", || elapsed() > WINDOW);
    third.say(b"X\n");
    source.expect(b"X\n");
    assert_eq!(fabric.report().count("secondary-3", "asks"), 1);
}

/// Fails if the second of two is taken for the first, or one session's ledger knows what was said in another.
fn one_that_repeats_itself_is_heard_again_and_sessions_share_no_ledger(shape: Shape) {
    let (primary, [one, other]) = (Destination::silent(), [(); 2].map(|()| Destination::silent()));
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&one).forward(&other).start();
    let mut source = fabric.connect();
    eventually("the first session is complete", || one.accepted() == 1 && other.accepted() == 1);
    let mut second = fabric.connect();

    one.say(b"X\n");
    source.expect(b"X\n");
    one.say(b"X\n");
    source.expect(b"X\n");
    other.say_on(1, b"X\n");
    second.expect(b"X\n");
    let report = fabric.report();
    assert_eq!([1, 2].map(|n| report.count(&format!("secondary-{n}"), "asks")), [2, 1]);
    assert_eq!([1, 2].map(|n| report.count(&format!("secondary-{n}"), "suppressed")), [0, 0]);
}

/// Fails if a filter is looked at for somebody else, or an ask that may not be asked keeps another from asking it.
fn a_secondary_may_not_ask_what_it_is_denied_and_others_may(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary).with("deny = ['^REBOOT']");
    let fabric = plan.start();
    let mut source = fabric.connect();

    secondary.say(b"REBOOT NOW\n");
    eventually("it is filtered", || fabric.report().count("secondary-1", "filtered") == 1);
    secondary.say(b"GET BATTERY\n");
    source.expect(b"GET BATTERY\n");
    primary.say(b"REBOOT NOW\n");
    source.expect(b"REBOOT NOW\n");
}

/// Fails if the primary is cut through although it has a filter.
fn a_primary_is_kept_from_saying_what_it_is_denied(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let fabric =
        Fabric::shaped(shape).forward(&primary).with("deny = ['^SECRET']").forward(&secondary).start();
    let mut source = fabric.connect();

    primary.say(b"SECR");
    eventually("a piece is there", || fabric.report().volume("primary", "received").bytes == 4);
    primary.say(b"ET 1\nOK\n");
    source.expect(b"OK\n");
    assert_eq!(fabric.report().count("primary", "filtered"), 1);
}

/// Fails if `asks = false` is not looked at.
fn one_that_may_not_ask_is_never_heard(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary).with("asks = false");
    let fabric = plan.start();
    let mut source = fabric.connect();

    secondary.say(b"X\n");
    eventually("it is filtered", || fabric.report().count("secondary-1", "filtered") == 1);
    primary.say(b"X\n");
    source.expect(b"X\n");
    assert_eq!(fabric.report().count("secondary-1", "asks"), 0);
}

/// Fails if `rejoin` is not looked at, or what was missed is sent as well.
fn a_secondary_that_is_back_gets_the_login_again_and_then_the_next_line(shape: Shape) {
    let (primary, mut secondary) = (Destination::silent(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary).with("rejoin = 'first:1'");
    let fabric = plan.start();
    let mut source = fabric.connect();
    source.send(b"LOGIN 7\nSTATUS 1\n");
    secondary.expect(b"LOGIN 7\nSTATUS 1\n");

    secondary.die();
    let mut number = 1;
    let mut report_status = |source: &mut crate::harness::Source| {
        number += 1;
        source.send(format!("STATUS {number}\n").as_bytes());
    };
    eventually("what it misses is shed", || {
        report_status(&mut source);
        fabric.report().balanced().shed("secondary-1", "away").frames > 0
    });
    secondary.start();
    let second_life = || {
        let used = secondary.connections().into_iter().filter(|record| !record.received.is_empty());
        used.skip(1).flat_map(|record| record.received).collect::<Vec<u8>>()
    };
    eventually_within(2 * PATIENCE, "it is served again", || {
        report_status(&mut source);
        second_life().split(|&byte| byte == b'\n').count() > 2
    });
    let received = String::from_utf8(second_life()).expect("text");
    let received: Vec<&str> = received.lines().take(2).collect();
    assert_eq!(received[0], "LOGIN 7");
    let next = received[1].strip_prefix("STATUS ").and_then(|number| number.parse::<u32>().ok());
    assert!(next.is_some_and(|next| next > 2), "{received:?}");
    fabric.report().balanced();
}
