//! What a worker tells its operator, in lines, and of outages in events too.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use proto::{
    wire::{Bye, VERSION},
    worker::Notice,
};
use runtime::{
    clock::Clock,
    event::{Event, Events, Outage},
    telemetry::RateLimited,
};
use tracing::{debug, error, info, warn};

/// How many shards of this process find one destination away. Each notices by itself; an outage is told once.
#[derive(Clone, Debug, Default)]
pub struct Absence(Arc<AtomicUsize>);

impl Absence {
    /// A shard finds it away. True for the first.
    fn begins(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// A shard finds it back. True for the last.
    fn ends(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// Who else hears of outages: the other shards of the process, and whoever listens to its events.
#[derive(Clone, Debug, Default)]
pub struct Ears {
    /// Shared by the shards.
    pub absence: Absence,
    /// Of this shard.
    pub events: Events,
}

/// Turns notices into lines.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) ears: Ears,
    pub(crate) worker: String,
    pub(crate) route: String,
    pub(crate) destination: String,
    pub(crate) address: String,
    /// Within one process links come and go with the process: nobody wants to read of them.
    pub(crate) is_local: bool,
    pub(crate) clock: Clock,
    pub(crate) refusals: RateLimited,
    pub(crate) failures: RateLimited,
}

impl Log {
    /// A destination may refuse every datagram: one line a second is enough of that.
    fn tell_refusal(&mut self) {
        if let Some(left_out) = self.refusals.admit(self.clock.now()) {
            let (destination, address) = (&self.destination, &self.address);
            warn!(destination, address, left_out, "destination refuses datagrams");
        }
    }

    fn tell_unsendable(&mut self, datagrams: u64) {
        if let Some(left_out) = self.failures.admit(self.clock.now()) {
            let (destination, address) = (&self.destination, &self.address);
            warn!(destination, address, datagrams, left_out, "datagrams cannot be sent");
        }
    }

    pub(crate) fn tell(&mut self, notice: &Notice) {
        let (worker, destination, address) = (&self.worker, &self.destination, &self.address);
        match *notice {
            Notice::Linked { link } if self.is_local => debug!(worker, destination, %link, "linked"),
            Notice::Linked { link } => info!(worker, destination, %link, "linked to ingress"),
            Notice::LinkLost { link, why } => {
                warn!(worker, destination, %link, why, "link broke, greeting anew");
            }
            Notice::Barred { link, reason: Bye::Version, version } => {
                error!(worker, destination, %link, theirs = version, ours = VERSION, "ingress speaks another protocol version");
            }
            Notice::Barred { link, reason, .. } => {
                error!(worker, destination, %link, reason = %reason, "ingress turns this worker away");
            }
            Notice::Orphaned { link, connections } => {
                warn!(worker, destination, %link, connections, "no word from the ingress, connections aborted");
            }
            Notice::Away { cause } => {
                if self.ears.absence.begins() {
                    warn!(destination, address, %cause, "destination is away");
                    self.ears.events.tell(|| Event::Away(self.outage(Some(cause.to_string()))));
                }
            }
            Notice::Refusing => self.tell_refusal(),
            Notice::Unsendable { datagrams } => self.tell_unsendable(datagrams),
            Notice::Back => {
                if self.ears.absence.ends() {
                    info!(destination, address, "destination is back");
                    self.ears.events.tell(|| Event::Back(self.outage(None)));
                }
            }
        }
    }

    fn outage(&self, cause: Option<String>) -> Outage {
        let [route, destination, address] =
            [&self.route, &self.destination, &self.address].map(String::clone);
        Outage { route, destination, address, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_process_tell_an_outage_once() {
        let absence = Absence::default();
        assert_eq!([absence.begins(), absence.begins()], [true, false]);
        assert_eq!([absence.ends(), absence.ends()], [false, true]);
        assert!(absence.begins());
    }
}
