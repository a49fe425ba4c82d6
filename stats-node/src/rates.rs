//! Moving rates by route, destination and node: a window for everything that has one.
//!
//! They are fed with what happened between two reports of a shard. What a worker says counts for the worker only: its
//! ingress has counted the same.

use std::collections::BTreeMap;

use proto::{counters::Tally, time::Instant};
use runtime::report::{Foo, RouteReport};
use serde::{Deserialize, Serialize};

use crate::{
    teller::{Step, gain},
    window::{ONE_SECOND, SavedWindow, TEN_SECONDS, Window},
};

/// Routes, and nodes, and destinations of a route, that have rates. Those beyond are counted without.
const MAX_NAMES: usize = 1024;

/// All windows, or what was written down of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates<W = Window> {
    messages: Messages<W>,
    routes: BTreeMap<String, Route<W>>,
    nodes: BTreeMap<String, Flow<W>>,
}

/// Requests and responses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Messages<W> {
    requests: W,
    responses: W,
}

/// Frames and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Flow<W> {
    frames: W,
    bytes: W,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Route<W> {
    messages: Messages<W>,
    source: Flow<W>,
    destinations: BTreeMap<String, Flow<W>>,
}

/// Messages a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageRates {
    /// Requests, over the last second.
    pub request_rate_1s: f64,
    /// Requests, over the last ten.
    pub request_rate_10s: f64,
    /// Responses, over the last second.
    pub response_rate_1s: f64,
    /// Responses, over the last ten.
    pub response_rate_10s: f64,
}

/// Frames and bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowRates {
    /// Frames, over the last second.
    pub frame_rate_1s: f64,
    /// Frames, over the last ten.
    pub frame_rate_10s: f64,
    /// Bytes, over the last second.
    pub byte_rate_1s: f64,
    /// Bytes, over the last ten.
    pub byte_rate_10s: f64,
}

impl Rates {
    /// Takes what a shard of an ingress, or of everything in one, has counted since its last report.
    pub fn observe(&mut self, node: &str, step: Step<'_>) {
        let mut received = Tally::ZERO;
        for (before, after) in step.routes() {
            let source = source_gain(before, after);
            received += source;
            let messages = foo_gain(before, after);
            self.messages.add(messages, step);
            let Some(route) = named(&mut self.routes, &after.route) else { continue };
            route.messages.add(messages, step);
            route.source.add(source, step);
            for (index, destination) in after.destinations.iter().enumerate() {
                let known = before.and_then(|before| before.destinations.get(index));
                let delivered = known.map_or(Tally::ZERO, |known| known.delivered);
                if let Some(flow) = named(&mut route.destinations, &destination.destination) {
                    flow.add(gain(delivered, destination.delivered), step);
                }
            }
        }
        self.observe_node(node, received, step);
    }

    /// Takes what a shard of a worker has counted since its last report.
    pub fn observe_worker(&mut self, node: &str, step: Step<'_>) {
        let delivered = step.routes().filter_map(|(before, after)| {
            let before = before.and_then(|before| before.destinations.first());
            let before = before.map_or(Tally::ZERO, |before| before.delivered);
            after.destinations.first().map(|after| gain(before, after.delivered))
        });
        self.observe_node(node, delivered.fold(Tally::ZERO, |sum, tally| sum + tally), step);
    }

    fn observe_node(&mut self, node: &str, tally: Tally, step: Step<'_>) {
        if let Some(flow) = named(&mut self.nodes, node) {
            flow.add(tally, step);
        }
    }

    /// Over all routes.
    pub fn messages(&self, now: Instant) -> MessageRates {
        self.messages.rates(now)
    }

    /// Of a route: its messages, and what its sources send.
    pub fn of_route(&self, route: &str, now: Instant) -> (MessageRates, FlowRates) {
        self.routes
            .get(route)
            .map(|route| (route.messages.rates(now), route.source.rates(now)))
            .unwrap_or_default()
    }

    /// Of what a destination takes.
    pub fn of_destination(&self, route: &str, destination: &str, now: Instant) -> FlowRates {
        let flow = self.routes.get(route).and_then(|route| route.destinations.get(destination));
        flow.map(|flow| flow.rates(now)).unwrap_or_default()
    }

    /// Of what a node gets from its sources, or a worker gives to its destination.
    pub fn of_node(&self, node: &str, now: Instant) -> FlowRates {
        self.nodes.get(node).map(|flow| flow.rates(now)).unwrap_or_default()
    }

    /// Drops the nodes that are not to be shown any more.
    pub fn retain_nodes(&mut self, is_shown: impl Fn(&str) -> bool) {
        self.nodes.retain(|node, _| is_shown(node));
    }

    /// As they are to be written down.
    pub fn save(&self, now: Instant) -> Rates<SavedWindow> {
        self.map(&|window| window.save(now))
    }

    /// As they were written down this long ago.
    pub fn restore(saved: &Rates<SavedWindow>, gap: std::time::Duration, now: Instant) -> Self {
        saved.map(&|window| Window::restore(window, gap, now))
    }
}

fn named<'a, T: Default>(table: &'a mut BTreeMap<String, T>, name: &str) -> Option<&'a mut T> {
    if !table.contains_key(name) {
        if table.len() >= MAX_NAMES {
            return None;
        }
        table.insert(name.to_owned(), T::default());
    }
    table.get_mut(name)
}

fn source_gain(before: Option<&RouteReport>, after: &RouteReport) -> Tally {
    let received = |route: &RouteReport| route.source.map_or(Tally::ZERO, |source| source.received);
    gain(before.map_or(Tally::ZERO, received), received(after))
}

/// Requests and responses.
fn foo_gain(before: Option<&RouteReport>, after: &RouteReport) -> [u64; 2] {
    let counted = |route: &RouteReport| {
        let Foo { req, ack, nak, .. } = route.foo.unwrap_or_default();
        [req, ack + nak]
    };
    let (before, after) = (before.map_or([0; 2], counted), counted(after));
    [after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1])]
}

impl Messages<Window> {
    fn add(&mut self, [requests, responses]: [u64; 2], step: Step<'_>) {
        self.requests.spread(requests, step.took, step.at);
        self.responses.spread(responses, step.took, step.at);
    }

    fn rates(&self, now: Instant) -> MessageRates {
        MessageRates {
            request_rate_1s: self.requests.rate(ONE_SECOND, now),
            request_rate_10s: self.requests.rate(TEN_SECONDS, now),
            response_rate_1s: self.responses.rate(ONE_SECOND, now),
            response_rate_10s: self.responses.rate(TEN_SECONDS, now),
        }
    }
}

impl Flow<Window> {
    fn add(&mut self, tally: Tally, step: Step<'_>) {
        self.frames.spread(tally.frames, step.took, step.at);
        self.bytes.spread(tally.bytes, step.took, step.at);
    }

    fn rates(&self, now: Instant) -> FlowRates {
        FlowRates {
            frame_rate_1s: self.frames.rate(ONE_SECOND, now),
            frame_rate_10s: self.frames.rate(TEN_SECONDS, now),
            byte_rate_1s: self.bytes.rate(ONE_SECOND, now),
            byte_rate_10s: self.bytes.rate(TEN_SECONDS, now),
        }
    }
}

impl<W> Rates<W> {
    fn map<V>(&self, to: &impl Fn(&W) -> V) -> Rates<V> {
        Rates {
            messages: self.messages.map(to),
            routes: self.routes.iter().map(|(name, route)| (name.clone(), route.map(to))).collect(),
            nodes: flows(&self.nodes, to),
        }
    }
}

impl<W> Messages<W> {
    fn map<V>(&self, to: &impl Fn(&W) -> V) -> Messages<V> {
        Messages { requests: to(&self.requests), responses: to(&self.responses) }
    }
}

impl<W> Flow<W> {
    fn map<V>(&self, to: &impl Fn(&W) -> V) -> Flow<V> {
        Flow { frames: to(&self.frames), bytes: to(&self.bytes) }
    }
}

impl<W> Route<W> {
    fn map<V>(&self, to: &impl Fn(&W) -> V) -> Route<V> {
        Route {
            messages: self.messages.map(to),
            source: self.source.map(to),
            destinations: flows(&self.destinations, to),
        }
    }
}

fn flows<W, V>(flows: &BTreeMap<String, Flow<W>>, to: &impl Fn(&W) -> V) -> BTreeMap<String, Flow<V>> {
    flows.iter().map(|(name, flow)| (name.clone(), flow.map(to))).collect()
}
