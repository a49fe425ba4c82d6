//! `pegloom chat room` as a process, at a port of the kernel's choice, with a log of its own.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::ROOM;
use crate::harness::Process;

const KEPT: &str = "kept";

/// A room that listens. It is its process, in everything a test asks of one.
pub(crate) struct Room {
    process: Process,
    address: SocketAddr,
    dir: TempDir,
    flags: Vec<String>,
}

impl Room {
    #[track_caller]
    pub(crate) fn open() -> Self {
        Self::with(&[])
    }

    /// One with further flags.
    #[track_caller]
    pub(crate) fn with(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let (process, address) = start(&dir, 0, &flags);
        Self { process, address, dir, flags }
    }

    /// Where members connect to; the same after it was started again.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has it end as by Ctrl-C, and waits for that.
    #[track_caller]
    pub(crate) fn close(&self) {
        self.signal(Signal::SIGINT);
        assert_eq!(self.exit_code(), Some(0), "a room that is told to close does");
    }

    /// Starts it again, with what it has kept, when it has ended.
    #[track_caller]
    pub(crate) fn open_again(&mut self) {
        assert!(!self.process.is_running(), "it has not ended");
        (self.process, _) = start(&self.dir, self.address.port(), &self.flags);
    }

    /// Where it keeps its log.
    pub(crate) fn kept(&self) -> PathBuf {
        self.dir.path().join(KEPT)
    }

    /// One more, with these flags alone, which need not come to listen.
    pub(crate) fn another(&self, flags: &[&str]) -> Process {
        Process::start(&[&["chat", "room", "--ip", "127.0.0.1"], flags].concat(), &[], self.dir.path())
    }

    /// What it counts.
    #[track_caller]
    pub(crate) fn counts(&self) -> serde_json::Value {
        self.report().value().clone()
    }
}

impl Deref for Room {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

#[track_caller]
fn start(dir: &TempDir, port: u16, flags: &[String]) -> (Process, SocketAddr) {
    let port = port.to_string();
    let mut args =
        ["chat", "room", "--ip", "127.0.0.1", "--port", &port, "--name", ROOM].map(str::to_owned).to_vec();
    args.extend(["--data-dir", KEPT, "--log-format", "json"].map(str::to_owned));
    args.extend(flags.iter().cloned());
    let process = Process::start(&args, &[], dir.path());
    let record = process.logged("the room is open", |_| true);
    let endpoint = record["endpoint"].as_str().expect("a room logs where it listens");
    let address = endpoint.trim_start_matches("tcp://").parse().expect("an address");
    (process, address)
}
