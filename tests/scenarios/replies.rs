//! What destinations reply: the primary's goes to the source, the secondaries' are compared with it.
//!
//! What must not happen is looked for behind something that does: a later line comes first, a later divergence is the
//! only one.

use crate::harness::{Destination, Fabric, Shape, Source, eventually, lines, since};
use crate::in_every_shape;

in_every_shape!(
    a_secondary_that_says_something_else_is_one_divergence_that_names_it,
    a_silent_secondary_is_missing_a_reply_after_the_timeout_and_not_before,
    a_reply_in_two_pieces_is_the_same_reply_as_lines,
    a_reply_in_two_bursts_is_the_same_reply_as_raw,
    what_is_to_be_ignored_is_and_the_rest_is_not,
    with_many_replies_every_frame_is_one_and_none_an_ask,
    a_secondary_that_is_far_behind_does_not_diverge,
    a_liar_is_found_among_the_honest,
    three_that_say_the_same_never_diverge_as_lines,
    three_that_say_the_same_never_diverge_as_raw,
);

const FINDINGS: [&str; 3] = ["missing", "extra", "different"];

/// What was found of a destination: missing, extra, different.
fn found(fabric: &Fabric, destination: &str) -> [u64; 3] {
    let report = fabric.report();
    FINDINGS.map(|finding| report.count(destination, finding))
}

fn matched(fabric: &Fabric, destination: &str) -> u64 {
    fabric.report().count(destination, "matched")
}

/// Waits until this was found of the first secondary: missing, extra, different.
#[track_caller]
fn expect_found(fabric: &Fabric, expected: [u64; 3]) {
    let what = format!("of the secondary were found missing, extra, different: {expected:?}");
    eventually(&what, || {
        found(fabric, "secondary-1").iter().zip(expected).all(|(found, least)| *found >= least)
    });
    assert_eq!(found(fabric, "secondary-1"), expected, "missing, extra, different");
}

/// One question, and who replies what to it.
fn exchange(source: &mut Source, question: &[u8], replies: &[(&Destination, &[u8])]) {
    let before: Vec<usize> = replies.iter().map(|(destination, _)| destination.received_bytes()).collect();
    source.send(question);
    for ((destination, reply), before) in replies.iter().zip(before) {
        eventually("it has the question", || destination.received_bytes() == before + question.len());
        destination.say(reply);
    }
}

/// Fails if a secondary's reply is forwarded, counted as an ask, or one divergence is counted as two.
fn a_secondary_that_says_something_else_is_one_divergence_that_names_it(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    exchange(&mut source, b"which?\n", &[(&primary, b"A\n"), (&secondary, b"B\n")]);
    expect_found(&fabric, [0, 0, 1]);
    let warning = fabric.front().logged("replies diverge", |_| true);
    for (field, expected) in
        [("destination", "secondary-1"), ("finding", "different"), ("primary", "A\\n"), ("secondary", "B\\n")]
    {
        assert_eq!(warning[field], expected, "{field} in {warning}");
    }

    exchange(&mut source, b"and now?\n", &[(&secondary, b"C\n"), (&primary, b"C\n")]);
    source.expect(b"A\nC\n");
    eventually("the second replies are the same", || matched(&fabric, "secondary-1") == 1);
    expect_found(&fabric, [0, 0, 1]);
    assert_eq!(fabric.front().records("replies diverge").len(), 1);
    assert_eq!(fabric.report().balanced().count("secondary-1", "asks"), 0);
}

/// Fails if the primary's reply waits for the secondary's, a debt never lapses, or lapses at once.
fn a_silent_secondary_is_missing_a_reply_after_the_timeout_and_not_before(shape: Shape) {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary).set("reply_timeout", "1s");
    let fabric = plan.start();
    let mut source = fabric.connect();

    let elapsed = since();
    source.send(b"hello\n");
    source.expect(b"hello\n");
    secondary.expect(b"hello\n");
    expect_found(&fabric, [1, 0, 0]);
    assert!(elapsed().as_millis() >= 1000, "missing after {:?}", elapsed());

    source.send(b"still here\n");
    source.expect(b"still here\n");
    secondary.expect(b"hello\nstill here\n");
    expect_found(&fabric, [2, 0, 0]);
    assert_eq!((primary.accepted(), secondary.accepted()), (1, 1));
    assert_eq!(fabric.report().balanced().volume("secondary-1", "delivered").frames, 2);
}

/// Fails if each read is taken for a frame.
fn a_reply_in_two_pieces_is_the_same_reply_as_lines(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let fabric = Fabric::shaped(shape).forward(&primary).forward(&secondary).start();
    let mut source = fabric.connect();

    exchange(&mut source, b"letters?\n", &[(&primary, b"AB\n"), (&secondary, b"A")]);
    source.expect(b"AB\n");
    eventually("the first piece is there", || heard(&fabric) == 1);
    secondary.say(b"B\n");
    eventually("the replies are the same", || matched(&fabric, "secondary-1") == 1);

    exchange(&mut source, b"again?\n", &[(&primary, b"AB\n"), (&secondary, b"X")]);
    source.expect(b"AB\n");
    eventually("the first piece is there", || heard(&fabric) == 4);
    secondary.say(b"B\n");
    expect_found(&fabric, [0, 0, 1]);
    assert_eq!(fabric.report().count("secondary-1", "asks"), 0);
}

/// Fails if a pause within a reply makes an ask of the rest of it.
fn a_reply_in_two_bursts_is_the_same_reply_as_raw(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let plan = Fabric::shaped(shape).codec("raw").forward(&primary).forward(&secondary);
    let fabric = plan.set("quiet_gap", "5ms").start();
    let mut source = fabric.connect();

    exchange(&mut source, b"letters?", &[(&primary, b"AB"), (&secondary, b"A")]);
    source.expect(b"AB");
    eventually("the first piece is there", || heard(&fabric) == 1);
    let elapsed = since();
    eventually("many quiet gaps are over", || elapsed().as_millis() > 100);
    secondary.say(b"B");
    eventually("the replies are the same", || heard(&fabric) == 2 && matched(&fabric, "secondary-1") > 0);
    assert_eq!(fabric.report().volume("secondary-1", "received").frames, 2, "bursts");

    exchange(&mut source, b"again?", &[(&primary, b"AB"), (&secondary, b"XB")]);
    source.expect(b"AB");
    expect_found(&fabric, [0, 0, 1]);
    assert_eq!(fabric.report().count("secondary-1", "asks"), 0);
}

/// Bytes the first secondary has said.
fn heard(fabric: &Fabric) -> u64 {
    fabric.report().volume("secondary-1", "received").bytes
}

/// Fails if patterns are not blanked, or the whole reply is.
fn what_is_to_be_ignored_is_and_the_rest_is_not(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary);
    let fabric = plan.set("ignore", "['[0-9]{2}:[0-9]{2}']").start();
    let mut source = fabric.connect();

    exchange(&mut source, b"time?\n", &[(&primary, b"12:30 ok\n"), (&secondary, b"12:31 ok\n")]);
    eventually("the replies count as the same", || matched(&fabric, "secondary-1") == 1);
    exchange(&mut source, b"time?\n", &[(&primary, b"12:32 ok\n"), (&secondary, b"12:32 no\n")]);
    expect_found(&fabric, [0, 0, 1]);
    source.expect(b"12:30 ok\n12:32 ok\n");
}

/// Fails if the second frame of a reply is taken for an ask, or is not compared.
fn with_many_replies_every_frame_is_one_and_none_an_ask(shape: Shape) {
    let (primary, secondary) = (Destination::silent(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary);
    let fabric = plan.set("replies", "many").start();
    let mut source = fabric.connect();

    exchange(&mut source, b"list\n", &[(&primary, b"1\n2\n"), (&secondary, b"1\n3\n2\n")]);
    eventually("two of three are the same", || matched(&fabric, "secondary-1") == 2);
    exchange(&mut source, b"end\n", &[(&primary, b"end\n")]);
    source.expect(b"1\n2\nend\n");
    assert_eq!(fabric.report().count("secondary-1", "asks"), 0);
}

/// More than is kept to be compared. Fails if the counterpart of a reply that was given up is a divergence.
fn a_secondary_that_is_far_behind_does_not_diverge(shape: Shape) {
    const LINES: u64 = 2500;
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let plan = Fabric::shaped(shape).forward(&primary).forward(&secondary).set("reply_timeout", "3s");
    let fabric = plan.start();
    let mut source = fabric.connect();
    let traffic: Vec<u8> = (0..LINES).flat_map(|number| format!("{number}\n").into_bytes()).collect();

    source.send(&traffic);
    source.expect(&traffic);
    secondary.expect(&traffic);
    secondary.say(&traffic);
    eventually("what was not given up is the same", || {
        let report = fabric.report();
        let [matched, given_up] = ["matched", "uncompared"].map(|name| report.count("secondary-1", name));
        matched > 0 && given_up > 0 && matched + given_up == LINES
    });
    let elapsed = since();
    eventually("whatever is without a counterpart is overdue", || elapsed().as_secs() >= 3);
    exchange(&mut source, b"x\n", &[(&secondary, b"y\n")]);
    expect_found(&fabric, [0, 0, 1]);
    assert_eq!(fabric.report().count("secondary-1", "asks"), 0);
}

/// Fails if what one secondary says is held against another.
fn a_liar_is_found_among_the_honest(shape: Shape) {
    const LINES: usize = 20;
    let [primary, honest, other] = [(); 3].map(|()| Destination::echo());
    let liar = Destination::replying(b"all is well\n");
    let plan = Fabric::shaped(shape).forward(&primary).forward(&honest).forward(&liar).forward(&other);
    let fabric = plan.start();
    let mut source = fabric.connect();

    for line in lines(0, LINES).split_inclusive(|&byte| byte == b'\n') {
        source.send(line);
        source.expect(line);
    }
    eventually("everything is compared", || {
        found(&fabric, "secondary-2") == [0, 0, LINES as u64]
            && ["secondary-1", "secondary-3"].iter().all(|name| matched(&fabric, name) == LINES as u64)
    });
    for name in ["secondary-1", "secondary-3"] {
        assert_eq!(found(&fabric, name), [0; 3], "{name}");
    }
    assert!(fabric.records_about("replies diverge", "secondary-2").len() < LINES, "warnings are paced");
    fabric.report().balanced();
}

/// Fails if a reply that is early, late or cut otherwise is no match.
fn three_that_say_the_same_never_diverge_as_lines(shape: Shape) {
    const LINES: usize = 3000;
    let trio = Trio::start(shape, "lines");
    let mut source = trio.fabric.connect();
    let traffic = lines(0, LINES);
    for piece in pieces(&traffic) {
        source.send(piece);
    }
    source.expect(&traffic);
    trio.expect_all_compared(|matched, uncompared| matched > 0 && matched + uncompared == LINES as u64);
}

/// Fails if bursts are compared read by read, or an echo that begins before the primary's is an ask.
fn three_that_say_the_same_never_diverge_as_raw(shape: Shape) {
    let trio = Trio::start(shape, "raw");
    let mut source = trio.fabric.connect();
    let traffic = lines(0, 1000);
    for burst in traffic.chunks(1777) {
        for piece in pieces(burst) {
            source.send(piece);
        }
        source.expect(burst);
    }
    source.half_close();
    source.expect_fin();
    trio.fabric.at_rest();
    trio.expect_all_compared(|matched, _| matched > 0);
}

/// Three echoes, each cutting what it says in its own way.
struct Trio {
    fabric: Fabric,
    _destinations: [Destination; 3],
}

impl Trio {
    fn start(shape: Shape, codec: &'static str) -> Self {
        let destinations = [Destination::echo(), Destination::echo_in_pieces(), Destination::echo()];
        let plan = Fabric::shaped(shape).codec(codec);
        let plan = destinations.iter().fold(plan, crate::harness::Plan::forward);
        Self { fabric: plan.start(), _destinations: destinations }
    }

    #[track_caller]
    fn expect_all_compared(&self, is_all: impl Fn(u64, u64) -> bool) {
        let names = ["secondary-1", "secondary-2"];
        let is_all = |name: &&str| {
            let report = self.fabric.report();
            is_all(report.count(name, "matched"), report.count(name, "uncompared"))
        };
        eventually("everything is compared", || names.iter().all(is_all));
        let report = self.fabric.report();
        report.balanced();
        for name in names {
            assert_eq!(found(&self.fabric, name), [0; 3], "{name}: missing, extra, different");
            assert_eq!(report.count(name, "asks"), 0, "asks of {name}");
        }
    }
}

/// The same bytes in pieces of all sorts.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut sizes = [900, 1, 33, 2, 2500, 64, 7].into_iter().cycle();
    std::iter::from_fn(move || {
        let size = sizes.next()?.min(bytes.len());
        let (piece, rest) = bytes.split_at(size);
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
