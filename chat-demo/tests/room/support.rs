//! A room's process that ends with its test, and a peer that says any bytes.

use std::{
    cell::Cell,
    future::Future,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runtime::zeromq::{Context, Dealer};
use tokio::{runtime::Builder, task::LocalSet, time::timeout};

const DEADLINE: Duration = Duration::from_secs(30);

#[track_caller]
pub(crate) fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let shard = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&shard, async { timeout(DEADLINE, test).await.expect("hangs") })
}

/// `pegloom-chat room` on any free port of this machine, called "room".
pub(crate) struct RoomProcess {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) endpoint: String,
}

impl RoomProcess {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pegloom-chat"))
            .args(["room", "--port", "0", "--ip", "127.0.0.1", "--name", "room", "--log-format", "json"])
            .args(args)
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let opened = lines.find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            line["endpoint"].as_str().map(str::to_owned)
        });
        // What else it logs is nobody's, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, endpoint: opened.expect("it opens") }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// What it has counted.
    pub(crate) fn counters(&mut self) -> serde_json::Value {
        self.signal(Signal::SIGUSR1);
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Its memory at its largest, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Ends it without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Interrupts it, and waits for its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.signal(Signal::SIGINT);
        self.child.wait().unwrap().code()
    }
}

impl Drop for RoomProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

thread_local! {
    static NEXT: Cell<u8> = const { Cell::new(1) };
}

/// Anything that has a DEALER.
pub(crate) struct Peer {
    dealer: Dealer,
}

impl Peer {
    pub(crate) fn connect(room: &RoomProcess) -> Self {
        let number = NEXT.replace(NEXT.get() + 1);
        Self::with_id(room, &[b'p', number])
    }

    pub(crate) fn with_id(room: &RoomProcess, id: &[u8]) -> Self {
        Self { dealer: Dealer::connect(&Context::new(), &room.endpoint, id).unwrap() }
    }

    /// Says it as soon as there is a connection.
    pub(crate) async fn say(&self, frame: impl AsRef<[u8]>) {
        while self.dealer.try_send(frame.as_ref().to_vec()).is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// The next frame.
    pub(crate) async fn frame(&self) -> Vec<u8> {
        loop {
            self.dealer.readable().await;
            if let Some(frame) = self.dealer.try_receive() {
                return frame.expect("one part").to_vec();
            }
        }
    }

    /// Reads what has come, and heeds none of it.
    pub(crate) fn let_go(&self) {
        while self.dealer.try_receive().is_some() {}
    }

    /// The next frame, which is a classic text: whose, and what.
    pub(crate) async fn hear(&self) -> (String, String) {
        let frame = self.frame().await;
        let object: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        let field = |key: &str| object[key].as_str().unwrap().to_owned();
        (field("name"), field("text"))
    }
}
