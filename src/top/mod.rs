//! `pegloom top`: the statistics of a fabric in a terminal, or as lines in a pipe.
//!
//! What is known comes from a [`Place`] as a [`Feed`]: from a stats-node's HTTP port, or from the nodes themselves. On a
//! terminal it is a [`screen`]; elsewhere it is lines, `plain` ones or JSON. It changes nothing where it looks, and it
//! goes on looking when there is nothing to see for a while.

mod escapes;
mod feed;
mod keys;
mod lines;
mod number;
mod past;
mod place;
mod plain;
mod screen;
mod sse;
mod view;
mod watch;
mod web;

use std::{
    env,
    io::{self, IsTerminal as _},
    num::NonZeroU64,
    time::Duration,
};

use feed::Feed;
use place::Place;
use runtime::{
    exit::{Exit, Failure},
    shard::run_local,
    telemetry::{self, Color, LogArgs},
};
use tokio::time::Instant;
use view::Paint;

const EXAMPLES: &str = "\
Examples:
  A fabric that shows its statistics over HTTP, from `up` or from a stats-node:
    pegloom up --config pegloom.toml --http 127.0.0.1:8088
    pegloom top
    pegloom top http://10.0.0.9:8088

  Nodes without a stats-node, which publish to where this listens:
    pegloom top tcp://127.0.0.1:7200
    pegloom ingress --config pegloom.toml --stats tcp://127.0.0.1:7200

  In a pipe: a line a second for each route, and one for each divergence or outage:
    pegloom top | grep diverged
    pegloom top --json --count 1 | jq .routes

Keys: 1 to 4 or Tab for the pages, arrows or j and k to move, d for the divergences of what is
chosen, p to pause, ? for all of them, q to end.";

/// Without WHERE, what `--http 127.0.0.1:8088` shows is looked at.
const DEFAULT: &str = "http://127.0.0.1:8088";

/// Watch routes, destinations, divergences and nodes in a terminal, or as lines in a pipe
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to look at: `http://HOST:PORT`, where `--http` shows statistics; or an endpoint to listen on, `tcp://HOST:PORT`
    /// or `ipc://PATH`, which nodes are told with `--stats`
    #[arg(value_name = "WHERE", default_value = DEFAULT)]
    place: String,

    /// Print lines even on a terminal
    #[arg(long)]
    plain: bool,

    /// Print the statistics as they are, one JSON object a line
    #[arg(long, conflicts_with = "plain")]
    json: bool,

    /// End when the statistics have been shown so many times; they come once a second
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,

    /// End after so long
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,

    #[command(flatten)]
    log: LogArgs,
}

impl Args {
    /// A full screen needs a terminal that can move its cursor.
    fn is_for_screen(&self) -> bool {
        let is_dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
        let is_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
        !self.plain && !self.json && is_terminal && !is_dumb
    }

    fn paint(&self) -> Paint {
        let is_plain = env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        match self.log.color {
            Color::Always => Paint::Colored,
            Color::Auto if !is_plain => Paint::Colored,
            _ => Paint::Plain,
        }
    }
}

/// When to end without being told to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Statistics still to be shown.
    left: Option<u64>,
    /// The last moment.
    until: Option<Instant>,
}

impl Limit {
    fn of(args: &Args) -> Self {
        let until = args.duration.and_then(|span| Instant::now().checked_add(span));
        Self { left: args.count.map(NonZeroU64::get), until }
    }

    /// Statistics have been shown. True if they were the last.
    fn spend(&mut self) -> bool {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.left == Some(0)
    }

    /// Returns at the last moment, if there is one.
    async fn is_over(self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

/// Runs `pegloom top`.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let place = Place::read(&args.place)?;
    if args.is_for_screen() {
        return run_local(screen::run(&place, args.paint(), args)).map_err(Failure::cannot_start)?;
    }
    telemetry::init(&args.log)?;
    run_local(lines::run(&place, args)).map_err(Failure::cannot_start)?
}
