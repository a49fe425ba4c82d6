//! Sessions of datagrams (S11).

use super::*;

fn both_open() -> Rig {
    Rig::both_open(Codec::Datagram)
}

impl Rig {
    /// The source sends these in one read.
    fn source_sends(&mut self, datagrams: &[&str]) {
        let mut end = 0;
        let ends: Vec<u32> = datagrams
            .iter()
            .map(|datagram| {
                end += datagram.len() as u32;
                end
            })
            .collect();
        let bytes = Bytes::from(datagrams.concat());
        self.ingress.on_source_datagrams(S0, &bytes, &ends, self.now, &mut self.shell);
        self.ingress.audit();
    }
}

fn datagrams<'a>(position: u64, cuts: &'a [u8], payload: &'a str) -> Frame<'a> {
    let cuts = Cuts::parse(cuts, payload.len()).unwrap();
    let payload = payload.as_bytes();
    Frame::Data { session: S0, attempt: A1, position, written: 0, starts: true, ends: true, cuts, payload }
}

#[test]
fn datagrams_go_to_all_destinations_empty_ones_alone() {
    let mut rig = both_open();
    rig.source_sends(&["a", "bc", "", "d"]);
    let expected = ["DATA s0 a1 @0 abc", "DATA s0 a1 @131 ", "DATA s0 a1 @195 d"];
    assert_eq!(rig.hear(PRIMARY), expected);
    assert_eq!(rig.hear(SECONDARY), expected);
    assert_eq!(rig.destination(1).account.accepted, Tally::new(4, 4));
    assert_eq!(rig.ingress.route_counters(ROUTE).received, Tally::new(4, 4));
}

/// S1. Fails if what comes early is offered to the secondaries at once, or never.
#[test]
fn what_comes_before_the_primary_is_connected_goes_out_in_order_afterwards() {
    let mut rig = Rig::linked(Codec::Datagram, 2);
    rig.accept();
    rig.source_sends(&["a"]);
    rig.source_sends(&["", "b"]);
    assert_eq!(rig.hear(SECONDARY), Vec::<String>::new());
    rig.say(PRIMARY, &[opened(A1)]);
    let expected = ["DATA s0 a1 @0 a", "DATA s0 a1 @65 ", "DATA s0 a1 @129 b"];
    assert_eq!(rig.hear(PRIMARY)[1..], expected);
    assert_eq!(rig.hear(SECONDARY)[1..], expected);
    assert_eq!(rig.done(), ["s0 opened"]);
}

#[test]
fn what_came_early_is_accounted_for_if_the_primary_is_refused() {
    let mut rig = Rig::linked(Codec::Datagram, 2);
    rig.accept();
    rig.source_sends(&["a", ""]);
    rig.say(PRIMARY, &[refused(A1, Cause::NameNotFound)]);
    assert_eq!((rig.shed(0, ShedReason::SessionEnded), rig.shed(1, ShedReason::SessionEnded)), (2, 2));
    assert!(rig.ingress.is_idle());
}

/// Fails if a full window pauses the source, which shares its socket, or if a secondary gets what the primary did not.
#[test]
fn a_full_window_sheds_the_newest_and_never_pauses() {
    let mut rig = both_open();
    let long = "x".repeat(300);
    rig.source_sends(&[&long, &long, &long, ""]);
    assert_eq!(rig.shed(0, ShedReason::WindowFull), 1);
    assert_eq!(rig.destination(0).account.in_flight, Tally::new(3, 600));
    assert_eq!(rig.destination(1).account.accepted, Tally::new(3, 600));
    assert_eq!(rig.done(), Vec::<String>::new());
}

#[test]
fn a_datagram_is_never_split_however_the_credit_ends() {
    let mut rig = both_open();
    let long = "x".repeat(300);
    rig.source_sends(&[&long, &long]);
    rig.listen();
    rig.say(PRIMARY, &[Frame::Grant { session: S0, attempt: A1, taken: 364, written: 364, limit: 1200 }]);
    rig.source_sends(&[&long, &long]);
    let said = rig.hear(PRIMARY);
    assert_eq!(said, ["DATA s0 a1 @0 (600 bytes)", "DATA s0 a1 @728 (300 bytes)"]);
}

#[test]
fn replies_keep_their_boundaries_and_wait_as_datagrams() {
    let mut rig = both_open();
    rig.shell.room = 4;
    rig.say(PRIMARY, &[datagrams(0, &[0, 0, 0, 1], "abcd"), datagrams(132, &[], "")]);
    assert_eq!(rig.written(), "[a]");
    rig.source_takes(100);
    assert_eq!(rig.written(), "[bcd][]");
    assert_eq!(rig.ingress.route_counters(ROUTE).sent, Tally::new(3, 4));
    assert_eq!(rig.destination(0).received, Tally::new(3, 4));
    rig.pass(STEP);
    assert!(rig.hear(PRIMARY).contains(&"GRANT s0 a1 196/196/1196".to_owned()));
}

#[test]
fn replies_seen_before_are_skipped_by_whole_datagrams() {
    let mut rig = both_open();
    rig.say(PRIMARY, &[datagrams(0, &[], "a")]);
    rig.say(PRIMARY, &[datagrams(0, &[0, 0, 0, 1], "ab")]);
    assert_eq!(rig.written(), "[a][b]");
}

#[test]
fn torn_replies_are_a_fault() {
    for fault in [reply(A1, 0, "a"), datagrams(1, &[], "a")] {
        let mut rig = both_open();
        rig.say(PRIMARY, &[fault]);
        assert_eq!(rig.done()[0], "ignored: its positions do not fit");
    }
}

#[test]
fn silence_ends_a_session_and_a_secondary_does_not_break_it() {
    let mut rig = both_open();
    rig.pass(IDLE_TIMEOUT / 2);
    rig.source_sends(&["a"]);
    rig.pass_almost(IDLE_TIMEOUT);
    assert_eq!(rig.done(), Vec::<String>::new());
    rig.say(SECONDARY, &[datagrams(0, &[], "chatter")]);
    rig.pass(STEP);
    assert_eq!(rig.done(), ["close s0", "s0 ended by ingress: idle"]);
    assert!(rig.hear(PRIMARY).contains(&"RESET s0 a1 ended in order".to_owned()));
}

#[test]
fn a_reply_of_the_primary_keeps_a_session_alive() {
    let mut rig = both_open();
    rig.pass_almost(IDLE_TIMEOUT);
    rig.say(PRIMARY, &[datagrams(0, &[], "a")]);
    rig.pass_almost(IDLE_TIMEOUT);
    assert_eq!(rig.done(), Vec::<String>::new());
}

#[test]
fn a_drain_ends_a_session_at_its_first_pause() {
    let mut rig = both_open();
    rig.ingress.drain(rig.now, &mut rig.shell);
    rig.pass(Duration::from_millis(300));
    assert_eq!(rig.done(), ["close s0", "s0 ended by ingress: drained"]);
}

#[test]
fn what_could_not_be_sent_moves_from_delivered_to_shed() {
    let mut rig = both_open();
    rig.source_sends(&["abc"]);
    rig.listen();
    let grant = Frame::Grant { session: S0, attempt: A1, taken: 67, written: 67, limit: 1067 };
    let shed = |frames| Frame::Shed { session: S0, attempt: A1, frames, bytes: 3 };
    rig.say(SECONDARY, &[grant, shed(1)]);
    assert_eq!(rig.shed(1, ShedReason::Unsendable), 1);
    assert_eq!(rig.destination(1).account.delivered, Tally::ZERO);
    rig.say(SECONDARY, &[shed(1)]);
    assert_eq!((rig.shed(1, ShedReason::Unsendable), rig.done()), (1, vec![]), "it is a total");
    rig.say(SECONDARY, &[shed(2)]);
    assert_eq!(rig.done()[0], "ignored: its positions do not fit");
}

/// Fails if a secondary is to reply to what it was never sent.
#[test]
fn nobody_owes_a_reply_to_what_could_not_be_sent() {
    let mut rig = both_open();
    rig.source_sends(&["abc"]);
    rig.listen();
    let grant = || Frame::Grant { session: S0, attempt: A1, taken: 67, written: 67, limit: 1067 };
    rig.say(PRIMARY, &[grant(), datagrams(0, &[], "reply")]);
    rig.say(SECONDARY, &[grant()]);

    rig.say(SECONDARY, &[Frame::Shed { session: S0, attempt: A1, frames: 1, bytes: 3 }]);

    rig.say(SECONDARY, &[datagrams(0, &[], "ask")]);
    rig.pass(Duration::from_secs(10));
    let said = rig.destination(1).said;
    assert_eq!((said.found, said.uncompared, said.asks), ([0; 3], 1, 1));
    assert_eq!(rig.written(), "[reply][ask]");
}
