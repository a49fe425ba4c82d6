//! The machine of a room: who is in it, what was said in it, and what of that each member has yet to get.
//!
//! Frames, the disk's answers and the time go in as [`Input`]s; what is to be sent and stored goes out through a [`Shell`].
//! What is said goes one way:
//!
//! ```text
//!  frames ──▶ hearing, classic ──▶ gathering ──store──▶ disk ──stored──▶ log ──▶ delivery ──▶ each member's cursor
//!             (who may, what)      (waits its turn)                      (numbered, bounded)
//! ```
//!
//! - Nothing is delivered or acknowledged before it is stored, and the numbers of the log are the one order for all.
//! - A member has no queue: it has a cursor into the log, and gets what follows it, a turn's worth in one frame.
//! - A text is taken once: members number their own, and the room knows the last one of each.
//! - Everything that is refused, dropped or not understood has a reason and a counter.

mod called;
mod classic;
mod coming;
mod counters;
mod cursor;
mod delivery;
mod descriptors;
mod disk;
mod gathering;
mod hearing;
mod held;
mod log;
mod members;
mod process;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use proto::time::Instant;

use crate::{
    Name,
    wire::room::{MemberId, SILENT_BEATS},
};

pub(crate) use counters::Counters;
pub(crate) use gathering::Batch;
pub(crate) use log::{Kept, LastWord, Life, Log, Own, Stored};
pub(crate) use process::{Args, run};

use called::LastCalled;
use counters::Dropped;
use gathering::Gathering;
use held::{Held, Soon};
use members::Members;

/// What a room is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// A peer sent this frame.
    Frame {
        /// Its routing id.
        from: &'a [u8],
        /// What it sent.
        bytes: &'a [u8],
    },
    /// A peer sent a message that is not one frame.
    Parts {
        /// Its routing id.
        from: &'a [u8],
    },
    /// The batch is on the disk.
    Stored,
    /// The batch is not on the disk, and why.
    NotStored(&'a str),
    /// There is nothing else to hear right now, or a deadline has come.
    Turn,
    /// The room closes: members are told, and nothing more is taken.
    Close,
}

/// What a room asks of whoever has its sockets and its disk.
pub(crate) trait Shell {
    /// Sends a frame to a peer: now, or not at all.
    fn send(&mut self, to: &[u8], frame: &[u8]) -> Sent;
    /// Stores a batch. [`Input::Stored`] or [`Input::NotStored`] follows, before there is another.
    fn store(&mut self, batch: Batch);
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is on its way.
    Taken,
    /// Too much waits for this peer already.
    Full,
    /// The peer is not there.
    Gone,
}

/// Both times of one input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// The machine's.
    pub(crate) now: Instant,
    /// What people are shown: milliseconds since 1970.
    pub(crate) wall: u64,
}

/// How much a room takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Members at once.
    pub(crate) members: usize,
    /// Entries of the log; the oldest go first.
    pub(crate) entries: usize,
    /// Their bytes together.
    pub(crate) bytes: u64,
    /// Entries that stay in memory for who has yet to be sent them, however few are kept.
    pub(crate) leeway: usize,
}

impl Limits {
    /// As many as a batch has at most: who was sent all before it is not left behind by it.
    pub(crate) const LEEWAY: usize = gathering::MAX_TEXTS + gathering::MAX_EVENTS;
    /// The bytes of those, twice those of such a batch.
    const LEEWAY_BYTES: u64 = 2 * gathering::MAX_BYTES as u64;
}

/// How often each side says something.
pub(crate) const BEAT: Duration = Duration::from_secs(1);
/// How often members are looked at: who is silent, who takes frames again.
const LOOK: Duration = Duration::from_millis(250);
/// The same, while somebody is blocked.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A store that has failed is tried again so much later.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// A room.
pub(crate) struct Room {
    name: Name,
    limits: Limits,
    members: Members,
    called: LastCalled,
    log: Log,
    lives: Vec<Life>,
    gathering: Gathering,
    held: Held,
    soon: Soon,
    counters: Counters,
    /// Silence before this is the room's own: it was not listening.
    listening_since: Instant,
    looked_at: Instant,
    is_closed: bool,
}

impl Room {
    /// A room of this name that goes on with what is stored.
    pub(crate) fn open(name: Name, limits: Limits, stored: Stored, now: Instant) -> Self {
        let called = LastCalled::of(&stored.entries);
        let mut log = Log::new(stored.log, stored.first, stored.entries);
        log.trim(limits.entries, limits.bytes);
        log.let_go(limits.leeway, Limits::LEEWAY_BYTES);
        Self {
            members: Members::new(&name),
            called,
            name,
            limits,
            log,
            lives: stored.lives,
            gathering: Gathering::new(stored.authors),
            held: Held::default(),
            soon: Soon::default(),
            counters: Counters::default(),
            listening_since: now,
            looked_at: now,
            is_closed: false,
        }
    }

    /// Takes one input.
    pub(crate) fn on(&mut self, input: Input<'_>, time: Time, shell: &mut impl Shell) {
        if self.is_closed {
            return;
        }
        if !self.has_room() {
            self.listening_since = time.now;
        }
        match input {
            Input::Frame { from, bytes } => self.on_frame(from, bytes, time, shell),
            Input::Parts { from } => self.on_parts(from, shell),
            Input::Stored => self.on_stored(time, shell),
            Input::NotStored(why) => self.on_not_stored(why, time, shell),
            Input::Turn => self.on_turn(time, shell),
            Input::Close => self.on_close(shell),
        }
        self.audit();
    }

    /// Whether there is room for what further frames may say. While there is not, frames should wait where they are.
    pub(crate) fn has_room(&self) -> bool {
        self.gathering.has_room()
    }

    /// When [`Input::Turn`] is due, even if nothing is heard.
    pub(crate) fn next_deadline(&self) -> Instant {
        let look = match (self.members.is_empty() && self.soon.is_empty(), self.members.is_any_blocked()) {
            (true, _) => Instant::NEVER,
            (false, true) => self.looked_at + LOOK_AGAIN,
            (false, false) => self.looked_at + LOOK,
        };
        look.min(self.gathering.next_deadline())
    }

    /// What was counted.
    pub(crate) fn counters(&self) -> Counters {
        Counters {
            members: self.members.len() as u64,
            entries: self.log.len() as u64,
            head: self.log.head(),
            waiting: self.gathering.len() as u64,
            ..self.counters.clone()
        }
    }

    fn on_stored(&mut self, time: Time, shell: &mut impl Shell) {
        let news = self.gathering.on_stored(&mut self.log);
        for (id, number) in news.joined {
            self.members.begin_after(id, number);
        }
        if self.members.is_any_coming() {
            self.members.begin_all_but(&self.gathering.coming());
        }
        for (author, number) in news.kept {
            self.acknowledge(author, number, time, shell);
        }
        self.counters.stored += 1;
        self.on_settled(time, shell);
        self.deliver(time, shell);
        self.log.trim(self.limits.entries, self.limits.bytes);
        self.log.let_go(self.limits.leeway, Limits::LEEWAY_BYTES);
        self.on_turn(time, shell);
    }

    fn on_not_stored(&mut self, why: &str, time: Time, shell: &mut impl Shell) {
        self.counters.store_failures += 1;
        for (author, number) in self.gathering.on_not_stored(time.now + STORE_AGAIN) {
            self.counters.unheard += 1;
            self.say_unheard(author, number, why, shell);
        }
        self.on_settled(time, shell);
        self.on_turn(time, shell);
    }

    fn on_turn(&mut self, time: Time, shell: &mut impl Shell) {
        self.look_if_due(time, shell);
        self.deliver(time, shell);
        self.answer(time, shell);
        if let Some(batch) = self.gathering.next_batch(&self.log, self.limits, &self.members, time.now) {
            shell.store(batch);
        }
    }

    /// Members that are silent leave; those that hear nothing else are given a beat.
    fn look_if_due(&mut self, time: Time, shell: &mut impl Shell) {
        let since = time.now.since(self.looked_at);
        if since < LOOK_AGAIN {
            return;
        }
        // A room that was stopped has heard nobody, and that is nobody's fault but its own.
        if since >= BEAT && !self.members.is_empty() {
            self.listening_since = time.now;
        }
        self.looked_at = time.now;
        self.members.unblock();
        self.members.forget_begun(BEAT, time.now);
        self.hear_those_put_off(time, shell);
        let dead = BEAT * SILENT_BEATS;
        for seat in self.members.silent(self.listening_since, time.now, dead) {
            self.drop_member(seat, Dropped::Silent, time, shell);
        }
        self.beat(time, shell);
    }

    /// Invariants of what the parts do not know of each other.
    fn audit(&self) {
        debug_assert!(self.members.iter().all(|(_, member)| member.cursor.is_within(&self.log)));
        debug_assert!(self.members.len() <= self.limits.members);
        debug_assert!(self.held.authors().all(|author| self.gathering.is_on_its_way(author)));
        self.members.audit();
    }
}

/// The author of what is everybody's: a number that no member has.
const NOBODY: MemberId = MemberId([0; 16]);
