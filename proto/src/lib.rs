//! Placeholder until the first module lands.

pub mod backoff;
pub mod codec;
