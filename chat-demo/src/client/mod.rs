//! A client of a room: its machine is `member`; `process` gives that a socket, a terminal, and a `journal` beside the `key`.

mod connection;
mod disk;
mod failures;
pub(crate) mod journal;
mod key;
pub(crate) mod member;
mod process;
mod screen;

pub(crate) use process::{Args, run};
