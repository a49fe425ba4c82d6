//! Peers that lie and files that rot, for fuzzing and properties: any bytes are read or refused, and what is read says the
//! same when it is written again. Nothing that is said to the room or to a client may make it panic.
//!
//! Compiled for tests and fuzzing only.

use std::{collections::VecDeque, time::Duration};

use proto::time::Instant;

use crate::{
    Name,
    client::{
        journal::{self, Unusable},
        member::{self, Beginning, Effect, Member, Memory, Record},
    },
    room::{self, Batch, Limits, Room, Sent, Shell, Stored, Time},
    wire::{
        classic, mesh, p2p,
        room::{FromRoom, Key, LogId, ToRoom, decode, encode},
    },
};

const LIMITS: Limits = Limits { members: 4, entries: 50, bytes: 1 << 20, leeway: 10 };

/// The first byte chooses who reads the rest.
pub fn read(bytes: &[u8]) {
    let Some((reader, rest)) = bytes.split_first() else { return };
    match reader % 10 {
        0 => read_to_room(rest),
        1 => read_from_room(rest),
        2 => read_classic(rest),
        3 => read_mesh(rest),
        4 => read_p2p(rest),
        5 => drop(mesh::Speaker::of_bytes(rest)),
        6 => read_journal(rest),
        7 => room::store::read(rest),
        8 => drive_room(rest),
        _ => drive_member(rest),
    }
}

fn read_to_room(bytes: &[u8]) {
    if let Ok(frame) = decode::<ToRoom>(bytes) {
        assert!(matches!(decode::<ToRoom>(&encode(&frame)), Ok(again) if again == frame));
    }
}

fn read_from_room(bytes: &[u8]) {
    let Ok(frame) = decode::<FromRoom>(bytes) else { return };
    assert!(matches!(decode::<FromRoom>(&encode(&frame)), Ok(again) if again == frame));
    if let FromRoom::Entries(entries) = frame {
        let mut read = entries.iter().map_while(Result::ok);
        assert!(read.by_ref().count() <= bytes.len());
    }
}

fn read_classic(bytes: &[u8]) {
    if let Ok(frame) = classic::Frame::read(bytes) {
        assert!(matches!(classic::Frame::read(&frame.to_bytes()), Ok(again) if again == frame));
    }
}

fn read_mesh(bytes: &[u8]) {
    if let Ok(frame) = mesh::decode(bytes) {
        assert!(matches!(mesh::decode(&encode(&frame)), Ok(again) if again == frame));
    }
}

fn read_p2p(bytes: &[u8]) {
    if let Ok(frame) = p2p::decode(bytes) {
        assert!(matches!(p2p::decode(&p2p::encode(&frame)), Ok(again) if again == frame));
    }
}

fn read_journal(bytes: &[u8]) {
    match journal::read::<Record>(bytes) {
        Ok((records, length)) => {
            assert!(length <= bytes.len() as u64);
            let memory = Memory::recalled("there:1", records);
            // What is left out when it is made short is of no consequence.
            let short = memory.records();
            assert_eq!(Memory::recalled("there:1", short.clone()).records(), short);
        }
        Err(Unusable::Damaged(at)) => assert!(at <= bytes.len() as u64),
        Err(_) => {}
    }
}

/// Frames of some peers, as `[what and who, length, frame …]`; between them time passes, and the disk works or does not.
fn drive_room(script: &[u8]) {
    let mut now = Instant::from_micros(1_000_000);
    let name = Name::new("room").expect("a name");
    let mut room = Room::open(name, LIMITS, Stored::empty(LogId([7; 16])), now);
    let mut hands = Hands::default();
    for (what, bytes) in steps(script) {
        let from = [what & 0b11];
        let input = match what >> 4 {
            0 => room::Input::Parts { from: &from },
            1 if hands.batch.take().is_some() => room::Input::NotStored("full"),
            2 | 3 => room::Input::Turn,
            _ => room::Input::Frame { from: &from, bytes },
        };
        hands.sent = if what & 0b1100 == 0b1100 { Sent::Full } else { Sent::Taken };
        now += Duration::from_millis(u64::from(what >> 2));
        let time = Time { now, wall: 0 };
        room.on(input, time, &mut hands);
        room.on(room::Input::Turn, time, &mut hands);
        if what & 0b100 == 0 && hands.batch.take().is_some() {
            room.on(room::Input::Stored, time, &mut hands);
        }
    }
    let counters = room.counters();
    assert!(counters.members <= LIMITS.members as u64 && counters.entries <= LIMITS.entries as u64);
}

/// Frames of a room, in the same manner.
fn drive_member(script: &[u8]) {
    let mut now = Instant::from_micros(1_000_000);
    let beginning = Beginning {
        name: Name::new("ann").expect("a name"),
        key: Key([1; 32]),
        room: "there:1".to_owned(),
        grace: Duration::from_secs(5),
        memory: Memory::recalled("there:1", []),
        seed: 1,
    };
    let mut member = Member::new(beginning, now);
    let mut awaited = None;
    for (what, bytes) in steps(script) {
        now += Duration::from_millis(u64::from(what >> 1));
        let input = match what & 0b111 {
            0 => member::Input::Connected,
            1 => member::Input::Disconnected,
            2 => member::Input::Synced { to: u64::from(what) },
            3 => awaited.take().map_or(member::Input::HasRoom, member::Input::Shown),
            4 => match crate::Text::new(&String::from_utf8_lossy(bytes)) {
                Ok(text) => member::Input::Typed { typed: crate::Typed::Say(text), at: 0 },
                Err(_) => member::Input::Tick,
            },
            _ => member::Input::Frame { bytes, at: 0 },
        };
        let mut effects = VecDeque::from(member.on(now, input));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Await(shown) => awaited = Some(shown),
                Effect::Pass(texts) => {
                    let taken = texts.len().min(usize::from(what >> 3));
                    effects.extend(member.on(now, member::Input::Passed { taken }));
                }
                _ => {}
            }
        }
        assert!(member.next_deadline() > now, "it asks for the past");
    }
}

fn steps(script: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = script;
    std::iter::from_fn(move || {
        let [what, length, further @ ..] = rest else { return None };
        let (bytes, further) = further.split_at(further.len().min((*length).into()));
        rest = further;
        Some((*what, bytes))
    })
}

/// The room's.
struct Hands {
    batch: Option<Batch>,
    sent: Sent,
}

impl Default for Hands {
    fn default() -> Self {
        Self { batch: None, sent: Sent::Taken }
    }
}

impl Shell for Hands {
    fn send(&mut self, _: &[u8], _: &[u8]) -> Sent {
        self.sent
    }

    fn store(&mut self, batch: Batch) {
        assert!(self.batch.replace(batch).is_none(), "one at a time");
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_said_or_found_nobody_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
        }
    }
}
