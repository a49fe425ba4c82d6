//! Tells in words what changes from one report to the next. Pure: reports in, text out.
//!
//! It says nothing that the reports do not: what it calls away or back, the fabric has counted.

use std::{fmt::Write as _, time::Duration};

use clap::builder::styling::{AnsiColor, Style};
use runtime::report::{DestinationReport, Report};

use super::{
    Told,
    device::Spoken,
    players::{ASK, ASK_AFTER, LIAR, NAMES, Stage},
};

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
    let parts = [
        "the primary: its answers go to the device",
        "a secondary that asks the device something, which the primary asks too",
        "a secondary whose answers are wrong now and then",
        "a secondary that dies and comes back every few seconds",
    ];
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let mut text = format!("A device talks to pegloom at {address}. pegloom passes every line on to\n");
    for ((name, port), part) in stage.destinations().zip(parts) {
        let _ = writeln!(text, "  {name:<9} 127.0.0.1:{port:<6} {part}");
    }
    let end = match duration {
        Some(duration) => format!("It ends by itself after {}.", humantime::format_duration(duration)),
        None => "It ends with Ctrl-C.".to_owned(),
    };
    text + &format!(
        "Be a device yourself, in another terminal: nc {host} {port}   (type a line)\n\
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
            self.tell_said(before, destination, &mut text);
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

    /// What became of what it said.
    fn tell_said(&self, before: &DestinationReport, now: &DestinationReport, text: &mut String) {
        let (primary, name) = (NAMES[0], &now.destination);
        let (before, now) = (before.said.unwrap_or_default(), now.said.unwrap_or_default());
        let mut tell = |color, line: String| text.push_str(&self.paint.with(color, &line));
        if now.different > before.different {
            let line =
                format!("≠ {name} does not answer what {primary} does. The device got {primary}'s answer.\n");
            tell(AnsiColor::Yellow, line);
        }
        if now.asks > before.asks {
            let line = format!("? {name} asks the device by itself, `{ASK}`. The device is asked.\n");
            tell(AnsiColor::Cyan, line);
        }
        if now.suppressed > before.suppressed {
            let line = format!("? {name} asks the same. The device is not asked again.\n");
            tell(AnsiColor::Cyan, line);
        }
        if now.injected.frames > before.injected.frames {
            let line = format!("? {name} is given the answer that the device gave before.\n");
            tell(AnsiColor::Cyan, line);
        }
    }

    /// The end of the story.
    pub(super) fn summary(&self, report: &Report, told: Told) -> String {
        let spoken = told.spoken;
        let mut text = format!(
            "\nSummary\n  the device said {} and got {} of the primary's answers; it was asked {}\n\n  {:<10} {:>9} {:>10} {:>10} {:>6} {:>12} {:>9} {:>10}\n",
            lines(spoken.said),
            spoken.heard,
            times(spoken.asked),
            "",
            "accepted",
            "delivered",
            "in flight",
            "shed",
            "connections",
            "same",
            "different"
        );
        for destination in destinations(report) {
            let [same, different] = compared(destination);
            let _ = writeln!(
                text,
                "  {:<10} {:>9} {:>10} {:>10} {:>6} {:>12} {:>9} {:>10}",
                destination.destination,
                destination.accepted.frames,
                destination.delivered.frames,
                destination.in_flight.frames,
                destination.shed_total().frames,
                destination.connections,
                same,
                different
            );
        }
        text.push_str(&injected(report));
        let verdict = if adds_up(report, told) {
            let line = "It adds up: accepted = delivered + in flight + shed, for every destination, and\n  \
                        whoever said something else than the primary was found, and nobody else.";
            self.paint.with(AnsiColor::Green, line)
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

/// Its answers that were the primary's and those that were not; the primary's own are compared with nobody's.
fn compared(destination: &DestinationReport) -> [String; 2] {
    match destination.said {
        Some(said) if destination.role == "secondary" => {
            [said.matched, said.different].map(|n| n.to_string())
        }
        _ => ["-", "-"].map(str::to_owned),
    }
}

fn injected(report: &Report) -> String {
    let given = |destination: &DestinationReport| {
        let count = destination.said.unwrap_or_default().injected.frames;
        let line = format!(
            "\n  {} of {}'s: what the device had answered before.\n",
            lines(count),
            destination.destination
        );
        (count > 0).then_some(line)
    };
    destinations(report).iter().filter_map(given).collect()
}

fn progress(report: &Report, spoken: Spoken) -> String {
    let mut text = format!("  device: said {:>3}, heard {:>3}", spoken.said, spoken.heard);
    for destination in destinations(report) {
        let _ = write!(text, "   {}: {:>3}", destination.destination, destination.delivered.frames);
    }
    text + "\n"
}

fn times(count: u64) -> String {
    match count {
        0 => "nothing".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

/// Whether no session is left and nothing is on its way.
pub(super) fn is_at_rest(report: &Report) -> bool {
    let is_over = report.routes.iter().all(|route| route.sessions.is_none_or(|sessions| sessions.live == 0));
    is_over && destinations(report).iter().all(|destination| destination.in_flight.is_zero())
}

/// Whether every line is accounted for at every destination, the device got no wrong answer and was asked once, and all
/// lies were found and nothing else.
pub(super) fn adds_up(report: &Report, told: Told) -> bool {
    let all = destinations(report);
    told.spoken.wrong == 0
        && !all.is_empty()
        && all.iter().all(is_balanced)
        && all.iter().all(|destination| is_judged_rightly(destination, told.lies))
        && was_asked_once(&all[0], told.spoken)
}

fn is_balanced(destination: &DestinationReport) -> bool {
    let kept = destination.delivered + destination.in_flight + destination.spooled;
    destination.accepted == kept + destination.shed_total()
}

fn is_judged_rightly(destination: &DestinationReport, lies: u64) -> bool {
    let said = destination.said.unwrap_or_default();
    let expected = if destination.destination == LIAR { lies } else { 0 };
    (said.different, said.missing, said.extra) == (expected, 0, 0)
}

/// Once, although two have asked, and the second was given the answer. A device that went early was not asked yet.
fn was_asked_once(primary: &DestinationReport, spoken: Spoken) -> bool {
    let said = primary.said.unwrap_or_default();
    let is_over = spoken.said > ASK_AFTER + 1;
    let was_repeated = said.suppressed > 0 && said.injected.frames > 0;
    if is_over { spoken.asked == 1 && spoken.was_thanked && was_repeated } else { spoken.asked <= 1 }
}

#[cfg(test)]
mod tests {
    use proto::counters::Tally;
    use runtime::report::{RouteReport, Said};

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
        let wrong = Told { spoken: Spoken { wrong: 1, ..Spoken::default() }, lies: 0 };
        assert!(adds_up(&report(3, 1, 2, 1, 1), Told::default()));
        assert!(!adds_up(&report(3, 1, 1, 1, 1), Told::default()));
        assert!(!adds_up(&report(3, 1, 2, 1, 1), wrong));
        assert!(!adds_up(&Report::default(), Told::default()));
    }

    /// The report of a run in which the liar was found so often, and another destination as often as that.
    fn judged(liar: u64, honest: u64) -> Report {
        let mut report = report(1, 1, 0, 1, 0);
        let found = |different| Some(Said { different, ..Said::default() });
        let honest_one = DestinationReport { said: found(honest), ..DestinationReport::default() };
        let liar = DestinationReport {
            destination: LIAR.to_owned(),
            said: found(liar),
            ..DestinationReport::default()
        };
        report.routes[0].destinations.extend([honest_one, liar]);
        report
    }

    #[test]
    fn a_lie_that_was_not_found_or_a_wrong_accusation_does_not_add_up() {
        let told = Told { lies: 2, ..Told::default() };
        assert!(adds_up(&judged(2, 0), told));
        assert!(!adds_up(&judged(1, 0), told));
        assert!(!adds_up(&judged(2, 1), told));
    }

    #[test]
    fn a_device_that_talked_long_enough_must_have_been_asked_once() {
        let spoken = Spoken { said: ASK_AFTER + 2, asked: 1, was_thanked: true, ..Spoken::default() };
        let mut repeated = report(1, 1, 0, 1, 0);
        repeated.routes[0].destinations[0].said =
            Some(Said { suppressed: 1, injected: Tally::new(1, 1), ..Said::default() });
        assert!(adds_up(&repeated, Told { spoken, lies: 0 }));
        assert!(!adds_up(&report(1, 1, 0, 1, 0), Told { spoken, lies: 0 }));
        assert!(!adds_up(&repeated, Told { spoken: Spoken { asked: 2, ..spoken }, lies: 0 }));
    }

    #[test]
    fn there_are_no_colours_unless_they_are_wanted() {
        let told = narrator().tell(&report(3, 1, 2, 1, 1), Spoken::default());
        assert!(!told.contains('\u{1b}'), "{told:?}");
        let mut colored = Narrator::new(Paint { is_colored: true });
        assert!(colored.tell(&report(3, 1, 2, 1, 1), Spoken::default()).contains('\u{1b}'));
    }
}
