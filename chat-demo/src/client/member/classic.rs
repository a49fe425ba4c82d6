//! A member in a classic room: what is typed is passed to the connection as it takes it, and nothing is ever confirmed.
//!
//! A text is forgotten when the connection has taken it, and said again when it was refused. What was taken and is not known to
//! have arrived at the room's host may be lost; leaving waits for that, and whoever leaves in doubt is told.

use std::mem;

use super::{Effect, Member, Phase, Told, words};
use crate::{
    How, Line, Said, Text, Tone,
    wire::classic::{self, Frame},
};

/// What is different, for a person.
const CLASSIC: &str =
    "This is a classic room: what is said while you are away, or while it is, is not kept there.";

/// The most texts that are passed at once.
const MAX_PASSED: usize = 64;

/// What is on its way in a classic room.
#[derive(Debug, Default)]
pub(super) struct Passing {
    /// Texts that the connection was given, and has neither taken nor refused.
    given: Vec<u64>,
    /// Whether it has refused one, and takes no more yet.
    is_full: bool,
    /// Whether it has taken some that may not have arrived.
    is_unsure: bool,
}

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
        if !matches!(self.phase, Phase::Classic(_)) {
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
        self.phase = Phase::Classic(Passing::default());
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
        let Phase::Classic(Passing { given, is_full: false, .. }) = &self.phase else { return };
        if !given.is_empty() {
            return;
        }
        let texts = self.memory.uncounted(MAX_PASSED);
        let is_private = |(.., tone): &(u64, Text, Tone)| matches!(tone, Tone::Private(_));
        let (private, texts): (Vec<_>, Vec<_>) = texts.into_iter().partition(is_private);
        if !private.is_empty() {
            for (.., tone) in &private {
                self.tell_unsaid(tone);
            }
            self.forget(ids_of(&private));
            if texts.is_empty() {
                return self.speak_in_classic();
            }
        }
        self.pass(&texts);
    }

    fn pass(&mut self, texts: &[(u64, Text, Tone)]) {
        let frames: Vec<_> = texts.iter().map(|(_, text, tone)| self.framed(text, tone)).collect();
        if let Phase::Classic(passing) = &mut self.phase
            && !frames.is_empty()
        {
            passing.given = ids_of(texts);
            self.effects.push(Effect::Pass(frames));
        }
    }

    fn tell_unsaid(&mut self, tone: &Tone) {
        if let Tone::Private(to) = tone {
            self.warn(words::unsaid_in_private(to));
        }
    }

    fn framed(&self, text: &Text, tone: &Tone) -> Vec<u8> {
        match tone {
            Tone::Action => classic::text_of(&self.name, &format!("* {} {}", self.name, text.as_str())),
            Tone::Plain | Tone::Private(_) => classic::text_of(&self.name, text.as_str()),
        }
    }

    fn forget(&mut self, ids: Vec<u64>) {
        let written = self.memory.drop_texts(ids);
        self.effects.push(Effect::Keep(written));
    }

    /// The connection has taken so many of the texts that it was given last.
    pub(super) fn on_passed(&mut self, taken: usize) {
        let Phase::Classic(passing) = &mut self.phase else { return };
        let mut ids = mem::take(&mut passing.given);
        passing.is_full = taken < ids.len();
        ids.truncate(taken);
        if !ids.is_empty() {
            passing.is_unsure = true;
            self.forget(ids);
        }
    }

    pub(super) fn on_has_room(&mut self) {
        if let Phase::Classic(passing) = &mut self.phase {
            passing.is_full = false;
        }
    }

    pub(super) fn on_delivered(&mut self) {
        if let Phase::Classic(passing) = &mut self.phase {
            passing.is_unsure = false;
        }
    }

    /// Whether something that was said may still arrive, or may not.
    pub(super) fn is_unsure(&self) -> bool {
        matches!(&self.phase, Phase::Classic(passing) if passing.is_unsure)
    }

    /// What was not known to have arrived may be lost from now on.
    pub(super) fn doubt(&mut self, how: &str) {
        if self.is_unsure() {
            self.has_doubts = true;
            self.warn(how);
        }
    }

    pub(super) fn leave_classic(&mut self) {
        let leave = Frame::Leave { name: self.name.clone() };
        self.effects.push(Effect::Send(leave.to_bytes()));
    }
}

fn ids_of(texts: &[(u64, Text, Tone)]) -> Vec<u64> {
    texts.iter().map(|(id, ..)| *id).collect()
}
