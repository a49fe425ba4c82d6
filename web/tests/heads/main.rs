//! What becomes of requests that two programs could understand differently: by hyper alone, and with heads watched.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod rows;

use std::{convert::Infallible, future, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, HeaderValue},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use web::heads::{self, Heads, Watched};

/// Fails if any look that `verdict` takes is left out, and where hyper begins to behave in another way.
#[tokio::test(start_paused = true)]
async fn a_request_that_can_be_understood_in_two_ways_is_refused() {
    let mut wrong = Vec::new();
    let rows: Vec<_> = rows::all().collect();
    assert!(rows.len() > 80, "{} rows", rows.len());
    for row in rows {
        let bytes: Vec<u8> = row.request.chars().map(|char| char as u8).collect();
        let seen = [outcome(&bytes, false).await, outcome(&bytes, true).await];
        if seen != [row.by_hyper, row.watched] {
            wrong.push(format!("{}\n  by hyper {:?}\n  watched  {:?}", row.name, seen[0], seen[1]));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// Fails if `builder` sets no limits.
#[tokio::test(start_paused = true)]
async fn heads_beyond_the_limits_are_answered_as_too_large() {
    let long = "a".repeat(heads::MAX_HEAD);
    let many = "X: y\r\n".repeat(heads::MAX_HEADERS);
    let rows = [
        (format!("GET /a HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"), "431, closed"),
        (format!("GET /a HTTP/1.1\r\nHost: h\r\nX: {long}{long}{long}"), "431, closed"),
        (format!("GET /a HTTP/1.1\r\nHost: h\r\n{many}\r\n"), "431, closed"),
        (format!("GET /{long}{long}{long} HTTP/1.1\r\nHost: h\r\n\r\n"), "431, closed"),
    ];
    for (request, expected) in rows {
        assert_eq!(outcome(request.as_bytes(), true).await, expected, "{request:.60}");
    }
}

/// Fails if notes and requests come out of step: the second request would be judged by the first one's.
#[tokio::test(start_paused = true)]
async fn each_request_of_a_connection_is_judged_by_its_own_head() {
    let good = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nY: z\r\n\r\n";
    let bad = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx";
    let stream = [good, good, bad, good].concat();
    assert_eq!(outcome(stream.as_bytes(), true).await, "200 /a x, 200 /a x, 400, closed");
}

/// Pieces of requests, most of which go well together.
const PIECES: [&str; 16] = [
    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "\r\nGET /b HTTP/1.1\nHost: h\n\n",
    "POST /c HTTP/1.1\r\nHost: h\r\n",
    "POST /d HTTP/1.0\r\nConnection: keep-alive\r\n",
    "Content-Length: 3\r\n",
    "content-length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "TRANSFER-ENCODING: identity\r\n",
    "Expect: 100-continue\r\n",
    "\r\n",
    "abc",
    "3\r\nabc\r\n",
    "3;x\r\n\r\n0\r\n",
    "0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "X: \u{0}\r\n",
];

proptest! {
    /// Fails where the follower and hyper disagree about a head's place: `verdict` would be given another head's note, and a
    /// request that hyper alone serves would be missing without a refusal.
    #[test]
    fn whatever_comes_each_request_is_judged_by_its_own_head(
        picks in prop::collection::vec(prop::sample::select(&PIECES[..]), 1..24),
        room in 1..200_usize,
    ) {
        let stream = picks.concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let [by_hyper, watched] = runtime.block_on(async {
            let by_hyper = outcome_in_pieces(stream.as_bytes(), false, room).await;
            [by_hyper, outcome_in_pieces(stream.as_bytes(), true, room).await]
        });
        let served = watched.split(", ").take_while(|answer| answer.starts_with("200") || answer.starts_with("100"));
        let served: Vec<_> = served.collect();
        prop_assert!(by_hyper.starts_with(&served.join(", ")), "{by_hyper}\n{watched}");
        let is_refused = watched.contains("400, closed") || watched.contains("501, closed");
        prop_assert!(by_hyper == watched || is_refused, "{by_hyper}\n{watched}");
    }
}

/// What comes of the bytes, once nothing happens any more: the answers, each with the target and the body that the
/// service was given, and whether the connection is open.
async fn outcome(bytes: &[u8], is_watched: bool) -> String {
    outcome_in_pieces(bytes, is_watched, 1 << 20).await
}

/// The same where no more than so many bytes are on the way at once.
async fn outcome_in_pieces(bytes: &[u8], is_watched: bool, room: usize) -> String {
    let (client, server) = duplex(room);
    let (mut read, mut write) = tokio::io::split(client);
    let mut answers = Vec::new();
    let talk = async {
        // It fails where the server has heard enough.
        let (_, read) = tokio::join!(write.write_all(bytes), read.read_to_end(&mut answers));
        read
    };
    let serve = async {
        if is_watched {
            serve_watched(server).await;
        } else {
            serve_alone(server).await;
        }
        future::pending().await
    };
    // Time is virtual: it passes only when nobody has anything to do.
    let talk = tokio::time::timeout(Duration::from_secs(1), talk);
    let end = tokio::select! { end = talk => end, never = serve => never };
    let end = if end.is_ok() { "closed" } else { "open" };
    statuses(&String::from_utf8(answers).unwrap()) + end
}

/// Each answer's status, and the body of those that were served.
fn statuses(answers: &str) -> String {
    let served =
        |answer: &str| answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| format!(" {body}"));
    let outcome = |answer: &str| {
        let status = &answer[2..5];
        if status == "200" { status.to_owned() + &served(answer) } else { status.to_owned() }
    };
    answers.split("HTTP/1.").skip(1).map(|answer| outcome(answer) + ", ").collect()
}

async fn serve_alone(io: DuplexStream) {
    let service = service_fn(|request| answer(request, None));
    let _ = heads::builder().serve_connection(TokioIo::new(io), service).await;
}

async fn serve_watched(io: DuplexStream) {
    let (io, heads) = Watched::new(io);
    let service = service_fn(|request| answer(request, Some(&heads)));
    let _ = heads::builder().serve_connection(TokioIo::new(io), service).await;
}

/// Says the target and the body; 400 where the body breaks.
fn answer(
    request: Request<Incoming>,
    heads: Option<&Heads>,
) -> impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> + use<> {
    let (parts, body) = request.into_parts();
    let refusal = heads.and_then(|heads| heads::verdict(&parts, heads).err());
    async move {
        if let Some(refusal) = refusal {
            return Ok(refusal.response());
        }
        let Ok(body) = body.collect().await else { return Ok(broken()) };
        let said = [format!("{} ", parts.uri).as_bytes(), &body.to_bytes()].concat();
        Ok(Response::new(Full::from(said.trim_ascii().to_vec())))
    }
}

fn broken() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
