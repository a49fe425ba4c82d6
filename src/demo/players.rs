//! The destinations of the demo: each answers every line, and one of them lies, one asks, one comes and goes.
//!
//! They speak TCP to the fabric like anybody else, and nothing here looks inside it.

use std::{cell::Cell, io, rc::Rc, time::Duration};

use runtime::{
    listeners::Listeners,
    settings::{Listen, Transport},
    tcp::listen,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet, spawn_local},
    time::{sleep, timeout},
};

/// The unreliable secondary lives and is away for so long, in turn.
const LIFE: Duration = Duration::from_secs(3);
/// See [`LIFE`].
const ABSENCE: Duration = Duration::from_secs(3);
/// Nobody asks before the answers of all to what was said last are over.
const PAUSE: Duration = Duration::from_millis(300);
/// Every so many lines, who lies does.
const LIE_EVERY: u64 = 12;
/// Who asks does it after so many lines.
pub(super) const ASK_AFTER: u64 = 8;
/// What is asked.
pub(super) const ASK: &str = "GET BATTERY";
/// How the device's answer to it begins.
pub(super) const ANSWER: &str = "BATTERY";

/// The names of the destinations; the first is the primary.
pub(super) const NAMES: [&str; 4] = ["platform", "mirror", "beta", "flaky"];

/// Which of them lies.
pub(super) const LIAR: &str = NAMES[2];

/// What is special about a destination.
#[derive(Clone)]
enum Part {
    /// It asks what another has asked, once it sees the answer.
    Repeats,
    Asks,
    /// It lies now and then, and counts its lies.
    Lies(Rc<Cell<u64>>),
    ComesAndGoes,
}

/// The destinations, playing until dropped.
pub(super) struct Stage {
    ports: [u16; NAMES.len()],
    players: Vec<AbortHandle>,
    lies: Rc<Cell<u64>>,
}

impl Stage {
    /// Starts all of them.
    pub(super) fn set() -> io::Result<Self> {
        let lies = Rc::new(Cell::new(0));
        let parts = [Part::Repeats, Part::Asks, Part::Lies(Rc::clone(&lies)), Part::ComesAndGoes];
        let (mut ports, mut players) = ([0; NAMES.len()], Vec::new());
        for (at, part) in ports.iter_mut().zip(parts) {
            let (listener, port) = open(0)?;
            *at = port;
            let player = match part {
                Part::ComesAndGoes => spawn_local(come_and_go(listener, port)),
                part => spawn_local(play(listener, part)),
            };
            players.push(player.abort_handle());
        }
        Ok(Self { ports, players, lies })
    }

    /// Their names and ports, the primary first.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (&'static str, u16)> + use<'_> {
        NAMES.into_iter().zip(self.ports)
    }

    /// Lies that were told so far.
    pub(super) fn lies(&self) -> u64 {
        self.lies.get()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.players.iter().for_each(AbortHandle::abort);
    }
}

fn open(port: u16) -> io::Result<(TcpListener, u16)> {
    let host = Some("127.0.0.1".to_owned());
    let Listeners { mut sockets, address } = listen(&Listen { transport: Transport::Tcp, host, port }, 1)?;
    let socket = sockets.pop().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((TcpListener::from_std(socket)?, address.port()))
}

/// Serves for a while, dies with all its connections, and comes back on the same port.
async fn come_and_go(mut listener: TcpListener, port: u16) {
    loop {
        let _ = timeout(LIFE, play(listener, Part::ComesAndGoes)).await;
        sleep(ABSENCE).await;
        listener = loop {
            match open(port) {
                Ok((listener, _)) => break listener,
                // Somebody else has the port for the moment.
                Err(_) => sleep(ABSENCE).await,
            }
        };
    }
}

/// Answers on every connection; they end with this.
async fn play(listener: TcpListener, part: Part) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn_local(converse(stream, part.clone()))),
                Err(_) => sleep(ABSENCE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A connection that breaks is over, and nobody here minds.
async fn converse(stream: TcpStream, part: Part) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut heard, mut has_asked) = (0, false);
    while let Some(line) = lines.next_line().await? {
        heard += 1;
        write.write_all(answer(&part, heard, &line).as_bytes()).await?;
        if !has_asked && part.asks_now(heard, &line) {
            has_asked = true;
            sleep(PAUSE).await;
            write.write_all(format!("{ASK}\n").as_bytes()).await?;
        }
    }
    Ok(())
}

fn answer(part: &Part, heard: u64, line: &str) -> String {
    match part {
        Part::Lies(lies) if heard.is_multiple_of(LIE_EVERY) => {
            lies.set(lies.get() + 1);
            format!("NO {line}\n")
        }
        _ => format!("OK {line}\n"),
    }
}

impl Part {
    fn asks_now(&self, heard: u64, line: &str) -> bool {
        match self {
            Self::Asks => heard == ASK_AFTER,
            Self::Repeats => line.starts_with(ANSWER),
            Self::Lies(_) | Self::ComesAndGoes => false,
        }
    }
}
