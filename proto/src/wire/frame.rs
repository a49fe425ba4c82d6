//! One frame of the link: a MessagePack array whose first element is its kind.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as DecodeError, SeqAccess, Visitor},
    ser::SerializeTuple,
};
use serde_bytes::Bytes as Bin;

use super::code::{Bye, Cause, Patience, Phase};
use crate::id::{Attempt, Incarnation, SessionId};

/// Standings one HELLO or WELCOME part may have.
pub const MAX_STANDINGS: usize = 1024;
const MAX_PORTS: usize = 256;
const MAX_WORKER_NAME: usize = 128;
const MAX_DESTINATION_NAME: usize = 256;
const MAX_AUTH: usize = 1024;
/// No position, total or limit is larger: sums of them and of windows then cannot overflow, whatever a peer claims.
pub(super) const MAX_POSITION: u64 = 1 << 62;
/// A direction begins no later than this: there is room for all it will ever carry.
const MAX_FIRST_POSITION: u64 = MAX_POSITION / 2;

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

const STARTS: u8 = 1;
const ENDS: u8 = 2;

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
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Frame<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The array reader refuses an array with more elements than the visitor took.
        deserializer.deserialize_seq(FrameVisitor)
    }
}

struct FrameVisitor;

impl<'de> Visitor<'de> for FrameVisitor {
    type Value = Frame<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a link frame")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Frame<'de>, A::Error> {
        let mut fields = Fields { seq: &mut seq };
        Ok(match fields.next::<u8>()? {
            0 => Frame::Hello(fields.greeting()?),
            1 => fields.welcome()?,
            2 => fields.open()?,
            3 => {
                Frame::Opened { session: fields.next()?, attempt: fields.next()?, limit: fields.position()? }
            }
            4 => Frame::Refused { session: fields.next()?, attempt: fields.next()?, cause: fields.next()? },
            5 => fields.data()?,
            6 => Frame::Grant {
                session: fields.next()?,
                attempt: fields.next()?,
                taken: fields.position()?,
                written: fields.position()?,
                limit: fields.position()?,
            },
            7 => {
                Frame::Fin { session: fields.next()?, attempt: fields.next()?, position: fields.position()? }
            }
            8 => Frame::Reset {
                session: fields.next()?,
                attempt: fields.next()?,
                cause: fields.next()?,
                unconfirmed: fields.next()?,
            },
            9 => Frame::Ping,
            10 => Frame::Pong,
            11 => Frame::Drain,
            12 => Frame::Bye { reason: fields.next()?, version: fields.next()? },
            kind => return Err(A::Error::custom(format_args!("no frame of kind {kind}"))),
        })
    }
}

struct Fields<'s, A> {
    seq: &'s mut A,
}

impl<'de, A: SeqAccess<'de>> Fields<'_, A> {
    fn next<T: Deserialize<'de>>(&mut self) -> Result<T, A::Error> {
        self.seq.next_element()?.ok_or_else(|| A::Error::custom("the frame ends early"))
    }

    fn position(&mut self) -> Result<u64, A::Error> {
        bounded(self.next()?, MAX_POSITION)
    }

    fn first_position(&mut self) -> Result<u64, A::Error> {
        bounded(self.next()?, MAX_FIRST_POSITION)
    }

    fn bin(&mut self, max: usize) -> Result<&'de [u8], A::Error> {
        let octets: &'de Bin = self.next()?;
        if octets.len() > max { Err(A::Error::custom("a field is too long")) } else { Ok(octets) }
    }

    fn name(&mut self, max: usize) -> Result<&'de str, A::Error> {
        let name: &'de str = self.next()?;
        if name.len() > max { Err(A::Error::custom("a name is too long")) } else { Ok(name) }
    }

    fn list<T: Deserialize<'de>, const MAX: usize>(&mut self) -> Result<Vec<T>, A::Error> {
        Ok(self.next::<AtMost<T, MAX>>()?.0)
    }

    fn greeting(&mut self) -> Result<Greeting<'de>, A::Error> {
        Ok(Greeting {
            version: self.next()?,
            worker: self.name(MAX_WORKER_NAME)?,
            incarnation: self.next()?,
            destination: self.name(MAX_DESTINATION_NAME)?,
            settings: self.next()?,
            auth: self.bin(MAX_AUTH)?,
            ingress: self.next()?,
            standings: self.list::<_, MAX_STANDINGS>()?,
            last: self.next()?,
        })
    }

    fn welcome(&mut self) -> Result<Frame<'de>, A::Error> {
        Ok(Frame::Welcome {
            version: self.next()?,
            incarnation: self.next()?,
            ports: self.list::<_, MAX_PORTS>()?,
            auth: self.bin(MAX_AUTH)?,
            standings: self.list::<_, MAX_STANDINGS>()?,
            last: self.next()?,
        })
    }

    fn open(&mut self) -> Result<Frame<'de>, A::Error> {
        Ok(Frame::Open {
            session: self.next()?,
            attempt: self.next()?,
            position: self.first_position()?,
            limit: self.position()?,
            window: self.next()?,
            patience: self.next()?,
            timeout_millis: self.next()?,
        })
    }

    fn data(&mut self) -> Result<Frame<'de>, A::Error> {
        let (session, attempt) = (self.next()?, self.next()?);
        let (position, written) = (self.position()?, self.position()?);
        let flags: u8 = self.next()?;
        let (cuts, payload) = (self.bin(usize::MAX)?, self.bin(usize::MAX)?);
        let cuts = Cuts::parse(cuts, payload.len())
            .ok_or_else(|| A::Error::custom("cuts do not fit the payload"))?;
        if flags & !(STARTS | ENDS) != 0 {
            return Err(A::Error::custom("unknown flags"));
        }
        let (starts, ends) = (flags & STARTS != 0, flags & ENDS != 0);
        Ok(Frame::Data { session, attempt, position, written, starts, ends, cuts, payload })
    }
}

fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    bounded(u64::deserialize(deserializer)?, MAX_POSITION)
}

fn bounded<E: DecodeError>(position: u64, max: u64) -> Result<u64, E> {
    if position > max { Err(E::custom("a position is too large")) } else { Ok(position) }
}

/// A list that refuses to grow beyond its bound, whatever length it announces.
struct AtMost<T, const MAX: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = AtMost<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX} elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    if list.len() == MAX {
                        return Err(A::Error::custom(format_args!("more than {MAX} elements")));
                    }
                    list.push(element);
                }
                Ok(AtMost(list))
            }
        }

        deserializer.deserialize_seq(ListVisitor::<T, MAX>(std::marker::PhantomData))
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
