//! What goes wrong, and how things get well again.

use crate::{
    fabric::Fabric,
    plan::{Fault, millis},
    world::{Event, Node},
};

impl Fabric {
    pub(crate) fn on_fault(&mut self, fault: Fault) {
        self.world.note("fault", 0, 0, 0);
        self.world.trace.tell(|| format!("{fault:?}"));
        match fault {
            Fault::Cut { worker, ingress, span } => self.world.cut_between(Some(worker), ingress, span),
            Fault::FreezeWorker { worker, span } => self.freeze(Node::Worker(worker), span),
            Fault::FreezeIngress { ingress, span } => self.freeze(Node::Ingress(ingress), span),
            Fault::KillWorker { worker, back_after, is_renamed } => {
                self.kill_worker(worker);
                self.world.after(back_after, Event::WorkerBack { worker, is_renamed });
            }
            Fault::Usurp { of } => self.usurp(of),
            Fault::LeaveWorker { worker, back_after } => {
                let now = self.world.now;
                if !self.workers[worker].run.is_frozen {
                    self.with_worker(worker, |worker, shell| worker.leave(now, shell));
                }
                self.kill_worker(worker);
                self.world.after(back_after, Event::WorkerBack { worker, is_renamed: true });
            }
            Fault::DrainWorker { worker } => {
                self.workers[worker].is_draining = true;
                self.with_worker(worker, |worker, _| worker.drain());
            }
            Fault::KillIngress { ingress, back_after } => self.kill_ingress(ingress, back_after),
            Fault::ResetAll { destination } => {
                for socket in 0..self.world.sockets.len() {
                    if self.world.sockets[socket].destination == destination {
                        self.world.destination_resets(socket);
                    }
                }
            }
        }
    }

    fn usurp(&mut self, of: usize) {
        let plan = &self.world.plan.workers;
        let twin = (0..plan.len()).find(|&worker| worker != of && plan[worker] == plan[of]);
        if let Some(worker) = twin.filter(|_| self.workers[of].machine.is_some()) {
            // It cannot be reached, and for as long as it has a lease it goes on writing.
            for ingress in 0..self.ingresses.len() {
                self.world.cut_between(Some(of), ingress, millis(3_000));
            }
            self.kill_worker(worker);
            self.workers[worker].name = self.workers[of].name.clone();
            self.workers[worker].is_newest = true;
            self.workers[of].is_usurped = true;
            self.start_worker(worker, false);
        }
    }

    fn freeze(&mut self, node: Node, span: std::time::Duration) {
        if !self.run_of(node).is_frozen {
            self.run_of(node).is_frozen = true;
            self.world.after(span, Event::Thaw(node));
        }
    }

    /// It goes on: its clock has jumped, and what came meanwhile is there at once.
    pub(crate) fn thaw(&mut self, node: Node) {
        if !self.run_of(node).is_frozen {
            return;
        }
        let run = self.run_of(node);
        run.is_frozen = false;
        run.looks_first = !run.looks_first;
        if run.looks_first {
            self.on_timer(node);
        }
        for event in std::mem::take(&mut self.run_of(node).held) {
            self.world.after(millis(0), event);
        }
    }

    pub(crate) fn heal(&mut self) {
        self.world.is_well = true;
        for socket in 0..self.world.sockets.len() {
            self.world.sockets[socket].manner.heal();
            self.world.wake_destination(socket);
        }
        for source in 0..self.world.sources.len() {
            self.world.sources[source].heal();
            self.world.wake_source(source);
        }
    }

    pub(crate) fn quit(&mut self) {
        let now = self.world.now;
        if self.world.plan.drains {
            for ingress in 0..self.ingresses.len() {
                self.with_ingress(ingress, |ingress, shell| ingress.drain(now, shell));
            }
        } else {
            for source in 0..self.world.sources.len() {
                self.world.source_finishes(source);
            }
        }
    }
}
