//! What a room says, field by field, and the entries of its log. Entries go as the bytes that the room keeps, and are read one by
//! one.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{LogId, Unreadable};
use crate::{Name, Text};

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
    /// The last number of the log.
    pub head: u64,
    /// Up to this number everything was before this member came: some of it may be on its way to the disk still.
    pub past: u64,
    /// The number after which entries will follow. More than was seen where the log keeps no more, or is another.
    pub from: u64,
    /// The room's life: from a start of it to its end. Never 0.
    pub life: u64,
    /// Up to this number the log is the one that the member met in the life it named. Less than it has seen where the log was put back
    /// to an earlier day, or is a copy that went another way: what is different since follows.
    pub common: u64,
    /// How many are online, with this one.
    pub online: u32,
    /// How often each side says something, in milliseconds; silent for [`SILENT_BEATS`](super::SILENT_BEATS) times that long is dead.
    pub beat: u32,
}

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
    /// What [`Self::to_bytes`] has made.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        rmp_serde::from_slice(bytes).map_err(Unreadable::Malformed)
    }

    /// As it is kept and sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing to memory cannot fail.
        rmp_serde::to_vec(self).unwrap_or_default()
    }
}
