//! What classic members say. They have no key, number nothing and acknowledge nothing; whatever is wrong they are told as a
//! text of the room's.

use super::{
    BEAT, Room, Sent, Shell, Time,
    counters::{Dropped, Malformed, Refused},
    cursor::Cursor,
    gathering::Waiting,
    members::{Dialect, Member, Place, Seat, Since},
};
use crate::{
    Name, Text, announcement,
    wire::{
        classic::{Frame, text_of},
        room::{FromRoom, What, encode},
    },
};

impl Room {
    pub(super) fn on_classic(&mut self, from: &[u8], bytes: &[u8], time: Time, shell: &mut impl Shell) {
        match Frame::read(bytes) {
            // One of ours, which may not know yet that this room is, or has begun anew.
            Ok(Frame::Join { is_ours: true, .. }) => {
                shell.send(from, &encode(&FromRoom::Speak));
            }
            Ok(Frame::Join { name, is_ours: false }) => self.on_join(from, name, time, shell),
            Ok(Frame::Leave { name }) => self.on_leave(from, &name, time, shell),
            Ok(Frame::Text { name, text }) => self.on_text(from, name, text, time, shell),
            Err(error) => {
                self.counters.malformed.add(Malformed::Classic);
                let text = format!(
                    "A frame was not understood: {error}. Send one object of JSON, as in {{\"auth\": 1, \"name\": \"ann\"}} \
                     to join or {{\"name\": \"ann\", \"text\": \"hello\\n\"}} to speak."
                );
                self.announce_to(from, &text, shell);
            }
        }
    }

    fn on_join(&mut self, from: &[u8], name: Name, time: Time, shell: &mut impl Shell) {
        if let Some(seat) = self.members.at(from) {
            self.counters.refused.add(Refused::Twice);
            let is = self.name_of(seat);
            return self.announce_to(from, &format!("You are in the room already, as {is}."), shell);
        }
        self.seat(from, name, time, shell);
    }

    /// Gives a classic member a place, or tells it why not.
    fn seat(&mut self, from: &[u8], name: Name, time: Time, shell: &mut impl Shell) -> Option<Seat> {
        if self.members.is_taken(&name, None) {
            self.probe(&name, time, shell);
        }
        if self.members.is_taken(&name, None) {
            self.counters.refused.add(Refused::NameTaken);
            self.announce_to(from, &announcement::taken(&name), shell);
            return None;
        }
        if self.members.len() >= self.limits.members {
            self.counters.refused.add(Refused::Full);
            self.announce_to(from, "The room is full. Try again later.", shell);
            return None;
        }
        let cursor = Cursor::after(self.log.head());
        let place = Place { dialect: Dialect::Classic, cursor, since: Since::Coming };
        let seat = self.admit(self.members.unkeyed(), from, name, place, time);
        let online = self.members.len();
        self.announce_to(from, &announcement::online(online), shell);
        Some(seat)
    }

    /// A classic member is alive if something can be sent to it. So who has a name is told that it is wanted, and gives
    /// it up by not being there. Once a beat, however many want it.
    pub(super) fn probe(&mut self, name: &Name, time: Time, shell: &mut impl Shell) {
        let Some(seat) = self.members.called(name) else { return };
        let may_be_told =
            |member: &&mut Member| member.dialect == Dialect::Classic && time.now >= member.probe_again_at;
        let Some(member) = self.members.get_mut(seat).filter(may_be_told) else { return };
        member.probe_again_at = time.now + BEAT;
        let text = text_of(
            &self.name,
            &format!("Somebody else wanted to be called {name}, and was told that you are."),
        );
        if shell.send(&member.address, &text) == Sent::Gone {
            self.leave(seat, Dropped::Gone, time);
        }
    }

    fn on_leave(&mut self, from: &[u8], name: &Name, time: Time, shell: &mut impl Shell) {
        let Some(seat) = self.members.at(from) else {
            self.counters.refused.add(Refused::Absent);
            return self.announce_to(from, "You are not in the room.", shell);
        };
        if self.is_not(seat, name, from, shell) {
            return;
        }
        self.leave(seat, Dropped::Left, time);
        self.announce_to(from, "You are now offline.", shell);
    }

    fn on_text(&mut self, from: &[u8], name: Name, text: Text, time: Time, shell: &mut impl Shell) {
        let seat = match self.members.at(from) {
            Some(seat) if self.is_not(seat, &name, from, shell) => return,
            Some(seat) => seat,
            None => match self.seat(from, name, time, shell) {
                Some(seat) => seat,
                None => return,
            },
        };
        let Some(member) = self.members.get(seat) else { return };
        self.counters.texts += 1;
        let said = Some((member.name.clone(), What::Text(text)));
        let author = member.id;
        self.gathering.add(Waiting { author, own: None, to: None, said, wall: time.wall, is_text: true });
    }

    /// Who is in the room under one name does not speak under another.
    fn is_not(&mut self, seat: Seat, name: &Name, from: &[u8], shell: &mut impl Shell) -> bool {
        let is = self.name_of(seat);
        let is_another = !is.is_like(name);
        if is_another {
            self.counters.refused.add(Refused::Twice);
            let text = format!("You are in the room as {is}, not as {name}. Leave, and join as {name}.");
            self.announce_to(from, &text, shell);
        }
        is_another
    }

    fn name_of(&self, seat: Seat) -> Name {
        self.members.get(seat).map_or_else(|| self.name.clone(), |member| member.name.clone())
    }

    /// Tells one peer something in the classic dialect.
    pub(super) fn announce_to(&self, to: &[u8], text: &str, shell: &mut impl Shell) {
        shell.send(to, &text_of(&self.name, text));
    }
}
