//! A destination's process as the bench sees it: how it behaves, where it listens, and what it has received.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process::{self, Process, Talks};

/// How long secondaries may take to receive what the primary has received.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Echoes,
    NeverReads,
    /// Echoes until every session is up, and is then stopped by SIGSTOP.
    Stops,
    /// Echoes, but for one byte in every so many lines.
    Lies(NonZeroU32),
    /// Answers each request of the Foo protocol.
    Answers,
    /// Answers requests of HTTP, with bodies of so many bytes.
    Serves(usize),
}

/// A destination that runs. Dropped, it ends.
pub(crate) struct End {
    pub(crate) kind: Destination,
    pub(crate) address: SocketAddr,
    process: Process,
}

impl End {
    pub(crate) fn start(kind: Destination) -> Result<Self> {
        let hidden = if matches!(kind, Destination::Serves(_)) { "__serve" } else { "__echo" };
        let mut command = process::own(hidden);
        match kind {
            Destination::NeverReads => _ = command.arg("--never-reads"),
            Destination::Lies(every) => _ = command.args(["--lie-every", &every.to_string()]),
            Destination::Answers => _ = command.arg("--answers"),
            Destination::Serves(size) => _ = command.arg(size.to_string()),
            Destination::Echoes | Destination::Stops => {}
        }
        let mut process = Process::start("a destination", &mut command, Talks::OnStdout)?;
        let address = process.expect("its address", |line| line.parse().ok())?;
        Ok(Self { kind, address, process })
    }

    /// Stops the one that is to be stopped, now that every session is up.
    pub(crate) fn sessions_are_up(&self) -> Result<()> {
        if self.kind == Destination::Stops { self.process.stop() } else { Ok(()) }
    }

    /// How many lies it has told.
    pub(crate) fn lies(&mut self) -> Result<u64> {
        Ok(self.ask()?.1)
    }

    fn received(&mut self) -> Result<u64> {
        Ok(self.ask()?.0)
    }

    fn ask(&mut self) -> Result<(u64, u64)> {
        self.process.tell("\n")?;
        self.process.expect("what it has received", |line| {
            let (received, lies) = line.split_once(' ')?;
            Some((received.parse().ok()?, lies.parse().ok()?))
        })
    }

    fn await_bytes(&mut self, bytes: u64, deadline: Instant) -> Result<u64> {
        loop {
            let received = self.received()?;
            if received >= bytes || Instant::now() > deadline {
                return Ok(received);
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

pub(crate) fn start_all(kinds: &[Destination]) -> Result<Vec<End>> {
    kinds.iter().map(|kind| End::start(*kind)).collect()
}

pub(crate) fn addresses(ends: &[End]) -> Vec<SocketAddr> {
    ends.iter().map(|end| end.address).collect()
}

/// What each echoing secondary received of the bytes sent, once it has all or has had the time to.
pub(crate) fn shares(ends: &mut [End], sent: u64) -> Result<Vec<f64>> {
    let deadline = Instant::now() + CATCH_UP_TIMEOUT;
    let secondaries = ends.iter_mut().skip(1).filter(|end| end.kind == Destination::Echoes);
    let shares = secondaries.map(|end| Ok(end.await_bytes(sent, deadline)? as f64 / sent as f64));
    shares.collect::<Result<_>>().context("a secondary cannot be asked")
}
