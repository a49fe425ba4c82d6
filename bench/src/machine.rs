//! The machine the numbers are from: without it they mean little.

use std::fmt;
use std::fs;

use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    /// Of the last minute, before anything was measured.
    load_average: f64,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let load = first_word("/proc/loadavg").parse().unwrap_or(f64::NAN);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor().unwrap_or_else(|| "unknown processor".to_owned()),
            kernel: format!(
                "{} {}",
                first_word("/proc/sys/kernel/ostype"),
                first_word("/proc/sys/kernel/osrelease")
            ),
            load_average: load,
        }
    }

    /// What makes this machine's numbers doubtful at this moment.
    pub(crate) fn doubts(&self) -> Option<String> {
        let busy = self.load_average > 0.25 * self.cores as f64;
        busy.then(|| format!("the load average is {:.2}: others use this machine too", self.load_average))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, kernel, load_average } = self;
        write!(f, "{cores} cores of {processor}, {kernel}, load average {load_average:.2}")
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
