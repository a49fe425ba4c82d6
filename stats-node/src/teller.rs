//! Who reports: one start of a node, and the last word of each of its shards.
//!
//! Reports are cumulative, so the latest is all there is to keep, and one that is lost, repeated or late changes nothing.
//! What has happened between two of them is told apart as a [`Step`].

use std::{collections::BTreeMap, time::Duration};

use proto::{counters::Tally, id::Incarnation, time::Instant};
use runtime::report::{Published, Report, RouteReport};
use serde::{Deserialize, Serialize};

use crate::lateness::Lateness;

/// A node that has been silent for so long is stale.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(3);
/// One that has been silent for so long is forgotten; what it counted is not.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// What becomes of what a node held when it ended without a word.
const LOST_WITH_NODE: &str = "node_lost";

/// How a start of a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It reports.
    Live,
    /// It has been silent for 3 s.
    Stale,
    /// It has said that it ends.
    Gone,
}

/// One start of a node.
#[derive(Clone, Debug, Default)]
pub struct Teller {
    shards: BTreeMap<u16, Word>,
    heard_at: Instant,
    /// How long it had been silent when it was taken up from a file.
    silent_before: Duration,
    /// Reports taken.
    pub reports: u64,
    /// Reports that never came.
    pub lost: u64,
}

/// What a shard said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Word {
    sequence: u64,
    time: u64,
    is_last: bool,
    report: Report,
    /// By our clock.
    #[serde(skip)]
    made_at: Instant,
    #[serde(skip)]
    lateness: Lateness,
}

/// A start of a node as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTeller {
    /// Its name.
    pub node: String,
    /// Which start of it.
    pub incarnation: Incarnation,
    shards: BTreeMap<u16, Word>,
    silent_millis: u64,
    reports: u64,
    lost: u64,
}

/// What happened between two reports of a shard.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    before: Option<&'a Report>,
    /// The later report.
    pub after: &'a Report,
    /// How long it took, by the clock of the node.
    pub took: Duration,
    /// When it was over, by ours.
    pub at: Instant,
}

impl Teller {
    /// Takes a report, and says what happened since the one before. None if it is older than what is known.
    pub fn hear<T>(
        &mut self,
        published: Published,
        now: Instant,
        tell: impl FnOnce(Step<'_>) -> T,
    ) -> Option<T> {
        let Published { incarnation, shard, sequence, time, report, is_last, .. } = published;
        self.heard_at = self.heard_at.max(now);
        self.silent_before = Duration::ZERO;
        let before = self.shards.get(&shard);
        let last = before.map_or(0, |word| word.sequence);
        if sequence <= last {
            return None;
        }
        // A node counts from its start, which its incarnation tells in the same clock.
        let since = before.map_or(incarnation.0, |word| word.time);
        let took = Duration::from_millis(time.saturating_sub(since));
        let mut lateness = before.map_or_else(Lateness::default, |word| word.lateness);
        let at = lateness.made_at(time, now);
        let told = tell(Step { before: before.map(|word| &word.report), after: &report, took, at });
        self.reports += 1;
        if before.is_some() {
            self.lost = self.lost.saturating_add(sequence - last - 1);
        }
        self.shards.insert(shard, Word { sequence, time, is_last, report, made_at: at, lateness });
        Some(told)
    }

    /// How it is doing.
    pub fn state(&self, now: Instant) -> State {
        let has_ended = !self.shards.is_empty() && self.shards.values().all(|word| word.is_last);
        match self.silent_for(now) {
            _ if has_ended => State::Gone,
            silent if silent >= STALE_AFTER => State::Stale,
            _ => State::Live,
        }
    }

    /// How long nothing has been heard of it.
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.since(self.heard_at) + self.silent_before
    }

    /// How many of its shards have reported.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The numbers of the reports of each shard, so that two further ones can be waited for.
    pub fn sequences(&self) -> impl Iterator<Item = (u16, u64)> {
        self.shards.iter().filter(|(_, word)| !word.is_last).map(|(&shard, word)| (shard, word.sequence))
    }

    /// Whether a shard has come to this number with a report that was made after then, or says no more.
    pub fn has_said(&self, shard: u16, sequence: u64, then: Instant) -> bool {
        let is_said = |word: &Word| word.is_last || (word.sequence >= sequence && word.made_at > then);
        self.shards.get(&shard).is_none_or(is_said)
    }

    /// What its shards have counted, added up.
    pub fn sum(&self) -> Report {
        Report::sum(self.shards.values().map(|word| word.report.clone())).unwrap_or_default()
    }

    /// What a node leaves that says no more: what it held was lost with it, and no source is connected to it.
    pub fn legacy(&self) -> Report {
        let mut report = self.sum();
        report.routes.iter_mut().for_each(settle);
        report
    }

    /// As it is to be written down.
    pub fn save(&self, node: &str, incarnation: Incarnation, now: Instant) -> SavedTeller {
        SavedTeller {
            node: node.to_owned(),
            incarnation,
            shards: self.shards.clone(),
            silent_millis: u64::try_from(self.silent_for(now).as_millis()).unwrap_or(u64::MAX),
            reports: self.reports,
            lost: self.lost,
        }
    }

    /// As it was written down. One that was heard at the time is given the time to report again.
    pub fn restore(saved: SavedTeller, now: Instant) -> Self {
        let silent = Duration::from_millis(saved.silent_millis);
        let silent_before = if silent < STALE_AFTER { Duration::ZERO } else { silent };
        let (reports, lost) = (saved.reports, saved.lost);
        Self { shards: saved.shards, heard_at: now, silent_before, reports, lost }
    }
}

fn settle(route: &mut RouteReport) {
    if let Some(sessions) = &mut route.sessions {
        sessions.ended += std::mem::take(&mut sessions.live);
    }
    for destination in &mut route.destinations {
        destination.is_away = false;
        let held = std::mem::take(&mut destination.in_flight);
        if !held.is_zero() {
            *destination.shed.entry(LOST_WITH_NODE.to_owned()).or_default() += held;
        }
    }
}

impl<'a> Step<'a> {
    /// Every route with itself before, which is nothing at first.
    pub fn routes(self) -> impl Iterator<Item = (Option<&'a RouteReport>, &'a RouteReport)> {
        self.after.routes.iter().enumerate().map(move |(index, route)| {
            let before = self.before.and_then(|before| before.routes.get(index));
            (before.filter(|before| before.route == route.route), route)
        })
    }
}

/// How much was added; nothing where it fell.
pub(crate) fn gain(before: Tally, after: Tally) -> Tally {
    Tally::new(after.frames.saturating_sub(before.frames), after.bytes.saturating_sub(before.bytes))
}

#[cfg(test)]
mod tests {
    use runtime::report::{DestinationReport, Sessions};

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn said(shard: u16, sequence: u64, frames: u64) -> Published {
        let in_flight = Tally::new(1, 1);
        let accepted = Tally::new(frames, frames);
        let delivered = Tally::new(frames - 1, frames - 1);
        let destination = DestinationReport {
            accepted,
            delivered,
            in_flight,
            is_away: true,
            ..DestinationReport::default()
        };
        let sessions = Some(Sessions { opened: 3, ended: 1, live: 2, turned_away: 0 });
        let route = RouteReport { sessions, destinations: vec![destination], ..RouteReport::default() };
        let report = Report { routes: vec![route], ..Report::default() };
        let (node, time) = ("n".to_owned(), 1_000 + sequence * 100);
        Published { node, incarnation: Incarnation(1_000), shard, sequence, time, report, is_last: false }
    }

    fn frames_of(teller: &Teller) -> u64 {
        teller.sum().routes[0].destinations[0].accepted.frames
    }

    #[test]
    fn lost_repeated_and_late_reports_change_nothing() {
        let mut teller = Teller::default();
        let took = |step: Step<'_>| step.took.as_millis();
        assert_eq!(teller.hear(said(0, 1, 5), at(0), took), Some(100));
        assert_eq!(teller.hear(said(0, 4, 9), at(300), took), Some(300));
        assert_eq!(teller.hear(said(0, 4, 9), at(301), took), None);
        assert_eq!(teller.hear(said(0, 3, 8), at(302), took), None);
        assert_eq!((frames_of(&teller), teller.reports, teller.lost), (9, 2, 2));
    }

    #[test]
    fn shards_are_added_up_and_each_has_its_own_numbers() {
        let mut teller = Teller::default();
        for (shard, frames) in [(0, 5), (1, 7)] {
            teller.hear(said(shard, 1, frames), at(0), |_| ()).unwrap();
        }
        assert_eq!((frames_of(&teller), teller.shards()), (12, 2));
    }

    #[test]
    fn a_node_goes_stale_in_silence_and_is_gone_when_all_of_it_has_said_so() {
        let mut teller = Teller::default();
        teller.hear(said(0, 1, 5), at(0), |_| ());
        teller.hear(said(1, 1, 5), at(0), |_| ());
        assert_eq!([2_999, 3_000].map(|millis| teller.state(at(millis))), [State::Live, State::Stale]);
        teller.hear(Published { is_last: true, ..said(0, 2, 5) }, at(3_100), |_| ());
        assert_eq!(teller.state(at(3_100)), State::Live);
        teller.hear(Published { is_last: true, ..said(1, 2, 5) }, at(3_100), |_| ());
        assert_eq!(teller.state(at(9_000)), State::Gone);
    }

    /// Fails if a restart of the stats-node brings to life, and then finds silent, who has long been forgotten.
    #[test]
    fn who_was_silent_when_it_was_written_down_is_silent_still() {
        let mut teller = Teller::default();
        teller.hear(said(0, 1, 5), at(0), |_| ());
        let restored = |millis| Teller::restore(teller.save("n", Incarnation(1), at(millis)), at(7));
        assert_eq!(
            (restored(2_999).state(at(7)), restored(700_000).state(at(7))),
            (State::Live, State::Stale)
        );
        let mut forgotten = restored(700_000);
        assert!(forgotten.silent_for(at(7)) >= FORGOTTEN_AFTER);
        forgotten.hear(said(0, 2, 6), at(8), |_| ());
        assert_eq!(forgotten.state(at(8)), State::Live);
    }

    /// Fails if what a dead node held stays in flight for ever, or the account no longer balances.
    #[test]
    fn what_a_dead_node_held_is_lost_with_it_and_counted() {
        let mut teller = Teller::default();
        teller.hear(said(0, 1, 5), at(0), |_| ());
        let legacy = teller.legacy();
        let (route, destination) = (&legacy.routes[0], &legacy.routes[0].destinations[0]);
        assert_eq!(
            (destination.in_flight, destination.shed[LOST_WITH_NODE]),
            (Tally::ZERO, Tally::new(1, 1))
        );
        assert!(destination.is_balanced() && !destination.is_away);
        assert_eq!(route.sessions.map(|sessions| (sessions.ended, sessions.live)), Some((3, 0)));
    }
}
