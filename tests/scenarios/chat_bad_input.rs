//! What nobody should send to a room, sent to a room: it lives, its members notice nothing, and who can be told is told.

use std::time::Duration;

use crate::harness::chat::{Bytes, Chatter, ClassicMember, ROOM, Room, greeting};
use crate::harness::{Process, eventually};

/// A room with a member of each dialect, whose chat must go on.
struct Chat {
    room: Room,
    ann: ClassicMember,
    bob: Chatter,
    said: usize,
}

impl Chat {
    #[track_caller]
    fn begun() -> Self {
        let room = Room::open();
        let ann = ClassicMember::join(room.address(), "ann");
        let bob = Chatter::join(room.address(), "bob");
        ann.expect(ROOM, "bob joined the room. 2 online.");
        Self { room, ann, bob, said: 0 }
    }

    /// Both still hear each other.
    #[track_caller]
    fn goes_on(&mut self) {
        self.said += 1;
        let text = format!("round {}", self.said);
        self.ann.say(&text);
        self.bob.expect(&format!("ann: {text}"));
        self.bob.say(&text);
        self.ann.expect("bob", &text);
    }

    /// Neither has noticed anything but each other.
    #[track_caller]
    fn was_left_alone(&self) {
        let rounds: Vec<_> = (1..=self.said).map(|round| format!("round {round}")).collect();
        assert_eq!(self.ann.heard().len(), 2 + self.said, "{:?}", self.ann.heard());
        assert_eq!(self.ann.texts_of("bob"), rounds);
        assert_eq!(self.bob.texts_of("ann"), rounds);
        assert_eq!(self.bob.shown().len(), 1 + self.said, "{:?}", self.bob.shown());
        assert!(Process::is_running(&self.room));
    }
}

/// Frames that are no frames of the classic dialect, nor of ours.
fn wrong_frames() -> Vec<Vec<u8>> {
    let words = [
        "",
        " ",
        "hello",
        "{",
        "{}",
        "[]",
        "null",
        "1",
        "\"name\"",
        r#"{"auth": 1}"#,
        r#"{"auth": 1, "name": 7}"#,
        r#"{"auth": 1, "name": ""}"#,
        r#"{"auth": 1, "name": null}"#,
        r#"{"auth": 1, "name": "a\nb"}"#,
        r#"{"auth": 1, "name": "* you"}"#,
        r#"{"auth": 2, "name": "x"}"#,
        r#"{"auth": "1", "name": "x"}"#,
        r#"{"auth": [], "name": "x"}"#,
        r#"{"name": "x"}"#,
        r#"{"text": "x\n"}"#,
        r#"{"name": "x", "text": 7}"#,
        r#"{"name": "x", "text": "\n"}"#,
        r#"{"name": ["x"], "text": {"x": 1}}"#,
        r#"{"name": "x", "text": "y"} {"name": "x", "text": "z"}"#,
    ];
    let mut frames: Vec<Vec<u8>> = words.iter().map(|words| words.as_bytes().to_vec()).collect();
    frames.push(format!(r#"{{"auth": 1, "name": "{}"}}"#, "n".repeat(300)).into_bytes());
    frames.push(format!(r#"{{"name": "x", "text": "{}"}}"#, "t".repeat(100_000)).into_bytes());
    frames
        .push(format!(r#"{{"name": "x", "text": {}1{}}}"#, "[".repeat(5000), "]".repeat(5000)).into_bytes());
    frames.push(b"{\"name\": \"\xff\xfe\", \"text\": \"\xff\"}".to_vec());
    frames
}

/// Fails if one of these is answered with silence, or gets anyone into the room.
#[test]
fn who_sends_a_wrong_frame_is_told_what_is_wrong_and_nobody_else_is() {
    let mut chat = Chat::begun();
    for frame in wrong_frames() {
        let mut stranger = Bytes::dealer(chat.room.address(), b"");
        stranger.say(&frame);
        let shown = frame[..frame.len().min(60)].escape_ascii().to_string();
        let what = format!("an answer to {shown}");
        let told = stranger.expect_text(&what, |name, text| (name == ROOM).then(|| text.to_owned()));
        assert!(told.ends_with('\n') && told.len() > 10 && told.len() < 400, "{shown}: {told:?}");
        assert!(!told.contains("online"), "{shown} got in: {told:?}");
    }
    chat.goes_on();
    chat.was_left_alone();
}

/// Fails if frames of our dialect that are none stop the room, or one who has no place is taken for a member.
#[test]
fn frames_that_are_nearly_of_our_dialect_harm_nothing() {
    let mut chat = Chat::begun();
    let frames: [&[u8]; 10] = [
        b"\x92\x01\xa3bye",
        b"\x92\x01\xa3who",
        b"\x92\x01\xa5hello",
        b"\x92\x02\xc0",
        b"\x92\x01",
        b"\x92\x01\x81\xa4beat\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x92\x01\x81\xa3say\x92\x00\xdd\xff\xff\xff\xff",
        b"\x92\x01\x81\xa5hello\x94\xc4\x20",
        b"\xdd\xff\xff\xff\xff",
        &[0x91; 5000],
    ];
    let mut strangers = Vec::new();
    for frame in frames {
        let mut stranger = Bytes::dealer(chat.room.address(), b"");
        stranger.say(frame);
        strangers.push(stranger);
        chat.goes_on();
    }
    chat.was_left_alone();
}

/// Fails if a message of several parts is taken for one of one, or its parts for messages.
#[test]
fn a_message_of_many_parts_is_refused_whole() {
    let mut chat = Chat::begun();
    let mut stranger = Bytes::dealer(chat.room.address(), b"");
    let join = br#"{"auth": 1, "name": "eve"}"#;

    stranger.send_parts(&[join, join]);
    let told = stranger.expect_text("an answer", |name, text| (name == ROOM).then(|| text.to_owned()));
    assert!(!told.contains("online"), "{told}");
    stranger.send_parts(&vec![&b"x"[..]; 100]);
    chat.goes_on();
    // The old way of talking to a ROUTER: an empty part first. It is told too, and can then do better.
    stranger.send_parts(&[b"", join]);
    stranger.say(join);

    stranger.expect_text("that it is in", |_, text| text.starts_with("You are now online. 3").then_some(()));
    chat.ann.expect(ROOM, "eve joined the room. 3 online.");
}

/// Fails if the parts of a message are not bounded together.
#[test]
fn a_message_of_too_many_parts_costs_its_sender_the_connection() {
    let mut chat = Chat::begun();
    let mut stranger = Bytes::dealer(chat.room.address(), b"");
    stranger.send_parts(&vec![&b"x"[..]; 10_000]);
    stranger.expect_end();
    chat.goes_on();
}

/// Fails if a huge frame is kept, or costs anyone but its sender.
#[test]
fn a_frame_that_is_too_long_costs_its_sender_the_connection() {
    let mut chat = Chat::begun();
    let before = chat.room.resident_bytes();
    for size in [2 << 20, 10 << 20] {
        let mut stranger = Bytes::dealer(chat.room.address(), b"");
        stranger.say(&vec![b'x'; size]);
        stranger.expect_end();
        chat.goes_on();
    }
    // One that says it is huge, and is not.
    let mut liar = Bytes::dealer(chat.room.address(), b"");
    liar.send(&[2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    liar.expect_end();

    chat.goes_on();
    chat.was_left_alone();
    let growth = chat.room.resident_bytes().saturating_sub(before);
    assert!(growth < 16 << 20, "the room grew by {growth} bytes");
}

/// Fails if what is no ZMTP stops the room, or a connection that says nothing is kept.
#[test]
fn other_protocols_and_half_greetings_harm_nothing() {
    let mut chat = Chat::begun();
    let descriptors = chat.room.descriptors();
    let noise: Vec<u8> = (0..4096_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: room\r\nCookie: {}\r\n\r\n", "x".repeat(2000));
    let silent: [&[u8]; 5] = [b"", &noise, &greeting()[..5], &greeting()[..11], &greeting()];
    // What does not begin as ZMTP does is taken for its oldest version by libzmq, and may stay as long as it likes.
    let others: [&[u8]; 3] =
        [request.as_bytes(), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"];

    let connected = |words: &[u8]| {
        let mut stranger = Bytes::connect(chat.room.address());
        stranger.send(words);
        stranger
    };
    let mut held: Vec<_> = silent.iter().cycle().take(50).map(|words| connected(words)).collect();
    let strangers: Vec<_> = others.iter().cycle().take(30).map(|words| connected(words)).collect();
    chat.goes_on();
    for stranger in &mut held {
        stranger.expect_end();
    }
    drop((held, strangers));

    chat.goes_on();
    eventually("no descriptor is left of them", || chat.room.descriptors() <= descriptors);
    chat.was_left_alone();
}

/// Fails if a routing id that is longer or shorter than ours keeps anyone out.
#[test]
fn classic_members_may_have_any_routing_id_or_none() {
    let room = Room::open();
    let ann = ClassicMember::join(room.address(), "ann");
    for (number, id) in
        [vec![], vec![b'i'; 1], vec![b'i'; 31], vec![b'i'; 32], vec![0xff; 255]].iter().enumerate()
    {
        let mut member = Bytes::dealer(room.address(), id);
        member.say(format!(r#"{{"auth": 1, "name": "m{number}"}}"#).as_bytes());
        member
            .expect_text("that it is in", |_, text| text.starts_with("You are now online. 2").then_some(()));
        member.say(format!(r#"{{"name": "m{number}", "text": "hi\n"}}"#).as_bytes());
        ann.expect(&format!("m{number}"), "hi");
        member.say(format!(r#"{{"auth": 0, "name": "m{number}"}}"#).as_bytes());
        ann.expect(ROOM, &format!("m{number} left the room. 1 online."));
    }
}

/// Fails if a flood of rubbish is logged line by line, fills memory, or is not counted.
#[test]
fn a_flood_of_rubbish_is_counted_and_bounded() {
    const FLOOD: usize = 20_000;
    let mut chat = Chat::begun();
    let before = chat.room.resident_bytes();
    let mut stranger = Bytes::dealer(chat.room.address(), b"");
    let part = [&[0, 7][..], b"rubbish"].concat().repeat(FLOOD / 100);

    for _ in 0..100 {
        stranger.send(&part);
    }
    chat.goes_on();
    chat.was_left_alone();

    let malformed = |counts: &serde_json::Value| -> u64 {
        let reasons = counts["malformed"].as_object().expect("they are counted by their reason");
        reasons.values().filter_map(serde_json::Value::as_u64).sum()
    };
    eventually("all of it is counted", || malformed(&chat.room.counts()) == FLOOD as u64);
    assert!(chat.room.stderr().len() < 100, "{} lines were logged", chat.room.stderr().len());
    assert!(chat.room.resident_bytes().saturating_sub(before) < 32 << 20, "the room kept the rubbish");
}

/// Fails if a client believes whatever is at its room's port.
#[test]
fn a_client_survives_whatever_is_at_the_port() {
    use crate::harness::Destination;
    let web = Destination::replying(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let ann = Chatter::start(web.address(), "ann");

    ann.expect_line("that nobody answers", |line| line.contains("answer"));
    ann.close_stdin();

    assert_eq!(ann.exit_code_within(Duration::from_secs(12)), Some(0));
}
