//! Asking over HTTP, one question a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::{PATIENCE, since};

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers, in small letters.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body, which is JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.head.contains("\r\ncontent-type: application/json\r\n"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Asks, as in `GET /stats`, with further headers.
#[track_caller]
pub(crate) fn ask(address: SocketAddr, what: &str, headers: &str) -> Answer {
    ask_by(&address.to_string(), address, what, headers)
}

/// The same, as one who knows it by this name.
#[track_caller]
pub(crate) fn ask_by(name: &str, address: SocketAddr, what: &str, headers: &str) -> Answer {
    let mut stream = say(name, address, what, headers);
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer is text and ends");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: format!("{}\r\n", head.to_lowercase()), body: body.to_owned() }
}

/// What follows to `GET` there, until it `holds`.
#[track_caller]
pub(crate) fn follow(address: SocketAddr, path: &str, holds: impl Fn(&str) -> bool) -> String {
    let (mut stream, elapsed, mut all) =
        (say(&address.to_string(), address, &format!("GET {path}"), ""), since(), Vec::new());
    let mut part = [0; 16 * 1024];
    while !holds(&String::from_utf8_lossy(&all)) {
        let count = stream.read(&mut part).expect("it goes on");
        assert!(count > 0 && elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&all));
        all.extend(&part[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[track_caller]
fn say(host: &str, address: SocketAddr, what: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("statistics are served");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes options");
    let request = format!("{what} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a question is taken");
    stream
}
