//! What every node shares, and the only crate that names zmq.
//!
//! `settings` turns what was typed, exported and written into values that need no further doubt; `telemetry` is how a
//! node logs, `signals` what it is told while it runs, `exit` how it ends; `zeromq` is links and reports as sockets on
//! tokio.

pub mod exit;
pub mod settings;
pub mod signals;
pub mod telemetry;
pub mod zeromq;
