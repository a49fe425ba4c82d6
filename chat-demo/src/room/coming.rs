//! How members of our dialect come to their place, and how all leave theirs.

use std::rc::Rc;

use super::{
    BEAT, Own, Room, Shell, Time,
    counters::{Dropped, Refused},
    cursor::Cursor,
    gathering::Waiting,
    hearing::tell,
    members::{Dialect, Member, Place, Seat, Since},
};
use crate::{
    Name,
    wire::room::{FromRoom, Hello, MemberId, Refusal, Welcome, What},
};

impl Room {
    pub(super) fn on_hello(&mut self, from: &[u8], hello: Hello, time: Time, shell: &mut impl Shell) {
        let id = hello.key.member();
        if self.holds(id, from) {
            return self.hold(from, hello, shell);
        }
        self.held.remove_at(from);
        self.soon.remove_at(from);
        let own = self.members.with(id);
        if own.is_none() && self.members.has_come_enough(from, BEAT, time.now) {
            return self.put_off(from, hello);
        }
        if self.members.is_of_room(&hello.name) {
            return self.refuse(from, Refused::NameTaken, Refusal::NameOfRoom, shell);
        }
        if self.members.is_taken(&hello.name, own) {
            self.probe(&hello.name, time, shell);
            if self.members.is_taken(&hello.name, own) {
                return self.refuse(from, Refused::NameTaken, Refusal::NameTaken, shell);
            }
        }
        // Somebody else at the same place is there no more.
        if let Some(other) = self.members.at(from).filter(|seat| Some(*seat) != own) {
            self.leave(other, Dropped::Superseded, time);
        }
        let cursor = Cursor::after(self.resumes_after(own, &hello));
        // Who comes for the first time is not told what was said just before, and is on its way to the disk still.
        let since = hello.log.map_or(Since::Coming, |_| Since::After(0));
        let place = Place { dialect: Dialect::Ours, cursor, since };
        let next = hello.next;
        let common = self.common(&hello);
        self.supersede_put_off(&hello.key, from, shell);
        match own {
            Some(seat) => self.resume(seat, from, hello.name, place, time, shell),
            None if self.members.len() >= self.limits.members => {
                return self.refuse(from, Refused::Full, Refusal::Full, shell);
            }
            None => {
                self.admit(id, from, hello.name, place, time);
            }
        }
        self.gathering.expect(id, next);
        self.welcome(from, id, cursor.sent(), common, shell);
    }

    /// Up to which number this log is the one that the member has seen. Where it met the log in a life that is not known here, any of it
    /// may be different.
    fn common(&self, hello: &Hello) -> u64 {
        let head = self.log.head();
        if hello.log != Some(self.log.id()) || hello.life == 0 {
            return head;
        }
        let mut lives = self.lives.iter().skip_while(|life| life.id != hello.life);
        match (lives.next(), lives.next()) {
            (None, _) => 0,
            (Some(_), None) => head,
            (Some(_), Some(next)) => head.min(next.first - 1),
        }
    }

    /// What was seen of this log, as far as the log is kept. Who has seen another gets all of this one; who has seen none
    /// begins with its coming, also if it says hello again because it did not hear the first answer.
    fn resumes_after(&self, own: Option<Seat>, hello: &Hello) -> u64 {
        let (first, head) = (self.log.first(), self.log.head());
        match (hello.log, own.and_then(|seat| self.members.get(seat)).map(|member| member.since)) {
            (None, Some(Since::After(number))) => number.clamp(first - 1, head),
            (None, _) => head,
            (Some(log), _) if log == self.log.id() => {
                hello.seen.min(self.common(hello)).clamp(first - 1, head)
            }
            (Some(_), _) => first - 1,
        }
    }

    pub(super) fn welcome(&self, to: &[u8], id: MemberId, from: u64, common: u64, shell: &mut impl Shell) {
        let Own { number: heard, print } = self.gathering.kept(id);
        let welcome = Welcome {
            room: self.name.clone(),
            log: self.log.id(),
            heard,
            print,
            head: self.log.head(),
            past: self.log.head() + self.gathering.entries(),
            from,
            life: self.lives.last().map_or(0, |life| life.id),
            common,
            online: self.members.len() as u32,
            beat: BEAT.as_millis() as u32,
        };
        tell(to, &FromRoom::Welcome(welcome), shell);
    }

    /// Somebody who has a place says hello, from here or from elsewhere.
    fn resume(
        &mut self,
        seat: Seat,
        from: &[u8],
        name: Name,
        place: Place,
        time: Time,
        shell: &mut impl Shell,
    ) {
        let Some(member) = self.members.get(seat) else { return };
        let is_past = place.cursor.sent() < member.cursor.sent() || *member.address != *from;
        let begins_at =
            if is_past { self.members.begin_again(from, BEAT, time.now) } else { member.begins_at };
        let Some(member) = self.members.get_mut(seat) else { return };
        (member.cursor, member.heard_at) = (place.cursor, time.now);
        member.begins_at = begins_at;
        member.is_asked = false;
        if *member.address != *from {
            // Who was here before the other one of its key came is not spared what was said before that.
            if place.since != Since::Coming {
                member.since = place.since;
            }
            let older = member.address.clone();
            self.members.relocate(seat, from);
            self.counters.dropped.add(Dropped::Superseded);
            tell(&older, &FromRoom::Refused { why: Refusal::Superseded }, shell);
        }
        self.call(seat, name, time);
    }

    /// Gives somebody a seat and has the others told.
    pub(super) fn admit(&mut self, id: MemberId, from: &[u8], name: Name, place: Place, time: Time) -> Seat {
        // Who begins with its coming is sent nothing again.
        let begins_at = match place.since {
            Since::Coming => time.now,
            Since::After(_) => self.members.begin_again(from, BEAT, time.now),
        };
        let address: Rc<[u8]> = from.into();
        self.members.on_coming(Rc::clone(&address), BEAT, time.now);
        self.called.take(&name, id);
        let seat = self.members.add(Member {
            id,
            name: name.clone(),
            address,
            dialect: place.dialect,
            cursor: place.cursor,
            since: place.since,
            heard_at: time.now,
            told_at: time.now,
            begins_at,
            who_again_at: time.now,
            probe_again_at: time.now,
            asks_who: false,
            is_asked: false,
            is_blocked: false,
        });
        let online = self.members.len() as u32;
        self.gathering.add(Waiting::event(id, name, What::Joined(online), time.wall));
        seat
    }

    /// Takes somebody's seat and has the others told.
    pub(super) fn leave(&mut self, seat: Seat, why: Dropped, time: Time) -> Option<Member> {
        let member = self.members.remove(seat)?;
        self.gathering.forget_unspoken(member.id);
        self.counters.dropped.add(why);
        let left = What::Left(self.members.len() as u32);
        self.gathering.add(Waiting::event(member.id, member.name.clone(), left, time.wall));
        Some(member)
    }
}
