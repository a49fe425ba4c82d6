//! Which server of a balanced route gets the next request.
//!
//! [`Balance::choose`] takes, in this order, of the servers that the request has not been tried on:
//!
//! 1. one whose ejection is over: a single request probes it, and if that is answered it is back in the ring;
//! 2. the one whose turn it is in the ring, or the one with the fewest requests in progress for its weight;
//! 3. where nobody is in the ring, the one whose ejection ends first. An ejection is a guess about the next request; with
//!    nobody else to ask, a guess is no reason to answer 502 without trying, and one answer brings the server back.
//!
//! Whether a failed request may be tried on the next server is for the shell to say: it knows what has been sent. So is how
//! many requests there may be at once: what waits is a future, and the shell has queues for those. Nothing here
//! allocates after [`Balance::new`]; a choice looks at each server at most three times.

mod checks;
mod ring;
mod standing;
#[cfg(test)]
mod tests;

use std::{cmp::Ordering, time::Duration};

pub use self::checks::HealthChecks;
use self::{
    checks::Checks,
    ring::Ring,
    standing::{Mark, Standing},
};
use crate::{id::ServerIndex, time::Instant};

/// How a server is chosen among those in the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// In turn, each as often as its weight says.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in progress for its weight; in turn among equals.
    LeastRequests,
}

/// When failed requests take a server out of the ring, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row; zero means one.
    pub failures: u32,
    /// How long the first time.
    pub base: Duration,
    /// Each further time is twice as long, up to this. It starts over when the server was then in the ring for as long as it
    /// was out. There is no jitter: a single request probes.
    pub cap: Duration,
}

/// The servers of a route, and how they are treated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How one is chosen.
    pub how: How,
    /// One for each server. A weight of zero counts as one.
    pub weights: Vec<u16>,
    /// `None`: failures eject nobody.
    pub ejection: Option<Ejection>,
    /// `None`: nobody is asked after its health.
    pub checks: Option<HealthChecks>,
}

/// What changed for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Requests failed: it is out of the ring. Said once, not for each probe that fails.
    Ejected {
        /// When it is to be probed.
        until: Instant,
    },
    /// The probe was answered: it is in the ring again.
    Back,
    /// Its checks failed: it gets nothing while others are well.
    Unwell,
    /// Its checks passed again.
    Well,
}

/// A request on its way to a server. It is told of once: done, failed or abandoned.
#[derive(Debug)]
#[must_use = "a request that never ends is in progress for ever"]
pub struct Sent {
    server: ServerIndex,
    mark: Mark,
}

impl Sent {
    /// The server it goes to.
    pub const fn server(&self) -> ServerIndex {
        self.server
    }

    /// Whether it is the one request by which a server that was ejected is tried.
    pub const fn is_probe(&self) -> bool {
        self.mark.is_probe
    }
}

/// The servers of one route, as one process sees them.
#[derive(Debug)]
pub struct Balance {
    how: How,
    ejection: Option<Ejection>,
    checks: Option<HealthChecks>,
    ring: Ring,
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    weight: u64,
    in_progress: u64,
    standing: Standing,
    checks: Checks,
}

impl Server {
    fn new(weight: u16) -> Self {
        let weight = weight.max(1).into();
        Self { weight, in_progress: 0, standing: Standing::default(), checks: Checks::default() }
    }

    /// Compares requests in progress, each for its weight.
    fn load_beside(&self, other: &Self) -> Ordering {
        (self.in_progress * other.weight).cmp(&(other.in_progress * self.weight))
    }

    fn is_in_ring(&self) -> bool {
        self.standing.is_in_ring() && !self.checks.is_unwell()
    }

    fn is_probe_due(&self, now: Instant) -> bool {
        self.standing.is_probe_due(now) && !self.checks.is_unwell()
    }
}

impl Balance {
    /// Servers of which nothing bad is known.
    pub fn new(settings: &Settings) -> Self {
        Self {
            how: settings.how,
            ejection: settings.ejection,
            checks: settings.checks,
            ring: Ring::new(&settings.weights),
            servers: settings.weights.iter().map(|&weight| Server::new(weight)).collect(),
        }
    }

    /// The server that gets the request, which counts as sent to it. `None` if it was `tried` on all.
    pub fn choose(&mut self, now: Instant, tried: &[ServerIndex]) -> Option<Sent> {
        let is_left = |at: usize| !tried.contains(&ServerIndex(at as u16));
        let chosen = self
            .first_due(now, is_left)
            .or_else(|| self.next_in_ring(is_left))
            .or_else(|| self.soonest(is_left))?;
        let server = &mut self.servers[chosen];
        server.in_progress += 1;
        Some(Sent { server: ServerIndex(chosen as u16), mark: server.standing.on_sent() })
    }

    /// The server has begun to answer, and there is an end to tell of later: a probe is answered by that. Some replies go
    /// on for hours, and their server is back before.
    pub fn on_begun(&mut self, sent: &Sent, now: Instant) -> Option<Change> {
        let Sent { server, mark } = sent;
        mark.is_probe.then(|| self.servers[usize::from(server.0)].standing.on_done(mark, now)).flatten()
    }

    /// The server has answered, whatever it said: what counts is that it works.
    pub fn on_done(&mut self, sent: Sent, now: Instant) -> Option<Change> {
        let Sent { server, mark } = sent;
        self.ended(server).standing.on_done(&mark, now)
    }

    /// The server has refused, reset, timed out, or said what the route calls a failure.
    pub fn on_failed(&mut self, sent: Sent, now: Instant) -> Option<Change> {
        let Sent { server, mark } = sent;
        let ejection = self.ejection;
        self.ended(server).standing.on_failed(&mark, now, &ejection?)
    }

    /// The request ended and the server is not to blame: its client has left, or there was no way to the server.
    pub fn on_abandoned(&mut self, sent: Sent, now: Instant) {
        let Sent { server, mark } = sent;
        self.ended(server).standing.on_abandoned(&mark, now);
    }

    /// When to ask [`Balance::next_check`] again.
    pub fn deadline(&self) -> Instant {
        let due = self.servers.iter().map(|server| server.checks.due());
        self.checks.and(due.min()).unwrap_or(Instant::NEVER)
    }

    /// A server whose health is to be asked after now; to be called until there is none. Its outcome must be told by
    /// [`Balance::on_health`], also if the check could not be made.
    pub fn next_check(&mut self, now: Instant) -> Option<ServerIndex> {
        self.checks?;
        let at = self.servers.iter().position(|server| server.checks.due() <= now)?;
        self.servers[at].checks.begin();
        Some(ServerIndex(at as u16))
    }

    /// A check has ended. A server that is well again after having been unwell has changed: if it is ejected, too, it is
    /// probed at once.
    pub fn on_health(&mut self, server: ServerIndex, is_well: bool, now: Instant) -> Option<Change> {
        let rule = self.checks?;
        let server = &mut self.servers[usize::from(server.0)];
        let change = server.checks.on_checked(is_well, now, &rule);
        if change == Some(Change::Well) {
            server.standing.hasten(now);
        }
        change
    }

    /// Requests sent to it and not ended.
    pub fn in_progress(&self, server: ServerIndex) -> u64 {
        self.servers[usize::from(server.0)].in_progress
    }

    /// Whether it gets requests as its turn comes: neither ejected nor unwell.
    pub fn is_in_ring(&self, server: ServerIndex) -> bool {
        self.servers[usize::from(server.0)].is_in_ring()
    }

    fn first_due(&self, now: Instant, is_left: impl Fn(usize) -> bool) -> Option<usize> {
        let due = |&at: &usize| is_left(at) && self.servers[at].is_probe_due(now);
        (0..self.servers.len()).filter(due).min_by_key(|&at| self.servers[at].standing.due())
    }

    fn next_in_ring(&mut self, is_left: impl Fn(usize) -> bool) -> Option<usize> {
        let Self { ring, servers, .. } = self;
        let takes_part = |at: usize| is_left(at) && servers[at].is_in_ring();
        if self.how == How::RoundRobin {
            return ring.turn(takes_part);
        }
        let all = (0..servers.len()).filter(|&at| takes_part(at));
        let least = all.min_by(|&a, &b| servers[a].load_beside(&servers[b]))?;
        ring.turn(|at| takes_part(at) && servers[at].load_beside(&servers[least]).is_eq())
    }

    fn soonest(&self, is_left: impl Fn(usize) -> bool) -> Option<usize> {
        let rank = |&at: &usize| {
            let server = &self.servers[at];
            (server.checks.is_unwell(), server.standing.due(), server.in_progress)
        };
        (0..self.servers.len()).filter(|&at| is_left(at)).min_by_key(rank)
    }

    fn ended(&mut self, server: ServerIndex) -> &mut Server {
        let server = &mut self.servers[usize::from(server.0)];
        server.in_progress -= 1;
        server
    }
}
