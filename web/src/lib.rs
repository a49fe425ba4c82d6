//! HTTP on the fabric: a route of `http://`, from the client's connection to the servers' streams.
//!
//! hyper speaks HTTP on both sides; here is what lies between: who gets a request, what of a head is passed on, what is
//! kept, when waiting ends. It knows no fabric: streams to servers come from a [`Servers`].
//!
//! Reading order: `site` (what the shards of a process share), `front` (one shard: its clients' connections), `exchange`
//! (one request, from first to last), `upstream` (a request at a server) with `pool` and `turn`, `body`, `watch`, `answer`
//! (replies of our own), `counters`.

mod answer;
mod body;
mod counters;
mod exchange;
mod front;
mod pool;
mod site;
mod turn;
mod upstream;
mod watch;

pub use front::{Front, Servers};
pub use site::Site;
