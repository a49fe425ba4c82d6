//! What is measured: how each peer is started, with which settings, and whether it can be started here at all.

mod haproxy;
pub(crate) mod pegloom;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::unistd::Pid;

use self::haproxy::Haproxy;
use self::pegloom::Pegloom;
use crate::args::Common;
use crate::process::{self, Process, Talks};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Haproxy {
        threads: u32,
    },
    Floor,
    /// `pegloom up`; without a number, it takes its default.
    Up {
        shards: Option<u32>,
    },
    /// `pegloom ingress` and a `pegloom fanout` for the primary, over tcp.
    Distributed,
}

/// The programs found on this machine, or why they were not.
pub(crate) struct Programs {
    haproxy: Result<Haproxy, String>,
    pegloom: Result<Pegloom, String>,
}

/// A peer that accepts sources. Dropped, it ends.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// Command lines, and the settings file where there is one.
    pub(crate) settings: String,
    processes: Vec<Process>,
}

impl Programs {
    pub(crate) fn find(common: &Common) -> Self {
        Self { haproxy: Haproxy::find(), pegloom: Pegloom::find(common.pegloom.clone()) }
    }

    /// The version of the peer that everything is compared with.
    pub(crate) fn haproxy_version(&self) -> Option<&str> {
        self.haproxy.as_ref().ok().map(Haproxy::version)
    }
}

impl Running {
    pub(crate) fn pids(&self) -> Vec<Pid> {
        self.processes.iter().map(Process::pid).collect()
    }

    /// What its processes have said, to explain a run that failed.
    pub(crate) fn last_words(&self) -> String {
        self.processes.iter().map(Process::last_words).collect()
    }
}

impl Peer {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Haproxy { .. } => "HAProxy",
            Self::Floor => "floor",
            Self::Up { .. } | Self::Distributed => "pegloom",
        }
    }

    /// Why it cannot be measured on this machine.
    pub(crate) fn unavailable(self, programs: &Programs) -> Option<String> {
        match self {
            Self::Haproxy { .. } => programs.haproxy.as_ref().err().cloned(),
            Self::Floor => None,
            Self::Up { .. } | Self::Distributed => programs.pegloom.as_ref().err().cloned(),
        }
    }

    /// Starts it before these destinations, the primary first.
    pub(crate) fn start(self, programs: &Programs, forward: &[SocketAddr]) -> Result<Running> {
        match self {
            Self::Haproxy { threads } => found(&programs.haproxy)?.start(threads, primary(forward)?),
            Self::Floor => start_floor(primary(forward)?),
            Self::Up { shards } => found(&programs.pegloom)?.start_up(forward, shards),
            Self::Distributed => found(&programs.pegloom)?.start_distributed(forward),
        }
    }
}

fn start_floor(forward: SocketAddr) -> Result<Running> {
    let mut command = process::own("__floor");
    command.arg(forward.to_string());
    let mut process = Process::start("floor", &mut command, Talks::OnStdout)?;
    let address = process.expect("its address", |line| line.parse().ok())?;
    Ok(Running { address, settings: "one thread, epoll, 64 KiB reads".to_owned(), processes: vec![process] })
}

fn found<T>(program: &Result<T, String>) -> Result<&T> {
    program.as_ref().map_err(|reason| anyhow::anyhow!(reason.clone()))
}

fn primary(forward: &[SocketAddr]) -> Result<SocketAddr> {
    forward.first().copied().context("no destination was given")
}

/// The path of a program, looked for where the shell does and where Debian keeps its daemons.
fn locate(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}
