//! Chat on the fabric's sockets: a room, a line between two, and a mesh without a server.
//!
//! The words come first: [`Name`] (who), [`Text`] (what), [`Line`] (what a person is shown) and [`Typed`] (what a person
//! types). `terminal` is where both meet a person, or a script. `wire` has what goes between processes. `room` is the machine
//! of a room, `store` what it keeps, and `server` the process around both; `member`, `journal` and `client` are the same of
//! somebody in it.

mod client;
mod command;
mod journal;
mod key;
mod line;
mod member;
mod mesh;
mod name;
mod p2p;
mod place;
mod recent;
mod room;
mod server;
#[cfg(test)]
mod simulation;
mod store;
mod terminal;
mod text;
mod typed;
pub mod wire;

pub use command::{Args, run};
pub use line::{How, Line, Said, Tone};
pub use name::{BadName, Name};
pub use text::{BadText, Text};
pub use typed::Typed;
