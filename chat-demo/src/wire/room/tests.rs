//! What is written is read as it was, and any other bytes are refused.

use serde_bytes::ByteBuf;

use super::*;
use crate::{Name, Text, Tone, wire::mangled::assert_read_or_refused};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn what_is_said_is_read_as_it_was() {
    let said = vec![Utterance {
        number: 7,
        text: Text::new("¡hola! 🦀").unwrap(),
        tone: Tone::Private(name("bob")),
    }];
    let log = Some(LogId([9; 16]));
    let frames = [
        ToRoom::Hello(Hello { key: Key([1; 32]), name: name("ann"), log, seen: u64::MAX, next: 7, life: 0 }),
        ToRoom::Say(Say { seen: 3, said }),
        ToRoom::Beat { seen: 0 },
        ToRoom::Bye,
    ];
    for frame in frames {
        assert_eq!(decode::<ToRoom>(&encode(&frame)).unwrap(), frame);
    }
}

#[test]
fn a_stretch_of_the_log_is_read_entry_by_entry() {
    let entry = |number, what| Entry { number, at: 1, name: name("ann"), what };
    let all = [entry(4, What::Joined(2)), entry(6, What::Text(Text::new("x").unwrap()))];
    let bytes = all.iter().flat_map(Entry::to_bytes).collect::<Vec<_>>();

    let frame = FromRoom::Entries(Entries { after: 3, to: 7, entries: ByteBuf::from(bytes) });
    let FromRoom::Entries(read) = decode(&encode(&frame)).unwrap() else { panic!("it is a stretch") };

    assert_eq!(read.iter().map(Result::unwrap).collect::<Vec<_>>(), all);
}

#[test]
fn a_stretch_is_the_same_bytes_without_a_copy() {
    for (after, to, len) in [(0, 1, 0), (3, u64::MAX, 200), (u64::MAX - 1, u64::MAX, 70_000)] {
        let entries = vec![7; len];
        let frame = encode_entries(after, to, &entries);
        assert!(frame.len() <= len + ENTRIES_HEAD);
        assert_eq!(frame, encode(&FromRoom::Entries(Entries { after, to, entries: entries.into() })));
    }
}

#[test]
fn who_has_a_key_is_told_by_its_digest() {
    assert_eq!(Key([0; 32]).member().to_string(), "66687aad");
}

#[test]
fn a_text_is_told_from_another_by_its_print() {
    let text = |text| Text::new(text).unwrap();
    assert_eq!(print(1, &text("hi")), 0xc6e8_d3f1_6f8d_7d77);
    assert_ne!(print(2, &text("hi")), print(1, &text("hi")));
    assert_ne!(print(1, &text("ho")), print(1, &text("hi")));
}

#[test]
fn the_bytes_are_those_that_others_know() {
    assert_eq!(encode(&ToRoom::Beat { seen: 5 }), b"\x92\x01\x81\xa4beat\x91\x05");
    assert_eq!(encode(&ToRoom::Bye), b"\x92\x01\xa3bye");
    assert_eq!(encode(&FromRoom::Speak), b"\x92\x01\xa5speak");
    let entry = Entry { number: 2, at: 3, name: name("a"), what: What::Left(1) };
    assert_eq!(entry.to_bytes(), b"\x94\x02\x03\xa1a\x81\xa4left\x01");
}

/// Fails if who does not say where its numbers begin is not understood.
#[test]
fn a_hello_without_its_last_field_is_a_hello() {
    let log = None;
    let hello = Hello { key: Key([1; 32]), name: name("ann"), log, seen: 2, next: 0, life: 0 };
    let short = (&hello.key, &hello.name, hello.log, hello.seen);
    let bytes = rmp_serde::to_vec(&(VERSION, std::collections::BTreeMap::from([("hello", short)]))).unwrap();
    assert_eq!(decode::<ToRoom>(&bytes).unwrap(), ToRoom::Hello(hello));
}

/// Fails if a member can say a number after which there is none.
#[test]
fn a_number_that_cannot_be_counted_on_from_is_no_number() {
    let hello = |next| Hello { key: Key([1; 32]), name: name("ann"), log: None, seen: 0, next, life: 0 };
    assert!(decode::<ToRoom>(&encode(&ToRoom::Hello(hello(MAX_NUMBER)))).is_ok());
    let malformed =
        |frame: &ToRoom| matches!(decode::<ToRoom>(&encode(frame)), Err(Unreadable::Malformed(_)));
    assert!(malformed(&ToRoom::Hello(hello(u64::MAX))));
    let text = Text::new("x").unwrap();
    let said = vec![Utterance { number: u64::MAX, text, tone: Tone::Plain }];
    assert!(malformed(&ToRoom::Say(Say { seen: 0, said })));
}

#[test]
fn another_version_is_told_from_garbage() {
    assert!(matches!(decode::<ToRoom>(b"\x92\x02\xc0"), Err(Unreadable::Version(2))));
    assert!(matches!(decode::<ToRoom>(b"\x92\x01\xa3bye\xc0"), Err(Unreadable::Trailing)));
    assert!(matches!(decode::<ToRoom>(b""), Err(Unreadable::Malformed(_))));
    assert!(matches!(decode::<ToRoom>(&vec![0; MAX_FRAME + 1]), Err(Unreadable::Long)));
}

fn said() -> Vec<Utterance> {
    let text = || Text::new("¡hola! 🦀").unwrap();
    vec![
        Utterance { number: 7, text: text(), tone: Tone::Private(name("bob")) },
        Utterance { number: 8, text: text(), tone: Tone::Plain },
    ]
}

/// Fails if anything is read that does not say the same when it is written again, or makes a reader panic.
#[test]
fn damaged_frames_of_members_are_read_or_refused() {
    let log = Some(LogId([9; 16]));
    let frames = [
        ToRoom::Hello(Hello { key: Key([1; 32]), name: name("ann"), log, seen: 1 << 40, next: 7, life: 11 }),
        ToRoom::Say(Say { seen: 3, said: said() }),
        ToRoom::Beat { seen: 300 },
        ToRoom::Rename { name: name("anna") },
        ToRoom::Who,
        ToRoom::Bye,
    ];
    assert_read_or_refused(frames.iter().map(encode).collect(), |bytes| {
        let Ok(frame) = decode::<ToRoom>(bytes) else { return false };
        assert_eq!(decode::<ToRoom>(&encode(&frame)).unwrap(), frame);
        true
    });
}

/// Fails if anything is read that does not say the same when it is written again, or makes a reader panic.
#[test]
fn damaged_frames_of_rooms_are_read_or_refused() {
    let entry = |number, what| Entry { number, at: 1, name: name("ann"), what }.to_bytes();
    let entries = [entry(4, What::Joined(2)), entry(6, What::Text(Text::new("x").unwrap()))].concat();
    let (room, log) = (name("room"), LogId([9; 16]));
    let frames = [
        FromRoom::Speak,
        FromRoom::Welcome(Welcome {
            room,
            log,
            heard: 3,
            print: Some(5),
            head: 700,
            past: 705,
            from: 2,
            online: 2,
            beat: 1000,
            life: 12,
            common: 600,
        }),
        FromRoom::Refused { why: Refusal::NameTaken },
        FromRoom::Entries(Entries { after: 3, to: 7, entries: entries.into() }),
        FromRoom::Heard { number: 70_000 },
        FromRoom::Unheard { number: 5, why: "full".to_owned() },
        FromRoom::Who { names: vec![name("ann"), name("bob")] },
        FromRoom::NotRenamed { name: name("bob"), why: "taken".to_owned() },
        FromRoom::Beat { sent: 9 },
        FromRoom::Closing,
    ];
    assert_read_or_refused(frames.iter().map(encode).collect(), |bytes| {
        let Ok(frame) = decode::<FromRoom>(bytes) else { return false };
        assert_eq!(decode::<FromRoom>(&encode(&frame)).unwrap(), frame);
        if let FromRoom::Entries(entries) = frame {
            assert!(entries.iter().count() <= bytes.len());
        }
        true
    });
}
