//! What a member says, field by field. A number of its own is within what can be counted on from, or the frame is none.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Key, LogId, MAX_NUMBER};
use crate::{Name, Text, Tone};

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
    /// In which life of the room it met that log last, as its welcome said; 0 if it does not say.
    #[serde(default)]
    pub life: u64,
}

/// Some texts of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// As in a beat.
    pub seen: u64,
    /// At most [`MAX_SAID`](super::MAX_SAID), their numbers rising by one.
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
    /// In which tone.
    pub tone: Tone,
}

/// One of a member's own numbers, within what can be counted on from.
fn own_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > MAX_NUMBER { Err(D::Error::custom("a number is too large")) } else { Ok(number) }
}
