//! What a member makes of what it hears.

use std::net::{IpAddr, SocketAddr};

use super::{
    Effect, Mesh, WayId,
    clock::Clock,
    history::{Taken, weight},
    line,
    peers::Peer,
    stamp::is_far_ahead,
};
use crate::{
    How, Line, Name, Said, Text, Tone, announcement,
    wire::mesh::{AuthorId, Beat, Entry, Frame, Hello, MAX_PEERS, Place, Run, Speaker},
};

impl Mesh {
    pub(super) fn on_frame(&mut self, speaker: Speaker, from: IpAddr, frame: Frame) {
        self.counts.frames += 1;
        if speaker.author == self.own {
            if let Some(step) = self.ways.is_own(speaker.way, self.now) {
                self.step(step);
            }
            return;
        }
        // A beat may be long on its way behind texts.
        if let Some(peer) = self.peers.get_mut(speaker.author) {
            peer.heard_at = self.now;
        }
        match frame {
            Frame::Hello(hello) => self.on_hello(speaker, from, hello),
            Frame::Beat(beat) => self.on_beat(speaker, from, &beat),
            Frame::Bye => self.on_bye(speaker.author),
            Frame::Texts { runs } => self.on_texts(speaker.author, runs),
            Frame::Private { at, text } => self.on_private(speaker.author, at, text),
        }
    }

    fn on_hello(&mut self, speaker: Speaker, from: IpAddr, hello: Hello) {
        let Hello { name, beat, peers } = hello;
        let author = speaker.author;
        let address = SocketAddr::new(from.to_canonical(), beat.port);
        if !can_be_dialled(&address) {
            self.counts.strange += 1;
            return;
        }
        for peer in peers.into_iter().filter(|peer| can_be_dialled(peer) && is_near(&address, peer)) {
            self.ways.hear_of(peer, self.now);
        }
        if let Some(peer) = self.meet(author, address, &beat) {
            let before = peer.name.replace(name.clone());
            let is_new = before.as_ref() != Some(&name);
            match before.filter(|_| is_new && peer.is_present) {
                Some(before) => self.on_renamed(author, &before, &name),
                None if is_new => peer.had = Clock::of_wire(&beat.clock),
                None => {}
            }
        }
        self.on_beat(speaker, from, &beat);
    }

    /// The peer, if there is room for one more.
    fn meet(&mut self, author: AuthorId, address: SocketAddr, beat: &Beat) -> Option<&mut Peer> {
        let is_new = self.peers.get(author).is_none();
        let peer = self.peers.meet(author, address, self.now)?;
        if is_new {
            self.history.hold(author, Clock::of_wire(&beat.clock).of(author));
        }
        Some(peer)
    }

    fn on_renamed(&mut self, author: AuthorId, before: &Name, now: &Name) {
        let (before, now) = (self.peers.shown(author, before), self.peers.shown(author, now));
        self.tell(announcement::renamed(&before, &now));
        self.effects.push(Effect::Know(self.peers.names()));
    }

    fn on_beat(&mut self, speaker: Speaker, from: IpAddr, beat: &Beat) {
        let author = speaker.author;
        let address = SocketAddr::new(from.to_canonical(), beat.port);
        if !can_be_dialled(&address) {
            self.counts.strange += 1;
            return;
        }
        let (own, now) = (self.own, self.now);
        let Some(peer) = self.meet(author, address, beat) else {
            self.counts.crowded_out += 1;
            return;
        };
        let is_heard_elsewhere = peer.hears != speaker.way;
        (peer.hears, peer.heard_at, peer.address) = (speaker.way, now, address);
        peer.meets.clone_from(&beat.meets);
        let is_lost = peer.delivery.on_beat(beat, now);
        let had = peer.delivery.known().of(own);
        self.counts.resent += u64::from(is_lost);
        self.had = self.had.max(had.min(self.history.clock().of(self.own)));
        let is_found = self.learn_way(author, beat.hears);
        self.judge(author);
        let Some(peer) = self.peers.get(author) else { return };
        let has_news = is_found || is_heard_elsewhere;
        match peer.way {
            Some(way) if has_news && self.ways.may_answer(way, self.now) => self.greet(way, Some(author)),
            Some(_) => {}
            None => self.ways.call(address, self.now),
        }
    }

    /// The peer says to hear us on this way: so that is where it leads. True if that is news. It may also be one that is no
    /// longer there; and who greets on a way of which it does not know yet where it leads, says 0.
    fn learn_way(&mut self, author: AuthorId, hears: WayId) -> bool {
        let before = self.ways.author_of(hears);
        let is_way = self.ways.has(hears);
        if let Some(other) = before.filter(|&other| other != author) {
            // A new start where another was: nobody else can be there.
            self.ways.found(hears, author, self.now);
            self.lose(other, false);
        }
        let Some(peer) = self.peers.get_mut(author).filter(|_| hears != 0) else { return false };
        peer.heard_us_at = Some(self.now);
        if !is_way {
            return false;
        }
        match peer.way {
            Some(way) if way == hears => false,
            Some(_) => {
                if let Some(step) = self.ways.rest(hears, author) {
                    self.step(step);
                }
                false
            }
            None => {
                peer.way = Some(hears);
                self.ways.found(hears, author, self.now);
                true
            }
        }
    }

    /// Tells whether it is here, if that has changed.
    fn judge(&mut self, author: AuthorId) {
        let Some(peer) = self.peers.get_mut(author) else { return };
        let is_present = peer.can_be_met(self.now);
        if std::mem::replace(&mut peer.is_present, is_present) == is_present {
            return;
        }
        let name = peer.name.clone();
        self.on_presence(author, name, if is_present { "is here" } else { "is away" });
    }

    fn on_presence(&mut self, author: AuthorId, name: Option<Name>, what: &str) {
        let Some(name) = name else { return };
        let (name, online) = (self.peers.shown(author, &name), self.peers.online());
        self.tell(format!("{name} {what}. {online} online."));
        self.effects.push(Effect::Know(self.peers.names()));
    }

    fn on_bye(&mut self, author: AuthorId) {
        self.lose(author, true);
    }

    /// It is not heard any more.
    pub(super) fn lose(&mut self, author: AuthorId, has_left: bool) {
        let Some(peer) = self.peers.remove(author) else { return };
        self.history.release(author);
        for step in self.ways.lose(author, has_left, self.now) {
            self.step(step);
        }
        if peer.is_present {
            self.on_presence(author, peer.name, if has_left { "left" } else { "is away" });
        }
    }

    fn on_texts(&mut self, from: AuthorId, runs: Vec<Run>) {
        if self.peers.get(from).is_none() {
            self.counts.unknown += 1;
            return;
        }
        self.on_readable(runs);
    }

    pub(super) fn on_runs(&mut self, runs: Vec<Run>) {
        for run in runs {
            // Nobody knows better than oneself what one has said.
            if run.author != self.own {
                self.on_run(&run);
            }
        }
    }

    fn on_run(&mut self, run: &Run) {
        self.heard_bytes += run.entries.iter().map(weight).sum::<usize>();
        if run.after > self.history.clock().of(run.author) {
            self.counts.early += 1;
            return;
        }
        for entry in &run.entries {
            self.on_entry(run.author, entry);
        }
    }

    fn on_entry(&mut self, author: AuthorId, entry: &Entry) {
        match self.history.take(author, entry.clone()) {
            Taken::New(place, missing) => {
                self.counts.texts += 1;
                self.stamps.observe(entry.stamp, self.wall);
                self.tell_missing(author, &entry.name, missing);
                self.tell_ahead(author, entry);
                self.show(place, entry);
            }
            Taken::Known => self.counts.repeated += 1,
            Taken::Below => self.counts.below += 1,
        }
    }

    fn tell_missing(&mut self, author: AuthorId, name: &Name, missing: u64) {
        if missing > 0 {
            self.counts.missed = self.counts.missed.saturating_add(missing);
            let name = self.peers.shown(author, name);
            let (messages, are) = if missing == 1 { ("message", "is") } else { ("messages", "are") };
            self.tell(format!("{missing} {messages} of {name} {are} no longer kept."));
        }
    }

    fn show(&mut self, place: Place, entry: &Entry) {
        let how = if self.shown.is_some_and(|shown| place < shown) {
            How::Late
        } else if self.peers.had_when_met(place.author, place.number) {
            How::Missed
        } else {
            How::Live
        };
        self.on_shown(place);
        self.effects.push(Effect::Show(line(&self.peers, &place, entry, how)));
    }

    /// What is shown from now on and stands before this is late; but one wrong clock must not make all others late.
    pub(super) fn on_shown(&mut self, place: Place) {
        if !is_far_ahead(place.stamp, self.wall) {
            self.shown = self.shown.max(Some(place));
        }
    }

    /// Says once whose clock is wrong, or that this one's is.
    fn tell_ahead(&mut self, author: AuthorId, entry: &Entry) {
        let has_room = self.ahead.len() < MAX_PEERS;
        if is_far_ahead(entry.stamp, self.wall) && has_room && self.ahead.insert(author) {
            let name = self.peers.shown(author, &entry.name);
            let seconds = (entry.stamp.at - self.wall) / 1000;
            self.warn(format!(
                "The clock of {name} is {seconds} s ahead of this one. What it says stands after all else in the history."
            ));
        }
    }

    fn on_private(&mut self, author: AuthorId, at: u64, text: Text) {
        let name = self.peers.get(author).and_then(|peer| peer.name.clone());
        let Some(name) = name else {
            self.counts.unknown += 1;
            return;
        };
        let (name, tone) = (self.peers.shown(author, &name), Tone::Private(self.peers.own_name().clone()));
        self.effects.push(Effect::Show(Line::Said(Said { at, name, text, tone, how: How::Live })));
    }
}

/// What is near for one host is not so for another.
fn is_near(who: &SocketAddr, address: &SocketAddr) -> bool {
    who.ip().is_loopback() || !address.ip().to_canonical().is_loopback()
}

fn can_be_dialled(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
}
