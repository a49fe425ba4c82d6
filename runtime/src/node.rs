//! A node's life: its shards run until it is told to drain, and it says how that ended.
//!
//! It hears signals, asks shards for reports and adds them up, and turns the drain's outcome into an exit code. It
//! carries no traffic and knows nothing of what its shards do.

use std::time::Duration;

use tokio::{
    select,
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::{error, info, warn};

use crate::{
    exit::{Exit, print},
    report::Report,
    shard::{Command, Shard},
    signals::{Signal, Signals},
};

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
}

impl Node {
    /// A node of these shards, whose ends are heard from `ended`.
    pub fn new(shards: Vec<Shard>, ended: mpsc::Receiver<()>, grace: Duration, leaving: Leaving) -> Self {
        Self { living: shards.len(), shards, ended, grace, leaving }
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

    async fn print_report(&self) {
        let Some(report) = self.report().await else { return };
        match serde_json::to_string(&report) {
            Ok(line) => drop(print(&format!("{line}\n"))),
            Err(error) => error!(%error, "a report cannot be written down"),
        }
    }

    /// Finishes old work and takes no new, for at most the grace; `hurry` ends it at once.
    pub async fn drain(&mut self, hurry: impl Future<Output = ()>) -> Exit {
        info!(grace = ?self.grace, "draining");
        self.tell(|| Command::Drain).await;
        let until = Instant::now() + self.grace;
        let is_drained = select! {
            () = self.all_ended() => true,
            () = sleep_until(until) => false,
            () = hurry => false,
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
