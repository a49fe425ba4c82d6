//! Destinations and sources that speak in datagrams.
//!
//! A destination answers each datagram with one, or none, and records what it was sent and from where. One that is closed
//! keeps its number: whoever sends to it is refused by the kernel until it is opened again.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{PATIENCE, here};

/// What was sent, by whom.
type Records = Arc<Mutex<Vec<(SocketAddr, Vec<u8>)>>>;
type Behaviour = fn(&[u8]) -> Option<Vec<u8>>;

pub(crate) struct DatagramDestination {
    address: SocketAddr,
    behaviour: Behaviour,
    records: Records,
    life: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl DatagramDestination {
    /// Sends back what it gets.
    pub(crate) fn echo() -> Self {
        Self::serving(|datagram| Some(datagram.to_vec()))
    }

    pub(crate) fn silent() -> Self {
        Self::serving(|_| None)
    }

    fn serving(behaviour: Behaviour) -> Self {
        let address = bound((here(), 0)).local_addr().expect("a bound socket has an address");
        let mut destination = Self { address, behaviour, records: Records::default(), life: None };
        destination.open();
        destination
    }

    pub(crate) fn open(&mut self) {
        let (socket, dies) = (bound(self.address), Arc::new(AtomicBool::new(false)));
        let (behaviour, records, flag) = (self.behaviour, Arc::clone(&self.records), Arc::clone(&dies));
        let server = thread::spawn(move || serve(&socket, behaviour, &records, &flag));
        self.life = Some((dies, server));
    }

    /// Nobody is at its port when this returns.
    pub(crate) fn close(&mut self) {
        let Some((dies, server)) = self.life.take() else { return };
        dies.store(true, Ordering::Relaxed);
        server.join().expect("the destination did its part");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All datagrams so far.
    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        self.records.lock().unwrap().iter().map(|(_, datagram)| datagram.clone()).collect()
    }

    /// How many sockets have sent to it.
    pub(crate) fn senders(&self) -> usize {
        let mut senders: Vec<_> = self.records.lock().unwrap().iter().map(|(sender, _)| *sender).collect();
        senders.sort_unstable();
        senders.dedup();
        senders.len()
    }
}

impl Drop for DatagramDestination {
    fn drop(&mut self) {
        self.close();
    }
}

fn bound(address: impl std::net::ToSocketAddrs) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("a port of this host can be bound");
    let pause = Duration::from_millis(20);
    socket.set_read_timeout(Some(pause)).expect("a fresh socket takes options");
    socket
}

fn serve(socket: &UdpSocket, behaviour: Behaviour, records: &Records, dies: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    while !dies.load(Ordering::Relaxed) {
        // Nothing came for a while, or an answer was refused: whichever, it goes on.
        let Ok((len, sender)) = socket.recv_from(&mut buffer) else { continue };
        records.lock().unwrap().push((sender, buffer[..len].to_vec()));
        if let Some(answer) = behaviour(&buffer[..len]) {
            let _ = socket.send_to(&answer, sender);
        }
    }
}

/// A device with a socket of its own, connected: what comes from anywhere else it does not hear.
pub(crate) struct DatagramSource(UdpSocket);

impl DatagramSource {
    #[track_caller]
    pub(crate) fn new(to: SocketAddr) -> Self {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).expect("a free port");
        socket.connect(to).expect("a way there");
        socket.set_read_timeout(Some(PATIENCE)).expect("a fresh socket takes options");
        Self(socket)
    }

    #[track_caller]
    pub(crate) fn send(&self, datagram: &[u8]) {
        assert_eq!(self.0.send(datagram).expect("the datagram is sent"), datagram.len());
    }

    #[track_caller]
    pub(crate) fn hear(&self) -> Vec<u8> {
        self.hear_within(PATIENCE).expect("a datagram comes")
    }

    pub(crate) fn hear_within(&self, limit: Duration) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        self.0.set_read_timeout(Some(limit)).expect("a timeout can be set");
        let len = self.0.recv(&mut buffer).ok()?;
        buffer.truncate(len);
        Some(buffer)
    }
}
