//! What pegloom decides, as values.

pub mod backoff;
pub mod codec;
pub mod counters;
pub mod credit;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod id;
pub mod ingress;
pub mod link;
pub mod outage;
pub mod slab;
#[cfg(test)]
mod spell;
pub mod time;
pub mod wire;
pub mod worker;
