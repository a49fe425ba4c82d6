//! HTTP on the fabric: a route of `http://`, from the client's connection to the servers' streams.
//!
//! hyper speaks HTTP on both sides; here is what lies between: who gets a request, what of a head is passed on, what is
//! kept, when waiting ends. It knows no fabric: streams to servers come from a [`Servers`].
//!
//! Reading order: `site` (what the shards of a process share), `front` (one shard), `client` (a connection),
//! `exchange`
//! (one request, from first to last) with `heads` (what may be understood in two ways) and `forwarding` (what of a head is
//! passed on), `cache`, `upstream` (a request at a server) with `places`, `pool` and `turn`, `mirror` (copies for secondaries), `body`, `progress`, `watch`
//! (how long a client is silent), `answer` (replies of our own), `account`, `access_log` and
//! `counters`, `health`.

pub mod access_log;
mod account;
mod answer;
mod body;
pub mod cache;
mod client;
mod counters;
mod exchange;
pub mod forwarding;
mod front;
pub mod heads;
mod health;
mod mirror;
pub mod places;
mod pool;
mod progress;
mod site;
mod turn;
mod upstream;
mod watch;

pub use cache::OpenError;
pub use front::{Front, Servers};
pub use site::Site;
