//! What is measured: how each peer is started, with which settings, and whether it can be started here at all.

mod haproxy;
pub(crate) mod mosquitto;
pub(crate) mod nats_server;
mod nginx;
pub(crate) mod pegloom;
mod ports;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use self::haproxy::Haproxy;
use self::nginx::Nginx;
use self::pegloom::Pegloom;
use crate::args::Common;
use crate::load::Language;
use crate::process::{self, Process, Talks};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Haproxy,
    Nginx,
    Floor,
    /// One `recvfrom`, one `sendto` for each receiver.
    Copier,
    /// `pegloom up`; without a number, it takes its default.
    Up {
        shards: Option<u32>,
    },
    /// `pegloom up --shards 1` that is not told what sources speak.
    UpRaw,
    /// `pegloom ingress` and a `pegloom fanout` for the primary, over tcp.
    Distributed,
}

/// What sources speak, as far as pegloom is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Lines,
    Foo,
    Bytes,
    Datagrams,
    Http(Replies),
}

/// What becomes of a server's replies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replies {
    /// They are kept, and sent again to whoever asks.
    Kept,
    /// They are passed on as they come.
    Passed,
    /// They are passed on, and what a client does not take is collected; a proxy that never does passes them on.
    Buffered,
}

/// What a peer is put before.
pub(crate) struct Front {
    pub(crate) protocol: Protocol,
    /// The primary first.
    pub(crate) forward: Vec<SocketAddr>,
    /// Where it is not to be the default.
    pub(crate) reply_timeout: Option<&'static str>,
}

/// The programs found on this machine, or why they were not.
pub(crate) struct Programs {
    haproxy: Result<Haproxy, String>,
    nginx: Result<Nginx, String>,
    pegloom: Result<Pegloom, String>,
}

/// A peer that accepts sources. Dropped, it ends.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// Command lines, and the settings file where there is one.
    pub(crate) settings: String,
    processes: Vec<Process>,
    /// Whether the first of them prints a report when it is asked.
    reports: bool,
    /// Goes after the processes.
    _folder: Option<TempDir>,
}

impl Protocol {
    /// What sources say in it.
    pub(crate) fn language(self) -> Language {
        if self == Self::Foo { Language::Foo } else { Language::Letters }
    }
}

impl Front {
    pub(crate) fn new(protocol: Protocol, forward: Vec<SocketAddr>) -> Self {
        Self { protocol, forward, reply_timeout: None }
    }

    /// The same, where sources may speak anything.
    fn untold(&self) -> Self {
        Self { protocol: Protocol::Bytes, forward: self.forward.clone(), reply_timeout: self.reply_timeout }
    }

    fn primary(&self) -> Result<SocketAddr> {
        self.forward.first().copied().context("no destination was given")
    }
}

impl Programs {
    pub(crate) fn find(common: &Common, haproxy_threads: u32) -> Self {
        Self {
            haproxy: Haproxy::find(haproxy_threads),
            nginx: Nginx::find(),
            pegloom: Pegloom::find(common.pegloom.clone()),
        }
    }

    /// The peers of others, each with its version or why it is not here.
    pub(crate) fn describe(&self) -> [String; 2] {
        let haproxy = self.haproxy.as_ref().map(Haproxy::describe);
        let nginx = self.nginx.as_ref().map(Nginx::describe);
        [haproxy, nginx].map(|found| found.unwrap_or_else(|reason| format!("no ratios to it: {reason}")))
    }
}

impl Running {
    fn new(address: SocketAddr, settings: String, processes: Vec<Process>) -> Self {
        Self { address, settings, processes, reports: false, _folder: None }
    }

    fn with_folder(self, folder: TempDir) -> Self {
        Self { _folder: Some(folder), ..self }
    }

    fn with_reports(self) -> Self {
        Self { reports: true, ..self }
    }

    pub(crate) fn pids(&self) -> Vec<Pid> {
        self.processes.iter().map(Process::pid).collect()
    }

    /// What its processes have said, to explain a run that failed.
    pub(crate) fn last_words(&self) -> String {
        self.processes.iter().map(Process::last_words).collect()
    }

    /// What it has counted, if it is one that counts.
    pub(crate) fn report(&mut self) -> Result<Option<Value>> {
        let Some(process) = self.processes.first_mut().filter(|_| self.reports) else { return Ok(None) };
        process.signal(Signal::SIGUSR1)?;
        process.expect("its report", pegloom::report).map(Some)
    }
}

impl Peer {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Haproxy => "HAProxy",
            Self::Nginx => "nginx",
            Self::Floor => "floor",
            Self::Copier => "copier",
            Self::Up { .. } | Self::Distributed => "pegloom",
            Self::UpRaw => "pegloom, raw",
        }
    }

    /// Why it cannot be measured on this machine.
    pub(crate) fn unavailable(self, programs: &Programs) -> Option<String> {
        match self {
            Self::Haproxy => programs.haproxy.as_ref().err().cloned(),
            Self::Nginx => programs.nginx.as_ref().err().cloned(),
            Self::Floor | Self::Copier => None,
            Self::Up { .. } | Self::UpRaw | Self::Distributed => programs.pegloom.as_ref().err().cloned(),
        }
    }

    pub(crate) fn start(self, programs: &Programs, front: &Front) -> Result<Running> {
        match self {
            Self::Haproxy => found(&programs.haproxy)?.start(front.protocol, front.primary()?),
            Self::Nginx => found(&programs.nginx)?.start(front.protocol, front.primary()?),
            Self::Floor => start_own("floor", "__floor", &[front.primary()?]),
            Self::Copier => start_own("copier", "__copier", &front.forward),
            Self::Up { shards } => found(&programs.pegloom)?.start_up(front, shards),
            Self::UpRaw => found(&programs.pegloom)?.start_up(&front.untold(), Some(1)),
            Self::Distributed => found(&programs.pegloom)?.start_distributed(front),
        }
    }
}

/// The bare ROUTER.
pub(crate) fn start_relay() -> Result<Running> {
    let mut process = Process::start("relay", &mut process::own("__relay"), Talks::OnStdout)?;
    let address = process.expect("its endpoint", |line| line.strip_prefix("tcp://")?.parse().ok())?;
    Ok(Running::new(address, "one ROUTER, one thread and libzmq's own".to_owned(), vec![process]))
}

fn start_own(name: &str, hidden: &str, forward: &[SocketAddr]) -> Result<Running> {
    let mut command = process::own(hidden);
    command.args(forward.iter().map(ToString::to_string));
    let mut process = Process::start(name, &mut command, Talks::OnStdout)?;
    let address = process.expect("its address", |line| line.parse().ok())?;
    Ok(Running::new(address, format!("{name}, one thread"), vec![process]))
}

fn found<T>(program: &Result<T, String>) -> Result<&T> {
    program.as_ref().map_err(|reason| anyhow::anyhow!(reason.clone()))
}

/// The path of a program, looked for where the shell does and where Debian keeps its daemons.
fn locate(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}
