//! One connected UDP socket on one shard.
//!
//! Reads are a task, sends are direct, as with TCP. What the other machine's kernel says about our datagrams (ICMP) comes
//! as an error of some later call and breaks nothing. An endpoint is closed by dropping it.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::AsFd as _,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::Interest,
    net::UdpSocket,
    sync::Notify,
    task::{AbortHandle, spawn_local, yield_now},
    time::sleep,
};

use super::{
    message::{Desk, Run, is_about_cutting, runs},
    mmsg::{Message, SLOTS},
};

/// After a refusal tokio takes the socket for one that can always be written to: a full one is then asked this often.
const FULL_PAUSE: Duration = Duration::from_millis(1);
/// A message that is refused so often in a row is given up.
const MAX_REFUSALS: usize = 3;

/// Who hears what happens to its endpoints. `id` is what the endpoint was opened with.
pub trait Owner: 'static {
    /// Datagrams came: those that end at `ends` in `bytes`.
    fn on_datagrams(&self, id: u64, bytes: Bytes, ends: &[u32]);
    /// The other side's machine said that nobody takes datagrams there.
    fn on_refusal(&self, id: u64);
    /// The kernel takes datagrams again.
    fn on_writable(&self, id: u64);
    /// What to send and receive with.
    fn desk(&self) -> &Desk;
}

/// What became of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// So many of them, from the first on, are done with.
    pub done: usize,
    /// Those among them that the kernel would not send.
    pub unsendable: usize,
    /// Their bytes.
    pub unsendable_bytes: u64,
    /// How often the other side's machine refused.
    pub refusals: u64,
}

impl Outcome {
    fn give_up(&mut self, run: Run) {
        self.done += run.datagrams;
        self.unsendable += run.datagrams;
        self.unsendable_bytes += u64::from(run.end - run.from);
    }
}

/// Stops and starts a reader.
#[derive(Debug)]
struct Gate {
    is_open: Cell<bool>,
    opened: Notify,
}

/// A socket, and handles of the tasks that read and wait.
#[derive(Debug)]
pub struct Endpoint {
    id: u64,
    socket: Rc<UdpSocket>,
    gate: Rc<Gate>,
    reader: AbortHandle,
    waiter: RefCell<Option<AbortHandle>>,
    is_waiting: Rc<Cell<bool>>,
    may_segment: Cell<bool>,
    was_refused: Rc<Cell<bool>>,
}

impl Endpoint {
    /// Takes a connected socket and starts to read.
    pub fn open(socket: UdpSocket, id: u64, owner: Rc<impl Owner>) -> Self {
        let socket = Rc::new(socket);
        let gate = Rc::new(Gate { is_open: Cell::new(true), opened: Notify::new() });
        let was_refused = Rc::<Cell<bool>>::default();
        let reading = read(Rc::clone(&socket), id, Rc::clone(&gate), Rc::clone(&was_refused), owner);
        let reader = spawn_local(reading).abort_handle();
        let (waiter, is_waiting, may_segment) = (RefCell::default(), Rc::default(), Cell::new(true));
        Self { id, socket, gate, reader, waiter, is_waiting, may_segment, was_refused }
    }

    /// Sends datagrams, those that end at `ends` in `bytes`. What the kernel has no room for is asked for again by
    /// `on_writable`.
    pub fn send(&self, bytes: &[u8], ends: &[u32], owner: &Rc<impl Owner>) -> Outcome {
        let (mut outcome, mut refused) = (Outcome::default(), 0);
        while outcome.done < ends.len() {
            let from = ends[..outcome.done].last().copied().unwrap_or(0);
            let runs: Vec<_> =
                runs(&ends[outcome.done..], from, self.may_segment.get()).take(SLOTS).collect();
            let messages: Vec<Message<'_>> = runs.iter().map(|run| run.message(bytes)).collect();
            match owner.desk().send(self.socket.as_fd(), &messages) {
                Ok(count) => {
                    outcome.done += runs[..count].iter().map(|run| run.datagrams).sum::<usize>();
                    refused = 0;
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.await_writable(Rc::clone(owner));
                        return outcome;
                    }
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::ConnectionRefused if refused < MAX_REFUSALS => {
                        refused += 1;
                        outcome.refusals += 1;
                        self.was_refused.set(true);
                    }
                    _ if runs[0].segment.is_some() && is_about_cutting(&error) => {
                        self.may_segment.set(false);
                    }
                    _ => outcome.give_up(runs[0]),
                },
            }
        }
        outcome
    }

    fn await_writable(&self, owner: Rc<impl Owner>) {
        if self.is_waiting.replace(true) {
            return;
        }
        forget_readiness(&self.socket, Interest::WRITABLE);
        let (id, socket, is_waiting) = (self.id, Rc::clone(&self.socket), Rc::clone(&self.is_waiting));
        let was_refused = Rc::clone(&self.was_refused);
        let task = spawn_local(async move {
            // An error is found by the send that follows.
            let _ = socket.writable().await;
            if was_refused.get() {
                sleep(FULL_PAUSE).await;
            }
            is_waiting.set(false);
            drop(socket);
            owner.on_writable(id);
        });
        *self.waiter.borrow_mut() = Some(task.abort_handle());
    }

    /// Stops reading.
    pub fn pause(&self) {
        self.gate.is_open.set(false);
    }

    /// Goes on reading.
    pub fn resume(&self) {
        self.gate.is_open.set(true);
        self.gate.opened.notify_one();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.reader.abort();
        if let Some(waiter) = self.waiter.borrow_mut().take() {
            waiter.abort();
        }
    }
}

/// The socket has nothing more to give, or no more room: there is no need to ask the kernel once more to know it.
pub(super) fn forget_readiness(socket: &UdpSocket, interest: Interest) {
    let _ = socket.try_io(interest, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
}

async fn read(
    socket: Rc<UdpSocket>,
    id: u64,
    gate: Rc<Gate>,
    was_refused: Rc<Cell<bool>>,
    owner: Rc<impl Owner>,
) {
    let awaited = Interest::READABLE | Interest::ERROR;
    let mut ends = Vec::new();
    loop {
        while !gate.is_open.get() {
            gate.opened.notified().await;
        }
        // Fails only where the shard ends.
        if socket.ready(awaited).await.is_err() {
            return;
        }
        let received = owner.desk().receive(socket.as_fd(), |arrivals| {
            owner.desk().gather(arrivals.filter(|it| it.is_whole).map(|it| it.bytes), &mut ends)
        });
        match received {
            Ok((count, bytes)) => {
                if count < SLOTS {
                    forget_readiness(&socket, Interest::READABLE);
                }
                owner.on_datagrams(id, bytes, &ends);
                if count == SLOTS {
                    yield_now().await;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // One by one: tokio takes back no two at once.
                forget_readiness(&socket, Interest::READABLE);
                forget_readiness(&socket, Interest::ERROR);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                was_refused.set(true);
                owner.on_refusal(id);
                yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net;

    use socket2::SockRef;
    use tokio::time::timeout;

    use super::*;
    use crate::{shard::run_local, udp::mmsg::tests::send_without_checksums};

    const PATIENCE: Duration = Duration::from_secs(10);

    #[derive(Default)]
    struct Listener {
        desk: Desk,
        heard: RefCell<Vec<Vec<u8>>>,
        refusals: Cell<u64>,
        news: Notify,
    }

    impl Owner for Listener {
        fn on_datagrams(&self, _: u64, bytes: Bytes, ends: &[u32]) {
            let mut from = 0;
            for &end in ends {
                self.heard.borrow_mut().push(bytes[from..end as usize].to_vec());
                from = end as usize;
            }
            self.news.notify_one();
        }

        fn on_refusal(&self, _: u64) {
            self.refusals.set(self.refusals.get() + 1);
            self.news.notify_one();
        }

        fn on_writable(&self, _: u64) {}

        fn desk(&self) -> &Desk {
            &self.desk
        }
    }

    async fn opened(to: net::SocketAddr, owner: &Rc<Listener>) -> Endpoint {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(to).await.unwrap();
        Endpoint::open(socket, 0, Rc::clone(owner))
    }

    #[test]
    fn datagrams_arrive_one_by_one_however_they_were_sent() {
        run_local(async {
            let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            let owner = Rc::<Listener>::default();
            let endpoint = opened(peer.local_addr().unwrap(), &owner).await;

            let outcome = endpoint.send(b"aabbcdd", &[2, 4, 5, 5, 7], &owner);

            assert_eq!(outcome, Outcome { done: 5, ..Outcome::default() });
            let mut buffer = [0; 10];
            for expected in [&b"aa"[..], b"bb", b"c", b"", b"dd"] {
                let (len, from) = peer.recv_from(&mut buffer).unwrap();
                assert_eq!(&buffer[..len], expected);
                peer.send_to(expected, from).unwrap();
            }
            while owner.heard.borrow().len() < 5 {
                timeout(PATIENCE, owner.news.notified()).await.expect("the answers come");
            }
            assert_eq!(*owner.heard.borrow(), [&b"aa"[..], b"bb", b"c", b"", b"dd"]);
        })
        .unwrap();
    }

    /// Fails if an error is not awaited, or is taken for the end.
    #[test]
    fn a_refusal_is_heard_without_another_send_and_ends_nothing() {
        run_local(async {
            let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = peer.local_addr().unwrap();
            drop(peer);
            let owner = Rc::<Listener>::default();
            let endpoint = opened(address, &owner).await;
            for round in 1..=2 {
                assert_eq!(endpoint.send(b"x", &[1], &owner).done, 1);
                while owner.refusals.get() < round {
                    timeout(PATIENCE, owner.news.notified()).await.expect("a refusal comes");
                }
            }
        })
        .unwrap();
    }

    #[test]
    fn what_the_kernel_will_not_send_is_done_with() {
        run_local(async {
            let owner = Rc::<Listener>::default();
            let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let endpoint = opened(peer.local_addr().unwrap(), &owner).await;
            let outcome = endpoint.send(&vec![b'x'; 65_510], &[1, 65_509, 65_510], &owner);
            assert_eq!((outcome.done, outcome.unsendable, outcome.unsendable_bytes), (3, 1, 65_508));
        })
        .unwrap();
    }

    /// Fails if any error is taken to be about cutting.
    #[test]
    fn what_fails_for_another_reason_says_nothing_about_cutting() {
        run_local(async {
            let owner = Rc::<Listener>::default();
            let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let endpoint = opened(peer.local_addr().unwrap(), &owner).await;
            // Whatever is sent now is a broken pipe.
            SockRef::from(&*endpoint.socket).shutdown(net::Shutdown::Write).unwrap();

            let outcome = endpoint.send(b"aabbcdd", &[2, 4, 5, 7], &owner);

            assert_eq!((outcome.done, outcome.unsendable, outcome.unsendable_bytes), (4, 4, 7));
            assert!(endpoint.may_segment.get());
        })
        .unwrap();
    }

    /// Fails if no error is taken to be about cutting.
    #[test]
    fn where_messages_cannot_be_cut_datagrams_leave_one_by_one() {
        run_local(async {
            let owner = Rc::<Listener>::default();
            let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            let endpoint = opened(peer.local_addr().unwrap(), &owner).await;
            send_without_checksums(endpoint.socket.as_fd());

            assert_eq!(endpoint.send(b"aabb", &[2, 4], &owner), Outcome { done: 2, ..Outcome::default() });

            let mut buffer = [0; 10];
            for expected in [b"aa", b"bb"] {
                let len = peer.recv(&mut buffer).unwrap();
                assert_eq!(&buffer[..len], expected);
            }
            assert!(!endpoint.may_segment.get());
        })
        .unwrap();
    }
}
