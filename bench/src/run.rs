//! What one run came to. What a unit of work is, a round trip or a gigabyte, the case knows; here it is a number.

use std::time::Duration;

use hdrhistogram::Histogram;
use nix::unistd::Pid;
use serde::Serialize;
use serde_json::Value;

use crate::cpu::CpuTime;

/// How long a run goes on.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Timing {
    /// While it is measured.
    pub(crate) seconds: Duration,
    /// Before that.
    pub(crate) warm_up: Duration,
}

#[derive(Clone, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) units: f64,
    pub(crate) seconds: f64,
    /// Of all processes of the peer.
    pub(crate) cpu_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_p99_us: Option<f64>,
    /// What each echoing secondary received of what was sent, from 0 to 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) secondary_shares: Vec<f64>,
    /// Of all datagrams that should have arrived, the share that did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<f64>,
    /// What a further session at rest adds to the resident memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kib_per_session: Option<f64>,
    /// What makes this run doubtful.
    pub(crate) doubts: Vec<String>,
    #[serde(skip)]
    pub(crate) settings: String,
    /// What pegloom itself had counted, where it was asked.
    #[serde(skip)]
    pub(crate) report: Option<Value>,
}

impl Run {
    pub(crate) fn cpu_seconds_per_unit(&self) -> f64 {
        self.cpu_seconds / self.units
    }

    pub(crate) fn units_per_second(&self) -> f64 {
        self.units / self.seconds
    }

    /// Not a number where latency is not measured.
    pub(crate) fn p50_us(&self) -> f64 {
        self.latency_p50_us.unwrap_or(f64::NAN)
    }

    pub(crate) fn p99_us(&self) -> f64 {
        self.latency_p99_us.unwrap_or(f64::NAN)
    }

    pub(crate) fn with_latencies(self, latencies: &Histogram<u64>) -> Self {
        let percentile = |percent| Some(latencies.value_at_percentile(percent) as f64 / 1e3);
        Self { latency_p50_us: percentile(50.0), latency_p99_us: percentile(99.0), ..self }
    }
}

/// The CPU time of processes from its start on.
pub(crate) struct Meter {
    pids: Vec<Pid>,
    before: CpuTime,
}

impl Meter {
    pub(crate) fn start(pids: &[Pid]) -> anyhow::Result<Self> {
        Ok(Self { pids: pids.to_vec(), before: CpuTime::of(pids)? })
    }

    /// A run of so much work, with the CPU time until now.
    pub(crate) fn stop(self, units: f64, elapsed: Duration) -> anyhow::Result<Run> {
        let cpu = CpuTime::of(&self.pids)?.since(self.before);
        anyhow::ensure!(units > 0.0, "nothing returned while it was measured");
        Ok(Run {
            units,
            seconds: elapsed.as_secs_f64(),
            cpu_seconds: cpu.time().as_secs_f64(),
            doubts: cpu.disagreement().into_iter().collect(),
            ..Run::default()
        })
    }
}
