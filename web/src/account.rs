//! What is known of a request when its reply has ended: counted, and told.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::SystemTime};

use http::{Request, Response};
use http_body::Body as _;
use proto::{id::ServerIndex, time::Instant};
use runtime::clock;
use tracing::{Level, enabled};

use crate::{
    access_log::{Line, RequestLine, Source as Who},
    body::Source,
    counters::Counters,
    front::Front,
    site::Site,
    watch::Part,
};

/// Answered with when nothing was: the client has left.
const LEFT: u16 = 499;

/// Counted when it is dropped, which is when the last of the reply has gone, or its client has.
pub(crate) struct Account {
    site: Arc<Site>,
    counters: Rc<Counters>,
    /// The client is busy as long as this is there.
    _part: Rc<Part>,
    began: Instant,
    status: u16,
    sent: u64,
    is_complete: bool,
    /// There if somebody wants to read it.
    line: Option<Draft>,
}

/// What is known of a line before the reply.
struct Draft {
    at: SystemTime,
    client: SocketAddr,
    request: RequestLine,
    source: Who,
}

impl Account {
    /// A request has come.
    pub(crate) fn open<S, B>(
        front: &Front<S>,
        client: SocketAddr,
        request: &Request<B>,
        part: Rc<Part>,
    ) -> Self {
        front.counters.requests.bump();
        let is_wanted = front.site.access_log.is_some() || enabled!(Level::DEBUG);
        let line = is_wanted.then(|| {
            let (method, target) = (request.method().as_str(), request.uri().to_string());
            let request = RequestLine::new(method, target.as_bytes(), request.version());
            Draft { at: clock::wall(), client, request, source: Who::Pegloom }
        });
        Self {
            site: Arc::clone(&front.site),
            counters: Rc::clone(&front.counters),
            _part: part,
            began: front.site.now(),
            status: LEFT,
            sent: 0,
            is_complete: false,
            line,
        }
    }

    /// It is being answered.
    pub(crate) fn note_answer(&mut self, answer: &Response<Source>) {
        self.status = answer.status().as_u16();
        self.is_complete = answer.body().is_end_stream();
        let Some(line) = &mut self.line else { return };
        let name = |server: ServerIndex| Arc::clone(&self.site.servers[usize::from(server.0)].name);
        line.source = match answer.body() {
            Source::Own(_) => Who::Pegloom,
            Source::Kept(_) => Who::Cache,
            Source::Server(download) => Who::Server(name(download.server())),
            Source::Filling(server, _) => Who::Server(name(*server)),
        };
    }

    /// So many bytes of the body are on their way.
    pub(crate) fn note_sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// All of it is on its way.
    pub(crate) fn note_complete(&mut self) {
        self.is_complete = true;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(replies) = self.counters.replies.get(usize::from(self.status / 100)) {
            replies.bump();
        }
        self.counters.sent.add(self.sent);
        if !self.is_complete {
            self.counters.torn.bump();
        }
        let Some(Draft { at, client, request, source }) = self.line.take() else { return };
        let took = self.site.now().since(self.began);
        let line = Line { at, client, request, status: self.status, bytes: self.sent, took, source };
        line.log();
        if let Some(log) = &self.site.access_log {
            log.write(line);
        }
    }
}
