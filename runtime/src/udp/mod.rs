//! UDP as both nodes use it: listeners shared between shards, and a connected socket for each session and destination.
//!
//! Many datagrams a system call, both ways: `recvmmsg` into the slots of a [`Desk`], `sendmmsg` out, and datagrams of one
//! size to one place as one message that the kernel cuts (`UDP_SEGMENT`). Here are sockets only, as in `tcp`.

mod door;
mod endpoint;
mod listen;
mod message;
mod mmsg;

pub use door::Door;
pub use endpoint::{Endpoint, Outcome, Owner};
pub use listen::listen;
pub use message::Desk;
pub use mmsg::Arrival;
