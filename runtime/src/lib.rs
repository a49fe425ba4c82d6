//! What every pegloom node shares: settings, and everything that touches the outside world.
//!
//! `proto` decides; this crate has the clock, the sockets, the threads. It is the only one that names ZeroMQ.
//! Reading order: `shard` (a thread), `tcp` (sources and destinations), `zeromq` (links), `report`, `event`, `settings`; beside
//! them `telemetry` (how a node logs), `signals` (what it is told while it runs) and `exit` (how it ends).

pub mod clock;
pub mod event;
pub mod exit;
pub mod listeners;
mod memory;
pub mod node;
pub mod publish;
pub mod pulse;
pub mod report;
pub mod settings;
pub mod shard;
pub mod signals;
pub mod tcp;
pub mod telemetry;
pub mod udp;
pub mod zeromq;
