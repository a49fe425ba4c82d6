//! What chats are tried with: rooms and clients as real processes, and others of their kind inside the test.
//!
//! [`Room`] and [`Chatter`] are `pegloom chat room` and `pegloom chat client`; [`ClassicMember`] and [`ClassicRoom`] speak
//! the classic dialect only; [`OurMember`] is one of our own dialect, frame by frame, and [`Crowd`] many at
//! once; [`Bytes`] says what nobody should.

mod bytes;
mod chatter;
mod classic;
mod crowd;
mod ours;
mod room;
mod speaker;

pub(crate) use bytes::{Bytes, everything_at_once, greeting};
pub(crate) use chatter::Chatter;
pub(crate) use classic::{ClassicMember, ClassicRoom, Relay};
pub(crate) use crowd::Crowd;
pub(crate) use ours::OurMember;
pub(crate) use room::Room;

/// What rooms are called here.
pub(crate) const ROOM: &str = "chatroom-server";
