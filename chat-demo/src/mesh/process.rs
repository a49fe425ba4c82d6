//! The process of `pegloom chat mesh`: one ROUTER that hears, a DEALER for each way, a terminal, and the machine.
//!
//! It decides nothing: bytes become inputs and effects become bytes. A DEALER is never read, for nobody answers on it.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use runtime::{
    clock::{Clock, unix_millis},
    exit::{Exit, Failure},
    node::json,
    shard::run_local,
    signals::{Signal, Signals},
    telemetry::{self, LogArgs, RateLimited},
    zeromq::{Context, Dealer, Malformed, Received, Router},
};
use serde::Serialize;
use tokio::{
    net::TcpStream,
    select,
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};
use tracing::{debug, warn};

use super::{Absence, Address, Counts, Effect, Input, Mesh, Start, WayId};
use crate::{
    Line, Name, Typed, host,
    terminal::{Terminal, TypingArgs},
    wire::mesh::{AuthorId, MAX_PEERS, Speaker, decode, encode},
};

const EXAMPLES: &str = "\
Examples:
  Three in a mesh; each has to know one that is there, or will be:
    pegloom chat mesh --name ann --port 7001
    pegloom chat mesh --name bob --port 7002 --peer localhost:7001
    pegloom chat mesh --name cid --port 7003 --peer localhost:7002

  A script says what it finds, to who is on this machine, for as long as it likes:
    tail -f build.log | pegloom chat mesh --name build --port 0 --ip localhost --peer localhost:7001

Members find one another by hearsay and give one another what was missed, so any of them may
leave, and a network may be cut and heal. Nothing is on a disk: a text is there as long as
somebody who has it. Nobody is asked who he is: a mesh is for hosts you trust. Each start is
another author, and a mesh keeps what 1,024 have said: what starts anew for each line pushes
out what others said, and belongs in a room.

It ends by /quit, Ctrl-D or the end of its input when the others have what was said here, or
after 5 s, with exit code 2 if nobody has it; by Ctrl-C or SIGTERM at once.";

/// Chat without a server: every member is connected to every other
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to be called; others may be called so too. Where this does not say, as `$USER` does
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    name: Option<Name>,

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
    typing: TypingArgs,

    #[command(flatten)]
    log: LogArgs,
}

/// Messages that are received before anything else has its turn.
const TURN: usize = 256;
/// A screen that cannot follow is looked at so often.
const LOOK: Duration = Duration::from_millis(20);
/// What was said last is on its way out of the process for so long.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long a connection may take at an address where nobody is met.
const LOOKED_AT: Duration = Duration::from_secs(2);
/// Frames that wait on a way: more than a window of the shortest texts, each in a frame of its own.
const QUEUE: u16 = 4_096;
/// Addresses that are being looked up or at, or have been.
const LOOKED_UP: usize = 2 * MAX_PEERS;

/// Runs `pegloom chat mesh`.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log.quiet())?;
    run_local(chat(args)).map_err(Failure::cannot_start)?
}

async fn chat(args: &Args) -> Result<Exit, Failure> {
    let name = args.name.clone().map_or_else(Name::of_user, Ok)?;
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let context = Context::new();
    let router = select! {
        router = listen(&context, &args.ip, args.port) => router?,
        () = signals.drain() => return Ok(Exit::Clean),
    };
    let port = port_of(router.endpoint()).unwrap_or(args.port);
    let terminal = Terminal::open(&name)?.colored(args.log.color).typing(&args.typing);
    let (author, clock) = (AuthorId(fastrand::u128(..).to_be_bytes()), Clock::start());
    let start = Start { author, name, port, peers: args.peers.clone(), seed: fastrand::u64(..) };
    let mesh = Mesh::new(start, clock.now(), unix_millis());
    let (found, is_found) = mpsc::channel(LOOKED_UP);
    let (ways, unconnected) = Default::default();
    let mut member = Member {
        author,
        context,
        clock,
        mesh,
        terminal,
        is_behind: false,
        ways,
        found,
        unconnected,
        end: None,
    };
    member.terminal.show(&Line::Told(format!("You are now online, at port {port}. 1 online.")));
    Ok(member.live(router, signals, is_found).await)
}

struct Member {
    author: AuthorId,
    context: Context,
    clock: Clock,
    mesh: Mesh,
    terminal: Terminal,
    is_behind: bool,
    /// None while the address is looked up.
    ways: BTreeMap<WayId, Option<Dealer>>,
    found: mpsc::Sender<Found>,
    unconnected: RateLimited,
    /// So many texts nobody has, and it is over.
    end: Option<u64>,
}

/// What was found out about an address, by a task of its own.
enum Found {
    /// Where this way goes, if that is known.
    Place(WayId, Option<SocketAddr>),
    /// Why nobody is met there.
    Absence(Address, Absence),
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
        mut is_found: mpsc::Receiver<Found>,
    ) -> Exit {
        let (mut has_quit, mut is_over, mut is_told) = (false, false, false);
        self.handle(Input::Tick);
        while self.end.is_none() {
            let deadline = self.clock.deadline(self.mesh.deadline());
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
                Some(found) = is_found.recv() => match found {
                    Found::Place(way, address) => self.connect(way, address),
                    Found::Absence(address, why) => self.handle(Input::Absent(address, why)),
                },
                signal = signals.next() => match signal {
                    Signal::Drain => {
                        is_told = true;
                        self.handle(Input::Leave);
                    }
                    Signal::Report => self.report(),
                },
                () = sleep(LOOK), if self.is_behind => self.look_at_screen(),
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
        let has_unsaid = self.terminal.has_unsaid();
        self.terminal.close().await;
        sleep(LAST_WORDS).await;
        if unheard > 0 || has_unsaid { Exit::GraceExpired } else { Exit::Clean }
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
        self.look_at_screen();
    }

    fn look_at_screen(&mut self) {
        let is_behind = self.terminal.is_behind();
        if is_behind != self.is_behind {
            self.is_behind = is_behind;
            self.handle(Input::Behind(is_behind));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dial(way, address, attempt) => self.look_up(way, address, attempt),
            Effect::HangUp(way) => drop(self.ways.remove(&way)),
            Effect::Say(way, frame) => self.say(way, encode(&frame)),
            Effect::Look(address, attempt) => self.look(address, attempt),
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

    fn look_up(&mut self, way: WayId, address: Address, attempt: u32) {
        self.ways.insert(way, None);
        let found = self.found.clone();
        tokio::task::spawn_local(async move {
            let place = locate(&address, attempt).await;
            let place = place.inspect_err(|error| debug!(%address, %error, "a peer's name is not found"));
            // Nobody waits for it if the process ends.
            let _ = found.send(Found::Place(way, place.ok())).await;
        });
    }

    fn look(&self, address: Address, attempt: u32) {
        let found = self.found.clone();
        tokio::task::spawn_local(async move {
            let absence = absence(&address, attempt).await;
            let _ = found.send(Found::Absence(address, absence)).await;
        });
    }

    fn connect(&mut self, way: WayId, address: Option<SocketAddr>) {
        let Some((place, address)) = self.ways.get_mut(&way).zip(address) else { return };
        let speaker = Speaker { author: self.author, way };
        let endpoint = format!("tcp://{address}");
        match Dealer::connect_bounded(&self.context, &endpoint, &speaker.to_bytes(), QUEUE) {
            Ok(dealer) => *place = Some(dealer),
            Err(error) => {
                if let Some(left_out) = self.unconnected.admit(self.clock.now()) {
                    warn!(%address, %error, left_out, "a peer cannot be connected to");
                }
            }
        }
    }

    fn report(&mut self) {
        let (online, kept) = (self.mesh.online(), self.mesh.kept());
        if let Some(report) = json(&Report { online, kept, counts: self.mesh.counts() }) {
            self.terminal.report(&report);
        }
    }
}

/// Finds the addresses of a host, and takes a different one for each attempt.
async fn locate(address: &Address, attempt: u32) -> io::Result<SocketAddr> {
    let known = host::find(&address.host).await?;
    // There is at least one.
    Ok(SocketAddr::new(known[attempt as usize % known.len()], address.port))
}

/// Why nobody is met there: a connection of its own tells, since those of libzmq say nothing of why there is none.
async fn absence(address: &Address, attempt: u32) -> Absence {
    let Ok(place) = locate(address, attempt).await else { return Absence::NotFound };
    match timeout(LOOKED_AT, TcpStream::connect(place)).await {
        Ok(Ok(_)) => Absence::NoMember,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Absence::NobodyListens,
        Ok(Err(_)) | Err(_) => Absence::NobodyAnswers,
    }
}

fn input(received: Result<Received, Malformed>) -> Input {
    let heard = received.ok().and_then(|Received { peer, from, batch }| {
        let speaker = Speaker::of_bytes(peer.as_bytes())?;
        let frame = decode(&batch).inspect_err(|error| debug!(%peer, %error, "no frame")).ok()?;
        Some(Input::Heard { speaker, from: from?, frame })
    });
    heard.unwrap_or(Input::Strange)
}

async fn listen(context: &Context, ip: &str, port: u16) -> Result<Router, Failure> {
    let endpoint = host::listening(ip, port).await?;
    Router::bind(context, &endpoint).map_err(|error| {
        let advice = "another --port, or 0 for any free one; --ip all, or an address of this machine";
        Failure::cannot(format!("listen at {ip}, port {port}"), error, advice)
    })
}

fn port_of(endpoint: &str) -> Option<u16> {
    endpoint.rsplit_once(':')?.1.parse().ok()
}
