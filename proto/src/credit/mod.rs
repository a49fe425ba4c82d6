//! Credit: absolute positions in one direction of one session, and permission to send up to one.
//!
//! The start of a frame costs [`FRAME_COST`] units, each byte 1, FIN 1. Positions only grow, so losing, repeating or
//! reordering a GRANT does no harm. [`Chunk`] is a stretch of a stream with the frame starts in it, [`Outbound`] the
//! sender's side of a direction, [`Inbound`] the receiver's.

mod chunk;
mod inbound;
mod outbound;

pub use chunk::Chunk;
pub(crate) use chunk::datagram_chunks;
pub use inbound::{Accept, Inbound, Takes, Totals};
pub use outbound::{BeyondSent, Keep, Outbound};

/// Units a frame's start costs, so that a flood of empty frames spends credit too.
pub const FRAME_COST: u64 = 64;
/// Units FIN costs.
pub const FIN_COST: u64 = 1;
