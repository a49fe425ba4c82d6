//! A node's life: its shards run until it is told to drain, and it says how that ended.
//!
//! It hears signals, asks shards for reports and adds them up, and turns the drain's outcome into an exit code. It
//! carries no traffic and knows nothing of what its shards do.

use std::time::Duration;

use tokio::{
    select,
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{error, info, warn};

use crate::{
    exit::{Exit, print},
    report::Report,
    shard::{Command, Shard},
    signals::{Signal, Signals},
};

/// "At once", for shards that have nothing left to do but to notice it.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A report that was asked for before a drain may take so long to be read.
const LAST_REPORT: Duration = Duration::from_millis(200);

/// What a node that is told to leave work behind does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It is lost.
    Abandons,
    /// Others take it over.
    HandsOver,
}

/// The running shards of a process.
#[derive(Debug)]
pub struct Node {
    shards: Vec<Shard>,
    ended: mpsc::Receiver<()>,
    living: usize,
    grace: Duration,
    leaving: Leaving,
    /// The last report, on its way to stdout.
    printing: Option<JoinHandle<()>>,
}

impl Node {
    /// A node of these shards, whose ends are heard from `ended`.
    pub fn new(shards: Vec<Shard>, ended: mpsc::Receiver<()>, grace: Duration, leaving: Leaving) -> Self {
        Self { living: shards.len(), shards, ended, grace, leaving, printing: None }
    }

    /// Runs until SIGTERM or SIGINT, printing a report for each SIGUSR1 and SIGUSR2; then drains.
    pub async fn serve(&mut self, signals: &mut Signals) -> Exit {
        loop {
            select! {
                signal = signals.next() => match signal {
                    Signal::Drain => return self.drain(signals.drain()).await,
                    Signal::Report => self.print_report().await,
                },
                _ = self.ended.recv() => {
                    error!("a shard has ended, so does the process");
                    return Exit::Failed;
                }
            }
        }
    }

    /// What all shards have counted.
    pub async fn report(&self) -> Option<Report> {
        let mut reports = Vec::new();
        for shard in &self.shards {
            reports.extend(shard.report().await);
        }
        Report::sum(reports)
    }

    /// On a thread of its own: a stdout that nobody reads must not keep the process from hearing the next signal. What is
    /// asked for before the last report is out is answered by that.
    async fn print_report(&mut self) {
        if self.printing.as_ref().is_some_and(|printing| !printing.is_finished()) {
            return warn!("the last report is still being printed");
        }
        let Some(report) = self.report().await else { return };
        self.printing = Some(spawn_blocking(move || print_line(&report)));
    }

    /// Finishes old work and takes no new, for at most the grace; `hurry` ends it at once.
    pub async fn drain(&mut self, hurry: impl Future<Output = ()>) -> Exit {
        info!(grace = ?self.grace, "draining");
        self.tell(|| Command::Drain).await;
        let until = Instant::now() + self.grace;
        if let Some(printing) = self.printing.take() {
            let _ = timeout(LAST_REPORT, printing).await;
        }
        let is_drained = select! {
            () = self.all_ended() => true,
            () = sleep_until(until) => false,
            // What interrupts a process often does it twice. One without work is not to be told from one with work before
            // its shards have had a moment to say so.
            () = async { hurry.await; sleep(AT_ONCE).await } => false,
        };
        if is_drained {
            info!("drained");
            return Exit::Clean;
        }
        self.tell(|| Command::Leave).await;
        self.all_ended().await;
        match self.leaving {
            Leaving::HandsOver => {
                info!("the rest is handed over");
                Exit::Clean
            }
            Leaving::Abandons => {
                warn!("ended with work left");
                Exit::GraceExpired
            }
        }
    }

    async fn tell(&self, command: impl Fn() -> Command) {
        for shard in &self.shards {
            shard.tell(command()).await;
        }
    }

    async fn all_ended(&mut self) {
        while self.living > 0 && self.ended.recv().await.is_some() {
            self.living -= 1;
        }
    }
}

fn print_line(report: &Report) {
    match serde_json::to_string(report) {
        Ok(line) => {
            if let Err(failure) = print(&format!("{line}\n")) {
                error!(error = %failure.why(), "a report cannot be printed");
            }
        }
        Err(error) => error!(%error, "a report cannot be written down"),
    }
}
