//! What a room's memory comes to while all members but one read what is said. That one beats and reads nothing, so the
//! room has to keep what it has not got, as far as it keeps anything.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use serde::Serialize;

use super::dealers::{Dealers, Dialect};
use super::server::Programs;
use crate::args::Server;
use crate::load::Shape;

#[derive(Serialize)]
pub(super) struct Memory {
    texts: u64,
    members: u32,
    /// The largest resident memory by the time all had come, and by the time all had heard all.
    before_kib: u64,
    peak_kib: u64,
}

impl Memory {
    /// Of a room with the shape's members, one of which is deaf.
    pub(super) fn measure(programs: &Programs, shape: Shape, texts: u64) -> Result<Self> {
        let running = Server::Room.start(programs)?;
        let endpoint = format!("tcp://{}", running.address);
        let peak = || running.pids().iter().map(|pid| peak_kib(*pid)).sum::<Result<u64>>();
        let hearing = Shape { connections: shape.connections - 1, ..shape };
        let run = || {
            let dealers = Dealers::connect(&endpoint, Dialect::Room, hearing, 1)?;
            let before_kib = peak()?;
            dealers.say_in_all(texts)?;
            dealers.settle()?;
            Ok(Self { texts, members: shape.connections, before_kib, peak_kib: peak()? })
        };
        let memory: Result<Self> = run();
        memory.with_context(|| format!("the run failed{}", running.last_words()))
    }

    pub(super) fn text(&self) -> String {
        let Self { texts, members, before_kib, peak_kib } = self;
        let mib = |kib: &u64| *kib as f64 / 1024.0;
        format!(
            "{texts} texts to {members} members, one of which reads nothing: peak {:.1} MiB, {:.1} MiB before the first\n",
            mib(peak_kib),
            mib(before_kib)
        )
    }
}

fn peak_kib(pid: Pid) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse_peak(&status).with_context(|| format!("{path} has an unknown form"))
}

/// `VmHWM` of proc(5), in KiB.
fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_used_and_given_back_is_in_the_peak() {
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));

        // Not by how much it rose: it may have been as high before, by other tests.
        let peak = peak_kib(Pid::this()).unwrap();
        assert!(peak >= 64 << 10, "{peak} KiB");
    }

    #[test]
    fn the_peak_is_found_among_other_lines() {
        let status = "Name:\troom\nVmPeak:\t 9 kB\nVmHWM:\t  51234 kB\nVmRSS:\t 8 kB\n";
        assert_eq!(parse_peak(status), Some(51_234));
        assert_eq!(parse_peak("VmRSS:\t 8 kB\n"), None);
    }
}
