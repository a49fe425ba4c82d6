//! The machine of one end: what it is told, what it decides.

use std::{collections::BTreeSet, mem, time::Duration};

use proto::{backoff::Backoff, time::Instant};
use runtime::zeromq::Connection;
use serde::Serialize;

use super::{News, link::Link, outbox::Outbox};
use crate::{
    Name, PublicTone, Text,
    wire::p2p::{Frame, Say, Session},
};

/// How long an end that leaves waits for what it has said to be heard.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Between two calls.
const REDIAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What an end wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send this to the other end. If it is refused nothing further is to be sent, and [`End::on_unsent`] to be told.
    Send(Frame),
    /// Close the socket.
    Close,
    /// Open the socket again.
    Open,
    /// The one of this name said this.
    Said(Name, Text, PublicTone),
    /// Tell the person.
    Tell(News),
    /// It is over.
    End(Ending),
}

/// What SIGUSR1 and SIGUSR2 print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// How many are on the line, with this one.
    online: usize,
    /// Texts that are not known to be heard.
    waiting: usize,
    /// Who came while the line was taken.
    refused: u64,
    /// Frames that were left out because they made no sense.
    pub(super) unreadable: u64,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// On purpose.
    Left,
    /// The same, and something that was said has reached nobody.
    Unheard,
    /// Others have the line.
    Taken,
}

/// What an end does to get a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Waits for one.
    Listens,
    /// Makes one.
    Calls,
}

/// Who was heard last.
#[derive(Debug)]
pub(super) struct Other {
    /// What it says that it is called.
    pub(super) says: Name,
    /// As it is shown.
    pub(super) name: Name,
    pub(super) session: Session,
    /// The last text that was heard.
    pub(super) heard: u64,
    pub(super) is_away: bool,
}

/// One end of a line.
#[derive(Debug)]
pub(crate) struct End {
    pub(super) name: Name,
    pub(super) session: Session,
    pub(super) role: Role,
    pub(super) link: Link,
    /// Of any kind: a third's, a stranger's.
    pub(super) open: BTreeSet<Connection>,
    pub(super) other: Option<Other>,
    pub(super) outbox: Outbox,
    pub(super) redial: Backoff,
    pub(super) random: fastrand::Rng,
    /// Connections in a row that ended before they began.
    pub(super) stillborn: u32,
    /// When the last of calls in a row that were refused is, and nothing else has come of any since.
    pub(super) refused_until: Option<Instant>,
    /// Whether something that was said is given up.
    pub(super) has_lost: bool,
    pub(super) refused: u64,
    pub(super) leaves_by: Option<Instant>,
    pub(super) unreadable: u64,
    pub(super) effects: Vec<Effect>,
}

impl End {
    /// An end without a connection, whose socket is open.
    pub(crate) fn new(name: Name, role: Role, mut random: fastrand::Rng) -> Self {
        Self {
            name,
            session: Session(random.u64(..)),
            role,
            link: Link::Down,
            open: BTreeSet::new(),
            other: None,
            outbox: Outbox::default(),
            redial: Backoff::new(REDIAL.0, REDIAL.1),
            random,
            stillborn: 0,
            refused_until: None,
            has_lost: false,
            refused: 0,
            leaves_by: None,
            unreadable: 0,
            effects: Vec::new(),
        }
    }

    /// What is to be done because of all inputs until now.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        mem::take(&mut self.effects)
    }

    /// When [`Self::on_time`] is to be called, at the latest.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.link.next_deadline().min(self.leaves_by.unwrap_or(Instant::NEVER))
    }

    /// What it does to get a connection.
    #[cfg(test)]
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Who is on the line, or was when it was lost, and whether he is away.
    pub(crate) fn other(&self) -> Option<(&Name, bool)> {
        self.other.as_ref().map(|other| (&other.name, other.is_away))
    }

    /// Whether something that is typed would be kept.
    pub(crate) fn takes_texts(&self) -> bool {
        self.leaves_by.is_none() && !self.outbox.is_full()
    }

    /// Whether there is a connection over which messages go.
    pub(crate) fn is_up(&mut self) -> bool {
        self.link.up().is_some()
    }

    /// What there is, and what was turned away.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            online: if self.link.is_greeted() { 2 } else { 1 },
            waiting: self.outbox.len(),
            refused: self.refused,
            unreadable: self.unreadable,
        }
    }

    /// A frame has come by this connection.
    pub(crate) fn on_frame(&mut self, frame: Frame, connection: Option<Connection>, now: Instant) {
        let Some(up) = self.link.up() else { return self.on_unreadable() };
        up.connection = connection.or(up.connection);
        let is_greeted = up.is_greeted;
        if !is_greeted && !matches!(frame, Frame::Hello(_)) {
            return self.on_unreadable();
        }
        up.heard();
        match frame {
            Frame::Hello(hello) if is_greeted => self.on_new_name(&hello),
            Frame::Hello(hello) => self.on_hello(hello, now),
            Frame::Say(say) => self.on_say(say, now),
            Frame::Heard { number: heard } | Frame::Beat { heard } => self.on_heard(heard, now),
            Frame::Bye => self.on_bye(now),
        }
    }

    /// Something has come that is no frame.
    pub(crate) fn on_unreadable(&mut self) {
        if self.unreadable == 0 {
            self.tell(News::Unreadable);
        }
        self.unreadable += 1;
    }

    /// The person says something.
    pub(crate) fn on_text(&mut self, text: Text, tone: PublicTone, now: Instant) {
        self.outbox.push(text, tone);
        self.send_texts(now);
    }

    /// The person wants to be called so.
    pub(crate) fn on_rename(&mut self, name: Name, now: Instant) {
        self.name = name;
        if let Some(says) = self.other.as_ref().map(|other| other.says.clone()) {
            self.rename_other(&says);
        }
        if self.link.is_greeted() {
            self.say_hello(now);
        }
    }

    /// The person leaves, once what was said is heard.
    pub(crate) fn on_leave(&mut self, now: Instant) {
        self.leaves_by.get_or_insert(now + LAST_WORDS);
        self.leave_if_heard(now);
    }

    /// The person leaves at once.
    pub(crate) fn on_interrupt(&mut self, now: Instant) {
        self.hush(now);
        self.end(Ending::Left);
    }

    /// Time has passed; `listens` unless messages are left waiting on purpose.
    pub(crate) fn on_time(&mut self, now: Instant, listens: bool) {
        if self.leaves_by.is_some_and(|by| now >= by) {
            return self.leave(now);
        }
        match &mut self.link {
            Link::Up(up) => {
                let (is_dead, wants_beat) = (up.is_dead(now, listens), up.wants_beat(now));
                match (is_dead, wants_beat) {
                    (true, _) => self.hang_up(now),
                    (false, true) => self.beat(now),
                    (false, false) => {}
                }
            }
            Link::Closed { until } if now >= *until => {
                self.link = Link::Down;
                self.effects.push(Effect::Open);
            }
            Link::Down | Link::Promised { .. } | Link::Closed { .. } => {}
        }
    }

    fn on_say(&mut self, say: Say, now: Instant) {
        let Some(other) = &mut self.other else { return };
        if say.number > other.heard {
            other.heard = say.number;
            self.effects.push(Effect::Said(other.name.clone(), say.text, say.tone));
        }
        let number = other.heard;
        self.send(Frame::Heard { number }, now);
    }

    fn on_heard(&mut self, number: u64, now: Instant) {
        self.outbox.heard(number);
        self.send_texts(now);
        self.leave_if_heard(now);
    }

    fn on_bye(&mut self, now: Instant) {
        if let Some(other) = self.other.take() {
            self.tell(News::HungUp(other.name.clone()));
            self.give_up(Some(other.name));
        }
        match self.role {
            // The socket stays, and the line is free when the connection has ended.
            Role::Listens => self.link.up().into_iter().for_each(|up| up.is_greeted = false),
            Role::Calls => self.hang_up(now),
        }
        self.leave_if_heard(now);
    }

    fn beat(&mut self, now: Instant) {
        let heard = self.other.as_ref().map_or(0, |other| other.heard);
        self.send(Frame::Beat { heard }, now);
    }

    pub(super) fn send_texts(&mut self, now: Instant) {
        while self.link.is_greeted()
            && let Some(say) = self.outbox.next()
        {
            self.send(Frame::Say(say), now);
        }
    }

    pub(super) fn send(&mut self, frame: Frame, now: Instant) {
        self.link.up().into_iter().for_each(|up| up.sent(now));
        self.effects.push(Effect::Send(frame));
    }

    pub(super) fn leave_if_heard(&mut self, now: Instant) {
        if self.leaves_by.is_some() && self.outbox.is_empty() {
            self.leave(now);
        }
    }

    fn leave(&mut self, now: Instant) {
        let is_refused = self.refused_until.is_some() && self.other.is_none();
        self.hush(now);
        self.end(match (self.has_lost, is_refused) {
            (false, _) => Ending::Left,
            (true, false) => Ending::Unheard,
            (true, true) => Ending::Taken,
        });
    }

    /// Says the last thing.
    fn hush(&mut self, now: Instant) {
        if self.link.is_greeted() {
            self.send(Frame::Bye, now);
        }
        let name = self.other.as_ref().map(|other| other.name.clone());
        self.give_up(name);
    }

    /// Forgets what was not heard, and says so.
    pub(super) fn give_up(&mut self, name: Option<Name>) {
        let unheard = self.outbox.clear();
        if unheard > 0 {
            self.has_lost = true;
            self.tell(News::Unheard(unheard, name));
        }
    }

    pub(super) fn end(&mut self, ending: Ending) {
        self.effects.push(Effect::End(ending));
    }

    pub(super) fn tell(&mut self, news: News) {
        self.effects.push(Effect::Tell(news));
    }
}
