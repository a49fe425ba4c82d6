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
    stdout: Stdout,
}

impl Node {
    /// A node of these shards, whose ends are heard from `ended`.
    pub fn new(shards: Vec<Shard>, ended: mpsc::Receiver<()>, grace: Duration, leaving: Leaving) -> Self {
        Self { living: shards.len(), shards, ended, grace, leaving, stdout: Stdout::default() }
    }

    /// Runs until SIGTERM or SIGINT, printing a report for each SIGUSR1 and SIGUSR2; then drains.
    pub async fn serve(&mut self, signals: &mut Signals) -> Exit {
        self.serve_with(signals, async |shards: &[Shard]| {
            sum_of(shards).await.and_then(|report| json(&report))
        })
        .await
    }

    /// The same, but what is printed is what `write` makes of the shards, as one line.
    pub async fn serve_with(
        &mut self,
        signals: &mut Signals,
        write: impl AsyncFn(&[Shard]) -> Option<String>,
    ) -> Exit {
        loop {
            select! {
                signal = signals.next() => match signal {
                    Signal::Drain => return self.drain(signals.drain()).await,
                    Signal::Report => self.print_report(&write).await,
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
        sum_of(&self.shards).await
    }

    /// Its shards, for who asks them by itself.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    async fn print_report(&mut self, write: &impl AsyncFn(&[Shard]) -> Option<String>) {
        if !self.stdout.is_ready().await {
            return;
        }
        if let Some(line) = write(&self.shards).await {
            self.stdout.print(line);
        }
    }

    /// Finishes old work and takes no new, for at most the grace; `hurry` ends it at once.
    pub async fn drain(&mut self, hurry: impl Future<Output = ()>) -> Exit {
        info!(grace = ?self.grace, "draining");
        self.tell(|| Command::Drain).await;
        let until = Instant::now() + self.grace;
        self.stdout.finish().await;
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

async fn sum_of(shards: &[Shard]) -> Option<Report> {
    let mut reports = Vec::new();
    for shard in shards {
        reports.extend(shard.report().await);
    }
    Report::sum(reports)
}

/// Prints reports, one after the other, each on a thread of its own: a stdout that nobody reads must not keep the process
/// from hearing the next signal.
#[derive(Debug, Default)]
pub struct Stdout {
    /// The last report, on its way.
    printing: Option<JoinHandle<()>>,
}

impl Stdout {
    /// Whether the last report is out; if not, this one is left out.
    pub async fn is_ready(&mut self) -> bool {
        if let Some(mut printing) = self.printing.take()
            && timeout(LAST_REPORT, &mut printing).await.is_err()
        {
            self.printing = Some(printing);
            warn!("the last report is still being printed");
            return false;
        }
        true
    }

    /// Prints one line.
    pub fn print(&mut self, line: String) {
        self.printing = Some(spawn_blocking(move || {
            if let Err(failure) = print(&format!("{line}\n")) {
                error!(error = %failure.why(), "a report cannot be printed");
            }
        }));
    }

    /// Gives the last report a moment to be read.
    pub async fn finish(&mut self) {
        if let Some(printing) = self.printing.take() {
            let _ = timeout(LAST_REPORT, printing).await;
        }
    }
}

/// A report as one line of JSON.
pub fn json(report: &impl serde::Serialize) -> Option<String> {
    serde_json::to_string(report).inspect_err(|error| error!(%error, "a report cannot be written down")).ok()
}
