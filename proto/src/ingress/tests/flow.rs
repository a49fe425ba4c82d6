//! Windows, turns and order (S3, L5).

use super::*;

/// Fails with: `flush` that serves secondaries' links first.
#[test]
fn the_primarys_data_leaves_before_any_secondarys() {
    let mut rig = Rig::alone(Codec::Lines, 2);
    rig.greet(SECONDARY, 1, &[]);
    rig.greet(PRIMARY, 0, &[]);
    rig.accept();
    rig.say(PRIMARY, &[opened(A1)]);
    rig.say(SECONDARY, &[opened(A1)]);
    rig.forget();
    rig.source_says("one\n");
    rig.ingress.flush(rig.now, &mut rig.shell);
    let order: Vec<_> = rig.shell.sent.iter().map(|(peer, _)| *peer).collect();
    assert_eq!(order, [PRIMARY, SECONDARY]);
}

/// Fails with: `pause_source_if_full` left out, or `resume_source_if_room` not called in `on_totals`.
#[test]
fn a_spent_primary_window_stops_the_source_until_something_is_written() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.source_says(&"x".repeat(935));
    assert_eq!(rig.done(), [""; 0]);
    rig.source_says("x");
    assert_eq!(rig.done(), ["pause s0"]);
    rig.listen();
    rig.say(PRIMARY, &[wrote(A1, 65)]);
    assert_eq!(rig.done(), ["resume s0"]);
}

/// S4. Fails with: a full secondary lane that pauses the source.
#[test]
fn a_spent_secondary_window_sheds_and_stops_nobody() {
    let mut rig = Rig::both_open(Codec::Lines);
    for said in 1..=8 {
        rig.source_says(&("x".repeat(185) + "\n"));
        rig.listen();
        rig.say(PRIMARY, &[wrote(A1, 250 * said)]);
    }
    assert_eq!(rig.done(), [""; 0]);
    assert_eq!((rig.shed(1, ShedReason::WindowFull), rig.destination(1).account.in_flight.frames), (4, 4));
    assert_eq!(rig.destination(0).account.delivered.frames, 8);
}

#[test]
fn a_slow_source_holds_back_its_primary_and_no_other() {
    let mut rig = Rig::open(Codec::Lines, 1);
    rig.shell.room = 0;
    rig.say(PRIMARY, &[reply(A1, 0, &"x".repeat(1000))]);
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.hear(PRIMARY)[0], "GRANT s0 a1 1000/0/1000");
    rig.source_takes(250);
    assert_eq!(rig.hear(PRIMARY), ["GRANT s0 a1 1000/250/1250"]);
    rig.say(PRIMARY, &[reply(A1, 1000, &"y".repeat(251))]);
    assert_eq!(rig.ingress.link_counters().faults, 1, "beyond its limit");
}

/// Fails with: `has_room` that ignores the link's window, or without its reserve.
#[test]
fn a_links_window_bounds_its_sessions_together_but_never_below_their_reserve() {
    let units = |window| {
        let mut rig = Rig::with(Codec::Lines, 1, window, false);
        rig.ingress.core.routes[0].settings.window = 200_000;
        rig.greet(PRIMARY, 0, &[]);
        rig.accept();
        rig.say(PRIMARY, &[Frame::Opened { session: S0, attempt: A1, limit: 200_000 }]);
        for _ in 0..10 {
            rig.source_says(&"x".repeat(9_999));
            rig.listen();
        }
        let links = &rig.ingress.core.links;
        links.at(links.of_peer(PRIMARY).unwrap()).unwrap().outstanding
    };
    assert_eq!(units(1), 64 + 2 * 9_999, "the reserve is 16 KiB");
    assert_eq!(units(50_000), 64 + 5 * 9_999);
    assert_eq!(units(u64::MAX), 64 + 10 * 9_999);
}

/// Fails with: a lane that is served until it is empty.
#[test]
fn sessions_are_served_in_turn_in_quanta() {
    let mut rig = Rig::with(Codec::Lines, 1, u64::MAX, true);
    rig.ingress.core.routes[0].settings.window = 1 << 20;
    rig.greet(PRIMARY, 0, &[]);
    for session in [S0, SessionId(1)] {
        rig.accept();
        rig.say(PRIMARY, &[Frame::Opened { session, attempt: A1, limit: 1 << 20 }]);
    }
    rig.forget();
    rig.source_says(&"x".repeat(150_000));
    let bytes = Bytes::from_static(b"short\n");
    rig.ingress.on_source_bytes(SessionId(1), bytes, rig.now, &mut rig.shell);
    let turns: Vec<_> = rig.hear(PRIMARY).iter().map(|said| said[..7].to_owned()).collect();
    assert_eq!(turns, ["DATA s0", "DATA s1", "DATA s0", "DATA s0"]);
}

#[test]
fn a_local_link_is_neither_pinged_nor_watched() {
    let mut rig = Rig::with(Codec::Lines, 1, u64::MAX, true);
    rig.greet(PRIMARY, 0, &[]);
    rig.forget();
    rig.pass_in_silence(Duration::from_secs(60));
    assert_eq!(rig.hear(PRIMARY), [""; 0]);
    assert_eq!(rig.ingress.workers().count(), 1);
}
