//! A request at a server: over a connection that waits for one or over a new one, and at the next server if nothing of it
//! can have been acted on.

use std::{io, pin::pin, rc::Rc, sync::Arc};

use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use proto::id::ServerIndex;
use tokio::{
    select,
    task::spawn_local,
    time::{sleep, timeout},
};

use crate::{
    answer::Refusal,
    body::{Outgoing, Progress},
    counters::Counters,
    front::Servers,
    mirror::{Body, Gathered, gather},
    places::Place,
    pool::{Connection, Pool},
    site::Site,
    turn::Turn,
};

/// The servers of a route, as one shard reaches them.
pub(crate) struct Upstream<S> {
    site: Arc<Site>,
    servers: S,
    pools: Rc<[Pool]>,
    counters: Rc<Counters>,
}

/// A connection that a reply comes over, the server's turn, and the place among the requests in progress.
pub(crate) struct Lease {
    site: Arc<Site>,
    pools: Rc<[Pool]>,
    connection: Connection,
    turn: Turn,
    _place: Place,
}

impl Lease {
    /// The reply is complete: the connection may serve the next request.
    pub(crate) fn give_back(self) {
        self.pools[usize::from(self.turn.server().0)].put(self.connection, self.site.now());
        self.turn.done();
    }

    /// The reply broke.
    pub(crate) fn fail(self) {
        self.turn.failed();
    }

    pub(crate) fn server(&self) -> ServerIndex {
        self.turn.server()
    }
}

/// What became of a request at one server.
enum Attempt {
    Replied(Response<Incoming>, Connection),
    /// The server has seen nothing of it.
    Unsent(Request<Outgoing>),
    /// The connection ended without a reply: something of it may have been acted on.
    Lost,
    /// What came is no reply.
    Garbage,
    Silent,
    /// The request itself was at fault.
    Refused(Refusal),
}

impl<S: Servers> Upstream<S> {
    pub(crate) fn new(site: Arc<Site>, servers: S, counters: Rc<Counters>) -> Self {
        let pools = (0..site.destinations()).map(|_| Pool::default()).collect();
        Self { site, servers, pools, counters }
    }

    /// Closes connections that nobody needs.
    pub(crate) fn sweep(&self) {
        let now = self.site.now();
        self.pools.iter().for_each(|pool| pool.sweep(now));
    }

    pub(crate) fn close_idle(&self) {
        self.pools.iter().for_each(Pool::clear);
    }

    /// The reply of the next server that gives one.
    pub(crate) async fn send(
        &self,
        mut request: Request<Outgoing>,
        progress: &Progress,
    ) -> Result<(Response<Incoming>, Lease), Refusal> {
        let place = self.place().await?;
        let mut tried = Vec::new();
        loop {
            let turn = Turn::begin(&self.site, &tried).ok_or(Refusal::NoServer)?;
            let server = turn.server();
            self.counters.server(server).requests.bump();
            let spare = spare(&request);
            let refusal = match self.attempt(server, request, progress).await {
                Attempt::Replied(reply, connection) => {
                    turn.begun();
                    let (site, pools) = (Arc::clone(&self.site), Rc::clone(&self.pools));
                    return Ok((reply, Lease { site, pools, connection, turn, _place: place }));
                }
                Attempt::Refused(refusal) => return Err(refusal),
                Attempt::Unsent(unsent) => Ok(unsent),
                Attempt::Lost => spare.ok_or(Refusal::NoServer),
                Attempt::Garbage => Err(Refusal::NoServer),
                Attempt::Silent => Err(Refusal::Silent),
            };
            turn.failed();
            self.counters.server(server).failures.bump();
            request = refusal?;
            self.counters.retried.bump();
            tried.push(server);
        }
    }

    /// A place among the requests in progress.
    async fn place(&self) -> Result<Place, Refusal> {
        let mut taking = pin!(self.site.places.take());
        if let Some(place) = taking.as_mut().now_or_never() {
            return place.map_err(|_| Refusal::Busy);
        }
        self.counters.queued.bump();
        match timeout(self.site.settings.queue_timeout, taking).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Refusal::Busy),
        }
    }

    /// What a secondary says to a copy, up to `most` bytes of it; `None`: nothing that makes sense.
    pub(crate) async fn copy(
        &self,
        server: ServerIndex,
        request: Request<Outgoing>,
        progress: &Progress,
        most: usize,
    ) -> Option<Gathered> {
        let Attempt::Replied(reply, connection) = self.attempt(server, request, progress).await else {
            return None;
        };
        let (head, incoming) = reply.into_parts();
        let body = gather(incoming, most).await?;
        if matches!(body, Body::Whole(_)) {
            self.pools[usize::from(server.0)].put(connection, self.site.now());
        }
        Some(Gathered { status: head.status, headers: head.headers, body })
    }

    async fn attempt(&self, server: ServerIndex, request: Request<Outgoing>, progress: &Progress) -> Attempt {
        let mut request = request;
        while let Some(connection) = self.pools[usize::from(server.0)].take() {
            let spare = spare(&request);
            // A server may close an idle connection while a request is on its way to it.
            request = match (self.over(connection, request, progress).await, spare) {
                (Attempt::Unsent(unsent), _) => unsent,
                (Attempt::Lost, Some(spare)) => spare,
                (other, _) => return other,
            };
        }
        match self.connect(server).await {
            Some(connection) => self.over(connection, request, progress).await,
            None => Attempt::Unsent(request),
        }
    }

    /// A new stream to a server.
    pub(crate) async fn open(&self, server: ServerIndex) -> io::Result<S::Stream> {
        self.servers.open(server).await
    }

    async fn connect(&self, server: ServerIndex) -> Option<Connection> {
        let stream = self.open(server).await.ok()?;
        let (requests, task) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let task = spawn_local(async move {
            // What breaks it, the request on it hears.
            let _ = task.await;
        });
        Some(Connection { requests, task: task.abort_handle() })
    }

    async fn over(
        &self,
        mut connection: Connection,
        request: Request<Outgoing>,
        progress: &Progress,
    ) -> Attempt {
        // What is left of the last request may still be on its way to a server that does not read.
        match timeout(self.site.settings.upstream_timeout, connection.requests.ready()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Attempt::Unsent(request),
            Err(_) => {
                connection.break_off();
                return Attempt::Unsent(request);
            }
        }
        progress.note_sent(&connection.task);
        let reply = connection.requests.try_send_request(request);
        let reply = select! {
            biased;
            reply = reply => reply,
            () = self.silence(progress) => {
                connection.break_off();
                return Attempt::Silent;
            }
        };
        let mut failed = match reply {
            // Nobody has asked for another protocol.
            Ok(reply) if reply.status() == StatusCode::SWITCHING_PROTOCOLS => return Attempt::Garbage,
            Ok(reply) => return Attempt::Replied(reply, connection),
            Err(failed) => failed,
        };
        if let Some(refusal) = progress.fault.get() {
            return Attempt::Refused(refusal);
        }
        if let Some(unsent) = failed.take_message() {
            progress.forget();
            return Attempt::Unsent(unsent);
        }
        if failed.error().is_parse() { Attempt::Garbage } else { Attempt::Lost }
    }

    /// Over when nothing was passed on, either way, for as long as a server may be silent.
    async fn silence(&self, progress: &Progress) {
        loop {
            let pieces = progress.pieces.get();
            sleep(self.site.settings.upstream_timeout).await;
            if progress.pieces.get() == pieces {
                return;
            }
        }
    }
}

/// The request once more, if it may be sent twice: it changes nothing, and has no body.
fn spare(request: &Request<Outgoing>) -> Option<Request<Outgoing>> {
    let may_be_repeated = request.method().is_idempotent() && request.body().is_empty();
    may_be_repeated.then(|| {
        let mut spare = Request::new(Outgoing::Empty);
        spare.method_mut().clone_from(request.method());
        spare.uri_mut().clone_from(request.uri());
        spare.headers_mut().clone_from(request.headers());
        spare
    })
}
