//! Reports: the counters of a node as people and machines read them, and as they are published.
//!
//! Every shard makes one; they are added up destination by destination. The shape is the JSON that SIGUSR1 prints and,
//! in MessagePack, what is published on topic `report`; `publish` does that.

mod requests;

use std::collections::BTreeMap;

use proto::{
    counters::{Account, ShedReason, Tally},
    id::Incarnation,
};
use serde::{Deserialize, Serialize};

pub use self::requests::{CacheReport, Requests, ServerReport};

/// The topic reports are published on.
pub const TOPIC: &[u8] = b"report";

/// One report as published: who says it, when, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Which node.
    pub node: String,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Which shard of it.
    pub shard: u16,
    /// Counts the shard's reports, from 1.
    pub sequence: u64,
    /// Milliseconds since 1970.
    pub time: u64,
    /// What it has counted since its start.
    pub report: Report,
    /// The shard ends, and this is its last word.
    #[serde(default)]
    pub is_last: bool,
}

/// What a node has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `up`, `ingress` or `fanout`.
    pub node: String,
    /// By route, in the order of the settings.
    pub routes: Vec<RouteReport>,
    /// About links to other nodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, u64>,
}

/// What was counted of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteReport {
    /// Its name.
    pub route: String,
    /// Where it listens; nothing at a worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// What sources said and were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Messages, where the codec is `foo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foo: Option<Foo>,
    /// How long the primary takes to reply; nothing at a worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Requests, where it listens on `http://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Requests>,
    /// By destination, the primary first.
    pub destinations: Vec<DestinationReport>,
}

/// Sessions of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Begun.
    pub opened: u64,
    /// Ended.
    pub ended: u64,
    /// Begun and not ended.
    pub live: u64,
    /// Turned away.
    pub turned_away: u64,
}

/// What passed between a route and its sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// From sources.
    pub received: Tally,
    /// To sources.
    pub sent: Tally,
    /// Frames of sources longer than `max_frame`.
    pub oversized: u64,
    /// Things said that the ledger forgot before their time, because one session said too many.
    pub forgotten: u64,
    /// Datagrams of sources that the kernel dropped, because they were not fetched in time.
    #[serde(default)]
    pub kernel_drops: u64,
    /// Datagrams to sources that the kernel would not send.
    #[serde(default)]
    pub unsent: u64,
}

/// Messages of the Foo protocol between sources and the primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foo {
    /// Requests.
    pub req: u64,
    /// Replies that acknowledge.
    pub ack: u64,
    /// Replies that do not.
    pub nak: u64,
    /// Lines of sources that are no requests.
    pub invalid_source: u64,
    /// Lines of the primary that are no replies.
    pub invalid_primary: u64,
}

impl Foo {
    fn add(&mut self, other: &Self) {
        self.req += other.req;
        self.ack += other.ack;
        self.nak += other.nak;
        self.invalid_source += other.invalid_source;
        self.invalid_primary += other.invalid_primary;
    }
}

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Bucket `i` counts those of at most 2^i microseconds that are in none before it.
    pub buckets: Vec<u64>,
    /// Microseconds, all told.
    pub sum_micros: u64,
    /// How many there were.
    pub count: u64,
}

impl Latency {
    fn add(&mut self, other: &Self) {
        self.buckets.resize(self.buckets.len().max(other.buckets.len()), 0);
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.sum_micros += other.sum_micros;
        self.count += other.count;
    }
}

/// What was counted of a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationReport {
    /// Its name.
    pub destination: String,
    /// `primary`, `secondary` or, where each session goes to one of them, `server`.
    pub role: String,
    /// Where it is.
    pub address: String,
    /// Offered to it: `accepted = delivered + in_flight + spooled + shed`.
    pub accepted: Tally,
    /// Taken by its socket.
    pub delivered: Tally,
    /// Held for it.
    pub in_flight: Tally,
    /// On disk.
    pub spooled: Tally,
    /// Discarded, by reason; reasons that never occurred are left out.
    pub shed: BTreeMap<String, Tally>,
    /// The part of `accepted` that was offered again after a worker was lost.
    pub replayed: Tally,
    /// Delivered, but not confirmed when the connection was reset.
    pub unconfirmed: Tally,
    /// What it said.
    pub received: Tally,
    /// Connections made to it.
    pub connections: u64,
    /// Times it went away.
    pub outages: u64,
    /// Whether it is away: its worker cannot connect to it. An ingress cannot know.
    #[serde(default)]
    pub is_away: bool,
    /// Sessions moved from one of its workers to another.
    pub moved: u64,
    /// Times it joined a `raw` stream that knew no pause, between two reads.
    pub forced_joins: u64,
    /// Times its machine said that nobody takes our datagrams there; not at an `ingress`, whose workers know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals: Option<u64>,
    /// What became of what it said; nothing at a worker.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

/// What became of what a destination said: of a secondary's replies against the primary's, and of what it began by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Replies that were the primary's as well.
    pub matched: u64,
    /// Replies of the primary's it did not give.
    pub missing: u64,
    /// Replies only it gave.
    pub extra: u64,
    /// Replies it gave instead of the primary's.
    pub different: u64,
    /// Replies of the primary's it was not held against.
    pub uncompared: u64,
    /// What it began by itself and the source was told.
    pub asks: u64,
    /// What another had said before, and was not said again.
    pub suppressed: u64,
    /// What it began, and no place was found for in time.
    pub asks_shed: u64,
    /// What may not reach the source.
    pub filtered: u64,
    /// Frames longer than `max_frame`.
    pub oversized: u64,
    /// The part of `accepted` that is the source's answers to what others had asked.
    pub injected: Tally,
}

impl Said {
    fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.missing += other.missing;
        self.extra += other.extra;
        self.different += other.different;
        self.uncompared += other.uncompared;
        self.asks += other.asks;
        self.suppressed += other.suppressed;
        self.asks_shed += other.asks_shed;
        self.filtered += other.filtered;
        self.oversized += other.oversized;
        self.injected += other.injected;
    }
}

impl DestinationReport {
    /// With the terms of an account.
    pub fn with_account(mut self, account: &Account) -> Self {
        self.accepted = account.accepted;
        self.delivered = account.delivered;
        self.in_flight = account.in_flight;
        self.spooled = account.spooled;
        self.replayed = account.replayed;
        let shed = ShedReason::ALL.iter().map(|&reason| (reason, account.shed[reason as usize]));
        self.shed =
            shed.filter(|(_, t)| !t.is_zero()).map(|(reason, t)| (reason.name().to_owned(), t)).collect();
        self
    }

    /// What was shed, over all reasons.
    pub fn shed_total(&self) -> Tally {
        self.shed.values().fold(Tally::ZERO, |sum, tally| sum + *tally)
    }

    /// S13: what was offered is delivered, held, on disk or shed.
    pub fn is_balanced(&self) -> bool {
        self.accepted == self.delivered + self.in_flight + self.spooled + self.shed_total()
    }

    fn add(&mut self, other: &Self, outages: Together) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.in_flight += other.in_flight;
        self.spooled += other.spooled;
        self.replayed += other.replayed;
        self.unconfirmed += other.unconfirmed;
        self.received += other.received;
        self.connections += other.connections;
        self.outages = outages(self.outages, other.outages);
        self.is_away |= other.is_away;
        self.moved += other.moved;
        self.forced_joins += other.forced_joins;
        merge(&mut self.said, other.said.as_ref(), Said::add);
        merge(&mut self.refusals, other.refusals.as_ref(), |mine, theirs| *mine += theirs);
        for (reason, tally) in &other.shed {
            *self.shed.entry(reason.clone()).or_default() += *tally;
        }
    }
}

/// How two counts become one.
type Together = fn(u64, u64) -> u64;

/// Adds what is there to what is there.
fn merge<T: Clone>(mine: &mut Option<T>, theirs: Option<&T>, add: impl FnOnce(&mut T, &T)) {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => add(mine, theirs),
        (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
        (_, None) => {}
    }
}

impl Sessions {
    fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.ended += other.ended;
        self.live += other.live;
        self.turned_away += other.turned_away;
    }
}

impl Source {
    fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.sent += other.sent;
        self.oversized += other.oversized;
        self.forgotten += other.forgotten;
        self.kernel_drops += other.kernel_drops;
        self.unsent += other.unsent;
    }
}

impl RouteReport {
    /// Sources with a session; where it listens on `http://`, clients that are connected.
    pub fn live(&self) -> u64 {
        let sessions = || self.sessions.map_or(0, |sessions| sessions.live);
        self.http.as_ref().map_or_else(sessions, |requests| requests.clients)
    }

    /// Takes in what was counted of another part of the same route.
    pub fn absorb(&mut self, part: &Self) {
        self.add(part, u64::max);
    }

    fn add(&mut self, other: &Self, outages: Together) {
        // The newest node knows best; shards agree.
        merge(&mut self.listen, other.listen.as_ref(), String::clone_from);
        merge(&mut self.sessions, other.sessions.as_ref(), Sessions::add);
        merge(&mut self.source, other.source.as_ref(), Source::add);
        merge(&mut self.foo, other.foo.as_ref(), Foo::add);
        merge(&mut self.latency, other.latency.as_ref(), Latency::add);
        merge(&mut self.http, other.http.as_ref(), Requests::add);
        for (index, theirs) in other.destinations.iter().enumerate() {
            match place(&self.destinations, index, |mine| mine.destination == theirs.destination) {
                Some(at) => self.destinations[at].add(theirs, outages),
                None => self.destinations.push(theirs.clone()),
            }
        }
    }
}

/// Where the one that is meant stands: nearly always where it stands in the other list.
fn place<T>(list: &[T], hint: usize, is_meant: impl Fn(&T) -> bool) -> Option<usize> {
    if list.get(hint).is_some_and(&is_meant) { Some(hint) } else { list.iter().position(is_meant) }
}

impl Report {
    /// Adds the report of another shard of the same node. Every shard notices the same outage by itself.
    pub fn add(&mut self, other: &Self) {
        self.merge(other, u64::max);
    }

    /// Adds the report of another node. Routes and destinations are known by their names.
    pub fn add_node(&mut self, other: &Self) {
        self.merge(other, |mine, theirs| mine + theirs);
    }

    fn merge(&mut self, other: &Self, outages: Together) {
        for (index, theirs) in other.routes.iter().enumerate() {
            match place(&self.routes, index, |mine| mine.route == theirs.route) {
                Some(at) => self.routes[at].add(theirs, outages),
                None => self.routes.push(theirs.clone()),
            }
        }
        for (name, count) in &other.links {
            *self.links.entry(name.clone()).or_default() += count;
        }
    }

    /// The sum of the shards' reports; `None` if there is none.
    pub fn sum(reports: impl IntoIterator<Item = Self>) -> Option<Self> {
        reports.into_iter().reduce(|mut sum, report| {
            sum.add(&report);
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(accepted: u64, outages: u64) -> Report {
        let destination = DestinationReport {
            destination: "primary".to_owned(),
            accepted: Tally::new(1, accepted),
            outages,
            shed: [("away".to_owned(), Tally::new(1, 2))].into(),
            ..DestinationReport::default()
        };
        let latency = Latency { buckets: vec![accepted, 1], sum_micros: accepted, count: 2 };
        let route = RouteReport {
            destinations: vec![destination],
            foo: Some(Foo { req: accepted, ack: 1, nak: 2, invalid_source: 3, invalid_primary: 4 }),
            latency: Some(latency),
            ..RouteReport::default()
        };
        Report { node: "up".to_owned(), routes: vec![route], ..Report::default() }
    }

    #[test]
    fn shards_are_added_up_but_an_outage_is_one_for_all() {
        let sum = Report::sum([report(10, 1), report(20, 1)]).unwrap();
        let destination = &sum.routes[0].destinations[0];
        assert_eq!(destination.accepted, Tally::new(2, 30));
        assert_eq!(destination.shed["away"], Tally::new(2, 4));
        assert_eq!(destination.outages, 1);
        let foo = Foo { req: 30, ack: 2, nak: 4, invalid_source: 6, invalid_primary: 8 };
        assert_eq!(sum.routes[0].foo, Some(foo));
        let latency = Latency { buckets: vec![30, 2], sum_micros: 30, count: 4 };
        assert_eq!(sum.routes[0].latency, Some(latency));
    }

    #[test]
    fn nodes_are_added_up_by_the_names_of_what_they_serve() {
        let mut sum = report(10, 1);
        let mut other = report(5, 2);
        other.routes[0].destinations.insert(0, DestinationReport::default());
        sum.add_node(&other);
        let destinations = &sum.routes[0].destinations;
        assert_eq!((destinations[0].accepted.bytes, destinations[0].outages), (15, 3));
        assert_eq!((destinations.len(), destinations[1].destination.as_str()), (2, ""));
    }
}
