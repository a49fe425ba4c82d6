//! What a worker counts.
//!
//! A count of its own, by which that of the ingresses can be checked (S13).

use crate::counters::Tally;

/// What a worker counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Written to the destination, in this worker's own count.
    pub delivered: Tally,
    /// Datagrams, and their bytes, that the kernel would not send.
    pub unsendable: Tally,
    /// Times the destination's machine said that nobody takes our datagrams there.
    pub refusals: u64,
    /// Bytes the destination said.
    pub received_bytes: u64,
    /// Datagrams the destination said.
    pub received_datagrams: u64,
    /// Connections made.
    pub connections: u64,
    /// Connects that failed.
    pub connect_failures: u64,
    /// Connections the destination reset.
    pub resets: u64,
    /// Outages begun.
    pub outages: u64,
    /// Bytes a reset destination had not acknowledged.
    pub unconfirmed_bytes: u64,
    /// Greetings sent.
    pub greetings: u64,
    /// Batches that were no batches.
    pub malformed: u64,
    /// Batches of another epoch, or received before.
    pub stale: u64,
    /// Frames before WELCOME.
    pub early: u64,
    /// Gaps, and frames that break the protocol.
    pub faults: u64,
}
