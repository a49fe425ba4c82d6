//! The stats-node: adds up what every node counts, and shows it to people and machines.
//!
//! The core decides and has no input or output: `window` (how much in the last second), `rates`, `teller` (one start of a
//! node), `sight` (is a destination away), `events`, [`Statistics`], [`Summary`], `history`, `saved`, `metrics`. Around it
//! `desk` is where all of it lies for who asks, `recovery` a file, `http` a port (`doorkeeper` and `visitor` limit who is let
//! in, `page` is for people), `office` all three together, and `node` the process. `pegloom up` has the same [`Office`] inside.

mod desk;
mod doorkeeper;
mod events;
mod history;
mod http;
mod metrics;
mod node;
mod office;
mod page;
mod rates;
mod recovery;
mod saved;
mod sight;
mod statistics;
mod summary;
mod teller;
mod visitor;
mod window;

pub use desk::Desk;
pub use http::PATHS;
pub use metrics::{Family, Kind, Sample, families};
pub use node::{Args, run};
pub use office::{Office, Shown};
pub use statistics::Statistics;
pub use summary::{Problem, Summary};
