//! Processes that end with the bench, however it ends: dropped they are killed and waited for, and should the bench be
//! killed itself, the kernel kills them (the parent-death signal, which each sets first, and which survives `exec`).

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};

/// How long a process may take to say what is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines kept of what a process says unasked; what is beyond is read and forgotten, so that it never blocks.
const LINES_KEPT: usize = 1024;
const LAST_WORDS: usize = 5;
const PARENT: &str = "BENCH_PARENT";

/// This program again, with a hidden command.
pub(crate) fn own(hidden: &str) -> Command {
    // The link and not its target: it still works when the binary has been built anew meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("bench").arg(hidden).env(PARENT, std::process::id().to_string());
    command
}

/// Another program, that will end with this one all the same.
pub(crate) fn foreign(program: &Path) -> Command {
    let mut command = own("__exec");
    command.arg(program);
    command
}

/// To be called first in every process that `own` starts.
pub(crate) fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot ask for the parent-death signal")?;
    // It may have died before the signal was asked for.
    let parent = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok());
    if parent != Some(getppid().as_raw()) {
        bail!("this command is for the bench itself to start; see --help for those that are not");
    }
    Ok(())
}

/// The body of `__exec`: returns only if the program cannot be run.
pub(crate) fn replace_by(program: &Path, arguments: &[OsString]) -> Result<()> {
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}

/// Where a process says what the bench wants to know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talks {
    OnStdout,
    OnStderr,
    Everywhere,
}

pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(name: impl Into<String>, command: &mut Command, talks: Talks) -> Result<Self> {
        let name = name.into();
        let pipe = |is_heard| if is_heard { Stdio::piped() } else { Stdio::null() };
        command.stdin(Stdio::piped()).stdout(pipe(talks != Talks::OnStderr));
        if talks != Talks::OnStdout {
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let (sender, lines) = sync_channel(LINES_KEPT);
        if let Some(stdout) = child.stdout.take() {
            read_lines(stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            read_lines(stderr, sender);
        }
        Ok(Self { name, child, lines })
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Writes to its stdin, which stays open.
    pub(crate) fn tell(&mut self, text: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("its stdin is closed")?;
        stdin.write_all(text.as_bytes()).with_context(|| format!("{} does not listen", self.name))
    }

    pub(crate) fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    /// SIGSTOP: it keeps its sockets and does nothing more.
    pub(crate) fn stop(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Waits for a line in which `find` finds what is meant by `what`.
    pub(crate) fn expect<T>(&mut self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => match find(&line) {
                    Some(found) => return Ok(found),
                    None => said.push(line),
                },
                Err(RecvTimeoutError::Timeout) => bail!("{} has not said {what}{}", self.name, quote(&said)),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it said {what}{}", self.name, quote(&said))
                }
            }
        }
    }

    /// What it has said and nobody has asked for, if it said anything.
    pub(crate) fn last_words(&self) -> String {
        quote(&self.lines.try_iter().collect::<Vec<_>>())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when it has already ended, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn quote(said: &[String]) -> String {
    let last = &said[said.len().saturating_sub(LAST_WORDS)..];
    last.iter().flat_map(|line| ["\n    ", line]).collect()
}

fn read_lines(pipe: impl Read + Send + 'static, lines: SyncSender<String>) {
    thread::spawn(move || keep_reading(pipe, &lines));
}

fn keep_reading(pipe: impl Read, lines: &SyncSender<String>) {
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        // Full or no longer wanted: the pipe must be read all the same.
        let _ = lines.try_send(line);
    }
}
