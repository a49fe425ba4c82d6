//! The ingress node: ends the sources' connections, decides what each destination gets, and counts it.
//!
//! `proto::ingress` decides; here are its sockets. Reading order: `node` (the process), `shard` (one thread), `shell`
//! (what the machine has done for it), `visitors` (sources of datagrams), `stream` (sources
//! that are this process), `places`, `web` (HTTP), `upkeep` and `admin` (what HTTP needs
//! of the process), `log`, `event`, `report`. `pegloom up` uses [`Shard`]
//! with workers on the same thread.

mod admin;
mod event;
mod log;
mod node;
mod places;
mod report;
mod settings;
mod shard;
mod shell;
mod stream;
mod upkeep;
mod visitors;
mod web;

pub use node::{Args, Doors, Listener, open_doors, run};
pub use report::report;
pub use shard::Shard;
pub use upkeep::Upkeep;
