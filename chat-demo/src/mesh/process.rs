//! The process of `pegloom chat mesh`: one ROUTER that hears, a DEALER for each way, a terminal, and the machine.
//!
//! It decides nothing: bytes become inputs and effects become bytes. A DEALER is never read, for nobody answers on it.

use std::{collections::BTreeMap, env, net::SocketAddr, time::Duration};

use proto::time::Instant;
use runtime::{
    clock::{Clock, unix_millis},
    exit::{Exit, Failure},
    node::{Stdout, json},
    shard::run_local,
    signals::{Signal, Signals},
    telemetry::{self, LogArgs, LogLevel},
    zeromq::{Context, Dealer, Malformed, Received, Router},
};
use serde::Serialize;
use tokio::{
    net::lookup_host,
    select,
    sync::mpsc,
    time::{sleep, sleep_until},
};
use tracing::{debug, warn};

use super::{Address, Counts, Effect, Input, Mesh, Start, WayId};
use crate::{
    Line, Name, Typed,
    terminal::Terminal,
    wire::mesh::{AuthorId, MAX_PEERS, Speaker, decode, encode},
};

const EXAMPLES: &str = "\
Examples:
  Three in a mesh; each has to know one that is there, or will be:
    pegloom chat mesh --name ann --port 7001
    pegloom chat mesh --name bob --port 7002 --peer localhost:7001
    pegloom chat mesh --name cid --port 7003 --peer localhost:7002

  A script says one thing, to who is on this machine, and leaves:
    echo 'it is done' | pegloom chat mesh --name cron --port 0 --ip localhost --peer localhost:7001

Members find one another by hearsay and give one another what was missed, so any of them may
leave, and a network may be cut and heal. Nothing is on a disk: a text is there as long as
somebody who has it. Nobody is asked who he is: a mesh is for hosts you trust.

It ends by /quit, Ctrl-D or the end of its input when the others have what was said here, or
after 5 s, with exit code 2 if nobody has it; by Ctrl-C or SIGTERM at once.";

/// Chat without a server: every member is connected to every other
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What you are called; others may be called so too
    #[arg(long, value_parser = Name::new)]
    name: Name,

    /// Where peers reach this member; 0 is any free port
    #[arg(long)]
    port: u16,

    /// The address of this machine at which peers reach this member; all means every interface
    #[arg(long, default_value = "all", value_name = "ADDRESS")]
    ip: String,

    /// A member that is there, or will be; may be given several times. The others are found through it
    #[arg(long = "peer", value_name = "HOST:PORT", num_args = 1..)]
    peers: Vec<Address>,

    #[command(flatten)]
    log: LogArgs,
}

/// Messages that are received before anything else has its turn.
const TURN: usize = 256;
/// What was said last is on its way out of the process for so long.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Ways whose address is being looked up, or has been.
const LOOKED_UP: usize = 2 * MAX_PEERS;

/// Runs `pegloom chat mesh`.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&quiet(&args.log))?;
    run_local(chat(args)).map_err(Failure::cannot_start)?
}

/// Logs of a person's screen: only what somebody should know, unless more is asked for.
fn quiet(log: &LogArgs) -> LogArgs {
    let is_asked_for = env::var_os("PEGLOOM_LOG").is_some_and(|level| !level.is_empty());
    let log_level = log.log_level.or((!is_asked_for).then_some(LogLevel::Warn));
    LogArgs { log_level, ..log.clone() }
}

async fn chat(args: &Args) -> Result<Exit, Failure> {
    let signals = Signals::install().map_err(Failure::cannot_start)?;
    let context = Context::new();
    let router = listen(&context, &args.ip, args.port).await?;
    let port = port_of(router.endpoint()).unwrap_or(args.port);
    let terminal = Terminal::open(&args.name)?.colored(args.log.color);
    let (author, clock) = (AuthorId(fastrand::u128(..).to_be_bytes()), Clock::start());
    let (name, peers) = (args.name.clone(), args.peers.clone());
    let start = Start { author, name, port, peers, seed: fastrand::u64(..) };
    let mesh = Mesh::new(start, clock.now(), unix_millis());
    let (found, is_found) = mpsc::channel(LOOKED_UP);
    let ways = BTreeMap::new();
    let mut member =
        Member { author, context, clock, mesh, terminal, ways, found, end: None, stdout: Stdout::default() };
    member.terminal.show(&Line::Told(format!("You are now online, at port {port}. 1 online.")));
    Ok(member.live(router, signals, is_found).await)
}

struct Member {
    author: AuthorId,
    context: Context,
    clock: Clock,
    mesh: Mesh,
    terminal: Terminal,
    /// None while the address is looked up.
    ways: BTreeMap<WayId, Option<Dealer>>,
    found: mpsc::Sender<(WayId, Option<SocketAddr>)>,
    /// So many texts nobody has, and it is over.
    end: Option<u64>,
    stdout: Stdout,
}

/// What SIGUSR1 and SIGUSR2 print.
#[derive(Serialize)]
struct Report {
    online: usize,
    kept: usize,
    #[serde(flatten)]
    counts: Counts,
}

impl Member {
    async fn live(
        mut self,
        router: Router,
        mut signals: Signals,
        mut is_found: mpsc::Receiver<(WayId, Option<SocketAddr>)>,
    ) -> Exit {
        let (mut has_quit, mut is_over, mut is_told) = (false, false, false);
        self.handle(Input::Tick);
        while self.end.is_none() {
            let deadline = self.clock.deadline(self.mesh.deadline().min(A_DAY));
            select! {
                typed = self.terminal.gone(), if !is_over => {
                    (is_over, has_quit) = (true, true);
                    is_told |= self.type_in(typed);
                }
                () = router.readable() => self.hear(&router),
                typed = self.terminal.next(), if !has_quit && self.mesh.has_room() => {
                    has_quit = matches!(typed, Typed::Quit | Typed::Leave);
                    is_told |= self.type_in(typed);
                }
                Some((way, address)) = is_found.recv() => self.connect(way, address),
                signal = signals.next() => match signal {
                    Signal::Drain => {
                        is_told = true;
                        self.handle(Input::Leave);
                    }
                    Signal::Report => self.report().await,
                },
                () = sleep_until(deadline) => self.handle(Input::Tick),
            }
        }
        self.leave(is_told).await
    }

    /// Says whether it was to leave at once.
    fn type_in(&mut self, typed: Typed) -> bool {
        let leaves = typed == Typed::Leave;
        self.handle(if leaves { Input::Leave } else { Input::Typed(typed) });
        leaves
    }

    async fn leave(mut self, is_told: bool) -> Exit {
        let unheard = self.end.filter(|_| !is_told).unwrap_or_default();
        if unheard > 0 {
            let texts = if unheard == 1 { "text" } else { "texts" };
            self.terminal.show(&Line::Warned(format!("{unheard} {texts} reached nobody.")));
        }
        self.stdout.finish().await;
        self.terminal.close().await;
        sleep(LAST_WORDS).await;
        if unheard > 0 { Exit::GraceExpired } else { Exit::Clean }
    }

    fn hear(&mut self, router: &Router) {
        for received in std::iter::from_fn(|| router.try_receive_from()).take(TURN) {
            let input = input(received);
            self.handle(input);
        }
    }

    fn handle(&mut self, input: Input) {
        for effect in self.mesh.handle(input, self.clock.now(), unix_millis()) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dial(way, address, attempt) => self.look_up(way, address, attempt),
            Effect::HangUp(way) => drop(self.ways.remove(&way)),
            Effect::Say(way, frame) => self.say(way, encode(&frame)),
            Effect::Show(line) => self.terminal.show(&line),
            Effect::Know(names) => self.terminal.know(names),
            Effect::Renamed(name) => self.terminal.rename(&name),
            Effect::End(unheard) => self.end = Some(unheard),
        }
    }

    fn say(&self, way: WayId, bytes: Vec<u8>) {
        // What cannot be sent is lost, and said again when a beat shows that it was.
        let _ = self.ways.get(&way).and_then(Option::as_ref).map(|dealer| dealer.try_send(bytes));
    }

    /// Finds the addresses of a host, and takes a different one for each attempt.
    fn look_up(&mut self, way: WayId, address: Address, attempt: u32) {
        self.ways.insert(way, None);
        let found = self.found.clone();
        tokio::task::spawn_local(async move {
            let known = lookup_host((address.host.as_str(), address.port)).await;
            let known: Vec<_> = known
                .inspect_err(|error| debug!(%address, %error, "a peer's name is not found"))
                .map(Iterator::collect)
                .unwrap_or_default();
            let chosen = known.get(attempt as usize % known.len().max(1)).copied();
            // Nobody waits for it if the process ends.
            let _ = found.send((way, chosen)).await;
        });
    }

    fn connect(&mut self, way: WayId, address: Option<SocketAddr>) {
        let Some((place, address)) = self.ways.get_mut(&way).zip(address) else { return };
        let speaker = Speaker { author: self.author, way };
        match Dealer::connect(&self.context, &format!("tcp://{address}"), &speaker.to_bytes()) {
            Ok(dealer) => *place = Some(dealer),
            Err(error) => warn!(%address, %error, "a peer cannot be connected to"),
        }
    }

    async fn report(&mut self) {
        if self.stdout.is_ready().await {
            let (online, kept) = (self.mesh.online(), self.mesh.kept());
            let report = json(&Report { online, kept, counts: self.mesh.counts() });
            if let Some(line) = report {
                self.stdout.print(line);
            }
        }
    }
}

/// A deadline that timers can bear.
const A_DAY: Instant = Instant::from_micros(86_400_000_000 * 36_500);

fn input(received: Result<Received, Malformed>) -> Input {
    let heard = received.ok().and_then(|Received { peer, from, batch }| {
        let speaker = Speaker::of_bytes(peer.as_bytes())?;
        let frame = decode(&batch).inspect_err(|error| debug!(%peer, %error, "no frame")).ok()?;
        Some(Input::Heard { speaker, from: from?, frame })
    });
    heard.unwrap_or(Input::Strange)
}

async fn listen(context: &Context, ip: &str, port: u16) -> Result<Router, Failure> {
    let what = || format!("listen at {ip}, port {port}");
    let endpoint = if ip == "all" {
        format!("tcp://*:{port}")
    } else {
        let mut known = lookup_host((ip, port)).await.map_err(|error| {
            Failure::cannot(what(), error, "an address of this machine, or all").as_usage()
        })?;
        let address = known.next().ok_or_else(|| Failure::cannot(what(), "no address is known", "all"))?;
        format!("tcp://{address}")
    };
    Router::bind(context, &endpoint)
        .map_err(|error| Failure::cannot(what(), error, "another --port, or 0 for any free one"))
}

fn port_of(endpoint: &str) -> Option<u16> {
    endpoint.rsplit_once(':')?.1.parse().ok()
}
