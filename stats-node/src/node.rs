//! The stats-node as a process: bind → listen to reports → show → write down.
//!
//! `run` is `pegloom stats-node` from its flags to its exit code. It carries no traffic: while it is away nodes publish into
//! the void, and what they count is in their next report.

use std::{sync::Arc, time::Duration};

use runtime::{
    exit::{Exit, Failure},
    node::{Stdout, json},
    shard::run_local,
    signals::{Signal, Signals},
    telemetry::{self, LogArgs},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tracing::info;

use crate::{
    desk::Desk,
    hearing::Hearing,
    office::{Office, Shown},
};

/// A signal is answered when each living node has reported so many times more, or after so long.
const FURTHER_REPORTS: u64 = 2;
const FURTHER_REPORTS_WITHIN: Duration = Duration::from_millis(300);
/// Whether they have come is looked at so often.
const LOOK: Duration = Duration::from_millis(10);

/// Flags of `pegloom stats-node`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where nodes publish their reports to: `tcp://HOST:PORT` (port 0: any) or `ipc://PATH`
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:7200")]
    pub bind: String,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub shown: Shown,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub log: LogArgs,
}

/// Runs `pegloom stats-node`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log)?;
    run_local(serve(args)).map_err(Failure::cannot_start)?
}

async fn serve(args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let hearing = Hearing::open(&args.bind, "--bind with another port, or end what holds this one")?;
    let mut office = Office::open("stats-node", &args.shown)?;
    let mut tasks = JoinSet::new();
    office.start(&mut tasks)?;
    hearing.log();
    tasks.spawn_local(hearing.run(Arc::clone(&office.desk)));
    answer(&mut signals, &office.desk).await;
    office.close().await;
    info!("drained");
    Ok(Exit::Clean)
}

/// Prints the statistics for each signal, until one says to end.
async fn answer(signals: &mut Signals, desk: &Desk) {
    let mut stdout = Stdout::default();
    while signals.next().await == Signal::Report {
        if stdout.is_ready().await {
            await_further_reports(desk).await;
            if let Some(line) = json(&desk.summary()) {
                stdout.print(line);
            }
        }
    }
    stdout.finish().await;
}

/// The next report of a shard may have been made before the signal came; the one after it was not.
async fn await_further_reports(desk: &Desk) {
    let asked_at = desk.now();
    let since = desk.statistics().heard(asked_at);
    let until = Instant::now() + FURTHER_REPORTS_WITHIN;
    while Instant::now() < until && !desk.statistics().has_heard(&since, FURTHER_REPORTS, asked_at) {
        sleep(LOOK).await;
    }
}
