//! Sources and destinations that speak the Foo protocol: what is counted, how long replies take, and whose reply is held
//! against which (S8, S9).

use super::*;
use crate::{codec::foo::Counters, conversation::comparing::Finding, pattern::Patterns, policy::Replies};

impl Rig {
    #[track_caller]
    fn assert_counted(&self, [req, ack, nak, invalid_source, invalid_primary]: [u64; 5]) {
        let counted = self.ingress.route_counters(ROUTE).foo;
        assert_eq!(counted, Counters { req, ack, nak, invalid_source, invalid_primary });
    }

    fn settings(&mut self) -> &mut Route {
        &mut self.ingress.core.routes[0].settings
    }

    /// Both destinations have got everything that was said.
    fn deliver(&mut self, units: u64) {
        self.listen();
        self.say(PRIMARY, &[wrote(A1, units)]);
        self.say(SECONDARY, &[wrote(A1, units)]);
    }

    fn found(&self) -> [u64; 3] {
        self.destination(1).said.found
    }
}

fn both_open(route: Route) -> Rig {
    let mut rig = Rig::on(route, u64::MAX, false);
    rig.greet(PRIMARY, 0, &[]);
    rig.greet(SECONDARY, 1, &[]);
    rig.accept();
    rig.say(PRIMARY, &[opened(A1)]);
    rig.say(SECONDARY, &[opened(A1)]);
    rig.forget();
    rig
}

/// Fails with: `Reader::read` that begins anew with every read.
#[test]
fn messages_count_once_their_end_has_passed_however_they_were_cut() {
    let mut rig = Rig::open(Codec::Foo, 1);
    for piece in ["RE", "Q 1", " He", "y\nREQ 2\n\nREQ 3"] {
        rig.source_says(piece);
    }
    rig.assert_counted([2, 0, 0, 1, 0]);
    rig.say(PRIMARY, &[reply(A1, 0, "ACK 1 a\nNA")]);
    rig.assert_counted([2, 1, 0, 1, 0]);
    rig.say(PRIMARY, &[reply(A1, 10, "K 2\nREQ 9\nACK 3")]);
    rig.assert_counted([2, 1, 1, 1, 1]);
    assert_eq!(rig.written(), "ACK 1 a\nNAK 2\nREQ 9\nACK 3");
}

/// Fails with: `on_fin` or `pass_on_fin` without `count_last_message`.
#[test]
fn a_fin_ends_the_message_in_progress() {
    let mut rig = Rig::open(Codec::Foo, 1);
    rig.source_says("REQ 1\nREQ 2");
    rig.say(PRIMARY, &[reply(A1, 0, "ACK 1\nNAK")]);
    rig.source_fin();
    rig.say(PRIMARY, &[fin(A1, 9)]);
    rig.assert_counted([2, 1, 0, 0, 1]);
}

#[test]
fn another_codec_counts_no_messages() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.source_says("REQ 1\nREQ");
    rig.source_fin();
    rig.say(PRIMARY, &[reply(A1, 0, "ACK 1\n"), fin(A1, 6)]);
    rig.assert_counted([0; 5]);
}

/// Fails with: messages counted where destinations are read, not where the source is written to.
#[test]
fn what_a_secondary_says_and_what_is_filtered_counts_nothing() {
    let mut rig = Rig::both_open(Codec::Foo);
    rig.settings().destinations[0].deny = Patterns::parse(["secret"]).unwrap();
    rig.source_says("REQ 1\nREQ 2\n");
    rig.deliver(140);
    rig.say(SECONDARY, &[reply(A1, 0, "ACK 1\nACK 2 b\nACK 3\n")]);
    rig.say(PRIMARY, &[reply(A1, 0, "ACK 1\nACK 2 sec"), reply(A1, 15, "ret\n")]);
    rig.assert_counted([2, 1, 0, 0, 0]);
    assert_eq!(rig.written(), "ACK 1\n");
}

/// Fails with: `asked_at` that is set anew by every read.
#[test]
fn a_reply_takes_as_long_as_the_source_has_waited_since_the_last() {
    let mut rig = Rig::open(Codec::Raw, 1);
    rig.say(PRIMARY, &[reply(A1, 0, "welcome")]);
    rig.source_says("one");
    rig.pass(Duration::from_millis(200));
    rig.source_says("two");
    rig.pass(Duration::from_millis(100));
    rig.say(PRIMARY, &[reply(A1, 7, "a")]);
    rig.pass(Duration::from_millis(100));
    rig.say(PRIMARY, &[reply(A1, 8, "b")]);
    let latency = rig.ingress.route_counters(ROUTE).latency;
    assert_eq!((latency.count, latency.sum_micros, latency.buckets[19]), (1, 300_000, 1));
}

/// Fails with: `Frames` that pair by what was said, or `judge` that waits until nobody owes.
#[test]
fn replies_of_the_same_seq_that_differ_are_told_at_once_with_their_request() {
    let mut rig = Rig::both_open(Codec::Foo);
    rig.source_says("REQ 7\nREQ 8\nREQ 9\n");
    rig.deliver(210);
    rig.done();
    rig.say(PRIMARY, &[reply(A1, 0, "ACK 8\nACK 7 yes\n")]);
    rig.say(SECONDARY, &[reply(A1, 0, "NAK 7 no\nACK 8\n")]);
    assert_eq!(rig.done(), [r"s0 d1: different: REQ 7\n -> ACK 7 yes\n / NAK 7 no\n at Some(0) +0"]);
    assert_eq!((rig.found(), rig.destination(1).said.matched), ([0, 0, 1], 1));
    rig.say(PRIMARY, &[reply(A1, 16, "ACK 9\n")]);
    rig.pass(Duration::from_secs(6));
    assert_eq!(rig.found()[Finding::Missing as usize], 1);
}

/// Fails with: `begin_frame` that makes an ask of what nobody owes.
#[test]
fn a_server_only_replies_whatever_the_settings_say() {
    for replies in [Replies::One, Replies::Many, Replies::None] {
        let mut route = route(Codec::Foo, 2);
        route.talk.replies = replies;
        let mut rig = both_open(route);
        rig.say(SECONDARY, &[reply(A1, 0, "ACK 0 first\n")]);
        rig.source_says("REQ 1\n");
        rig.deliver(70);
        rig.say(SECONDARY, &[reply(A1, 12, "ACK 1\nACK 1\n")]);
        rig.say(PRIMARY, &[reply(A1, 0, "ACK 1\nACK 1\n")]);
        rig.pass(Duration::from_secs(6));
        let said = rig.destination(1).said;
        assert_eq!((rig.written(), said.asks, said.matched), ("ACK 1\nACK 1\n".to_owned(), 0, 2));
        assert_eq!((said.found, said.filtered, said.suppressed), ([0; 3], 0, 0), "{replies:?}");
    }
}
