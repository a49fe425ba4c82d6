//! What is to be shown and is not yet: bounded by bytes, between the chat, which never waits for a screen, and the thread
//! that writes.
//!
//! When it is full, lines are left out and counted; the count is shown as soon as there is room.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// The most bytes that wait.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Where it begins to be much: a screen that reads at all is through it at once.
pub(super) const FEW: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Invariant: at most [`MAX_BYTES`].
    words: String,
    /// How many lines found no room since it was last emptied.
    left_out: u64,
    is_closed: bool,
}

impl Backlog {
    /// Adds a line, or leaves it out.
    pub(super) fn push(&self, words: &str) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        if state.left_out > 0 || state.words.len() + words.len() > MAX_BYTES {
            state.left_out += 1;
        } else {
            state.words.push_str(words);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.lock().words.len()
    }

    /// Nothing is added from now on.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits for something to show and takes all of it; nothing when there will be no more.
    pub(super) fn wait(&self) -> Option<String> {
        let has_none = |state: &mut State| state.words.is_empty() && state.left_out == 0 && !state.is_closed;
        let mut state =
            self.changed.wait_while(self.lock(), has_none).unwrap_or_else(PoisonError::into_inner);
        let words = state.take();
        (!words.is_empty()).then_some(words)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> String {
        let mut words = mem::take(&mut self.words);
        if let left_out @ 1.. = mem::take(&mut self.left_out) {
            words.push_str(&format!(
                "! {left_out} lines were left out here: they came faster than they could be shown.\n"
            ));
        }
        words
    }
}
