//! Peers that lie, for fuzzing and properties: any bytes are a script of inputs to a machine, most of which fit what the
//! machine expects and some of which do not. Nothing a peer says may make a machine panic or lose count.
//!
//! The shell's part is played by the rules (no byte after FIN, nothing about what was closed), for a shell is ours.

mod ingress;
mod worker;

use std::time::Duration;

pub use self::{ingress::drive_ingress, worker::drive_worker};
use crate::{
    id::{Attempt, SessionId},
    wire::{Bye, Cause, Cuts, Frame, Patience, Phase, Standing},
};

/// Bytes, read as decisions. An exhausted script decides nothing: everything is zero.
#[derive(Debug)]
struct Script<'a> {
    rest: &'a [u8],
    /// What is driven carries datagrams.
    has_datagrams: bool,
}

/// What a liar who wants to be believed knows of a session's connection.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    session: SessionId,
    attempt: Attempt,
    /// Where the next octets it sends belong.
    position: u64,
    /// What it has been sent.
    received: u64,
}

impl Script<'_> {
    /// Where some bytes might be cut into datagrams, empty ones among them.
    fn ends(&mut self, len: usize) -> Vec<u32> {
        let mut ends: Vec<u32> = (0..self.below(4)).map(|_| self.below(len + 1) as u32).collect();
        ends.push(len as u32);
        ends.sort_unstable();
        ends
    }

    const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    fn flips(&mut self) -> bool {
        self.byte().is_multiple_of(2)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    fn is_likely(&mut self) -> bool {
        self.byte() % 8 != 7
    }

    /// A number from the places where arithmetic goes wrong.
    fn wild(&mut self) -> u64 {
        const EDGES: [u64; 10] = [0, 1, 63, 64, 65, 1000, 1 << 32, (1 << 62) - 1, 1 << 62, u64::MAX];
        let edge = EDGES[self.below(EDGES.len())];
        edge.wrapping_add(u64::from(self.byte() % 8)).wrapping_sub(u64::from(self.byte() % 4))
    }

    /// Mostly this, sometimes a little beside it, sometimes anything.
    fn near(&mut self, expected: u64) -> u64 {
        match self.byte() % 16 {
            0 => self.wild(),
            1 => expected.wrapping_add(self.byte().into()),
            2 => expected.saturating_sub(self.byte().into()),
            _ => expected,
        }
    }

    /// A pause: mostly short, sometimes beyond every deadline.
    fn pause(&mut self) -> Duration {
        let steps = [0, 1, 50, 250, 1000, 3000, 11_000, 60_000];
        Duration::from_millis(steps[self.below(steps.len())])
    }

    fn payload(&mut self) -> Vec<u8> {
        let len = [0, 1, 5, 64, 300, 1200][self.below(6)];
        let ends = usize::from(self.byte()) + 1;
        (0..len).map(|at| if at % ends == ends - 1 { b'\n' } else { b'x' }).collect()
    }

    fn cuts(&mut self, len: usize) -> Vec<u8> {
        let mut cuts: Vec<u32> =
            (0..self.below(4)).map(|_| self.below(len) as u32).filter(|&cut| cut > 0).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.into_iter().flat_map(u32::to_be_bytes).collect()
    }

    fn cause(&mut self) -> Cause {
        [Cause::InOrder, Cause::Refused, Cause::Reset, Cause::Limit, Cause::Unknown, Cause::Draining]
            [self.below(6)]
    }

    fn bye(&mut self) -> Bye {
        [Bye::GreetAgain, Bye::Leaving, Bye::Superseded, Bye::Version, Bye::UnknownDestination][self.below(5)]
    }

    fn patience(&mut self) -> Patience {
        [Patience::Once, Patience::IfAvailable, Patience::Patient][self.below(3)]
    }

    fn standing(&mut self, known: Known) -> Standing {
        let received = self.near(known.received);
        Standing {
            session: known.session,
            attempt: Attempt(self.near(known.attempt.0.into()) as u32),
            phase: if self.is_likely() { Phase::Open } else { Phase::Connecting },
            received,
            written: self.near(received),
            limit: self.near(received.wrapping_add(1000)),
        }
    }

    /// Hands `take` a frame that either side may send about a session.
    fn with_common_frame(&mut self, known: &mut Known, take: impl FnOnce(&Frame<'_>)) {
        let session = if self.is_likely() { known.session } else { SessionId(self.wild()) };
        let attempt = Attempt(self.near(known.attempt.0.into()) as u32);
        let frame = match self.byte() % 6 {
            0 => {
                let position = self.near(known.position);
                known.position = position.wrapping_add(1);
                Frame::Fin { session, attempt, position }
            }
            1 if self.has_datagrams && self.flips() => {
                let (frames, bytes) = (self.near(1) & u64::MAX >> 2, self.near(1) & u64::MAX >> 2);
                Frame::Shed { session, attempt, frames, bytes }
            }
            1 => Frame::Reset { session, attempt, cause: self.cause(), unconfirmed: self.wild() },
            2 => {
                let written = self.near(known.received);
                Frame::Grant {
                    session,
                    attempt,
                    taken: self.near(written),
                    written,
                    limit: self.near(written.wrapping_add(1000)),
                }
            }
            _ => return self.with_data(known, session, attempt, take),
        };
        take(&frame);
    }

    fn with_data(
        &mut self,
        known: &mut Known,
        session: SessionId,
        attempt: Attempt,
        take: impl FnOnce(&Frame<'_>),
    ) {
        let (payload, position) = (self.payload(), self.near(known.position));
        let cuts = self.cuts(payload.len());
        let whole = self.has_datagrams && self.is_likely();
        let (starts, ends) = (whole || self.byte() % 2 == 1, whole || self.byte() % 2 == 1);
        let frames = u64::from(starts) + cuts.len() as u64 / 4;
        known.position = position.wrapping_add(frames * 64 + payload.len() as u64);
        let cuts = Cuts::parse(&cuts, payload.len()).unwrap_or_default();
        let written = self.near(0);
        take(&Frame::Data { session, attempt, position, written, starts, ends, cuts, payload: &payload });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Fails with: `rewind` below `written`; `taken` above `written` believed.
        #[test]
        fn no_worker_can_make_an_ingress_panic_or_lose_count(script in proptest::collection::vec(any::<u8>(), 0..1500)) {
            drive_ingress(&script);
        }

        /// Fails with: positions from the wire unbounded; `unseen` that takes a repetition cut inside a frame's start.
        #[test]
        fn no_ingress_can_make_a_worker_panic(script in proptest::collection::vec(any::<u8>(), 0..1500)) {
            drive_worker(&script);
        }
    }
}
