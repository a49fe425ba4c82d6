//! The page of divergences: the latest first, and of the one that is chosen what was asked and both replies side by side,
//! with the first difference marked in both.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span, Text},
    widgets::{Block, Borders, Paragraph},
};
use serde_json::Value;
use stats_node::{Summary, Told};

use super::{
    super::{
        escapes::{harmless, units},
        number,
        past::Name,
    },
    Paint, Sight, around,
    table::{self, Column},
};

/// Units shown before the first difference, where a reply does not fit.
const BEFORE: usize = 16;
/// Rows of the list, where there is room for more below it.
const LISTED: u16 = 12;

/// The latest divergences first; all, or those of a route or a destination.
pub(crate) fn shown<'a>(summary: &'a Summary, only: Option<&Name>) -> Vec<&'a Told> {
    let is_shown = |told: &&Told| {
        only.is_none_or(|(route, destination)| {
            let is = |name: &str, wanted: &str| told.event.0[name] == wanted;
            is("route", route) && destination.as_ref().is_none_or(|wanted| is("destination", wanted))
        })
    };
    summary.divergences.iter().rev().filter(is_shown).collect()
}

/// Draws the page.
pub(crate) fn draw(frame: &mut Frame, area: Rect, sight: &Sight, summary: &Summary) {
    let shown = shown(summary, sight.cursor.only.as_ref());
    let Some(chosen) = sight.cursor.row(shown.len()).and_then(|row| shown.get(row)) else {
        let of = sight.cursor.only.as_ref().map(|name| format!(" of {}", named(name))).unwrap_or_default();
        return around::remark(frame, area, &format!("No divergences{of}."), "");
    };
    let rows = u16::try_from(shown.len() + 1).unwrap_or(u16::MAX).min(LISTED).min(area.height / 2);
    let [list, details] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(area);
    table::draw(frame, list, sight, columns(sight), &shown);
    draw_one(frame, details, sight.paint, &chosen.event.0);
}

/// A route, or a destination, as it is said.
pub(crate) fn named((route, destination): &Name) -> String {
    let destination = destination.as_ref().map(|name| format!(" → {}", harmless(name))).unwrap_or_default();
    format!("{}{destination}", harmless(route))
}

fn columns<'a>(sight: &Sight) -> Vec<Column<'a, &'a Told>> {
    let (paint, now) = (sight.paint, sight.now);
    let field = |name: &'static str| move |told: &&Told| text(&told.event.0, name).into();
    vec![
        Column::words("ROUTE", 12, field("route")),
        Column::words("DESTINATION", 14, field("destination")),
        Column::words("FINDING", 9, move |told: &&Told| {
            Line::styled(text(&told.event.0, "finding"), paint.odd())
        }),
        Column::numbers("AGO", 9, move |told: &&Told| ago(told.time, now).into()),
        Column::numbers("AT BYTE", 7, |told: &&Told| match told.event.0["offset"].as_u64() {
            Some(offset) => offset.to_string().into(),
            None => "-".into(),
        }),
        Column::numbers("MORE", 5, |told: &&Told| match told.event.0["left_out"].as_u64() {
            Some(left_out) if left_out > 0 => format!("+{}", number::count(left_out)).into(),
            _ => Line::default(),
        }),
        Column::words("REQUEST", 24, field("request")).wide(),
    ]
}

fn ago(time: u64, now: u64) -> String {
    match now.saturating_sub(time) {
        ..1_000 => "now".to_owned(),
        millis => number::span(Duration::from_millis(millis)),
    }
}

fn text(event: &Value, name: &str) -> String {
    event[name].as_str().map(harmless).unwrap_or_default()
}

fn draw_one(frame: &mut Frame, area: Rect, paint: Paint, event: &Value) {
    let [asked, replies] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
    let request = text(event, "request");
    let request = if request.is_empty() { "(not known any more)".to_owned() } else { request };
    let line = Line::from(vec![Span::styled("asked ", paint.title()), Span::raw(request)]);
    let session = Line::styled(format!("in session {}", text(event, "session")), paint.aside());
    frame.render_widget(Paragraph::new(Text::from(vec![line, session])), asked);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(replies);
    let offset = event["offset"].as_u64().and_then(|offset| usize::try_from(offset).ok());
    let secondary = text(event, "destination");
    for (area, title, said) in [(left, "primary", "primary"), (right, secondary.as_str(), "secondary")] {
        let block = Block::new().borders(Borders::TOP | Borders::LEFT).title(format!(" {title} "));
        let inside = block.inner(area);
        frame.render_widget(block, area);
        let reply = reply(&text(event, said), offset, inside.width, inside.height, paint);
        frame.render_widget(Paragraph::new(reply), inside);
    }
}

/// A reply in so many columns and rows, with the unit at `offset` marked, and cut before it if it would not be seen.
fn reply(said: &str, offset: Option<usize>, width: u16, height: u16, paint: Paint) -> Text<'static> {
    if said.is_empty() {
        return Text::from(Line::styled("(nothing)", paint.aside()));
    }
    let units = units(said);
    let room = usize::from(width) * usize::from(height);
    let until_offset: usize = units.iter().take(offset.unwrap_or(0) + 1).map(|unit| unit.len()).sum();
    let from = if until_offset < room { 0 } else { offset.unwrap_or(0).saturating_sub(BEFORE) };
    let mut lines = Wrapped::new(width);
    if from > 0 {
        lines.push("…", paint.aside());
    }
    for (at, unit) in units.iter().enumerate().skip(from) {
        lines.push(unit, if offset == Some(at) { paint.difference() } else { Style::new() });
    }
    // It ends where the other goes on.
    if offset == Some(units.len()) {
        lines.push("∎", paint.difference());
    }
    Text::from(lines.lines)
}

/// Text that is broken between units, so that no escape is torn.
struct Wrapped {
    lines: Vec<Line<'static>>,
    width: usize,
}

impl Wrapped {
    fn new(width: u16) -> Self {
        Self { lines: vec![Line::default()], width: usize::from(width) }
    }

    fn push(&mut self, unit: &str, style: Style) {
        let span = Span::styled(unit.to_owned(), style);
        match self.lines.last_mut() {
            Some(line) if line.width() + span.width() <= self.width => line.push_span(span),
            _ => self.lines.push(Line::from(span)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &Text) -> Vec<String> {
        let spans = text.lines.iter().flat_map(|line| &line.spans);
        let is_marked = |span: &&Span| span.style == Paint::Plain.difference();
        spans.filter(is_marked).map(|span| span.content.to_string()).collect()
    }

    fn rows(text: &Text) -> Vec<String> {
        text.lines.iter().map(ToString::to_string).collect()
    }

    /// Fails if an escape counts as its letters, and the mark stands beside the difference.
    #[test]
    fn the_unit_that_differs_is_marked_where_escapes_are_before_it() {
        let text = reply("a\\n\\xffB", Some(3), 20, 3, Paint::Plain);
        assert_eq!((rows(&text), marked(&text)), (vec!["a\\n\\xffB".to_owned()], vec!["B".to_owned()]));
        let text = reply("a\\n\\xffB", Some(1), 20, 3, Paint::Plain);
        assert_eq!(marked(&text), ["\\n"]);
    }

    #[test]
    fn a_reply_that_ends_first_is_marked_at_its_end_and_none_is_said_so() {
        assert_eq!(rows(&reply("ab", Some(2), 20, 3, Paint::Plain)), ["ab∎"]);
        assert_eq!(rows(&reply("", Some(0), 20, 3, Paint::Plain)), ["(nothing)"]);
        assert!(marked(&reply("ab", None, 20, 3, Paint::Plain)).is_empty());
    }

    #[test]
    fn long_replies_are_broken_between_escapes_and_shown_around_the_difference() {
        assert_eq!(rows(&reply("abc\\xff\\nd", None, 5, 9, Paint::Plain)), ["abc", "\\xff", "\\nd"]);
        let long = "x".repeat(500) + "Y";
        let text = reply(&long, Some(500), 20, 3, Paint::Plain);
        assert_eq!(
            (rows(&text), marked(&text)),
            (vec![format!("…{}Y", "x".repeat(16))], vec!["Y".to_owned()])
        );
    }
}
