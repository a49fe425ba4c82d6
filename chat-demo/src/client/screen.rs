//! What is given to the screen, and is on it yet or not.

use std::{collections::VecDeque, future::pending};

use tokio::sync::watch;

use super::member::Shown;

/// What is to be on the screen, the oldest first.
#[derive(Debug)]
pub(super) struct Screen {
    /// With which line of all it is.
    awaited: VecDeque<(u64, Shown)>,
    /// How many lines were written.
    written: watch::Receiver<u64>,
}

impl Screen {
    pub(super) fn new(written: watch::Receiver<u64>) -> Self {
        Self { awaited: VecDeque::new(), written }
    }

    /// It is on the screen when so many lines are.
    pub(super) fn expect(&mut self, lines: u64, shown: Shown) {
        if self.awaited.back().is_some_and(|(before, _)| *before == lines) {
            self.awaited.pop_back();
        }
        self.awaited.push_back((lines, shown));
    }

    /// What is on it by now that was not when this was last asked.
    pub(super) fn shown(&mut self) -> Option<Shown> {
        let written = *self.written.borrow_and_update();
        let count = self.awaited.partition_point(|(lines, _)| *lines <= written);
        self.awaited.drain(..count).next_back().map(|(_, shown)| shown)
    }

    /// Waits until more lines were written, if that is of interest. Cancel safe.
    pub(super) async fn writes(&mut self) {
        if self.awaited.is_empty() || self.written.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}
