//! What is shown no faster than the screen follows: texts of others, and the history that was asked for.
//!
//! While the screen is behind, texts wait here, are not taken, and so no beat tells of them; when too many wait they are
//! dropped, and their senders give them again. All else is heard meanwhile: who is here, and what others have.

use std::{collections::VecDeque, ops::Bound};

use super::{Effect, Mesh, delivery::WINDOW, history::weight, line};
use crate::{
    How,
    wire::mesh::{Place, Run},
};

/// The most bytes of texts that wait, as they are weighed, and but for the last frame.
const MAX_WAITING: usize = 4 * WINDOW;
/// So many texts of the history are shown before the screen is looked at again.
const PIECE: usize = 64;

/// What a person has still to see.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// Whether it shows nothing of late.
    pub(super) is_behind: bool,
    waiting: VecDeque<Vec<Run>>,
    // Invariant: the weight of `waiting`.
    bytes: usize,
    /// From where to where the history is still to be told.
    telling: Option<(Bound<Place>, Place)>,
}

impl Screen {
    /// Whether it has something to show, and can.
    pub(super) fn wants_more(&self) -> bool {
        !self.is_behind && (self.is_telling() || !self.waiting.is_empty())
    }

    /// Whether a history is being told.
    pub(super) fn is_telling(&self) -> bool {
        self.telling.is_some()
    }

    fn take(&mut self) -> Option<Vec<Run>> {
        let runs = self.waiting.pop_front()?;
        self.bytes -= weight_of(&runs);
        Some(runs)
    }
}

impl Mesh {
    /// Takes texts that have come, now or when the screen can show them.
    pub(super) fn on_readable(&mut self, runs: Vec<Run>) {
        let Screen { is_behind, waiting, bytes, telling } = &mut self.screen;
        if !*is_behind && waiting.is_empty() && telling.is_none() {
            self.on_runs(runs);
        } else if *bytes < MAX_WAITING {
            *bytes += weight_of(&runs);
            waiting.push_back(runs);
        } else {
            self.counts.unread += 1;
        }
    }

    /// Begins to tell the last so many of the order.
    pub(super) fn tell_history(&mut self, count: usize) {
        let mut asked = self.history.last(count).map(|(place, _)| *place);
        self.screen.telling =
            asked.next().map(|first| (Bound::Included(first), asked.last().unwrap_or(first)));
    }

    /// Shows some more, if the screen follows: what was asked for goes first.
    pub(super) fn follow(&mut self) {
        if self.screen.is_behind {
            return;
        }
        if let Some((from, last)) = self.screen.telling.take() {
            self.tell_piece(from, last);
        } else if let Some(runs) = self.screen.take() {
            self.on_runs(runs);
        }
    }

    fn tell_piece(&mut self, from: Bound<Place>, last: Place) {
        let Self { history, peers, effects, screen, .. } = self;
        let mut reached = None;
        for (place, entry) in history.between(from, last).take(PIECE) {
            effects.push(Effect::Show(line(peers, place, entry, How::Again)));
            reached = Some(*place);
        }
        screen.telling = reached.filter(|&place| place < last).map(|place| (Bound::Excluded(place), last));
    }
}

fn weight_of(runs: &[Run]) -> usize {
    runs.iter().flat_map(|run| &run.entries).map(weight).sum()
}
