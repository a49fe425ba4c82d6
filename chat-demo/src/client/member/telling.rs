//! What a person is told, and how often.

use std::{fmt, mem};

use super::{Effect, Member, Told, words};
use crate::{Line, announcement, wire::room::Welcome};

impl Member {
    pub(super) fn show(&mut self, line: Line) {
        self.effects.push(Effect::Show(line));
    }

    pub(super) fn tell(&mut self, text: impl Into<String>) {
        self.show(Line::Told(text.into()));
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.show(Line::Warned(text.into()));
    }

    /// Once an absence.
    pub(super) fn tell_away(&mut self, why: &str) {
        match self.told {
            Told::Nothing => self.warn(words::not_there(&self.room, why)),
            Told::Online => self.warn(words::away(why)),
            Told::Away => {}
        }
        self.told = Told::Away;
    }

    /// Once a connection.
    pub(super) fn tell_unreadable(&mut self, error: &impl fmt::Display) {
        if !mem::replace(&mut self.told_unreadable, true) {
            self.warn(words::unreadable(error));
        }
    }

    /// What may have been lost to another client with this key is told, and not said again: it may have been heard.
    pub(super) fn tell_doubtful(&mut self, welcome: &Welcome) {
        let doubtful = self.memory.doubtful(welcome.log, welcome.heard, welcome.print);
        let words: Vec<_> = doubtful.into_iter().map(words::doubtful).collect();
        for words in words {
            self.warn(words);
        }
    }

    pub(super) fn give_up_wanted(&mut self) {
        if let Some(name) = self.wanted.take() {
            self.warn(announcement::taken(&name));
        }
    }

    pub(super) fn tell_taken(&mut self) {
        if !mem::replace(&mut self.told_taken, true) {
            self.warn(words::taken_meanwhile(&self.name));
        }
        self.told = Told::Away;
    }
}
