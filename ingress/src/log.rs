//! What an ingress tells its operator.
//!
//! The only place where the machine's notices become lines, and are handed on to become events. What can repeat for every
//! source is limited to one line a second.

use std::slice::EscapeAscii;

use proto::{
    id::{DestinationIndex, RouteIndex, SessionId},
    ingress::{Ending, Notice, Refusal, WorkerName},
    wire::VERSION,
};
use runtime::{clock::Clock, event::Events, telemetry::RateLimited};
use tracing::{debug, error, info, warn};

use crate::event;

/// Bytes of what was said that a line shows.
const SHOWN: usize = 64;

/// Names of a route and of its destinations.
#[derive(Clone, Debug)]
pub(crate) struct RouteNames {
    pub(crate) route: String,
    pub(crate) destinations: Vec<String>,
    /// Its destinations are servers, and whoever sends requests to them tells what becomes of those.
    pub(crate) has_servers: bool,
}

/// What routes and destinations are called, by their places in the settings.
#[derive(Debug)]
pub(crate) struct Names(pub(crate) Vec<RouteNames>);

impl Names {
    pub(crate) fn route(&self, route: RouteIndex) -> &str {
        &self.0[route.0 as usize].route
    }

    fn has_servers(&self, route: RouteIndex) -> bool {
        self.0[route.0 as usize].has_servers
    }

    pub(crate) fn destination(&self, route: RouteIndex, destination: DestinationIndex) -> &str {
        &self.0[route.0 as usize].destinations[destination.0 as usize]
    }
}

/// The word for how far a session had come.
pub(crate) const fn phase(was_connecting: bool) -> &'static str {
    if was_connecting { "connecting" } else { "open" }
}

/// Turns notices into lines.
#[derive(Debug)]
pub(crate) struct Log {
    names: Names,
    clock: Clock,
    events: Events,
    refusals: RateLimited,
    /// Within one process workers come and go with the process: nobody wants to read of them.
    is_local: bool,
}

impl Log {
    pub(crate) fn new(names: Names, clock: Clock, events: Events, is_local: bool) -> Self {
        Self { names, clock, events, refusals: RateLimited::default(), is_local }
    }

    pub(crate) fn tell(&mut self, notice: &Notice) {
        event::tell(notice, &self.names, &self.events);
        match notice {
            Notice::SessionOpened { session, route } => {
                debug!(%session, route = self.route(*route), "session opened");
            }
            Notice::SessionEnded { session, route, by, ending, was_connecting, received, sent } => {
                if *was_connecting && *ending != Ending::Drained && !self.names.has_servers(*route) {
                    self.tell_refused(*session, *route, *ending);
                }
                debug!(
                    %session, route = self.route(*route), %by, %ending, phase = phase(*was_connecting),
                    received_frames = received.frames, received_bytes = received.bytes,
                    sent_frames = sent.frames, sent_bytes = sent.bytes,
                    "session ended"
                );
            }
            Notice::Diverged { session, route, destination, divergence, request, left_out } => {
                let destination = self.names.destination(*route, *destination);
                warn!(
                    %session, route = self.route(*route), destination,
                    finding = divergence.finding.name(),
                    request = %shown(request),
                    primary = %shown(&divergence.primary),
                    secondary = %shown(&divergence.secondary),
                    offset = divergence.offset,
                    left_out,
                    "replies diverge"
                );
            }
            Notice::Asked { session, route, destination, frame, left_out } => {
                let (route, destination) = (self.route(*route), self.names.destination(*route, *destination));
                debug!(%session, route, destination, frame = %shown(frame), left_out, "ask passed on to the source");
            }
            Notice::AskedAgain { session, route, destination, frame, answer, left_out } => {
                let (route, destination) = (self.route(*route), self.names.destination(*route, *destination));
                let answer = answer.as_deref().map(|answer| shown(answer).to_string());
                debug!(%session, route, destination, frame = %shown(frame), answer, left_out, "ask not repeated");
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

    /// Every source that comes while the primary is away is closed: one line a second is enough of that.
    fn tell_refused(&mut self, session: SessionId, route: RouteIndex, ending: Ending) {
        if let Some(left_out) = self.refusals.admit(self.clock.now()) {
            error!(%session, route = self.route(route), %ending, left_out, "primary cannot be connected, source closed");
        }
    }

    fn tell_linked(&self, worker: &WorkerName, settings_differ: bool) {
        let (route, destination) = (self.route(worker.route), self.destination(worker));
        if self.is_local {
            return debug!(worker = worker.name, route, destination, "worker linked");
        }
        info!(worker = worker.name, route, destination, "worker linked");
        if settings_differ {
            warn!(
                worker = worker.name,
                route, destination, "worker was started with another address for its destination"
            );
        }
    }

    fn route(&self, route: RouteIndex) -> &str {
        self.names.route(route)
    }

    fn destination(&self, worker: &WorkerName) -> &str {
        self.names.destination(worker.route, worker.destination)
    }
}

/// The beginning of what was said, as text that harms no terminal.
fn shown(bytes: &[u8]) -> EscapeAscii<'_> {
    bytes[..bytes.len().min(SHOWN)].escape_ascii()
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
