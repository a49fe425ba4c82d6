//! The page of nodes: who reports, and who should.

use std::time::Duration;

use ratatui::{Frame, layout::Rect, text::Line};
use stats_node::{NodeSummary, State, Summary};

use super::{
    super::{
        escapes::harmless,
        number::{self, count},
    },
    Paint, Sight, around,
    table::{self, Column},
};

/// Draws the page.
pub(crate) fn draw(frame: &mut Frame, area: Rect, sight: &Sight, summary: &Summary) {
    if summary.nodes.is_empty() {
        return around::remark(frame, area, "No node has reported.", "Nodes are told where to with --stats.");
    }
    let (paint, now) = (sight.paint, sight.now);
    let columns = vec![
        Column::words("NODE", 18, |node: &NodeSummary| harmless(&node.name).into()),
        Column::words("STATE", 10, move |node: &NodeSummary| state(node, paint)),
        Column::numbers("FRAMES/S", 8, |node: &NodeSummary| number::rate(node.flow.frame_rate_1s).into()),
        Column::numbers("SHARDS", 6, |node: &NodeSummary| node.shards.to_string().into()),
        Column::numbers("SILENT", 8, |node: &NodeSummary| {
            number::span(Duration::from_millis(node.silent_millis)).into()
        }),
        Column::words("KIND", 8, |node: &NodeSummary| harmless(&node.kind).into()),
        Column::words("ACCOUNT", 8, move |node: &NodeSummary| account(node, paint)),
        Column::numbers("UP", 10, move |node: &NodeSummary| up(node, now).into()),
        Column::numbers("REPORTS", 7, |node: &NodeSummary| count(node.reports).into()),
        Column::numbers("LOST", 6, |node: &NodeSummary| count(node.lost).into()),
    ];
    table::draw(frame, area, sight, columns, &summary.nodes);
}

fn state(node: &NodeSummary, paint: Paint) -> Line<'static> {
    match node.state {
        _ if node.is_superseded => Line::styled("superseded", paint.aside()),
        State::Live => Line::styled("live", paint.good()),
        State::Stale => Line::styled("stale", paint.bad()),
        State::Gone => Line::styled("gone", paint.aside()),
    }
}

/// Since its start, if it still is.
pub(crate) fn up(node: &NodeSummary, now: u64) -> String {
    match node.state {
        State::Live => number::span(Duration::from_millis(now.saturating_sub(node.incarnation.0))),
        State::Stale | State::Gone => "-".to_owned(),
    }
}

fn account(node: &NodeSummary, paint: Paint) -> Line<'static> {
    if node.is_balanced { Line::from("balanced") } else { Line::styled("off", paint.bad()) }
}
