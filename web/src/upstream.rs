//! A request at a server: over a connection that waits for one or over a new one, and at the next server if nothing of it
//! can have been acted on.

use std::{io, pin::pin, rc::Rc, sync::Arc};

use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode, header::TRANSFER_ENCODING};
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
    body::Outgoing,
    counters::Counters,
    front::Servers,
    mirror::{Body, Gathered, gather},
    places::Place,
    pool::{Connection, Pool},
    progress::Progress,
    site::Site,
    turn::Turn,
};

/// A request that has ended so many connections without a reply is sent once more, and not again: it may be what ends them.
const MOST_LOSSES: usize = 2;

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
    counters: Rc<Counters>,
    progress: Rc<Progress>,
    _place: Place,
}

impl Lease {
    /// The reply is complete: the connection may serve the next request, unless this one is still being sent.
    pub(crate) fn give_back(self) {
        if self.progress.is_partial.get() {
            return self.turn.done();
        }
        self.pools[usize::from(self.turn.server().0)].put(self.connection, self.site.now());
        self.turn.done();
    }

    /// The reply broke.
    pub(crate) fn fail(self) {
        self.counters.server(self.turn.server()).failures.bump();
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
    Unsent(Box<Request<Outgoing>>),
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
        mut request: Box<Request<Outgoing>>,
        progress: &Rc<Progress>,
    ) -> Result<(Response<Incoming>, Lease), Refusal> {
        let place = self.place().await?;
        let (mut tried, mut losses) = (Vec::new(), 0);
        let spare = spare(&request);
        loop {
            let turn = Turn::begin(&self.site, &tried).ok_or(Refusal::NoServer)?;
            let server = turn.server();
            self.counters.server(server).requests.bump();
            let refusal = match self.attempt(server, request, spare.as_deref(), progress).await {
                Attempt::Replied(reply, connection) => {
                    turn.begun();
                    return Ok((reply, self.lease(connection, turn, progress, place)));
                }
                Attempt::Refused(refusal) => return Err(refusal),
                Attempt::Unsent(unsent) => Ok(unsent),
                Attempt::Lost if losses == MOST_LOSSES => Err(Refusal::NoServer),
                Attempt::Lost => {
                    losses += 1;
                    once_more(spare.as_deref()).ok_or(Refusal::NoServer)
                }
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

    fn lease(&self, connection: Connection, turn: Turn, progress: &Rc<Progress>, place: Place) -> Lease {
        Lease {
            site: Arc::clone(&self.site),
            pools: Rc::clone(&self.pools),
            connection,
            turn,
            counters: Rc::clone(&self.counters),
            progress: Rc::clone(progress),
            _place: place,
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
        request: Box<Request<Outgoing>>,
        progress: &Progress,
        most: usize,
    ) -> Option<Gathered> {
        let spare = spare(&request);
        let attempt = self.attempt(server, request, spare.as_deref(), progress).await;
        let Attempt::Replied(reply, connection) = attempt else {
            return None;
        };
        let (head, incoming) = reply.into_parts();
        let body = gather(incoming, most).await?;
        if matches!(body, Body::Whole(_)) {
            self.pools[usize::from(server.0)].put(connection, self.site.now());
        }
        Some(Gathered { status: head.status, headers: head.headers, body })
    }

    async fn attempt(
        &self,
        server: ServerIndex,
        mut request: Box<Request<Outgoing>>,
        spare: Option<&Request<Outgoing>>,
        progress: &Progress,
    ) -> Attempt {
        while let Some(connection) = self.pools[usize::from(server.0)].take() {
            match self.over(connection, request, progress).await {
                Attempt::Unsent(unsent) => request = unsent,
                Attempt::Lost => {
                    // A server may close an idle connection while a request is on its way to it.
                    let Some(spare) = once_more(spare) else { return Attempt::Lost };
                    request = spare;
                    break;
                }
                other => return other,
            }
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
        request: Box<Request<Outgoing>>,
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
        let reply = connection.requests.try_send_request(*request);
        let reply = select! {
            biased;
            reply = reply => reply,
            () = self.silence(progress) => {
                connection.break_off();
                return Attempt::Silent;
            }
        };
        let mut failed = match reply {
            Ok(reply) if !is_understood(&reply) => return Attempt::Garbage,
            Ok(reply) => return Attempt::Replied(reply, connection),
            Err(failed) => failed,
        };
        if let Some(refusal) = progress.fault.get() {
            return Attempt::Refused(refusal);
        }
        if let Some(unsent) = failed.take_message() {
            progress.forget();
            return Attempt::Unsent(Box::new(unsent));
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

/// Nobody has asked for another protocol, or for a body in other pieces than chunks.
fn is_understood(reply: &Response<Incoming>) -> bool {
    let mut codings = reply.headers().get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    reply.status() != StatusCode::SWITCHING_PROTOCOLS
        && codings.next().is_none_or(is_chunked)
        && codings.next().is_none()
}

/// The request once more, if it may be sent twice: it changes nothing, and has no body.
fn spare(request: &Request<Outgoing>) -> Option<Box<Request<Outgoing>>> {
    let may_be_repeated = request.method().is_idempotent() && request.body().is_empty();
    may_be_repeated.then(|| {
        let mut spare = Box::new(Request::new(Outgoing::Empty));
        spare.method_mut().clone_from(request.method());
        spare.uri_mut().clone_from(request.uri());
        spare.headers_mut().clone_from(request.headers());
        spare
    })
}

/// A copy of a spare request, for who has no use for the first any more.
fn once_more(spare: Option<&Request<Outgoing>>) -> Option<Box<Request<Outgoing>>> {
    self::spare(spare?)
}
