//! The machine of one end: what it is told, what it decides.

use std::{collections::BTreeSet, mem, time::Duration};

use proto::{backoff::Backoff, time::Instant};
use runtime::zeromq::Connection;

use super::{
    News,
    link::{Link, Up},
    outbox::Outbox,
};
use crate::{
    Name, Text,
    wire::p2p::{Frame, Hello, Manner, Say, Session},
};

/// How long an end that leaves waits for what it has said to be heard.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a calling end that was on the line before calls on although it is told that the line is taken: by its own old
/// connection, most likely, until that is found dead.
const OUR_OWN: Duration = Duration::from_secs(10);
/// Between two calls.
const REDIAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// After so many connections that ended before they began, what is there is no line.
const NO_LINE: u32 = 3;

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
    Said(Name, Text, Manner),
    /// Tell the person.
    Tell(News),
    /// It is over.
    End(Ending),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// On purpose.
    Left,
    /// Two others have the line.
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
struct Other {
    name: Name,
    session: Session,
    /// The last text that was heard.
    heard: u64,
    is_away: bool,
}

/// One end of a line.
#[derive(Debug)]
pub(crate) struct End {
    name: Name,
    session: Session,
    role: Role,
    link: Link,
    /// Of any kind: a third's, a stranger's.
    open: BTreeSet<Connection>,
    other: Option<Other>,
    outbox: Outbox,
    redial: Backoff,
    random: fastrand::Rng,
    /// Connections in a row that ended before they began.
    stillborn: u32,
    refused_until: Option<Instant>,
    leaves_by: Option<Instant>,
    unreadable: u64,
    effects: Vec<Effect>,
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

    /// How many frames were left out because they made no sense.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Somebody wants to come in: says whether he may.
    pub(crate) fn on_knock(&mut self, now: Instant) -> bool {
        let is_free = self.link.is_free(now);
        if is_free {
            self.link = Link::promise(now);
        }
        is_free
    }

    /// A connection is there, on which nothing was said.
    pub(crate) fn on_connected(&mut self, connection: Connection) {
        self.open.insert(connection);
    }

    /// The connection is ready for messages.
    pub(crate) fn on_ready(&mut self, now: Instant) {
        if self.link.up().is_none() {
            self.link = Link::Up(Up::new(now));
            self.say_hello(now);
        }
    }

    /// The other end says no.
    pub(crate) fn on_refused(&mut self, now: Instant) {
        if self.role == Role::Calls {
            let until = *self.refused_until.get_or_insert(now + OUR_OWN);
            if self.other.is_none() || now >= until {
                self.end(Ending::Taken);
            }
        }
    }

    /// A connection has ended, and all that came over it was told before.
    pub(crate) fn on_disconnected(&mut self, connection: Connection, now: Instant) {
        self.open.remove(&connection);
        if self.role == Role::Calls || self.link.ends_with(connection, &self.open) {
            self.lose(now);
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
            Frame::Hello(hello) if is_greeted => self.on_new_name(hello),
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

    /// Something was not taken by the socket: who misses one thing must not get the next.
    pub(crate) fn on_unsent(&mut self, now: Instant) {
        if self.link.up().is_some() {
            self.hang_up(now);
        }
    }

    /// The person says something.
    pub(crate) fn on_text(&mut self, text: Text, tone: Manner, now: Instant) {
        self.outbox.push(text, tone);
        self.send_texts(now);
    }

    /// The person wants to be called so.
    pub(crate) fn on_rename(&mut self, name: Name, now: Instant) {
        self.name = name;
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
        self.leave(now);
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

    fn on_hello(&mut self, hello: Hello, now: Instant) {
        let heard = if hello.of == Some(self.session) { hello.heard } else { 0 };
        self.meet(hello.name, hello.session);
        (self.stillborn, self.refused_until) = (0, None);
        self.redial.reset();
        if let Some(up) = self.link.up() {
            up.is_greeted = true;
        }
        self.outbox.rewind(heard);
        self.send_texts(now);
        self.leave_if_heard(now);
    }

    /// Finds out whether this is who was there before.
    fn meet(&mut self, name: Name, session: Session) {
        match self.other.take() {
            Some(other) if other.session == session => {
                self.tell(News::Back(name.clone()));
                self.other = Some(Other { name, is_away: false, ..other });
                return;
            }
            // Started again: what it was to hear is for it still.
            Some(other) if other.name.is_like(&name) => self.tell(News::Back(name.clone())),
            before => {
                if let Some(other) = before {
                    self.give_up(Some(other.name));
                }
                self.tell(News::OnTheLine(name.clone()));
            }
        }
        self.other = Some(Other { name, session, heard: 0, is_away: false });
    }

    fn on_new_name(&mut self, hello: Hello) {
        match &mut self.other {
            Some(other) if other.session == hello.session => {
                let was = mem::replace(&mut other.name, hello.name.clone());
                if was != hello.name {
                    self.tell(News::Renamed(was, hello.name));
                }
            }
            _ => self.on_unreadable(),
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
    fn hang_up(&mut self, now: Instant) {
        self.miss();
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

    fn say_hello(&mut self, now: Instant) {
        let (of, heard) = self.other.as_ref().map_or((None, 0), |other| (Some(other.session), other.heard));
        let hello = Hello { name: self.name.clone(), session: self.session, of, heard };
        self.send(Frame::Hello(hello), now);
    }

    fn beat(&mut self, now: Instant) {
        let heard = self.other.as_ref().map_or(0, |other| other.heard);
        self.send(Frame::Beat { heard }, now);
    }

    fn send_texts(&mut self, now: Instant) {
        while self.link.is_greeted()
            && let Some(say) = self.outbox.next()
        {
            self.send(Frame::Say(say), now);
        }
    }

    fn send(&mut self, frame: Frame, now: Instant) {
        self.link.up().into_iter().for_each(|up| up.sent(now));
        self.effects.push(Effect::Send(frame));
    }

    fn leave_if_heard(&mut self, now: Instant) {
        if self.leaves_by.is_some() && self.outbox.is_empty() {
            self.leave(now);
        }
    }

    fn leave(&mut self, now: Instant) {
        if self.link.is_greeted() {
            self.send(Frame::Bye, now);
        }
        let name = self.other.as_ref().map(|other| other.name.clone());
        self.give_up(name);
        self.end(Ending::Left);
    }

    /// Forgets what was not heard, and says so.
    fn give_up(&mut self, name: Option<Name>) {
        let unheard = self.outbox.clear();
        if unheard > 0 {
            self.tell(News::Unheard(unheard, name));
        }
    }

    fn end(&mut self, ending: Ending) {
        self.effects.push(Effect::End(ending));
    }

    fn tell(&mut self, news: News) {
        self.effects.push(Effect::Tell(news));
    }
}
