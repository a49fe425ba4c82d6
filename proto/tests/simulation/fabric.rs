//! A whole fabric in one thread on virtual time: nodes, and the loop that lets one thing happen after the other.

use bytes::Bytes;
use proto::time::Instant;

use crate::{
    destinations::SocketState,
    nodes::{IngressNode, WorkerNode},
    plan::{END_AT, HEAL_AT, Plan, QUIT_AT, SPEAK_AT},
    sources::Closed,
    world::{Event, Node, World},
};

/// More events than that is not rest.
const MAX_EVENTS: u64 = 400_000;

pub(crate) struct Fabric {
    pub(crate) world: World,
    pub(crate) ingresses: Vec<IngressNode>,
    pub(crate) workers: Vec<WorkerNode>,
}

impl Fabric {
    pub(crate) fn new(plan: Plan, is_loud: bool) -> Self {
        let world = World::new(plan, is_loud);
        let ingresses = (0..world.plan.ingresses).map(|index| IngressNode::new(index, &world)).collect();
        let workers = (0..world.plan.workers.len()).map(|index| WorkerNode::new(index, &world)).collect();
        Self { world, ingresses, workers }
    }

    pub(crate) fn run(&mut self) {
        for worker in 0..self.workers.len() {
            self.start_worker(worker, false);
        }
        for source in 0..self.world.sources.len() {
            self.world.at(self.world.sources[source].plan.starts_at, Event::SourceStarts(source));
        }
        for fault in 0..self.world.plan.faults.len() {
            self.world.at(self.world.plan.faults[fault].0, Event::Fault(fault));
        }
        for push in 0..self.world.plan.pushes.len() {
            self.world.at(self.world.plan.pushes[push].at, Event::DestinationPushes(push));
        }
        self.world.at(HEAL_AT, Event::Heal);
        self.world.at(SPEAK_AT, Event::LastWords);
        self.world.at(QUIT_AT, Event::Rest);
        self.world.at(QUIT_AT, Event::Quit);
        while self.step() {
            assert!(self.world.events < MAX_EVENTS, "it does not come to rest");
            self.audit();
        }
        self.check_end();
        if self.world.plan.has_asks {
            self.check_talk();
        }
    }

    /// Lets the next thing happen; false when it is over.
    fn step(&mut self) -> bool {
        let timer = self.next_timer();
        let queued = self.world.next_at();
        match (timer, queued) {
            (Some((at, node)), queued) if queued.is_none_or(|queued| at < queued) => {
                if at > END_AT {
                    return false;
                }
                self.world.now = self.world.now.max(at);
                self.on_timer(node);
            }
            (_, Some(at)) if at <= END_AT => {
                if let Some(event) = self.world.pop() {
                    self.on_event(event);
                }
            }
            _ => return false,
        }
        true
    }

    fn next_timer(&self) -> Option<(Instant, Node)> {
        let ingresses = self.ingresses.iter().enumerate().filter_map(|(index, node)| {
            let deadline = node.machine.as_ref().filter(|_| !node.run.is_frozen)?.deadline()?;
            Some((deadline + std::time::Duration::from_micros(node.run.late_micros), Node::Ingress(index)))
        });
        let workers = self.workers.iter().enumerate().filter_map(|(index, node)| {
            let deadline = node.machine.as_ref().filter(|_| !node.run.is_frozen)?.deadline()?;
            Some((deadline + std::time::Duration::from_micros(node.run.late_micros), Node::Worker(index)))
        });
        ingresses.chain(workers).min()
    }

    /// The machine's clock has moved.
    pub(crate) fn on_timer(&mut self, node: Node) {
        let now = self.world.now;
        self.world.events += 1;
        match node {
            Node::Ingress(index) => {
                self.world.note("time at ingress", index, 0, 0);
                self.with_ingress(index, |ingress, shell| ingress.on_time(now, shell));
            }
            Node::Worker(index) => {
                self.world.note("time at worker", index, 0, 0);
                self.with_worker(index, |worker, shell| worker.on_time(now, shell));
            }
        }
        self.world.checks.check_timer(node, now);
    }

    pub(crate) fn schedule_turn(&mut self, node: Node) {
        let run = self.run_of(node);
        if !run.is_busy {
            run.is_busy = true;
            let turn = run.turn_micros;
            self.world.soon(turn, Event::Turn(node));
        }
    }

    fn on_turn(&mut self, node: Node) {
        let now = self.world.now;
        if !self.run_of(node).is_busy {
            // The turn of a process that died meanwhile.
            return;
        }
        match node {
            Node::Ingress(index) => {
                self.with_ingress(index, |ingress, shell| ingress.flush(now, shell));
            }
            Node::Worker(index) => {
                self.with_worker(index, |worker, shell| worker.flush(now, shell));
            }
        }
        self.run_of(node).is_busy = false;
    }

    pub(crate) fn run_of(&mut self, node: Node) -> &mut crate::nodes::Run {
        match node {
            Node::Ingress(index) => &mut self.ingresses[index].run,
            Node::Worker(index) => &mut self.workers[index].run,
        }
    }

    /// Whose loop handles this event, if it is a machine's input.
    fn node_of(&self, event: &Event) -> Option<Node> {
        match *event {
            Event::ToIngress { wire, .. } => Some(Node::Ingress(self.world.wires[wire].ingress)),
            Event::ToWorker { wire, .. } => Some(Node::Worker(self.world.wires[wire].worker)),
            Event::Turn(node) => Some(node),
            Event::Connected(socket)
            | Event::ConnectFailed(socket, _)
            | Event::WorkerReads(socket)
            | Event::WorkerMayWrite(socket)
            | Event::WorkerSeesReset(socket, _) => Some(Node::Worker(self.world.sockets[socket].worker)),
            Event::SourceStarts(source)
            | Event::IngressReads(source)
            | Event::IngressMayWrite(source)
            | Event::IngressSeesReset(source) => Some(Node::Ingress(self.world.sources[source].plan.ingress)),
            _ => None,
        }
    }

    fn on_event(&mut self, event: Event) {
        if let Some(node) = self.node_of(&event)
            && self.run_of(node).is_frozen
        {
            return self.run_of(node).held.push(event);
        }
        match event {
            Event::ToIngress { .. } | Event::ToWorker { .. } => self.on_batch(event),
            Event::Turn(node) => self.on_turn(node),
            Event::Thaw(node) => self.thaw(node),
            Event::Connected(socket)
            | Event::ConnectFailed(socket, _)
            | Event::WorkerReads(socket)
            | Event::WorkerMayWrite(socket)
            | Event::WorkerSeesReset(socket, _) => self.on_socket(socket, &event),
            Event::SourceStarts(source) => self.source_starts(source),
            Event::IngressReads(source)
            | Event::IngressMayWrite(source)
            | Event::IngressSeesReset(source) => {
                self.on_source(source, &event);
            }
            Event::DestinationTakes(socket) => self.world.destination_takes(socket),
            Event::DestinationSays(socket, said) => self.world.destination_says(socket, &said),
            Event::DestinationPushes(push) => self.world.destination_pushes(push),
            Event::DestinationFloods(socket) => self.world.destination_floods(socket),
            Event::DestinationFinishes(socket) => self.world.destination_finishes(socket),
            Event::DestinationResets(socket) => self.world.destination_resets(socket),
            Event::SourceSteps(source) => self.world.source_steps(source),
            Event::SourceTakes(source) => self.world.source_takes(source),
            Event::SourceFinishes(source) => self.world.source_finishes(source),
            Event::Fault(fault) => self.on_fault(self.world.plan.faults[fault].1),
            Event::WorkerBack { worker, is_renamed } => self.start_worker(worker, is_renamed),
            Event::IngressBack(ingress) => self.start_ingress(ingress),
            Event::Heal => self.heal(),
            Event::LastWords => {
                (0..self.world.sources.len()).for_each(|source| self.world.source_speaks(source));
            }
            Event::Rest => self.check_rest(),
            Event::Quit => self.quit(),
        }
    }

    fn on_batch(&mut self, event: Event) {
        let now = self.world.now;
        match event {
            Event::ToIngress { wire, generation, batch }
                if self.world.wires[wire].generation == generation =>
            {
                let (index, peer) = (self.world.wires[wire].ingress, World::peer_of(wire));
                self.world.note("batch at ingress", index, wire as u64, batch.len() as u64);
                self.with_ingress(index, |ingress, shell| ingress.on_batch(peer, &batch, now, shell));
            }
            Event::ToWorker { wire, generation, batch }
                if self.world.wires[wire].generation == generation =>
            {
                let index = self.world.wires[wire].worker;
                let Some(link) = self.workers[index].wires.iter().position(|&other| other == wire) else {
                    return;
                };
                let link = proto::id::LinkIndex(link as u16);
                self.world.note("batch at worker", index, wire as u64, batch.len() as u64);
                self.with_worker(index, |worker, shell| worker.on_batch(link, &batch, now, shell));
            }
            _ => {}
        }
    }

    /// The kernel tells a worker of one of its sockets.
    fn on_socket(&mut self, index: usize, event: &Event) {
        let now = self.world.now;
        let socket = &mut self.world.sockets[index];
        let (worker, id) = (socket.worker, socket.id);
        if self.workers[worker].life != socket.worker_life
            || !self.world.socket_of.contains_key(&(worker, socket.worker_life, id.0))
        {
            return;
        }
        match *event {
            Event::Connected(_) => {
                self.world.note("accepted", index, 0, 0);
                self.world.accept(index);
                self.with_worker(worker, |worker, shell| worker.on_connected(id, now, shell));
            }
            Event::ConnectFailed(_, cause) => {
                socket.state = SocketState::Broken(cause);
                self.world.socket_of.remove(&(worker, self.workers[worker].life, id.0));
                self.world.note("refused", index, 0, 0);
                self.with_worker(worker, |worker, shell| worker.on_connect_failed(id, cause, now, shell));
            }
            Event::WorkerReads(_) => self.worker_reads(index),
            Event::WorkerMayWrite(_) => {
                self.with_worker(worker, |worker, shell| worker.on_writable(id, now, shell));
            }
            Event::WorkerSeesReset(_, cause) => {
                let unconfirmed = (socket.written.len() - socket.taken) as u64;
                self.world.socket_of.remove(&(worker, self.workers[worker].life, id.0));
                self.world.note("reset", index, unconfirmed, 0);
                self.with_worker(worker, |worker, shell| {
                    worker.on_reset(id, cause, unconfirmed, now, shell);
                });
            }
            _ => {}
        }
    }

    fn worker_reads(&mut self, index: usize) {
        let socket = &mut self.world.sockets[index];
        let (worker, id) = (socket.worker, socket.id);
        socket.is_reading = false;
        if socket.is_paused || !socket.is_open() || !socket.has_something_to_read() {
            return;
        }
        if socket.read < socket.said.len() {
            let end = socket.said.len().min(socket.read + 4_096);
            let bytes = Bytes::copy_from_slice(&socket.said[socket.read..end]);
            socket.read = end;
            self.with_worker(worker, |worker, shell| worker.on_bytes(id, bytes, shell));
        } else {
            socket.is_finish_read = true;
            self.with_worker(worker, |worker, _| worker.on_fin(id));
        }
        self.world.wake_worker_reader(index);
    }

    /// The kernel tells an ingress of one of its sources.
    fn on_source(&mut self, index: usize, event: &Event) {
        let now = self.world.now;
        let source = &mut self.world.sources[index];
        let (ingress, Some(session), true) = (source.plan.ingress, source.session, source.is_open()) else {
            return;
        };
        match event {
            Event::IngressReads(_) => self.ingress_reads(index),
            Event::IngressMayWrite(_) => {
                self.with_ingress(ingress, |ingress, shell| ingress.on_source_writable(session, now, shell));
            }
            Event::IngressSeesReset(_) => {
                self.world.note("source resets", index, 0, 0);
                self.with_ingress(ingress, |ingress, shell| ingress.on_source_reset(session, now, shell));
                if self.world.sources[index].is_open() {
                    self.world.close_source(index, Closed::BySource);
                }
            }
            _ => {}
        }
    }

    fn ingress_reads(&mut self, index: usize) {
        let now = self.world.now;
        let source = &mut self.world.sources[index];
        let (ingress, session) = (source.plan.ingress, source.session.expect("an open source has a session"));
        source.is_reading = false;
        if !source.is_resumed || !source.has_something_to_read() {
            return;
        }
        if source.read < source.said {
            let most = source.random.size(1..=source.plan.read_max);
            let end = source.said.min(source.read + most);
            let bytes = Bytes::copy_from_slice(&source.plan.stream[source.read..end]);
            source.read_starts.push(source.read);
            source.read = end;
            self.with_ingress(ingress, |ingress, shell| ingress.on_source_bytes(session, bytes, now, shell));
        } else {
            source.is_finish_read = true;
            self.with_ingress(ingress, |ingress, shell| ingress.on_source_fin(session, now, shell));
        }
        self.world.wake_ingress_reader(index);
    }
}
