//! What is known of a fabric that is watched: its statistics of late, and whether it is heard at all.
//!
//! It takes what is heard and says what is new about it. What was known stays known while nothing is heard.

use std::sync::Arc;

use stats_node::{Events, Summary, Told};

use super::{feed::Heard, past::Past};

/// Whether anything is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Contact {
    /// Not yet.
    #[default]
    Awaited,
    /// Now.
    Heard,
    /// Not now, and why.
    Lost(String),
}

/// What is new.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The statistics, and what nodes told meanwhile.
    Summary(Vec<Told>),
    /// A node told something.
    Told(Told),
    /// From now on nothing is heard, because of this.
    Lost(String),
    /// Nothing.
    None,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Whether anything is heard.
    pub(crate) contact: Contact,
    /// The statistics, and those before them.
    pub(crate) past: Past,
    /// Which events have been heard.
    told: Events,
}

impl Watch {
    /// Takes what was heard.
    pub(crate) fn take(&mut self, heard: Heard) -> Change {
        match heard {
            Heard::Summary(text) => match serde_json::from_str(&text) {
                Ok(summary) => self.take_summary(summary),
                Err(error) => self.lose(format!("what it says is not understood: {error}")),
            },
            Heard::Told(text) => match serde_json::from_str::<Told>(&text) {
                Ok(told) if self.told.hear(&told) => Change::Told(told),
                _ => Change::None,
            },
            Heard::Silence(why) => self.lose(why),
        }
    }

    /// Divergences that were told while nothing was heard are in the statistics. Those before the first are no news.
    fn take_summary(&mut self, summary: Summary) -> Change {
        let is_first = self.past.latest().is_none();
        let told: Vec<Told> =
            summary.divergences.iter().filter(|told| self.told.hear(told)).cloned().collect();
        self.contact = Contact::Heard;
        self.past.take(Arc::new(summary));
        Change::Summary(if is_first { Vec::new() } else { told })
    }

    fn lose(&mut self, why: String) -> Change {
        let is_news = !matches!(self.contact, Contact::Lost(_));
        self.contact = Contact::Lost(why.clone());
        if is_news { Change::Lost(why) } else { Change::None }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proto::{counters::Tally, id::Incarnation};
    use runtime::report::{
        CacheReport, DestinationReport, Latency, Requests, RouteReport, Said, ServerReport, Sessions, Source,
    };
    use serde_json::json;
    use stats_node::{DestinationSummary, FlowRates, NodeSummary, Problem, RouteSummary, State};

    use super::*;

    /// A route with a primary and a mirror, of which some is so much.
    pub(crate) fn summary(much: u64) -> Summary {
        let destinations = vec![destination("primary", much), destination("mirror", much)];
        let buckets = vec![0, 0, much * 98, much, 0, 0, 0, 0, 0, 0, much];
        let report = RouteReport {
            route: "main".to_owned(),
            listen: Some("tcp://127.0.0.1:7890".to_owned()),
            sessions: Some(Sessions { opened: much, live: much, ..Sessions::default() }),
            source: Some(Source { received: Tally::new(much, much * 10), ..Source::default() }),
            latency: Some(Latency { buckets, ..Latency::default() }),
            destinations,
            ..RouteReport::default()
        };
        let destinations = report
            .destinations
            .iter()
            .map(|report| described(report, report.destination == "mirror"))
            .collect();
        Summary {
            node: "up".to_owned(),
            msg_total: 0,
            msg_req: much,
            msg_ack: 0,
            msg_nak: 0,
            rates: stats_node::MessageRates::default(),
            problems: Vec::new(),
            routes: vec![RouteSummary { report, flow: flow(much), messages: None }],
            destinations,
            nodes: vec![node("gateway", State::Live)],
            divergences: Vec::new(),
            links: std::collections::BTreeMap::new(),
            passed_over: 0,
            unreadable: 0,
        }
    }

    /// The same route, as one of `http://` with two servers, of which the second is out of the ring.
    pub(crate) fn http_summary(much: u64) -> Summary {
        let mut summary = summary(much);
        let report = &mut summary.routes[0].report;
        let cache = CacheReport {
            counts: [("hits".to_owned(), much / 2)].into(),
            memory_bytes: 1024,
            disk_bytes: 4096,
            ..CacheReport::default()
        };
        let server = |is_in_ring| ServerReport { requests: much, failures: much / 4, is_in_ring };
        let servers = [("server-1", true), ("server-2", false)];
        report.http = Some(Requests {
            requests: much,
            clients: 3,
            cache: Some(cache),
            servers: servers.map(|(name, is_in_ring)| (name.to_owned(), server(is_in_ring))).into(),
            ..Requests::default()
        });
        for (destination, (name, _)) in report.destinations.iter_mut().zip(servers) {
            (destination.destination, destination.role) = (name.to_owned(), "server".to_owned());
            destination.is_away = false;
        }
        summary
    }

    pub(crate) fn flow(much: u64) -> FlowRates {
        let rate = f64::from(u32::try_from(much).unwrap());
        FlowRates {
            frame_rate_1s: rate,
            frame_rate_10s: rate,
            byte_rate_1s: rate * 10.0,
            byte_rate_10s: rate * 10.0,
        }
    }

    fn destination(name: &str, much: u64) -> DestinationReport {
        let is_mirror = name == "mirror";
        let shed = is_mirror.then(|| ("away".to_owned(), Tally::new(much, much * 10)));
        DestinationReport {
            destination: name.to_owned(),
            role: if is_mirror { "secondary" } else { "primary" }.to_owned(),
            address: "10.0.0.1:1234".to_owned(),
            is_away: is_mirror,
            connections: much,
            shed: shed.into_iter().collect(),
            said: Some(Said { different: u64::from(is_mirror) * much, ..Said::default() }),
            ..DestinationReport::default()
        }
    }

    fn described(report: &DestinationReport, is_away: bool) -> DestinationSummary {
        DestinationSummary {
            route: "main".to_owned(),
            destination: report.destination.clone(),
            role: report.role.clone(),
            address: report.address.clone(),
            is_away,
            away_seconds: is_away.then_some(3),
            is_balanced: true,
            flow: flow(report.connections),
            workers: None,
        }
    }

    pub(crate) fn node(name: &str, state: State) -> NodeSummary {
        NodeSummary {
            name: name.to_owned(),
            kind: "ingress".to_owned(),
            incarnation: Incarnation(1_000),
            state,
            is_superseded: false,
            shards: 2,
            silent_millis: 80,
            reports: 7,
            lost: 0,
            is_balanced: true,
            flow: flow(5),
        }
    }

    /// As if primary and mirror had said these, the first difference there.
    pub(crate) fn diverged(sequence: u64, primary: &str, secondary: &str, offset: Option<u64>) -> Told {
        let event = json!({
            "kind": "diverged", "session": "s1", "route": "main", "destination": "mirror", "finding": "different",
            "request": "which?\\n", "primary": primary, "secondary": secondary, "offset": offset, "left_out": 0,
        });
        let (node, incarnation) = ("gateway".to_owned(), Incarnation(1));
        Told { node, incarnation, shard: 0, sequence, time: 1_000, event: stats_node::Said(event) }
    }

    fn heard(summary: &Summary) -> Heard {
        Heard::Summary(serde_json::to_string(summary).unwrap().into())
    }

    fn told(told: &Told) -> Heard {
        Heard::Told(serde_json::to_string(told).unwrap().into())
    }

    #[test]
    fn statistics_are_read_and_kept_while_nothing_is_heard() {
        let mut watch = Watch::default();
        assert_eq!(watch.take(Heard::Silence("refused".to_owned())), Change::Lost("refused".to_owned()));
        assert_eq!(watch.take(Heard::Silence("timed out".to_owned())), Change::None);
        let mut sick = summary(3);
        sick.problems
            .push(Problem::PrimaryAway { route: "main".to_owned(), destination: "primary".to_owned() });
        assert_eq!(watch.take(heard(&sick)), Change::Summary(Vec::new()));
        assert_eq!((watch.past.latest(), &watch.contact), (Some(&sick), &Contact::Heard));

        assert_eq!(watch.take(Heard::Silence("gone".to_owned())), Change::Lost("gone".to_owned()));
        assert_eq!((watch.past.latest(), watch.contact), (Some(&sick), Contact::Lost("gone".to_owned())));
    }

    /// Fails if a divergence is told again when the stats-node has been started anew, or is missed in between.
    #[test]
    fn each_divergence_is_news_once_however_it_is_heard() {
        let mut watch = Watch::default();
        let [old, new, missed] = [1, 2, 3].map(|number| diverged(number, "A", "B", Some(0)));
        let mut statistics = summary(1);
        statistics.divergences.push(old.clone());
        assert_eq!(watch.take(heard(&statistics)), Change::Summary(Vec::new()), "it was before our time");
        assert_eq!(watch.take(told(&new)), Change::Told(new.clone()));
        assert_eq!([&old, &new].map(|again| watch.take(told(again))), [Change::None, Change::None]);

        statistics.divergences = vec![old, new, missed.clone()];
        assert_eq!(watch.take(heard(&statistics)), Change::Summary(vec![missed]));
        assert_eq!(watch.take(heard(&statistics)), Change::Summary(Vec::new()));
    }

    #[test]
    fn what_is_not_understood_is_as_good_as_silence() {
        let mut watch = Watch::default();
        let Change::Lost(why) = watch.take(Heard::Summary("{\"node\": 7}".into())) else {
            panic!("understood")
        };
        assert!(why.starts_with("what it says is not understood: "), "{why}");
        assert_eq!(watch.take(Heard::Told("nonsense".into())), Change::None);
    }
}
