//! Who may come in: ZeroMQ's authentication protocol (RFC 27, <https://rfc.zeromq.org/spec/27/>), for sockets that
//! listen in the same context under a domain.
//!
//! libzmq asks before a handshake is done and waits for the answer. Who is refused is told so, in ZMTP's ERROR, and his
//! libzmq tries no further; [`Event::Refused`](super::Event::Refused) is how he learns of it.

use zmq::Message;

use super::{Context, Error, SendError, options, socket::Socket};

/// Where libzmq asks. One socket of a context can be there.
const DOOR: &str = "inproc://zeromq.zap.01";
const VERSION: &[u8] = b"1.0";

/// Is asked about everybody who comes.
pub struct Doorkeeper {
    socket: Socket,
}

/// Somebody at the door, who waits for an answer.
#[derive(Debug)]
pub struct Knock {
    request: Message,
    /// The domain of the socket that is asked for.
    pub domain: String,
    /// From which address, without a port.
    pub address: String,
}

/// What somebody at the door is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Come in.
    Admitted,
    /// No, with the code 400 and these words, which are for logs on this side: the code alone is told.
    Refused(&'static str),
}

impl Doorkeeper {
    /// Is asked from now on; a context has one at most.
    pub fn open(context: &Context) -> Result<Self, Error> {
        let mut raw = context.0.socket(zmq::REP).map_err(Error::open)?;
        options::watch(&mut raw).map_err(Error::open)?;
        raw.bind(DOOR).map_err(|source| Error::bind(DOOR, source))?;
        Ok(Self { socket: Socket::new(raw)? })
    }

    /// Who knocks next, if anybody does. Nobody else is heard until there is an [`Self::answer`].
    pub fn try_knock(&self) -> Option<Knock> {
        loop {
            let parts = self.socket.parts()?;
            match Knock::read(parts) {
                Some(knock) => return Some(knock),
                None => self.send(b"", "500", "not a request of version 1.0").unwrap_or_default(),
            }
        }
    }

    /// Returns when [`Self::try_knock`] may find somebody. For one task; may be dropped at any point.
    pub async fn knocked(&self) {
        self.socket.readable().await;
    }

    /// Tells who knocked.
    pub fn answer(&self, knock: &Knock, verdict: Verdict) -> Result<(), SendError> {
        match verdict {
            Verdict::Admitted => self.send(&knock.request, "200", ""),
            Verdict::Refused(why) => self.send(&knock.request, "400", why),
        }
    }

    fn send(&self, request: &[u8], code: &str, text: &str) -> Result<(), SendError> {
        // The last two: who it is, and what else is known of him.
        self.socket.try_send_parts(&[VERSION, request, code.as_bytes(), text.as_bytes(), b"", b""])
    }
}

impl Knock {
    /// Version, request, domain, address, identity, mechanism, and what else the mechanism has to say.
    fn read(parts: Vec<Message>) -> Option<Self> {
        let text = |part: &Message| String::from_utf8_lossy(part).into_owned();
        let mut parts = parts.into_iter();
        let version = parts.next()?;
        let (request, domain, address) = (parts.next()?, parts.next()?, parts.next()?);
        // A socket that may speak IPv6 tells an IPv4 address so; nobody calls it that.
        let address = text(&address).trim_start_matches("::ffff:").to_owned();
        (*version == *VERSION).then(|| Self { request, domain: text(&domain), address })
    }
}
