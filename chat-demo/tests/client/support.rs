//! Processes of `pegloom-chat` that end with their test, read line by line.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines that a test has not looked at yet.
const LINES: usize = 100_000;

/// Some process, and what it prints on stdout and stderr.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// While nobody reads it, and where it is to be read to.
    stdout: Option<(ChildStdout, SyncSender<String>)>,
    lines: Receiver<String>,
}

impl Process {
    fn start(home: &Path, args: &[&str]) -> Self {
        let mut process = Self::unread(home, args);
        process.is_read();
        process
    }

    fn unread(home: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pegloom-chat"))
            .args(args)
            .env("XDG_DATA_HOME", home)
            .env_remove("PEGLOOM_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = sync_channel(LINES);
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        read(stderr, sender.clone());
        Self { stdin: child.stdin.take(), stdout: Some((stdout, sender)), child, lines }
    }

    /// From now on somebody reads what it prints.
    pub(crate) fn is_read(&mut self) {
        if let Some((stdout, sender)) = self.stdout.take() {
            read(stdout, sender);
        }
    }

    /// A room on this port, and the port it is on.
    pub(crate) fn room(home: &Path, port: u16) -> (Self, u16) {
        let port = port.to_string();
        let log = home.join("room");
        let log = log.to_str().unwrap();
        let room = Self::start(home, &["room", "--port", &port, "--ip", "127.0.0.1", "--data-dir", log]);
        let opened = room.until(|line| line.contains("the room is open"));
        let endpoint = opened.last().unwrap().split('"').nth(1).unwrap().to_owned();
        (room, endpoint.rsplit(':').next().unwrap().parse().unwrap())
    }

    /// A client of the room on this port.
    pub(crate) fn client(home: &Path, port: u16, args: &[&str]) -> Self {
        let port = port.to_string();
        Self::start(home, &[&["client", "--port", &port], args].concat())
    }

    /// The same, in front of a screen that nobody reads yet.
    pub(crate) fn unread_client(home: &Path, port: u16, args: &[&str]) -> Self {
        let port = port.to_string();
        Self::unread(home, &[&["client", "--port", &port], args].concat())
    }

    /// The lines up to the first that is meant, which is the last of them.
    #[track_caller]
    pub(crate) fn until(&self, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else { panic!("it does not come: {seen:#?}") };
            seen.push(line);
            if is_meant(&seen[seen.len() - 1]) {
                return seen;
            }
        }
    }

    /// The lines up to this one.
    #[track_caller]
    pub(crate) fn hears(&self, line: &str) -> Vec<String> {
        self.until(|other| other == line)
    }

    pub(crate) fn types(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Ends its input, and waits: its exit code, and the lines that nobody has looked at.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>) {
        drop(self.stdin.take());
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect())
    }
}

fn read(pipe: impl Read + Send + 'static, to: SyncSender<String>) {
    thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).for_each(|line| drop(to.send(line)));
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
