//! What pegloom decides, as values.
pub mod counters;
pub mod credit;
pub mod id;
pub mod slab;
pub mod time;
pub mod wire;
