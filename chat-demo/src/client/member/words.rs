//! What a person is told by a client, apart from what the room says.

use std::{fmt::Display, time::Duration};

use crate::{Name, Text};

pub(super) const NOT_IN_CLASSIC: &str = "This room is a classic one: it has no /nick, no /who and no /msg. To be called otherwise, leave and come back with --name.";

pub(super) const PUT_BACK: &str = "The room has an earlier log, or another one than before: some of what was said here is lost. What it has instead follows.";

pub(super) const LOST_WITH_CONNECTION: &str =
    "What was said last may be lost with the connection: a classic room does not say what it has.";

pub(super) const NOT_ARRIVED: &str =
    "What was said last may not arrive: the room's host has not taken all of it in time.";

pub(super) fn called(name: &Name) -> String {
    format!("You are now called {name}.")
}

pub(super) fn later_called(name: &Name) -> String {
    format!("You will be called {name} when the room is there.")
}

pub(super) fn who(names: &[Name]) -> String {
    let listed: Vec<_> = names.iter().map(Name::as_str).collect();
    format!("{} online: {}.", names.len(), listed.join(", "))
}

pub(super) fn not_there(room: &str, why: &str) -> String {
    format!("The room at {room} does not answer yet: {why}. It is tried again until it does.")
}

pub(super) fn away(why: &str) -> String {
    format!("The room is away: {why}. What you say is kept for it.")
}

pub(super) fn taken_meanwhile(name: &Name) -> String {
    format!("The name {name} is somebody else's by now. It is tried again; /nick NAME takes another.")
}

pub(super) fn not_kept(number: u64) -> String {
    let (messages, are) = if number == 1 { ("message", "is") } else { ("messages", "are") };
    format!("{number} {messages} {are} no longer kept.")
}

pub(super) fn unreadable(error: &impl Display) -> String {
    format!("Something came from the room that cannot be read: {error}.")
}

pub(super) fn unsaid_in_private(to: &Name) -> String {
    format!("Your private text for {to} is not said: a classic room would show it to all.")
}

pub(super) fn unheard(why: &str) -> String {
    format!("The room cannot keep what you say: {why}. It is tried again.")
}

pub(super) fn doubtful(text: &Text) -> String {
    format!(
        "Another client with this key has spoken since, so this may not have been heard: {}",
        text.as_str()
    )
}

pub(super) fn leaving(waiting: usize, grace: Duration) -> String {
    format!(
        "{} not delivered yet: waiting for the room, {} s at most.",
        texts_are(waiting),
        grace.as_secs_f32()
    )
}

/// In a classic room.
pub(super) fn on_its_way(grace: Duration) -> String {
    format!("What was said is on its way: waiting for it to arrive, {} s at most.", grace.as_secs_f32())
}

/// What the last word is when that was in vain.
pub(crate) fn left_behind(waiting: usize) -> String {
    let they = if waiting == 1 { "it" } else { "they" };
    format!("{} not delivered: {they} will be said next time.", texts_are(waiting))
}

pub(super) fn unkept(lost: usize, why: &str) -> String {
    if lost == 0 {
        return format!("What has to be remembered cannot be written down: {why}. It is tried again.");
    }
    format!("{} not said, for want of a place to write it down first: {why}.", texts_are(lost))
}

fn texts_are(number: usize) -> String {
    if number == 1 { "1 text is".to_owned() } else { format!("{number} texts are") }
}
