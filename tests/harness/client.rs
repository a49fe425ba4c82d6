//! A client that speaks HTTP by its bytes: it sends what it is told to, and reads answers whole.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::peer::End;
use super::{PATIENCE, eventually_some};

/// An answer may take so long on a busy machine.
const AWAITED: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Its first line.
    pub(crate) line: String,
    /// Names in small letters, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Statuses of 1xx that came before it.
    pub(crate) interim: Vec<u16>,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(AWAITED))?;
        stream.set_write_timeout(Some(AWAITED))?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// The same connection, for another thread that only sends.
    pub(crate) fn twin(&self) -> Self {
        Self { stream: self.stream.try_clone().expect("a socket can be cloned"), unread: Vec::new() }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).expect("the client can send");
        self
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// `GET target`, and its answer.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Reply {
        self.ask("GET", target, "", b"")
    }

    /// A request for the host `h` with further headers (each ended by CRLF) and a body, and its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) -> Reply {
        self.send(request(method, target, headers, body));
        self.answer_to(method)
    }

    /// The next answer, of a request that is no HEAD.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Reply {
        self.answer_to("GET")
    }

    #[track_caller]
    pub(crate) fn answer_to(&mut self, method: &str) -> Reply {
        self.try_answer_to(method).unwrap_or_else(|error| panic!("no answer to {method}: {error}"))
    }

    /// The next answer; an error if the connection ends before it is whole.
    pub(crate) fn try_answer_to(&mut self, method: &str) -> io::Result<Reply> {
        let mut interim = Vec::new();
        let mut reply = loop {
            let reply = self.try_head()?;
            if reply.status >= 200 {
                break reply;
            }
            interim.push(reply.status);
        };
        reply.interim = interim;
        if method != "HEAD" && ![204, 304].contains(&reply.status) {
            self.read_body(&mut reply)?;
        }
        Ok(reply)
    }

    /// The next head, of an answer or of what comes before it.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Reply {
        self.try_head().expect("a head comes")
    }

    fn try_head(&mut self) -> io::Result<Reply> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {line:?}")))?;
        Ok(Reply { status, line, headers: self.read_headers()?, ..Reply::default() })
    }

    fn read_body(&mut self, reply: &mut Reply) -> io::Result<()> {
        if reply.header("transfer-encoding").is_some() {
            return self.read_chunks(reply);
        }
        match reply.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(io::Error::other)?;
                reply.body = self.read_exactly(length)?;
            }
            None => while self.fill()? {},
        }
        if reply.header("content-length").is_none() {
            reply.body = std::mem::take(&mut self.unread);
        }
        Ok(())
    }

    fn read_chunks(&mut self, reply: &mut Reply) -> io::Result<()> {
        loop {
            let size = usize::from_str_radix(&self.read_line()?, 16).map_err(io::Error::other)?;
            if size == 0 {
                reply.trailers = self.read_headers()?;
                return Ok(());
            }
            reply.body.extend(self.read_exactly(size)?);
            self.read_line()?;
        }
    }

    /// So many bytes as they are, or an error.
    pub(crate) fn read_exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            if !self.fill()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.unread.split_off(count);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    /// Reads so many bytes and forgets them.
    #[track_caller]
    pub(crate) fn skip(&mut self, mut count: usize) {
        while count > 0 {
            let more = self.unread.len().min(count);
            self.unread.drain(..more);
            count -= more;
            assert!(count == 0 || self.fill().expect("it goes on"), "{count} bytes are missing");
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        let end = loop {
            match self.unread.iter().position(|&byte| byte == b'\n') {
                Some(end) => break end,
                None if self.fill()? => {}
                None => return Err(ErrorKind::UnexpectedEof.into()),
            }
        };
        let line = self.read_exactly(end + 1)?;
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    fn read_headers(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| io::Error::other(line.clone()))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 64 * 1024];
        let count = self.stream.read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }

    pub(crate) fn half_close(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).expect("the client can close its half");
        self
    }

    /// Ends with a reset instead of a FIN.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket takes options");
    }

    /// Waits until the other side ends the connection, and returns what came before; all its bytes but the last
    /// answer's.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> (End, Vec<u8>) {
        let end = eventually_some(AWAITED, "the client's connection ends", || match self.fill() {
            Ok(true) => None,
            Ok(false) => Some(End::Fin),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Some(End::Reset),
            Err(_) => None,
        });
        (end, std::mem::take(&mut self.unread))
    }

    /// The other side ends the connection in order, and says nothing before.
    #[track_caller]
    pub(crate) fn expect_close(&mut self) {
        let (end, rest) = self.rest();
        assert_eq!((end, rest.escape_ascii().to_string()), (End::Fin, String::new()));
    }
}

impl Reply {
    /// The value of its first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its body, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether its `Cache-Status` says that it is out of the cache.
    #[track_caller]
    pub(crate) fn is_hit(&self) -> bool {
        self.header("cache-status").expect("a cache says what it did").contains("; hit")
    }
}

/// The bytes of a request for the host `h`.
pub(crate) fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = match method {
        "GET" | "HEAD" | "OPTIONS" if body.is_empty() => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{length}{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// `GET target` over a connection of its own.
#[track_caller]
pub(crate) fn get(address: SocketAddr, target: &str) -> Reply {
    Client::connect(address).get(target)
}
