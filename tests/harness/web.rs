//! Servers behind a reverse proxy: each answers, or misbehaves on purpose, and counts what it was asked.
//!
//! They are destinations that read requests; nothing of pegloom's own HTTP is used here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::peer::Peer;
use super::{Destination, eventually};

/// A request as a server got it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Its first line.
    pub(crate) line: String,
    /// Names in small letters, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

/// Whether a connection goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    Close,
}

/// All that a server was asked.
type Log = Arc<Mutex<Vec<Asked>>>;

pub(crate) struct WebServer {
    destination: Destination,
    log: Log,
}

impl WebServer {
    /// Answers each request, when its body is there, with what `answer` makes of it.
    pub(crate) fn answering(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::by_hand(move |asked, peer| match read_body(asked, peer) {
            Some(whole) => {
                let bytes = answer(&whole);
                peer.write(&bytes);
                Then::GoOn
            }
            None => Then::Close,
        })
    }

    /// Answers everything with 200, and its name and the request's target.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::answering(move |asked| ok(format!("{name} {}", asked.target()).as_bytes()))
    }

    /// Is given each request before its body, and does what `answer` does.
    pub(crate) fn by_hand(answer: impl Fn(&Asked, &mut Peer) -> Then + Send + Sync + 'static) -> Self {
        let log = Log::default();
        let kept = Arc::clone(&log);
        let destination = Destination::serving(move |peer| {
            peer.record_no_more();
            while let Some(asked) = read_head(peer) {
                kept.lock().unwrap().push(asked.clone());
                if answer(&asked, peer) == Then::Close {
                    return;
                }
            }
        });
        Self { destination, log }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.destination.address()
    }

    /// Connections it accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.destination.accepted()
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.destination.sent_bytes()
    }

    /// Resets its connections and refuses new ones.
    pub(crate) fn die(&mut self) {
        self.destination.die();
    }

    pub(crate) fn start(&mut self) {
        self.destination.start();
    }

    /// The heads of the requests it got so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// How many requests it got so far.
    pub(crate) fn count(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    /// How many requests for this target it got so far.
    pub(crate) fn count_of(&self, target: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|asked| asked.target() == target).count()
    }

    /// The last request it got.
    #[track_caller]
    pub(crate) fn last(&self) -> Asked {
        self.log.lock().unwrap().last().cloned().expect("it was asked")
    }

    #[track_caller]
    pub(crate) fn expect_count(&self, count: usize) {
        eventually(&format!("{} is asked {count} times", self.address()), || self.count() == count);
    }
}

impl Asked {
    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of its first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// 200 with this body, and its length.
pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    reply("200 OK", "", body)
}

/// A reply with this status, further headers (each ended by CRLF), and a body with its length.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The request with its body; none if that does not come whole.
pub(crate) fn read_body(asked: &Asked, peer: &mut Peer) -> Option<Asked> {
    let mut asked = asked.clone();
    if asked.header("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(text(&peer.read_line()?).split(';').next()?, 16).ok()?;
            if size == 0 {
                asked.trailers = read_headers(peer)?;
                return Some(asked);
            }
            read_exactly(peer, size, &mut asked.body)?;
            peer.read_line()?;
        }
    }
    let length = asked.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    read_exactly(peer, length, &mut asked.body)?;
    Some(asked)
}

fn read_head(peer: &mut Peer) -> Option<Asked> {
    let line = text(&peer.read_line()?);
    Some(Asked { line, headers: read_headers(peer)?, ..Asked::default() })
}

fn read_headers(peer: &mut Peer) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = text(&peer.read_line()?);
        if line.is_empty() {
            return Some(headers);
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_exactly(peer: &mut Peer, count: usize, into: &mut Vec<u8>) -> Option<()> {
    let end = into.len() + count;
    while into.len() < end {
        into.extend(peer.read_some(end - into.len())?);
    }
    Some(())
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned()
}
