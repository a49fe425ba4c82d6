//! How a member comes to its place and comes back to it: a connection, a join, a hello, and what a room says instead of a welcome.

use proto::time::Instant;

use super::{ANSWER_WITHIN, Effect, End, Member, Phase, Told, words};
use crate::wire::{
    classic::Frame,
    room::{Hello, Refusal, ToRoom},
};

impl Member {
    pub(super) fn on_connected(&mut self, now: Instant) {
        self.speaks_ours = false;
        self.told_unreadable = false;
        self.knock(now);
    }

    pub(super) fn on_disconnected(&mut self, now: Instant) {
        self.doubt(words::LOST_WITH_CONNECTION);
        self.speaks_ours = false;
        if self.told == Told::Online {
            self.tell_away("the connection is lost");
        }
        let tell_at = (self.told == Told::Nothing).then(|| now + ANSWER_WITHIN);
        self.phase = Phase::Unconnected { tell_at };
    }

    /// Asks for a place, in the dialect that the other end is known to speak.
    pub(super) fn knock(&mut self, now: Instant) {
        if self.speaks_ours {
            return self.hello(now);
        }
        self.phase = Phase::Joining { until: now + ANSWER_WITHIN };
        let join = Frame::Join { name: self.name.clone(), is_ours: true };
        self.effects.push(Effect::Send(join.to_bytes()));
    }

    pub(super) fn hello(&mut self, now: Instant) {
        self.speaks_ours = true;
        self.know_dialect(false);
        self.phase = Phase::Greeting { until: now + ANSWER_WITHIN };
        let (log, seen) = self.memory.last_seen();
        let life = log.map_or(0, |log| self.memory.life_of(log));
        let name = self.wanted.as_ref().unwrap_or(&self.name).clone();
        self.greeted = Some(name.clone());
        let hello = Hello { key: self.key.clone(), name, log, seen, next: self.memory.next(), life };
        self.send(now, &ToRoom::Hello(hello));
    }

    /// The room knows nothing of its place: it was started anew, or has taken the place away.
    pub(super) fn on_place_lost(&mut self, now: Instant) {
        self.told = Told::Away;
        self.pause(now);
    }

    pub(super) fn on_refused(&mut self, now: Instant, why: Refusal) {
        let is_live = matches!(self.phase, Phase::Live(_));
        match why {
            Refusal::Superseded | Refusal::Version => return self.end(End::Refused(why)),
            Refusal::NameTaken | Refusal::NameOfRoom | Refusal::Full if !self.had_place => {
                return self.end(End::Refused(why));
            }
            // The other one may not be.
            Refusal::NameTaken | Refusal::NameOfRoom if self.wanted.is_some() => self.give_up_wanted(),
            Refusal::NameTaken | Refusal::NameOfRoom => self.tell_taken(),
            Refusal::Full => self.tell_away("it has as many members as it can have"),
            Refusal::Silent | Refusal::DoesNotRead if !is_live => return,
            Refusal::Silent => self.tell_away("it has not heard from here for too long"),
            Refusal::DoesNotRead => self.tell_away("what it sent was not read here"),
        }
        self.pause(now);
    }

    pub(super) fn on_closing(&mut self, now: Instant) {
        if self.told != Told::Away {
            self.tell("Server is off.");
            self.told = Told::Away;
        }
        self.pause(now);
    }

    /// Tries again in a while.
    pub(super) fn pause(&mut self, now: Instant) {
        let wait = self.backoff.next(self.random.u64(..));
        self.phase = Phase::Pausing { until: now + wait };
    }
}
