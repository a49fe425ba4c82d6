//! The machine of a client: inputs and the time go in, effects come out.
//!
//! It comes to a place in the room and keeps it, says each text once, shows each entry once, and knows what to do when the
//! room is away, refuses, or speaks the classic dialect. It knows no socket, clock, file or terminal.
//!
//! ```text
//!               connected             Speak               Welcome
//!  Unconnected ──────────▶ Joining ──────────▶ Greeting ──────────▶ Live
//!      ▲                    │  │ ▲               │                   │
//!      │ disconnected       │  │ └──── Pausing ◀─┴── no answer, ─────┘
//!      └──── from anywhere  │  │        a gap, silence, Speak, Closing
//!                           │  └─ JSON ─▶ Classic
//!                           └─ refused ─▶ Ended ◀── left, from anywhere
//! ```

mod classic;
mod coming;
mod memory;
mod place;
mod telling;
#[cfg(test)]
mod tests;
mod typing;
mod words;

use std::{mem, time::Duration};

use proto::{backoff::Backoff, time::Instant};

pub(crate) use self::memory::{MAX_KEPT, Memory, Record, Written};
pub(crate) use self::words::left_behind;
use self::{classic::Passing, place::Place};
use crate::{
    Line, Name, Typed,
    wire::room::{self, FromRoom, Key, LogId, Refusal, ToRoom, Unreadable},
};

/// A room has so long to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Between attempts.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// What is done so soon needs no word.
const SOON: Duration = Duration::from_millis(500);
/// What the disk or the room could not keep is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a member is told.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// There is a connection.
    Connected,
    /// There is none any more.
    Disconnected,
    /// A frame has come, at this time in milliseconds since 1970.
    Frame { bytes: &'a [u8], at: u64 },
    /// Something was typed, at this time in milliseconds since 1970. `/history` is not for here.
    Typed { typed: Typed, at: u64 },
    /// All records up to this one are on the disk.
    Synced { to: u64 },
    /// So many of the texts that were passed last were taken, from the first on.
    Passed { taken: usize },
    /// The connection takes texts again.
    HasRoom,
    /// All that the connection has taken is at the other end's host.
    Delivered,
    /// The records from this one on could not be kept.
    Unkept { from: u64, why: String },
    /// What had been shown up to this is on the screen. Only then is it acknowledged: a room waits for a screen that cannot
    /// follow, and a client that is killed loses nothing that it has not shown.
    Shown(Shown),
    /// Leave at once.
    Leave,
    /// Time has passed.
    Tick,
}

/// What a member wants done, in this order.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Send a frame. One that cannot be sent is lost.
    Send(Vec<u8>),
    /// Give these texts to the connection, in this order and until it refuses one, and say how many it took; then, when it takes
    /// more, and when all that it took has arrived.
    Pass(Vec<Vec<u8>>),
    /// Show a line.
    Show(Line),
    /// Say so when all that is shown so far is on the screen.
    Await(Shown),
    /// These are there, for completing.
    Know(Vec<Name>),
    /// Whether something can be said to one only in this room.
    Private(bool),
    /// One is called so from now on.
    Rename(Name),
    /// Write the record to the journal.
    Keep(Written),
    /// Bring the journal to the disk, then say so.
    Sync,
    /// It is over. Nothing follows.
    End(End),
}

/// Up to which number of which log there is nothing more to show, and in how many bytes that came to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    log: LogId,
    number: u64,
    bytes: u64,
}

/// How it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As it was wished.
    Left,
    /// So many texts are not known to be kept by the room.
    GraceExpired(usize),
    /// Something that was said in a classic room may not have arrived.
    InDoubt,
    /// The room has no place for it.
    Refused(Refusal),
}

/// What a member is, before it meets a room.
pub(crate) struct Beginning {
    pub(crate) name: Name,
    pub(crate) key: Key,
    /// Where the room is, for people and for the memory: `localhost:9999`.
    pub(crate) room: String,
    /// How long leaving may wait for texts to be heard.
    pub(crate) grace: Duration,
    pub(crate) memory: Memory,
    /// Of the jitter between attempts.
    pub(crate) seed: u64,
}

/// One member of a room, as its own process sees it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing of its own that is known, or has been told"
)]
pub(crate) struct Member {
    name: Name,
    key: Key,
    room: String,
    grace: Duration,
    memory: Memory,
    /// What was given to the screen by this process, on it yet or not.
    shown: Option<Shown>,
    phase: Phase,
    /// Whether the other end of this connection was heard to speak our dialect.
    speaks_ours: bool,
    /// Whether the room spoke the classic dialect when it was there last.
    is_classic: bool,
    /// Whether it ever had a place: who comes back is more patient than who comes.
    had_place: bool,
    told: Told,
    /// Whether a person knows that this disk, or the room, cannot keep texts, or that the name is taken.
    told_unkept: bool,
    told_unheard: bool,
    told_taken: bool,
    is_syncing: bool,
    told_unreadable: bool,
    /// Whether something that was said in a classic room may not have arrived. It was told.
    has_doubts: bool,
    /// Numbers that could not be written are not given again before.
    again_at: Option<Instant>,
    leaving: Option<Leaving>,
    /// What it is to be called: until the room says so, or why not.
    wanted: Option<Name>,
    /// The name in the hello that no welcome has answered.
    greeted: Option<Name>,
    /// Whether a person waits to be told who is there.
    wants_who: bool,
    names: Vec<Name>,
    backoff: Backoff,
    random: fastrand::Rng,
    effects: Vec<Effect>,
}

/// Until when it waits for what was said to be heard, and when that is worth a word.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    until: Instant,
    tell_at: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    /// There is no connection; after a while that is worth a word.
    Unconnected { tell_at: Option<Instant> },
    /// It has sent a join.
    Joining { until: Instant },
    /// It has said hello.
    Greeting { until: Instant },
    /// It has a place.
    Live(Place),
    /// The room speaks the classic dialect.
    Classic(Passing),
    /// It waits before it tries again.
    Pausing { until: Instant },
    /// It is over.
    Ended,
}

/// What a person believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Online,
    Away,
}

impl Member {
    /// A member that has not met its room.
    pub(crate) fn new(beginning: Beginning, now: Instant) -> Self {
        let Beginning { name, key, room, grace, memory, seed } = beginning;
        Self {
            name,
            key,
            room,
            grace,
            memory,
            shown: None,
            phase: Phase::Unconnected { tell_at: Some(now + ANSWER_WITHIN) },
            speaks_ours: false,
            is_classic: false,
            had_place: false,
            told: Told::Nothing,
            told_unkept: false,
            told_unheard: false,
            told_taken: false,
            is_syncing: false,
            told_unreadable: false,
            has_doubts: false,
            again_at: None,
            leaving: None,
            wanted: None,
            greeted: None,
            wants_who: false,
            names: Vec::new(),
            backoff: Backoff::new(PAUSE, PAUSE_MAX),
            random: fastrand::Rng::with_seed(seed),
            effects: Vec::new(),
        }
    }

    /// Handles one input. What has come due is done as well.
    pub(crate) fn on(&mut self, now: Instant, input: Input<'_>) -> Vec<Effect> {
        match input {
            Input::Shown(shown) => self.on_shown(now, shown),
            _ if self.has_ended() => {}
            Input::Connected => self.on_connected(now),
            Input::Disconnected => self.on_disconnected(now),
            Input::Frame { bytes, at } => self.on_frame(now, bytes, at),
            Input::Typed { typed, at } => self.on_typed(now, typed, at),
            Input::Synced { to } => self.on_synced(to),
            Input::Passed { taken } => self.on_passed(taken),
            Input::HasRoom => self.on_has_room(),
            Input::Delivered => self.on_delivered(),
            Input::Unkept { from, why } => self.on_unkept(now, from, &why),
            Input::Leave => self.leave(End::Left),
            Input::Tick => {}
        }
        if !self.has_ended() {
            self.expire(now);
        }
        if !self.has_ended() {
            self.speak(now);
        }
        mem::take(&mut self.effects)
    }

    /// When the next [`Input::Tick`] is due, if nothing comes before.
    pub(crate) fn next_deadline(&self) -> Instant {
        let of_phase = match &self.phase {
            Phase::Unconnected { tell_at } => *tell_at,
            Phase::Joining { until } | Phase::Greeting { until } | Phase::Pausing { until } => Some(*until),
            Phase::Live(place) => Some(place.next_deadline()),
            Phase::Classic(_) => None,
            Phase::Ended => return Instant::NEVER,
        };
        let of_leaving =
            self.leaving.map(|leaving| leaving.tell_at.map_or(leaving.until, |at| at.min(leaving.until)));
        let all = [of_phase, self.again_at, of_leaving];
        all.into_iter().flatten().min().unwrap_or(Instant::NEVER)
    }

    /// Whether a further text may be typed. If not, nothing is to be read from whoever types.
    pub(crate) fn has_room(&self) -> bool {
        self.memory.has_room() && self.leaving.is_none()
    }

    /// The journal's contents, made short.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.memory.records()
    }

    fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    fn on_frame(&mut self, now: Instant, bytes: &[u8], at: u64) {
        if bytes.first() == Some(&b'{') {
            return self.on_classic(bytes, at);
        }
        match room::decode(bytes) {
            Ok(frame) => self.on_ours(now, frame),
            // Its refusal, in words of its own.
            Err(Unreadable::Version(_))
                if matches!(self.phase, Phase::Joining { .. } | Phase::Greeting { .. }) =>
            {
                self.end(End::Refused(Refusal::Version));
            }
            Err(error) => self.tell_unreadable(&error),
        }
    }

    fn on_ours(&mut self, now: Instant, frame: FromRoom) {
        if let Phase::Live(place) = &mut self.phase {
            place.observe(now);
        }
        match (&self.phase, frame) {
            (Phase::Unconnected { .. } | Phase::Ended, _) => {}
            (Phase::Joining { .. } | Phase::Classic(_), FromRoom::Speak) => self.hello(now),
            (Phase::Live(_), FromRoom::Speak) => self.on_place_lost(now),
            // Who has a place is welcomed again if the log has gone on before it was sent anything.
            (Phase::Greeting { .. } | Phase::Live(_), FromRoom::Welcome(welcome)) => {
                self.on_welcome(now, &welcome);
            }
            (_, FromRoom::Refused { why }) => self.on_refused(now, why),
            (_, FromRoom::Closing) => self.on_closing(now),
            (_, FromRoom::Note { text }) => self.warn(text),
            (Phase::Live(_), frame) => self.on_place_frame(now, frame),
            // From before its hello, or out of turn: what matters comes again.
            _ => {}
        }
    }

    fn on_synced(&mut self, to: u64) {
        self.is_syncing = false;
        self.memory.harden(to);
        self.told_unkept = false;
    }

    fn on_unkept(&mut self, now: Instant, from: u64, why: &str) {
        self.is_syncing = false;
        let lost = self.memory.forget_from(from);
        self.again_at = Some(now + AGAIN_AFTER);
        if lost > 0 || !self.told_unkept {
            self.told_unkept = true;
            self.warn(words::unkept(lost, why));
        }
    }

    fn expire(&mut self, now: Instant) {
        if self.again_at.is_some_and(|at| at <= now) {
            self.again_at = None;
            self.remember_again();
        }
        match &mut self.phase {
            Phase::Unconnected { tell_at } if tell_at.is_some_and(|at| at <= now) => {
                *tell_at = None;
                self.tell_away("no room answers there");
            }
            Phase::Joining { until } | Phase::Greeting { until } if *until <= now => {
                self.speaks_ours = false;
                self.tell_away("no answer has come");
                self.pause(now);
            }
            Phase::Pausing { until } if *until <= now => self.knock(now),
            Phase::Live(_) => self.expire_place(now),
            _ => {}
        }
        if !self.has_ended() {
            self.expire_leaving(now);
        }
    }

    /// Says what is to be said, and leaves when that was all.
    fn speak(&mut self, now: Instant) {
        match &self.phase {
            Phase::Live(_) => self.speak_in_place(now),
            Phase::Classic(_) => self.speak_in_classic(),
            _ => {}
        }
        if self.memory.needs_disk() && !self.is_syncing {
            self.is_syncing = true;
            self.effects.push(Effect::Sync);
        }
        if self.leaving.is_some() && self.memory.waiting() == 0 && !self.wants_who && !self.is_unsure() {
            self.leave(if self.has_doubts { End::InDoubt } else { End::Left });
        }
    }

    fn leave(&mut self, end: End) {
        match &self.phase {
            Phase::Classic(_) => self.leave_classic(),
            _ if self.speaks_ours => self.effects.push(Effect::Send(room::encode(&ToRoom::Bye))),
            _ => {}
        }
        self.end(end);
    }

    fn end(&mut self, end: End) {
        self.phase = Phase::Ended;
        self.effects.push(Effect::End(end));
    }

    fn send(&mut self, now: Instant, frame: &ToRoom) {
        if let Phase::Live(place) = &mut self.phase {
            place.has_spoken(now);
        }
        self.effects.push(Effect::Send(room::encode(frame)));
    }

    fn called(&mut self, name: Name) {
        self.name = name.clone();
        self.effects.push(Effect::Rename(name));
    }
}
