//! Tells in words what changes from one report to the next. Pure: reports in, text out.
//!
//! It says nothing that the reports do not: what it calls away or back, the fabric has counted.

use std::{fmt::Write as _, time::Duration};

use clap::builder::styling::{AnsiColor, Style};
use runtime::report::{DestinationReport, Report};

use super::cast::{Spoken, Stage};

/// Whether text has colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) is_colored: bool,
}

impl Paint {
    fn with(self, color: AnsiColor, text: &str) -> String {
        if !self.is_colored {
            return text.to_owned();
        }
        let style: Style = color.on_default();
        format!("{style}{text}{style:#}")
    }
}

/// What the audience should know before it begins.
pub(super) fn introduction(address: &str, stage: &Stage, duration: Option<Duration>) -> String {
    let destinations: Vec<_> = stage.destinations().collect();
    let [(primary, primary_port), (mirror, mirror_port), (flaky, flaky_port)] = destinations[..] else {
        return String::new();
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let end = match duration {
        Some(duration) => format!("It ends by itself after {}.", humantime::format_duration(duration)),
        None => "It ends with Ctrl-C.".to_owned(),
    };
    format!(
        "A device talks to pegloom at {address}. pegloom passes every line on to\n\
         \x20 {primary:<9} 127.0.0.1:{primary_port:<6} the primary: its answers go to the device\n\
         \x20 {mirror:<9} 127.0.0.1:{mirror_port:<6} a secondary\n\
         \x20 {flaky:<9} 127.0.0.1:{flaky_port:<6} a secondary that dies and comes back every few seconds\n\
         Be a device yourself, in another terminal: nc {host} {port}   (type a line)\n\
         {end} All below is what the fabric reports.\n\n"
    )
}

/// Remembers what was told last.
pub(super) struct Narrator {
    paint: Paint,
    last: Option<Report>,
    last_spoken: Spoken,
}

impl Narrator {
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint, last: None, last_spoken: Spoken::default() }
    }

    /// What is new in `report`, a line each; nothing if nothing is.
    pub(super) fn tell(&mut self, report: &Report, spoken: Spoken) -> String {
        let mut text = String::new();
        let nothing = DestinationReport::default();
        for (index, destination) in destinations(report).iter().enumerate() {
            let before =
                self.last.as_ref().and_then(|last| destinations(last).get(index)).unwrap_or(&nothing);
            self.tell_destination(before, destination, &mut text);
        }
        if spoken != self.last_spoken {
            text.push_str(&progress(report, spoken));
        }
        self.last = Some(report.clone());
        self.last_spoken = spoken;
        text
    }

    fn tell_destination(&self, before: &DestinationReport, now: &DestinationReport, text: &mut String) {
        let name = &now.destination;
        if now.outages > before.outages {
            let line =
                format!("▼ {name} is away. The device does not notice; what {name} misses is counted.\n");
            text.push_str(&self.paint.with(AnsiColor::Yellow, &line));
        }
        if now.connections > before.connections {
            let line = match now.connections {
                1 => format!("▲ {name} is connected.\n"),
                count => format!(
                    "▲ {name} is back: connection {count} of the same session, from the next line on.\n"
                ),
            };
            text.push_str(&self.paint.with(AnsiColor::Green, &line));
        }
        for (reason, tally) in &now.shed {
            let new = tally.frames - before.shed.get(reason).map_or(0, |before| before.frames);
            if new > 0 {
                let line = format!("✂ {} shed for {name}, because: {reason}\n", lines(new));
                text.push_str(&self.paint.with(AnsiColor::Yellow, &line));
            }
        }
    }

    /// The end of the story.
    pub(super) fn summary(&self, report: &Report, spoken: Spoken) -> String {
        let mut text = format!(
            "\nSummary\n  the device said {} and got {} of the primary's answers\n\n  {:<10} {:>9} {:>10} {:>10} {:>6} {:>12}\n",
            lines(spoken.said),
            spoken.heard,
            "",
            "accepted",
            "delivered",
            "in flight",
            "shed",
            "connections"
        );
        for destination in destinations(report) {
            let _ = writeln!(
                text,
                "  {:<10} {:>9} {:>10} {:>10} {:>6} {:>12}",
                destination.destination,
                destination.accepted.frames,
                destination.delivered.frames,
                destination.in_flight.frames,
                destination.shed_total().frames,
                destination.connections
            );
        }
        let verdict = if adds_up(report, spoken) {
            self.paint.with(
                AnsiColor::Green,
                "It adds up: accepted = delivered + in flight + shed, for every destination.",
            )
        } else {
            self.paint.with(AnsiColor::Red, "It does not add up. Please report this.")
        };
        let _ = writeln!(text, "\n  {verdict}");
        text
    }
}

fn destinations(report: &Report) -> &[DestinationReport] {
    report.routes.first().map_or(&[], |route| &route.destinations)
}

fn progress(report: &Report, spoken: Spoken) -> String {
    let mut text = format!("  device: said {:>3}, heard {:>3}", spoken.said, spoken.heard);
    for destination in destinations(report) {
        let _ = write!(text, "   {}: {:>3}", destination.destination, destination.delivered.frames);
    }
    text + "\n"
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

/// Whether no session is left and nothing is on its way.
pub(super) fn is_at_rest(report: &Report) -> bool {
    let is_over = report.routes.iter().all(|route| route.sessions.is_none_or(|sessions| sessions.live == 0));
    is_over && destinations(report).iter().all(|destination| destination.in_flight.is_zero())
}

/// Whether every line is accounted for at every destination, and the device got no wrong answer.
pub(super) fn adds_up(report: &Report, spoken: Spoken) -> bool {
    spoken.wrong == 0
        && !destinations(report).is_empty()
        && destinations(report).iter().all(|destination| {
            let told = destination.delivered
                + destination.in_flight
                + destination.spooled
                + destination.shed_total();
            destination.accepted == told
        })
}

#[cfg(test)]
mod tests {
    use proto::counters::Tally;
    use runtime::report::RouteReport;

    use super::*;

    fn report(accepted: u64, delivered: u64, shed: u64, connections: u64, outages: u64) -> Report {
        let mut destination =
            DestinationReport { destination: "flaky".to_owned(), ..DestinationReport::default() };
        destination.accepted = Tally::new(accepted, accepted);
        destination.delivered = Tally::new(delivered, delivered);
        destination.connections = connections;
        destination.outages = outages;
        if shed > 0 {
            destination.shed.insert("away".to_owned(), Tally::new(shed, shed));
        }
        let route = RouteReport { destinations: vec![destination], ..RouteReport::default() };
        Report { routes: vec![route], ..Report::default() }
    }

    fn narrator() -> Narrator {
        Narrator::new(Paint { is_colored: false })
    }

    #[test]
    fn an_outage_is_told_when_it_begins_and_when_it_ends() {
        let mut narrator = narrator();
        assert!(narrator.tell(&report(1, 1, 0, 1, 0), Spoken::default()).contains("flaky is connected"));
        let away = narrator.tell(&report(3, 1, 2, 1, 1), Spoken::default());
        assert!(
            away.contains("flaky is away") && away.contains("2 lines shed for flaky, because: away"),
            "{away}"
        );
        let back = narrator.tell(&report(4, 2, 2, 2, 1), Spoken::default());
        assert!(back.contains("flaky is back") && !back.contains("shed"), "{back}");
    }

    #[test]
    fn nothing_new_is_told_as_nothing() {
        let mut narrator = narrator();
        narrator.tell(&report(1, 1, 0, 1, 0), Spoken::default());
        assert_eq!(narrator.tell(&report(1, 1, 0, 1, 0), Spoken::default()), "");
    }

    #[test]
    fn a_frame_that_is_missing_or_a_wrong_answer_does_not_add_up() {
        assert!(adds_up(&report(3, 1, 2, 1, 1), Spoken::default()));
        assert!(!adds_up(&report(3, 1, 1, 1, 1), Spoken::default()));
        assert!(!adds_up(&report(3, 1, 2, 1, 1), Spoken { wrong: 1, ..Spoken::default() }));
        assert!(!adds_up(&Report::default(), Spoken::default()));
    }

    #[test]
    fn there_are_no_colours_unless_they_are_wanted() {
        let told = narrator().tell(&report(3, 1, 2, 1, 1), Spoken::default());
        assert!(!told.contains('\u{1b}'), "{told:?}");
        let mut colored = Narrator::new(Paint { is_colored: true });
        assert!(colored.tell(&report(3, 1, 2, 1, 1), Spoken::default()).contains('\u{1b}'));
    }
}
