//! What an ingress tells its operator.

use std::rc::Rc;

use proto::{
    id::RouteIndex,
    ingress::{Notice, Refusal, WorkerName},
    wire::VERSION,
};
use tracing::{debug, error, info, warn};

/// Names of a route and of its destinations.
#[derive(Clone, Debug)]
pub(crate) struct RouteNames {
    pub(crate) route: String,
    pub(crate) destinations: Vec<String>,
}

/// Turns notices into lines.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) names: Rc<[RouteNames]>,
}

impl Log {
    pub(crate) fn tell(&self, notice: &Notice) {
        match notice {
            Notice::SessionOpened { session, route } => {
                debug!(%session, route = self.route(*route), "session opened");
            }
            Notice::SessionEnded { session, route, by, ending, was_connecting, received, sent } => {
                let (route, phase) =
                    (self.route(*route), if *was_connecting { "connecting" } else { "open" });
                if *was_connecting {
                    error!(%session, route, %by, %ending, "primary cannot be connected, source closed");
                }
                debug!(
                    %session, route, %by, %ending, phase,
                    received_frames = received.frames, received_bytes = received.bytes,
                    sent_frames = sent.frames, sent_bytes = sent.bytes,
                    "session ended"
                );
            }
            Notice::WorkerLinked { worker, settings_differ } => self.tell_linked(worker, *settings_differ),
            Notice::WorkerDraining { worker } => {
                info!(worker = worker.name, destination = self.destination(worker), "worker is draining");
            }
            Notice::WorkerLost { worker, why, sessions } => {
                warn!(
                    worker = worker.name,
                    destination = self.destination(worker),
                    why,
                    sessions,
                    "worker lost"
                );
            }
            Notice::WorkerRefused { name, destination, why } => tell_refusal(name, destination, *why),
            Notice::PeerIgnored { peer, why } => warn!(%peer, why, "peer ignored"),
        }
    }

    fn tell_linked(&self, worker: &WorkerName, settings_differ: bool) {
        let (route, destination) = (self.route(worker.route), self.destination(worker));
        info!(worker = worker.name, route, destination, "worker linked");
        if settings_differ {
            warn!(
                worker = worker.name,
                route, destination, "worker was started with another address for its destination"
            );
        }
    }

    fn route(&self, route: RouteIndex) -> &str {
        &self.names[route.0 as usize].route
    }

    fn destination(&self, worker: &WorkerName) -> &str {
        &self.names[worker.route.0 as usize].destinations[worker.destination.0 as usize]
    }
}

fn tell_refusal(worker: &str, destination: &str, why: Refusal) {
    match why {
        Refusal::Version(theirs) => {
            warn!(worker, destination, theirs, ours = VERSION, "worker speaks another protocol version");
        }
        Refusal::UnknownDestination => warn!(worker, destination, "worker serves a destination unknown here"),
        Refusal::Superseded => {
            warn!(worker, destination, "worker turned away, a newer start of it is linked");
        }
        Refusal::TooManyLinks => warn!(worker, destination, "worker turned away, too many links"),
    }
}
