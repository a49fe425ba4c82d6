//! The table of what is measured: which work, who does it, beside whom, and what it may cost.

use crate::args::Case;
use crate::destination::Destination;
use crate::load::Shape;
use crate::peers::{Peer, Replies};
use crate::report::Limit::{self, AtMost};
use crate::run::Run;

pub(super) struct Setup {
    pub(super) name: &'static str,
    pub(super) work: Work,
    pub(super) ours: Peer,
    /// Has one destination where it cannot have more.
    pub(super) beside: Peer,
    pub(super) destinations: usize,
    pub(super) number: Number,
    pub(super) limit: Option<Limit>,
}

#[derive(Clone, Copy)]
pub(super) enum Work {
    Lines(Shape),
    /// Requests and answers of the Foo protocol.
    Foo(Shape),
    /// Lines, without telling pegloom that they are lines.
    Bulk(Shape),
    /// Sessions of one line each, so many at once.
    Churn(Shape),
    Datagrams(Shape),
    /// Requests of HTTP, a reply at a time on each connection.
    Requests(Shape, Replies),
    /// The same, where what counts is how long the replies are.
    Bodies(Shape, Replies),
    /// Sessions that say one line and then nothing.
    Rest,
}

/// What is looked at of a pair of runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    CpuRatio,
    LatencyRatio,
    KibPerSession,
}

const USUAL: Shape = Shape { connections: 64, in_flight: 1, size: 100 };
const PIPELINED: Shape = Shape { in_flight: 16, ..USUAL };
const BULK: Shape = Shape { connections: 8, in_flight: 4, size: 65_536 };
const SOURCES: Shape = Shape { connections: 8, in_flight: 1, size: 100 };
const SHORT: Shape = Shape { connections: 64, in_flight: 1, size: 1024 };
const LONG: Shape = Shape { connections: 8, in_flight: 1, size: 50_000_000 };
const LONE: Shape = Shape { connections: 1, in_flight: 1, size: 100 };

const UP: Setup = Setup {
    name: "up --shards 1, 1->1",
    work: Work::Lines(USUAL),
    ours: Peer::Up { shards: Some(1) },
    beside: Peer::Haproxy,
    destinations: 1,
    number: Number::CpuRatio,
    limit: Some(AtMost(1.15)),
};

impl Case {
    pub(super) fn setup(self) -> Setup {
        match self {
            Self::Floor => Setup { name: "floor 1->1", ours: Peer::Floor, limit: None, ..UP },
            Self::Up => UP,
            Self::UpDefault => {
                Setup { name: "up, 1->1", ours: Peer::Up { shards: None }, limit: Some(AtMost(1.25)), ..UP }
            }
            Self::Distributed => Setup {
                name: "ingress+fanout tcp, 1->1",
                ours: Peer::Distributed,
                limit: Some(AtMost(1.45)),
                ..UP
            },
            Self::UpThree => {
                Setup { name: "up --shards 1, 1->3", destinations: 3, limit: Some(AtMost(2.4)), ..UP }
            }
            Self::Pipelined => {
                Setup { name: "pipelined 1->1", work: Work::Lines(PIPELINED), limit: Some(AtMost(1.2)), ..UP }
            }
            Self::PipelinedThree => {
                Setup { name: "pipelined 1->3", destinations: 3, limit: None, ..Self::Pipelined.setup() }
            }
            Self::Foo => Setup {
                name: "foo 1->1",
                work: Work::Foo(USUAL),
                beside: Peer::UpRaw,
                limit: Some(AtMost(1.1)),
                ..UP
            },
            Self::Bulk => Setup {
                name: "bulk 1->1",
                work: Work::Bulk(BULK),
                beside: Peer::Nginx,
                limit: Some(AtMost(1.2)),
                ..UP
            },
            Self::Churn => {
                Setup { name: "churn 1->1", work: Work::Churn(USUAL), limit: Some(AtMost(2.0)), ..UP }
            }
            Self::UdpThree => Setup {
                name: "udp 1->3",
                work: Work::Datagrams(SOURCES),
                beside: Peer::Copier,
                destinations: 3,
                limit: Some(AtMost(0.8)),
                ..UP
            },
            Self::UdpControl => {
                Setup { name: "udp control", ours: Peer::Copier, limit: None, ..Self::UdpThree.setup() }
            }
            Self::HttpHit => Setup {
                name: "http, hit in memory",
                work: Work::Requests(SHORT, Replies::Kept),
                beside: Peer::Nginx,
                limit: Some(AtMost(1.1)),
                ..UP
            },
            Self::HttpMiss => Setup {
                name: "http, from the server",
                work: Work::Requests(SHORT, Replies::Passed),
                limit: Some(AtMost(1.6)),
                ..UP
            },
            Self::HttpBody => Setup {
                name: "http, 50 MB",
                work: Work::Bodies(LONG, Replies::Passed),
                beside: Peer::Nginx,
                limit: Some(AtMost(1.5)),
                ..UP
            },
            Self::HttpBodyBuffered => Setup {
                name: "http, 50 MB, buffered",
                work: Work::Bodies(LONG, Replies::Buffered),
                ..Self::HttpBody.setup()
            },
            Self::Idle => Setup {
                name: "idle 1->1",
                work: Work::Rest,
                number: Number::KibPerSession,
                limit: Some(AtMost(12.0)),
                ..UP
            },
            Self::Latency => Setup {
                name: "latency 1->1",
                work: Work::Lines(LONE),
                number: Number::LatencyRatio,
                limit: Some(AtMost(1.4)),
                ..UP
            },
        }
    }
}

impl Work {
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Lines(_) | Self::Foo(_) => "round trip",
            Self::Bulk(_) => "MB",
            Self::Churn(_) | Self::Rest => "session",
            Self::Datagrams(_) => "datagram",
            Self::Requests(..) => "request",
            Self::Bodies(..) => "GB",
        }
    }

    /// Units in what a run counts.
    pub(super) fn scale(self, shape: Shape) -> f64 {
        match self {
            Self::Bulk(_) => shape.size as f64 / 1e6,
            // Their bytes are counted.
            Self::Bodies(..) => 1e-9,
            _ => 1.0,
        }
    }

    /// What the work is done to.
    pub(super) fn destination(self, shape: Shape) -> Destination {
        match self {
            Self::Foo(_) => Destination::Answers,
            Self::Requests(..) | Self::Bodies(..) => Destination::Serves(shape.size),
            _ => Destination::Echoes,
        }
    }

    pub(super) fn shape(self) -> Option<Shape> {
        match self {
            Self::Lines(shape)
            | Self::Foo(shape)
            | Self::Bulk(shape)
            | Self::Churn(shape)
            | Self::Datagrams(shape)
            | Self::Requests(shape, _)
            | Self::Bodies(shape, _) => Some(shape),
            Self::Rest => None,
        }
    }
}

impl Number {
    /// None where the pair does not tell, as without a peer to compare with.
    pub(super) fn of(self, run: &Run, beside: Option<&Run>) -> Option<f64> {
        match self {
            Self::CpuRatio => Some(run.cpu_seconds_per_unit() / beside?.cpu_seconds_per_unit()),
            Self::LatencyRatio => Some(run.latency_p50_us? / beside?.latency_p50_us?),
            Self::KibPerSession => run.kib_per_session,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CpuRatio => "x CPU",
            Self::LatencyRatio => "x p50",
            Self::KibPerSession => "KiB",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::ValueEnum;

    use super::*;

    fn run(cpu_seconds: f64, latency: f64) -> Run {
        Run { units: 1.0, seconds: 1.0, cpu_seconds, latency_p50_us: Some(latency), ..Run::default() }
    }

    #[test]
    fn cases_have_names_of_their_own() {
        let names: HashSet<_> = Case::value_variants().iter().map(|case| case.setup().name).collect();
        assert_eq!(names.len(), Case::value_variants().len());
    }

    #[test]
    fn ratios_need_someone_beside_and_memory_does_not() {
        let (ours, theirs) = (run(3.0, 14.0), run(2.0, 10.0));
        assert_eq!(Number::CpuRatio.of(&ours, Some(&theirs)), Some(1.5));
        assert_eq!(Number::LatencyRatio.of(&ours, Some(&theirs)), Some(1.4));
        assert_eq!(Number::CpuRatio.of(&ours, None), None);

        let resting = Run { kib_per_session: Some(11.0), ..run(1.0, 1.0) };
        assert_eq!(Number::KibPerSession.of(&resting, None), Some(11.0));
    }
}
