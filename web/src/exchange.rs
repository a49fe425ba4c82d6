//! One request, from its head to the last byte of its reply.

use std::{net::IpAddr, rc::Rc};

use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};

use crate::{
    answer::Refusal,
    body::{Download, Outgoing, Progress, Reply},
    counters::Counters,
    front::{Front, Servers},
    watch::Watch,
};

/// What is known of a request when its reply has ended; counted and told when it is dropped.
pub(crate) struct Account {
    counters: Rc<Counters>,
    watch: Rc<Watch>,
    status: StatusCode,
    sent: u64,
    is_torn: bool,
}

impl Account {
    pub(crate) fn note_sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    pub(crate) fn note_torn(&mut self) {
        self.is_torn = true;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let class = usize::from(self.status.as_u16() / 100);
        if let Some(replies) = self.counters.replies.get(class) {
            replies.bump();
        }
        self.counters.sent.add(self.sent);
        if self.is_torn {
            self.counters.torn.bump();
        }
        self.watch.is_idle();
    }
}

/// A request of a client, and where it came in.
pub(crate) struct Exchange<S: Servers> {
    pub(crate) front: Rc<Front<S>>,
    pub(crate) client: IpAddr,
    pub(crate) watch: Rc<Watch>,
}

impl<S: Servers> Exchange<S> {
    /// The reply to it.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Response<Reply> {
        self.front.counters.requests.bump();
        match self.pass_on(request).await {
            Ok((reply, download)) => {
                let account = self.account(reply.status());
                reply.map(|()| Reply::server(download, account))
            }
            Err(refusal) => {
                let reply = refusal.reply();
                let account = self.account(reply.status());
                reply.map(|bytes| Reply::own(bytes, account))
            }
        }
    }

    fn account(&self, status: StatusCode) -> Account {
        let (counters, watch) = (Rc::clone(&self.front.counters), Rc::clone(&self.watch));
        Account { counters, watch, status, sent: 0, is_torn: false }
    }

    async fn pass_on(&self, request: Request<Incoming>) -> Result<(Response<()>, Download), Refusal> {
        let settings = &self.front.site.settings;
        if request.method() == Method::CONNECT {
            return Err(Refusal::Method);
        }
        let limit = settings.max_body.get();
        if request.body().size_hint().lower() > limit {
            return Err(Refusal::TooLarge);
        }
        let progress = Rc::new(Progress::default());
        let (mut parts, body) = request.into_parts();
        parts.uri = origin_form(parts.uri);
        parts.extensions.clear();
        let body = Outgoing::new(body, limit, settings.header_timeout, Rc::clone(&progress));
        let (reply, lease) = self.front.upstream.send(Request::from_parts(parts, body), &progress).await?;
        let (parts, incoming) = reply.into_parts();
        let download = Download::new(incoming, settings.upstream_timeout, lease);
        Ok((Response::from_parts(parts, ()), download))
    }
}

/// What a server is asked for: a target without scheme and authority.
fn origin_form(uri: Uri) -> Uri {
    if uri.scheme().is_none() && uri.authority().is_none() {
        return uri;
    }
    let target = uri.path_and_query().cloned();
    target.map_or_else(|| Uri::from_static("/"), Uri::from)
}
