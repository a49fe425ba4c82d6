//! The receiver's side of one direction of one session: what has come, what was written, what it lets the sender do.
//!
//! It keeps totals and no bytes: whoever owns it has those. It never waits: what is offered is taken, was seen before,
//! leaves a gap, or goes beyond what was permitted, and the caller does what follows from that.

/// What a receiver tells a sender; each total only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The sender may forget what is before.
    pub taken: u64,
    /// Written to the socket.
    pub written: u64,
    /// The sender may send up to.
    pub limit: u64,
}

/// When the sender may forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Once it is written: forward, where another worker may have to be brought up.
    Written,
    /// Once it is received: backward, where nobody can take the ingress's place.
    Received,
}

/// What to do with units that begin at some position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Take them.
    Take {
        /// But for the first so many units, which were seen before.
        skip: u64,
    },
    /// All were seen before.
    Seen,
    /// Something before them is missing.
    Gap,
    /// They go beyond what was permitted, or beyond FIN.
    BeyondLimit,
}

/// The receiver's totals for one direction.
#[derive(Debug)]
pub struct Inbound {
    received: u64,
    // Invariant: written <= received.
    written: u64,
    window: u64,
    takes: Takes,
    announced: Totals,
    /// FIN has come: nothing follows it.
    is_finished: bool,
}

impl Inbound {
    /// A direction that begins at `position`, of which `window` units may be outstanding.
    pub fn new(position: u64, window: u64, takes: Takes) -> Self {
        let announced = Totals { taken: position, written: position, limit: position + window };
        Self { received: position, written: position, window, takes, announced, is_finished: false }
    }

    /// Received without a gap.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Written to the socket.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// What the sender has been permitted so far.
    pub const fn limit(&self) -> u64 {
        self.announced.limit
    }

    /// Judges `cost` units that begin at `position`, and counts them as received if they are taken.
    pub fn accept(&mut self, position: u64, cost: u64) -> Accept {
        let Some(end) = position.checked_add(cost) else { return Accept::BeyondLimit };
        if position > self.received {
            return Accept::Gap;
        }
        if end <= self.received {
            return Accept::Seen;
        }
        if end > self.announced.limit || self.is_finished {
            return Accept::BeyondLimit;
        }
        let skip = self.received - position;
        self.received = end;
        Accept::Take { skip }
    }

    /// Takes a FIN at `position`, which needs no credit.
    pub fn accept_fin(&mut self, position: u64) -> Accept {
        match position {
            later if later > self.received => Accept::Gap,
            at if at == self.received && self.is_finished => Accept::BeyondLimit,
            at if at == self.received => {
                self.is_finished = true;
                self.received += super::FIN_COST;
                Accept::Take { skip: 0 }
            }
            _ => Accept::Seen,
        }
    }

    /// `units` more were written.
    pub fn wrote(&mut self, units: u64) {
        self.written += units;
        debug_assert!(self.written <= self.received);
    }

    /// Whether so much has become free that the sender should hear of it at once.
    pub const fn owes_limit(&self) -> bool {
        self.written + self.window >= self.announced.limit + self.window / 4
    }

    /// Whether the sender knows less than it could.
    pub fn lags(&self) -> bool {
        let now = self.totals();
        now.taken > self.announced.taken || now.written > self.announced.written
    }

    /// The totals for a GRANT or a standing, taken as told.
    pub fn announce(&mut self) -> Totals {
        self.announced = self.totals();
        self.announced
    }

    /// So many units more may be outstanding.
    pub fn widen(&mut self, units: u64) {
        self.window += units;
    }

    /// The total that rides along with DATA of the other direction, taken as told.
    pub fn announce_written(&mut self) -> u64 {
        self.announced.written = self.written;
        self.announced.taken = self.announced.taken.max(self.written);
        self.written
    }

    fn totals(&self) -> Totals {
        let taken = match self.takes {
            Takes::Written => self.written,
            Takes::Received => self.received,
        };
        // FIN is written without having needed credit, so the limit may already be higher.
        Totals { taken, written: self.written, limit: self.announced.limit.max(self.written + self.window) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_skipped_and_what_is_missing_is_a_gap() {
        let mut inbound = Inbound::new(100, 1000, Takes::Written);
        assert_eq!(inbound.accept(100, 50), Accept::Take { skip: 0 });
        assert_eq!(inbound.accept(100, 50), Accept::Seen);
        assert_eq!(inbound.accept(140, 30), Accept::Take { skip: 10 });
        assert_eq!(inbound.accept(171, 1), Accept::Gap);
        assert_eq!(inbound.accept(170, 1000), Accept::BeyondLimit);
        assert_eq!(inbound.accept(u64::MAX, 1), Accept::BeyondLimit);
        assert_eq!(inbound.accept_fin(170), Accept::Take { skip: 0 });
        assert_eq!(inbound.accept_fin(170), Accept::Seen);
    }

    #[test]
    fn nothing_follows_fin() {
        let mut inbound = Inbound::new(0, 1000, Takes::Written);
        inbound.accept_fin(0);
        assert_eq!(inbound.accept(1, 5), Accept::BeyondLimit);
        assert_eq!(inbound.accept_fin(1), Accept::BeyondLimit);
        assert_eq!(inbound.received(), 1);
    }

    #[test]
    fn a_new_limit_is_owed_once_a_quarter_of_the_window_is_free() {
        let mut inbound = Inbound::new(0, 1000, Takes::Received);
        inbound.accept(0, 600);
        inbound.wrote(249);
        assert!(!inbound.owes_limit() && inbound.lags());
        inbound.wrote(1);
        assert!(inbound.owes_limit());
        assert_eq!(inbound.announce(), Totals { taken: 600, written: 250, limit: 1250 });
        assert!(!inbound.owes_limit() && !inbound.lags());
    }
}
