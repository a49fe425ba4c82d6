//! A place in a room: from its welcome until it is lost.
//!
//! What the room sends is shown once and in order: a stretch that does not follow what was seen sends the member back to say
//! hello, which names what it has. What the member says is spoken in order, and again from where the room has it if the room
//! does not confirm it in time.

mod seeing;

use std::{mem, time::Duration};

use proto::time::Instant;

use super::{AGAIN_AFTER, Effect, Member, Phase, Told, memory::MAX_KEPT, words};
use crate::{
    Name, announcement,
    wire::room::{Entries, FromRoom, LogId, MAX_SAID, SILENT_BEATS, Say, ToRoom, Utterance, Welcome, What},
};

/// A room that says how often it speaks is believed between these.
const BEAT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// What is acknowledged without waiting for the beat: a quarter of what a room sends unacknowledged.
const ACK_ENTRIES: u64 = 1024;
const ACK_BYTES: u64 = 256 * 1024;
/// The texts of a frame have about so many bytes at most; the longest text is much shorter.
const SAY_BYTES: usize = 128 * 1024;

/// The place.
#[derive(Debug)]
pub(super) struct Place {
    log: LogId,
    beat: Duration,
    /// The last number shown, or known to be for others.
    seen: u64,
    /// The last number that is remembered as seen, and that the room may be told. Invariant: at most `seen`.
    kept_seen: u64,
    /// What comes up to this number was missed.
    missed_to: u64,
    /// In how many bytes it came, and both as the room was told last.
    kept_bytes: u64,
    told_seen: u64,
    told_bytes: u64,
    /// The member's own numbers: kept by the room, and spoken to it. Invariant: heard <= said.
    heard: u64,
    said: u64,
    /// The room was heard, and spoken to.
    observed_at: Instant,
    spoken_at: Instant,
    /// Until then the room confirms something, or is asked what it has.
    patience: Option<Instant>,
    /// What the room could not keep is spoken again then.
    again_at: Option<Instant>,
    /// The name that it has asked for here.
    asked_name: Option<Name>,
}

impl Place {
    /// Something came from the room.
    pub(super) fn observe(&mut self, now: Instant) {
        self.observed_at = now;
    }

    /// Something was sent to it.
    pub(super) fn has_spoken(&mut self, now: Instant) {
        self.spoken_at = now;
    }

    pub(super) fn next_deadline(&self) -> Instant {
        let always = [self.silent_at(), self.spoken_at + self.beat];
        let sometimes = [self.patience, self.again_at];
        always.into_iter().chain(sometimes.into_iter().flatten()).min().unwrap_or(Instant::NEVER)
    }

    fn silent_at(&self) -> Instant {
        self.observed_at + self.silence()
    }

    fn silence(&self) -> Duration {
        self.beat * SILENT_BEATS
    }

    fn is_ack_due(&self) -> bool {
        self.kept_seen.saturating_sub(self.told_seen) >= ACK_ENTRIES
            || self.kept_bytes.saturating_sub(self.told_bytes) >= ACK_BYTES
    }

    fn has_told_seen(&mut self) {
        (self.told_seen, self.told_bytes) = (self.kept_seen, self.kept_bytes);
    }
}

impl Member {
    pub(super) fn on_welcome(&mut self, now: Instant, welcome: &Welcome) {
        if self.told != Told::Online {
            self.tell(announcement::online(welcome.online));
            self.told = Told::Online;
        }
        let kept_seen = self.agree_on_seen(welcome);
        // What a screen that could not follow was given is not remembered yet, and yet is not shown to it again.
        let seen = kept_seen.max(self.shown_of(welcome.log).min(welcome.head)).max(welcome.from);
        let bytes = self.shown.map_or(0, |shown| shown.bytes);
        let log = welcome.log;
        self.tell_doubtful(welcome);
        let heard = self.memory.hear(log, welcome.heard);
        let settled = self.memory.settle(log, welcome.heard.saturating_add(1));
        self.effects.extend(heard.into_iter().chain(settled).map(Effect::Keep));
        // A further welcome is to the same place: what was asked for there is not lost.
        let asked_name = if let Phase::Live(place) = &self.phase { place.asked_name.clone() } else { None };
        self.phase = Phase::Live(Place {
            log,
            beat: Duration::from_millis(welcome.beat.into()).clamp(BEAT.0, BEAT.1),
            seen,
            kept_seen,
            missed_to: welcome.past,
            kept_bytes: bytes,
            told_seen: kept_seen,
            told_bytes: bytes,
            heard: welcome.heard,
            said: welcome.heard,
            observed_at: now,
            spoken_at: now,
            patience: None,
            again_at: None,
            asked_name,
        });
        (self.had_place, self.told_taken) = (true, false);
        self.backoff.reset();
        if let Some(name) = self.greeted.take() {
            self.on_named(name);
        }
        self.send(now, &ToRoom::Who);
    }

    /// The room calls it so, because its hello did. What was asked for since is yet to be asked for here.
    fn on_named(&mut self, name: Name) {
        if self.wanted.as_ref() == Some(&name) {
            self.wanted = None;
            self.tell(words::called(&name));
        } else if self.name != name {
            self.wanted = Some(self.name.clone());
        }
        if self.name != name {
            self.called(name);
        }
    }

    /// Up to where this log counts as seen. What the room keeps no longer is told, and seen when that is on the screen.
    fn agree_on_seen(&mut self, welcome: &Welcome) -> u64 {
        let Welcome { log, from, life, .. } = *welcome;
        let (last_log, _) = self.memory.last_seen();
        let had_seen = self.memory.seen_of(log);
        let had_shown = had_seen.max(self.shown_of(log));
        let is_known = last_log == Some(log);
        // A room that was put back to an earlier day counts from there.
        let common = welcome.common.min(welcome.head);
        let seen = if is_known { had_seen.min(common) } else { had_seen.min(common).max(from) };
        let written = self.memory.meet(log, seen, life);
        self.effects.push(Effect::Keep(written));
        let shown = had_shown.min(common);
        if let Some(last) = self.shown.as_mut().filter(|last| last.log == log) {
            last.number = shown;
        }
        if shown < had_shown {
            self.tell(words::PUT_BACK);
        }
        if is_known && from > shown {
            self.tell(words::not_kept(from - shown));
            self.await_screen(log, from, 0);
        }
        if last_log.is_some_and(|last| last != log) && had_seen == 0 {
            self.tell("The room has a new log: what was said since you left and before it began is lost.");
        }
        seen
    }

    /// Up to which number of this log this process has shown what there was.
    fn shown_of(&self, log: LogId) -> u64 {
        self.shown.filter(|shown| shown.log == log).map_or(0, |shown| shown.number)
    }

    pub(super) fn on_place_frame(&mut self, now: Instant, frame: FromRoom) {
        match frame {
            FromRoom::Entries(entries) => self.on_entries(now, &entries),
            FromRoom::Heard { number } => self.on_heard(now, number),
            FromRoom::Unheard { number, why } => self.on_unheard(now, number, &why),
            FromRoom::Who { names } => self.on_names(names),
            FromRoom::NotRenamed { name, why } => self.on_not_renamed(&name, why),
            FromRoom::Beat { sent } => self.on_beat(now, sent),
            _ => {}
        }
    }

    /// What was sent before a beat comes before it, or was lost.
    fn on_beat(&mut self, now: Instant, sent: u64) {
        if matches!(&self.phase, Phase::Live(place) if sent > place.seen) {
            self.pause(now);
        }
    }

    fn on_entries(&mut self, now: Instant, entries: &Entries) {
        let Phase::Live(place) = &self.phase else { return };
        let (seen, missed_to) = (place.seen, place.missed_to);
        if entries.after > seen {
            return self.pause(now);
        }
        let names_before = self.names.len();
        let mut last = seen;
        let mut has_renamed = false;
        for entry in entries.iter() {
            match entry {
                Ok(entry) if entry.number > last => {
                    last = entry.number;
                    has_renamed |= matches!(entry.what, What::Renamed(_));
                    self.on_entry(entry, missed_to);
                }
                Ok(_) => {}
                Err(error) => self.tell_unreadable(&error),
            }
        }
        if has_renamed || names_before != self.names.len() {
            self.effects.push(Effect::Know(self.names.clone()));
        }
        self.has_seen(last.max(entries.to), entries.entries.len());
    }

    fn on_names(&mut self, names: Vec<Name>) {
        if mem::take(&mut self.wants_who) {
            self.tell(words::who(&names));
        }
        self.names.clone_from(&names);
        self.effects.push(Effect::Know(names));
    }

    fn on_not_renamed(&mut self, name: &Name, why: String) {
        self.wanted.take_if(|wanted| wanted == name);
        self.warn(why);
    }

    fn on_heard(&mut self, now: Instant, number: u64) {
        let Phase::Live(place) = &mut self.phase else { return };
        // What was not said cannot have been heard.
        let number = number.min(place.said);
        if number <= place.heard {
            return;
        }
        place.heard = number;
        place.again_at = None;
        place.patience = (number < place.said).then(|| now + place.silence());
        let written = self.memory.hear(place.log, number);
        self.effects.extend(written.map(Effect::Keep));
        self.told_unheard = false;
    }

    /// All is said again from there in a while: the room takes nothing that does not follow.
    fn on_unheard(&mut self, now: Instant, number: u64, why: &str) {
        let Phase::Live(place) = &mut self.phase else { return };
        if number > place.said || number <= place.heard {
            return;
        }
        place.patience = None;
        place.again_at = Some(now + AGAIN_AFTER);
        if !self.told_unheard {
            self.told_unheard = true;
            self.warn(words::unheard(why));
        }
    }

    pub(super) fn expire_place(&mut self, now: Instant) {
        let Phase::Live(place) = &mut self.phase else { return };
        if place.silent_at() <= now {
            self.tell_away("it is silent");
            return self.pause(now);
        }
        if place.patience.is_some_and(|until| until <= now) {
            return self.pause(now);
        }
        if place.again_at.is_some_and(|at| at <= now) {
            (place.again_at, place.said) = (None, place.heard);
        }
        if place.spoken_at + place.beat <= now {
            self.beat(now);
        }
    }

    fn beat(&mut self, now: Instant) {
        let Phase::Live(place) = &mut self.phase else { return };
        place.has_told_seen();
        let seen = place.kept_seen;
        self.send(now, &ToRoom::Beat { seen });
    }

    /// Gives numbers to what was typed, and speaks what has one on the disk.
    pub(super) fn speak_in_place(&mut self, now: Instant) {
        let Phase::Live(place) = &mut self.phase else { return };
        if self.again_at.is_none() {
            let written = self.memory.number(place.log, place.heard.saturating_add(1));
            self.effects.extend(written.map(Effect::Keep));
        }
        if place.again_at.is_some() {
            return;
        }
        let texts = self.memory.speakable(place.log, place.said, MAX_KEPT);
        let Some(last) = texts.last() else { return self.ask_for_name(now) };
        place.said = last.number;
        place.patience.get_or_insert(now + place.silence());
        for said in in_frames(texts) {
            self.say(now, said);
        }
        self.ask_for_name(now);
    }

    /// Asks for the name that is wanted, once a place, unless a text that was typed before it is yet to be spoken.
    fn ask_for_name(&mut self, now: Instant) {
        let Phase::Live(place) = &mut self.phase else { return };
        if self.memory.needs_disk() || place.asked_name == self.wanted {
            return;
        }
        place.asked_name.clone_from(&self.wanted);
        if let Some(name) = self.wanted.clone() {
            self.send(now, &ToRoom::Rename { name });
        }
    }

    fn say(&mut self, now: Instant, said: Vec<Utterance>) {
        let Phase::Live(place) = &mut self.phase else { return };
        place.has_told_seen();
        let seen = place.kept_seen;
        self.send(now, &ToRoom::Say(Say { seen, said }));
    }
}

/// The texts, as many in a frame as it may have.
fn in_frames(texts: Vec<Utterance>) -> Vec<Vec<Utterance>> {
    let mut frames: Vec<Vec<Utterance>> = Vec::new();
    let mut bytes = 0;
    for text in texts {
        bytes += text.text.as_str().len();
        match frames.last_mut() {
            Some(frame) if frame.len() < MAX_SAID && bytes <= SAY_BYTES => frame.push(text),
            _ => {
                bytes = text.text.as_str().len();
                frames.push(vec![text]);
            }
        }
    }
    frames
}
