//! What every node shares, and the only crate that names zmq.
//!
//! `settings` turns what was typed, exported and written into values that need no further doubt; `zeromq` is links and
//! reports as sockets on tokio.

pub mod settings;
pub mod zeromq;
