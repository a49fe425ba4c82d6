//! What members of our dialect say, and what becomes of it.

use std::cmp::Ordering;

use super::{
    Own, Room, Sent, Shell, Time,
    counters::{Dropped, Malformed, Refused},
    gathering::Waiting,
    members::{Dialect, Seat},
};
use crate::{
    Name, Text, Tone, announcement,
    wire::room::{
        FromRoom, MAX_SAID, MemberId, Refusal, Say, ToRoom, Unreadable, Utterance, What, decode, encode,
        print,
    },
};

/// Every frame of our dialect begins so: an array of two.
const OURS: u8 = 0x92;

impl Room {
    pub(super) fn on_frame(&mut self, from: &[u8], bytes: &[u8], time: Time, shell: &mut impl Shell) {
        if bytes.first() == Some(&OURS) {
            self.on_ours(from, bytes, time, shell);
        } else {
            self.on_classic(from, bytes, time, shell);
        }
    }

    pub(super) fn on_parts(&mut self, from: &[u8], shell: &mut impl Shell) {
        self.counters.malformed.add(Malformed::Parts);
        self.complain(from, "A message is one frame. Send each text by itself.", shell);
    }

    fn on_ours(&mut self, from: &[u8], bytes: &[u8], time: Time, shell: &mut impl Shell) {
        let frame = match decode(bytes) {
            Ok(frame) => frame,
            Err(Unreadable::Version(_)) => {
                return self.refuse(from, Refused::Version, Refusal::Version, shell);
            }
            Err(error) => {
                self.counters.malformed.add(Malformed::Ours);
                return self.complain(from, &format!("A frame was not understood: {error}."), shell);
            }
        };
        if let ToRoom::Hello(hello) = frame {
            return self.on_hello(from, hello, time, shell);
        }
        if matches!(frame, ToRoom::Bye)
            && (self.held.remove_at(from) | self.soon.remove_at(from))
            && self.members.at(from).is_none()
        {
            return;
        }
        let is_ours =
            |seat: &Seat| self.members.get(*seat).is_some_and(|member| member.dialect == Dialect::Ours);
        let Some(seat) = self.members.at(from).filter(is_ours) else {
            return tell(from, &FromRoom::Speak, shell);
        };
        if let Some(member) = self.members.get_mut(seat) {
            member.heard_at = time.now;
        }
        match frame {
            // Above.
            ToRoom::Hello(_) => {}
            ToRoom::Beat { seen } => self.on_seen(seat, seen),
            ToRoom::Say(say) => self.on_say(seat, say, time, shell),
            ToRoom::Rename { name } => self.on_rename(seat, name, time, shell),
            ToRoom::Who => self.on_who(seat),
            ToRoom::Bye => drop(self.leave(seat, Dropped::Left, time)),
        }
    }

    fn on_who(&mut self, seat: Seat) {
        if let Some(member) = self.members.get_mut(seat) {
            member.asks_who = true;
        }
    }

    fn on_seen(&mut self, seat: Seat, seen: u64) {
        if let Some(member) = self.members.get_mut(seat) {
            member.cursor.on_seen(seen);
        }
    }

    fn on_say(&mut self, seat: Seat, say: Say, time: Time, shell: &mut impl Shell) {
        self.on_seen(seat, say.seen);
        let Some(member) = self.members.get_mut(seat) else { return };
        let (id, address) = (member.id, member.address.clone());
        if say.said.len() > MAX_SAID {
            self.counters.malformed.add(Malformed::Ours);
            return self.complain(&address, "Too much was said at once.", shell);
        }
        if self.held.has(id) {
            // Another has its place as soon as what it has said is on the disk. Should that one not come after all, it is to say
            // this again.
            self.counters.early += say.said.len() as u64;
            member.is_asked = true;
            return;
        }
        let mut is_repeated = false;
        for utterance in say.said {
            let next = self.gathering.taken(id) + 1;
            match utterance.number.cmp(&next) {
                Ordering::Less => {
                    is_repeated = true;
                    self.counters.repeated += 1;
                }
                Ordering::Equal => self.take(seat, utterance, time, shell),
                Ordering::Greater => return self.on_gap(seat, shell),
            }
        }
        let kept = self.gathering.kept(id).number;
        if is_repeated && kept > 0 {
            // It has not heard that they were heard.
            tell(&address, &FromRoom::Heard { number: kept }, shell);
        }
    }

    /// Something before this is missing: it was lost on the way, so the member is to say hello, and then all of it again.
    fn on_gap(&mut self, seat: Seat, shell: &mut impl Shell) {
        self.counters.early += 1;
        let Some(member) = self.members.get_mut(seat) else { return };
        if !member.is_asked {
            member.is_asked = true;
            tell(&member.address, &FromRoom::Speak, shell);
        }
    }

    fn take(&mut self, seat: Seat, utterance: Utterance, time: Time, shell: &mut impl Shell) {
        let Some(member) = self.members.get(seat) else { return };
        let (author, name) = (member.id, member.name.clone());
        let own =
            Some(Own { number: utterance.number, print: Some(print(utterance.number, &utterance.text)) });
        self.counters.texts += 1;
        let (to, what) = match utterance.tone {
            Tone::Plain => (None, Some(What::Text(utterance.text))),
            Tone::Action => (None, Some(What::Action(utterance.text))),
            Tone::Private(to) => {
                let recipient = self.recipient(&to, seat);
                match recipient {
                    None => note(&member.address, told_nobody(&to, &utterance.text), shell),
                    Some(id) if self.members.with(id).is_none() => {
                        note(&member.address, format!("{to} is away, and gets it on coming back."), shell);
                    }
                    Some(_) => {}
                }
                // Its number counts all the same, or the member would say it again.
                (recipient, recipient.map(|_| What::Private(utterance.text)))
            }
        };
        let said = what.map(|what| (name, what));
        self.gathering.add(Waiting { author, own, to, said, wall: time.wall, is_text: true });
    }

    /// Who has the name, or had it last; nobody says something to itself.
    fn recipient(&self, name: &Name, seat: Seat) -> Option<MemberId> {
        let id = match self.members.called(name) {
            Some(other) => self.members.get(other).map(|member| member.id),
            None => self.called.get(name),
        };
        id.filter(|id| self.members.with(*id) != Some(seat))
    }

    fn on_rename(&mut self, seat: Seat, name: Name, time: Time, shell: &mut impl Shell) {
        let Some(member) = self.members.get(seat) else { return };
        let address = member.address.clone();
        if member.name == name {
            let why = format!("You are called {name} already.");
            tell(&address, &FromRoom::NotRenamed { name, why }, shell);
        } else if self.members.is_taken(&name, Some(seat)) {
            self.counters.refused.add(Refused::NameTaken);
            let why = announcement::taken(&name);
            tell(&address, &FromRoom::NotRenamed { name, why }, shell);
        } else {
            self.call(seat, name, time);
        }
    }

    /// Somebody is called so from now on; if that is new, all are told. The name is not taken.
    pub(super) fn call(&mut self, seat: Seat, name: Name, time: Time) {
        let Some(member) = self.members.get(seat).filter(|member| member.name != name) else { return };
        let id = member.id;
        self.called.take(&name, id);
        if let Some(old) = self.members.rename(seat, name.clone()) {
            self.gathering.add(Waiting::event(id, old, What::Renamed(name), time.wall));
        }
    }

    /// All up to this own number is on the disk.
    pub(super) fn acknowledge(&mut self, author: MemberId, number: u64, time: Time, shell: &mut impl Shell) {
        let Some(seat) = self.members.with(author) else { return };
        let Some(member) = self.members.get_mut(seat) else { return };
        if shell.send(&member.address, &encode(&FromRoom::Heard { number })) == Sent::Taken {
            member.told_at = time.now;
        }
    }

    /// From this own number on nothing is kept.
    pub(super) fn say_unheard(&mut self, author: MemberId, number: u64, why: &str, shell: &mut impl Shell) {
        let Some(member) = self.members.with(author).and_then(|seat| self.members.get(seat)) else { return };
        match member.dialect {
            Dialect::Ours => tell(&member.address, &FromRoom::Unheard { number, why: why.to_owned() }, shell),
            Dialect::Classic => {
                let address = member.address.clone();
                self.announce_to(
                    &address,
                    &format!("What you said is lost: {why}. Say it again later."),
                    shell,
                );
            }
        }
    }

    pub(super) fn on_close(&mut self, shell: &mut impl Shell) {
        self.is_closed = true;
        let closing = encode(&FromRoom::Closing);
        let off = crate::wire::classic::text_of(&self.name, "Server is off.");
        for (_, member) in self.members.iter() {
            let frame = if member.dialect == Dialect::Ours { &closing } else { &off };
            shell.send(&member.address, frame);
        }
        for address in self.held.addresses().chain(self.soon.addresses()) {
            shell.send(address, &closing);
        }
    }

    pub(super) fn refuse(&mut self, from: &[u8], why: Refused, refusal: Refusal, shell: &mut impl Shell) {
        self.counters.refused.add(why);
        tell(from, &FromRoom::Refused { why: refusal }, shell);
    }

    /// Tells somebody, in its dialect, what was wrong.
    fn complain(&mut self, to: &[u8], what: &str, shell: &mut impl Shell) {
        let member = self.members.at(to).and_then(|seat| self.members.get(seat));
        if member.is_some_and(|member| member.dialect == Dialect::Ours) {
            note(to, what.to_owned(), shell);
        } else {
            self.announce_to(to, what, shell);
        }
    }
}

/// With so much of the text that its author knows which it was.
fn told_nobody(to: &Name, text: &Text) -> String {
    const SHOWN: usize = 40;
    let begin: String = text.as_str().chars().take(SHOWN).collect();
    let more = if begin.len() < text.as_str().len() { "…" } else { "" };
    format!("Nobody else here is called {to}, or was. Told nobody: {begin}{more}")
}

fn note(to: &[u8], text: String, shell: &mut impl Shell) {
    tell(to, &FromRoom::Note { text }, shell);
}

/// Whoever is not there to be told says something again when it is.
pub(super) fn tell(to: &[u8], frame: &FromRoom, shell: &mut impl Shell) {
    shell.send(to, &encode(frame));
}
