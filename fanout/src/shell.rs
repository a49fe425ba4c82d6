//! The hands of the worker machine: the destination's sockets and the DEALERs.
//!
//! Called by the machine while it handles an input, so nothing here calls the machine: what it has to hear is noted and
//! told when the input is done.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Weak,
    time::Duration,
};

use proto::{
    counters::Tally,
    id::{ConnectionId, LinkIndex},
    wire::Cause,
    worker::{Effect, Sent, Shell},
};
use runtime::{
    clock::Clock,
    settings::Address,
    tcp::{Endpoint, cause_of},
    udp,
};
use rustc_hash::FxHashMap;
use tokio::{
    net::{TcpStream, UdpSocket, lookup_host},
    task::{AbortHandle, spawn_local},
    time::{Instant, timeout_at},
};

use crate::{links::Links, log::Log, shard::Shard};

/// A connection, or the task that is making it.
pub(crate) enum Socket {
    Connecting(AbortHandle),
    Open(Endpoint),
    Datagrams(udp::Endpoint),
}

pub(crate) struct Hands {
    pub(crate) clock: Clock,
    pub(crate) address: Address,
    pub(crate) sockets: FxHashMap<ConnectionId, Socket>,
    /// Connections a write to which failed, and why.
    pub(crate) broken: Vec<(ConnectionId, Cause)>,
    /// Connections whose destination's machine refused datagrams, and how often.
    pub(crate) refused: Vec<(ConnectionId, u64)>,
    pub(crate) has_datagrams: bool,
    pub(crate) links: Links,
    pub(crate) owner: Weak<Shard>,
    pub(crate) log: Log,
}

impl Shell for Hands {
    fn write(&mut self, connection: ConnectionId, bytes: &[u8], until: proto::time::Instant) -> usize {
        // Links within this process need no lease, and no look at the clock.
        if until != proto::time::Instant::NEVER && self.clock.now() >= until {
            return 0;
        }
        let (Some(Socket::Open(endpoint)), Some(owner)) =
            (self.sockets.get(&connection), self.owner.upgrade())
        else {
            return 0;
        };
        endpoint.write(bytes, &owner).unwrap_or_else(|cause| {
            self.broken.push((connection, cause));
            0
        })
    }

    fn write_datagrams(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        ends: &[u32],
        until: proto::time::Instant,
    ) -> Sent {
        if until != proto::time::Instant::NEVER && self.clock.now() >= until {
            return Sent::default();
        }
        let (Some(Socket::Datagrams(endpoint)), Some(owner)) =
            (self.sockets.get(&connection), self.owner.upgrade())
        else {
            return Sent::default();
        };
        let outcome = endpoint.send(bytes, ends, &owner);
        if outcome.refusals > 0 {
            self.refused.push((connection, outcome.refusals));
        }
        let unsendable = Tally::new(outcome.unsendable as u64, outcome.unsendable_bytes);
        Sent { done: outcome.done, unsendable }
    }

    fn send(&mut self, link: LinkIndex, batch: Vec<u8>) -> bool {
        self.links.send(link, batch)
    }

    fn random(&mut self) -> u64 {
        fastrand::u64(..)
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Connect { connection, timeout } => self.connect(connection, timeout),
            Effect::ShutDown { connection } => self.with(connection, Endpoint::shut_down),
            Effect::Close { connection, abort } => self.close(connection, abort),
            Effect::PauseReads { connection } => match self.sockets.get(&connection) {
                Some(Socket::Datagrams(endpoint)) => endpoint.pause(),
                _ => self.with(connection, Endpoint::pause),
            },
            Effect::ResumeReads { connection } => match self.sockets.get(&connection) {
                Some(Socket::Datagrams(endpoint)) => endpoint.resume(),
                _ => self.with(connection, Endpoint::resume),
            },
            Effect::Ports { link, ports } => self.links.learn(link, &ports),
            Effect::Notice(notice) => self.log.tell(&notice),
        }
    }
}

impl Hands {
    fn with(&self, connection: ConnectionId, act: impl FnOnce(&Endpoint)) {
        if let Some(Socket::Open(endpoint)) = self.sockets.get(&connection) {
            act(endpoint);
        }
    }

    fn connect(&mut self, connection: ConnectionId, timeout: Duration) {
        let (owner, address) = (self.owner.clone(), self.address.clone());
        let has_datagrams = self.has_datagrams;
        let task = spawn_local(async move {
            let outcome = if has_datagrams {
                connect_datagrams(&address, timeout).await.map(Connected::Datagrams)
            } else {
                connect(&address, timeout).await.map(Connected::Stream)
            };
            if let Some(owner) = owner.upgrade() {
                owner.on_connect(connection, outcome);
            }
        });
        self.sockets.insert(connection, Socket::Connecting(task.abort_handle()));
    }

    fn close(&mut self, connection: ConnectionId, abort: bool) {
        match self.sockets.remove(&connection) {
            Some(Socket::Connecting(task)) => task.abort(),
            Some(Socket::Open(endpoint)) if abort => endpoint.abort(),
            Some(Socket::Open(_) | Socket::Datagrams(_)) | None => {}
        }
    }
}

/// What a connect has made.
pub(crate) enum Connected {
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

/// A socket for the first of a host's addresses that this machine has a way to. Whether anybody is there, only time tells.
async fn connect_datagrams(address: &Address, timeout: Duration) -> Result<UdpSocket, Cause> {
    let until = Instant::now() + timeout;
    let candidates = timeout_at(until, lookup_host((address.host.as_str(), address.port))).await;
    let mut refusal = Cause::NameNotFound;
    for candidate in candidates.map_err(|_| Cause::TimedOut)?.map_err(|_| Cause::NameNotFound)? {
        match dial_datagrams(candidate).await {
            Ok(socket) => return Ok(socket),
            Err(error) => refusal = cause_of(&error),
        }
    }
    Err(refusal)
}

async fn dial_datagrams(candidate: SocketAddr) -> io::Result<UdpSocket> {
    let any = match candidate {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(candidate).await?;
    Ok(socket)
}

/// Tries the addresses of a host one after the other, within `timeout` in all. Each is given its share of what is left:
/// one that swallows what is sent to it must not keep the next from being tried.
async fn connect(address: &Address, timeout: Duration) -> Result<TcpStream, Cause> {
    let until = Instant::now() + timeout;
    let candidates = timeout_at(until, lookup_host((address.host.as_str(), address.port))).await;
    let candidates: Vec<_> =
        candidates.map_err(|_| Cause::TimedOut)?.map_err(|_| Cause::NameNotFound)?.collect();
    let mut refusal = Cause::NameNotFound;
    for (index, candidate) in candidates.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / (candidates.len() - index) as u32;
        match timeout_at(Instant::now() + share, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => refusal = cause_of(&error),
            Err(_) => refusal = Cause::TimedOut,
        }
    }
    Err(refusal)
}
