//! From the settings of the process to those of the machine.
//!
//! A worker needs little of its route: the names, the address's fingerprint and the backoff. Its own limits are fixed.

use proto::{id::Incarnation, worker::Settings as Machine};
use runtime::settings::{Destination, Route, Transport};

/// Connections one worker shard holds at most.
const MAX_CONNECTIONS: usize = 65_536;
/// Units a session may have outstanding at most, whatever an ingress asks for.
const MAX_WINDOW: u64 = 64 * 1024 * 1024;

/// What one shard's machine is told.
pub fn machine(route: &Route, destination: &Destination, name: String, incarnation: Incarnation) -> Machine {
    Machine {
        name,
        incarnation,
        destination: format!("{}/{}", route.name, destination.name),
        fingerprint: destination.address.fingerprint(route.listen.transport),
        has_datagrams: route.listen.transport == Transport::Udp,
        max_connections: MAX_CONNECTIONS,
        max_window: MAX_WINDOW,
        backoff_min: route.backoff_min,
        backoff_max: route.backoff_max,
    }
}
