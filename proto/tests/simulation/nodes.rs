//! Processes: an ingress or a worker with its machine, and what happens to processes.

use std::time::Duration;

use proto::{
    id::{ConnectionId, Incarnation, RouteIndex},
    ingress::{self, Ingress},
    worker::{self, Worker},
};

use crate::{
    fabric::Fabric,
    plan::millis,
    random::Random,
    shells::{IngressShell, WorkerShell},
    sources::Closed,
    world::{Event, Node, World},
};

pub(crate) struct IngressNode {
    pub(crate) machine: Option<Ingress>,
    pub(crate) life: u32,
    pub(crate) run: Run,
}

pub(crate) struct WorkerNode {
    pub(crate) machine: Option<Worker>,
    pub(crate) life: u32,
    /// By link.
    pub(crate) wires: Vec<usize>,
    pub(crate) name: String,
    pub(crate) random: Random,
    connects: Vec<(ConnectionId, Duration)>,
    pub(crate) is_draining: bool,
    /// Another process has its name, and a larger incarnation; it gets a name of its own when it is started again.
    pub(crate) is_usurped: bool,
    pub(crate) is_newest: bool,
    /// Delivered in earlier lives.
    pub(crate) delivered_before: proto::counters::Tally,
    pub(crate) run: Run,
}

/// How a process's loop goes.
pub(crate) struct Run {
    pub(crate) is_frozen: bool,
    pub(crate) held: Vec<Event>,
    /// After a freeze it looks at the clock before it looks at its sockets; the next time the other way round.
    pub(crate) looks_first: bool,
    /// A turn of the loop is under way.
    pub(crate) is_busy: bool,
    /// How long a turn takes.
    pub(crate) turn_micros: u64,
    /// How late its timers are.
    pub(crate) late_micros: u64,
}

impl Run {
    fn new(is_even: bool, random: &mut Random) -> Self {
        let mut draw = |most: u64| if is_even { 0 } else { random.within(0..=most) };
        Self {
            is_frozen: false,
            looks_first: false,
            held: Vec::new(),
            is_busy: false,
            turn_micros: draw(200),
            late_micros: draw(1_000),
        }
    }
}

impl Run {
    /// Returns what it had not looked at.
    fn die(&mut self) -> Vec<Event> {
        self.is_frozen = false;
        self.is_busy = false;
        std::mem::take(&mut self.held)
    }
}

impl IngressNode {
    pub(crate) fn new(index: usize, world: &World) -> Self {
        let mut random = world.plan.random.fork("ingress", index);
        let mut node = Self { machine: None, life: 0, run: Run::new(world.plan.is_even, &mut random) };
        node.start(world);
        node
    }

    fn start(&mut self, world: &World) {
        self.life += 1;
        let settings = ingress::Settings {
            incarnation: self.incarnation(),
            ports: vec![7100],
            is_local: world.plan.is_local,
            max_sessions: 64,
            link_window: world.plan.link_window,
            routes: vec![world.plan.route.clone()],
        };
        self.machine = Some(Ingress::new(settings, world.now));
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(100 + u64::from(self.life))
    }
}

impl WorkerNode {
    pub(crate) fn new(index: usize, world: &World) -> Self {
        let mut random = world.plan.random.fork("worker", index);
        Self {
            machine: None,
            life: 0,
            wires: Vec::new(),
            name: format!("w{index}"),
            run: Run::new(world.plan.is_even, &mut random),
            random,
            connects: Vec::new(),
            is_draining: false,
            is_usurped: false,
            is_newest: false,
            delivered_before: proto::counters::Tally::ZERO,
        }
    }
}

impl Fabric {
    /// Lets an ingress's machine handle something.
    pub(crate) fn with_ingress<R>(
        &mut self,
        index: usize,
        handle: impl FnOnce(&mut Ingress, &mut IngressShell<'_>) -> R,
    ) -> Option<R> {
        let node = &mut self.ingresses[index];
        let incarnation = node.incarnation();
        let machine = node.machine.as_mut()?;
        let result = handle(machine, &mut IngressShell { world: &mut self.world, index, incarnation });
        self.schedule_turn(Node::Ingress(index));
        Some(result)
    }

    /// Lets a worker's machine handle something.
    pub(crate) fn with_worker<R>(
        &mut self,
        index: usize,
        handle: impl FnOnce(&mut Worker, &mut WorkerShell<'_>) -> R,
    ) -> Option<R> {
        let node = &mut self.workers[index];
        let machine = node.machine.as_mut()?;
        let mut shell = WorkerShell {
            world: &mut self.world,
            index,
            life: node.life,
            wires: &node.wires,
            random: &mut node.random,
            connects: &mut node.connects,
        };
        let result = handle(machine, &mut shell);
        self.begin_connects(index);
        self.schedule_turn(Node::Worker(index));
        Some(result)
    }

    fn begin_connects(&mut self, index: usize) {
        let node = &mut self.workers[index];
        for (id, timeout) in std::mem::take(&mut node.connects) {
            let owner = node.machine.as_ref().and_then(|machine| machine.owner(id));
            let owner = owner.expect("a connection that is asked for is held");
            let ingress = self.world.wires[node.wires[owner.link.0 as usize]].ingress;
            let source = self.world.source_of[&(ingress, owner.ingress, owner.session)];
            self.world.connect((index, node.life), id, owner, source, timeout);
        }
    }

    pub(crate) fn start_worker(&mut self, index: usize, is_renamed: bool) {
        let node = &mut self.workers[index];
        if node.machine.is_some() {
            return;
        }
        node.life += 1;
        if is_renamed || std::mem::take(&mut node.is_usurped) {
            node.name = format!("w{index}/{}", node.life);
        }
        let settings = worker::Settings {
            name: node.name.clone(),
            incarnation: Incarnation(u64::from(node.life) + if node.is_newest { 1_000 } else { 0 }),
            destination: format!("r/d{}", self.world.plan.workers[index]),
            fingerprint: 0,
            has_datagrams: false,
            max_connections: 1_000,
            max_window: 1 << 20,
            backoff_min: millis(100),
            backoff_max: millis(2_000),
        };
        node.machine = Some(Worker::new(settings, self.world.now));
        node.wires.clear();
        node.is_draining = false;
        for ingress in 0..self.ingresses.len() {
            let wire = self.world.add_wire(index, self.workers[index].life, ingress);
            self.workers[index].wires.push(wire);
            let (now, is_local) = (self.world.now, self.world.plan.is_local);
            self.with_worker(index, |worker, shell| worker.on_dialled(is_local, now, shell));
        }
    }

    /// Its process is gone: its sockets close, its wires break.
    pub(crate) fn kill_worker(&mut self, index: usize) {
        let node = &mut self.workers[index];
        let Some(machine) = node.machine.take() else { return };
        node.delivered_before += machine.counters().delivered;
        let life = node.life;
        node.run.die();
        for wire in std::mem::take(&mut node.wires) {
            self.world.wires[wire].is_gone = true;
        }
        for socket in 0..self.world.sockets.len() {
            let state = &self.world.sockets[socket];
            if (state.worker, state.worker_life) == (index, life) && state.is_held() {
                self.world.leave_socket(socket, true);
            }
        }
    }

    pub(crate) fn kill_ingress(&mut self, index: usize, back_after: Duration) {
        let node = &mut self.ingresses[index];
        if node.machine.take().is_none() {
            return;
        }
        for event in node.run.die() {
            if let Event::SourceStarts(source) = event {
                self.world.close_source(source, Closed::TurnedAway);
            }
        }
        self.world.cut_between(None, index, back_after);
        for source in 0..self.world.sources.len() {
            let state = &self.world.sources[source];
            if state.plan.ingress == index && state.is_open() {
                self.world.close_source(source, Closed::Orphaned);
            }
        }
        self.world.after(back_after, Event::IngressBack(index));
    }

    pub(crate) fn start_ingress(&mut self, index: usize) {
        self.ingresses[index].start(&self.world);
    }

    /// A source connects; an ingress that is not there turns it away.
    pub(crate) fn source_starts(&mut self, source: usize) {
        let (now, index) = (self.world.now, self.world.sources[source].plan.ingress);
        let incarnation = self.ingresses[index].incarnation();
        let session =
            self.with_ingress(index, |ingress, shell| ingress.on_source(RouteIndex(0), now, shell)).flatten();
        let Some(session) = session else { return self.world.close_source(source, Closed::TurnedAway) };
        self.world.source_of.insert((index, incarnation, session), source);
        self.world.sources[source].session = Some(session);
        self.world.schedule_step(source);
    }
}
