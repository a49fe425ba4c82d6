//! What was typed. The hidden commands are the processes a run is made of; they start with two underscores and are
//! nobody's interface.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures what pegloom costs beside its peers, on loopback, and ends everything it starts.
#[derive(Parser)]
#[command(
    version,
    after_help = "Build with --release, on a machine with nothing else to do: \
    `cargo run --release -p bench -- tcp`. Results go to stdout, progress to stderr."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// CPU time per round trip of TCP replication, against HAProxy
    ///
    /// Sources each keep a fixed number of lines in flight through the proxy to an echoing destination and check every
    /// byte that returns. What is compared is the CPU time of the proxy's processes, not of the ends, between the
    /// warm-up and the end of a run; runs of the peer and of HAProxy alternate, and the ratio is taken pair by pair.
    Tcp(TcpArgs),
    /// What a secondary that takes nothing does to the source's latency and throughput
    ///
    /// Runs without the secondary alternate with runs beside one that never reads and one stopped by SIGSTOP. Before
    /// each is measured, enough is sent for the secondary's buffers to be full.
    Stall(StallArgs),
    #[command(name = "__echo", hide = true)]
    Echo {
        #[arg(long)]
        never_reads: bool,
    },
    #[command(name = "__floor", hide = true)]
    Floor { forward: SocketAddr },
    #[command(name = "__exec", hide = true)]
    Exec {
        program: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    #[command(name = "__pegloom", hide = true, disable_help_flag = true)]
    Pegloom {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(clap::Args)]
pub(crate) struct TcpArgs {
    /// How many pairs of runs each case gets
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) pairs: u32,
    /// Measure only these cases (may be repeated); all of them if not given
    #[arg(long = "case", value_enum, value_name = "CASE")]
    pub(crate) cases: Vec<Case>,
    /// Threads of HAProxy (its nbthread)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) haproxy_threads: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(clap::Args)]
pub(crate) struct StallArgs {
    /// How many rounds of alternating runs to do
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) pairs: u32,
    /// What a run with a stalled secondary is compared with
    #[arg(long, value_enum, default_value_t = Baseline::Alone)]
    pub(crate) baseline: Baseline,
    /// KiB each source sends in long lines before anything is measured, so that buffers towards a stalled secondary are full
    #[arg(long, default_value_t = 16_384, value_name = "KIB", value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    pub(crate) fill: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(clap::Args)]
pub(crate) struct Common {
    /// Sources connected at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) connections: u32,
    /// Lines each source keeps in flight
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) in_flight: u32,
    /// Bytes of a line, its end included
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(17..=65_536))]
    pub(crate) size: u32,
    /// How long each run is measured
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// How long each run goes on before it is measured, in seconds
    #[arg(long, default_value = "1", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) warm_up: Duration,
    /// Measure this pegloom instead of the one built into the bench
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) pegloom: Option<PathBuf>,
    /// Write every run and the machine to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Exit with 1 when a limit is broken, or could not be measured
    #[arg(long)]
    pub(crate) assert: bool,
    /// Print each peer's command line and settings to stderr
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// What is measured against HAProxy with one destination.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// A bare relay of one thread on epoll: what the system calls alone cost
    Floor,
    /// `pegloom up --shards 1`, one destination
    Up,
    /// `pegloom up` with its default number of shards, one destination
    UpDefault,
    /// `pegloom ingress` and `pegloom fanout` linked over tcp, one destination
    Distributed,
    /// `pegloom up --shards 1`, three destinations
    UpThree,
}

/// The run that a run with a stalled secondary is compared with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Baseline {
    /// The primary alone
    Alone,
    /// The primary and an echoing secondary
    Healthy,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if (0.01..=600.0).contains(&seconds) => Ok(duration),
        _ => Err("must be between 0.01 and 600 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn seconds_may_have_a_fraction_and_have_bounds() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for refused in ["0", "-1", "601", "inf", "NaN", "soon"] {
            assert!(seconds(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn pegloom_gets_its_arguments_untouched() {
        let args = Args::parse_from(["bench", "__pegloom", "up", "--listen", "tcp://127.0.0.1:0", "--help"]);

        let Command::Pegloom { arguments } = args.command else { panic!("not pegloom") };
        assert_eq!(arguments, ["up", "--listen", "tcp://127.0.0.1:0", "--help"]);
    }
}
