//! Who plays in the demo: three destinations, one of them unreliable, and a device that talks.
//!
//! They speak TCP to the fabric like anybody else; nothing here looks inside it.

use std::{cell::Cell, io, rc::Rc, time::Duration};

use runtime::{
    settings::{Listen, Transport},
    tcp::{Listeners, listen},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::{AbortHandle, spawn_local},
    time::{interval, sleep, timeout},
};

use crate::echo::{Behaviour, serve};

/// The device says a line this often.
const PACE: Duration = Duration::from_millis(200);
/// The unreliable secondary lives and is away for so long, in turn.
const LIFE: Duration = Duration::from_secs(3);
/// See [`LIFE`].
const ABSENCE: Duration = Duration::from_secs(3);
/// Whoever listens for the last answers stops after this.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The destinations, playing until dropped.
pub(super) struct Stage {
    ports: [u16; 3],
    players: Vec<AbortHandle>,
}

const NAMES: [&str; 3] = ["platform", "mirror", "flaky"];

impl Stage {
    /// Starts all three.
    pub(super) fn set() -> io::Result<Self> {
        let (mut ports, mut players) = ([0; 3], Vec::new());
        for (index, name) in NAMES.into_iter().enumerate() {
            let (listener, port) = open(0)?;
            ports[index] = port;
            let behaviour = Behaviour::Echo { prefix: format!("{name}: ") };
            let player = if name == "flaky" {
                spawn_local(come_and_go(listener, port, behaviour))
            } else {
                spawn_local(serve(listener, behaviour, std::future::pending()))
            };
            players.push(player.abort_handle());
        }
        Ok(Self { ports, players })
    }

    /// Their names and ports, the primary first.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (&'static str, u16)> + use<'_> {
        NAMES.into_iter().zip(self.ports)
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
async fn come_and_go(mut listener: TcpListener, port: u16, behaviour: Behaviour) {
    loop {
        let _ = timeout(LIFE, serve(listener, behaviour.clone(), std::future::pending())).await;
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

/// What passed between the device and the fabric, as the device counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spoken {
    /// Lines it said.
    pub(super) said: u64,
    /// Answers it got, each the primary's answer to the line that was next.
    pub(super) heard: u64,
    /// Answers that were not that.
    pub(super) wrong: u64,
}

/// A device that reports a temperature now and then.
pub(super) struct Device {
    spoken: Rc<Cell<Spoken>>,
    stop: Rc<Notify>,
    ended: Rc<Notify>,
}

impl Device {
    /// Connects, and talks from now on.
    pub(super) async fn connect(address: &str) -> io::Result<Self> {
        let (read, write) = TcpStream::connect(address).await?.into_split();
        let (spoken, stop, ended) =
            (Rc::new(Cell::default()), Rc::new(Notify::new()), Rc::new(Notify::new()));
        let device = Self { spoken, stop, ended };
        spawn_local(talk(write, Rc::clone(&device.spoken), Rc::clone(&device.stop)));
        spawn_local(hear(read, Rc::clone(&device.spoken), Rc::clone(&device.ended)));
        Ok(device)
    }

    /// What has passed so far.
    pub(super) fn spoken(&self) -> Spoken {
        self.spoken.get()
    }

    /// Says goodbye and waits for the answers that are on their way.
    pub(super) async fn finish(self) -> Spoken {
        self.stop.notify_one();
        let _ = timeout(LAST_ANSWERS, self.ended.notified()).await;
        self.spoken.get()
    }
}

fn line(number: u64) -> String {
    format!("reading {number} temperature {}.{}", 18 + number % 5, number % 10)
}

async fn talk(mut write: OwnedWriteHalf, spoken: Rc<Cell<Spoken>>, stop: Rc<Notify>) {
    let mut beat = interval(PACE);
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            // Dropping the half says goodbye.
            () = stop.notified() => return,
        }
        let said = spoken.get().said + 1;
        if write.write_all(format!("{}\n", line(said)).as_bytes()).await.is_err() {
            return;
        }
        spoken.set(Spoken { said, ..spoken.get() });
    }
}

async fn hear(read: OwnedReadHalf, spoken: Rc<Cell<Spoken>>, ended: Rc<Notify>) {
    let mut answers = BufReader::new(read).lines();
    while let Ok(Some(answer)) = answers.next_line().await {
        let so_far = spoken.get();
        let expected = format!("{}: {}", NAMES[0], line(so_far.heard + 1));
        let is_right = answer == expected;
        let (heard, wrong) = (so_far.heard + u64::from(is_right), so_far.wrong + u64::from(!is_right));
        spoken.set(Spoken { heard, wrong, ..spoken.get() });
    }
    ended.notify_one();
}
