//! What a member says: what was typed, that it is there, and what others lack.

use super::{BEAT, Effect, GRACE, HELLO_BEATS, Mesh, WayId, history::Taken, line, peers::Called};
use crate::{
    How, Line, Name, PublicTone, Said, Text, Tone, Typed,
    wire::mesh::{AuthorId, Beat, Entry, Frame, Hello, Place},
};

impl Mesh {
    pub(super) fn on_typed(&mut self, typed: Typed) {
        match typed {
            Typed::Say(text) => self.say(text, PublicTone::Plain),
            Typed::Act(text) => self.say(text, PublicTone::Action),
            Typed::Tell(to, text) => self.whisper(&to, text),
            Typed::Rename(name) => self.rename(name),
            Typed::Who => self.tell_who(),
            Typed::History(count) => self.tell_history(count),
            Typed::Leave => {}
            Typed::Quit => self.leaves_at = self.leaves_at.or(Some(self.now + GRACE)),
        }
    }

    fn say(&mut self, text: Text, tone: PublicTone) {
        let number = self.history.clock().of(self.own) + 1;
        let (stamp, name) = (self.stamps.stamp(self.wall), self.peers.own_name().clone());
        let entry = Entry { number, stamp, name, tone, text };
        // One knows oneself, and the number is new.
        if let Taken::New(place, _) = self.history.take(self.own, entry.clone()) {
            self.show_own(place, &entry);
        }
    }

    fn show_own(&mut self, place: Place, entry: &Entry) {
        self.on_shown(place);
        self.effects.push(Effect::Show(line(&self.peers, &place, entry, How::Mine)));
    }

    fn whisper(&mut self, to: &Name, text: Text) {
        match self.peers.called(to) {
            Called::One(author) => self.whisper_to(author, text),
            Called::Nobody => self.warn(format!("{to} is not here, and is told nothing. /who says who is.")),
            Called::Several(names) => {
                let names = listed(&names);
                self.warn(format!("Several are called {to}: {names}. Nobody is told anything."));
            }
        }
    }

    fn whisper_to(&mut self, author: AuthorId, text: Text) {
        let Some(peer) = self.peers.get(author) else { return };
        let (Some(way), Some(name)) = (peer.way, &peer.name) else { return };
        let (at, to) = (self.wall, self.peers.shown(author, name));
        self.effects.push(Effect::Say(way, Frame::Private { at, text: text.clone() }));
        let (name, tone) = (self.peers.own_name().clone(), Tone::Private(to));
        self.effects.push(Effect::Show(Line::Said(Said { at, name, text, tone, how: How::Mine })));
    }

    fn rename(&mut self, name: Name) {
        self.peers.rename(name.clone());
        self.tell(format!("You are now called {name}."));
        self.effects.push(Effect::Renamed(name));
        self.effects.push(Effect::Know(self.peers.names()));
        self.say_to_all(true);
    }

    fn tell_who(&mut self) {
        let (names, online) = (self.peers.names(), self.peers.online());
        let names: Vec<_> = std::iter::once(self.peers.own_name().clone()).chain(names).collect();
        self.tell(format!("{online} online: {}.", listed(&names)));
    }

    pub(super) fn beat(&mut self) {
        let is_due = self.beat_at <= self.now;
        if is_due {
            self.beat_at = self.now + BEAT;
            self.beats = self.beats.wrapping_add(1);
        }
        self.heard_bytes = 0;
        self.say_to_all(is_due && self.beats.is_multiple_of(HELLO_BEATS));
    }

    fn say_to_all(&mut self, is_hello: bool) {
        let ways = self.peers.iter().filter_map(|(author, peer)| Some((author, peer.way?, peer.is_present)));
        for (author, way, is_present) in ways.collect::<Vec<_>>() {
            if is_hello || !is_present {
                self.greet(way, Some(author));
            } else {
                let beat = self.standing(Some(author));
                self.effects.push(Effect::Say(way, Frame::Beat(beat)));
            }
        }
    }

    /// Says hello on a way to this author, or to whoever is there.
    pub(super) fn greet(&mut self, way: WayId, author: Option<AuthorId>) {
        let (name, beat) = (self.peers.own_name().clone(), self.standing(author));
        let is_near = author
            .and_then(|author| self.peers.get(author))
            .is_some_and(|peer| peer.address.ip().is_loopback());
        let others = self.peers.present().filter(|&(other, _)| Some(other) != author);
        // What is near for this host is not so for another.
        let peers = others.map(|(_, peer)| peer.address).filter(|peer| is_near || !peer.ip().is_loopback());
        let hello = Hello { name, beat, peers: peers.collect() };
        self.effects.push(Effect::Say(way, Frame::Hello(hello)));
    }

    fn standing(&self, author: Option<AuthorId>) -> Beat {
        Beat {
            port: self.port,
            hears: author.and_then(|author| self.peers.get(author)).map_or(0, |peer| peer.hears),
            clock: self.history.clock().to_wire(),
            meets: self.peers.present().map(|(author, _)| author).collect(),
            floor: self.history.floor(),
        }
    }

    /// Gives everybody who is here what it lacks: of oneself, and of those that it does not hear by itself.
    pub(super) fn give(&mut self) {
        let heard = self.heard_here().unwrap_or(self.had);
        self.history.on_heard(heard);
        let Self { own, now, history, peers, effects, .. } = self;
        for (_, peer) in peers.iter_mut() {
            let Some(way) = peer.way_if_present() else { continue };
            let meets = &peer.meets;
            let is_wanted = |author| author == *own || !meets.contains(&author);
            while let Some(runs) = peer.delivery.next(history, is_wanted, *now) {
                effects.push(Effect::Say(way, Frame::Texts { runs }));
            }
        }
    }
}

fn listed(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
