//! From a request to its copies, and to what is made of the replies.
//!
//! `begin` is all that whoever answers the request calls, and it waits for nothing. Each copy is a task that holds one of
//! its secondary's places, and has an end: a secondary has `mirror_timeout`, and after it the primary as long again.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, response};
use http_body::Body as _;
use proto::counters::ShedReason;
use tokio::{
    select,
    sync::{OwnedSemaphorePermit, oneshot, watch},
    task::spawn_local,
    time::timeout,
};

use super::{
    compare::{Body, Difference, Gathered, Verdict},
    gathering::Gathering,
    plan::{Plan, server},
    secondary::{Finding, Secondary},
    telling::{self, Divergence},
};
use crate::{
    body::Outgoing,
    front::{Front, Servers},
    progress::Progress,
};

/// A request that has copies, until the primary answers it.
pub(crate) struct Copying {
    reply: oneshot::Sender<(Gathered, oneshot::Receiver<Body>)>,
    most: usize,
}

/// What copies are of.
pub(super) struct Original {
    pub(super) client: SocketAddr,
    pub(super) method: Method,
    pub(super) target: Uri,
    headers: HeaderMap,
}

/// What the primary replied, once that is known.
type Primary = watch::Receiver<Option<Arc<Gathered>>>;

/// What became of a copy.
enum Outcome {
    Replied(Gathered),
    /// It was sent, and no reply came.
    Failed,
    Shed(ShedReason),
}

/// Has a request copied to the secondaries that may get it, as soon as the primary is being sent it.
pub(crate) fn begin<S: Servers>(
    front: &Rc<Front<S>>,
    client: SocketAddr,
    request: &mut Request<Outgoing>,
    progress: &Progress,
) -> Option<Copying> {
    let plan = front.site.plan.as_ref().filter(|plan| plan.takes(request.method()))?;
    let most = most(front);
    if request.body().size_hint().lower() > most as u64 {
        front.secondaries.iter().for_each(|it| it.shed(ShedReason::OversizedFrame));
        return None;
    }
    let places = places(front, plan);
    if places.is_empty() {
        return None;
    }
    let original = Original {
        client,
        method: request.method().clone(),
        target: request.uri().clone(),
        headers: request.headers().clone(),
    };
    let (gathering, body) = Gathering::new(most);
    request.body_mut().gather(gathering);
    let (reply, replied) = oneshot::channel();
    spawn_local(copy(Rc::clone(front), original, places, progress.sent(), body, replied));
    Some(Copying { reply, most })
}

impl Copying {
    /// The primary answers: what gathers the body of its reply.
    pub(crate) fn answered(self, reply: &response::Parts) -> Gathering {
        let (gathering, body) = Gathering::new(self.most);
        let (status, headers) = (reply.status, reply.headers.clone());
        let head = Gathered { status, headers, body: Body::Whole(Bytes::new()) };
        // Where no copy was sent, nobody waits for it.
        let _ = self.reply.send((head, body));
        gathering
    }
}

fn most<S>(front: &Front<S>) -> usize {
    usize::try_from(front.site.settings.mirror_body.get()).unwrap_or(usize::MAX)
}

/// The secondaries that are not known to be away and have a place left, with that.
fn places<S: Servers>(front: &Front<S>, plan: &Plan) -> Vec<(usize, OwnedSemaphorePermit)> {
    let now = front.site.now();
    let place = |(index, secondary): (usize, &Secondary)| {
        let outage = secondary.outage.borrow();
        if outage.is_away() && outage.deadline() > now {
            secondary.shed(ShedReason::Away);
            return None;
        }
        let place = plan.place(index);
        if place.is_none() {
            secondary.shed(ShedReason::WindowFull);
        }
        Some((index, place?))
    };
    front.secondaries.iter().enumerate().filter_map(place).collect()
}

/// Sends the copies when they may be, and hands on what the primary says.
async fn copy<S: Servers>(
    front: Rc<Front<S>>,
    original: Original,
    places: Vec<(usize, OwnedSemaphorePermit)>,
    sent: oneshot::Receiver<()>,
    body: oneshot::Receiver<Body>,
    replied: oneshot::Receiver<(Gathered, oneshot::Receiver<Body>)>,
) {
    if sent.await.is_err() {
        // The primary could not be asked, and so nobody is.
        return;
    }
    let why = match body.await {
        Ok(Body::Whole(body)) => return send(&front, original, places, body, replied).await,
        Ok(Body::TooLong(_)) => ShedReason::OversizedFrame,
        Err(_) => ShedReason::SessionEnded,
    };
    for (index, _) in &places {
        front.secondaries[*index].shed(why);
    }
}

async fn send<S: Servers>(
    front: &Rc<Front<S>>,
    original: Original,
    places: Vec<(usize, OwnedSemaphorePermit)>,
    body: Bytes,
    replied: oneshot::Receiver<(Gathered, oneshot::Receiver<Body>)>,
) {
    let (tell, primary) = watch::channel(None);
    let original = Rc::new(original);
    for (index, place) in places {
        let (front, original) = (Rc::clone(front), Rc::clone(&original));
        let (body, primary) = (body.clone(), primary.clone());
        spawn_local(async move {
            select! {
                biased;
                () = follow(&front, &original, index, body, primary) => {}
                // Nobody is left whom the answers were for, and nobody waits for copies.
                () = front.over() => front.secondaries[index].note_uncompared(),
            }
            drop(place);
        });
    }
    drop(primary);
    select! {
        biased;
        said = said(replied) => drop(tell.send_replace(said.map(Arc::new))),
        // All copies have come to their ends before.
        () = tell.closed() => {}
    }
}

/// What the primary says, if it is known to be complete.
async fn said(replied: oneshot::Receiver<(Gathered, oneshot::Receiver<Body>)>) -> Option<Gathered> {
    let (head, body) = replied.await.ok()?;
    Some(Gathered { body: body.await.ok()?, ..head })
}

/// One copy, from its sending to what is made of the reply.
async fn follow<S: Servers>(
    front: &Front<S>,
    original: &Original,
    index: usize,
    body: Bytes,
    mut primary: Primary,
) {
    let secondary = &front.secondaries[index];
    let reply = match ask(front, original, index, body.clone()).await {
        Outcome::Replied(reply) => Some(Arc::new(reply)),
        Outcome::Failed => None,
        Outcome::Shed(reason) => return secondary.shed(reason),
    };
    let waiting = timeout(front.site.settings.mirror_timeout, primary.wait_for(Option::is_some)).await;
    let said = waiting.ok().and_then(Result::ok).and_then(|said| said.clone());
    // Nothing is missing where the primary has said nothing either.
    let (Some(plan), Some(said)) = (&front.site.plan, said) else { return secondary.note_uncompared() };
    let verdict = match &reply {
        Some(reply) => Some(plan.judge(&said, reply).await),
        None => None,
    };
    let (finding, difference) = match verdict {
        Some(Verdict::Matched) => return secondary.note_matched(),
        Some(Verdict::Uncompared) => return secondary.note_uncompared(),
        Some(Verdict::Different(difference)) => (Finding::Different, Some(difference)),
        None => (Finding::Missing, None::<Difference>),
    };
    secondary.note_found(finding);
    let divergence = Divergence { finding, body: &body, primary: &said, reply: reply.as_deref(), difference };
    telling::tell(front, plan, original, index, &divergence);
}

/// What a secondary says to a copy.
async fn ask<S: Servers>(front: &Front<S>, original: &Original, index: usize, body: Bytes) -> Outcome {
    let (site, secondary) = (&front.site, &front.secondaries[index]);
    let begun_at = site.now();
    if !secondary.outage.borrow_mut().may_try(begun_at) {
        return Outcome::Shed(ShedReason::Away);
    }
    let under_way = UnderWay::default();
    let asking = front.upstream.copy(server(index), original.copy(body), &under_way.0, most(front));
    let reply = timeout(site.settings.mirror_timeout, asking).await.ok().flatten();
    let is_sent = under_way.0.is_sent();
    if reply.as_ref().is_some_and(|reply| matches!(reply.body, Body::Whole(_))) {
        under_way.end();
    }
    let mut outage = secondary.outage.borrow_mut();
    if !is_sent {
        // Its worker has told the operator.
        let _ = outage.on_failure(site.now(), None, fastrand::u64(..));
        return Outcome::Shed(ShedReason::Away);
    }
    let _ = outage.on_connected(begun_at, site.now());
    reply.map_or(Outcome::Failed, Outcome::Replied)
}

/// A copy that is under way. Given up, it resets its connection: a secondary that takes nothing would keep it.
#[derive(Default)]
struct UnderWay(Progress);

impl UnderWay {
    /// Its reply is complete.
    fn end(self) {
        // The connection is another's from here on.
        self.0.forget();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Original {
    /// As the primary got it, with all of its body.
    fn copy(&self, body: Bytes) -> Box<Request<Outgoing>> {
        let body = if body.is_empty() { Outgoing::Empty } else { Outgoing::Held(body.into()) };
        let mut copy = Box::new(Request::new(body));
        copy.method_mut().clone_from(&self.method);
        copy.uri_mut().clone_from(&self.target);
        copy.headers_mut().clone_from(&self.headers);
        copy
    }
}
