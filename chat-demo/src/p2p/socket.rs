//! The socket of an end, and where it is.
//!
//! It comes and goes: a PAIR keeps to its peer until that is gone, so who is silent is left with the socket. A listening end
//! keeps its port, and its doorkeeper, all the time.

use std::time::Duration;

use proto::time::Instant;
use runtime::{
    exit::Failure,
    zeromq::{self, Context, Doorkeeper, Pair},
};
use tokio::time::sleep;

use super::Role;
use crate::host;

/// As which domain the line asks its doorkeeper.
const DOMAIN: &str = "line";
/// How long what was said last may take to leave this process.
const LINGER: Duration = Duration::from_millis(300);
/// A port that was just given up is held for a moment, and perhaps by somebody else for longer.
const REBIND: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

/// The socket of an end, which comes and goes.
pub(super) struct Socket {
    context: Context,
    role: Role,
    endpoint: String,
    pub(super) doorkeeper: Option<Doorkeeper>,
    pub(super) pair: Option<Pair>,
    /// Until when it is tried to open it again.
    reopens_until: Option<Instant>,
}

impl Socket {
    /// Opens it: there, or to there.
    pub(super) async fn open(ip: &str, port: u16, role: Role) -> Result<Self, Failure> {
        let context = Context::new();
        let endpoint = match role {
            Role::Listens => host::listening(ip, port).await?,
            Role::Calls => calling(ip, port).await?,
        };
        let mut socket = Self { context, role, endpoint, doorkeeper: None, pair: None, reopens_until: None };
        if role == Role::Listens {
            let doorkeeper = Doorkeeper::open(&socket.context).map_err(|error| socket.cannot(error))?;
            socket.doorkeeper = Some(doorkeeper);
        }
        let pair = socket.attempt().map_err(|error| socket.cannot(error))?;
        pair.endpoint().clone_into(&mut socket.endpoint);
        socket.pair = Some(pair);
        Ok(socket)
    }

    /// What it waits for, in words.
    pub(super) fn said(&self) -> String {
        match self.role {
            Role::Listens => format!("Waiting on {}.", self.endpoint),
            Role::Calls => format!("Calling {}.", self.endpoint),
        }
    }

    fn attempt(&self) -> Result<Pair, zeromq::Error> {
        match self.role {
            Role::Listens => Pair::bind(&self.context, &self.endpoint, DOMAIN),
            Role::Calls => Pair::connect(&self.context, &self.endpoint),
        }
    }

    /// Opens it again, on the port it had: now, or in further attempts.
    pub(super) fn reopen(&mut self, now: Instant) {
        self.reopens_until = Some(now + REBIND.1);
    }

    /// Attempts to open it again, if that is wanted.
    pub(super) fn try_reopen(&mut self, now: Instant) -> Result<(), Failure> {
        let Some(until) = self.reopens_until else { return Ok(()) };
        match self.attempt() {
            Ok(pair) => (self.pair, self.reopens_until) = (Some(pair), None),
            Err(error) if now >= until => return Err(self.cannot(error)),
            Err(_) => {}
        }
        Ok(())
    }

    fn cannot(&self, error: zeromq::Error) -> Failure {
        let (what, advice) = match self.role {
            Role::Listens => {
                ("wait", "another --port, or 0 for any free one; --ip all, or an address of this machine")
            }
            Role::Calls => ("call", "another --ip or --port"),
        };
        Failure::cannot(format!("{what} on {}", self.endpoint), error, advice)
    }

    /// Why a third ends.
    pub(super) fn taken(&self) -> Failure {
        let what = format!("call {}", self.endpoint);
        Failure::cannot(what, "the line is taken", "later, or another port")
    }

    /// Has what was said last sent.
    pub(super) fn close(&mut self) {
        self.pair.take().into_iter().for_each(|pair| pair.close(LINGER));
    }

    /// Returns when something may be there, of what is asked for.
    pub(super) async fn eventful(&self, texts_too: bool) {
        tokio::select! {
            () = wait(self.pair.as_ref().map(Pair::eventful)) => {}
            () = wait(self.pair.as_ref().map(Pair::readable)), if texts_too => {}
            () = wait(self.doorkeeper.as_ref().map(Doorkeeper::knocked)) => {}
            () = sleep(REBIND.0), if self.reopens_until.is_some() => {}
        }
    }
}

/// Waits for what is not there for ever.
async fn wait(something: Option<impl Future<Output = ()>>) {
    match something {
        Some(something) => something.await,
        None => std::future::pending().await,
    }
}

async fn calling(ip: &str, port: u16) -> Result<String, Failure> {
    if ip == "all" {
        let advice = "--server, to wait to be called on every interface, or the --ip of who waits";
        return Err(Failure::cannot("call all", "one end calls one other", advice).as_usage());
    }
    let advice = "the other's --ip as a name or an address";
    host::calling(ip, port).await.map_err(|error| Failure::cannot(format!("call {ip}"), error, advice))
}
