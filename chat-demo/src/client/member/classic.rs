//! A member in a classic room: what is typed is spoken once there is a connection, and nothing is ever confirmed.

use std::mem;

use super::{Effect, Member, Phase, Told, words};
use crate::{
    How, Line, Said, Text, Tone,
    wire::{
        classic::{self, Frame},
        room::Manner,
    },
};

/// What is different, for a person.
const CLASSIC: &str =
    "This is a classic room: what is said while you are away, or while it is, is not kept there.";

impl Member {
    pub(super) fn on_classic(&mut self, bytes: &[u8], at: u64) {
        let may_be_answer = match self.phase {
            Phase::Joining { .. } => true,
            // A room that answers nothing to a join, until somebody speaks.
            Phase::Pausing { .. } => !self.speaks_ours,
            _ => false,
        };
        if may_be_answer {
            self.on_joined_classic();
        }
        if !matches!(self.phase, Phase::Classic) {
            return;
        }
        match Frame::read(bytes) {
            // Announcements of a classic room look like texts that it says itself, and are shown as such.
            Ok(Frame::Text { name, text }) => {
                let said = Said { at, name, text, tone: Tone::Plain, how: How::Live };
                self.show(Line::Said(said));
            }
            Ok(_) => {}
            Err(error) => self.tell_unreadable(&error),
        }
    }

    fn on_joined_classic(&mut self) {
        self.phase = Phase::Classic;
        self.know_dialect(true);
        self.had_place = true;
        self.backoff.reset();
        if self.told == Told::Nothing {
            self.tell(CLASSIC);
        }
        self.told = Told::Online;
        if mem::take(&mut self.wants_who) {
            self.warn(words::NOT_IN_CLASSIC);
        }
    }

    /// Where nothing can be said to one only, what asks for it is not taken for said.
    pub(super) fn know_dialect(&mut self, is_classic: bool) {
        if is_classic != mem::replace(&mut self.is_classic, is_classic) {
            self.effects.push(Effect::Private(!is_classic));
        }
    }

    pub(super) fn speak_in_classic(&mut self) {
        let texts = self.memory.uncounted();
        if texts.is_empty() {
            return;
        }
        let ids = texts.iter().map(|(id, ..)| *id).collect();
        for (_, text, manner) in texts {
            self.speak_one(&text, &manner);
        }
        let written = self.memory.drop_texts(ids);
        self.effects.push(Effect::Keep(written));
    }

    fn speak_one(&mut self, text: &Text, manner: &Manner) {
        let text = match manner {
            Manner::Plain => text.as_str().to_owned(),
            Manner::Action => format!("* {} {}", self.name, text.as_str()),
            Manner::Private(to) => return self.warn(words::unsaid_in_private(to)),
        };
        self.effects.push(Effect::Send(classic::text_of(&self.name, &text)));
    }

    pub(super) fn leave_classic(&mut self) {
        let leave = Frame::Leave { name: self.name.clone() };
        self.effects.push(Effect::Send(leave.to_bytes()));
    }
}
