//! One shard's part of a route of `http://`: its clients' connections.

use std::{future::Future, io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use proto::id::ServerIndex;
use runtime::{
    event::Events,
    report::{DestinationReport, Requests},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    task::spawn_local,
    time::sleep,
};

use crate::{
    client::Client,
    counters::Counters,
    health,
    mirror::{Plan, Secondary},
    site::Site,
    upstream::Upstream,
};

/// How often idle connections to servers are looked at.
const SWEEP: Duration = Duration::from_secs(5);
/// Where streams to servers come from.
pub trait Servers: 'static {
    /// What HTTP is spoken over.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// A new stream to a server, connected.
    fn open(&self, server: ServerIndex) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// One shard's part of a site.
pub struct Front<S> {
    pub(crate) site: Arc<Site>,
    pub(crate) upstream: Upstream<S>,
    pub(crate) counters: Rc<Counters>,
    /// Those of a route that replicates.
    pub(crate) secondaries: Vec<Secondary>,
    pub(crate) events: Events,
    /// Clients that are connected.
    clients: watch::Sender<usize>,
    leaving: watch::Sender<bool>,
    /// It speaks for all shards.
    pub(crate) is_speaker: bool,
}

impl<S: Servers> Front<S> {
    /// A shard's part of `site`, whose servers it reaches by `servers`; `events` is told of divergences.
    pub fn new(site: Arc<Site>, servers: S, events: Events) -> Rc<Self> {
        let counters = Rc::new(Counters::new(site.servers.len()));
        let upstream = Upstream::new(Arc::clone(&site), servers, Rc::clone(&counters));
        let (leaving, _) = watch::channel(false);
        let (clients, _) = watch::channel(0);
        let is_speaker = site.elect();
        let secondaries = site.plan.as_ref().map(Plan::unknown).unwrap_or_default();
        Rc::new(Self { site, upstream, counters, secondaries, events, clients, leaving, is_speaker })
    }

    /// Closes what nobody needs any more and asks after the servers' health, for ever.
    pub async fn tend(self: Rc<Self>) {
        if self.is_speaker {
            spawn_local(health::watch(Rc::clone(&self)));
        }
        loop {
            sleep(SWEEP).await;
            self.upstream.sweep();
        }
    }

    /// Lets requests that are in progress end, and then their connections.
    pub fn drain(&self) {
        self.leaving.send_replace(true);
        self.upstream.close_idle();
    }

    /// What it has counted.
    pub fn report(&self) -> Requests {
        let cache = if self.is_speaker { self.site.cache_report() } else { None };
        let clients = *self.clients.borrow() as u64;
        Requests { cache, clients, ..self.counters.report(&self.site) }
    }

    /// Adds to the report of a destination, by its place in the route, what became of copies to it.
    pub fn complete(&self, destination: usize, report: &mut DestinationReport) {
        let secondary = destination.checked_sub(1).and_then(|index| self.secondaries.get(index));
        if let Some(secondary) = secondary {
            secondary.complete(report);
        }
    }

    /// Over when no client is connected.
    pub async fn empty(&self) {
        // It holds the sender itself.
        let _ = self.clients.subscribe().wait_for(|&clients| clients == 0).await;
    }

    /// Over when it drains and no client is left.
    pub(crate) async fn over(&self) {
        // It holds the sender itself.
        let _ = self.leaving.subscribe().wait_for(|&is| is).await;
        self.empty().await;
    }

    /// Whether no client is connected.
    pub fn is_idle(&self) -> bool {
        *self.clients.borrow() == 0
    }

    /// Serves a client until its connection ends, if there is room for one more.
    pub fn welcome(self: &Rc<Self>, stream: TcpStream, address: SocketAddr) {
        self.counters.connections.bump();
        if *self.clients.borrow() >= self.site.settings.max_clients {
            // Told by an end: whoever comes in such numbers is not answered.
            return self.counters.turned_away.bump();
        }
        let client = Client::enter(Rc::clone(self), address);
        spawn_local(client.serve(stream));
    }

    pub(crate) fn count_clients(&self, count: impl FnOnce(&mut usize)) {
        self.clients.send_modify(count);
    }

    /// Hears when it is time to go.
    pub(crate) fn leaving(&self) -> watch::Receiver<bool> {
        self.leaving.subscribe()
    }
}
