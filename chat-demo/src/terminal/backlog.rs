//! What is to be shown and is not yet: bounded by bytes, between the chat, which never waits for a screen, and the thread
//! that writes.
//!
//! When it is full, lines are left out and counted; the count is shown as soon as there is room. What was written is counted
//! as well, so that nobody takes a line for seen that is still on its way.

use std::{
    collections::VecDeque,
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The most bytes that wait. What a room sends without being told that it was seen, 1 MiB, has room whatever it looks like:
/// the worst are line ends, of which each becomes five bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// About so many bytes are written before they count as written.
const PART: usize = 16 * 1024;

/// Where it begins to be much: a screen that reads at all is through it at once.
pub(super) const FEW: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    state: Mutex<State>,
    changed: Condvar,
    /// How many lines were written, of those that were pushed.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Invariant: at most [`MAX_BYTES`].
    bytes: usize,
    lines: VecDeque<Box<str>>,
    /// How many lines were pushed, and how many of them taken to be written. Invariant: taken <= pushed.
    pushed: u64,
    taken: u64,
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
        // Also where it is never written.
        state.pushed += 1;
        if state.is_closed {
            return;
        }
        if state.left_out > 0 || state.bytes + words.len() > MAX_BYTES {
            state.left_out += 1;
        } else {
            state.bytes += words.len();
            state.lines.push_back(words.into());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.lock().bytes
    }

    /// How many lines were pushed.
    pub(super) fn pushed(&self) -> u64 {
        self.lock().pushed
    }

    /// How many of these were written, now and from now on. One that was left out counts when that was written.
    pub(super) fn written(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// What was taken last was written.
    pub(super) fn has_written(&self) {
        let taken = self.lock().taken;
        self.written.send_replace(taken);
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

    /// Waits for something to show and takes the next part of it, which is nothing when it was woken; `None` when there will
    /// be no more.
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
        self.lines.is_empty() && self.left_out == 0
    }

    fn is_idle(&self) -> bool {
        self.is_empty() && !self.is_woken && !self.is_closed
    }

    fn take(&mut self) -> String {
        self.is_woken = false;
        let mut words = String::new();
        while words.len() < PART
            && let Some(line) = self.lines.pop_front()
        {
            words.push_str(&line);
            self.taken += 1;
        }
        self.bytes -= words.len();
        if self.lines.is_empty() && self.left_out > 0 {
            let left_out = mem::take(&mut self.left_out);
            self.taken += left_out;
            let left_out = format!(
                "! {left_out} lines were left out here: they came faster than they could be shown.\n"
            );
            words.push_str(&left_out);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(backlog: &Backlog) -> String {
        let mut all = String::new();
        while backlog.len() > 0 {
            all += &backlog.wait().unwrap();
        }
        all
    }

    #[test]
    fn what_finds_no_room_is_left_out_and_counted() {
        let backlog = Backlog::default();
        let line = format!("{}\n", "x".repeat(MAX_BYTES / 4 - 1));

        for _ in 0..7 {
            backlog.push(&line);
        }

        assert_eq!(backlog.len(), MAX_BYTES);
        let shown = all(&backlog);
        assert_eq!(shown.lines().count(), 5);
        assert!(
            shown.ends_with("! 3 lines were left out here: they came faster than they could be shown.\n")
        );
        backlog.push("again\n");
        assert_eq!(backlog.wait().unwrap(), "again\n");
    }

    /// Fails if a line counts as written that is yet to be.
    #[test]
    fn a_line_counts_as_written_when_it_was() {
        let backlog = Backlog::default();
        let written = backlog.written();
        let line = format!("{}\n", "x".repeat(PART - 10));
        (0..3).for_each(|_| backlog.push(&line));
        assert_eq!((backlog.pushed(), *written.borrow()), (3, 0));

        assert_eq!(backlog.wait().unwrap().lines().count(), 2);
        assert_eq!(*written.borrow(), 0);
        backlog.has_written();
        assert_eq!(*written.borrow(), 2);
        backlog.wait();
        backlog.has_written();
        assert_eq!(*written.borrow(), 3);
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
