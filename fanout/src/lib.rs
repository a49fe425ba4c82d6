//! The fanout node.
mod links;
mod log;
mod shard;
mod shell;
pub use shard::Shard;
