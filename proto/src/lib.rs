//! What pegloom decides, as values.
//!
//! A source speaks to an ingress, the ingress decides what each destination gets, and a worker brings it there. All of
//! that deciding is here, and nothing else is: no socket, clock, thread, randomness or log, and no `async`. Two machines,
//! [`ingress::Ingress`] and [`worker::Worker`], take inputs as method calls with the time as a parameter, and say what they
//! want done to a `Shell`: write these bytes, send this batch, carry out this effect. A node gives them sockets; the
//! simulation in `tests/` gives them a world in which everything goes wrong, and replays any run from its seed.
//!
//! A machine cannot fail. What a stranger sends can be shed, refused, ignored or reset, each with a reason and a counter,
//! but it is never an error of the machine and never a panic.
//!
//! # Reading order
//!
//! 1. The small things: [`id`], [`time`], [`slab`], [`latency`], and [`counters`] with the identity that must
//!    balance.
//! 2. [`codec`]: where frames end, and what those of the Foo protocol say. [`credit`]: positions, and the two ends of a direction.
//! 3. [`wire`]: frames and batches as bytes. [`link`]: what both ends of a link keep.
//! 4. [`backoff`] and [`outage`]: how long to wait, and whose turn it is to try.
//! 5. [`pattern`] and [`policy`]: what a route makes of what destinations say.
//! 6. [`conversation`]: what is a reply, what an ask, what was said before, and what differs.
//! 7. [`balance`]: which server of a balanced route gets the next request; it stands alone.
//! 8. [`worker`], the simpler machine; then [`ingress`], with its sessions and their lanes.
//!
//! docs/states.md has the machines as tables, docs/protocol.md what goes between them, docs/lexicon.md the words.

pub mod backoff;
pub mod balance;
pub mod codec;
pub mod conversation;
pub mod counters;
pub mod credit;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod id;
pub mod ingress;
pub mod latency;
pub mod link;
pub mod outage;
pub mod pattern;
pub mod policy;
pub mod slab;
#[cfg(test)]
mod spell;
pub mod time;
pub mod wire;
pub mod worker;
