//! One shard's part of a route of `http://`: its clients' connections.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use proto::id::ServerIndex;
use runtime::{
    event::Events,
    report::{DestinationReport, Requests},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    select,
    sync::watch,
    task::spawn_local,
    time::{sleep, sleep_until, timeout},
};

use crate::{
    account::Account,
    body::Reply,
    counters::Counters,
    exchange::Exchange,
    heads::{self, Heads},
    health,
    mirror::{Plan, Secondary},
    site::Site,
    upstream::Upstream,
    watch::{Phase, Timed, Watch},
};

/// How often idle connections to servers are looked at.
const SWEEP: Duration = Duration::from_secs(5);
/// What a client still sends is read for so long, so that it gets to read why it was refused.
const PARTING: Duration = Duration::from_secs(1);
/// At most so much of it.
const PARTING_BYTES: usize = 256 * 1024;
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

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

/// How a client's connection ended.
enum End {
    /// By itself, or because what it said was no HTTP: hyper has answered.
    Over,
    /// It was silent for too long.
    Overdue,
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

    /// Serves a client until its connection ends.
    pub async fn serve(self: Rc<Self>, stream: TcpStream, client: SocketAddr) {
        let _ = stream.set_nodelay(true);
        self.clients.send_modify(|clients| *clients += 1);
        self.counters.connections.bump();
        self.converse(stream, client).await;
        self.clients.send_modify(|clients| *clients -= 1);
    }

    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        client: SocketAddr,
        heads: &Heads,
        watch: &Rc<Watch>,
    ) -> Response<Reply> {
        let mut account = Account::open(&self, client, &request, watch);
        let answer = Exchange::answer(self, client, heads, request).await;
        account.note_answer(&answer);
        answer.map(|source| Reply { source, account })
    }

    async fn converse(self: &Rc<Self>, stream: TcpStream, client: SocketAddr) {
        let watch = Rc::new(Watch::new(self.site.clock));
        let (io, heads) = heads::Watched::new(Timed { io: stream, watch: Rc::clone(&watch) });
        let service = service_fn(|request| {
            watch.is_busy();
            let (front, watch, heads) = (Rc::clone(self), Rc::clone(&watch), heads.clone());
            // hyper's connection is to be taken apart at its end, which a future in place would forbid.
            Box::pin(async move { Ok::<_, Infallible>(front.answer(request, client, &heads, &watch).await) })
        });
        let settings = &self.site.settings;
        let mut connection = heads::builder()
            .timer(TokioTimer::new())
            // Ours knows idle from slow.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(io), service);
        let mut leaving = self.leaving.subscribe();
        let (head, idle) = (settings.header_timeout, settings.keep_alive);
        let mut alarm = pin!(sleep_until(self.site.clock.deadline(self.site.now() + head)));
        let mut is_leaving = false;
        let end = loop {
            let driven = poll_fn(|context| {
                if connection.poll_without_shutdown(context).is_ready() {
                    return Poll::Ready(End::Over);
                }
                let Some(due) = watch.due(head, idle) else { return Poll::Pending };
                loop {
                    let at = self.site.clock.deadline(due);
                    if alarm.is_elapsed() || alarm.deadline() > at {
                        alarm.as_mut().reset(at);
                    }
                    std::task::ready!(alarm.as_mut().poll(context));
                    if self.site.now() >= due {
                        return Poll::Ready(End::Overdue);
                    }
                }
            });
            select! {
                biased;
                end = driven => break end,
                _ = leaving.wait_for(|&is| is), if !is_leaving => {
                    is_leaving = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let stream = connection.into_parts().io.into_inner().into_inner().io;
        let is_slow = matches!(end, End::Overdue) && watch.phase() == Phase::Head;
        if is_slow {
            self.counters.slow.bump();
        }
        part(stream, if is_slow { TOO_SLOW } else { b"" }).await;
    }
}

/// Says the last word, and lets the client read it: unread bytes would turn the end into a reset.
async fn part(mut stream: TcpStream, words: &[u8]) {
    if stream.write_all(words).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 4096];
    let reading = async {
        let mut left = PARTING_BYTES;
        while let Ok(length @ 1..) = stream.read(&mut rest).await {
            left = left.saturating_sub(length);
            if left == 0 {
                return;
            }
        }
    };
    // Whoever goes on talking after that is cut off.
    let _ = timeout(PARTING, reading).await;
}
