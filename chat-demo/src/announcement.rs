//! What is announced, in the words that all parts of the chat and both dialects have for it.

use std::fmt::Display;

use crate::{Name, wire::room::What};

/// One has come oneself.
pub(crate) fn online(online: impl Display) -> String {
    format!("You are now online. {online} online.")
}

/// Somebody is called otherwise.
pub(crate) fn renamed(was: &Name, is: &Name) -> String {
    format!("{was} is now called {is}.")
}

/// Somebody else has the name that one wanted.
pub(crate) fn taken(name: &Name) -> String {
    format!("The name {name} is taken. Try another.")
}

/// What an entry of a room's log announces; `None` for what people say.
pub(crate) fn of(name: &Name, what: &What) -> Option<String> {
    match what {
        What::Joined(online) => Some(format!("{name} joined the room. {online} online.")),
        What::Left(online) => Some(format!("{name} left the room. {online} online.")),
        What::Renamed(to) => Some(renamed(name, to)),
        What::Text(_) | What::Action(_) | What::Private(_) => None,
    }
}
