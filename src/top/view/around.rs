//! What is above and below the pages: where one looks, how the fabric is in one line, the pages' names, the keys; and what
//! stands where a page would, while there is nothing to see.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};
use stats_node::{Problem, State, Summary};

use super::{
    super::{
        escapes::harmless,
        keys::{KEYS, Page},
        number::{self, count},
        watch::Contact,
    },
    Paint, Sight, divergences,
};

/// Three lines: where and how; how fast; the pages.
pub(crate) fn head(frame: &mut Frame, area: Rect, sight: &Sight) {
    let [first, second, third] = Layout::vertical([Constraint::Length(1); 3]).areas(area);
    let health = health(sight);
    let width = u16::try_from(health.width()).unwrap_or(u16::MAX);
    let [left, right] = Layout::horizontal([Constraint::Min(0), Constraint::Length(width)]).areas(first);
    let place = harmless(sight.place);
    let title = Line::from(vec![Span::styled("pegloom top ", sight.paint.title()), Span::raw(place)]);
    frame.render_widget(title, left);
    frame.render_widget(health, right);
    frame.render_widget(sight.summary().map(|summary| pace(summary, sight)).unwrap_or_default(), second);
    frame.render_widget(pages(sight), third);
}

fn health(sight: &Sight) -> Line<'static> {
    match (sight.contact, sight.summary()) {
        (Contact::Lost(_), _) => Line::styled(" not heard ", sight.paint.bad()),
        (_, Some(_)) if sight.cursor.is_paused => Line::styled(" paused ", Paint::chosen()),
        (_, Some(summary)) if summary.unbalanced().next().is_some() => {
            Line::styled(" an account is off ", sight.paint.bad())
        }
        (_, Some(summary)) if summary.is_healthy() => Line::styled(" healthy ", sight.paint.good()),
        (_, Some(summary)) => Line::styled(problem(&summary.problems), sight.paint.bad()),
        (Contact::Awaited | Contact::Heard, None) => Line::from(" waiting "),
    }
}

/// The first problem, and how many there are besides.
fn problem(problems: &[Problem]) -> String {
    let first = match problems.first() {
        Some(Problem::PrimaryAway { route, .. }) => format!("primary away: {}", harmless(route)),
        Some(Problem::NoServer { route }) => format!("no server of {} can be reached", harmless(route)),
        Some(Problem::NodeStale { node, silent_seconds }) => {
            format!("{} silent for {silent_seconds} s", harmless(node))
        }
        None => String::new(),
    };
    match problems.len() {
        0 | 1 => format!(" {first} "),
        all => format!(" {first} +{} ", all - 1),
    }
}

/// Everything together.
fn pace(summary: &Summary, sight: &Sight) -> Line<'static> {
    let frames: f64 = summary.routes.iter().map(|route| route.flow.frame_rate_1s).sum();
    let bytes: f64 = summary.routes.iter().map(|route| route.flow.byte_rate_1s).sum();
    let live: u64 = summary.routes.iter().map(|route| route.report.live()).sum();
    let mut words = vec![
        format!("{} frames/s", number::rate(frames)),
        format!("{}/s", number::bytes(bytes)),
        format!("{} live", count(live)),
    ];
    if summary.routes.iter().any(|route| route.messages.is_some()) {
        let rates = &summary.rates;
        let [requests, responses] = [rates.request_rate_1s, rates.response_rate_1s].map(number::rate);
        words.push(format!("{requests} REQ/s, {responses} replies/s"));
    }
    words.extend(uptime(summary, sight.now).map(|span| format!("up {span}")));
    Line::styled(words.join(" · "), sight.paint.aside())
}

/// Since the first of its living nodes was started.
fn uptime(summary: &Summary, now: u64) -> Option<String> {
    let living = summary.nodes.iter().filter(|node| node.state == State::Live && !node.is_superseded);
    let since = living.map(|node| node.incarnation.0).min()?;
    Some(number::span(Duration::from_millis(now.saturating_sub(since))))
}

fn pages(sight: &Sight) -> Line<'static> {
    let mut spans = Vec::new();
    for page in Page::ALL {
        let label = format!(" {} {} ", page as usize + 1, name(page, sight));
        let is_here = page == sight.cursor.page;
        spans.push(Span::styled(label, if is_here { Paint::chosen() } else { sight.paint.title() }));
    }
    Line::from(spans)
}

fn name(page: Page, sight: &Sight) -> String {
    let only = sight.cursor.only.as_ref();
    let number =
        |of: fn(&Summary, &Sight) -> usize| match sight.summary().map_or(0, |summary| of(summary, sight)) {
            0 => String::new(),
            number => format!(" {number}"),
        };
    match page {
        Page::Routes => "Routes".to_owned(),
        Page::Divergences if only.is_some_and(|_| sight.cursor.page == page) => {
            format!("Divergences of {}", only.map(divergences::named).unwrap_or_default())
        }
        Page::Divergences => format!("Divergences{}", number(|summary, _| summary.divergences.len())),
        Page::Shed => "Shed".to_owned(),
        Page::Nodes => format!("Nodes{}", number(|summary, _| summary.nodes.len())),
    }
}

/// The keys, or why nothing is heard.
pub(crate) fn foot(frame: &mut Frame, area: Rect, sight: &Sight) {
    let line = match sight.contact {
        Contact::Lost(why) if sight.summary().is_some() => {
            Line::styled(format!("{}; trying again", harmless(why)), sight.paint.bad())
        }
        _ => Line::styled("q end  Tab page  ↑↓ move  d divergences  p pause  ? keys", sight.paint.aside()),
    };
    frame.render_widget(line, area);
}

/// While there are no statistics yet.
pub(crate) fn waiting(frame: &mut Frame, area: Rect, sight: &Sight) {
    match sight.contact {
        Contact::Lost(why) => {
            let what = format!("Cannot look at {}: {}", harmless(sight.place), harmless(why));
            remark(frame, area, &what, "Trying again each second.");
        }
        Contact::Awaited | Contact::Heard => {
            remark(frame, area, &format!("Waiting for {} …", harmless(sight.place)), "");
        }
    }
}

/// All keys.
pub(crate) fn help(frame: &mut Frame, area: Rect, paint: Paint) {
    let line = |(key, does): (&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!("{key:<17}"), paint.title()), Span::raw(does)])
    };
    frame.render_widget(Paragraph::new(KEYS.map(line).to_vec()), area);
}

/// One or two sentences instead of a page.
pub(crate) fn remark(frame: &mut Frame, area: Rect, first: &str, second: &str) {
    let lines = ["", first, second].map(|line| Line::from(line.to_owned()).centered());
    let paragraph = Paragraph::new(lines.to_vec()).wrap(ratatui::widgets::Wrap { trim: true });
    frame.render_widget(paragraph, area);
}
