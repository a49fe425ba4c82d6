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

use std::{net::SocketAddr, time::Duration};

use proto::{backoff::Backoff, time::Instant};

use super::address::Address;
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
    heard_of: Instant,
    backoff: Backoff,
    attempts: u32,
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
        let contacts = given.into_iter().map(|address| Contact::new(address, true, now)).collect();
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

    /// This way leads there.
    pub(crate) fn found(&mut self, way: WayId, author: AuthorId) {
        if let Some(contact) = self.of(way) {
            contact.state = State::Leads { way, author };
            contact.backoff.reset();
        }
    }

    /// This way leads where another does already.
    pub(crate) fn rest(&mut self, way: WayId, author: AuthorId) -> Option<Step> {
        let contact = self.of(way)?;
        contact.state = State::Alias { author };
        Some(Step::HangUp(way))
    }

    /// This way leads back to oneself.
    pub(crate) fn is_own(&mut self, way: WayId, now: Instant) -> Option<Step> {
        let Self { contacts, chance } = self;
        let contact = contacts.iter_mut().find(|contact| contact.state.way() == Some(way))?;
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
        Self { address, is_given, heard_of: now, backoff, attempts: 0, state }
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
                self.attempts = self.attempts.wrapping_add(1);
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

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: AuthorId = AuthorId([1; 16]);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn ways(given: &[&str]) -> Ways {
        let given = given.iter().map(|address| address.parse().unwrap()).collect();
        Ways::new(given, fastrand::Rng::with_seed(1), at(0))
    }

    fn dialled(steps: &[Step]) -> Vec<WayId> {
        steps
            .iter()
            .filter_map(|step| if let Step::Dial(way, ..) = step { Some(*way) } else { None })
            .collect()
    }

    /// Lets time pass until something is dialled.
    fn next_dial(ways: &mut Ways, now: &mut Instant) -> WayId {
        loop {
            *now = ways.deadline();
            assert_ne!(*now, Instant::NEVER);
            if let [way, ..] = dialled(&ways.expire(*now))[..] {
                return way;
            }
        }
    }

    #[test]
    fn a_given_address_is_tried_for_ever_and_greeted_while_it_does_not_answer() {
        let mut ways = ways(&["a:1"]);
        let mut now = at(0);
        let first = ways.expire(now);
        let way = dialled(&first)[0];
        assert_eq!(first, [Step::Dial(way, "a:1".parse().unwrap(), 0), Step::Greet(way)]);
        assert_eq!(ways.expire(ways.deadline()), [Step::Greet(way)]);

        let end = at(24 * 3600 * 1000);
        let mut dials = 0;
        while now < end {
            next_dial(&mut ways, &mut now);
            dials += 1;
        }
        assert!(dials > 24 * 3600 / 10, "{dials}");
    }

    #[test]
    fn an_address_that_was_heard_of_is_forgotten_after_an_hour() {
        let mut ways = ways(&[]);
        ways.hear_of("10.0.0.1:1".parse().unwrap(), at(0));
        let mut now = at(0);
        while ways.deadline() != Instant::NEVER {
            now = ways.deadline();
            ways.expire(now);
        }
        assert!(now.since(at(0)) >= TRIED_FOR && now.since(at(0)) < TRIED_FOR + Duration::from_secs(10));
    }

    #[test]
    fn a_way_that_leads_somewhere_is_left_alone_until_its_author_is_lost() {
        let mut ways = ways(&["a:1"]);
        let way = dialled(&ways.expire(at(0)))[0];
        ways.found(way, ANN);
        assert_eq!((ways.deadline(), ways.author_of(way)), (Instant::NEVER, Some(ANN)));

        assert_eq!(ways.lose(ANN, false, at(10)), [Step::HangUp(way)]);

        let next = next_dial(&mut ways, &mut at(10));
        assert_eq!((ways.has(way), ways.has(next)), (false, true));
    }

    #[test]
    fn a_second_way_to_one_author_rests_and_one_to_oneself_ends() {
        let mut ways = ways(&["a:1", "b:1", "10.0.0.9:1"]);
        let made = dialled(&ways.expire(at(0)));
        ways.found(made[0], ANN);

        assert_eq!(ways.rest(made[1], ANN), Some(Step::HangUp(made[1])));
        assert_eq!(ways.is_own(made[2], at(0)), Some(Step::HangUp(made[2])));
        assert_eq!(ways.deadline(), Instant::NEVER);

        assert_eq!(ways.lose(ANN, true, at(5)), [Step::HangUp(made[0])]);
        let again = dialled(&ways.expire(at(10_000)));
        assert_eq!(again.len(), 2, "both that were given, and not oneself");
    }

    #[test]
    fn a_name_of_which_one_address_is_ones_own_is_tried_at_the_next() {
        let mut ways = ways(&["all:1"]);
        let own = dialled(&ways.expire(at(0)))[0];

        assert_eq!(ways.is_own(own, at(1)), Some(Step::HangUp(own)));

        let again = ways.expire(ways.deadline());
        let next = dialled(&again)[0];
        assert_eq!(again, [Step::Dial(next, "all:1".parse().unwrap(), 1), Step::Greet(next)]);
        ways.found(next, ANN);
        assert_eq!(ways.author_of(next), Some(ANN));
    }

    #[test]
    fn who_has_left_is_only_called_where_its_address_was_given() {
        let mut ways = ways(&[]);
        ways.call("10.0.0.1:1".parse().unwrap(), at(0));
        let way = dialled(&ways.expire(at(0)))[0];
        ways.found(way, ANN);

        assert_eq!(ways.lose(ANN, true, at(1)), [Step::HangUp(way)]);
        assert_eq!(ways.deadline(), Instant::NEVER);
    }

    #[test]
    fn no_more_addresses_are_known_than_the_most() {
        let mut ways = ways(&[]);
        for port in 1..=2_000 {
            ways.hear_of(SocketAddr::from(([10, 0, 0, 1], port)), at(0));
        }
        assert_eq!(dialled(&ways.expire(at(0))).len(), MAX_CONTACTS);

        // None of them is there.
        ways.expire(at(4_000));
        ways.call("10.0.0.2:1".parse().unwrap(), at(4_000));
        assert_eq!(dialled(&ways.expire(at(4_000))).len(), 1, "hearsay keeps out nobody who is there");
    }
}
