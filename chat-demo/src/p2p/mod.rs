//! `chat p2p`: a line between two, with nobody between them.
//!
//! [`End`] is the machine of one end: what happens to its socket and what is typed goes in, [`Effect`]s come out. It
//! promises that each text reaches the other end once and in order, over as many connections as that takes, as long as
//! both processes live. It has a [`Link`](link::Link), which is one connection, and an [`Outbox`](outbox::Outbox);
//! `connecting` is about the first, and `meeting` about who is at its other end.
//! `process` gives it a `socket` and a terminal.
//!
//! ```text
//!            hello                    silence, end of the connection
//!   waiting ───────▶ talking ──────────────────────────────────────▶ away
//!      ▲                │  ▲                                           │
//!      └────── bye ─────┘  └──── hello of the same, or of another ────┘
//! ```

mod connecting;
mod end;
mod link;
mod meeting;
mod news;
mod outbox;
mod process;
#[cfg(test)]
mod simulation;
mod socket;
#[cfg(test)]
mod tests;

pub(crate) use end::{Effect, End, Ending, Role};
pub(crate) use news::News;
pub(crate) use process::{Args, run};
