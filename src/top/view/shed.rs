//! The page of what was shed: each destination and reason, most of it first.

use proto::counters::Tally;
use ratatui::{Frame, layout::Rect, text::Line};
use stats_node::Summary;

use super::{
    super::{
        escapes::harmless,
        number::{count, volume},
        past::{Name, Past},
    },
    Sight, around,
    table::{self, Column},
};

/// What was shed of a destination for one reason.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    route: &'a str,
    destination: &'a str,
    reason: &'a str,
    tally: Tally,
}

/// All of it, most frames first.
pub(crate) fn entries(summary: &Summary) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for route in &summary.routes {
        for destination in &route.report.destinations {
            let (route, name) = (&route.report.route, &destination.destination);
            let entry = |(reason, &tally)| Entry { route, destination: name, reason, tally };
            entries
                .extend(destination.shed.iter().map(|(reason, tally)| (reason.as_str(), tally)).map(entry));
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.tally.frames));
    entries
}

impl Entry<'_> {
    /// Whose it is.
    pub(crate) fn name(&self) -> Name {
        (self.route.to_owned(), Some(self.destination.to_owned()))
    }

    /// Frames of the last ten seconds.
    fn of_late(&self, past: &Past) -> u64 {
        let is_it = |of: &&Entry| {
            (of.route, of.destination, of.reason) == (self.route, self.destination, self.reason)
        };
        past.risen(|summary| entries(summary).iter().find(is_it).map_or(0, |entry| entry.tally.frames))
    }
}

/// Draws the page.
pub(crate) fn draw(frame: &mut Frame, area: Rect, sight: &Sight, summary: &Summary) {
    let (entries, paint, past) = (entries(summary), sight.paint, &sight.watch.past);
    if entries.is_empty() {
        return around::remark(
            frame,
            area,
            "Nothing was shed.",
            "Every destination got all that was meant for it.",
        );
    }
    let columns = vec![
        Column::words("ROUTE", 12, |entry: &Entry| harmless(entry.route).into()),
        Column::words("REASON", 15, move |entry: &Entry| Line::styled(harmless(entry.reason), paint.odd())),
        Column::numbers("FRAMES", 8, |entry: &Entry| count(entry.tally.frames).into()),
        Column::numbers("LAST 10 S", 9, |entry: &Entry| count(entry.of_late(past)).into()),
        Column::numbers("BYTES", 9, |entry: &Entry| volume(entry.tally.bytes).into()),
    ];
    let mut columns = columns;
    columns.insert(1, Column::words("DESTINATION", 14, |entry: &Entry| harmless(entry.destination).into()));
    table::draw(frame, area, sight, columns, &entries);
}
