//! One pegloom process: started, watched, signalled, and gone when the test is.
//!
//! Its stderr (logs) and stdout (reports) are drained by a thread each, so a full pipe never stalls it. When a test
//! fails, every process it started prints the end of its stderr. The kernel kills it should the test's thread die first.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{PATIENCE, Report, eventually_some, eventually_within, procfs};

const TAIL: usize = 60;

pub(crate) struct Process {
    name: String,
    child: Mutex<Child>,
    pid: i32,
    stdin: Mutex<Option<ChildStdin>>,
    stderr: Lines,
    stdout: Lines,
    drains: [JoinHandle<()>; 2],
}

type Lines = Arc<Mutex<Vec<String>>>;

impl Process {
    /// Starts `pegloom` with `args` in `dir`, with nothing of this process's environment but `env`.
    pub(crate) fn start<A: AsRef<str>>(args: &[A], env: &[(&str, &str)], dir: &Path) -> Self {
        Self::start_with(args, env, dir, Stdio::null())
    }

    /// The same, with a pipe that lines can be said into.
    pub(crate) fn start_to_talk_to<A: AsRef<str>>(args: &[A], env: &[(&str, &str)], dir: &Path) -> Self {
        Self::start_with(args, env, dir, Stdio::piped())
    }

    fn start_with<A: AsRef<str>>(args: &[A], env: &[(&str, &str)], dir: &Path, stdin: Stdio) -> Self {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pegloom"));
        command.args(&args).current_dir(dir).env_clear().env("RUST_BACKTRACE", "1").envs(env.iter().copied());
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        dies_with_this_thread(&mut command);
        let mut child = command.spawn().expect("the pegloom binary starts");
        let (stderr, stderr_drain) = drain(child.stderr.take().expect("stderr is piped"));
        let (stdout, stdout_drain) = drain(child.stdout.take().expect("stdout is piped"));
        let pid = i32::try_from(child.id()).expect("a pid fits");
        Self {
            name: args.join(" "),
            stdin: Mutex::new(child.stdin.take()),
            child: Mutex::new(child),
            pid,
            stderr,
            stdout,
            drains: [stderr_drain, stdout_drain],
        }
    }

    /// Its command line.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes a line to its stdin. What has ended does not hear it.
    #[track_caller]
    pub(crate) fn say(&self, line: &str) {
        let mut stdin = self.stdin.lock().unwrap();
        let pipe = stdin.as_mut().expect("it was started to be talked to, and its stdin is open");
        let _ = pipe.write_all(format!("{line}\n").as_bytes());
    }

    /// Lets its stdin end.
    pub(crate) fn close_stdin(&self) {
        self.stdin.lock().unwrap().take();
    }

    /// Waits for a line on stdout that `fits`.
    #[track_caller]
    pub(crate) fn prints(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let what = format!("`pegloom {}` prints {what}", self.name);
        eventually_some(PATIENCE, &what, || {
            let is_over = self.has_said_all();
            let found = self.stdout().into_iter().find(|line| fits(line));
            assert!(found.is_some() || !is_over, "it ended, and never: {what}; {:?}", self.stdout());
            found
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("the process can be signalled");
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// `kill -9`, and it is gone when this returns.
    pub(crate) fn kill9(&self) {
        self.signal(Signal::SIGKILL);
        self.exit_code();
    }

    /// `SIGSTOP`, and it runs no more when this returns.
    pub(crate) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        eventually_within(PATIENCE, "the process is stopped", || procfs::is_stopped(self.pid));
    }

    pub(crate) fn cont(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits for its end, and for all it wrote: the exit code, or none if a signal ended it.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.exit_code_within(PATIENCE)
    }

    #[track_caller]
    pub(crate) fn exit_code_within(&self, limit: Duration) -> Option<i32> {
        let status = eventually_some(limit, &format!("`pegloom {}` ends", self.name), || {
            self.child.lock().unwrap().try_wait().expect("the process can be waited for")
        });
        eventually_within(limit, "its last output is read", || self.has_said_all());
        status.code()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.lock().unwrap().try_wait().expect("the process can be waited for").is_none()
    }

    /// Waits for a log record with this message which `fits`.
    #[track_caller]
    pub(crate) fn logged(&self, message: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let what = format!("`pegloom {}` logs {message:?}", self.name);
        eventually_some(PATIENCE, &what, || {
            let is_over = self.has_said_all();
            let found = self.records(message).into_iter().find(&fits);
            assert!(found.is_some() || !is_over, "it ended, and never: {what}");
            found
        })
    }

    /// The log records with this message so far.
    pub(crate) fn records(&self, message: &str) -> Vec<Value> {
        let lines = self.stderr.lock().unwrap();
        let records = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.filter(|record| record["message"] == message).collect()
    }

    pub(crate) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap().clone()
    }

    /// Asks for a report and returns the one line that is the answer.
    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        self.report_by(Signal::SIGUSR1)
    }

    #[track_caller]
    pub(crate) fn report_by(&self, signal: Signal) -> Report {
        let before = self.stdout.lock().unwrap().len();
        self.signal(signal);
        let what = format!("`pegloom {}` answers {signal} on stdout", self.name);
        let line = eventually_some(PATIENCE, &what, || self.stdout.lock().unwrap().get(before).cloned());
        Report::parse(&line)
    }

    pub(crate) fn descriptors(&self) -> usize {
        procfs::descriptors(self.pid)
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        procfs::resident_bytes(self.pid)
    }

    /// The most memory it ever had.
    pub(crate) fn peak_bytes(&self) -> u64 {
        procfs::peak_bytes(self.pid)
    }

    pub(crate) fn processor_ticks(&self) -> u64 {
        procfs::processor_ticks(self.pid)
    }

    /// How often its first thread has gone to sleep: what sleeps on is idle.
    #[allow(dead_code, reason = "the scenarios do not ask")]
    pub(crate) fn waits(&self) -> u64 {
        procfs::waits(self.pid)
    }

    /// The near ends of its connections to `address`.
    pub(crate) fn connections_to(&self, address: SocketAddr) -> Vec<SocketAddr> {
        procfs::connections_to(self.pid, address)
    }

    fn has_said_all(&self) -> bool {
        self.drains.iter().all(JoinHandle::is_finished)
    }

    fn print_tail(&self) {
        let lines = self.stderr.lock().unwrap();
        eprintln!("--- stderr of `pegloom {}` (pid {}), {} lines:", self.name, self.pid, lines.len());
        for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
            eprintln!("{line}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            // Both fail only where it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            self.print_tail();
        }
    }
}

/// Note for who starts a process in a helper thread: Linux means the *thread*, not the process.
#[expect(unsafe_code, reason = "nothing else runs in a child before it becomes another program")]
pub(super) fn dies_with_this_thread(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe and nothing is allocated between fork and exec.
    unsafe {
        command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into));
    }
}

fn drain(pipe: impl Read + Send + 'static) -> (Lines, JoinHandle<()>) {
    let lines = Lines::default();
    let kept = Arc::clone(&lines);
    let reader = thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            kept.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
        }
    });
    (lines, reader)
}
