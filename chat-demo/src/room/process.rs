//! `pegloom chat room`: the process around a room's machine. It has the socket, the disk, the clock and the signals, and
//! decides nothing.
//!
//! The disk is written to by a thread that may wait for it; one batch at a time goes there with the store, and both come back.
//! Meanwhile the room goes on.

use std::{path::PathBuf, time::Duration};

use runtime::{
    clock::{self, Clock},
    exit::{Exit, Failure},
    node::{Stdout, json},
    shard::run_local,
    signals::{Signal, Signals},
    telemetry::{self, LogArgs},
    zeromq::{self, Context, Hall, SendError},
};
use tokio::{
    select,
    time::{sleep, sleep_until, timeout},
};
use tracing::{info, warn};

use super::{
    Batch, Input, Limits, Room, Sent, Shell, Stored, Time, descriptors,
    disk::{Begun, Disk},
    store::{self, Store},
};
use crate::{Name, folders, host, wire::room::LogId};

const EXAMPLES: &str = "\
Examples:
  A room on every interface, and somebody in it:
    pegloom chat room --port 9999 --ip all --name chatroom-server
    pegloom chat client --port 9999 --ip localhost --name 'John Doe'

  A room that keeps nothing, on this machine only:
    pegloom chat room --ip localhost --data-dir none

What is said is kept, so that members who come back get what they missed. The room ends by SIGTERM
or Ctrl-C, and everybody is told; SIGUSR1 prints what it has counted.";

/// Be a room: all hear what one says, in one order
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen; 0 is any free port
    #[arg(long, value_name = "PORT", default_value_t = 9999)]
    port: u16,

    /// On which address or interface: `all` is every one, `localhost` this machine only
    #[arg(long, value_name = "ADDRESS", default_value = "all")]
    ip: String,

    /// What the room is called; nobody in it can be called so
    #[arg(long, value_name = "NAME", default_value = "chatroom-server", value_parser = Name::new)]
    name: Name,

    /// Where what is said is kept; `none` keeps it in memory only. Without it, a directory of this port in
    /// `$XDG_DATA_HOME/pegloom/chat`
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,

    /// How much is kept: so many texts, comings and goings, and at most 64 MiB; the oldest go first
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    keep: u32,

    /// How many may be in the room at once
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=1_800))]
    members: u16,

    #[command(flatten)]
    log: LogArgs,
}

/// What the log may have, whatever it is made of.
const LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Frames that are received before anything else is done. Less than may wait for one peer, so that who reads each text as
/// a frame of its own is served before there are more of them than that.
const TURN: usize = 256;
/// Members have so long to receive the room's last words before their connections end: libzmq drops what is not received of
/// a connection that ended, at a peer that queues nothing while there is none (`ZMQ_IMMEDIATE`, as our clients).
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long the last batch may take to be on the disk once the room closes.
const LAST_BATCH: Duration = Duration::from_secs(1);
/// Frames that wait to be sent to one peer. Who reads is bounded by its window; this bounds who does not, whatever it says:
/// frames of the log have at most 32 KiB.
const QUEUE: i32 = 500;
/// Frames of one peer that wait to be received, while the disk is slow: each may have 1 MiB. Further ones wait in its kernel and ours.
const UNHEARD: i32 = 32;
const LINGER: Duration = Duration::from_millis(500);

/// Runs `pegloom chat room`.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log)?;
    run_local(serve(args)).map_err(Failure::cannot_start)?
}

async fn serve(args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    raise_descriptors(args.members);
    let context = Context::new();
    let hall = select! {
        hall = bind(&context, args) => hall?,
        () = signals.drain() => return Ok(Exit::Clean),
    };
    let (store, stored) = open(args, hall.endpoint())?;
    let clock = Clock::start();
    let (members, entries) = (args.members.into(), args.keep as usize);
    let limits = Limits { members, entries, bytes: LOG_BYTES, leeway: Limits::LEEWAY };
    let room = Room::open(args.name.clone(), limits, stored, clock.now());
    info!(endpoint = hall.endpoint(), name = %args.name, entries = room.counters().entries, "the room is open");
    let mut process = Process {
        room,
        hands: Hands { hall, batch: None },
        disk: Disk::idle(store),
        is_refused: false,
        clock,
        stdout: Stdout::default(),
    };
    process.run(&mut signals).await;
    process.close().await;
    info!("the room is closed");
    Ok(Exit::Clean)
}

struct Process {
    room: Room,
    hands: Hands,
    disk: Disk,
    /// Whether the disk has refused what it was given last.
    is_refused: bool,
    clock: Clock,
    stdout: Stdout,
}

impl Process {
    /// Until a signal says to end.
    async fn run(&mut self, signals: &mut Signals) {
        loop {
            let deadline = self.clock.deadline(self.room.next_deadline());
            let has_room = self.room.has_room();
            select! {
                signal = signals.next() => match signal {
                    Signal::Drain => return,
                    Signal::Report => self.report().await,
                },
                written = self.disk.written() => self.on_written(written),
                () = self.hands.hall.readable(), if has_room => self.receive(),
                () = sleep_until(deadline) => {}
            }
            self.on(Input::Turn);
            self.store();
        }
    }

    /// A turn's worth of what has come.
    fn receive(&mut self) {
        let time = self.time();
        for _ in 0..TURN {
            if !self.room.has_room() {
                return;
            }
            let Some((from, frame)) = self.hands.hall.try_receive() else { return };
            let input = match &frame {
                Ok(bytes) => Input::Frame { from: &from, bytes },
                Err(_) => Input::Parts { from: &from },
            };
            self.room.on(input, time, &mut self.hands);
        }
    }

    fn on_written(&mut self, written: Result<(), store::Error>) {
        match written {
            Ok(()) => {
                if std::mem::take(&mut self.is_refused) {
                    info!("what is said is stored again");
                }
                self.on(Input::Stored);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_refused, true) {
                    warn!(%error, "what is said cannot be stored; it is tried again each second");
                }
                self.on(Input::NotStored(&error.to_string()));
            }
        }
    }

    /// Has the disk write what is to be written.
    fn store(&mut self) {
        while let Some(batch) = self.hands.batch.take() {
            if self.disk.begin(batch) == Begun::IsDone {
                self.on(Input::Stored);
            }
        }
    }

    async fn report(&mut self) {
        if self.stdout.is_ready().await
            && let Some(line) = json(&self.room.counters())
        {
            self.stdout.print(line);
        }
    }

    /// What is on its way to the disk is delivered still; then everybody is told.
    async fn close(&mut self) {
        // What is not stored within this is not acknowledged either.
        let _ = timeout(LAST_BATCH, self.finish_writing()).await;
        self.on(Input::Close);
        sleep(LAST_WORDS).await;
        self.stdout.finish().await;
    }

    async fn finish_writing(&mut self) {
        while self.disk.is_writing() {
            let written = self.disk.written().await;
            self.on_written(written);
            self.store();
        }
    }

    fn on(&mut self, input: Input<'_>) {
        let time = self.time();
        self.room.on(input, time, &mut self.hands);
    }

    fn time(&self) -> Time {
        Time { now: self.clock.now(), wall: clock::unix_millis() }
    }
}

/// What the room sends with, and what it wants stored.
struct Hands {
    hall: Hall,
    batch: Option<Batch>,
}

impl Shell for Hands {
    fn send(&mut self, to: &[u8], frame: &[u8]) -> Sent {
        match self.hall.try_send(to, frame) {
            Ok(()) => Sent::Taken,
            Err(SendError::Full) => Sent::Full,
            Err(SendError::Unreachable) => Sent::Gone,
        }
    }

    fn store(&mut self, batch: Batch) {
        debug_assert!(self.batch.is_none(), "one at a time");
        self.batch = Some(batch);
    }
}

fn raise_descriptors(members: u16) {
    let limit = descriptors::raise();
    if !descriptors::is_enough(limit, members.into()) {
        let (limit, advice) =
            (limit.unwrap_or_default(), "fewer --members, or more file descriptors (ulimit -n)");
        warn!(members, limit, advice, "not all members can be connected at once");
    }
}

async fn bind(context: &Context, args: &Args) -> Result<Hall, Failure> {
    let limits =
        zeromq::Limits { message: zeromq::MAX_BATCH, to_one: QUEUE, from_one: UNHEARD, linger: LINGER };
    let endpoint = host::listening(&args.ip, args.port).await?;
    Hall::bind(context, &endpoint, &limits).map_err(|error| {
        let zeromq::Error::Bind { endpoint, source } = error else {
            return Failure::cannot("open a room", error, "more file descriptors (ulimit -n)");
        };
        let advice =
            "--port with another port, --ip with an address of this machine, or end what holds this one";
        Failure::cannot(format!("listen on {endpoint}"), source, advice)
    })
}

fn open(args: &Args, endpoint: &str) -> Result<(Option<Store>, Stored), Failure> {
    let (new, life) = (LogId(fastrand::u128(..).to_be_bytes()), fastrand::u64(1..));
    let directory = match &args.data_dir {
        Some(none) if none.as_os_str() == "none" => {
            let mut stored = Stored::empty(new);
            stored.begin_life(life);
            return Ok((None, stored));
        }
        Some(directory) => directory.clone(),
        None => default_directory(endpoint)?,
    };
    let (store, stored) = Store::open(&directory, new, life).map_err(|error| {
        let shown = directory.display();
        let advice = match &error {
            store::Error::InUse => "end the other room, or --data-dir with another directory".to_owned(),
            store::Error::Foreign { .. } => "--data-dir with another directory".to_owned(),
            store::Error::Later { .. } => "that pegloom, or --data-dir with another directory".to_owned(),
            store::Error::Damaged { .. } => format!("move {shown} away: the room then begins anew"),
            _ => "--data-dir with a directory that can be written to, or --data-dir none".to_owned(),
        };
        Failure::cannot(format!("open what the room has kept in {shown}"), error, advice)
    })?;
    Ok((Some(store), stored))
}

fn default_directory(endpoint: &str) -> Result<PathBuf, Failure> {
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    let data = folders::data().ok_or_else(|| {
        Failure::cannot(
            "find a place for what is said",
            "there is no HOME",
            "--data-dir with a directory, or none",
        )
    })?;
    Ok(data.join(format!("room-{port}")))
}
