//! What of the log is shown to a person, and when it counts as seen.

use proto::time::Instant;

use super::super::{Effect, Member, Phase, Shown, words};
use crate::{
    How, Line, Name, Said, Tone, announcement,
    wire::room::{Entry, LogId, What},
};

impl Member {
    pub(super) fn has_seen(&mut self, seen: u64, bytes: usize) {
        let Phase::Live(place) = &mut self.phase else { return };
        place.seen = place.seen.max(seen);
        let (log, number) = (place.log, place.seen);
        self.await_screen(log, number, bytes);
    }

    pub(super) fn await_screen(&mut self, log: LogId, number: u64, bytes: usize) {
        let bytes = self.shown.map_or(0, |shown| shown.bytes) + bytes as u64;
        let shown = Shown { log, number, bytes };
        self.shown = Some(shown);
        self.effects.push(Effect::Await(shown));
    }

    /// What is on the screen is remembered, and then the room may be told.
    pub(in crate::client::member) fn on_shown(&mut self, now: Instant, shown: Shown) {
        let log = shown.log;
        // A room may have been put back to an earlier day.
        let number =
            if let Phase::Live(place) = &self.phase { shown.number.min(place.seen) } else { shown.number };
        if self.memory.last_seen().0 != Some(log) || number <= self.memory.seen_of(log) {
            return;
        }
        let written = self.memory.see(log, number);
        self.effects.push(Effect::Keep(written));
        if let Phase::Live(place) = &mut self.phase {
            (place.kept_seen, place.kept_bytes) = (number, shown.bytes);
            if place.is_ack_due() {
                self.beat(now);
            }
        }
    }

    /// What the journal lost, it is told once more.
    pub(in crate::client::member) fn remember_again(&mut self) {
        let Phase::Live(place) = &self.phase else { return };
        let written = self.memory.see(place.log, place.kept_seen);
        self.effects.push(Effect::Keep(written));
    }

    pub(super) fn on_entry(&mut self, entry: Entry, missed_to: u64) {
        let is_missed = entry.number <= missed_to;
        if let Some(announced) = announcement::of(&entry.name, &entry.what) {
            // Who came and went meanwhile is in nobody's interest; who is there is asked.
            if !is_missed {
                self.on_announced(&entry.name, &entry.what, announced);
            }
            return;
        }
        let (text, tone) = match entry.what {
            What::Text(text) => (text, Tone::Plain),
            What::Action(text) => (text, Tone::Action),
            What::Private(text) => (text, Tone::Private(self.name.clone())),
            What::Joined(_) | What::Left(_) | What::Renamed(_) => return,
        };
        let how = if is_missed { How::Missed } else { How::Live };
        self.show(Line::Said(Said { at: entry.at, name: entry.name, text, tone, how }));
    }

    fn on_announced(&mut self, name: &Name, what: &What, announced: String) {
        match what {
            // It came back under this name.
            What::Renamed(to) if *to == self.name => return,
            What::Renamed(to) if *name == self.name => {
                self.wanted.take_if(|wanted| wanted == to);
                self.called(to.clone());
                self.tell(words::called(to));
                return;
            }
            What::Joined(_) if !self.names.contains(name) => self.names.push(name.clone()),
            What::Left(_) => self.names.retain(|other| other != name),
            What::Renamed(to) => self.names.iter_mut().filter(|other| *other == name).for_each(|other| {
                other.clone_from(to);
            }),
            _ => {}
        }
        self.tell(announced);
    }
}
