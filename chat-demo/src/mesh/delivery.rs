//! What one peer has been given, as far as it is known.
//!
//! ```text
//!   known                    sent
//!     │◀────── in flight ─────▶│◀──── what it lacks ────▶ …
//!  its last beat          no more than a window beyond
//! ```
//!
//! A beat is the truth. What was sent and is not in a beat that comes long enough afterwards was lost on its way, and is
//! sent again.

use std::{collections::VecDeque, time::Duration};

use proto::time::Instant;

use super::{
    clock::Clock,
    history::{History, weight},
};
use crate::wire::mesh::{AuthorId, Run};

/// The most bytes in flight to a peer, as [`weight`] counts them.
pub(crate) const WINDOW: usize = 256 * 1024;
/// The most of them in one frame, but for a single text.
pub(crate) const FRAME: usize = 64 * 1024;
/// What no beat has told of after so long is lost: two beats.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// The account of one peer.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    known: Clock,
    // Invariant: `known`, raised by what is in flight.
    sent: Clock,
    in_flight: VecDeque<Sent>,
    bytes: usize,
    /// It was given all of a history in which so many had been taken.
    settled: Option<u64>,
}

#[derive(Debug)]
struct Sent {
    author: AuthorId,
    number: u64,
    bytes: usize,
    at: Instant,
}

impl Delivery {
    /// What the peer is known to have.
    pub(crate) fn known(&self) -> &Clock {
        &self.known
    }

    /// A beat has told what it has. True if something that was in flight is to be sent again.
    pub(crate) fn on_clock(&mut self, clock: &Clock, now: Instant) -> bool {
        self.settled = None;
        self.known.join(clock);
        self.sent.join(clock);
        while let Some(first) = self.in_flight.front()
            && self.known.of(first.author) >= first.number
        {
            self.bytes -= first.bytes;
            self.in_flight.pop_front();
        }
        let is_lost = self.in_flight.front().is_some_and(|first| now.since(first.at) >= LOST_AFTER);
        if is_lost {
            self.in_flight.clear();
            self.bytes = 0;
            self.sent = self.known.clone();
        }
        is_lost
    }

    /// The next texts for it, of authors that are wanted, frame by frame; none if it lacks nothing or enough is in flight.
    pub(crate) fn next(
        &mut self,
        history: &History,
        wanted: impl Fn(AuthorId) -> bool,
        now: Instant,
    ) -> Option<Vec<Run>> {
        if self.bytes >= WINDOW || self.settled == Some(history.taken()) {
            return None;
        }
        let is_wanted = |author| wanted(author) && self.known.has_room_for(author);
        let runs = history.lacking(&self.sent, is_wanted, FRAME);
        for run in &runs {
            let Some(last) = run.entries.last() else { continue };
            let bytes = run.entries.iter().map(weight).sum();
            self.sent.raise(run.author, last.number);
            self.in_flight.push_back(Sent { author: run.author, number: last.number, bytes, at: now });
            self.bytes += bytes;
        }
        if runs.is_empty() {
            self.settled = Some(history.taken());
            return None;
        }
        Some(runs)
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.bytes, self.in_flight.iter().map(|sent| sent.bytes).sum::<usize>());
        assert!(self.bytes <= WINDOW + FRAME + 16 * 1024, "{} bytes in flight", self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Name, Text,
        wire::mesh::{Entry, Stamp, Tone},
    };

    const ANN: AuthorId = AuthorId([1; 16]);

    fn history(texts: u64, bytes: usize) -> History {
        let mut history = History::default();
        for number in 1..=texts {
            let (name, text) = (Name::new("ann").unwrap(), Text::new(&"x".repeat(bytes)).unwrap());
            let stamp = Stamp { at: number, counter: 0 };
            history.take(ANN, Entry { number, stamp, name, tone: Tone::Plain, text });
        }
        history
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn given(delivery: &mut Delivery, history: &History, now: Instant) -> Vec<u64> {
        let frames = std::iter::from_fn(|| delivery.next(history, |_| true, now));
        let entries = frames.flatten().flat_map(|run| run.entries);
        let numbers = entries.map(|entry| entry.number).collect();
        delivery.check();
        numbers
    }

    #[test]
    fn everything_is_given_once() {
        let (mut delivery, history) = (Delivery::default(), history(3, 1));

        assert_eq!(given(&mut delivery, &history, at(0)), [1, 2, 3]);
        assert_eq!(given(&mut delivery, &history, at(0)), [0; 0]);
        assert!(!delivery.on_clock(&Clock::of_wire(&[(ANN, 3)]), at(9_000)));
        assert_eq!(given(&mut delivery, &history, at(9_000)), [0; 0]);
    }

    #[test]
    fn what_two_beats_do_not_tell_of_is_given_again() {
        let (mut delivery, history) = (Delivery::default(), history(3, 1));
        given(&mut delivery, &history, at(0));

        assert!(!delivery.on_clock(&Clock::of_wire(&[(ANN, 1)]), at(1_999)), "it may be under way");
        assert_eq!(given(&mut delivery, &history, at(1_999)), [0; 0]);
        assert!(delivery.on_clock(&Clock::of_wire(&[(ANN, 1)]), at(2_000)));

        assert_eq!(given(&mut delivery, &history, at(2_000)), [2, 3]);
    }

    #[test]
    fn no_more_than_a_window_is_in_flight() {
        let (mut delivery, history) = (Delivery::default(), history(200, Text::MAX_BYTES));

        let first = given(&mut delivery, &history, at(0)).len() as u64;
        assert!((28..50).contains(&first), "{first}");

        delivery.on_clock(&Clock::of_wire(&[(ANN, first)]), at(1));
        assert_eq!(given(&mut delivery, &history, at(1)).first(), Some(&(first + 1)));
    }

    #[test]
    fn what_it_has_from_others_it_is_not_given() {
        let (mut delivery, history) = (Delivery::default(), history(3, 1));
        delivery.on_clock(&Clock::of_wire(&[(ANN, 2)]), at(0));

        assert_eq!(given(&mut delivery, &history, at(0)), [3]);
    }
}
