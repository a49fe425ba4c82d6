//! What was typed. The hidden commands are the processes a run is made of; they start with two underscores and are
//! nobody's interface.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::load::Shape;
use crate::run::Timing;

/// Measures what pegloom costs beside its peers, on loopback, and ends everything it starts.
#[derive(Parser)]
#[command(
    version,
    after_help = "Build with --release, on a machine with nothing else to do: \
    `cargo run --release -p bench -- compare`. Results go to stdout, progress to stderr."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// What replication costs beside HAProxy, nginx and a UDP copier, case by case
    ///
    /// Sources send through the proxy to destinations that echo, and check every byte that returns; UDP is counted where
    /// it arrives. What is compared is the CPU time of the proxy's processes, not of the ends, between the warm-up and
    /// the end of a run; runs of pegloom and of its peer alternate, and the ratio is taken pair by pair.
    Compare(CompareArgs),
    /// What a reverse proxy costs beside HAProxy and nginx: the cases of `compare` that are about HTTP
    ///
    /// Clients on 64 connections ask for a reply of 1 KB, out of the cache or from a server, or fewer for one of 50 MB. Each
    /// byte of every reply is checked. Options are those of `compare`; what is about lines has no meaning here.
    Http(CompareArgs),
    /// What a secondary that takes nothing does to the source's latency and throughput
    ///
    /// Runs without the secondary alternate with runs beside one that never reads and one stopped by SIGSTOP. Before
    /// each is measured, enough is sent for the secondary's buffers to be full.
    Stall(StallArgs),
    /// What a text of a chat costs its room for each who gets it, beside mosquitto and nats-server
    ///
    /// One member speaks, the others listen and check every byte and the order; a text is in flight until all have it. A
    /// delivery is one text to one member. What is compared is the CPU time of the server's process; runs of all servers
    /// alternate, and the ratio to nats-server is taken round by round. `--connections` is the number of members (100),
    /// `--in-flight` the texts in flight (200), `--size` the bytes of a text (100).
    Chat(ChatArgs),
    #[command(name = "__echo", hide = true)]
    Echo {
        #[arg(long)]
        never_reads: bool,
        /// A wrong byte in each line of this number's multiples
        #[arg(long)]
        lie_every: Option<NonZeroU32>,
        /// Each request of the Foo protocol with its ACK
        #[arg(long)]
        answers: bool,
    },
    /// A server of HTTP, each of whose replies has a body of this many bytes
    #[command(name = "__serve", hide = true)]
    Serve { size: usize },
    #[command(name = "__floor", hide = true)]
    Floor { forward: SocketAddr },
    #[command(name = "__copier", hide = true)]
    Copier { forward: Vec<SocketAddr> },
    #[command(name = "__relay", hide = true)]
    Relay,
    #[command(name = "__receive", hide = true)]
    Receive { sockets: usize },
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
pub(crate) struct CompareArgs {
    /// How many pairs of runs each case gets [default: 5, or 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: Option<u32>,
    /// Measure only these cases (may be repeated); all but `udp-control` if not given
    #[arg(long = "case", value_enum, value_name = "CASE")]
    cases: Vec<Case>,
    /// Threads of HAProxy (its nbthread)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) haproxy_threads: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(clap::Args)]
pub(crate) struct StallArgs {
    /// How many rounds of alternating runs to do [default: 9, or 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: Option<u32>,
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
pub(crate) struct ChatArgs {
    /// How many rounds of alternating runs to do [default: 5, or 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: Option<u32>,
    /// Measure only these servers (may be repeated)
    #[arg(long = "server", value_enum, value_name = "SERVER")]
    servers: Vec<Server>,
    /// Instead of CPU time: the room's memory while so many texts are said and one more member reads none of them
    #[arg(long, value_name = "TEXTS", num_args = 0..=1, default_missing_value = "100000",
        value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) memory: Option<u64>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What passes the texts of a chat on.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// `pegloom chat room`, which keeps every text on disk before anyone gets it
    Room,
    /// mosquitto: MQTT 3.1.1, one topic, at most once
    Mosquitto,
    /// nats-server: core NATS, one subject
    Nats,
    /// A bare ROUTER: what libzmq alone costs
    Relay,
}

#[derive(clap::Args)]
pub(crate) struct Common {
    /// Sources connected at once [default: 64, or what the case says]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: Option<u32>,
    /// Lines each source keeps in flight [default: 1, or what the case says]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    in_flight: Option<u32>,
    /// Bytes of a line, its end included [default: 100, or what the case says]
    #[arg(long, value_parser = clap::value_parser!(u32).range(17..=65_536))]
    size: Option<u32>,
    /// How long each run is measured [default: 3, or 0.5 with --quick]
    #[arg(long, value_parser = seconds)]
    seconds: Option<Duration>,
    /// How long each run goes on before it is measured, in seconds [default: 1, or 0.2 with --quick]
    #[arg(long, value_parser = seconds, value_name = "SECONDS")]
    warm_up: Option<Duration>,
    /// A short look: one pair of short runs, fewer sessions at rest; shows whether it works, not what it costs
    #[arg(long)]
    pub(crate) quick: bool,
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

/// What is measured, and beside whom.
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
    /// `pegloom up --shards 1`, three destinations; also that replies are compared, and lies found
    UpThree,
    /// One destination, 16 lines in flight on each connection
    Pipelined,
    /// The same to three destinations
    PipelinedThree,
    /// Messages of the Foo protocol that are counted, beside the same that are not
    Foo,
    /// Long messages echoed by one destination, beside nginx
    Bulk,
    /// Sessions of one line each, one destination
    Churn,
    /// Datagrams to three destinations, beside the simplest program that copies them
    UdpThree,
    /// Memory of a session that says nothing
    Idle,
    /// One connection and one line in flight: how long it takes
    Latency,
    /// Requests that the cache in memory answers, beside nginx with `proxy_cache`
    HttpHit,
    /// Requests that go to the one server, nothing kept, beside HAProxy in `mode http`
    HttpMiss,
    /// Replies of 50 MB from the one server, beside nginx with `proxy_buffering off`
    HttpBody,
    /// The same beside nginx with `proxy_buffering on`
    HttpBodyBuffered,
    /// The UDP copier beside itself: how far from 1 this machine's noise goes
    UdpControl,
}

impl Case {
    /// Those that `http` measures.
    const HTTP: [Self; 4] = [Self::HttpHit, Self::HttpMiss, Self::HttpBody, Self::HttpBodyBuffered];
}

/// The run that a run with a stalled secondary is compared with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Baseline {
    /// The primary alone
    Alone,
    /// The primary and an echoing secondary
    Healthy,
}

impl CompareArgs {
    pub(crate) fn pairs(&self) -> u32 {
        self.pairs.unwrap_or(if self.common.quick { 1 } else { 5 })
    }

    pub(crate) fn cases(&self) -> Vec<Case> {
        if !self.cases.is_empty() {
            return self.cases.clone();
        }
        Case::value_variants().iter().copied().filter(|case| *case != Case::UdpControl).collect()
    }

    /// The same, of HTTP alone where no case was asked for.
    pub(crate) fn of_http(mut self) -> Self {
        if self.cases.is_empty() {
            self.cases = Case::HTTP.into();
        }
        self
    }
}

impl ChatArgs {
    pub(crate) fn pairs(&self) -> u32 {
        self.pairs.unwrap_or(if self.common.quick { 1 } else { 5 })
    }

    pub(crate) fn servers(&self) -> Vec<Server> {
        if self.servers.is_empty() { Server::value_variants().to_vec() } else { self.servers.clone() }
    }
}

impl StallArgs {
    pub(crate) fn pairs(&self) -> u32 {
        self.pairs.unwrap_or(if self.common.quick { 1 } else { 9 })
    }
}

impl Common {
    pub(crate) fn timing(&self) -> Timing {
        let (seconds, warm_up) = if self.quick { (500, 200) } else { (3000, 1000) };
        Timing {
            seconds: self.seconds.unwrap_or(Duration::from_millis(seconds)),
            warm_up: self.warm_up.unwrap_or(Duration::from_millis(warm_up)),
        }
    }

    /// This shape, except for what was asked for.
    pub(crate) fn shape(&self, usual: Shape) -> Shape {
        Shape {
            connections: self.connections.unwrap_or(usual.connections),
            in_flight: self.in_flight.unwrap_or(usual.in_flight),
            size: self.size.map_or(usual.size, |size| size as usize),
        }
    }
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
    fn what_was_typed_goes_before_what_the_case_says() {
        let usual = Shape { connections: 64, in_flight: 16, size: 100 };
        let args = Args::parse_from(["bench", "compare", "--quick", "--size", "50", "--seconds", "2"]);
        let Command::Compare(args) = args.command else { panic!("not compare") };

        assert_eq!(args.common.shape(usual), Shape { size: 50, ..usual });
        assert_eq!(args.common.timing().seconds, Duration::from_secs(2));
        assert_eq!((args.pairs(), args.common.timing().warm_up), (1, Duration::from_millis(200)));
    }

    #[test]
    fn the_control_is_measured_only_when_it_is_asked_for() {
        let cases = |arguments: &[&str]| match Args::parse_from(arguments).command {
            Command::Compare(args) => args.cases(),
            _ => panic!("not compare"),
        };
        assert!(!cases(&["bench", "compare"]).contains(&Case::UdpControl));
        assert!(cases(&["bench", "compare", "--case", "udp-control"]) == [Case::UdpControl]);
    }

    #[test]
    fn http_is_the_cases_of_http_unless_others_are_asked_for() {
        let cases = |arguments: &[&str]| match Args::parse_from(arguments).command {
            Command::Http(args) => args.of_http().cases(),
            _ => panic!("not http"),
        };
        assert!(cases(&["bench", "http"]) == Case::HTTP);
        assert!(cases(&["bench", "http", "--case", "http-hit"]) == [Case::HttpHit]);
    }

    #[test]
    fn pegloom_gets_its_arguments_untouched() {
        let args = Args::parse_from(["bench", "__pegloom", "up", "--listen", "tcp://127.0.0.1:0", "--help"]);

        let Command::Pegloom { arguments } = args.command else { panic!("not pegloom") };
        assert_eq!(arguments, ["up", "--listen", "tcp://127.0.0.1:0", "--help"]);
    }
}
