//! One connection of an end, from the promise of one to its end.

use std::{collections::BTreeSet, time::Duration};

use proto::{
    link::{LOOK, Liveness},
    time::Instant,
};
use runtime::zeromq::Connection;

/// How long somebody who was let in may take to be there; libzmq itself waits no longer.
const PROMISE: Duration = Duration::from_secs(5);
/// An end says something at least so often.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// Where a connection stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    /// There is none: who comes is let in, or who is called may answer.
    Down,
    /// Somebody was let in, and is not there yet.
    Promised {
        /// Until when he may be.
        until: Instant,
    },
    /// There is one.
    Up(Up),
    /// The socket is closed for a while.
    Closed {
        /// So long.
        until: Instant,
    },
}

/// A connection over which messages go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Up {
    /// Which one, as soon as something has come over it.
    pub(super) connection: Option<Connection>,
    /// Whether the other end has said hello.
    pub(super) is_greeted: bool,
    life: Liveness,
    look_at: Instant,
    beat_at: Instant,
}

impl Up {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            connection: None,
            is_greeted: false,
            life: Liveness::new(now),
            look_at: now + LOOK,
            beat_at: now + BEAT,
        }
    }

    /// Something of the other end's has come.
    pub(super) fn heard(&mut self) {
        self.life.heard(true);
    }

    /// Something was sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.beat_at = now + BEAT;
    }

    /// Looks at the clock; says whether the other end is dead. Nobody is, while nobody listens.
    pub(super) fn is_dead(&mut self, now: Instant, listens: bool) -> bool {
        self.look_at = now + LOOK;
        if listens {
            self.life.look(now, true);
        }
        self.life.is_dead()
    }

    pub(super) fn wants_beat(&self, now: Instant) -> bool {
        self.is_greeted && now >= self.beat_at
    }
}

impl Link {
    pub(super) fn promise(now: Instant) -> Self {
        Self::Promised { until: now + PROMISE }
    }

    /// Whether somebody may come.
    pub(super) fn is_free(&self, now: Instant) -> bool {
        match *self {
            Self::Down => true,
            Self::Promised { until } => now >= until,
            Self::Up(_) | Self::Closed { .. } => false,
        }
    }

    pub(super) fn up(&mut self) -> Option<&mut Up> {
        if let Self::Up(up) = self { Some(up) } else { None }
    }

    pub(super) fn is_greeted(&self) -> bool {
        matches!(self, Self::Up(up) if up.is_greeted)
    }

    /// Whether it has ended with this connection, when these are still open.
    pub(super) fn ends_with(&self, ended: Connection, open: &BTreeSet<Connection>) -> bool {
        match self {
            Self::Up(up) => up.connection == Some(ended) || open.is_empty(),
            Self::Promised { .. } => open.is_empty(),
            Self::Down | Self::Closed { .. } => false,
        }
    }

    pub(super) fn next_deadline(&self) -> Instant {
        match self {
            Self::Down | Self::Promised { .. } => Instant::NEVER,
            Self::Up(up) => up.look_at.min(up.beat_at),
            Self::Closed { until } => *until,
        }
    }
}
