//! A room as a process, and simple clients of it: what goes over the wire, byte for byte where that matters.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

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
