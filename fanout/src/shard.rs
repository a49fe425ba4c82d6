//! One worker shard: the machine, its hands, and the tasks that bring it inputs.
//!
//! Owns both and lends them to each other for the length of one input (`turn`). It decides nothing: what is connected,
//! read on and closed, the machine says.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bytes::Bytes;
use proto::{
    id::{ConnectionId, LinkIndex},
    time::Instant,
    wire::Cause,
    worker::{Settings, Worker},
};
use runtime::{
    clock::Clock,
    pulse::{Beat, Pulse},
    settings::Address,
    tcp::{Endpoint, Owner, ReadBuffer},
    telemetry::RateLimited,
    udp::{self, Desk},
    zeromq::{Context, Dealer, Error},
};
use rustc_hash::FxHashMap;
use tokio::task::{JoinSet, spawn_local};
use tracing::warn;

use crate::{
    links::Links,
    log::{Ears, Log},
    shell::{Connected, Hands, Socket},
};

/// Batches taken from one link before others have their turn.
const BATCHES_A_TURN: usize = 64;

/// A shard, shared by the tasks of its thread.
pub struct Shard {
    machine: RefCell<Worker>,
    hands: RefCell<Hands>,
    pulse: Pulse,
    clock: Clock,
    buffer: ReadBuffer,
    desk: Desk,
    is_local: bool,
    malformed: Cell<u64>,
}

impl Shard {
    /// A shard without links. `is_local`: its ingress is in this process.
    pub fn new(
        settings: Settings,
        address: Address,
        context: Context,
        is_local: bool,
        ears: Ears,
        clock: Clock,
    ) -> Rc<Self> {
        let (route, destination) = settings.destination.split_once('/').unwrap_or_default();
        let log = Log {
            ears,
            worker: settings.name.clone(),
            route: route.to_owned(),
            destination: destination.to_owned(),
            address: address.to_string(),
            is_local,
            clock,
            refusals: RateLimited::default(),
            failures: RateLimited::default(),
        };
        let has_datagrams = settings.has_datagrams;
        let machine = Worker::new(settings, clock.now());
        Rc::new_cyclic(|owner| {
            let (sockets, broken, links) = (FxHashMap::default(), Vec::new(), Links::new(context));
            let (refused, owner) = (Vec::new(), owner.clone());
            let hands = Hands { clock, address, sockets, broken, refused, has_datagrams, links, owner, log };
            Self {
                machine: RefCell::new(machine),
                hands: RefCell::new(hands),
                pulse: Pulse::default(),
                clock,
                buffer: ReadBuffer::default(),
                desk: Desk::default(),
                is_local,
                malformed: Cell::new(0),
            }
        })
    }

    /// Starts its beat on this thread.
    pub fn start(self: &Rc<Self>, tasks: &mut JoinSet<()>) {
        let shard = Rc::clone(self);
        tasks.spawn_local(async move { shard.pulse.drive(shard.clock, |beat| shard.beat(beat)).await });
    }

    /// Connects to an ingress shard, and greets it.
    pub fn dial(self: &Rc<Self>, endpoint: &str) -> Result<(), Error> {
        self.connect(endpoint, false)
    }

    fn connect(self: &Rc<Self>, endpoint: &str, is_learned: bool) -> Result<(), Error> {
        let dealer = self.hands.borrow_mut().links.dial(endpoint, is_learned)?;
        let link = self.turn(|machine, now, hands| machine.on_dialled(self.is_local, now, hands));
        spawn_local(Rc::clone(self).receive(link, dealer));
        Ok(())
    }

    /// Looks at the machine.
    pub fn look<T>(&self, look: impl FnOnce(&Worker) -> T) -> T {
        look(&self.machine.borrow())
    }

    /// Whether its destination cannot be connected.
    pub fn is_away(&self) -> bool {
        self.look(Worker::is_away)
    }

    /// Takes no new sessions.
    pub fn drain(&self) {
        self.turn(|machine, _, _| machine.drain());
    }

    /// Messages that were not one part each.
    pub(crate) fn malformed(&self) -> u64 {
        self.malformed.get()
    }

    /// Hands its sessions to other workers.
    pub fn leave(&self) {
        self.turn(Worker::leave);
    }

    /// A connect has come to its end.
    pub(crate) fn on_connect(self: &Rc<Self>, id: ConnectionId, outcome: Result<Connected, Cause>) {
        self.turn(|machine, now, hands| match outcome {
            Ok(connected) => {
                let owner = Rc::clone(self);
                let socket = match connected {
                    Connected::Stream(stream) => Socket::Open(Endpoint::open(stream, id.0, true, owner)),
                    Connected::Datagrams(socket) => {
                        Socket::Datagrams(udp::Endpoint::open(socket, id.0, owner))
                    }
                };
                hands.sockets.insert(id, socket);
                machine.on_connected(id, now, hands);
            }
            Err(cause) => {
                hands.sockets.remove(&id);
                machine.on_connect_failed(id, cause, now, hands);
            }
        });
    }

    /// Handles one input.
    fn turn<R>(&self, input: impl FnOnce(&mut Worker, Instant, &mut Hands) -> R) -> R {
        let now = self.clock.now();
        let (mut machine, mut hands) = (self.machine.borrow_mut(), self.hands.borrow_mut());
        let result = input(&mut machine, now, &mut hands);
        while let Some((connection, cause)) = hands.broken.pop() {
            break_off(&mut machine, connection, cause, now, &mut hands);
        }
        while let Some((connection, count)) = hands.refused.pop() {
            machine.on_refusals(connection, count, &mut *hands);
        }
        self.pulse.wake();
        result
    }

    fn beat(self: &Rc<Self>, beat: Beat) -> Option<Instant> {
        let now = self.clock.now();
        {
            let (mut machine, mut hands) = (self.machine.borrow_mut(), self.hands.borrow_mut());
            match beat {
                Beat::Flush => machine.flush(now, &mut *hands),
                Beat::Time => machine.on_time(now, &mut *hands),
            }
        }
        self.dial_learned();
        self.machine.borrow().deadline()
    }

    fn dial_learned(self: &Rc<Self>) {
        let learned = self.hands.borrow_mut().links.take_learned();
        for endpoint in learned {
            if let Err(error) = self.connect(&endpoint, true) {
                warn!(endpoint, %error, "cannot dial a shard of the ingress");
            }
        }
    }

    async fn receive(self: Rc<Self>, link: LinkIndex, dealer: Rc<Dealer>) {
        loop {
            dealer.readable().await;
            for _ in 0..BATCHES_A_TURN {
                match dealer.try_receive() {
                    Some(Ok(batch)) => {
                        self.turn(|machine, now, hands| machine.on_batch(link, &batch, now, hands));
                    }
                    Some(Err(_)) => self.malformed.set(self.malformed.get() + 1),
                    None => break,
                }
            }
        }
    }
}

/// A connection is gone: the machine hears why, and what the destination had not acknowledged.
fn break_off(machine: &mut Worker, id: ConnectionId, cause: Cause, now: Instant, hands: &mut Hands) {
    let unconfirmed = match hands.sockets.remove(&id) {
        Some(Socket::Open(endpoint)) => endpoint.unconfirmed(),
        _ => 0,
    };
    machine.on_reset(id, cause, unconfirmed, now, hands);
}

impl Owner for Shard {
    fn on_bytes(&self, id: u64, bytes: Bytes) {
        self.turn(|machine, _, hands| machine.on_bytes(ConnectionId(id), bytes, hands));
    }

    fn on_fin(&self, id: u64) {
        self.turn(|machine, _, _| machine.on_fin(ConnectionId(id)));
    }

    fn on_broken(&self, id: u64, cause: Cause) {
        self.turn(|machine, now, hands| break_off(machine, ConnectionId(id), cause, now, hands));
    }

    fn on_writable(&self, id: u64) {
        self.turn(|machine, now, hands| machine.on_writable(ConnectionId(id), now, hands));
    }

    fn buffer(&self) -> &ReadBuffer {
        &self.buffer
    }
}

impl udp::Owner for Shard {
    fn on_datagrams(&self, id: u64, bytes: Bytes, ends: &[u32]) {
        self.turn(|machine, _, hands| machine.on_datagrams(ConnectionId(id), &bytes, ends, hands));
    }

    fn on_refusal(&self, id: u64) {
        self.turn(|machine, _, hands| machine.on_refusals(ConnectionId(id), 1, hands));
    }

    fn on_writable(&self, id: u64) {
        self.turn(|machine, now, hands| machine.on_writable(ConnectionId(id), now, hands));
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }
}
