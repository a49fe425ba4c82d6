//! What one peer has been given, as far as it is known.
//!
//! ```text
//!   known                    sent
//!     │◀────── in flight ─────▶│◀──── what it lacks ────▶ …
//!  its last beat          no more than a window beyond
//! ```
//!
//! A beat is the truth, also where it no longer names an author: the peer has forgotten it, and takes of it only what does not
//! stand before its floor. Where the beats of a peer tell for long of no progress with what was sent first, all that is in
//! flight was lost on its way, and is sent again.
//!
//! A link that is slow is not one that loses: how much may be in flight (the window) is halved at a loss and where what
//! was sent arrives late, and doubled where a full window arrives soon; and whoever was wrong about a loss waits longer
//! before the next. So what one says oneself never stands long behind what one gives.

use std::{collections::VecDeque, time::Duration};

use proto::time::Instant;

use super::{
    clock::Clock,
    history::{History, weight},
};
use crate::wire::mesh::{AuthorId, Beat, Place, Run};

/// The most bytes in flight to a peer, as [`weight`] counts them.
pub(crate) const WINDOW: usize = 256 * 1024;
/// What it begins with, and what it is never less than.
const FIRST_WINDOW: usize = WINDOW / 4;
const LEAST_WINDOW: usize = WINDOW / 16;
/// So many frames in a window, or more where single texts are large.
const FRAMES: usize = 4;
/// What has arrived so soon, as a beat told, has not waited: beats come each second.
const SOON: Duration = Duration::from_millis(1_500);
/// What has arrived so late has waited behind too much.
const LATE: Duration = Duration::from_secs(3);
/// After so long without progress what is in flight is lost: at first, and doubling with each loss up to the most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(12));

/// The account of one peer.
#[derive(Debug)]
pub(crate) struct Delivery {
    known: Clock,
    /// Before it, nothing is wanted of whom `known` does not name.
    floor: Option<Place>,
    // Invariant: `known`, raised by what is in flight.
    sent: Clock,
    in_flight: VecDeque<Sent>,
    bytes: usize,
    /// The most bytes that may be.
    window: usize,
    patience: Duration,
    /// When something was last sent into nothing in flight, or a beat told of progress.
    moved_at: Instant,
    /// It was given all of a history in which so many had been taken.
    settled: Option<u64>,
}

#[derive(Debug)]
struct Sent {
    /// The last of a run.
    place: Place,
    bytes: usize,
    at: Instant,
}

impl Default for Delivery {
    fn default() -> Self {
        let (known, floor, sent, in_flight) = Default::default();
        let (window, patience, moved_at) = (FIRST_WINDOW, PATIENCE.0, Instant::ZERO);
        Self { known, floor, sent, in_flight, bytes: 0, window, patience, moved_at, settled: None }
    }
}

impl Delivery {
    /// What the peer is known to have.
    pub(crate) fn known(&self) -> &Clock {
        &self.known
    }

    /// A beat has told what it has. True if something that was in flight is to be sent again.
    pub(crate) fn on_beat(&mut self, beat: &Beat, now: Instant) -> bool {
        self.settled = None;
        let first =
            self.in_flight.front().map(|first| (first.place.author, self.known.of(first.place.author)));
        (self.known, self.floor) = (Clock::of_wire(&beat.clock), beat.floor);
        let is_progress = first.is_some_and(|(author, before)| self.known.of(author) > before);
        if self.land(now) || is_progress {
            (self.moved_at, self.patience) = (now, PATIENCE.0);
        }
        let is_lost = !self.in_flight.is_empty() && now.since(self.moved_at) >= self.patience;
        if is_lost {
            self.in_flight.clear();
            self.bytes = 0;
            self.patience = (self.patience * 2).min(PATIENCE.1);
            self.narrow();
        }
        self.sent = self.known.clone();
        for Sent { place, .. } in &self.in_flight {
            self.sent.raise(place.author, place.number);
        }
        is_lost
    }

    /// Takes out of what is in flight what has arrived, and learns from when it was sent how wide the window may be. True if
    /// there was any.
    fn land(&mut self, now: Instant) -> bool {
        let was_full = self.bytes >= self.window;
        let mut longest = None;
        while let Some(first) = self.in_flight.front()
            && has_landed(&self.known, self.floor, first.place)
        {
            longest = longest.max(Some(now.since(first.at)));
            self.bytes -= first.bytes;
            self.in_flight.pop_front();
        }
        match longest {
            Some(took) if took >= LATE => self.narrow(),
            Some(took) if took <= SOON && was_full => self.window = (self.window * 2).min(WINDOW),
            _ => {}
        }
        longest.is_some()
    }

    fn narrow(&mut self) {
        self.window = (self.window / 2).max(LEAST_WINDOW);
    }

    /// The next texts for it, of authors that are wanted, frame by frame; none if it lacks nothing or enough is in flight.
    pub(crate) fn next(
        &mut self,
        history: &History,
        wanted: impl Fn(AuthorId) -> bool,
        now: Instant,
    ) -> Option<Vec<Run>> {
        if self.bytes >= self.window || self.settled == Some(history.taken()) {
            return None;
        }
        let runs = history.lacking(&self.sent, self.floor, wanted, self.window / FRAMES, self.settled);
        if self.in_flight.is_empty() {
            self.moved_at = now;
        }
        for run in &runs {
            let Some(last) = run.entries.last() else { continue };
            let bytes = run.entries.iter().map(weight).sum();
            let place = Place { stamp: last.stamp, author: run.author, number: last.number };
            self.sent.raise(run.author, last.number);
            self.in_flight.push_back(Sent { place, bytes, at: now });
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
        assert!(self.bytes <= WINDOW + WINDOW / FRAMES + 16 * 1024, "{} bytes in flight", self.bytes);
    }
}

/// Whether somebody with this clock and this floor has what stands there, or does not take it.
fn has_landed(known: &Clock, floor: Option<Place>, place: Place) -> bool {
    if known.knows(place.author) { known.of(place.author) >= place.number } else { Some(place) < floor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Name, PublicTone, Text,
        mesh::history::Bounds,
        wire::mesh::{Entry, Stamp},
    };

    const ANN: AuthorId = AuthorId([1; 16]);

    fn history(texts: u64, bytes: usize) -> History {
        let mut history = History::new(AuthorId([9; 16]), Bounds::default());
        for number in 1..=texts {
            let (name, text) = (Name::new("ann").unwrap(), Text::new(&"x".repeat(bytes)).unwrap());
            let stamp = Stamp { at: number, counter: 0 };
            history.take(ANN, Entry { number, stamp, name, tone: PublicTone::Plain, text });
        }
        history
    }

    fn beat(had: u64) -> Beat {
        Beat { port: 1, hears: 0, clock: vec![(ANN, had)], meets: vec![], floor: None }
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
        assert!(!delivery.on_beat(&beat(3), at(9_000)));
        assert_eq!(given(&mut delivery, &history, at(9_000)), [0; 0]);
    }

    #[test]
    fn what_three_beats_tell_nothing_of_is_given_again() {
        let (mut delivery, history) = (Delivery::default(), history(3, 1));
        given(&mut delivery, &history, at(0));

        assert!(!delivery.on_beat(&beat(0), at(2_999)), "it may be under way");
        assert_eq!(given(&mut delivery, &history, at(2_999)), [0; 0]);
        assert!(delivery.on_beat(&beat(0), at(3_000)));

        assert_eq!(given(&mut delivery, &history, at(3_000)), [1, 2, 3]);
    }

    #[test]
    fn what_arrives_slowly_is_not_lost_and_a_loss_that_was_none_makes_patient() {
        let (mut delivery, history) = (Delivery::default(), history(9, 1));
        given(&mut delivery, &history, at(0));

        for number in 1..=4 {
            assert!(!delivery.on_beat(&beat(number), at(number * 2_900)), "{number}");
        }
        let after = |millis: u64| at(4 * 2_900 + millis);
        let stuck = beat(4);
        assert!(delivery.on_beat(&stuck, after(3_000)));
        assert_eq!(given(&mut delivery, &history, after(3_000)), [5, 6, 7, 8, 9]);
        assert!(!delivery.on_beat(&stuck, after(8_999)));
        assert!(delivery.on_beat(&stuck, after(9_000)));
    }

    #[test]
    fn the_window_is_as_wide_as_what_arrives_soon() {
        let (mut delivery, history) = (Delivery::default(), history(400, Text::MAX_BYTES));
        let (mut had, mut now) = (0, at(0));
        let mut turn = |took| {
            let texts = given(&mut delivery, &history, now).len();
            (had, now) = (had + texts as u64, now + Duration::from_millis(took));
            delivery.on_beat(&beat(had), now);
            texts
        };

        assert_eq!([1; 4].map(&mut turn), [8, 18, 35, 35], "soon");
        assert_eq!([4_000; 6].map(&mut turn), [35, 18, 8, 4, 2, 2], "late");
    }

    #[test]
    fn no_more_than_a_window_is_in_flight() {
        let (mut delivery, history) = (Delivery::default(), history(200, Text::MAX_BYTES));

        let first = given(&mut delivery, &history, at(0)).len() as u64;
        assert!((7..16).contains(&first), "{first}");

        delivery.on_beat(&beat(first), at(1));
        assert_eq!(given(&mut delivery, &history, at(1)).first(), Some(&(first + 1)));
    }

    #[test]
    fn what_it_has_from_others_it_is_not_given() {
        let (mut delivery, history) = (Delivery::default(), history(3, 1));
        delivery.on_beat(&beat(2), at(0));

        assert_eq!(given(&mut delivery, &history, at(0)), [3]);
    }
}
