//! What a person asks for, and how one leaves.

use proto::time::Instant;

use super::{Effect, End, Leaving, Member, Phase, SOON, Told, words};
use crate::{How, Line, Name, Said, Text, Tone, Typed, wire::room::ToRoom};

impl Member {
    pub(super) fn on_typed(&mut self, now: Instant, typed: Typed, at: u64) {
        match typed {
            Typed::Say(text) => self.keep(text, Tone::Plain, at),
            Typed::Act(text) => self.keep(text, Tone::Action, at),
            Typed::Tell(name, text) => self.keep(text, Tone::Private(name), at),
            Typed::Rename(name) => self.on_rename(name),
            Typed::Who => self.on_who(now),
            Typed::Quit => self.on_quit(now),
            Typed::History(_) | Typed::Leave => {}
        }
    }

    /// A text is written down, and shown.
    fn keep(&mut self, text: Text, tone: Tone, at: u64) {
        if self.is_classic && matches!(tone, Tone::Private(_)) {
            return self.warn(words::NOT_IN_CLASSIC);
        }
        let written = self.memory.keep(text.clone(), tone.clone());
        self.effects.push(Effect::Keep(written));
        let said = Said { at, name: self.name.clone(), text, tone, how: How::Mine };
        self.show(Line::Said(said));
    }

    fn on_rename(&mut self, name: Name) {
        match &self.phase {
            // When what was said before has been spoken, so that it is said under the name of that time.
            Phase::Live(_) => self.wanted = Some(name),
            Phase::Classic(_) => self.warn(words::NOT_IN_CLASSIC),
            _ => {
                self.tell(words::later_called(&name));
                (self.told_taken, self.wanted) = (false, None);
                self.called(name);
            }
        }
    }

    fn on_who(&mut self, now: Instant) {
        match &self.phase {
            Phase::Live(_) => {
                self.wants_who = true;
                self.send(now, &ToRoom::Who);
            }
            Phase::Classic(_) => self.warn(words::NOT_IN_CLASSIC),
            _ if self.told == Told::Away => self.warn("The room is away, so nobody knows who is there."),
            // Every place begins with this question.
            _ => self.wants_who = true,
        }
    }

    /// Leaves when all is heard, and answered.
    fn on_quit(&mut self, now: Instant) {
        self.leaving.get_or_insert(Leaving { until: now + self.grace, tell_at: Some(now + SOON) });
    }

    pub(super) fn expire_leaving(&mut self, now: Instant) {
        let Some(leaving) = &mut self.leaving else { return };
        let waiting = self.memory.waiting();
        if leaving.until <= now {
            self.doubt(words::NOT_ARRIVED);
            return self.leave(match waiting {
                0 if self.has_doubts => End::InDoubt,
                0 => End::Left,
                _ => End::GraceExpired(waiting),
            });
        }
        if leaving.tell_at.is_some_and(|at| at <= now) {
            leaving.tell_at = None;
            if waiting > 0 {
                self.tell(words::leaving(waiting, self.grace));
            } else if self.is_unsure() {
                self.tell(words::on_its_way(self.grace));
            }
        }
    }
}
