//! The link's wire format: frames and batches as MessagePack (docs/protocol.md, sections 3 and 4).
//!
//! Decoding is total: any bytes give a batch or an error, lengths are checked before anything is allocated, and payloads
//! are borrowed from the batch. Encoding writes straight into the batch that is sent.

mod batch;
mod code;
mod decode;
mod frame;

pub use batch::{Batch, BatchWriter, Header, MAX_BATCH, TARGET_BATCH};
pub use code::{Bye, Cause, Patience, Phase};
pub(crate) use frame::cut_octets;
pub use frame::{Cuts, Frame, Greeting, MAX_STANDINGS, Standing};

/// The version of the link protocol this crate speaks.
pub const VERSION: u16 = 1;
