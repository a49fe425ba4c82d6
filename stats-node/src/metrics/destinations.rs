//! The metrics of destinations: their accounts, their connections, and what became of what they said.

use proto::counters::Tally;
use runtime::report::{DestinationReport, Said};

use super::{Family, Sample, counter, float, gauge, sample};
use crate::summary::Summary;

pub(super) fn of_destinations(summary: &Summary) -> Vec<Family> {
    let mut families = accounts(summary);
    families.extend(connections(summary));
    families.extend(said(summary));
    families
}

/// Values of each destination, told apart by a label if there is one.
fn by_destination<'a, V>(summary: &'a Summary, label: Option<&'static str>, values: V) -> Vec<Sample>
where
    V: Fn(&'a DestinationReport) -> Vec<(&'a str, u64)>,
{
    let mut samples = Vec::new();
    for route in &summary.routes {
        for destination in &route.report.destinations {
            for (name, value) in values(destination) {
                let mut labels = vec![
                    ("route", route.report.route.clone()),
                    ("destination", destination.destination.clone()),
                    ("role", destination.role.clone()),
                ];
                labels.extend(label.map(|label| (label, name.to_owned())));
                samples.push(sample(labels, float(value)));
            }
        }
    }
    samples
}

/// The terms of the account, in frames and in bytes.
fn accounts(summary: &Summary) -> Vec<Family> {
    type Part = fn(Tally) -> u64;
    let moved = |part: Part| {
        by_destination(summary, Some("term"), move |of| {
            let terms = [
                ("accepted", of.accepted),
                ("delivered", of.delivered),
                ("replayed", of.replayed),
                ("received", of.received),
            ];
            terms.map(|(term, tally)| (term, part(tally))).to_vec()
        })
    };
    let held = |part: Part| {
        by_destination(summary, Some("where"), move |of| {
            vec![("in_flight", part(of.in_flight)), ("spooled", part(of.spooled))]
        })
    };
    let shed = |part: Part| {
        by_destination(summary, Some("reason"), move |of| {
            of.shed.iter().map(|(reason, &tally)| (reason.as_str(), part(tally))).collect()
        })
    };
    let (frames, bytes): (Part, Part) = (|tally| tally.frames, |tally| tally.bytes);
    vec![
        counter(
            "pegloom_destination_frames_total",
            "Frames of a destination, by term of its account.",
            moved(frames),
        ),
        counter(
            "pegloom_destination_bytes_total",
            "Bytes of a destination, by term of its account.",
            moved(bytes),
        ),
        gauge("pegloom_destination_held_frames", "Frames held for a destination.", held(frames)),
        gauge("pegloom_destination_held_bytes", "Bytes held for a destination.", held(bytes)),
        counter("pegloom_destination_shed_frames_total", "Frames discarded, by reason.", shed(frames)),
        counter("pegloom_destination_shed_bytes_total", "Bytes discarded, by reason.", shed(bytes)),
    ]
}

fn connections(summary: &Summary) -> Vec<Family> {
    let one = |value: fn(&DestinationReport) -> u64| {
        by_destination(summary, None, move |destination| vec![("", value(destination))])
    };
    vec![
        gauge(
            "pegloom_destination_away",
            "Whether a destination cannot be connected.",
            one(|destination| u64::from(destination.is_away)),
        ),
        gauge(
            "pegloom_destination_balanced",
            "Whether accepted is delivered, held and shed.",
            one(|destination| u64::from(destination.is_balanced())),
        ),
        counter("pegloom_destination_connections_total", "Connections made.", one(|of| of.connections)),
        counter(
            "pegloom_destination_refusals_total",
            "Times a destination's machine said that nobody takes datagrams there.",
            one(|of| of.refusals.unwrap_or_default()),
        ),
        counter("pegloom_destination_outages_total", "Times a destination went away.", one(|of| of.outages)),
        counter("pegloom_destination_moved_total", "Sessions moved to another worker.", one(|of| of.moved)),
        counter(
            "pegloom_destination_forced_joins_total",
            "Times a destination joined a stream that knew no pause.",
            one(|of| of.forced_joins),
        ),
        counter(
            "pegloom_destination_unconfirmed_bytes_total",
            "Bytes delivered and not acknowledged when the connection was reset.",
            one(|of| of.unconfirmed.bytes),
        ),
    ]
}

/// What became of what destinations said.
fn said(summary: &Summary) -> Vec<Family> {
    let told = |label: &'static str, values: fn(&Said) -> Vec<(&'static str, u64)>| {
        by_destination(summary, Some(label), move |destination| {
            destination.said.as_ref().map(values).unwrap_or_default()
        })
    };
    let one = |value: fn(&Said) -> u64| {
        by_destination(summary, None, move |destination| {
            destination.said.as_ref().map(|said| ("", value(said))).into_iter().collect()
        })
    };
    vec![
        counter(
            "pegloom_destination_replies_total",
            "Replies of a secondary against the primary's.",
            told("finding", |said| {
                vec![
                    ("matched", said.matched),
                    ("missing", said.missing),
                    ("extra", said.extra),
                    ("different", said.different),
                    ("uncompared", said.uncompared),
                ]
            }),
        ),
        counter(
            "pegloom_destination_asks_total",
            "What a destination began by itself.",
            told("outcome", |said| {
                vec![("told", said.asks), ("suppressed", said.suppressed), ("shed", said.asks_shed)]
            }),
        ),
        counter(
            "pegloom_destination_filtered_total",
            "What may not reach the source.",
            one(|said| said.filtered),
        ),
        counter(
            "pegloom_destination_oversized_total",
            "Frames of a destination longer than max_frame.",
            one(|said| said.oversized),
        ),
        counter(
            "pegloom_destination_injected_frames_total",
            "The source's answers to what others had asked.",
            one(|said| said.injected.frames),
        ),
    ]
}
