//! What is on the screen: pure functions from what is known, and where one is, to cells.
//!
//! Each page is a file: `routes` (with `requests` of routes of `http://`), `divergences`, `shed`, `nodes`. `around` is what is above and below them, `table` what
//! their tables have in common, `paint` how things look. Nothing here reads a clock, or changes anything but cells.

mod around;
mod divergences;
mod nodes;
mod paint;
mod requests;
mod routes;
mod shed;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use paint::Paint;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Text,
    widgets::Paragraph,
};
use stats_node::{Summary, Told};

use super::{
    keys::{Cursor, Page},
    past::Name,
    watch::{Contact, Watch},
};

/// What a screen needs at least.
const LEAST: (u16, u16) = (60, 15);

/// What there is to see.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    /// Where it comes from.
    pub(crate) place: &'a str,
    /// Whether anything comes, even while the screen stands still.
    pub(crate) contact: &'a Contact,
    /// What is known, or was when the screen was told to stand still.
    pub(crate) watch: &'a Watch,
    /// Where one is.
    pub(crate) cursor: &'a Cursor,
    /// How things look.
    pub(crate) paint: Paint,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

impl<'a> Sight<'a> {
    fn summary(&self) -> Option<&'a Summary> {
        self.watch.past.latest()
    }

    /// How many rows the page has that is looked at.
    pub(crate) fn rows(&self) -> usize {
        let Some(summary) = self.summary() else { return 0 };
        match self.cursor.page {
            Page::Routes => routes::entries(summary).len(),
            Page::Divergences => divergences::shown(summary, self.cursor.only.as_ref()).len(),
            Page::Shed => shed::entries(summary).len(),
            Page::Nodes => summary.nodes.len(),
        }
    }

    /// The divergence that is chosen, unless it is the latest, whichever that is.
    pub(crate) fn read(&self) -> Option<&'a Told> {
        let row = self.cursor.row(self.rows()).filter(|&row| row > 0)?;
        self.divergences()?.get(row).copied()
    }

    /// Where a divergence is now.
    pub(crate) fn row_of(&self, told: &Told) -> Option<usize> {
        self.divergences()?.into_iter().position(|shown| shown == told)
    }

    /// On their page.
    fn divergences(&self) -> Option<Vec<&'a Told>> {
        let is_here = self.cursor.page == Page::Divergences;
        is_here
            .then_some(self.summary()?)
            .map(|summary| divergences::shown(summary, self.cursor.only.as_ref()))
    }

    /// The route or the destination that is chosen, on a page that has them.
    pub(crate) fn chosen(&self) -> Option<Name> {
        let (summary, row) = (self.summary()?, self.cursor.row(self.rows())?);
        match self.cursor.page {
            Page::Routes => routes::entries(summary).get(row).map(routes::Entry::name),
            Page::Shed => shed::entries(summary).get(row).map(shed::Entry::name),
            Page::Divergences | Page::Nodes => None,
        }
    }
}

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame, sight: &Sight) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(frame, area);
    }
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(3), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    around::head(frame, head, sight);
    around::foot(frame, foot, sight);
    match sight.summary() {
        _ if sight.cursor.is_help => around::help(frame, body, sight.paint),
        None => around::waiting(frame, body, sight),
        Some(summary) => page(frame, body, sight, summary),
    }
}

fn page(frame: &mut Frame, area: Rect, sight: &Sight, summary: &Summary) {
    match sight.cursor.page {
        Page::Routes => routes::draw(frame, area, sight, summary),
        Page::Divergences => divergences::draw(frame, area, sight, summary),
        Page::Shed => shed::draw(frame, area, sight, summary),
        Page::Nodes => nodes::draw(frame, area, sight, summary),
    }
}

fn too_small(frame: &mut Frame, area: Rect) {
    let ((width, height), Rect { width: has, height: rows, .. }) = (LEAST, area);
    let text = format!("This is {has}×{rows}.\nIt takes {width}×{height}.\nq ends.");
    frame.render_widget(Paragraph::new(Text::from(text)), area);
}
