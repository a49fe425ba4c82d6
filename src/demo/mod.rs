//! `pegloom demo`: the main job, live, with nothing to prepare.
//!
//! A real fabric, a primary, three secondaries and a talking device, all in this process and on loopback. What is told is
//! what the fabric reports; scripted is only what is played (`players`, `device`): one secondary asks the device something,
//! one lies now and then, one dies and comes back.

mod device;
mod narrator;
mod players;

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use device::{Device, Spoken};
use narrator::{Narrator, Paint};
use players::Stage;
use runtime::{
    exit::{Exit, Failure, print},
    report::Report,
    settings::Settings,
    shard::run_local,
    signals::Signals,
    telemetry::{self, LogArgs, LogLevel},
};
use tokio::{
    select,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::up::{Fabric, Publishing};

const EXAMPLES: &str = "\
Examples:
  Watch until Ctrl-C:
    pegloom demo

  Ten seconds, then a summary:
    pegloom demo --for 10s";

/// How long it runs where nobody can press Ctrl-C.
const UNATTENDED: Duration = Duration::from_secs(10);
/// The report is looked at this often.
const LOOK: Duration = Duration::from_millis(500);

/// Show the main job live: one device, and four destinations, not all of which behave
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How long to run; without it until Ctrl-C on a terminal, and 10s in a pipe
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,

    #[command(flatten)]
    log: LogArgs,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut log = args.log.clone();
    // The narrator tells what the log would.
    log.log_level.get_or_insert(LogLevel::Error);
    telemetry::init(&log)?;
    let is_attended = io::stdout().is_terminal();
    let duration = args.duration.or_else(|| (!is_attended).then_some(UNATTENDED));
    let paint = Paint { is_colored: is_attended && std::env::var_os("NO_COLOR").is_none() };
    run_local(play(duration, paint)).map_err(Failure::cannot_start)?
}

async fn play(duration: Option<Duration>, paint: Paint) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let stage = Stage::set().map_err(Failure::cannot_start)?;
    let mut fabric = Fabric::start(settings(&stage)?, Publishing::default())?;
    let address = fabric.addresses[0].clone();
    print(&narrator::introduction(&address, &stage, duration))?;
    let device = Device::connect(&address).await.map_err(Failure::cannot_start)?;
    let end = async {
        match duration {
            Some(duration) => sleep_until(Instant::now() + duration).await,
            None => std::future::pending().await,
        }
    };
    let mut narrator = Narrator::new(paint);
    select! {
        result = narrate(&fabric, &device, &mut narrator) => result?,
        () = signals.drain() => {}
        () = end => {}
    }
    let spoken = device.finish().await;
    let told = Told { spoken, lies: stage.lies() };
    fabric_at_rest(&mut fabric, &mut narrator, told, signals.drain()).await
}

/// Tells what changes in the fabric's reports, for ever.
async fn narrate(fabric: &Fabric, device: &Device, narrator: &mut Narrator) -> Result<(), Failure> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Some(report) = fabric.node.report().await {
            print(&narrator.tell(&report, device.spoken()))?;
        }
    }
}

/// What was said to the fabric, as those know it who said it.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    spoken: Spoken,
    lies: u64,
}

/// Lets the last session end, and sums up what the fabric reports then.
async fn fabric_at_rest(
    fabric: &mut Fabric,
    narrator: &mut Narrator,
    told: Told,
    hurry: impl Future<Output = ()>,
) -> Result<Exit, Failure> {
    let mut looks = interval(Duration::from_millis(50));
    let mut last = Report::default();
    for _ in 0..100 {
        looks.tick().await;
        let Some(report) = fabric.node.report().await else { break };
        // What was replied last is compared a moment after it was said.
        let is_at_rest = narrator::is_at_rest(&report) && narrator::adds_up(&report, told);
        last = report;
        if is_at_rest {
            break;
        }
    }
    print(&narrator.tell(&last, told.spoken))?;
    print(&narrator.summary(&last, told))?;
    let exit = fabric.node.drain(hurry).await;
    Ok(if exit == Exit::Clean && !narrator::adds_up(&last, told) { Exit::Failed } else { exit })
}

fn settings(stage: &Stage) -> Result<Settings, Failure> {
    let destinations: Vec<_> = stage
        .destinations()
        .map(|(name, port)| format!("{{ name = \"{name}\", address = \"127.0.0.1:{port}\" }}"))
        .collect();
    let text = format!(
        "shards = 1\n[[route]]\nname = \"demo\"\nlisten = \"tcp://127.0.0.1:0\"\ncodec = \"lines\"\nlinger = \"2s\"\n\
         backoff_max = \"1s\"\ndestinations = [{}]\n",
        destinations.join(", ")
    );
    Ok(Settings::from_toml("the demo's settings", &text)?)
}
