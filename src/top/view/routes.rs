//! The page of routes: each with its destinations below it, how fast they are and what became of frames.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};
use runtime::report::{DestinationReport, Requests, ServerReport};
use stats_node::{FlowRates, RouteSummary, Summary};

use super::{
    super::{
        escapes::harmless,
        number::{self, count},
        past::{Name, Past},
    },
    Paint, Sight, requests,
    table::{self, Column},
};

/// Eighths of a row, for a curve.
const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// How wide a curve may be, and has to be.
const CURVE: u16 = 20;

/// A route, or a destination of it.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    summary: &'a Summary,
    route: &'a RouteSummary,
    destination: Option<&'a DestinationReport>,
    is_last: bool,
}

/// Each route, and after it its destinations.
pub(crate) fn entries(summary: &Summary) -> Vec<Entry<'_>> {
    summary.routes.iter().flat_map(|route| of_route(summary, route)).collect()
}

fn of_route<'a>(summary: &'a Summary, route: &'a RouteSummary) -> impl Iterator<Item = Entry<'a>> {
    let entry = move |destination, is_last| Entry { summary, route, destination, is_last };
    let destinations = &route.report.destinations;
    let below = destinations.iter().enumerate();
    let below = below.map(move |(at, destination)| entry(Some(destination), at + 1 == destinations.len()));
    std::iter::once(entry(None, false)).chain(below)
}

impl Entry<'_> {
    /// What it is called.
    pub(crate) fn name(&self) -> Name {
        let destination = self.destination.map(|destination| destination.destination.clone());
        (self.route.report.route.clone(), destination)
    }

    /// Requests of its route, if that listens on `http://`.
    pub(super) fn requests(&self) -> Option<&Requests> {
        self.route.report.http.as_ref()
    }

    /// What was counted of a server.
    pub(super) fn server(&self) -> Option<&ServerReport> {
        self.requests()?.servers.get(&self.destination?.destination)
    }

    /// What a route gets from its sources, or a destination takes.
    fn flow(&self) -> FlowRates {
        let Some(destination) = self.destination else { return self.route.flow };
        let is_it = |known: &&stats_node::DestinationSummary| {
            known.route == self.route.report.route && known.destination == destination.destination
        };
        self.summary.destinations.iter().find(is_it).map(|known| known.flow).unwrap_or_default()
    }

    /// Of the destination, or of all of the route's.
    fn sum(&self, of: impl Fn(&DestinationReport) -> u64) -> u64 {
        match self.destination {
            Some(destination) => of(destination),
            None => self.route.report.destinations.iter().map(of).sum(),
        }
    }

    fn label(&self, paint: Paint) -> Line<'static> {
        let Some(destination) = self.destination else {
            let listen = self.route.report.listen.as_deref().unwrap_or_default();
            let name = Span::styled(harmless(&self.route.report.route), paint.title());
            return Line::from(vec![name, Span::styled(format!(" {}", harmless(listen)), paint.aside())]);
        };
        let branch = if self.is_last { "└ " } else { "├ " };
        let address = format!(" {}", harmless(&destination.address));
        Line::from(vec![
            Span::styled(branch, paint.aside()),
            Span::raw(harmless(&destination.destination)),
            Span::styled(address, paint.aside()),
        ])
    }

    /// Whether a destination is there, and a server in the ring; how many sources or clients a route has.
    fn state(&self, paint: Paint) -> Line<'static> {
        match self.destination {
            None => Line::from(format!("{} live", count(self.route.report.live()))),
            Some(destination) if !destination.is_away => match self.server() {
                Some(server) if !server.is_in_ring => Line::styled("out", paint.odd()),
                _ => Line::styled("ok", paint.good()),
            },
            Some(destination) if destination.role == "primary" => Line::styled("away", paint.bad()),
            Some(_) => Line::styled("away", paint.odd()),
        }
    }
}

/// Draws the page.
pub(crate) fn draw(frame: &mut Frame, area: Rect, sight: &Sight, summary: &Summary) {
    let (entries, paint, past) = (entries(summary), sight.paint, &sight.watch.past);
    let mut columns = vec![
        Column::words("ROUTE / DESTINATION", 20, move |entry: &Entry| entry.label(paint)),
        Column::words("STATE", 9, move |entry: &Entry| entry.state(paint)),
        Column::numbers("FRAMES/S", 8, |entry: &Entry| number::rate(entry.flow().frame_rate_1s).into()),
        Column::numbers("HELD", 6, |entry: &Entry| count(entry.sum(|of| of.in_flight.frames)).into()),
        Column::numbers("SHED", 6, move |entry: &Entry| {
            alarming(entry.sum(|of| of.shed_total().frames), paint)
        }),
    ];
    columns.extend(requests::columns(summary, paint, past));
    columns.extend(further_columns(paint, past));
    table::draw(frame, area, sight, columns, &entries);
}

/// For wider screens.
fn further_columns(paint: Paint, past: &Past) -> Vec<Column<'_, Entry<'_>>> {
    let latency = |percent| move |entry: &Entry| latency(entry, past, percent).into();
    vec![
        Column::numbers("DIFF", 6, move |entry: &Entry| alarming(entry.sum(diverged), paint)),
        Column::numbers("P50≤", 6, latency(50)),
        Column::numbers("P99≤", 6, latency(99)),
        Column::words("LAST MINUTES", CURVE, move |entry: &Entry| {
            Line::styled(curve(past, &entry.name()), paint.curve())
        }),
        Column::numbers("BYTES/S", 9, |entry: &Entry| number::bytes(entry.flow().byte_rate_1s).into()),
        Column::numbers("CONN", 6, |entry: &Entry| match entry.destination {
            Some(destination) => count(destination.connections).into(),
            None => Line::default(),
        }),
        Column::numbers("OUTAGES", 7, |entry: &Entry| match entry.destination {
            Some(destination) => count(destination.outages).into(),
            None => Line::default(),
        }),
    ]
}

/// Replies that were missing, extra or different.
fn diverged(destination: &DestinationReport) -> u64 {
    destination.said.map_or(0, |said| said.different + said.missing + said.extra)
}

fn alarming(number: u64, paint: Paint) -> Line<'static> {
    if number == 0 { Line::from("0") } else { Line::styled(count(number), paint.odd()) }
}

/// Of a route: how long sources waited for the primary of late.
fn latency(entry: &Entry, past: &Past, percent: u64) -> String {
    match (entry.destination, past.reply_micros(&entry.route.report.route, percent)) {
        (None, Some(micros)) => number::latency(micros),
        (None, None) => "-".to_owned(),
        (Some(_), _) => String::new(),
    }
}

/// The rate of the last minutes, each column the mean of as many seconds as it takes to show all of them.
fn curve(past: &Past, name: &Name) -> String {
    let rates: Vec<f64> = past.rates(name).collect();
    let seconds = rates.len().div_ceil(usize::from(CURVE)).max(1);
    // From the end, so that the latest column is whole.
    let means: Vec<f64> = rates.rchunks(seconds).rev().map(mean).collect();
    let highest = means.iter().copied().fold(0.0, f64::max);
    means.into_iter().map(|mean| eighth(mean, highest)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a few seconds")]
fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / rates.len() as f64
}

#[expect(clippy::cast_sign_loss, reason = "rates are not negative, and what is drawn is within its row")]
fn eighth(rate: f64, highest: f64) -> char {
    if highest <= 0.0 {
        return EIGHTHS[0];
    }
    let at = (rate / highest * 7.0).round().max(0.0) as usize;
    EIGHTHS[at.min(EIGHTHS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::top::watch::tests::summary;

    #[test]
    fn a_curve_rises_with_the_rate_and_fits_its_column() {
        let (mut past, main) = (Past::default(), ("main".to_owned(), None));
        assert_eq!(curve(&past, &main), "");
        past.take(Arc::new(summary(0)));
        assert_eq!(curve(&past, &main), "▁");
        for moment in [1, 2, 7] {
            past.take(Arc::new(summary(moment)));
        }
        assert_eq!(curve(&past, &main), "▁▂▃█");
        for moment in 0..200 {
            past.take(Arc::new(summary(moment)));
        }
        let curve = curve(&past, &main);
        assert_eq!(curve.chars().count(), usize::from(CURVE));
        assert!(curve.ends_with('█') && curve.starts_with('▂'), "{curve}");
    }
}
