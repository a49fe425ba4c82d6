//! Destinations to forward to: each behaves in one way and records what every connection brought. Besides, each says what
//! the test tells it to say, when it tells it.
//!
//! A destination owns its port from its making to its end, listening or not: while it does not listen, a connection is
//! refused, and nobody else can take the port. So "refused, then started" and "died, then back" need no fixed port.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};

use socket2::{Domain, Socket, Type};

use super::peer::{End, Peer, Record};
use super::{eventually, here};

type Behaviour = Arc<dyn Fn(&mut Peer) + Send + Sync>;
type Records = Arc<Mutex<Vec<Arc<Mutex<Record>>>>>;
/// The near ends of its connections, in the order of their accepting; they are their peers', and go with them.
type Streams = Arc<Mutex<Vec<Weak<TcpStream>>>>;

pub(crate) struct Destination {
    socket: Socket,
    address: SocketAddr,
    behaviour: Behaviour,
    records: Records,
    streams: Streams,
    life: Option<Life>,
}

/// From listening to no longer listening.
struct Life {
    dies: Arc<AtomicBool>,
    acceptor: JoinHandle<()>,
}

impl Destination {
    /// Sends back what it gets, and closes when the other side does.
    pub(crate) fn echo() -> Self {
        Self::serving(|peer| {
            while let Some(bytes) = peer.read() {
                peer.write(&bytes);
            }
        })
    }

    /// Answers every line with `reply`.
    pub(crate) fn replying(reply: &'static [u8]) -> Self {
        Self::serving(move |peer| {
            while peer.read_line().is_some() {
                peer.write(reply);
            }
        })
    }

    /// Sends back what it gets, in pieces of other sizes than it came in.
    pub(crate) fn echo_in_pieces() -> Self {
        Self::serving(|peer| {
            let mut sizes = [1, 7, 2, 30, 3, 400, 5].into_iter().cycle();
            while let Some(bytes) = peer.read() {
                let mut rest = &bytes[..];
                while let (Some(size), false) = (sizes.next(), rest.is_empty()) {
                    let (piece, behind) = rest.split_at(rest.len().min(size));
                    peer.write(piece);
                    rest = behind;
                }
            }
        })
    }

    /// Reads everything and says nothing, but what it is told to say.
    pub(crate) fn silent() -> Self {
        Self::serving(|peer| while peer.read().is_some() {})
    }

    /// Accepts, and neither reads, writes nor closes.
    pub(crate) fn never_reading() -> Self {
        Self::serving(Peer::hold)
    }

    /// Echoes, and does not close when the other side does.
    pub(crate) fn never_closing() -> Self {
        Self::serving(|peer| {
            while let Some(bytes) = peer.read() {
                peer.write(&bytes);
            }
            peer.hold();
        })
    }

    /// Resets every connection as soon as it is there.
    pub(crate) fn resetting() -> Self {
        Self::serving(Peer::reset)
    }

    /// Reads to the FIN, and only then speaks, and closes.
    pub(crate) fn replying_after_fin(reply: &'static [u8]) -> Self {
        Self::serving(move |peer| {
            while peer.read().is_some() {}
            peer.write(reply);
        })
    }

    /// Answers the line `flood` with `flood`, and echoes every other.
    pub(crate) fn flooding(flood: Vec<u8>) -> Self {
        Self::serving(move |peer| {
            while let Some(line) = peer.read_line() {
                peer.write(if line == b"flood\n" { &flood } else { &line });
            }
        })
    }

    pub(crate) fn serving(behaviour: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let (socket, address) = reserve_port();
        let behaviour: Behaviour = Arc::new(behaviour);
        let (records, streams) = Default::default();
        let mut destination = Self { socket, address, behaviour, records, streams, life: None };
        destination.start();
        destination
    }

    /// Refuses connections until it is started.
    pub(crate) fn not_yet(mut self) -> Self {
        self.die();
        self
    }

    pub(crate) fn start(&mut self) {
        assert!(self.life.is_none(), "it listens already");
        self.socket.listen(128).expect("the reserved port can be listened on");
        let listener: TcpListener = self.socket.try_clone().expect("a socket can be cloned").into();
        let dies = Arc::new(AtomicBool::new(false));
        let (behaviour, records, flag) = (self.behaviour.clone(), self.records.clone(), dies.clone());
        let streams = self.streams.clone();
        let acceptor = thread::spawn(move || accept(&listener, &behaviour, &records, &streams, &flag));
        self.life = Some(Life { dies, acceptor });
    }

    /// Resets its connections and refuses new ones; both is done when this returns.
    pub(crate) fn die(&mut self) {
        let Some(life) = self.life.take() else { return };
        life.dies.store(true, Ordering::Relaxed);
        // Ends the accept that waits; the port stays ours because it was bound by number.
        self.socket.shutdown(Shutdown::Read).expect("a listener can be shut down");
        life.acceptor.join().expect("the destination did its part");
    }

    /// Says this on its first connection, once it has one.
    #[track_caller]
    pub(crate) fn say(&self, bytes: &[u8]) {
        self.say_on(0, bytes);
    }

    /// Says this on the connection of that number.
    #[track_caller]
    pub(crate) fn say_on(&self, connection: usize, bytes: &[u8]) {
        let what = format!("{} has connection {connection}", self.address);
        eventually(&what, || self.streams.lock().unwrap().len() > connection);
        let stream = self.streams.lock().unwrap()[connection].upgrade().expect("the connection is there");
        (&*stream).write_all(bytes).expect("a few bytes can be said");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.records.lock().unwrap().len()
    }

    /// What each connection brought so far, in the order of their accepting.
    pub(crate) fn connections(&self) -> Vec<Record> {
        self.records.lock().unwrap().iter().map(|record| record.lock().unwrap().clone()).collect()
    }

    /// How many connections brought anything; a probe does not.
    pub(crate) fn used(&self) -> usize {
        self.records
            .lock()
            .unwrap()
            .iter()
            .filter(|record| !record.lock().unwrap().received.is_empty())
            .count()
    }

    /// All bytes of all connections so far.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.connections().into_iter().flat_map(|record| record.received).collect()
    }

    pub(crate) fn received_bytes(&self) -> usize {
        self.records.lock().unwrap().iter().map(|record| record.lock().unwrap().received.len()).sum()
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.records.lock().unwrap().iter().map(|record| record.lock().unwrap().sent).sum()
    }

    /// Waits until it has as many bytes as `expected`, and compares them.
    #[track_caller]
    pub(crate) fn expect(&self, expected: &[u8]) {
        let what = format!("{} gets {} bytes", self.address, expected.len());
        eventually(&what, || self.received_bytes() >= expected.len());
        assert_same(&self.received(), expected, "the destination's bytes");
    }

    /// Waits until every connection it ever had was ended by the other side.
    #[track_caller]
    pub(crate) fn expect_ends(&self) -> Vec<End> {
        // No connection yet is no end: it may still be on its way.
        let ended =
            |records: &[Record]| records.iter().map(|record| record.end).collect::<Option<Vec<End>>>();
        let ends = || ended(&self.connections()).filter(|ends| !ends.is_empty());
        super::eventually_some(super::PATIENCE, "the destination's connections are ended", ends)
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        self.die();
    }
}

/// Equality that points at the first difference, for what is too long to print.
#[track_caller]
pub(crate) fn assert_same(got: &[u8], expected: &[u8], what: &str) {
    if got == expected {
        return;
    }
    let at = got.iter().zip(expected).take_while(|(got, expected)| got == expected).count();
    let near =
        |bytes: &[u8]| bytes[at..].iter().take(60).copied().collect::<Vec<u8>>().escape_ascii().to_string();
    let (got_near, expected_near) = (near(got), near(expected));
    panic!(
        "{what} differ at {at}: got {} bytes, there {got_near:?}; expected {}, there {expected_near:?}",
        got.len(),
        expected.len()
    );
}

fn accept(
    listener: &TcpListener,
    behaviour: &Behaviour,
    records: &Records,
    streams: &Streams,
    dies: &Arc<AtomicBool>,
) {
    let mut peers = Vec::new();
    while let Ok((stream, from)) = listener.accept() {
        let record = Arc::new(Mutex::new(Record::of(from)));
        records.lock().unwrap().push(Arc::clone(&record));
        let stream = Arc::new(stream);
        streams.lock().unwrap().push(Arc::downgrade(&stream));
        let mut peer = Peer::new(stream, record, Arc::clone(dies));
        let behaviour = Arc::clone(behaviour);
        peers.push(thread::spawn(move || behaviour(&mut peer)));
    }
    for peer in peers {
        peer.join().expect("a destination's connection does its part");
    }
}

/// A socket that has a port of its own and does not listen. A port the kernel chose is given back when a listener is
/// shut down; one bound by number is not, so it is bound a second time by its number.
fn reserve_port() -> (Socket, SocketAddr) {
    let scout = bound_to(SocketAddr::from((here(), 0)));
    let address =
        scout.local_addr().ok().and_then(|address| address.as_socket()).expect("a bound socket has one");
    (bound_to(address), address)
}

fn bound_to(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("a fresh socket takes options");
    socket.bind(&address.into()).expect("a port of this host can be bound");
    socket
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    #[test]
    fn an_echo_sends_back_and_records_each_connection() {
        let echo = Destination::echo();
        let (mut one, mut two) = (Source::connect(echo.address()), Source::connect(echo.address()));
        one.send(b"one");
        one.expect(b"one");
        two.send(b"two");
        two.expect(b"two");
        assert_eq!(echo.accepted(), 2);
        one.half_close();
        one.expect_fin();
        assert_eq!(echo.connections()[0].end, Some(End::Fin));
        assert_eq!(echo.connections()[1].end, None);
    }

    #[test]
    fn one_that_is_not_yet_there_refuses_and_keeps_its_port() {
        let mut late = Destination::replying(b"ok\n").not_yet();
        assert!(Source::try_connect(late.address()).is_err());
        late.start();
        let mut source = Source::connect(late.address());
        source.send(b"a\nb\n");
        source.expect(b"ok\nok\n");
        late.die();
        source.expect_end();
        assert!(Source::try_connect(late.address()).is_err());
        late.start();
        Source::connect(late.address()).send(b"x");
        eventually("the second life records", || late.received() == b"a\nb\nx");
    }

    #[test]
    fn one_that_resets_is_seen_as_a_reset() {
        let resetting = Destination::resetting();
        let mut source = Source::connect(resetting.address());
        assert_eq!(source.expect_end(), End::Reset);
    }

    #[test]
    fn one_that_never_closes_holds_on_after_a_fin() {
        let stubborn = Destination::never_closing();
        let mut source = Source::connect(stubborn.address());
        source.send(b"x");
        source.half_close();
        source.expect(b"x");
        assert_eq!(stubborn.expect_ends(), [End::Fin]);
        source.expect_nothing();
    }

    #[test]
    fn a_late_reply_comes_after_the_fin() {
        let late = Destination::replying_after_fin(b"late\n");
        let mut source = Source::connect(late.address());
        source.half_close();
        source.expect(b"late\n");
        source.expect_fin();
    }

    #[test]
    fn one_says_what_it_is_told_on_the_connection_that_is_meant() {
        let told = Destination::silent();
        let (mut one, mut two) = (Source::connect(told.address()), Source::connect(told.address()));
        two.send(b"x");
        told.expect(b"x");
        told.say_on(1, b"two");
        told.say(b"one");
        one.expect(b"one");
        two.expect(b"two");
    }

    #[test]
    fn an_echo_in_pieces_is_whole() {
        let echo = Destination::echo_in_pieces();
        let mut source = Source::connect(echo.address());
        let text = vec![b'x'; 5000];
        source.send(&text);
        source.expect(&text);
    }

    #[test]
    fn a_flood_waits_for_its_reader() {
        let flooding = Destination::flooding(vec![b'x'; 32 << 20]);
        let mut source = Source::connect(flooding.address());
        source.send(b"flood\n");
        eventually("the flood begins", || flooding.sent_bytes() > 0);
        assert_eq!(source.read_bytes(32 << 20).len(), 32 << 20);
    }
}
