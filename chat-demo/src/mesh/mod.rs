//! A mesh without a server: what one member decides.
//!
//! Each member keeps a log for each author with consecutive numbers and tells its clock (author to number); whoever hears
//! it gives what the clock lacks. Live texts, relays between two that do not hear each other, and what was missed during a
//! partition are all this one rule (`delivery`). What is heard is shown in the order in which it comes; `history` has the
//! order that all agree on. Who is there is known by beats (`peers`), where they are by hearsay (`ways`).
//!
//! Here is no socket, clock, thread or log: `process` brings [`Input`]s and carries out [`Effect`]s.

mod address;
mod clock;
mod delivery;
mod hearing;
mod history;
mod peers;
mod process;
mod screen;
mod speaking;
mod stamp;
mod ways;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use proto::time::Instant;
use serde::Serialize;

use crate::{
    How, Line, Name, Said, Typed,
    wire::mesh::{AuthorId, Entry, Frame, Place, Speaker},
};
use address::{Absence, Address};
use history::{Bounds, History};
use peers::Peers;
use screen::Screen;
use stamp::HybridClock;
use ways::{Step, WayId, Ways};

pub(crate) use process::{Args, run};

/// What a member hears of.
#[derive(Debug)]
pub(crate) enum Input {
    /// A peer has said something.
    Heard {
        /// Who, and on which of its ways.
        speaker: Speaker,
        /// From where.
        from: IpAddr,
        /// What.
        frame: Frame,
    },
    /// Something came that is no frame of a member.
    Strange,
    /// A person has typed something.
    Typed(Typed),
    /// Why nobody is met at an address that was looked at.
    Absent(Address, Absence),
    /// Whether the screen is behind with what it is to show.
    Behind(bool),
    /// The process is to end at once.
    Leave,
    /// A deadline may have come.
    Tick,
}

/// What the process is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Make this way to this address, for the so-manieth time.
    Dial(WayId, Address, u32),
    /// Have done with this way.
    HangUp(WayId),
    /// Say this on this way; lost if that is not possible now.
    Say(WayId, Frame),
    /// Find out why nobody is met at this address, of a name the one of the so-manieth time.
    Look(Address, u32),
    /// Show this to the person.
    Show(Line),
    /// These can be named.
    Know(Vec<Name>),
    /// This is one's name now.
    Renamed(Name),
    /// It is over; so many texts of one's own nobody has been seen to have.
    End(u64),
}

/// What a member starts with.
#[derive(Debug)]
pub(crate) struct Start {
    /// Random, and new for each start.
    pub(crate) author: AuthorId,
    pub(crate) name: Name,
    /// Where it hears.
    pub(crate) port: u16,
    /// Whom to try for ever.
    pub(crate) peers: Vec<Address>,
    /// What the jitter of attempts is made of.
    pub(crate) seed: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Frames heard from peers.
    pub(crate) frames: u64,
    /// Messages that were no frame of a member.
    pub(crate) strange: u64,
    /// Frames of whom is not known, or not yet.
    pub(crate) unknown: u64,
    /// Members that were not met, because there are enough.
    pub(crate) crowded_out: u64,
    /// Texts heard for the first time.
    pub(crate) texts: u64,
    /// Texts heard again, and dropped.
    pub(crate) repeated: u64,
    /// Runs of texts that came before what they follow, and were dropped.
    pub(crate) early: u64,
    /// Texts from before all that is kept, of authors that are not known, or not any more.
    pub(crate) below: u64,
    /// Frames of texts that were dropped because too many waited for the screen: they are given again.
    pub(crate) unread: u64,
    /// Texts that nobody keeps any longer.
    pub(crate) missed: u64,
    /// How often something was sent again, because no beat told of it.
    pub(crate) resent: u64,
}

/// Each member says at least so often that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// Every so-manieth beat is a hello: names and addresses that got lost are told again.
const HELLO_BEATS: u32 = 5;
/// After so many bytes of texts a beat is due, so that more can follow.
const BEAT_BYTES: usize = delivery::WINDOW / 4;
/// With so many texts that not all have yet, nothing more is read from a script that types.
const MAX_UNHEARD: usize = 1_000;
/// Who was given and is not met by then is told to be missing.
const MISSED: Duration = Duration::from_secs(2);
/// How long a member that leaves waits until others have what it said.
const GRACE: Duration = Duration::from_secs(5);

/// One member.
#[derive(Debug)]
pub(crate) struct Mesh {
    own: AuthorId,
    port: u16,
    now: Instant,
    wall: u64,
    stamps: HybridClock,
    history: History,
    peers: Peers,
    ways: Ways,
    /// The last place of the order that was shown.
    shown: Option<Place>,
    screen: Screen,
    /// Of whom was told that their clock is far ahead: at most as many as there may be peers.
    ahead: BTreeSet<AuthorId>,
    beat_at: Instant,
    beats: u32,
    /// When it is looked at where nobody was met.
    look_at: Instant,
    /// Of texts, since the last beat.
    heard_bytes: usize,
    /// The number up to which somebody has had all that was said here.
    had: u64,
    /// The last moment of one that leaves.
    leaves_at: Option<Instant>,
    has_ended: bool,
    counts: Counts,
    effects: Vec<Effect>,
}

impl Mesh {
    /// A member that knows nobody yet; `wall` is the time in milliseconds since 1970.
    pub(crate) fn new(start: Start, now: Instant, wall: u64) -> Self {
        Self {
            own: start.author,
            port: start.port,
            now,
            wall,
            stamps: HybridClock::default(),
            history: History::new(start.author, Bounds::default()),
            peers: Peers::new(start.author, start.name),
            ways: Ways::new(start.peers, fastrand::Rng::with_seed(start.seed), now),
            shown: None,
            screen: Screen::default(),
            ahead: BTreeSet::new(),
            beat_at: now + BEAT,
            beats: 0,
            look_at: now + MISSED,
            heard_bytes: 0,
            had: 0,
            leaves_at: None,
            has_ended: false,
            counts: Counts::default(),
            effects: Vec::new(),
        }
    }

    /// Handles one input, and says what is to be done.
    pub(crate) fn handle(&mut self, input: Input, now: Instant, wall: u64) -> Vec<Effect> {
        if self.has_ended {
            return Vec::new();
        }
        (self.now, self.wall) = (now, wall);
        match input {
            Input::Heard { speaker, from, frame } => self.on_frame(speaker, from, frame),
            Input::Strange => self.counts.strange += 1,
            Input::Typed(typed) => self.on_typed(typed),
            Input::Absent(address, why) => self.on_absent(&address, why),
            Input::Behind(is_behind) => self.screen.is_behind = is_behind,
            Input::Leave => self.end(),
            Input::Tick => {}
        }
        self.follow();
        self.expire();
        self.give();
        self.end_if_done();
        std::mem::take(&mut self.effects)
    }

    /// When it wants to be called at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        let leaves_at = self.leaves_at.unwrap_or(Instant::NEVER);
        let screen = if self.screen.wants_more() { self.now } else { Instant::NEVER };
        let members = self.ways.deadline().min(self.peers.deadline());
        self.beat_at.min(self.look_at).min(members).min(leaves_at).min(screen)
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether one's own texts have gone where they are to go, and what was asked for is shown, so that more can be typed.
    pub(crate) fn has_room(&self) -> bool {
        !self.screen.is_telling() && self.unheard_here().is_none_or(|unheard| unheard < MAX_UNHEARD)
    }

    /// How many are here, with this one.
    pub(crate) fn online(&self) -> usize {
        self.peers.online()
    }

    /// How many texts are kept.
    pub(crate) fn kept(&self) -> usize {
        self.history.len()
    }

    fn expire(&mut self) {
        for author in self.peers.silent(self.now) {
            self.lose(author, false);
        }
        for step in self.ways.expire(self.now) {
            self.step(step);
        }
        if self.look_at <= self.now {
            self.look();
        }
        if self.beat_at <= self.now || self.heard_bytes >= BEAT_BYTES {
            self.beat();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Dial(way, address, attempt) => self.effects.push(Effect::Dial(way, address, attempt)),
            Step::Greet(way) => {
                let author = self.ways.address_of(way).and_then(|address| self.peers.at(address));
                self.greet(way, author);
            }
            Step::HangUp(way) => self.effects.push(Effect::HangUp(way)),
        }
    }

    /// Has a look at each address that was given, once, where nobody was met.
    fn look(&mut self) {
        self.look_at = Instant::NEVER;
        let unmet = self.ways.unmet().map(|(address, attempt)| Effect::Look(address.clone(), attempt));
        self.effects.extend(unmet);
    }

    fn on_absent(&mut self, address: &Address, why: Absence) {
        if self.ways.unmet().any(|(unmet, _)| unmet == address) {
            self.warn(format!("{address} is not there yet: {why}. It is tried on."));
        }
    }

    fn end_if_done(&mut self) {
        let Some(leaves_at) = self.leaves_at else { return };
        let is_waiting = match self.unheard_here() {
            Some(unheard) => unheard > 0,
            None => self.unheard() > 0 && self.ways.is_calling(),
        };
        if leaves_at <= self.now || !is_waiting {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        let ways: Vec<_> = self.peers.iter().filter_map(|(_, peer)| peer.way).collect();
        self.effects.extend(ways.into_iter().map(|way| Effect::Say(way, Frame::Bye)));
        self.effects.push(Effect::End(self.unheard()));
    }

    /// How many texts of one's own nobody has ever been seen to have.
    fn unheard(&self) -> u64 {
        self.history.clock().of(self.own) - self.had
    }

    /// How many that can be given somebody who is here lacks, as far as it matters; none if nobody is here.
    fn unheard_here(&self) -> Option<usize> {
        self.heard_here().map(|heard| self.history.after(self.own, heard).take(MAX_UNHEARD).count())
    }

    /// Up to which number all who are here have one's own texts; none if nobody is here.
    fn heard_here(&self) -> Option<u64> {
        self.peers.present().map(|(_, peer)| peer.delivery.known().of(self.own)).min()
    }

    fn tell(&mut self, text: impl Into<String>) {
        self.effects.push(Effect::Show(Line::Told(text.into())));
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.effects.push(Effect::Show(Line::Warned(text.into())));
    }

    #[cfg(test)]
    fn check(&self) {
        use crate::wire::mesh::MAX_KNOWN;

        self.history.check();
        for (_, peer) in self.peers.iter() {
            peer.delivery.check();
            assert!(!peer.is_present || peer.name.is_some() && peer.way.is_some());
            assert!(peer.way.is_none_or(|way| self.ways.has(way)));
        }
        let mut peers: Vec<_> = self.peers.iter().map(|(author, _)| author).chain([self.own]).collect();
        peers.sort();
        assert_eq!(self.history.held(), peers);
        assert!(self.history.clock().to_wire().len() <= MAX_KNOWN);
    }
}

/// A text of the history, as it is shown.
fn line(peers: &Peers, place: &Place, entry: &Entry, how: How) -> Line {
    let (tone, name) = (entry.tone.into(), peers.shown(place.author, &entry.name));
    Line::Said(Said { at: entry.stamp.at, name, text: entry.text.clone(), tone, how })
}
