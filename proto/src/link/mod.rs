//! What both ends of a link keep: batch numbers, signs of life, the batch being gathered, and the lease.
//!
//! The two ends themselves are parts of [`crate::worker`] and [`crate::ingress`]; docs/protocol.md, sections 7 to 9, has
//! the rules.

mod lease;
mod liveness;
mod numbering;
mod outbox;

pub use lease::{LEASE, Lease};
pub use liveness::{DEATH, Liveness, PING_INTERVAL};
pub use numbering::{Numbering, Verdict};
pub use outbox::Outbox;

use std::time::Duration;

/// How long what is known but not urgent may wait for DATA to ride along with before it gets a GRANT of its own.
pub const GRANT_LAG: Duration = Duration::from_millis(50);
/// A lane is sent at most so many units before it is the next one's turn.
pub const QUANTUM: u64 = 64 * 1024;
/// The clock is looked at this often while there are links to other processes.
pub const LOOK: Duration = Duration::from_millis(250);
/// Of sessions and attempts that are unknown, the other side is told at most so many in one batch.
pub const MAX_DISOWNED: usize = 64;
