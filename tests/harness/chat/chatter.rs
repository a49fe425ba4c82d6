//! `pegloom chat client` as a process in pipes: what is typed, and the lines that are shown.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;
use std::thread;

use tempfile::TempDir;

use crate::harness::{Process, eventually};

const TAIL: usize = 20;

/// A client, and the home of whom it is for: where its key is. It is its process, in everything a test asks of one.
pub(crate) struct Chatter {
    process: Process,
    name: String,
    address: SocketAddr,
    home: Rc<TempDir>,
}

impl Chatter {
    /// Somebody new, with a home of its own.
    pub(crate) fn start(address: SocketAddr, name: &str) -> Self {
        Self::start_with(address, name, &[])
    }

    /// The same, with further flags.
    pub(crate) fn start_with(address: SocketAddr, name: &str, flags: &[&str]) -> Self {
        Self::at_home(Rc::new(tempfile::tempdir().expect("a temporary directory")), address, name, flags)
    }

    /// The same, online.
    #[track_caller]
    pub(crate) fn join(address: SocketAddr, name: &str) -> Self {
        let chatter = Self::start(address, name);
        chatter.expect_online();
        chatter
    }

    /// One more client of the same person.
    pub(crate) fn again(&self) -> Self {
        self.again_with(&self.name, &[])
    }

    /// The same, under this name and with further flags.
    pub(crate) fn again_with(&self, name: &str, flags: &[&str]) -> Self {
        Self::at_home(Rc::clone(&self.home), self.address, name, flags)
    }

    fn at_home(home: Rc<TempDir>, address: SocketAddr, name: &str, flags: &[&str]) -> Self {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let args = ["chat", "client", "--ip", &ip, "--port", &port, "--name", name];
        let args = [&args, flags].concat();
        let kept = home.path().to_str().expect("a path in words").to_owned();
        let process = Process::start_to_talk_to(&args, &[("XDG_DATA_HOME", &kept)], home.path());
        Self { process, name: name.to_owned(), address, home }
    }

    /// Its key file.
    #[track_caller]
    pub(crate) fn key(&self) -> PathBuf {
        let key = self.home.path().join(format!("pegloom/chat/keys/{}.key", self.name));
        eventually(&format!("{} has a key", self.name), || key.exists());
        key
    }

    /// The lines it has shown.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.stdout()
    }

    /// Waits until it has shown this line.
    #[track_caller]
    pub(crate) fn expect(&self, line: &str) {
        self.expect_line(&format!("{line:?}"), |shown| shown == line);
    }

    /// Waits until it has shown a line that `fits`, and returns it.
    #[track_caller]
    pub(crate) fn expect_line(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        self.prints(what, fits)
    }

    /// Waits until it is in the room.
    #[track_caller]
    pub(crate) fn expect_online(&self) {
        self.expect_online_times(1);
    }

    /// Waits until it was let into the room so many times.
    #[track_caller]
    pub(crate) fn expect_online_times(&self, count: usize) {
        eventually(&format!("{} is online", self.name), || {
            self.shown().iter().filter(|line| line.starts_with("* You are now online.")).count() >= count
        });
    }

    /// The texts it has been shown of this one, in their order, however they came.
    pub(crate) fn texts_of(&self, name: &str) -> Vec<String> {
        let begin = format!("{name}: ");
        let missed = format!("{name} (missed): ");
        let shown = self.shown();
        let texts =
            shown.iter().filter_map(|line| line.strip_prefix(&begin).or_else(|| line.strip_prefix(&missed)));
        texts.map(str::to_owned).collect()
    }

    /// The end of its input, and then its own.
    #[track_caller]
    pub(crate) fn hang_up(&self) -> Option<i32> {
        self.close_stdin();
        self.exit_code()
    }
}

impl Deref for Chatter {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Drop for Chatter {
    fn drop(&mut self) {
        if thread::panicking() {
            let shown = self.shown();
            eprintln!("--- {} was shown {} lines:", self.name, shown.len());
            shown.iter().skip(shown.len().saturating_sub(TAIL)).for_each(|line| eprintln!("{line}"));
        }
    }
}
