//! The stats-node: adds up what every node counts, and shows it to people and machines.
//!
//! The core decides and has no input or output: `window` (how much in the last second), `rates`, `teller` (one start of a
//! node), `lateness` (when a report was made), `sight` (is a destination away), `events`, [`Statistics`], [`Summary`], `history`, `saved`, `metrics`. Around it
//! `desk` is where all of it lies for who asks, [`Hearing`] brings it what nodes publish, `recovery` is a file, `http` a port
//! (`doorkeeper` and `visitor` limit who is let in, `page` is for people), `office` all three together, and `node` the
//! process. `pegloom up` has the same [`Office`] inside; who only watches has a [`Desk`] of its own, or reads a [`Summary`] that
//! another has written.

mod desk;
mod doorkeeper;
mod events;
mod hearing;
mod history;
mod http;
mod lateness;
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

pub use desk::{Desk, News};
pub use events::{Events, Said, Told};
pub use hearing::Hearing;
pub use http::PATHS;
pub use metrics::{Family, Kind, Sample, families};
pub use node::{Args, run};
pub use office::{Office, Shown};
pub use rates::{FlowRates, MessageRates};
pub use statistics::Statistics;
pub use summary::{DestinationSummary, NodeSummary, Problem, RouteSummary, Summary, WorkersSummary};
pub use teller::State;
