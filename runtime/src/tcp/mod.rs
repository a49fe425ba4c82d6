//! TCP as both nodes use it: listeners shared between shards, and endpoints that read in tasks and write at once.
//!
//! Here are sockets only. Who a connection belongs to, and what its bytes mean, is known to the `Owner`.

mod endpoint;
mod listen;
mod unconfirmed;

pub use endpoint::{Endpoint, Owner, ReadBuffer};
pub use listen::listen;

use std::io;

use proto::wire::Cause;

/// The word for an error in the protocol.
pub fn cause_of(error: &io::Error) -> Cause {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Cause::Refused,
        Kind::TimedOut => Cause::TimedOut,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
            Cause::Unreachable
        }
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::NotConnected => {
            Cause::Reset
        }
        _ => Cause::Other,
    }
}
