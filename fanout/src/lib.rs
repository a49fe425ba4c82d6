//! The fanout node: a worker serves one destination, for any number of ingresses.
//!
//! `proto::worker` decides; here are its sockets. Reading order: `node` (the process), `shard` (one thread), `shell` (what
//! the machine has done for it), `links`, `log`, `report`. `pegloom up` uses [`Shard`] beside an ingress's.

mod dialling;
mod links;
mod log;
mod name;
mod node;
mod report;
mod settings;
mod shard;
mod shell;

pub use log::{Absence, Ears};
pub use node::{Args, run};
pub use settings::machine;
pub use shard::Shard;
