//! Asking servers after their health: a request of our own, over a connection of its own.
//!
//! Whether that makes a server unwell, the balance says; one shard of the process asks.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use http::{
    Request, StatusCode,
    header::{CONNECTION, HOST, HeaderValue, USER_AGENT},
};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proto::{id::ServerIndex, time::Instant};
use tokio::{
    task::spawn_local,
    time::{sleep, timeout},
};

use crate::front::{Front, Servers};

/// While nobody is to be asked, it is looked again so often.
const LOOK: Duration = Duration::from_secs(1);
const OUR_NAME: HeaderValue = HeaderValue::from_static("pegloom");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Asks whoever is due, for ever.
pub(crate) async fn watch<S: Servers>(front: Rc<Front<S>>) {
    let Some(path) = front.site.settings.health.clone() else { return };
    loop {
        let now = front.site.now();
        while let Some(server) = next(&front, now) {
            spawn_local(check(Rc::clone(&front), server, path.clone()));
        }
        let due = front.site.balance().deadline();
        sleep(due.since(front.site.now()).min(LOOK)).await;
    }
}

fn next<S: Servers>(front: &Front<S>, now: Instant) -> Option<ServerIndex> {
    front.site.balance().next_check(now)
}

async fn check<S: Servers>(front: Rc<Front<S>>, server: ServerIndex, path: String) {
    let site = &front.site;
    let asked = timeout(site.settings.health_interval, ask(&front, server, &path)).await;
    let is_well = asked.ok().flatten().is_some_and(|status| status.is_success() || status.is_redirection());
    let change = site.balance().on_health(server, is_well, site.now());
    site.tell(server, change);
}

async fn ask<S: Servers>(front: &Front<S>, server: ServerIndex, path: &str) -> Option<StatusCode> {
    let address = &front.site.servers[usize::from(server.0)].address;
    let stream = front.upstream.open(server).await.ok()?;
    let (mut connection, task) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    spawn_local(async move {
        // What breaks it, the request on it hears.
        let _ = task.await;
    });
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = path.parse().ok()?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(address).ok()?);
    headers.insert(USER_AGENT, OUR_NAME);
    headers.insert(CONNECTION, CLOSE);
    Some(connection.send_request(request).await.ok()?.status())
}
