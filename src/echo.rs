//! `pegloom echo`: a destination to try things with. It returns what it gets, says who it is if asked to, or is silent.
//!
//! [`serve`] is one listener as a future: the caller owns the socket and the signal, so the demo and a test use it as
//! the command does. A drain takes no new connections and lets open ones end by themselves; dropping the future ends
//! them at once. Datagrams are answered one by one, until the signal.

use std::{
    future::{Future, pending},
    io,
    net::SocketAddr,
    str::FromStr as _,
    time::Duration,
};

use runtime::{
    exit::{Exit, Failure},
    settings::{Listen, Transport},
    shard::run_local,
    signals::Signals,
    tcp,
    telemetry::{self, LogArgs},
    udp::{self, Desk, Door},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{info, warn};

const EXAMPLES: &str = "\
Examples:
  A primary and a mirror, each of which says who it is, and a route to both:
    pegloom echo tcp://127.0.0.1:1234 --prefix 'primary: '
    pegloom echo tcp://127.0.0.1:1235 --prefix 'mirror: '
    pegloom up --listen tcp://127.0.0.1:7890 --forward :1234 --forward :1235 --codec lines

  A mirror that never answers, on any free port:
    pegloom echo tcp://127.0.0.1:0 --silent

It ends by SIGTERM or Ctrl-C: at once without connections, after 2 s with them, and at once the second time.";

/// Be a destination to try things with: return what comes in
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen, as in `tcp://:1234` (every interface), `udp://:1234` or `tcp://127.0.0.1:0` (any free port)
    #[arg(required = true, value_name = "ADDRESS", value_parser = Listen::from_str)]
    addresses: Vec<Listen>,

    /// Begin each line that is returned with this, to say who answers
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,

    /// Read everything and never answer
    #[arg(long, conflicts_with = "prefix")]
    silent: bool,

    #[command(flatten)]
    log: LogArgs,
}

/// What becomes of the bytes that come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// They are returned, each line with this before it; with nothing before it, byte for byte.
    Echo {
        /// Usually says who answers.
        prefix: String,
    },
    /// They are read, and that is all.
    Silent,
}

/// Connections of one listener at once; further ones wait in its backlog.
const MAX_CONNECTIONS: usize = 10_000;
/// How long open connections may go on after the signal.
const GRACE: Duration = Duration::from_secs(2);
/// What keeps a connection from being accepted (no descriptors left, most likely) does not go away at once.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(1);
const READ_BYTES: usize = 16 * 1024;

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    telemetry::init(&args.log)?;
    run_local(echo(args)).map_err(Failure::cannot_start)?
}

async fn echo(args: Args) -> Result<Exit, Failure> {
    let mut signals = Signals::install().map_err(Failure::cannot_start)?;
    let listeners = args.addresses.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
    let behaviour = if args.silent { Behaviour::Silent } else { Behaviour::Echo { prefix: args.prefix } };
    let (drain, is_draining) = watch::channel(false);
    let mut served = JoinSet::new();
    for (listener, address) in listeners {
        info!(%address, "listening");
        let (behaviour, draining) = (behaviour.clone(), draining(is_draining.clone()));
        match listener {
            Listener::Tcp(listener) => served.spawn_local(serve(listener, behaviour, draining)),
            Listener::Udp(door) => served.spawn_local(serve_datagrams(door, behaviour, draining)),
        };
    }
    signals.drain().await;
    info!("draining");
    drain.send_replace(true);
    tokio::select! {
        ended = timeout(GRACE, served.join_all()) => Ok(ending(ended.is_ok())),
        () = signals.drain() => Ok(ending(false)),
    }
}

/// Ends when it is time to drain.
async fn draining(mut is_draining: watch::Receiver<bool>) {
    // Who could say it has gone: so it will not be said.
    if is_draining.wait_for(|is_draining| *is_draining).await.is_err() {
        pending::<()>().await;
    }
}

fn ending(is_drained: bool) -> Exit {
    if is_drained {
        info!("drained");
        Exit::Clean
    } else {
        warn!("ended with work left");
        Exit::GraceExpired
    }
}

enum Listener {
    Tcp(TcpListener),
    Udp(Door),
}

/// A socket, and where it listens: with port 0 only it knows.
fn listen(address: &Listen) -> Result<(Listener, SocketAddr), Failure> {
    let bound = match address.transport {
        Transport::Tcp => tcp::listen(address, 1).and_then(|mut bound| {
            let socket = bound.sockets.pop().expect("a listener of one shard has one socket");
            Ok((Listener::Tcp(TcpListener::from_std(socket)?), bound.address))
        }),
        Transport::Udp => udp::listen(address, 1).and_then(|mut bound| {
            let socket = bound.sockets.pop().expect("a listener of one shard has one socket");
            Ok((Listener::Udp(Door::new(socket)?), bound.address))
        }),
        Transport::Http => {
            let why = "it speaks no HTTP";
            return Err(Failure::cannot(format!("echo on {address}"), why, "tcp:// or udp://").as_usage());
        }
    };
    bound.map_err(|error| {
        Failure::cannot(format!("listen on {address}"), error, "another port, or port 0 for any free one")
    })
}

/// Serves until `shutdown`, then until the last open connection has ended.
pub async fn serve(listener: TcpListener, behaviour: Behaviour, shutdown: impl Future<Output = ()>) {
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, peer)) => drop(connections.spawn(converse(stream, peer, behaviour.clone()))),
                Err(error) => refused(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.join_all().await;
}

/// Answers each datagram with one, from the address it was sent to, until `shutdown`.
async fn serve_datagrams(door: Door, behaviour: Behaviour, shutdown: impl Future<Output = ()>) {
    let desk = Desk::default();
    let mut answer = Vec::new();
    let answers = door.receive(&desk, |arrivals| {
        for arrival in arrivals {
            let (Some(source), false) = (arrival.from, behaviour == Behaviour::Silent) else { continue };
            answer.clear();
            Answers { behaviour: &behaviour, is_mid_line: false }.append(arrival.bytes, &mut answer);
            door.gather(&answer, &[answer.len() as u32], source, arrival.to);
        }
        door.flush(&desk);
    });
    tokio::select! {
        () = shutdown => {}
        () = answers => {}
    }
}

async fn refused(error: &io::Error) {
    warn!(%error, "connection not accepted");
    sleep(PAUSE_AFTER_REFUSAL).await;
}

async fn converse(mut stream: TcpStream, peer: SocketAddr, behaviour: Behaviour) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    info!(%peer, "connection opened");
    let mut received = 0;
    match answer(&mut stream, &behaviour, &mut received).await {
        Ok(()) => info!(%peer, received, "connection closed"),
        Err(error) => info!(%peer, received, %error, "connection broken"),
    }
}

/// Answers until the other side has said its last.
async fn answer(stream: &mut TcpStream, behaviour: &Behaviour, received: &mut u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut answers = Answers { behaviour, is_mid_line: false };
    let mut buffer = vec![0; READ_BYTES];
    let mut answer = Vec::new();
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.shutdown().await;
        }
        *received += count as u64;
        answer.clear();
        answers.append(&buffer[..count], &mut answer);
        stream.write_all(&answer).await?;
    }
}

/// The answer to one connection's bytes, however they are cut into reads.
struct Answers<'a> {
    behaviour: &'a Behaviour,
    is_mid_line: bool,
}

impl Answers<'_> {
    fn append(&mut self, bytes: &[u8], answer: &mut Vec<u8>) {
        match self.behaviour {
            Behaviour::Silent => {}
            Behaviour::Echo { prefix } if prefix.is_empty() => answer.extend_from_slice(bytes),
            Behaviour::Echo { prefix } => self.append_lines(bytes, prefix, answer),
        }
    }

    fn append_lines(&mut self, bytes: &[u8], prefix: &str, answer: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_mid_line {
                answer.extend_from_slice(prefix.as_bytes());
            }
            answer.extend_from_slice(line);
            self.is_mid_line = !line.ends_with(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, task::JoinHandle};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A destination, what ends it, and a connection to it.
    async fn started(behaviour: Behaviour) -> (JoinHandle<()>, oneshot::Sender<()>, TcpStream) {
        let (listener, address) = listen(&"tcp://127.0.0.1:0".parse().unwrap()).unwrap();
        let Listener::Tcp(listener) = listener else { panic!("{address} is tcp") };
        let (end, ended) = oneshot::channel();
        let served = tokio::spawn(serve(listener, behaviour, async { drop(ended.await) }));
        (served, end, TcpStream::connect(address).await.unwrap())
    }

    /// What comes back for `bytes` and a FIN.
    async fn returned(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
        let mut returned = Vec::new();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        timeout(PATIENCE, stream.read_to_end(&mut returned)).await.expect("it ends").unwrap();
        returned
    }

    #[tokio::test]
    async fn bytes_come_back_as_they_were() {
        let (_, _end, mut stream) = started(Behaviour::Echo { prefix: String::new() }).await;
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();

        assert!(returned(&mut stream, &bytes).await == bytes);
    }

    #[tokio::test]
    async fn a_silent_one_reads_and_ends_when_its_peer_does() {
        let (_, _end, mut stream) = started(Behaviour::Silent).await;

        assert_eq!(returned(&mut stream, &vec![b'x'; 100_000]).await, b"");
    }

    #[tokio::test]
    async fn a_drain_takes_no_new_connections_and_lets_open_ones_end() {
        let (served, end, mut stream) = started(Behaviour::Echo { prefix: "me: ".to_owned() }).await;
        let address = stream.peer_addr().unwrap();
        stream.write_all(b"before ").await.unwrap();
        let mut before = [0; 11];
        stream.read_exact(&mut before).await.unwrap();

        end.send(()).unwrap();
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        timeout(PATIENCE, refused).await.expect("nobody is let in any more");

        assert_eq!(&before, b"me: before ");
        assert_eq!(returned(&mut stream, b"and after\n").await, b"and after\n");
        timeout(PATIENCE, served).await.expect("nothing is left to do").unwrap();
    }

    #[test]
    fn each_line_gets_its_prefix_once_however_it_was_cut() {
        let text = b"one\n\ntwo\nthree";
        let behaviour = Behaviour::Echo { prefix: "> ".to_owned() };

        for cut in 0..=text.len() {
            let mut answers = Answers { behaviour: &behaviour, is_mid_line: false };
            let mut answer = Vec::new();
            answers.append(&text[..cut], &mut answer);
            answers.append(&text[cut..], &mut answer);
            assert_eq!(answer, b"> one\n> \n> two\n> three", "cut at {cut}");
        }
    }
}
