//! Our own dialect between members and rooms.
//!
//! A frame is one ZeroMQ message part: the MessagePack array `[version, {kind: fields}]`. A member opens with a classic
//! join that has one more key (`wire::classic`), which a classic room takes for what it is; a room of ours answers with
//! [`FromRoom::Speak`], and from then on both speak this.
//!
//! ```text
//! member                                          room
//!   │ {"auth": 1, "name": "ann", "pegloom": 1} ──▶ │
//!   │ ◀──────────────────────────────────── Speak  │
//!   │ Hello(key, name, room, seen) ──────────────▶ │   takes its place, or is refused
//!   │ ◀────────────────────────── Welcome(heard)  │   heard: the last number of this member's that is kept
//!   │ ◀──────────────── Entries(after, to, …)  │   all after `seen`, in the room's order
//!   │ Say(seen, [(number, …)]) ──────────────────▶ │
//!   │ ◀──────────────────────────── Heard(number)  │   it is on the disk
//!   │ Beat(seen) ────────────────────────────────▶ │   each side, at least every `beat`
//!   │ Bye ───────────────────────────────────────▶ │
//! ```

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_bytes::ByteBuf;
use sha2::{Digest as _, Sha256};

use crate::{Name, Text};

/// The version of this dialect.
pub const VERSION: u8 = 1;

/// The longest frame, in bytes; what is longer is not sent, and not looked at.
pub const MAX_FRAME: usize = 256 * 1024;

/// What a [`FromRoom::Entries`] has beside its entries, in bytes, at most.
pub const ENTRIES_HEAD: usize = 64;

/// The most texts a [`ToRoom::Say`] has.
pub const MAX_SAID: usize = 256;

/// The largest of a member's own numbers, which nobody gets to by saying one text after the other.
pub const MAX_NUMBER: u64 = 1 << 62;

/// What proves a member to be itself: the bytes of its key file. Never shown, never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// Who somebody is, whatever the name: a digest of the key, which all may know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// Which log a room's numbers count: made with the log, and new when the log is lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogId(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// What a member says to a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToRoom {
    /// Asks for a place, or for its place again; what follows `seen` is sent (again).
    Hello(Hello),
    /// Says something. What the room has heard already it does not hear again.
    Say(Say),
    /// Is alive.
    Beat {
        /// The last number this member has got, with all before it.
        seen: u64,
    },
    /// Wants to be called otherwise.
    Rename {
        /// How.
        name: Name,
    },
    /// Asks who is there.
    Who,
    /// Leaves.
    Bye,
}

/// How a member introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Who it is.
    pub key: Key,
    /// What it wants to be called.
    pub name: Name,
    /// The log that `seen` counts in, if it has seen one.
    pub log: Option<LogId>,
    /// The last number it has got of that log, with all before it.
    pub seen: u64,
    /// The first of its own numbers that it will say, if it says anything: all before it have been heard, here or in
    /// another room. The room waits for none of them.
    #[serde(default, deserialize_with = "own_number")]
    pub next: u64,
}

/// Some texts of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// As in a beat.
    pub seen: u64,
    /// At most [`MAX_SAID`], their numbers rising by one.
    pub said: Vec<Utterance>,
}

/// One text of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utterance {
    /// The member's own, from 1 and for as long as it has its key; each one more than the one before.
    #[serde(deserialize_with = "own_number")]
    pub number: u64,
    /// What.
    pub text: Text,
    /// In which manner.
    pub tone: Manner,
}

/// In which manner something is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// To all.
    Plain,
    /// To all, about oneself.
    Action,
    /// To the member of this name.
    Private(Name),
}

/// What a room says to a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromRoom {
    /// This room speaks this dialect: say hello. Also said to whoever speaks and has no place (any more).
    Speak,
    /// The member has a place.
    Welcome(Welcome),
    /// It has none, or no longer.
    Refused {
        /// Why.
        why: Refusal,
    },
    /// What has been said and has happened, in the room's order.
    Entries(Entries),
    /// All texts of this member up to this number are kept.
    Heard {
        /// The member's own number.
        number: u64,
    },
    /// The texts of this member from this number on could not be kept, and will not be asked for.
    Unheard {
        /// The member's own number.
        number: u64,
        /// Why, for a person.
        why: String,
    },
    /// Is alive.
    Beat {
        /// The last number that has been sent to this member.
        sent: u64,
    },
    /// Who is there, in the order of their coming.
    Who {
        /// The names.
        names: Vec<Name>,
    },
    /// A member is not to be called so.
    NotRenamed {
        /// How.
        name: Name,
        /// Why, for a person.
        why: String,
    },
    /// Something for a person to read: to whom something could not be said, say.
    Note {
        /// What.
        text: String,
    },
    /// The room closes. Members wait for it.
    Closing,
}

/// The place a member has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// What the room is called.
    pub room: Name,
    /// What its numbers count.
    pub log: LogId,
    /// The last number of this member's own texts that is kept.
    pub heard: u64,
    /// The [`print`] of the text that has this number, if the room has heard it from a member of this key.
    pub print: Option<u64>,
    /// The last number of the log: what comes up to it was missed.
    pub head: u64,
    /// The number after which entries will follow. More than was seen where the log keeps no more, or is another.
    pub from: u64,
    /// How many are online, with this one.
    pub online: u32,
    /// How often each side says something, in milliseconds; silent for [`SILENT_BEATS`] times that long is dead.
    pub beat: u32,
}

/// After so many beats of silence the other side is dead.
pub const SILENT_BEATS: u32 = 3;

/// Why a member has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Somebody else is called so.
    NameTaken,
    /// The room is called so itself.
    NameOfRoom,
    /// Another client with the same key has taken the place.
    Superseded,
    /// The room has as many members as it can have.
    Full,
    /// The room does not speak this version.
    Version,
    /// It was silent for too long; it may say hello again.
    Silent,
    /// It does not read what it is sent; it may say hello again.
    DoesNotRead,
}

/// A stretch of the log as one member is given it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// The number of the last thing before this stretch. Who has not seen that far has missed something, and says hello.
    pub after: u64,
    /// The number of the last thing in it. Numbers between that have no entry are not for this member.
    pub to: u64,
    /// [`Entry`]s as MessagePack, one after the other: the very bytes that the room keeps.
    pub entries: ByteBuf,
}

/// One thing that was said or happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The room's number: from 1, each larger than the one before.
    pub number: u64,
    /// When the room heard of it, in milliseconds since 1970.
    pub at: u64,
    /// Who.
    pub name: Name,
    /// What.
    pub what: What,
}

/// What was said or happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Said to all.
    Text(Text),
    /// Done, in words.
    Action(Text),
    /// Said to one.
    Private(Text),
    /// Came; so many are online now.
    Joined(u32),
    /// Left; so many are online now.
    Left(u32),
    /// Is called so from now on.
    Renamed(Name),
}

/// Why bytes are no frame.
#[derive(Debug)]
pub enum Unreadable {
    /// They are more than [`MAX_FRAME`].
    Long,
    /// They are of another version.
    Version(u8),
    /// They are not what a frame looks like.
    Malformed(rmp_serde::decode::Error),
    /// There is more after the frame.
    Trailing,
}

/// The frame as bytes.
pub fn encode<T: Serialize>(frame: &T) -> Vec<u8> {
    // Writing to memory cannot fail, and every type here can be written.
    rmp_serde::to_vec(&(VERSION, frame)).unwrap_or_default()
}

/// The frame in these bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    if bytes.len() > MAX_FRAME {
        return Err(Unreadable::Long);
    }
    // The version first, so that a later one is told from garbage.
    if let [0x92, version, ..] = *bytes
        && version != VERSION
    {
        return Err(Unreadable::Version(version));
    }
    let mut rest = bytes;
    let (_, frame): (u8, T) = rmp_serde::decode::from_read(&mut rest).map_err(Unreadable::Malformed)?;
    if rest.is_empty() { Ok(frame) } else { Err(Unreadable::Trailing) }
}

/// A [`FromRoom::Entries`] as bytes, without a copy of the entries on the way.
pub fn encode_entries(after: u64, to: u64, entries: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Borrowed<'a> {
        Entries(u64, u64, &'a serde_bytes::Bytes),
    }
    let mut frame = Vec::with_capacity(entries.len() + ENTRIES_HEAD);
    // Writing to memory cannot fail.
    let _ = (VERSION, Borrowed::Entries(after, to, serde_bytes::Bytes::new(entries)))
        .serialize(&mut rmp_serde::Serializer::new(&mut frame));
    frame
}

/// One of a member's own numbers, within what can be counted on from.
fn own_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > MAX_NUMBER { Err(D::Error::custom("a number is too large")) } else { Ok(number) }
}

/// What tells a text from another one that was given the same number by another client with the same key: the first 8 octets
/// of a SHA-256.
pub fn print(number: u64, text: &Text) -> u64 {
    let digest = Sha256::new().chain_update(number.to_be_bytes()).chain_update(text.as_str()).finalize();
    let mut print = [0; 8];
    print.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(print)
}

impl Key {
    /// Who has it: the first half of its SHA-256.
    pub fn member(&self) -> MemberId {
        let digest = Sha256::digest(self.0);
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        MemberId(id)
    }
}

impl Entries {
    /// What is in it.
    pub fn iter(&self) -> impl Iterator<Item = Result<Entry, Unreadable>> {
        let mut rest: &[u8] = &self.entries;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let entry = rmp_serde::decode::from_read(&mut rest).map_err(Unreadable::Malformed);
            if entry.is_err() {
                rest = &[];
            }
            Some(entry)
        })
    }
}

impl Entry {
    /// As it is kept and sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing to memory cannot fail.
        rmp_serde::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "a frame has at most {MAX_FRAME} bytes"),
            Self::Version(theirs) => write!(f, "version {theirs} is spoken, not {VERSION}"),
            Self::Malformed(error) => write!(f, "it is no frame: {error}"),
            Self::Trailing => f.write_str("something follows the frame"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn what_is_said_is_read_as_it_was() {
        let said = vec![Utterance {
            number: 7,
            text: Text::new("¡hola! 🦀").unwrap(),
            tone: Manner::Private(name("bob")),
        }];
        let log = Some(LogId([9; 16]));
        let frames = [
            ToRoom::Hello(Hello { key: Key([1; 32]), name: name("ann"), log, seen: u64::MAX, next: 7 }),
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
        let hello = Hello { key: Key([1; 32]), name: name("ann"), log, seen: 2, next: 0 };
        let short = (&hello.key, &hello.name, hello.log, hello.seen);
        let bytes =
            rmp_serde::to_vec(&(VERSION, std::collections::BTreeMap::from([("hello", short)]))).unwrap();
        assert_eq!(decode::<ToRoom>(&bytes).unwrap(), ToRoom::Hello(hello));
    }

    /// Fails if a member can say a number after which there is none.
    #[test]
    fn a_number_that_cannot_be_counted_on_from_is_no_number() {
        let hello = |next| Hello { key: Key([1; 32]), name: name("ann"), log: None, seen: 0, next };
        assert!(decode::<ToRoom>(&encode(&ToRoom::Hello(hello(MAX_NUMBER)))).is_ok());
        let malformed =
            |frame: &ToRoom| matches!(decode::<ToRoom>(&encode(frame)), Err(Unreadable::Malformed(_)));
        assert!(malformed(&ToRoom::Hello(hello(u64::MAX))));
        let text = Text::new("x").unwrap();
        let said = vec![Utterance { number: u64::MAX, text, tone: Manner::Plain }];
        assert!(malformed(&ToRoom::Say(Say { seen: 0, said })));
    }

    #[test]
    fn another_version_is_told_from_garbage() {
        assert!(matches!(decode::<ToRoom>(b"\x92\x02\xc0"), Err(Unreadable::Version(2))));
        assert!(matches!(decode::<ToRoom>(b"\x92\x01\xa3bye\xc0"), Err(Unreadable::Trailing)));
        assert!(matches!(decode::<ToRoom>(b""), Err(Unreadable::Malformed(_))));
        assert!(matches!(decode::<ToRoom>(&vec![0; MAX_FRAME + 1]), Err(Unreadable::Long)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<ToRoom>(&bytes);
            if let Ok(FromRoom::Entries(entries)) = decode::<FromRoom>(&bytes) {
                prop_assert!(entries.iter().count() <= bytes.len());
            }
        }
    }
}
