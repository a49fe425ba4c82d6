//! Statistics over HTTP: what there is, for people, scrapers and load balancers.
//!
//! It answers from the desk and changes nothing. GET and HEAD are all it knows; whatever else is asked is refused with what
//! there is.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{self, Next},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::get,
};
use futures_util::{Stream, stream};
use serde::Serialize;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::broadcast::{Receiver, error::RecvError},
};

use crate::{
    desk::{Desk, News},
    doorkeeper::Doorkeeper,
    metrics, page, visitor,
};

/// What can be asked for.
pub const PATHS: [&str; 8] =
    ["/", "/stats", "/metrics", "/health", "/status", "/heartbeat", "/events", "/history"];

/// A browser that was cut off asks again after so long.
const RETRY: Duration = Duration::from_secs(1);

/// Answers, for ever.
pub(crate) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let is_for_this_machine = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    if let Err(error) = axum::serve(Doorkeeper::new(listener), answers(desk, is_for_this_machine)).await {
        tracing::error!(%error, "statistics are not served any more");
    }
}

fn answers(desk: Arc<Desk>, is_for_this_machine: bool) -> Router {
    let answers = Router::new()
        .route("/", get(async || page::index()))
        .route("/page/{file}", get(page_file))
        .route("/stats", get(stats))
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/status", get(health))
        .route("/heartbeat", get(health))
        .route("/events", get(events))
        .route("/history", get(history))
        .fallback(nothing_here)
        .method_not_allowed_fallback(read_only)
        .layer(middleware::map_response(as_it_is))
        .with_state(desk);
    if is_for_this_machine { answers.layer(middleware::from_fn(for_this_machine)) } else { answers }
}

/// Refuses who came here by a name that is not ours.
async fn for_this_machine(request: Request, next: Next) -> Response {
    if visitor::is_local(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    let error = "statistics are for this machine only: ask by address or as localhost, not by another name";
    answer(StatusCode::MISDIRECTED_REQUEST, &json!({ "error": error }))
}

/// No browser is to guess that data are a page.
async fn as_it_is(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn page_file(uri: Uri, Path(name): Path<String>) -> Response {
    match page::file(&name) {
        Some(file) => file,
        None => nothing_here(uri).await,
    }
}

async fn stats(State(desk): State<Arc<Desk>>) -> Response {
    answer(StatusCode::OK, &desk.summary())
}

/// As text, unless JSON is asked for.
async fn metrics(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let families = metrics::families(&desk.summary());
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/json") {
        return answer(StatusCode::OK, &families);
    }
    let headers = [(CONTENT_TYPE, metrics::CONTENT_TYPE), (CACHE_CONTROL, "no-store")];
    (headers, metrics::text(&families)).into_response()
}

async fn health(State(desk): State<Arc<Desk>>) -> Response {
    let summary = desk.summary();
    if summary.is_healthy() {
        return answer(StatusCode::OK, &json!({ "status": "OK!" }));
    }
    answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unhealthy", "problems": summary.problems }))
}

async fn history(State(desk): State<Arc<Desk>>) -> Response {
    answer(StatusCode::OK, &*desk.history())
}

/// Server-sent events: the statistics at once and each second, and whatever nodes tell.
async fn events(State(desk): State<Arc<Desk>>) -> Response {
    let headers = [(CACHE_CONTROL, "no-store")];
    (headers, Sse::new(news(desk.subscribe(), &desk))).into_response()
}

fn news(receiver: Receiver<News>, desk: &Desk) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let first = serde_json::to_string(&desk.summary()).unwrap_or_default();
    let first = Some(Event::default().event("stats").data(first).retry(RETRY));
    stream::unfold((receiver, first), |(mut receiver, first)| async move {
        let event = match first {
            Some(first) => first,
            None => next(&mut receiver).await?,
        };
        Some((Ok(event), (receiver, None)))
    })
}

async fn next(receiver: &mut Receiver<News>) -> Option<Event> {
    loop {
        match receiver.recv().await {
            Ok(news) => return Some(Event::default().event(news.kind).data(news.data)),
            // It has missed some; the next statistics have it all again.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

async fn nothing_here(uri: Uri) -> Response {
    let error = format!("there is nothing at {}", uri.path());
    answer(StatusCode::NOT_FOUND, &json!({ "error": error, "paths": PATHS }))
}

async fn read_only(uri: Uri) -> Response {
    let error = format!("{} can only be read: GET or HEAD", uri.path());
    answer(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": error, "paths": PATHS }))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => {
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
            (status, headers, body + "\n").into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
