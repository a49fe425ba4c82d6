//! What a worker tells its operator.

use proto::{
    wire::{Bye, VERSION},
    worker::Notice,
};
use tracing::{debug, error, info, warn};

/// Turns notices into lines.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) worker: String,
    pub(crate) destination: String,
    pub(crate) address: String,
    /// Within one process links come and go with the process: nobody wants to read of them.
    pub(crate) is_local: bool,
}

impl Log {
    pub(crate) fn tell(&self, notice: &Notice) {
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
            Notice::Away { cause } => warn!(destination, address, %cause, "destination is away"),
            Notice::Back => info!(destination, address, "destination is back"),
        }
    }
}
