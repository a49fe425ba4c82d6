//! What a line says, and how it looks.
//!
//! ```text
//! 2026-03-01T12:00:00.123Z 192.0.2.1:5000 "GET /a HTTP/1.1" 200 1234 0.841ms SERVER 10.0.0.1:8080
//! {"timestamp":"2026-03-01T12:00:00.123Z","client":"192.0.2.1:5000","request":"GET /a HTTP/1.1","status":200,"bytes":1234,…}
//! ```
//!
//! What a stranger has chosen is escaped, so that it can neither end a line nor begin a field nor speak to a terminal: quotes and
//! backslashes have a backslash before them; of what is not ASCII, letters and digits stay, and all else is `\xNN` byte by byte.

use std::{
    fmt,
    io::Write as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::Version;
use serde::Serialize;

/// The longest target of which nothing is left out, in bytes.
const MAX_TARGET: usize = 2048;
/// The longest method of which nothing is left out, in bytes.
const MAX_METHOD: usize = 32;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// Who has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The cache, without asking a server.
    Cache,
    /// This server.
    Server(Arc<str>),
    /// Pegloom itself: it has refused the request, or found no server.
    Pegloom,
}

/// The first line of a request, as it came: method, target and version, so far as they are not too long.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestLine(Vec<u8>);

impl RequestLine {
    /// Keeps a copy. What is left out of the middle shows as `...`.
    pub fn new(method: &str, target: &[u8], version: Version) -> Self {
        let mut line = Vec::with_capacity(method.len().min(MAX_METHOD) + target.len().min(MAX_TARGET) + 16);
        push_cut(&mut line, method.as_bytes(), MAX_METHOD);
        line.push(b' ');
        push_cut(&mut line, target, MAX_TARGET);
        // Into memory, where nothing fails.
        let _ = write!(line, " {version:?}");
        Self(line)
    }
}

fn push_cut(line: &mut Vec<u8>, bytes: &[u8], most: usize) {
    line.extend_from_slice(&bytes[..bytes.len().min(most)]);
    if bytes.len() > most {
        line.extend_from_slice(b"...");
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, &self.0, true)
    }
}

impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A request that was answered, or whose client has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When the request had come, by the wall clock.
    pub at: SystemTime,
    /// Who has asked.
    pub client: SocketAddr,
    /// For what.
    pub request: RequestLine,
    /// What was answered.
    pub status: u16,
    /// Bytes of the answer's body that were sent.
    pub bytes: u64,
    /// From the end of the request's head to the end of the answer.
    pub took: Duration,
    /// Who has answered.
    pub source: Source,
}

/// The fields of a line of JSON.
#[derive(Serialize)]
struct Fields<'a> {
    timestamp: &'a str,
    client: SocketAddr,
    request: &'a str,
    status: u16,
    bytes: u64,
    duration_ms: f64,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
}

impl Line {
    /// As people read it, without a line's end.
    pub fn text(&self) -> String {
        let Self { client, request, status, bytes, .. } = self;
        let (at, took) = (timestamp(self.at), milliseconds(self.took));
        let mut text =
            format!("{at} {client} \"{request}\" {status} {bytes} {took:.3}ms {}", self.source.name());
        if let Source::Server(server) = &self.source {
            text.push(' ');
            // Into memory, where nothing fails.
            let _ = write_escaped(&mut text, server.as_bytes(), true);
        }
        text
    }

    /// As machines read it, without a line's end. The request is escaped as in the text, but for its quotes: what is no text
    /// is `\xNN` here, too.
    pub fn json(&self) -> String {
        let mut request = String::new();
        // Into memory, where nothing fails.
        let _ = write_escaped(&mut request, &self.request.0, false);
        let server = if let Source::Server(server) = &self.source { Some(&**server) } else { None };
        to_json(&Fields {
            timestamp: &timestamp(self.at),
            client: self.client,
            request: &request,
            status: self.status,
            bytes: self.bytes,
            duration_ms: milliseconds(self.took),
            source: self.source.name(),
            server,
        })
    }

    /// The same on the log of the process.
    pub fn log(&self) {
        let Self { client, request, status, bytes, .. } = self;
        let server = if let Source::Server(server) = &self.source { Some(&**server) } else { None };
        let (duration_ms, source) = (milliseconds(self.took), self.source.name());
        tracing::debug!(%client, %request, status, bytes, duration_ms, source, server, "request");
    }

    pub(super) fn append(&self, format: Format, lines: &mut Vec<u8>) {
        push_line(lines, &if format == Format::Json { self.json() } else { self.text() });
    }
}

impl Source {
    const fn name(&self) -> &'static str {
        match self {
            Self::Cache => "CACHE",
            Self::Server(_) => "SERVER",
            Self::Pegloom => "PEGLOOM",
        }
    }
}

/// So many lines are not in the file.
pub(super) struct Lost(pub(super) u64);

#[derive(Serialize)]
struct LostFields<'a> {
    timestamp: &'a str,
    lost: u64,
}

impl Lost {
    pub(super) fn append(&self, format: Format, lines: &mut Vec<u8>) {
        let (timestamp, lost) = (&*timestamp(SystemTime::now()), self.0);
        let line = match format {
            Format::Json => to_json(&LostFields { timestamp, lost }),
            Format::Text => format!("{timestamp} {lost} lines lost"),
        };
        push_line(lines, &line);
    }
}

fn push_line(lines: &mut Vec<u8>, line: &str) {
    lines.extend_from_slice(line.as_bytes());
    lines.push(b'\n');
}

fn to_json(fields: &impl Serialize) -> String {
    serde_json::to_string(fields).expect("strings and numbers have a form in JSON")
}

fn timestamp(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// To the microsecond.
#[expect(clippy::cast_precision_loss, reason = "beyond 285 years")]
fn milliseconds(took: Duration) -> f64 {
    took.as_micros() as f64 / 1000.0
}

/// See the head of this file.
fn write_escaped(into: &mut impl fmt::Write, bytes: &[u8], are_quotes_escaped: bool) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' if !are_quotes_escaped => into.write_char(char)?,
                '"' | '\\' => write!(into, "\\{char}")?,
                ' '..='~' => into.write_char(char)?,
                _ if !char.is_ascii() && char.is_alphanumeric() => into.write_char(char)?,
                _ => write_bytes(into, char.encode_utf8(&mut [0; 4]).as_bytes())?,
            }
        }
        write_bytes(into, chunk.invalid())?;
    }
    Ok(())
}

fn write_bytes(into: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(into, "\\x{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use proptest::prelude::*;

    fn line(target: &[u8]) -> Line {
        Line {
            at: UNIX_EPOCH + Duration::from_millis(1_772_366_400_123),
            client: "[2001:db8::1]:5000".parse().unwrap(),
            request: RequestLine::new("GET", target, Version::HTTP_11),
            status: 200,
            bytes: 1234,
            took: Duration::from_nanos(841_999),
            source: Source::Server("10.0.0.1:8080".into()),
        }
    }

    #[test]
    fn a_line_says_who_what_how_much_how_long_and_from_where() {
        let mut line = line(b"/a?b");
        let start = "2026-03-01T12:00:00.123Z [2001:db8::1]:5000 \"GET /a?b HTTP/1.1\" 200 1234 0.841ms";
        assert_eq!(line.text(), format!("{start} SERVER 10.0.0.1:8080"));
        line.source = Source::Cache;
        assert_eq!(line.text(), format!("{start} CACHE"));
        line.source = Source::Pegloom;
        assert_eq!(line.text(), format!("{start} PEGLOOM"));
    }

    #[test]
    fn json_has_the_same_as_fields() {
        let expected = "{\"timestamp\":\"2026-03-01T12:00:00.123Z\",\"client\":\"[2001:db8::1]:5000\",\
            \"request\":\"GET /a HTTP/1.1\",\"status\":200,\"bytes\":1234,\"duration_ms\":0.841,\
            \"source\":\"SERVER\",\"server\":\"10.0.0.1:8080\"}";
        assert_eq!(line(b"/a").json(), expected);
        let from_cache = Line { source: Source::Cache, ..line(b"/a") };
        assert!(from_cache.json().ends_with("\"source\":\"CACHE\"}"));
    }

    /// Fails with: any arm of `write_escaped` taken out.
    #[test]
    fn what_a_stranger_has_chosen_is_escaped() {
        let rows: [(&[u8], &str); 9] = [
            (b"/a b", "/a b"),
            (b"/\"\\", "/\\\"\\\\"),
            (b"/\r\n\0\t", "/\\x0d\\x0a\\x00\\x09"),
            (b"/\x1b[2J\x7f", "/\\x1b[2J\\x7f"),
            (b"/\xff\xc3", "/\\xff\\xc3"),
            ("/ñé中1".as_bytes(), "/ñé中1"),
            ("/\u{85}\u{9b}".as_bytes(), "/\\xc2\\x85\\xc2\\x9b"),
            ("/\u{2028}".as_bytes(), "/\\xe2\\x80\\xa8"),
            ("/\u{202e}".as_bytes(), "/\\xe2\\x80\\xae"),
        ];
        for (target, expected) in rows {
            assert!(line(target).text().contains(&format!("\"GET {expected} HTTP/1.1\" 200")));
        }
        let read: serde_json::Value = serde_json::from_str(&line(b"/\"\n\\").json()).unwrap();
        assert_eq!(read["request"], "GET /\"\\x0a\\\\ HTTP/1.1");
    }

    #[test]
    fn a_long_request_is_cut_and_its_version_stays() {
        let request =
            RequestLine::new(&"M".repeat(99), &[b'a'; MAX_TARGET + 1], Version::HTTP_10).to_string();
        assert!(request.ends_with("aa... HTTP/1.0"));
        assert!(request.starts_with(&("M".repeat(MAX_METHOD) + "... a")));
        assert_eq!(request.len(), MAX_METHOD + MAX_TARGET + "... ... HTTP/1.0".len());
    }

    proptest! {
        #[test]
        fn no_target_makes_two_lines_of_one(target in prop::collection::vec(any::<u8>(), 0..300)) {
            let line = line(&target);
            for text in [line.text(), line.json()] {
                prop_assert!(text.chars().all(|char| !char.is_control()), "{text:?}");
            }
            let read: serde_json::Value = serde_json::from_str(&line.json()).unwrap();
            prop_assert_eq!(&read["status"], 200);
        }
    }
}
