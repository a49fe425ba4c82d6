//! The machines' own accounts, looked at after every step and at rest.

use proto::{
    counters::{ShedReason, Tally},
    id::RouteIndex,
    ingress::Ingress,
};

use crate::{fabric::Fabric, nodes::WorkerNode};

impl Fabric {
    pub(crate) fn audit(&self) {
        for ingress in self.machines() {
            ingress.audit();
            self.check_memory(ingress);
        }
        for machine in self.workers.iter().filter_map(|node| node.machine.as_ref()) {
            machine.audit();
        }
    }

    /// L5: a session holds its window and one read for a destination, and once more as much when it has moved.
    fn check_memory(&self, ingress: &Ingress) {
        let of_session = 2 * u64::from(self.world.plan.route.secondary_window) + 6_000;
        for destination in &ingress.route_counters(RouteIndex(0)).destinations {
            assert!(destination.account.in_flight.bytes <= ingress.sessions() as u64 * of_session, "L5");
        }
    }

    fn machines(&self) -> impl Iterator<Item = &Ingress> {
        self.ingresses.iter().filter_map(|node| node.machine.as_ref())
    }

    /// S13 at rest: nothing is on its way.
    pub(crate) fn check_rest(&self) {
        self.world.check_rest();
        for index in 0..self.world.plan.destinations.len() {
            let serves = |(worker, node): (usize, &WorkerNode)| {
                self.world.plan.workers[worker] == index
                    && node.machine.is_some()
                    && !node.is_draining
                    && !node.is_usurped
            };
            if self.workers.iter().enumerate().any(serves) {
                self.world.check_connected(index);
            }
        }
        for ingress in self.machines() {
            for (index, destination) in ingress.route_counters(RouteIndex(0)).destinations.iter().enumerate()
            {
                assert_eq!(destination.account.in_flight, Tally::ZERO, "in flight to {index} at rest");
            }
        }
    }

    pub(crate) fn check_end(&self) {
        for ingress in self.machines() {
            assert!(ingress.is_idle(), "sessions are left: {}", ingress.sessions());
        }
        for (index, node) in self.workers.iter().enumerate() {
            if let Some(machine) = &node.machine {
                assert!(machine.is_idle(), "connections are left at worker {index}");
            }
        }
        self.world.check_end();
        self.check_delivered();
        if self.world.plan.is_calm() {
            self.check_calm();
        }
    }

    /// What the workers wrote is what the ingresses know to be delivered, or more where a link or a session ended first.
    fn check_delivered(&self) {
        for destination in 0..self.world.plan.destinations.len() {
            let of_destination = self
                .workers
                .iter()
                .enumerate()
                .filter(|(index, _)| self.world.plan.workers[*index] == destination);
            let written = of_destination.fold(Tally::ZERO, |sum, (_, node)| {
                let now = node.machine.as_ref().map_or(Tally::ZERO, |machine| machine.counters().delivered);
                sum + node.delivered_before + now
            });
            let accounts = || {
                self.machines()
                    .map(|ingress| ingress.route_counters(RouteIndex(0)).destinations[destination].account)
            };
            let known = accounts().fold(Tally::ZERO, |sum, account| sum + account.delivered);
            assert!(
                known.bytes <= written.bytes && known.frames <= written.frames,
                "{known:?} of {written:?}"
            );
            let ended_early = accounts().any(|account| {
                [ShedReason::SessionEnded, ShedReason::OversizedFrame, ShedReason::ConnectionLost]
                    .iter()
                    .any(|&reason| !account.shed[reason as usize].is_zero())
            });
            if self.world.plan.is_calm() && !ended_early {
                assert_eq!(known, written, "delivered to {destination}");
            }
        }
    }

    fn check_calm(&self) {
        for ingress in self.machines() {
            let counters = ingress.link_counters();
            let unwanted = counters.ignored
                + counters.malformed
                + counters.stale
                + counters.gaps
                + counters.faults
                + counters.early
                + counters.refused
                + counters.workers_lost;
            assert_eq!(unwanted, 0, "{counters:?}");
        }
        for node in &self.workers {
            let Some(machine) = &node.machine else { continue };
            let counters = machine.counters();
            let unwanted = counters.malformed + counters.stale + counters.early + counters.faults;
            assert_eq!(unwanted, 0, "{counters:?}");
            assert_eq!(counters.greetings, self.ingresses.len() as u64);
        }
    }
}
