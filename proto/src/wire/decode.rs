//! Frames from bytes, whatever they are: every length, number and position is bounded where it is read.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as DecodeError, SeqAccess, Visitor},
};
use serde_bytes::Bytes as Bin;

use super::frame::{Cuts, ENDS, Frame, Greeting, MAX_STANDINGS, STARTS};

const MAX_PORTS: usize = 256;
const MAX_WORKER_NAME: usize = 128;
const MAX_DESTINATION_NAME: usize = 256;
const MAX_AUTH: usize = 1024;
/// No position, total or limit is larger: sums of them and of windows then cannot overflow, whatever a peer claims.
pub(super) const MAX_POSITION: u64 = 1 << 62;
/// A direction begins no later than this: there is room for all it will ever carry.
const MAX_FIRST_POSITION: u64 = MAX_POSITION / 2;

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
            13 => Frame::Shed {
                session: fields.next()?,
                attempt: fields.next()?,
                frames: fields.position()?,
                bytes: fields.position()?,
            },
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

pub(super) fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    bounded(u64::deserialize(deserializer)?, MAX_POSITION)
}

fn bounded<E: DecodeError>(position: u64, max: u64) -> Result<u64, E> {
    if position > max { Err(E::custom("a position is too large")) } else { Ok(position) }
}

/// A list that refuses to grow beyond its bound, whatever length it announces.
struct AtMost<T, const MAX: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

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

        deserializer.deserialize_seq(ListVisitor::<T, MAX>(PhantomData))
    }
}
