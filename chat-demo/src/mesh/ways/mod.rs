//! Addresses at which somebody may be, and the ways there: one DEALER each, made anew for each attempt.
//!
//! ```text
//!             due                     the peer says to hear it
//!   Waiting ───────▶ Calling (greets) ───────────────────────▶ Leads(author)
//!      ▲                │ 4 s of nothing                          │ silent, or left
//!      └──── backoff ───┴─────────────────────────────────────────┘
//! ```
//!
//! An address at which one is oneself is never gone to again, but a name may have further addresses and is tried on; a
//! second way to the same author rests (`Alias`) while the first one leads there.

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, time::Duration};

use proto::{backoff::Backoff, time::Instant};

use super::{BEAT, address::Address};
use crate::wire::mesh::AuthorId;

/// The most addresses that are known at once.
const MAX_CONTACTS: usize = 256;
/// How long an address that was only heard of is tried after it was last heard of.
const TRIED_FOR: Duration = Duration::from_secs(3600);
/// How long a way may lead nowhere before it is made anew.
const PATIENCE: Duration = Duration::from_secs(4);
/// Between attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Between greetings on a way that is not heard yet: at first, and doubling up to the most.
const GREETING: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The number of a way: random, for a peer that tells it may take somebody for one that was at the same address before.
/// Never 0.
pub(crate) type WayId = u64;

/// What the machine is to do about ways.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make this one.
    Dial(WayId, Address, u32),
    /// Say hello on this one.
    Greet(WayId),
    /// Have done with this one.
    HangUp(WayId),
}

#[derive(Debug)]
pub(crate) struct Ways {
    contacts: Vec<Contact>,
    chance: fastrand::Rng,
}

#[derive(Debug)]
struct Contact {
    address: Address,
    is_given: bool,
    /// Somebody was met there, at some time.
    is_met: bool,
    heard_of: Instant,
    backoff: Backoff,
    attempts: u32,
    answers_at: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting { until: Instant },
    Calling { way: WayId, until: Instant, greet_at: Instant, gap: Duration },
    Leads { way: WayId, author: AuthorId },
    Alias { author: AuthorId },
    Own,
}

impl Ways {
    /// The addresses that were given, all to be tried at once.
    pub(crate) fn new(given: Vec<Address>, chance: fastrand::Rng, now: Instant) -> Self {
        let mut contacts: Vec<Contact> = Vec::new();
        for address in given {
            if contacts.iter().all(|contact| contact.address != address) {
                contacts.push(Contact::new(address, true, now));
            }
        }
        Self { contacts, chance }
    }

    /// Somebody is said to be there.
    pub(crate) fn hear_of(&mut self, address: SocketAddr, now: Instant) {
        let address = Address::from(address);
        if let Some(contact) = self.contacts.iter_mut().find(|contact| contact.address == address) {
            contact.heard_of = now;
        } else if self.contacts.len() < MAX_CONTACTS {
            self.contacts.push(Contact::new(address, false, now));
        }
    }

    /// Somebody is there: it is tried at once.
    pub(crate) fn call(&mut self, address: SocketAddr, now: Instant) {
        self.make_room();
        self.hear_of(address, now);
        let address = Address::from(address);
        let known = self.contacts.iter_mut().find(|contact| contact.address == address);
        if let Some(Contact { state: State::Waiting { until }, .. }) = known {
            *until = now;
        }
    }

    /// Forgets the idle address that was heard of longest ago where there are too many: hearsay must not keep out who is
    /// really there.
    fn make_room(&mut self) {
        if self.contacts.len() < MAX_CONTACTS {
            return;
        }
        let contacts = self.contacts.iter().enumerate();
        let idle = contacts.filter(|(_, contact)| !contact.is_given && contact.is_idle());
        if let Some((at, _)) = idle.min_by_key(|(_, contact)| contact.heard_of) {
            self.contacts.swap_remove(at);
        }
    }

    /// Whether it is there (still).
    pub(crate) fn has(&self, way: WayId) -> bool {
        self.contacts.iter().any(|contact| contact.state.way() == Some(way))
    }

    /// Whom this way leads to, as far as that is known.
    pub(crate) fn author_of(&self, way: WayId) -> Option<AuthorId> {
        let contact = self.contacts.iter().find(|contact| contact.state.way() == Some(way))?;
        contact.state.author()
    }

    /// The address that this way goes to.
    pub(crate) fn address_of(&self, way: WayId) -> Option<&Address> {
        let contact = self.contacts.iter().find(|contact| contact.state.way() == Some(way))?;
        Some(&contact.address)
    }

    /// Where nobody was ever met, of what was given, and which attempt is the last.
    pub(crate) fn unmet(&self) -> impl Iterator<Item = (&Address, u32)> {
        let unmet = self.contacts.iter().filter(|contact| contact.is_given && !contact.is_met);
        unmet.map(|contact| (&contact.address, contact.attempts.wrapping_sub(1)))
    }

    /// This way leads there. Who is there in place of another has heard no hello, whenever the last was said.
    pub(crate) fn found(&mut self, way: WayId, author: AuthorId, now: Instant) {
        if let Some(contact) = self.of(way) {
            if contact.state.author().is_some_and(|before| before != author) {
                contact.answers_at = now;
            }
            (contact.state, contact.is_met) = (State::Leads { way, author }, true);
            contact.backoff.reset();
        }
    }

    /// Whether a hello may be said on this way now because of what was heard: else who is heard decides how many wait there to
    /// be sent. Once a beat is enough, as a beat tells the same of ways.
    pub(crate) fn may_answer(&mut self, way: WayId, now: Instant) -> bool {
        let Some(contact) = self.of(way).filter(|contact| contact.answers_at <= now) else { return false };
        contact.answers_at = now + BEAT;
        true
    }

    /// This way leads where another does already.
    pub(crate) fn rest(&mut self, way: WayId, author: AuthorId) -> Option<Step> {
        let contact = self.of(way)?;
        (contact.state, contact.is_met) = (State::Alias { author }, true);
        Some(Step::HangUp(way))
    }

    /// This way leads back to oneself.
    pub(crate) fn is_own(&mut self, way: WayId, now: Instant) -> Option<Step> {
        let Self { contacts, chance } = self;
        let contact = contacts.iter_mut().find(|contact| contact.state.way() == Some(way))?;
        contact.is_met = true;
        if contact.address.is_name() {
            contact.wait(chance, now);
        } else {
            contact.state = State::Own;
        }
        Some(Step::HangUp(way))
    }

    /// This author is not heard any more: its addresses are tried again, or forgotten if it has left.
    pub(crate) fn lose(&mut self, author: AuthorId, has_left: bool, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        let Self { contacts, chance } = self;
        contacts.retain_mut(|contact| {
            if contact.state.author() != Some(author) {
                return true;
            }
            steps.extend(contact.state.way().map(Step::HangUp));
            contact.heard_of = now;
            contact.wait(chance, now);
            contact.is_given || !has_left
        });
        steps
    }

    /// What is due.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        let Self { contacts, chance } = self;
        for contact in contacts.iter_mut() {
            contact.expire(chance, now, &mut steps);
        }
        contacts.retain(|contact| !contact.is_forgotten(now));
        steps
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Instant {
        self.contacts.iter().map(|contact| contact.state.deadline()).min().unwrap_or(Instant::NEVER)
    }

    /// Whether somebody may still be found.
    pub(crate) fn is_calling(&self) -> bool {
        self.contacts.iter().any(|contact| contact.state != State::Own)
    }

    fn of(&mut self, way: WayId) -> Option<&mut Contact> {
        self.contacts.iter_mut().find(|contact| contact.state.way() == Some(way))
    }
}

impl Contact {
    fn new(address: Address, is_given: bool, now: Instant) -> Self {
        let backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let state = State::Waiting { until: now };
        let (is_met, attempts, answers_at) = (false, 0, now);
        Self { address, is_given, is_met, heard_of: now, backoff, attempts, answers_at, state }
    }

    fn wait(&mut self, chance: &mut fastrand::Rng, now: Instant) {
        self.state = State::Waiting { until: now + self.backoff.next(chance.u64(..)) };
    }

    fn expire(&mut self, chance: &mut fastrand::Rng, now: Instant, steps: &mut Vec<Step>) {
        match self.state {
            State::Waiting { until } if until <= now => {
                let way = chance.u64(1..);
                steps.push(Step::Dial(way, self.address.clone(), self.attempts));
                steps.push(Step::Greet(way));
                (self.attempts, self.answers_at) = (self.attempts.wrapping_add(1), now);
                let (until, greet_at, gap) = (now + PATIENCE, now + GREETING.0, GREETING.0);
                self.state = State::Calling { way, until, greet_at, gap };
            }
            State::Calling { way, until, .. } if until <= now => {
                steps.push(Step::HangUp(way));
                self.wait(chance, now);
            }
            State::Calling { way, until, greet_at, gap } if greet_at <= now => {
                steps.push(Step::Greet(way));
                let gap = (gap * 2).min(GREETING.1);
                self.state = State::Calling { way, until, greet_at: now + gap, gap };
            }
            _ => {}
        }
    }

    fn is_idle(&self) -> bool {
        matches!(self.state, State::Waiting { .. } | State::Alias { .. } | State::Own)
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        !self.is_given && self.is_idle() && now.since(self.heard_of) >= TRIED_FOR
    }
}

impl State {
    fn way(&self) -> Option<WayId> {
        match *self {
            Self::Calling { way, .. } | Self::Leads { way, .. } => Some(way),
            Self::Waiting { .. } | Self::Alias { .. } | Self::Own => None,
        }
    }

    fn author(&self) -> Option<AuthorId> {
        match *self {
            Self::Leads { author, .. } | Self::Alias { author } => Some(author),
            Self::Waiting { .. } | Self::Calling { .. } | Self::Own => None,
        }
    }

    fn deadline(&self) -> Instant {
        match *self {
            Self::Waiting { until } => until,
            Self::Calling { until, greet_at, .. } => until.min(greet_at),
            Self::Leads { .. } | Self::Alias { .. } | Self::Own => Instant::NEVER,
        }
    }
}
