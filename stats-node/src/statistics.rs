//! What all nodes have counted, added up: the latest word of every start of every node, and what those that are no more
//! have left.
//!
//! Totals never fall and nothing counts twice: a new start of a node is a [`Teller`] of its own beside the old one, whose
//! last word stays. Only to bound memory is an old one folded into the base, and then it is not heard again.
//! No input or output here, and time is an input.

use std::{collections::BTreeMap, time::Duration};

use proto::{id::Incarnation, time::Instant};
use runtime::report::{Published, Report};

use crate::{
    events::Events,
    rates::Rates,
    saved::{SAVED_VERSION, Saved},
    sight::{SavedSight, Sight},
    teller::{FORGOTTEN_AFTER, STALE_AFTER, State, Step, Teller},
};

/// Starts of nodes that are kept apart. Beyond, those that have been silent for longest are folded into the base.
const MAX_TELLERS: usize = 4096;
/// Shards of one start, and routes and destinations with a sight, that are believed in.
const MAX_SHARDS: usize = 1024;
const MAX_SIGHTS: usize = 65_536;

/// A node's name, and which start of it.
pub(crate) type TellerKey = (String, Incarnation);

/// Everything that is known.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    tellers: BTreeMap<TellerKey, Teller>,
    /// What folded starts had counted.
    base: Totals,
    /// The latest start of each node that was folded.
    folded: BTreeMap<String, Incarnation>,
    sights: BTreeMap<(String, String), Sight>,
    /// Moving rates.
    pub rates: Rates,
    /// What nodes tell at once.
    pub events: Events,
    /// Reports that were not taken: repeated, late, or of a start that is folded.
    pub passed_over: u64,
    /// Messages that could not be read.
    pub malformed: u64,
}

/// Sums. What workers count, their ingress has counted as well: the two are never added.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Of ingresses, and of everything in one process.
    pub fabric: Report,
    /// Of workers.
    pub workers: Report,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        if is_worker(report) { self.workers.add_node(report) } else { self.fabric.add_node(report) }
    }
}

/// Where there is news of a destination, takes it.
fn look(sights: &mut BTreeMap<(String, String), Sight>, step: Step<'_>) {
    for (before, route) in step.routes() {
        for (index, after) in route.destinations.iter().enumerate() {
            let before = before.and_then(|before| before.destinations.get(index));
            if !Sight::is_news(before, after) {
                continue;
            }
            let place = (route.route.clone(), after.destination.clone());
            if sights.len() < MAX_SIGHTS || sights.contains_key(&place) {
                sights.entry(place).or_default().observe(before, after, step.at);
            }
        }
    }
}

fn is_worker(report: &Report) -> bool {
    report.node == "fanout"
}

impl Statistics {
    /// Takes a report.
    pub fn observe(&mut self, published: Published, now: Instant) {
        let key = (published.node.clone(), published.incarnation);
        if !self.is_welcome(&key, published.shard) {
            self.passed_over += 1;
            return;
        }
        let (rates, sights) = (&mut self.rates, &mut self.sights);
        let teller = self.tellers.entry(key.clone()).or_default();
        let heard = teller.hear(published, now, |step| {
            if is_worker(step.after) {
                rates.observe_worker(&key.0, step);
            } else {
                rates.observe(&key.0, step);
            }
            look(sights, step);
        });
        self.passed_over += u64::from(heard.is_none());
    }

    fn is_welcome(&self, key: &TellerKey, shard: u16) -> bool {
        usize::from(shard) < MAX_SHARDS
            && match self.tellers.get(key) {
                Some(_) => true,
                None => self.folded.get(&key.0).is_none_or(|folded| key.1 > *folded),
            }
    }

    /// Folds what is long over into the base. For now and then.
    pub fn tidy(&mut self, now: Instant) {
        let over: Vec<TellerKey> =
            self.known().filter(|known| known.is_over(now)).map(|known| known.key.clone()).collect();
        for key in &over {
            self.fold(key);
        }
        while self.tellers.len() > MAX_TELLERS {
            let quietest = self.tellers.iter().max_by_key(|(_, teller)| teller.silent_for(now));
            let Some(quietest) = quietest.map(|(key, _)| key.clone()) else { return };
            self.fold(&quietest);
        }
        let tellers = &self.tellers;
        let is_shown = |node: &str| {
            let starts = tellers.range((node.to_owned(), Incarnation(0))..);
            starts
                .take_while(|(key, _)| key.0 == node)
                .any(|(_, teller)| teller.silent_for(now) < FORGOTTEN_AFTER)
        };
        self.rates.retain_nodes(is_shown);
    }

    fn fold(&mut self, key: &TellerKey) {
        let Some(teller) = self.tellers.remove(key) else { return };
        self.base.add(&teller.legacy());
        let folded = self.folded.entry(key.0.clone()).or_default();
        *folded = key.1.max(*folded);
        if self.folded.len() > MAX_TELLERS {
            let oldest = self.folded.iter().min_by_key(|(_, incarnation)| **incarnation);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.folded.remove(&oldest);
            }
        }
    }

    /// Everything added up.
    pub fn totals(&self, now: Instant) -> Totals {
        let mut totals = self.base.clone();
        for known in self.known() {
            let has_more_to_say = known.is_shown(now) && known.teller.state(now) != State::Gone;
            totals.add(&if has_more_to_say { known.teller.sum() } else { known.teller.legacy() });
        }
        totals
    }

    /// For how long a destination has been away, if it is, as far as its living workers know.
    pub fn away_for(&self, route: &str, destination: &str, now: Instant) -> Option<Duration> {
        self.sights.get(&(route.to_owned(), destination.to_owned()))?.away_for(now)
    }

    /// Every start of every node.
    pub fn known(&self) -> impl Iterator<Item = Known<'_>> {
        let mut following = self.tellers.keys().skip(1);
        self.tellers.iter().map(move |(key, teller)| {
            let is_superseded = following.next().is_some_and(|next| next.0 == key.0);
            Known { key, teller, is_superseded }
        })
    }

    /// What a report of each living shard must be later than to be a further one.
    pub fn heard(&self, now: Instant) -> BTreeMap<(TellerKey, u16), u64> {
        let living = self.known().filter(|known| known.teller.state(now) == State::Live);
        living
            .flat_map(|known| {
                known.teller.sequences().map(|(shard, sequence)| ((known.key.clone(), shard), sequence))
            })
            .collect()
    }

    /// Whether each of these has reported so many times more, what it said last after `then`, or is no more.
    pub fn has_heard(&self, since: &BTreeMap<(TellerKey, u16), u64>, further: u64, then: Instant) -> bool {
        since.iter().all(|((key, shard), before)| {
            let teller = self.tellers.get(key);
            teller.is_none_or(|teller| teller.has_said(*shard, before.saturating_add(further), then))
        })
    }

    /// As it is to be written down, at this wall-clock time.
    pub fn save(&self, time: u64, now: Instant) -> Saved {
        Saved {
            version: SAVED_VERSION,
            time,
            base: self.base.clone(),
            nodes: self
                .tellers
                .iter()
                .map(|((node, start), teller)| teller.save(node, *start, now))
                .collect(),
            folded: self.folded.clone(),
            rates: self.rates.save(now),
            sights: self
                .sights
                .iter()
                .map(|((route, destination), sight)| sight.save(route, destination, now))
                .collect(),
        }
    }

    /// As it was written down this long ago.
    pub fn restore(saved: Saved, gap: Duration, now: Instant) -> Self {
        let rates = Rates::restore(&saved.rates, gap, now);
        let restored = |node: crate::teller::SavedTeller| {
            ((node.node.clone(), node.incarnation), Teller::restore(node, now))
        };
        let tellers = saved.nodes.into_iter().map(restored).collect();
        let seen = |saved: SavedSight| {
            ((saved.route.clone(), saved.destination.clone()), Sight::restore(&saved, gap, now))
        };
        let sights = saved.sights.into_iter().take(MAX_SIGHTS).map(seen).collect();
        Self { tellers, base: saved.base, folded: saved.folded, rates, sights, ..Self::default() }
    }

    /// All who have reported are no more: what they had counted is the base now, and what they saw is not known.
    pub fn bury(&mut self) {
        let all: Vec<TellerKey> = self.tellers.keys().cloned().collect();
        for key in &all {
            self.fold(key);
        }
        self.folded.clear();
        self.sights.clear();
    }
}

/// One start of a node, and whether there is a later one.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its name, and which start.
    pub key: &'a TellerKey,
    /// What it said.
    pub teller: &'a Teller,
    /// There is a later start under its name.
    pub is_superseded: bool,
}

impl Known<'_> {
    /// Whether it is one of the nodes there are: not forgotten, nor silent since a later start.
    pub fn is_shown(&self, now: Instant) -> bool {
        let limit = if self.is_superseded { STALE_AFTER } else { FORGOTTEN_AFTER };
        self.teller.silent_for(now) < limit
    }

    fn is_over(&self, now: Instant) -> bool {
        self.is_superseded && self.teller.silent_for(now) >= FORGOTTEN_AFTER
    }
}

#[cfg(test)]
mod tests;
