//! One frame of the link: a MessagePack array whose first element is its kind.
//!
//! Here is what frames are made of, and how they are written; `decode` reads them. What they mean is decided by the
//! machines.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeTuple};
use serde_bytes::Bytes as Bin;

use super::{
    code::{Bye, Cause, Patience, Phase},
    decode::position,
};
use crate::id::{Attempt, Incarnation, SessionId};

/// Standings one HELLO or WELCOME part may have.
pub const MAX_STANDINGS: usize = 1024;

/// A frame of the link. Payloads and names borrow from the batch they came in.
#[expect(
    missing_docs,
    reason = "the fields have one description, the table in section 4 of docs/protocol.md"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A worker's greeting, or a part of it.
    Hello(Greeting<'a>),
    /// The ingress's answer, or a part of it.
    Welcome {
        version: u16,
        incarnation: Incarnation,
        ports: Vec<u16>,
        auth: &'a [u8],
        standings: Vec<Standing>,
        last: bool,
    },
    /// Connect for this session.
    Open {
        session: SessionId,
        attempt: Attempt,
        position: u64,
        limit: u64,
        window: u32,
        patience: Patience,
        timeout_millis: u32,
    },
    /// Connected.
    Opened { session: SessionId, attempt: Attempt, limit: u64 },
    /// Not connected.
    Refused { session: SessionId, attempt: Attempt, cause: Cause },
    /// Octets of the session, with the frame starts among them.
    Data {
        session: SessionId,
        attempt: Attempt,
        position: u64,
        written: u64,
        starts: bool,
        ends: bool,
        cuts: Cuts<'a>,
        payload: &'a [u8],
    },
    /// Permission to forget and to send.
    Grant { session: SessionId, attempt: Attempt, taken: u64, written: u64, limit: u64 },
    /// The octets end here.
    Fin { session: SessionId, attempt: Attempt, position: u64 },
    /// Over, at once.
    Reset { session: SessionId, attempt: Attempt, cause: Cause, unconfirmed: u64 },
    /// Are you there?
    Ping,
    /// I am.
    Pong,
    /// Give me no new sessions.
    Drain,
    /// This link is over.
    Bye { reason: Bye, version: u16 },
    /// Of the datagrams of this attempt told as written, so many in all could not be sent.
    Shed { session: SessionId, attempt: Attempt, frames: u64, bytes: u64 },
}

/// What a HELLO says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting<'a> {
    /// The worker's protocol version.
    pub version: u16,
    /// The worker shard's name.
    pub worker: &'a str,
    /// Which start of that name.
    pub incarnation: Incarnation,
    /// `route/destination`.
    pub destination: &'a str,
    /// Fingerprint of the destination's settings.
    pub settings: u64,
    /// Reserved for authentication.
    pub auth: &'a [u8],
    /// Which start of the ingress the standings are about; 0 if there are none.
    pub ingress: Incarnation,
    /// Where its connections for that ingress stand.
    pub standings: Vec<Standing>,
    /// Whether this part is the last.
    pub last: bool,
}

/// Where one direction of one session stands, as its receiver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The session.
    pub session: SessionId,
    /// Its connection.
    pub attempt: Attempt,
    /// How far the connection is.
    pub phase: Phase,
    /// Received without a gap.
    #[serde(deserialize_with = "position")]
    pub received: u64,
    /// Given to the socket.
    #[serde(deserialize_with = "position")]
    pub written: u64,
    /// May be sent up to.
    #[serde(deserialize_with = "position")]
    pub limit: u64,
}

/// The offsets in a DATA payload at which one frame ends and the next starts: big-endian `u32`s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cuts<'a>(&'a [u8]);

impl<'a> Cuts<'a> {
    /// Takes `octets` for cuts of a payload of `len` octets, if they are: strictly increasing, inside the payload.
    pub fn parse(octets: &'a [u8], len: usize) -> Option<Self> {
        if !octets.len().is_multiple_of(4) {
            return None;
        }
        let mut previous = 0;
        for cut in Self(octets).iter() {
            if cut <= previous || cut as usize >= len {
                return None;
            }
            previous = cut;
        }
        Some(Self(octets))
    }

    /// How many cuts there are.
    pub fn len(&self) -> usize {
        self.0.len() / 4
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The offsets, increasing.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.0.chunks_exact(4).map(|octets| u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]))
    }
}

pub(super) const STARTS: u8 = 1;
pub(super) const ENDS: u8 = 2;

impl Serialize for Frame<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        macro_rules! array {
            ($len:literal; $($field:expr),+) => {{
                let mut tuple = s.serialize_tuple($len)?;
                $(tuple.serialize_element($field)?;)+
                tuple.end()
            }};
        }
        match self {
            Self::Hello(Greeting {
                version,
                worker,
                incarnation,
                destination,
                settings,
                auth,
                ingress,
                standings,
                last,
            }) => {
                let auth = Bin::new(auth);
                array!(10; &0u8, version, worker, incarnation, destination, settings, auth, ingress, standings, last)
            }
            Self::Welcome { version, incarnation, ports, auth, standings, last } => {
                array!(7; &1u8, version, incarnation, ports, Bin::new(auth), standings, last)
            }
            Self::Open { session, attempt, position, limit, window, patience, timeout_millis } => {
                array!(8; &2u8, session, attempt, position, limit, window, patience, timeout_millis)
            }
            Self::Opened { session, attempt, limit } => array!(4; &3u8, session, attempt, limit),
            Self::Refused { session, attempt, cause } => array!(4; &4u8, session, attempt, cause),
            Self::Data { session, attempt, position, written, starts, ends, cuts, payload } => {
                let flags = (u8::from(*starts) * STARTS) | (u8::from(*ends) * ENDS);
                array!(8; &5u8, session, attempt, position, written, &flags, Bin::new(cuts.0), Bin::new(payload))
            }
            Self::Grant { session, attempt, taken, written, limit } => {
                array!(6; &6u8, session, attempt, taken, written, limit)
            }
            Self::Fin { session, attempt, position } => array!(4; &7u8, session, attempt, position),
            Self::Reset { session, attempt, cause, unconfirmed } => {
                array!(5; &8u8, session, attempt, cause, unconfirmed)
            }
            Self::Ping => array!(1; &9u8),
            Self::Pong => array!(1; &10u8),
            Self::Drain => array!(1; &11u8),
            Self::Bye { reason, version } => array!(3; &12u8, reason, version),
            Self::Shed { session, attempt, frames, bytes } => {
                array!(5; &13u8, session, attempt, frames, bytes)
            }
        }
    }
}

/// Cuts as octets, for a chunk's own list of them.
pub(crate) fn cut_octets(cuts: &[u32]) -> Cow<'static, [u8]> {
    if cuts.is_empty() {
        return Cow::Borrowed(&[]);
    }
    Cow::Owned(cuts.iter().flat_map(|cut| cut.to_be_bytes()).collect())
}

impl<'a> Cuts<'a> {
    /// Cuts that are known to be right: made by [`cut_octets`] from a chunk.
    pub(crate) fn of_chunk(octets: &'a [u8]) -> Self {
        Self(octets)
    }
}
