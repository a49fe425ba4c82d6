//! A DEALER in a thread of its own: says what it is told, and keeps all it hears, frame by frame.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use runtime::shard::run_local;
use runtime::zeromq::{Context, Dealer, PeerId};
use tokio::sync::mpsc;

/// How many frames may wait to be said.
const WAITING: usize = 1024;

/// What is said before there is a connection is tried again so often.
const PAUSE: Duration = Duration::from_millis(5);

type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

pub(super) struct Speaker {
    orders: Option<mpsc::Sender<Vec<u8>>>,
    heard: Heard,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Connects under a routing id that nobody else has.
    pub(super) fn connect(address: SocketAddr) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING);
        let heard = Heard::default();
        let kept = Arc::clone(&heard);
        let thread =
            thread::spawn(move || run_local(speak(address, waiting, &kept)).expect("a thread has a runtime"));
        Self { orders: Some(orders), heard, thread: Some(thread) }
    }

    pub(super) fn say(&self, frame: Vec<u8>) {
        let orders = self.orders.as_ref().expect("it is there until it is dropped");
        orders.blocking_send(frame).expect("the speaker listens");
    }

    /// What was heard from this frame on.
    pub(super) fn heard_since(&self, first: usize) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().get(first..).unwrap_or_default().to_vec()
    }
}

impl Drop for Speaker {
    /// Its connection is gone when this returns.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // What it found wrong, it has said.
            let _ = thread.join();
        }
    }
}

async fn speak(address: SocketAddr, mut orders: mpsc::Receiver<Vec<u8>>, heard: &Mutex<Vec<Vec<u8>>>) {
    let id = PeerId::ours(fastrand::u64(..));
    let dealer = Dealer::connect(&Context::new(), &format!("tcp://{address}"), id.as_bytes());
    let dealer = dealer.expect("a dealer connects to anything");
    let mut unsaid: Option<Vec<u8>> = None;
    loop {
        while let Some(received) = dealer.try_receive() {
            heard.lock().unwrap().push(received.expect("a message of one part").to_vec());
        }
        unsaid = unsaid.filter(|frame| dealer.try_send(frame.clone()).is_err());
        tokio::select! {
            () = dealer.readable() => {}
            order = orders.recv(), if unsaid.is_none() => match order {
                Some(frame) => unsaid = Some(frame),
                None => return,
            },
            () = tokio::time::sleep(PAUSE), if unsaid.is_some() => {}
        }
    }
}
