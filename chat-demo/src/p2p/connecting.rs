//! How an end gets its connection, keeps others from it, and loses it.

use std::time::Duration;

use proto::time::Instant;
use runtime::zeromq::Connection;

use super::{
    Effect, End, Ending, News, Role,
    link::{Link, Up},
};

/// How long a calling end that was on the line before calls on although it is told that the line is taken: by its own old
/// connection, most likely, until that is found dead.
const OUR_OWN: Duration = Duration::from_secs(10);
/// How long any other calls on: one who lets himself be let in, and says nothing, is gone by then.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so many connections that ended before they began, what is there is no line.
const NO_LINE: u32 = 3;

impl End {
    /// Somebody wants to come in: says whether he may.
    pub(crate) fn on_knock(&mut self, now: Instant) -> bool {
        let is_free = self.link.is_free(now);
        if is_free {
            self.link = Link::promise(now);
        } else {
            self.refused += 1;
        }
        is_free
    }

    /// A connection is there, on which nothing was said.
    pub(crate) fn on_connected(&mut self, connection: Connection) {
        self.open.insert(connection);
    }

    /// The connection is ready for messages.
    pub(crate) fn on_ready(&mut self, now: Instant) {
        self.refused_until = None;
        if self.link.up().is_none() {
            self.link = Link::Up(Up::new(now));
            self.say_hello(now);
        }
    }

    /// The other end says no. It may be because of somebody who is about to be found silent, so it is called on for a while.
    pub(crate) fn on_refused(&mut self, now: Instant) {
        if self.role == Role::Listens {
            return;
        }
        let patience = if self.other.is_some() { OUR_OWN } else { PATIENCE };
        match self.refused_until {
            Some(until) if now >= until => return self.end(Ending::Taken),
            Some(_) => {}
            None => {
                self.refused_until = Some(now + patience);
                self.tell(News::Refused(patience));
            }
        }
        self.close(now);
    }

    /// A connection has ended, and all that came over it was told before.
    pub(crate) fn on_disconnected(&mut self, connection: Connection, now: Instant) {
        self.open.remove(&connection);
        self.refused_until = None;
        if self.role == Role::Calls || self.link.ends_with(connection, &self.open) {
            self.lose(now);
        }
    }

    /// Something was not taken by the socket: who misses one thing must not get the next.
    pub(crate) fn on_unsent(&mut self, now: Instant) {
        if self.link.up().is_some() {
            self.hang_up(now);
        }
    }

    /// The connection has ended by itself.
    fn lose(&mut self, now: Instant) {
        match self.role {
            Role::Listens => {
                self.miss();
                self.link = Link::Down;
            }
            Role::Calls => self.hang_up(now),
        }
    }

    /// Ends the connection, and with it the socket: a PAIR keeps to its peer until that is gone, dead or not.
    pub(super) fn hang_up(&mut self, now: Instant) {
        self.miss();
        self.close(now);
    }

    fn close(&mut self, now: Instant) {
        self.open.clear();
        self.effects.push(Effect::Close);
        match self.role {
            Role::Listens => {
                self.link = Link::Down;
                self.effects.push(Effect::Open);
            }
            Role::Calls => {
                let wait = self.redial.next(self.random.u64(..));
                self.link = Link::Closed { until: now + wait };
            }
        }
    }

    fn miss(&mut self) {
        match &mut self.other {
            Some(other) if !other.is_away => {
                other.is_away = true;
                let name = other.name.clone();
                self.tell(News::Away(name));
            }
            None if self.role == Role::Calls && !self.link.is_greeted() => {
                self.stillborn += 1;
                if self.stillborn == NO_LINE {
                    self.tell(News::NoLine);
                }
            }
            _ => {}
        }
    }
}
