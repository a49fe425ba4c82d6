//! Chat on the fabric's sockets: a room, a line between two, and a mesh without a server.
//!
//! The words come first: [`Name`] (who), [`Text`] (what), [`Tone`] (how), [`Line`] (what a person is shown) and [`Typed`]
//! (what a person types). `terminal` is where both meet a person, or a script. `wire` has what goes between processes. `room`
//! is a room and `client` somebody in it, each a machine, what it keeps, and the process around both. `p2p` is a line between
//! two and `mesh` many without a server, each with its machine and its process.

mod announcement;
mod client;
mod command;
mod folders;
mod host;
#[cfg(any(test, fuzzing))]
pub mod hostile;
mod line;
mod mesh;
mod name;
mod p2p;
mod recent;
mod room;
#[cfg(test)]
mod simulation;
mod terminal;
mod text;
mod tone;
mod typed;
pub mod wire;

pub use command::{Args, run};
pub(crate) use line::{How, Line, Said};
pub use name::{BadName, Name};
pub use text::{BadText, Text};
pub use tone::{PublicTone, Tone};
pub(crate) use typed::Typed;
