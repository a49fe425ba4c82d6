//! Which routes of the machine stand for those of the settings.
//!
//! A route that replicates is one. A route of `http://` is one for each of its servers: a session of it goes to a single
//! server, and which one is not the machine's business.

use std::ops::Range;

use proto::id::RouteIndex;
use runtime::settings::{Destination, Route, Settings};

/// For each route of the settings, its routes of the machine.
#[derive(Clone, Debug)]
pub(crate) struct Places(Vec<Range<u16>>);

impl Places {
    pub(crate) fn of(settings: &Settings) -> Self {
        let mut next = 0;
        let ranges = settings.routes.iter().map(|route| {
            let begin = next;
            next += shares(route).count() as u16;
            begin..next
        });
        Self(ranges.collect())
    }

    /// The first of a route's, which is the only one unless it has servers.
    pub(crate) fn first(&self, route: usize) -> RouteIndex {
        RouteIndex(self.0[route].start)
    }

    /// All of a route's, in the order of its servers.
    pub(crate) fn of_route(&self, route: usize) -> impl Iterator<Item = RouteIndex> + use<> {
        self.0[route].clone().map(RouteIndex)
    }
}

/// The destinations of each route of the machine that stands for this one.
pub(crate) fn shares(route: &Route) -> impl Iterator<Item = &[Destination]> {
    let share = if route.http.is_some() { 1 } else { route.destinations.len().max(1) };
    route.destinations.chunks(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_a_route_and_other_routes_have_one() {
        let text = "[[route]]\nname = 'a'\nlisten = ':1'\ndestinations = ['x:1', 'y:1']\n\
                    [[route]]\nname = 'b'\nlisten = 'http://:2'\ndestinations = ['x:2', 'y:2', 'z:2']\n\
                    [[route]]\nname = 'c'\nlisten = 'udp://:3'\ndestinations = ['x:3']";
        let settings = Settings::from_toml("f", text).unwrap();

        let places = Places::of(&settings);

        let firsts: Vec<_> = (0..3).map(|route| places.first(route).0).collect();
        assert_eq!(firsts, [0, 1, 4]);
        assert_eq!(places.of_route(1).map(|index| index.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(shares(&settings.routes[0]).count(), 1);
    }
}
