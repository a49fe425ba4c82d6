//! The ingress node.
mod log;
mod shard;
mod shell;
pub use shard::Shard;
