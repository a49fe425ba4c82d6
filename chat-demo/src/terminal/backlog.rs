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
    /// Whether somebody is to look, though there is nothing new.
    is_woken: bool,
    is_closed: bool,
}

impl Backlog {
    /// Adds a line, or leaves it out. Lines after one that was left out are left out as well, until there is room for all.
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

    /// Makes who waits look, though there is nothing new.
    pub(super) fn wake(&self) {
        self.lock().is_woken = true;
        self.changed.notify_one();
    }

    /// Nothing is added from now on.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits for something to show and takes all of it, which is nothing when it was woken; `None` when there will be no
    /// more.
    pub(super) fn wait(&self) -> Option<String> {
        let mut state = self
            .changed
            .wait_while(self.lock(), |state| state.is_idle())
            .unwrap_or_else(PoisonError::into_inner);
        let is_over = state.is_closed && state.is_empty();
        (!is_over).then(|| state.take())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.left_out == 0
    }

    fn is_idle(&self) -> bool {
        self.is_empty() && !self.is_woken && !self.is_closed
    }

    fn take(&mut self) -> String {
        self.is_woken = false;
        let words = mem::take(&mut self.words);
        match mem::take(&mut self.left_out) {
            0 => words,
            left_out => format!(
                "{words}! {left_out} lines were left out here: they came faster than they could be shown.\n"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_left_out_and_counted() {
        let backlog = Backlog::default();
        let line = format!("{}\n", "x".repeat(MAX_BYTES / 4 - 1));

        for _ in 0..7 {
            backlog.push(&line);
        }

        assert_eq!(backlog.len(), MAX_BYTES);
        let shown = backlog.wait().unwrap();
        assert_eq!(shown.lines().count(), 5);
        assert!(
            shown.ends_with("! 3 lines were left out here: they came faster than they could be shown.\n")
        );
        backlog.push("again\n");
        assert_eq!(backlog.wait().unwrap(), "again\n");
    }

    #[test]
    fn one_that_is_closed_gives_what_it_has_and_takes_no_more() {
        let backlog = Backlog::default();
        backlog.push("last\n");
        backlog.close();
        backlog.push("too late\n");

        assert_eq!(backlog.wait().as_deref(), Some("last\n"));
        assert_eq!(backlog.wait(), None);
    }

    #[test]
    fn one_that_is_woken_has_nothing_to_show() {
        let backlog = Backlog::default();
        backlog.wake();

        assert_eq!(backlog.wait().as_deref(), Some(""));
    }
}
