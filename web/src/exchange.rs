//! One request, from its head to its reply: out of the cache if it may be, from a server otherwise.
//!
//! The cache says what may be done with what is kept, `upstream` brings what a server says; here is who is asked when. Of
//! many requests for the same only one goes to a server: the others follow it, and look again.

use std::{net::SocketAddr, rc::Rc, time::SystemTime};

use http::{
    Method, Request, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request,
};
use hyper::body::{Body as _, Incoming};
use runtime::clock;
use tokio::task::spawn_local;

use crate::{
    answer::Refusal,
    body::{Download, Outgoing, Source},
    cache::{CACHE_STATUS, Cache, Claim, Forward, Forwarded, Found, Lead, Outcome, Stale, forwarded},
    forwarding,
    front::{Front, Servers},
    heads::{Heads, verdict},
    mirror,
    progress::Progress,
    watch::Part,
};

/// How often a request that was promised another's reply and did not get it tries to get one for itself and others.
const PATIENCE: usize = 3;

/// A reply's head and where its body comes from.
pub(crate) type Answer = Response<Source>;

/// A request that is being answered.
pub(crate) struct Exchange<S> {
    front: Rc<Front<S>>,
    client: SocketAddr,
    /// As the client sent it.
    head: request::Parts,
}

/// A request, as a server is to get it.
struct Question {
    // Every future between here and the connection holds it: a large one is copied when each is begun.
    request: Box<Request<Outgoing>>,
    progress: Rc<Progress>,
    client: SocketAddr,
}

impl<S: Servers> Exchange<S> {
    /// The answer to `request`.
    pub(crate) async fn answer(
        front: Rc<Front<S>>,
        client: SocketAddr,
        heads: &Heads,
        request: Request<Incoming>,
        part: Rc<Part>,
    ) -> Answer {
        let progress = Rc::default();
        let answer = Self::try_answer(front, client, heads, request, Rc::clone(&progress), part).await;
        answer.unwrap_or_else(|refusal| {
            refusal.reply(progress.is_partial.get()).map(|text| Source::Own(text.into()))
        })
    }

    async fn try_answer(
        front: Rc<Front<S>>,
        client: SocketAddr,
        heads: &Heads,
        request: Request<Incoming>,
        progress: Rc<Progress>,
        part: Rc<Part>,
    ) -> Result<Answer, Refusal> {
        let (head, body) = request.into_parts();
        verdict(&head, heads).map_err(Refusal::Head)?;
        let limit = front.site.settings.max_body.get();
        if body.size_hint().lower() > limit {
            return Err(Refusal::TooLarge);
        }
        let patience = front.site.settings.header_timeout;
        let body = Outgoing::new(body, limit, patience, Rc::clone(&progress), part);
        let exchange = Self { front, client, head };
        // Nobody can tell what a body means where a method gives it no meaning.
        let is_odd = exchange.head.method.is_safe() && !body.is_empty();
        match exchange.front.site.cache.clone().filter(|_| !is_odd) {
            Some(cache) => exchange.look_up(&cache, body, progress).await,
            None => exchange.pass_on(body, progress).await,
        }
    }

    /// Asks a server, and nobody else wants to know what was asked.
    async fn pass_on(self, body: Outgoing, progress: Rc<Progress>) -> Result<Answer, Refusal> {
        let question = self.front.question(self.head, self.client, body, progress)?;
        self.front.ask(question).await
    }

    /// Out of the cache, or as it says.
    async fn look_up(self, cache: &Cache, body: Outgoing, progress: Rc<Progress>) -> Result<Answer, Refusal> {
        let question = |exchange: &Self| exchange.question(body, progress);
        match self.find(cache).await {
            Found::Fresh(answer) => Ok(answer.map(Source::Kept)),
            Found::Stale(stale) => self.revalidate(cache, stale).await,
            Found::Missing(why) => self.fetch(cache, why).await,
            Found::OnlyIfCached => Err(Refusal::NotKept),
            Found::Bypassed(why) => {
                let lead = cache.alone(&self.head);
                let question = question(&self)?;
                self.ask_for(cache, lead, question, Fetching { why, is_collapsed: false }).await
            }
            Found::OnDisk(_) => unreachable!("it has been read"),
        }
    }

    async fn find(&self, cache: &Cache) -> Found {
        match cache.lookup(&self.head, now()) {
            Found::OnDisk(loading) => loading.load(&self.head, now()).await,
            found => found,
        }
    }

    /// Nothing is kept: asks a server, or follows who does.
    async fn fetch(&self, cache: &Cache, why: Forward) -> Result<Answer, Refusal> {
        let mut is_collapsed = false;
        for _ in 0..PATIENCE {
            let follower = match cache.claim(&self.head, now()) {
                Claim::Lead(lead) => {
                    return self.ask_for(cache, lead, self.bare()?, Fetching { why, is_collapsed }).await;
                }
                Claim::Follow(follower) => follower,
            };
            is_collapsed = true;
            match follower.wait(self.front.site.settings.cache_wait).await {
                Outcome::Stored => {
                    if let Found::Fresh(answer) = self.find(cache).await {
                        return Ok(answer.map(Source::Kept));
                    }
                    break;
                }
                Outcome::NotStorable | Outcome::TimedOut => break,
                Outcome::Failed => {}
            }
        }
        let lead = cache.alone(&self.head);
        self.ask_for(cache, lead, self.bare()?, Fetching { why, is_collapsed }).await
    }

    /// What is kept has to be asked about, now or meanwhile.
    async fn revalidate(self, cache: &Cache, stale: Stale) -> Result<Answer, Refusal> {
        if stale.may_be_served_meanwhile(now()) {
            let answer = stale.answer(&self.head, now()).map(Source::Kept);
            if let Claim::Lead(lead) = stale.claim(&self.head, now()) {
                spawn_local(self.renew_meanwhile(cache.clone(), stale, lead));
            }
            return Ok(answer);
        }
        for _ in 0..PATIENCE {
            let follower = match stale.claim(&self.head, now()) {
                Claim::Lead(lead) => return self.ask_about(cache, stale, lead).await,
                Claim::Follow(follower) => follower,
            };
            match follower.wait(self.front.site.settings.cache_wait).await {
                Outcome::Stored => {
                    if let Found::Fresh(answer) = self.find(cache).await {
                        return Ok(answer.map(Source::Kept));
                    }
                    break;
                }
                Outcome::NotStorable | Outcome::TimedOut => break,
                Outcome::Failed => {}
            }
        }
        self.ask_about(cache, stale, cache.alone(&self.head)).await
    }

    /// Asks a server whether what is stale still holds.
    async fn ask_about(&self, cache: &Cache, stale: Stale, lead: Lead) -> Result<Answer, Refusal> {
        let mut question = self.bare()?;
        stale.ask(question.request.headers_mut());
        let why = stale.why();
        let answer = match self.ask(question).await {
            Ok(answer) if !is_failure(answer.status()) => answer,
            failed if stale.may_be_served_on_error(&self.head.headers, now()) => {
                drop(failed);
                return Ok(stale.answer(&self.head, now()).map(Source::Kept));
            }
            failed => failed?,
        };
        let fetching = Fetching { why, is_collapsed: false };
        if answer.status() != StatusCode::NOT_MODIFIED {
            return Ok(self.keep(cache, lead, answer, fetching, Some(&stale)));
        }
        let (reply, _) = answer.into_parts();
        match stale.freshen(&lead, &self.head, &reply, now()) {
            Some(answer) => Ok(answer.map(Source::Kept)),
            None => self.ask_for(cache, cache.alone(&self.head), self.bare()?, fetching).await,
        }
    }

    /// The same while the client already has its answer; whatever comes of it. A new reply can be kept only if it is to a GET.
    async fn renew_meanwhile(mut self, cache: Cache, stale: Stale, lead: Lead) {
        self.head.method = Method::GET;
        if let Ok(answer) = self.ask_about(&cache, stale, lead).await {
            answer.into_body().finish().await;
        }
    }

    /// Asks a server, and keeps what it says if that may be kept.
    async fn ask_for(
        &self,
        cache: &Cache,
        lead: Lead,
        question: Question,
        fetching: Fetching,
    ) -> Result<Answer, Refusal> {
        let answer = self.ask(question).await?;
        Ok(self.keep(cache, lead, answer, fetching, None))
    }

    /// Keeps what a server says if that may be kept: something new, or what replaces what is `stale`.
    fn keep(
        &self,
        cache: &Cache,
        lead: Lead,
        answer: Answer,
        fetching: Fetching,
        stale: Option<&Stale>,
    ) -> Answer {
        let (mut reply, source) = answer.into_parts();
        cache.invalidate(&self.head, &reply);
        let filling = match stale {
            Some(stale) => stale.admit(lead, &self.head, &reply, now()),
            None => cache.admit(lead, &self.head, &reply, now()),
        };
        let what = Forwarded {
            is_stored: filling.is_some(),
            is_collapsed: fetching.is_collapsed,
            ..Forwarded::default()
        };
        reply.headers.append(CACHE_STATUS, forwarded(fetching.why, what));
        let source = match (filling, source) {
            (Some(filling), Source::Server(download)) => {
                Source::Filling(download.server(), Box::new(filling.beside(download)))
            }
            (_, source) => source,
        };
        Response::from_parts(reply, source)
    }

    async fn ask(&self, question: Question) -> Result<Answer, Refusal> {
        self.front.ask(question).await
    }

    /// What a server is asked, without a body.
    fn bare(&self) -> Result<Question, Refusal> {
        self.question(Outgoing::Empty, Rc::default())
    }

    fn question(&self, body: Outgoing, progress: Rc<Progress>) -> Result<Question, Refusal> {
        self.front.question(self.head.clone(), self.client, body, progress)
    }
}

impl<S: Servers> Front<S> {
    fn question(
        &self,
        mut head: request::Parts,
        client: SocketAddr,
        body: Outgoing,
        progress: Rc<Progress>,
    ) -> Result<Question, Refusal> {
        head.extensions.clear();
        let trusts_client = self.site.settings.trust_forwarded;
        forwarding::pass_request(&mut head, client, trusts_client).map_err(|_| Refusal::Loop)?;
        head.version = Version::HTTP_11;
        Ok(Question { request: Box::new(Request::from_parts(head, body)), progress, client })
    }

    /// Asks a server, and secondaries the same.
    async fn ask(self: &Rc<Self>, question: Question) -> Result<Answer, Refusal> {
        let Question { mut request, progress, client } = question;
        let copying = mirror::begin(self, client, &mut request, &progress);
        let (reply, lease) = self.upstream.send(request, &progress).await?;
        let patience = self.site.settings.upstream_timeout;
        let (mut parts, incoming) = reply.into_parts();
        let gathering = copying.map(|copying| copying.answered(&parts));
        if parts.headers.contains_key(TRANSFER_ENCODING) {
            // It says less than the chunks do (RFC 9112, 6.3), and would cut them.
            parts.headers.remove(CONTENT_LENGTH);
        }
        forwarding::pass_reply(&mut parts);
        parts.version = Version::HTTP_11;
        let download = Download::new(incoming, patience, lease, gathering);
        Ok(Response::from_parts(parts, Source::Server(download)))
    }
}

/// Why a server is asked.
#[derive(Clone, Copy)]
struct Fetching {
    why: Forward,
    /// It has waited for another request first.
    is_collapsed: bool,
}

/// A reply that says no more than none would.
const fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

fn now() -> SystemTime {
    clock::wall()
}
