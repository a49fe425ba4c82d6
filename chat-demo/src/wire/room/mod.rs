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

mod bytes;
mod from_room;
mod identity;
#[cfg(test)]
mod tests;
mod to_room;

pub use bytes::{Unreadable, decode, encode, encode_entries};
pub use from_room::{Entries, Entry, FromRoom, Refusal, Welcome, What};
pub use identity::{Key, LogId, MemberId, print};
pub use to_room::{Hello, Say, ToRoom, Utterance};

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

/// After so many beats of silence the other side is dead.
pub const SILENT_BEATS: u32 = 3;
