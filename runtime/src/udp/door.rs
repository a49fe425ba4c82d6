//! A listener's socket on one shard: where datagrams of all its sources come in, and answers go out.
//!
//! What goes out is gathered and leaves at once, many datagrams a system call. The gathering is bounded: who finds it
//! full is told when there is room again.

use std::{
    cell::{Cell, RefCell},
    io,
    net::{self, IpAddr, SocketAddr},
    os::fd::AsFd as _,
    rc::Rc,
};

use tokio::{
    io::Interest,
    net::UdpSocket,
    task::{spawn_local, yield_now},
};

use super::{
    endpoint::forget_readiness,
    message::{Desk, Local, Run, is_about_cutting, runs},
    mmsg::{Arrival, Message, SLOTS},
};

/// Bytes that may be gathered.
const MAX_GATHERED: usize = 4 * 1024 * 1024;
/// Messages that may be gathered: empty datagrams have no bytes.
const MAX_MESSAGES: usize = 16 * 1024;

/// Datagrams to one source.
#[derive(Clone, Copy, Debug)]
struct Parcel {
    run: Run,
    to: SocketAddr,
    from: Local,
}

/// What is to leave.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    parcels: Vec<Parcel>,
    /// So many of those have left.
    sent: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Door {
    socket: UdpSocket,
    gathered: RefCell<Gathered>,
    is_waiting: Cell<bool>,
    may_segment: Cell<bool>,
    /// The kernel would not cut the message whose datagrams are next.
    is_in_doubt: Cell<bool>,
    last_dropped: Cell<u32>,
    dropped: Cell<u64>,
    unsent: Cell<u64>,
}

impl Door {
    /// Takes a listener's socket.
    pub fn new(socket: net::UdpSocket) -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            gathered: RefCell::default(),
            is_waiting: Cell::new(false),
            may_segment: Cell::new(true),
            is_in_doubt: Cell::new(false),
            last_dropped: Cell::new(0),
            dropped: Cell::new(0),
            unsent: Cell::new(0),
        })
    }

    /// Datagrams the kernel has dropped because they were not fetched in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Datagrams that the kernel would not send.
    pub fn unsent(&self) -> u64 {
        self.unsent.get()
    }

    /// Receives for ever, and hands over what one system call brings.
    pub async fn receive(&self, desk: &Desk, mut handle: impl FnMut(&mut dyn Iterator<Item = Arrival<'_>>)) {
        loop {
            // Fails only where the shard ends.
            if self.socket.readable().await.is_err() {
                return;
            }
            let received = desk.receive(self.socket.as_fd(), |arrivals| {
                handle(&mut arrivals.inspect(|arrival| self.note_drops(arrival)).filter(|it| it.is_whole));
            });
            match received {
                Ok((SLOTS, ())) => yield_now().await,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) => forget_readiness(&self.socket, Interest::READABLE),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    forget_readiness(&self.socket, Interest::READABLE);
                }
                // Of one datagram, not of the socket; asking again brings the next.
                Err(_) => yield_now().await,
            }
        }
    }

    fn note_drops(&self, arrival: &Arrival<'_>) {
        let lost =
            arrival.dropped.map_or(0, |dropped| dropped.wrapping_sub(self.last_dropped.replace(dropped)));
        let cut_off = u64::from(!arrival.is_whole);
        self.dropped.set(self.dropped.get() + u64::from(lost) + cut_off);
    }

    /// Gathers datagrams for one source, those that end at `ends` in `bytes`; how many of them there was room for.
    pub fn gather(&self, bytes: &[u8], ends: &[u32], to: SocketAddr, from: Option<IpAddr>) -> usize {
        let mut gathered = self.gathered.borrow_mut();
        let mut taken = 0;
        for run in runs(ends, 0, self.may_segment.get()) {
            if gathered.bytes.len() > MAX_GATHERED || gathered.parcels.len() >= MAX_MESSAGES {
                break;
            }
            let begin = gathered.bytes.len() as u32;
            gathered.bytes.extend_from_slice(&bytes[run.from as usize..run.end as usize]);
            let run = Run { from: begin, end: gathered.bytes.len() as u32, ..run };
            gathered.parcels.push(Parcel { run, to, from });
            taken += run.datagrams;
        }
        taken
    }

    /// Sends what was gathered; false if the kernel has no room for all of it.
    pub fn flush(&self, desk: &Desk) -> bool {
        let mut gathered = self.gathered.borrow_mut();
        let gathered = &mut *gathered;
        while gathered.sent < gathered.parcels.len() {
            let waiting = gathered.parcels[gathered.sent..].iter().take(SLOTS);
            let messages: Vec<_> = waiting.map(|parcel| parcel.message(&gathered.bytes)).collect();
            match desk.send(self.socket.as_fd(), &messages) {
                Ok(count) => {
                    gathered.sent += count;
                    if self.is_in_doubt.take() {
                        self.may_segment.set(false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.skip_first(gathered, &error),
            }
        }
        gathered.bytes.clear();
        gathered.parcels.clear();
        gathered.sent = 0;
        true
    }

    /// The kernel will not send the first message that waits: in pieces perhaps, else never.
    ///
    /// A source can have an address that nothing can be sent to. So only datagrams that leave where the message did not
    /// show that the door cannot cut; and one that is too long says something of the way to that source alone.
    fn skip_first(&self, gathered: &mut Gathered, error: &io::Error) {
        let first = gathered.parcels[gathered.sent];
        self.is_in_doubt.set(false);
        if let Some(segment) = first.run.segment
            && is_about_cutting(error)
        {
            self.is_in_doubt.set(!is_too_long(error));
            let pieces = first.run.pieces(segment).map(|run| Parcel { run, ..first });
            gathered.parcels.splice(gathered.sent..=gathered.sent, pieces);
            return;
        }
        gathered.sent += 1;
        self.unsent.set(self.unsent.get() + first.run.datagrams as u64);
    }

    /// Whether something gathered has not left.
    pub fn is_behind(&self) -> bool {
        !self.gathered.borrow().parcels.is_empty()
    }

    /// Calls `then` when the kernel has room again.
    pub fn when_writable(self: &Rc<Self>, then: impl FnOnce() + 'static) {
        if self.is_waiting.replace(true) {
            return;
        }
        forget_readiness(&self.socket, Interest::WRITABLE);
        let door = Rc::clone(self);
        spawn_local(async move {
            let _ = door.socket.writable().await;
            door.is_waiting.set(false);
            then();
        });
    }
}

fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

impl Parcel {
    fn message<'a>(&self, bytes: &'a [u8]) -> Message<'a> {
        Message { to: Some(self.to), from: self.from, ..self.run.message(bytes) }
    }
}

impl Run {
    /// The datagrams of a message, each by itself.
    fn pieces(self, segment: u16) -> impl Iterator<Item = Self> {
        let begins = (self.from..self.end).step_by(segment.into());
        begins.map(move |from| {
            let end = self.end.min(from + u32::from(segment));
            Self { from, end, datagrams: 1, segment: None }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::socket::{setsockopt, sockopt};
    use socket2::{Domain, Socket, Type};
    use tokio::{select, time::timeout};

    use super::*;
    use crate::{shard::run_local, udp::mmsg::tests::send_without_checksums};

    const PATIENCE: Duration = Duration::from_secs(10);

    fn sender_to(address: SocketAddr) -> net::UdpSocket {
        let socket = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// A socket with as little room as the kernel allows.
    fn narrow() -> net::UdpSocket {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        socket.set_nonblocking(true).unwrap();
        setsockopt(&socket, sockopt::RxqOvfl, &1).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.into()
    }

    /// Fails if the counter is not asked for, or the lengths of the controls are not restored for the next call.
    #[test]
    fn what_the_kernel_drops_is_counted() {
        run_local(async {
            let socket = narrow();
            let sender = sender_to(socket.local_addr().unwrap());
            let (door, desk, came) = (Door::new(socket).unwrap(), Desk::default(), Cell::new(0));
            sender.send(b"first").unwrap();
            let more = async {
                while door.dropped() == 0 {
                    for _ in 0..100 {
                        sender.send(&[b'x'; 1000]).unwrap();
                    }
                    yield_now().await;
                }
            };
            let served = async {
                select! {
                    () = door.receive(&desk, |arrivals| came.set(came.get() + arrivals.count())) => {}
                    () = more => {}
                }
            };
            timeout(PATIENCE, served).await.expect("the kernel has to drop some");
            assert!(came.get() > 1);
        })
        .unwrap();
    }

    #[test]
    fn what_is_gathered_leaves_as_the_datagrams_it_was() {
        run_local(async {
            let source = sender_to(SocketAddr::from(([127, 0, 0, 1], 9)));
            let address = source.local_addr().unwrap();
            let door = Door::new(narrow()).unwrap();
            source.connect(door.socket.local_addr().unwrap()).unwrap();

            assert_eq!(door.gather(b"aabbc", &[2, 4, 5, 5], address, None), 4);
            assert!(door.is_behind() && door.flush(&Desk::default()) && !door.is_behind());

            let mut buffer = [0; 10];
            for expected in [&b"aa"[..], b"bb", b"c", b""] {
                let len = source.recv(&mut buffer).unwrap();
                assert_eq!(&buffer[..len], expected);
            }
        })
        .unwrap();
    }

    /// Two datagrams of one size each, to all of these.
    fn gather_for(door: &Door, sources: &[SocketAddr]) {
        for &source in sources {
            assert_eq!(door.gather(b"aabb", &[2, 4], source, None), 2);
        }
    }

    fn receive_two(source: &net::UdpSocket) {
        let mut buffer = [0; 10];
        for expected in [b"aa", b"bb"] {
            let len = source.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], expected);
        }
    }

    /// Fails if any error, or one that the datagrams themselves have too, is taken to be about cutting.
    #[test]
    fn sources_that_cannot_be_sent_to_say_nothing_about_cutting() {
        run_local(async {
            let source = sender_to(SocketAddr::from(([127, 0, 0, 1], 9)));
            let address = source.local_addr().unwrap();
            let door = Door::new(narrow()).unwrap();
            source.connect(door.socket.local_addr().unwrap()).unwrap();
            let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
            let everywhere = SocketAddr::from(([255, 255, 255, 255], 9));

            gather_for(&door, &[nowhere, address, everywhere, address]);

            assert!(door.flush(&Desk::default()) && door.may_segment.get());
            assert_eq!(door.unsent(), 4);
            receive_two(&source);
            receive_two(&source);
        })
        .unwrap();
    }

    /// Fails if the door does not remember.
    #[test]
    fn a_door_that_cannot_cut_sends_one_by_one_from_then_on() {
        run_local(async {
            let source = sender_to(SocketAddr::from(([127, 0, 0, 1], 9)));
            let door = Door::new(narrow()).unwrap();
            source.connect(door.socket.local_addr().unwrap()).unwrap();
            send_without_checksums(door.socket.as_fd());

            gather_for(&door, &[source.local_addr().unwrap()]);

            assert!(door.flush(&Desk::default()) && !door.may_segment.get());
            receive_two(&source);
            assert_eq!(door.unsent(), 0);
        })
        .unwrap();
    }
}
