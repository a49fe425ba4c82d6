use proptest::prelude::*;

use super::*;
use crate::{
    id::{Attempt, Incarnation, SessionId},
    wire::{
        code::{Bye, Cause, Patience, Phase},
        decode::MAX_POSITION,
        frame::{Cuts, Greeting, MAX_STANDINGS, Standing},
    },
};

fn batch_of(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut writer = BatchWriter::default();
    for frame in frames {
        writer.write(frame);
    }
    writer.seal(Header { epoch: Epoch(1), number: 2, received: 3 })
}

const SESSION: SessionId = SessionId(0x0000_0001_0000_0007);
const ATTEMPT: Attempt = Attempt(2);

fn standing() -> Standing {
    Standing {
        session: SESSION,
        attempt: ATTEMPT,
        phase: Phase::Open,
        received: 300,
        written: 200,
        limit: 70_000,
    }
}

/// One of each kind, with the bytes it has on the wire.
fn golden() -> Vec<(Frame<'static>, &'static str)> {
    vec![
        (
            Frame::Hello(Greeting {
                version: 1,
                worker: "w/0",
                incarnation: Incarnation(5),
                destination: "r/d",
                settings: 9,
                auth: b"",
                ingress: Incarnation(6),
                standings: vec![standing()],
                last: true,
            }),
            "9a 00 01 a3772f30 05 a3722f64 09 c400 06 91 96 cf0000000100000007 02 01 cd012c ccc8 ce00011170 c3",
        ),
        (
            Frame::Welcome {
                version: 1,
                incarnation: Incarnation(6),
                ports: vec![7100, 7101],
                auth: b"",
                standings: vec![],
                last: false,
            },
            "97 01 01 06 92cd1bbccd1bbd c400 90 c2",
        ),
        (
            Frame::Open {
                session: SESSION,
                attempt: ATTEMPT,
                position: 0,
                limit: 65_536,
                window: 65_536,
                patience: Patience::Patient,
                timeout_millis: 5000,
            },
            "98 02 cf0000000100000007 02 00 ce00010000 ce00010000 02 cd1388",
        ),
        (Frame::Opened { session: SESSION, attempt: ATTEMPT, limit: 1 }, "94 03 cf0000000100000007 02 01"),
        (
            Frame::Refused { session: SESSION, attempt: ATTEMPT, cause: Cause::Refused },
            "94 04 cf0000000100000007 02 01",
        ),
        (
            Frame::Data {
                session: SESSION,
                attempt: ATTEMPT,
                position: 64,
                written: 1,
                starts: true,
                ends: false,
                cuts: Cuts::parse(&[0, 0, 0, 2], 5).unwrap(),
                payload: b"a\nbcd",
            },
            "98 05 cf0000000100000007 02 40 01 01 c40400000002 c405610a626364",
        ),
        (
            Frame::Grant { session: SESSION, attempt: ATTEMPT, taken: 1, written: 2, limit: 3 },
            "96 06 cf0000000100000007 02 01 02 03",
        ),
        (Frame::Fin { session: SESSION, attempt: ATTEMPT, position: 4 }, "94 07 cf0000000100000007 02 04"),
        (
            Frame::Reset { session: SESSION, attempt: ATTEMPT, cause: Cause::Reset, unconfirmed: 10 },
            "95 08 cf0000000100000007 02 05 0a",
        ),
        (Frame::Ping, "91 09"),
        (Frame::Pong, "91 0a"),
        (Frame::Drain, "91 0b"),
        (Frame::Bye { reason: Bye::Superseded, version: 1 }, "93 0c 01 01"),
    ]
}

/// An empty datagram, two in one frame, and two that could not be sent.
fn golden_datagrams() -> Vec<(Frame<'static>, &'static str)> {
    vec![
        (
            Frame::Data {
                session: SESSION,
                attempt: ATTEMPT,
                position: 64,
                written: 1,
                starts: true,
                ends: true,
                cuts: Cuts::default(),
                payload: b"",
            },
            "98 05 cf0000000100000007 02 40 01 03 c400 c400",
        ),
        (
            Frame::Data {
                session: SESSION,
                attempt: ATTEMPT,
                position: 128,
                written: 1,
                starts: true,
                ends: true,
                cuts: Cuts::parse(&[0, 0, 0, 1], 3).unwrap(),
                payload: &[0xff, 0xfe, 0],
            },
            "98 05 cf0000000100000007 02 cc80 01 03 c40400000001 c403fffe00",
        ),
        (
            Frame::Shed { session: SESSION, attempt: ATTEMPT, frames: 2, bytes: 300 },
            "95 0d cf0000000100000007 02 02 cd012c",
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef";
    let pair = |byte: &u8| [digits[usize::from(byte >> 4)] as char, digits[usize::from(byte & 15)] as char];
    bytes.iter().flat_map(pair).collect()
}

#[test]
fn each_kind_of_frame_has_the_bytes_it_always_had() {
    for (frame, bytes) in golden().into_iter().chain(golden_datagrams()) {
        let batch = batch_of(std::slice::from_ref(&frame));
        assert_eq!(hex(&batch[HEADER..]), bytes.replace(' ', ""), "{frame:?}");
        assert_eq!(Batch::decode(&batch).unwrap().frames, [frame]);
    }
}

#[test]
fn the_header_stands_in_front_as_three_fixed_numbers() {
    let batch = batch_of(&[Frame::Ping]);
    assert_eq!(
        hex(&batch),
        "dd00000004cf0000000000000001cf0000000000000002cf0000000000000003".to_owned() + "9109"
    );
    let empty = Batch::decode(&batch_of(&[])).unwrap().header;
    assert_eq!(empty, Header { epoch: Epoch(1), number: 2, received: 3 });
}

#[test]
fn every_truncation_is_refused() {
    let frames: Vec<_> = golden().into_iter().chain(golden_datagrams()).map(|(frame, _)| frame).collect();
    let batch = batch_of(&frames);
    for len in 0..batch.len() {
        assert!(Batch::decode(&batch[..len]).is_err(), "{len} of {} bytes", batch.len());
    }
}

#[test]
fn lists_beyond_their_bound_are_refused() {
    let hello = |standings| {
        batch_of(&[Frame::Hello(Greeting {
            version: 1,
            worker: "w",
            incarnation: Incarnation(1),
            destination: "r/d",
            settings: 0,
            auth: b"",
            ingress: Incarnation(1),
            standings: vec![standing(); standings],
            last: true,
        })])
    };
    assert!(Batch::decode(&hello(MAX_STANDINGS)).is_ok());
    assert!(Batch::decode(&hello(MAX_STANDINGS + 1)).is_err());
}

#[test]
fn cuts_must_increase_and_lie_inside() {
    assert!(Cuts::parse(&[0, 0, 0, 1, 0, 0, 0, 2], 3).is_some());
    for (cuts, len) in [
        (&[0, 0, 0, 0][..], 3),
        (&[0, 0, 0, 3], 3),
        (&[0, 0, 0, 2, 0, 0, 0, 1], 3),
        (&[0, 0, 0, 1, 0, 0, 0, 1], 3),
        (&[0, 0, 1], 3),
    ] {
        assert!(Cuts::parse(cuts, len).is_none(), "{cuts:?} in {len}");
    }
}

#[test]
fn positions_that_could_overflow_are_refused() {
    let fin = |position| batch_of(&[Frame::Fin { session: SESSION, attempt: ATTEMPT, position }]);
    assert!(Batch::decode(&fin(MAX_POSITION)).is_ok());
    assert!(Batch::decode(&fin(MAX_POSITION + 1)).is_err());
}

#[test]
fn http_and_frames_with_extra_elements_are_refused() {
    assert!(Batch::decode(b"GET / HTTP/1.1\r\n\r\n").is_err());
    let mut long = batch_of(&[Frame::Ping]);
    let at = long.len() - 2;
    long.splice(at.., [0x92, 9, 9]);
    assert!(Batch::decode(&long).is_err());
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Batch::decode(&bytes);
    }

    #[test]
    fn a_damaged_batch_decodes_or_is_refused(at in 0usize..400, byte: u8) {
        let frames: Vec<_> = golden().into_iter().chain(golden_datagrams()).map(|(frame, _)| frame).collect();
        let mut batch = batch_of(&frames);
        let at = at % batch.len();
        batch[at] = byte;
        if let Ok(decoded) = Batch::decode(&batch) {
            let mut writer = BatchWriter::default();
            decoded.frames.iter().for_each(|frame| writer.write(frame));
            let again = writer.seal(decoded.header);
            prop_assert_eq!(Batch::decode(&again).unwrap(), decoded);
        }
    }

    #[test]
    fn data_survives_the_wire(
        position in 0..=MAX_POSITION, written in 0..=MAX_POSITION, starts: bool, ends: bool,
        payload in proptest::collection::vec(any::<u8>(), 1..300),
        cuts in proptest::collection::btree_set(1u32..300, 0..8),
    ) {
        let cuts: Vec<u8> = cuts.into_iter().filter(|&cut| (cut as usize) < payload.len()).flat_map(u32::to_be_bytes).collect();
        let cuts = Cuts::parse(&cuts, payload.len()).unwrap();
        let frame = Frame::Data { session: SESSION, attempt: ATTEMPT, position, written, starts, ends, cuts, payload: &payload };
        let batch = batch_of(std::slice::from_ref(&frame));
        prop_assert_eq!(&Batch::decode(&batch).unwrap().frames[0], &frame);
    }
}

/// Fails without `make_room`, or if it makes room for one payload only.
#[test]
fn room_for_a_batch_of_long_payloads_is_made_once() {
    let payload = vec![0; 60_000];
    let frame = Frame::Data {
        session: SESSION,
        attempt: ATTEMPT,
        position: 64,
        written: 1,
        starts: true,
        ends: false,
        cuts: Cuts::default(),
        payload: &payload,
    };
    let mut writer = BatchWriter::default();
    writer.write(&frame);
    let made = writer.bytes.capacity();
    while !writer.is_full() {
        writer.write(&frame);
    }
    assert!(writer.bytes.len() > TARGET_BATCH);
    assert_eq!(writer.bytes.capacity(), made);
}
