//! The admin port: what is kept in caches can be dropped.
//!
//! `POST /purge?url=URL` drops what is kept for one URL, `POST /purge?prefix=URL` for all that begin so. The answer comes when
//! it is gone, from disk too.

use std::{convert::Infallible, future::pending, io, net::TcpListener, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header::ORIGIN},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::json;
use tracing::error;
use web::{Site, cache::NoUrl};

const USAGE: &str = "POST /purge?url=http://HOST/PATH, or POST /purge?prefix=http://HOST/PATH";

/// What was asked for.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: Option<String>,
    prefix: Option<String>,
}

/// What is to be dropped.
enum Purge {
    Url(String),
    Prefix(String),
}

impl Asked {
    /// One of the two, and not both.
    fn purge(self) -> Option<Purge> {
        match (self.url, self.prefix) {
            (Some(url), None) => Some(Purge::Url(url)),
            (None, Some(prefix)) => Some(Purge::Prefix(prefix)),
            _ => None,
        }
    }
}

/// Answers, for ever.
pub(crate) async fn serve(listener: &TcpListener, sites: Vec<Arc<Site>>) -> Infallible {
    if let Err(error) = try_serve(listener, sites).await {
        error!(%error, "caches cannot be purged any more");
    }
    pending().await
}

async fn try_serve(listener: &TcpListener, sites: Vec<Arc<Site>>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
    axum::serve(listener, answers(sites)).await
}

fn answers(sites: Vec<Arc<Site>>) -> Router {
    Router::new()
        .route("/purge", post(purge))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "only POST is known")
        })
        .with_state(Arc::from(sites))
}

async fn purge(
    State(sites): State<Arc<[Arc<Site>]>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    // A browser says where a POST comes from: a page somebody looks at has no business here.
    if headers.contains_key(ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "not from a page");
    }
    let what = asked.ok().and_then(|Query(asked)| asked.purge());
    let Some(what) = what else { return refuse(StatusCode::BAD_REQUEST, "not a url, nor a prefix") };
    let mut purged = 0;
    for site in &*sites {
        let dropped = match &what {
            Purge::Url(url) => site.purge(url).await.map(u64::from),
            Purge::Prefix(prefix) => site.purge_prefix(prefix).await,
        };
        match dropped {
            Ok(dropped) => purged += dropped,
            Err(error @ NoUrl) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }
    Json(json!({ "purged": purged })).into_response()
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error, "try": USAGE }))).into_response()
}
