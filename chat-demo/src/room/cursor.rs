//! How far one member has got in the log.
//!
//! ```text
//!        seen            sent             head
//!   ──────┼────────────────┼────────────────┼──▶ numbers
//!         │◀── the window ──▶│◀─ to be sent ─▶│
//! ```

use super::Log;

/// The most entries that are sent and not yet seen.
pub(super) const WINDOW_ENTRIES: u64 = 4_096;
/// The most bytes of them.
pub(super) const WINDOW_BYTES: u64 = 1024 * 1024;

/// A member's place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    // Invariant: seen <= sent <= head of the log.
    seen: u64,
    sent: u64,
}

impl Cursor {
    /// One that has seen all up to this number.
    pub(super) fn after(number: u64) -> Self {
        Self { seen: number, sent: number }
    }

    /// The last number that was sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How far it may be sent now: to the head, or the end of its window.
    pub(super) fn limit(&self, log: &Log) -> u64 {
        let by_entries = self.seen.saturating_add(WINDOW_ENTRIES);
        let by_bytes = log.last_within(self.seen, WINDOW_BYTES);
        // One entry always fits, however the bytes are.
        by_entries.min(by_bytes.max(self.seen + 1)).min(log.head()).max(self.sent)
    }

    /// All up to this number is on its way.
    pub(super) fn on_sent(&mut self, to: u64) {
        debug_assert!(to >= self.sent);
        self.sent = to;
    }

    /// The member says what it has seen. It cannot have seen what was not sent, and does not forget.
    pub(super) fn on_seen(&mut self, number: u64) {
        self.seen = self.seen.max(number.min(self.sent));
    }

    /// The same for who never says so.
    pub(super) fn on_sent_and_forgotten(&mut self, to: u64) {
        *self = Self::after(to);
    }

    /// Whether nothing is sent that is not seen.
    pub(super) fn is_seen(&self) -> bool {
        self.seen == self.sent
    }

    pub(super) fn is_within(&self, log: &Log) -> bool {
        self.seen <= self.sent && self.sent <= log.head()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Kept, *};
    use crate::wire::room::{LogId, MemberId};
    use proptest::prelude::*;

    /// A log of entries of these lengths, whose oldest have gone.
    fn log(lengths: &[usize], gone: usize) -> Log {
        let kept = |len: &usize| Kept { author: MemberId([1; 16]), to: None, bytes: vec![0; *len].into() };
        let mut log = Log::new(LogId([0; 16]), 1, lengths.iter().map(kept).collect());
        log.trim(lengths.len() - gone, u64::MAX);
        log.let_go(0, 0);
        log
    }

    proptest! {
        /// The window is what a plain count of entries and bytes says, whatever a member claims to have seen.
        #[test]
        fn a_cursor_stays_within_its_window_and_the_log(
            lengths in prop::collection::vec(0..200_000_usize, 1..60),
            gone in 0..60_usize,
            claims in prop::collection::vec(any::<u64>(), 0..20),
        ) {
            let gone = gone.min(lengths.len());
            let log = log(&lengths, gone);
            let mut cursor = Cursor::after(gone as u64);
            for claim in claims.into_iter().chain([u64::MAX, 0]) {
                let limit = cursor.limit(&log);
                let bytes: usize = log.stretch(cursor.seen, limit).map(|kept| kept.bytes.len()).sum();
                prop_assert!(bytes as u64 <= WINDOW_BYTES || limit <= cursor.seen + 1);
                let more: usize = log.stretch(cursor.seen, limit + 1).map(|kept| kept.bytes.len()).sum();
                prop_assert!(limit == log.head() || more as u64 > WINDOW_BYTES, "it is sent all that fits");
                cursor.on_sent(limit);
                let seen = cursor.seen;
                cursor.on_seen(claim % (log.head() + 2));
                prop_assert!(cursor.seen >= seen && cursor.is_within(&log));
            }
        }

        #[test]
        fn what_a_batch_would_leave_behind_is_what_is_left(
            lengths in prop::collection::vec(1..100_usize, 1..60),
            added in prop::collection::vec(1..100_usize, 0..60),
            (entries, bytes) in (1..80_usize, 1..3_000_u64),
            leeway in 0..80_usize,
        ) {
            let mut log = log(&lengths, 0);
            log.trim(entries, bytes);
            log.let_go(leeway, bytes);
            let kept = |len: &usize| Kept { author: MemberId([1; 16]), to: None, bytes: vec![0; *len].into() };
            let added: Vec<_> = added.iter().map(kept).collect();
            let first = log.first_after(&added, entries, bytes);
            for kept in added {
                log.push(kept);
            }
            log.trim(entries, bytes);
            prop_assert_eq!(log.first(), first);
        }
    }
}
