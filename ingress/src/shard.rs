//! One ingress shard: the machine, its hands, and the tasks that bring it inputs.
//!
//! Owns both and lends them to each other for the length of one input (`turn`). It decides nothing: who is accepted,
//! what is read on and what is closed, the machine says.

mod streams;

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use proto::{
    id::{Incarnation, Peer, RouteIndex, SessionId},
    ingress::Ingress,
    time::Instant,
    wire::Cause,
};
use runtime::{
    clock::Clock,
    event::Events,
    pulse::{Beat, Pulse},
    report::{DestinationReport, Requests},
    settings::Settings,
    tcp::{Endpoint, Owner, ReadBuffer},
    telemetry::RateLimited,
    udp::{Arrival, Desk, Door},
    zeromq::Router,
};
use rustc_hash::FxHashMap;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet, spawn_local},
    time::sleep,
};
use tracing::warn;
use web::Front;

use crate::{
    log::{Log, Names, RouteNames},
    node::Listener,
    places::Places,
    settings::machine,
    shell::Hands,
    visitors::{AtDoor, Visitor, Visitors},
    web::{RouteFront, Servers},
};

/// Batches taken from the ROUTER before others have their turn.
const BATCHES_A_TURN: usize = 64;
/// After a failed accept (no descriptors left, say) the listener rests so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A shard, shared by the tasks of its thread.
pub struct Shard {
    machine: RefCell<Ingress>,
    hands: RefCell<Hands>,
    pulse: Pulse,
    clock: Clock,
    buffer: ReadBuffer,
    desk: Desk,
    router: Rc<Router>,
    foreign: Cell<u64>,
    listeners: RefCell<Vec<AbortHandle>>,
    accept_failures: RefCell<RateLimited>,
    drops: RefCell<RateLimited>,
    places: Places,
    /// Routes that do not listen on `http://`.
    without_clients: Vec<RouteIndex>,
    events: Events,
    /// Routes that listen on `http://`, by their places in the settings.
    fronts: RefCell<Vec<(usize, RouteFront)>>,
}

impl Shard {
    /// A shard that speaks to its workers through `router`, and tells `events` what happens.
    pub fn new(
        settings: &Settings,
        incarnation: Incarnation,
        is_local: bool,
        router: Router,
        events: Events,
        clock: Clock,
    ) -> Rc<Self> {
        let places = Places::of(settings);
        let without_clients = settings.routes.iter().enumerate().filter(|(_, route)| route.http.is_none());
        let without_clients: Vec<_> = without_clients.map(|(index, _)| places.first(index)).collect();
        let settings = machine(settings, incarnation, is_local);
        let names = settings.routes.iter().enumerate().map(|(place, route)| RouteNames {
            route: route.name.clone(),
            destinations: route.destinations.iter().map(|destination| destination.name.clone()).collect(),
            has_servers: !without_clients.contains(&RouteIndex(place as u16)),
        });
        let log = Log::new(Names(names.collect()), clock, events.clone(), settings.is_local);
        let router = Rc::new(router);
        let machine = Ingress::new(settings, clock.now());
        Rc::new_cyclic(|owner| {
            let (sources, visitors, broken) = (FxHashMap::default(), Visitors::default(), Vec::new());
            let router_of_hands = Rc::clone(&router);
            let streams = FxHashMap::default();
            let hands = Hands {
                router: router_of_hands,
                sources,
                visitors,
                streams,
                broken,
                owner: owner.clone(),
                log,
            };
            Self {
                machine: RefCell::new(machine),
                hands: RefCell::new(hands),
                pulse: Pulse::default(),
                clock,
                buffer: ReadBuffer::default(),
                desk: Desk::default(),
                router,
                foreign: Cell::new(0),
                listeners: RefCell::default(),
                accept_failures: RefCell::default(),
                drops: RefCell::default(),
                places,
                without_clients,
                events,
                fronts: RefCell::default(),
            }
        })
    }

    /// Starts its tasks on this thread: the beat, the ROUTER, one for each listener.
    pub fn start(self: &Rc<Self>, listeners: Vec<Listener>, tasks: &mut JoinSet<()>) -> io::Result<()> {
        let shard = Rc::clone(self);
        tasks.spawn_local(async move { shard.pulse.drive(shard.clock, |beat| shard.beat(beat)).await });
        let shard = Rc::clone(self);
        tasks.spawn_local(async move { shard.receive().await });
        for (index, listener) in listeners.into_iter().enumerate() {
            let (shard, route) = (Rc::clone(self), self.places.first(index));
            let listening = match listener {
                Listener::Tcp(listener) => {
                    let listener = TcpListener::from_std(listener)?;
                    tasks.spawn_local(async move {
                        let admit = |stream, _| shard.admit(route, stream);
                        shard.accept(listener, admit).await;
                    })
                }
                Listener::Udp(socket) => {
                    let door = Rc::new(Door::new(socket)?);
                    shard.hands.borrow_mut().visitors.open(route, Rc::clone(&door));
                    tasks.spawn_local(async move { shard.fetch(route, &door).await })
                }
                Listener::Http(listener, site) => {
                    let listener = TcpListener::from_std(listener)?;
                    let front = Front::new(
                        site,
                        Servers { shard: Rc::clone(self), first: route },
                        self.events.clone(),
                    );
                    self.fronts.borrow_mut().push((index, Rc::clone(&front)));
                    tasks.spawn_local(Rc::clone(&front).tend());
                    tasks.spawn_local(async move {
                        let welcome = |stream, client| front.welcome(stream, client);
                        shard.accept(listener, welcome).await;
                    })
                }
            };
            self.listeners.borrow_mut().push(listening);
        }
        Ok(())
    }

    /// Tells workers of these link ports.
    pub fn set_ports(&self, ports: Vec<u16>) {
        self.machine.borrow_mut().set_ports(ports);
    }

    /// Looks at the machine.
    pub fn look<T>(&self, look: impl FnOnce(&Ingress) -> T) -> T {
        look(&self.machine.borrow())
    }

    /// Peers on the link port that were none of ours.
    pub fn foreign_messages(&self) -> u64 {
        self.foreign.get()
    }

    /// Closes the listeners and brings all sessions to their end; those of requests when their clients have gone.
    pub fn drain(self: &Rc<Self>) {
        self.listeners.take().iter().for_each(AbortHandle::abort);
        let fronts: Vec<_> = self.fronts.borrow().iter().map(|(_, front)| Rc::clone(front)).collect();
        for front in &fronts {
            front.drain();
        }
        if fronts.iter().all(|front| front.is_idle()) {
            return self.turn(Ingress::drain);
        }
        for route in &self.without_clients {
            self.turn(|machine, now, hands| machine.finish(*route, now, hands));
        }
        let shard = Rc::clone(self);
        spawn_local(async move {
            for front in fronts {
                front.empty().await;
            }
            shard.turn(Ingress::drain);
        });
    }

    /// Whether no session and no client is left.
    pub fn is_idle(&self) -> bool {
        self.fronts.borrow().iter().all(|(_, front)| front.is_idle()) && self.look(Ingress::is_idle)
    }

    /// Handles one input.
    fn turn<R>(&self, input: impl FnOnce(&mut Ingress, Instant, &mut Hands) -> R) -> R {
        let now = self.clock.now();
        let (mut machine, mut hands) = (self.machine.borrow_mut(), self.hands.borrow_mut());
        let result = input(&mut machine, now, &mut hands);
        while let Some(session) = hands.broken.pop() {
            machine.on_source_reset(session, now, &mut *hands);
        }
        self.pulse.wake();
        result
    }

    fn beat(self: &Rc<Self>, beat: Beat) -> Option<Instant> {
        let now = self.clock.now();
        let (mut machine, mut hands) = (self.machine.borrow_mut(), self.hands.borrow_mut());
        match beat {
            Beat::Flush => machine.flush(now, &mut *hands),
            Beat::Time => machine.on_time(now, &mut *hands),
        }
        self.send_gathered(&mut machine, now, &mut hands);
        machine.deadline()
    }

    /// Sends what was gathered for sources of datagrams; who had to wait for that is told.
    fn send_gathered(self: &Rc<Self>, machine: &mut Ingress, now: Instant, hands: &mut Hands) {
        for door in hands.visitors.flush(&self.desk) {
            let shard = Rc::downgrade(self);
            door.when_writable(move || {
                if let Some(shard) = shard.upgrade() {
                    shard.pulse.wake();
                }
            });
        }
        for session in hands.visitors.take_starved() {
            machine.on_source_writable(session, now, hands);
            self.pulse.wake();
        }
    }

    async fn receive(self: Rc<Self>) {
        loop {
            self.router.readable().await;
            for _ in 0..BATCHES_A_TURN {
                match self.router.try_receive() {
                    Some(Ok((id, batch))) => match id.number().map(Peer) {
                        Some(peer) => {
                            self.turn(|machine, now, hands| machine.on_batch(peer, &batch, now, hands));
                        }
                        None => self.foreign.set(self.foreign.get() + 1),
                    },
                    Some(Err(_)) => self.foreign.set(self.foreign.get() + 1),
                    None => break,
                }
            }
        }
    }

    /// Hands every connection to `admit`, with who it is of.
    async fn accept(&self, listener: TcpListener, admit: impl Fn(TcpStream, SocketAddr)) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => admit(stream, from),
                Err(error) => {
                    self.tell_not_accepted(&error);
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn fetch(self: Rc<Self>, route: RouteIndex, door: &Door) {
        let mut ends = Vec::new();
        door.receive(&self.desk, |arrivals| {
            let dropped = door.dropped();
            self.on_arrivals(route, arrivals, &mut ends);
            self.warn_of_drops(door, door.dropped() - dropped);
        })
        .await;
    }

    /// Datagrams have come, of any of a route's sources: each source's are handled together.
    fn on_arrivals(
        &self,
        route: RouteIndex,
        arrivals: &mut dyn Iterator<Item = Arrival<'_>>,
        ends: &mut Vec<u32>,
    ) {
        self.turn(|machine, now, hands| {
            let mut mail: Vec<_> = arrivals
                .filter_map(|arrival| {
                    let visitor = Visitor { route, from: arrival.from?, to: arrival.to };
                    Some((session_of(visitor, machine, now, hands)?, arrival.bytes))
                })
                .collect();
            mail.sort_by_key(|&(session, _)| session);
            for of_one in mail.chunk_by(|one, other| one.0 == other.0) {
                let bytes = self.desk.gather(of_one.iter().map(|&(_, bytes)| bytes), ends);
                machine.on_source_datagrams(of_one[0].0, &bytes, ends, now, hands);
            }
        });
    }

    fn warn_of_drops(&self, door: &Door, datagrams: u64) {
        if datagrams > 0
            && let Some(left_out) = self.drops.borrow_mut().admit(self.clock.now())
        {
            let total = door.dropped();
            warn!(datagrams, total, left_out, "the kernel dropped datagrams, raise net.core.rmem_max");
        }
    }

    /// What was counted at the door of a route of the settings, if it takes datagrams.
    pub(crate) fn at_door(&self, route: usize) -> AtDoor {
        self.hands.borrow().visitors.at_door(self.places.first(route))
    }

    /// What was counted of the requests of a route of the settings, if it listens on `http://`.
    pub(crate) fn requests(&self, route: usize) -> Option<Requests> {
        let fronts = self.fronts.borrow();
        fronts.iter().find(|(index, _)| *index == route).map(|(_, front)| front.report())
    }

    /// Adds to the reports of the destinations of such a route what its requests know of them.
    pub(crate) fn complete(&self, route: usize, reports: &mut [DestinationReport]) {
        let fronts = self.fronts.borrow();
        let Some((_, front)) = fronts.iter().find(|(index, _)| *index == route) else { return };
        reports.iter_mut().enumerate().for_each(|(index, report)| front.complete(index, report));
    }

    pub(crate) const fn places(&self) -> &Places {
        &self.places
    }

    fn tell_not_accepted(&self, error: &io::Error) {
        if let Some(left_out) = self.accept_failures.borrow_mut().admit(self.clock.now()) {
            warn!(%error, left_out, "cannot accept a source");
        }
    }

    /// A source that is turned away is closed by dropping it.
    fn admit(self: &Rc<Self>, route: RouteIndex, stream: TcpStream) {
        self.turn(|machine, now, hands| {
            if let Some(session) = machine.on_source(route, now, hands) {
                hands.sources.insert(session, Endpoint::open(stream, session.0, false, Rc::clone(self)));
            }
        });
    }
}

/// The session of a source of datagrams; a new one if it has none and may have one.
fn session_of(visitor: Visitor, machine: &mut Ingress, now: Instant, hands: &mut Hands) -> Option<SessionId> {
    hands.visitors.session_of(visitor).or_else(|| {
        let session = machine.on_source(visitor.route, now, hands)?;
        hands.visitors.admit(visitor, session);
        Some(session)
    })
}

impl Owner for Shard {
    fn on_bytes(&self, id: u64, bytes: Bytes) {
        self.turn(|machine, now, hands| machine.on_source_bytes(SessionId(id), bytes, now, hands));
    }

    fn on_fin(&self, id: u64) {
        self.turn(|machine, now, hands| machine.on_source_fin(SessionId(id), now, hands));
    }

    fn on_broken(&self, id: u64, _: Cause) {
        self.turn(|machine, now, hands| machine.on_source_reset(SessionId(id), now, hands));
    }

    fn on_writable(&self, id: u64) {
        self.turn(|machine, now, hands| machine.on_source_writable(SessionId(id), now, hands));
    }

    fn buffer(&self) -> &ReadBuffer {
        &self.buffer
    }
}
