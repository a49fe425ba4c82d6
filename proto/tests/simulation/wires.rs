//! Wires: a DEALER's connection to a ROUTER. Batches come in order, once, unless something goes wrong.

use proto::{id::Peer, time::Instant, wire::Batch};

use crate::{
    plan::millis,
    random::{Random, mix},
    world::{Event, World},
};

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) worker: usize,
    pub(crate) ingress: usize,
    /// Each break of the connection begins a new one; what belongs to an older one is lost.
    pub(crate) generation: u32,
    pub(crate) cut_until: Instant,
    /// Its worker is dead.
    pub(crate) is_gone: bool,
    delay_micros: u64,
    /// No batch arrives before the one before it: towards the ingress, towards the worker.
    busy_until: [Instant; 2],
    random: Random,
}

impl World {
    pub(crate) fn add_wire(&mut self, worker: usize, worker_life: u32, ingress: usize) -> usize {
        let index = self.wires.len();
        let label = worker << 16 | (worker_life as usize) << 8 | ingress;
        let mut random = self.plan.random.fork("wire", label);
        let delay_micros = random.within(if self.plan.is_local { 0..=20 } else { 20..=5_000 });
        self.wires.push(Wire {
            worker,
            ingress,
            generation: 0,
            cut_until: Instant::ZERO,
            is_gone: false,
            delay_micros,
            busy_until: [Instant::ZERO; 2],
            random,
        });
        index
    }

    /// The routing id the ingress knows a wire by.
    pub(crate) fn peer_of(wire: usize) -> Peer {
        Peer(wire as u64 + 1)
    }

    pub(crate) fn send(&mut self, wire: usize, is_to_ingress: bool, batch: Vec<u8>) -> bool {
        let hash = batch.iter().fold(0, |hash, &byte| mix(hash ^ u64::from(byte)));
        self.note(
            if is_to_ingress { "▲ sent on wire" } else { "▼ sent on wire" },
            wire,
            batch.len() as u64,
            hash,
        );
        self.trace.tell(|| format!("{:?}", Batch::decode(&batch)));
        let is_taken = self.carry(wire, is_to_ingress, batch);
        if !is_taken {
            self.note("refused by wire", wire, 0, 0);
        }
        is_taken
    }

    fn carry(&mut self, index: usize, is_to_ingress: bool, batch: Vec<u8>) -> bool {
        let (now, is_well, faults) = (self.now, self.is_well, self.plan.wires);
        let wire = &mut self.wires[index];
        if wire.is_gone {
            return wire.random.chance(50);
        }
        let mut start = now;
        if now < wire.cut_until {
            // A DEALER keeps what it cannot send, until it is full; a ROUTER knows nobody to send to.
            match wire.random.within(0..=9) {
                0..=2 => return false,
                3..=4 => return true,
                _ if is_to_ingress => start = wire.cut_until,
                5..=7 => return false,
                _ => return true,
            }
        }
        let mut draw = |permille: u64| permille > 0 && !is_well && wire.random.within(0..=999) < permille;
        if draw(faults.refused) {
            return false;
        }
        let (is_lost, is_repeated) = (draw(faults.lost), draw(faults.repeated));
        if is_lost {
            self.note("lost on wire", index, 0, 0);
            return true;
        }
        if is_repeated {
            self.deliver(index, is_to_ingress, start, batch.clone());
        }
        self.deliver(index, is_to_ingress, start, batch);
        true
    }

    fn deliver(&mut self, index: usize, is_to_ingress: bool, start: Instant, batch: Vec<u8>) {
        let is_even = self.plan.is_even;
        let wire = &mut self.wires[index];
        let jitter = if is_even || wire.delay_micros < 20 { 0 } else { wire.random.within(0..=2_000) };
        let due = start + std::time::Duration::from_micros(wire.delay_micros + jitter);
        let busy = &mut wire.busy_until[usize::from(is_to_ingress)];
        let at = due.max(*busy);
        *busy = at;
        let generation = wire.generation;
        self.at(
            at,
            if is_to_ingress {
                Event::ToIngress { wire: index, generation, batch }
            } else {
                Event::ToWorker { wire: index, generation, batch }
            },
        );
    }

    /// The connection breaks until then; what is on its way is lost.
    pub(crate) fn cut(&mut self, wire: usize, until: Instant) {
        let wire = &mut self.wires[wire];
        wire.generation += 1;
        wire.cut_until = wire.cut_until.max(until);
        wire.busy_until = [Instant::ZERO; 2];
    }

    /// Cuts every wire between two nodes.
    pub(crate) fn cut_between(&mut self, worker: Option<usize>, ingress: usize, span: std::time::Duration) {
        let until = self.now + span.max(millis(1));
        for index in 0..self.wires.len() {
            let wire = &self.wires[index];
            if wire.ingress == ingress && worker.is_none_or(|worker| wire.worker == worker) {
                self.cut(index, until);
            }
        }
    }
}
