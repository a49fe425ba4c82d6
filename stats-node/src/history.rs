//! How fast everything was of late: one point a second, so that a chart has a past when it is opened.
//!
//! Points are rates and not totals: a restart draws no cliff, and what is heard late is spread as it is in the windows.
//! They are not written down; after a restart the past begins anew.

use std::collections::VecDeque;

use serde::Serialize;

use crate::summary::{DestinationSummary, RouteSummary, Summary};

/// Points that are kept: five minutes.
const KEPT: usize = 300;
/// Routes and destinations in one point; what is beyond is left out.
const MAX_LINES: usize = 256;

/// The last points, oldest first.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct History {
    points: VecDeque<Point>,
}

/// One second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Point {
    /// Milliseconds since 1970.
    time: u64,
    routes: Vec<RoutePoint>,
}

/// How fast a route was.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct RoutePoint {
    route: String,
    /// Frames and bytes a second, from its sources.
    frames: f64,
    bytes: f64,
    destinations: Vec<DestinationPoint>,
}

/// How fast a destination was.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct DestinationPoint {
    destination: String,
    frames: f64,
    bytes: f64,
}

impl History {
    /// Takes the latest point; the oldest goes.
    pub(crate) fn push(&mut self, point: Point) {
        if self.points.len() >= KEPT {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }
}

impl Point {
    /// What is known now.
    pub(crate) fn of(summary: &Summary, time: u64) -> Self {
        let mut room = MAX_LINES;
        let routes = summary.routes.iter().map_while(|route| {
            room = room.checked_sub(1 + route.report.destinations.len())?;
            Some(RoutePoint::of(route, &summary.destinations))
        });
        Self { time, routes: routes.collect() }
    }
}

impl RoutePoint {
    fn of(route: &RouteSummary, destinations: &[DestinationSummary]) -> Self {
        let name = &route.report.route;
        let its = destinations.iter().filter(|destination| destination.route == *name);
        let (frames, bytes) = (route.flow.frame_rate_1s, route.flow.byte_rate_1s);
        Self { route: name.clone(), frames, bytes, destinations: its.map(DestinationPoint::of).collect() }
    }
}

impl DestinationPoint {
    fn of(summary: &DestinationSummary) -> Self {
        let (frames, bytes) = (summary.flow.frame_rate_1s, summary.flow.byte_rate_1s);
        Self { destination: summary.destination.clone(), frames, bytes }
    }
}

#[cfg(test)]
mod tests {
    use proto::time::Instant;

    use super::*;
    use crate::statistics::Statistics;

    fn nothing(time: u64) -> Point {
        Point::of(&Summary::of(&Statistics::default(), "up", Instant::ZERO), time)
    }

    /// Fails if what is kept grows for ever, or the newest goes instead of the oldest.
    #[test]
    fn five_minutes_are_kept_and_the_oldest_point_goes() {
        let mut history = History::default();
        (0..310).for_each(|second| history.push(nothing(second * 1000)));
        let times: Vec<_> = history.points.iter().map(|point| point.time).collect();
        assert_eq!((times.len(), times[0], times[299]), (300, 10_000, 309_000));
    }

    #[test]
    fn a_point_of_nothing_has_no_routes() {
        assert_eq!(serde_json::to_string(&nothing(7)).unwrap(), r#"{"time":7,"routes":[]}"#);
    }
}
