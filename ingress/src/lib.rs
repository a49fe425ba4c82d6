//! The ingress node: ends the sources' connections, decides what each destination gets, and counts it.
//!
//! `proto::ingress` decides; here are its sockets. Reading order: `node` (the process), `shard` (one thread), `shell`
//! (what the machine has done for it), `visitors` (sources of datagrams), `stream` (sources
//! that are this process), `places`, `web` (HTTP), `log`, `event`, `report`. `pegloom up` uses [`Shard`]
//! with workers on the same thread.

mod event;
mod log;
mod node;
mod places;
mod report;
mod settings;
mod shard;
mod shell;
mod stream;
mod visitors;
mod web;

pub use node::{Args, Doors, Listener, follow, open_doors, run, settle};
pub use report::report;
pub use shard::Shard;
