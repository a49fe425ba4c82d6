//! What follows each member's cursor goes to it: one frame a turn, encoded once for all who are at the same place and for
//! whom nothing in it is special.

use std::borrow::Cow;

use super::{
    Log, Room, Sent, Shell, Time,
    counters::Dropped,
    cursor::Cursor,
    members::{Dialect, Member, Seat, Since},
};
use crate::{
    Name, Text, announcement,
    terminal::harmless,
    wire::{
        classic,
        room::{ENTRIES_HEAD, Entry, FromRoom, MemberId, Refusal, What, encode, encode_entries},
    },
};

/// The most bytes of entries in a frame. Any entry fits, and what may wait for a peer that does not read is as many frames of these
/// as the socket keeps for one, whatever that peer says that it has read.
const MAX_STRETCH: u64 = 32 * 1024 - ENTRIES_HEAD as u64;
/// The most bytes of a text as classic members get it, in JSON: where there is nothing in it but line ends, each is six with what is set
/// in, and who says it comes before it.
const MAX_CLASSIC: usize = 6 * Text::MAX_BYTES + 1024;
/// Stretches of one turn that are remembered. Members that keep up are all at one place.
const MAX_STRETCHES: usize = 8;

/// A frame for all who are at the same place.
struct Stretch {
    after: u64,
    to: u64,
    /// Entries in it.
    len: u64,
    /// Those for whom it is another: who said something in it, or was told something in private. Sorted.
    special: Vec<MemberId>,
    frame: Vec<u8>,
}

impl Stretch {
    fn new(log: &Log, after: u64, to: u64) -> Self {
        let mut special = Vec::new();
        let (mut entries, mut len) = (Vec::new(), 0);
        for kept in log.stretch(after, to) {
            if special.last() != Some(&kept.author) {
                special.push(kept.author);
            }
            if let Some(to) = kept.to {
                special.push(to);
            } else {
                entries.extend_from_slice(&kept.bytes);
                len += 1;
            }
        }
        special.sort_unstable();
        special.dedup();
        Self { after, to, len, special, frame: encode_entries(after, to, &entries) }
    }

    /// The same for one of the special ones, without what was before its time.
    fn of(log: &Log, after: u64, to: u64, member: MemberId, since: u64) -> (Vec<u8>, u64) {
        let (mut entries, mut len) = (Vec::new(), 0);
        for kept in log.stretch(after.max(since), to).filter(|kept| kept.is_for(member)) {
            entries.extend_from_slice(&kept.bytes);
            len += 1;
        }
        (encode_entries(after, to, &entries), len)
    }
}

/// The stretches of one turn.
#[derive(Default)]
struct Stretches(Vec<Stretch>);

impl Stretches {
    fn get(&mut self, log: &Log, after: u64, to: u64) -> &Stretch {
        let is_it = |stretch: &Stretch| (stretch.after, stretch.to) == (after, to);
        let index = self.0.iter().position(is_it).unwrap_or_else(|| {
            // The latest place makes room: members at the first ones are the many.
            self.0.truncate(MAX_STRETCHES - 1);
            self.0.push(Stretch::new(log, after, to));
            self.0.len() - 1
        });
        &self.0[index]
    }
}

impl Room {
    /// Sends every member what it has yet to get, as far as it takes it.
    pub(super) fn deliver(&mut self, time: Time, shell: &mut impl Shell) {
        self.look_behind(time, shell);
        self.deliver_ours(time, shell);
        self.deliver_classic(time, shell);
    }

    fn deliver_ours(&mut self, time: Time, shell: &mut impl Shell) {
        let log = &self.log;
        let mut stretches = Stretches::default();
        let mut blocked = Vec::new();
        for (seat, member) in self.members.iter_mut() {
            if member.dialect != Dialect::Ours || member.is_blocked || time.now < member.begins_at {
                continue;
            }
            let sent = member.cursor.sent();
            let delivered = send_stretches(member, log, &mut stretches, shell);
            self.counters.deliveries += delivered.entries;
            if member.cursor.sent() > sent {
                member.told_at = time.now;
            }
            if delivered.is_blocked {
                blocked.push(seat);
            }
        }
        self.block(&blocked);
    }

    /// Entry by entry, as each is a frame of its own, encoded once for all who lack it.
    fn deliver_classic(&mut self, time: Time, shell: &mut impl Shell) {
        let mut gone = Vec::new();
        while let Some(after) = self.next_for_classic() {
            let number = after + 1;
            let Some(kept) = self.log.stretch(after, number).next() else { break };
            let frame = classic_frame(&kept.bytes, &self.name);
            let mut blocked = Vec::new();
            for (seat, member) in self.members.iter_mut() {
                if !may_be_sent(member) || member.cursor.sent() != after {
                    continue;
                }
                let frame = frame.as_ref().filter(|_| kept.is_for(member.id));
                match frame.map(|frame| shell.send(&member.address, frame)) {
                    None => member.cursor.on_sent_and_forgotten(number),
                    Some(Sent::Taken) => {
                        member.cursor.on_sent_and_forgotten(number);
                        self.counters.deliveries += 1;
                    }
                    Some(Sent::Full) => blocked.push(seat),
                    Some(Sent::Gone) => {
                        blocked.push(seat);
                        gone.push(seat);
                    }
                }
            }
            self.block(&blocked);
        }
        for seat in gone {
            self.drop_member(seat, Dropped::Gone, time, shell);
        }
    }

    /// The place of the classic member that is furthest behind.
    fn next_for_classic(&self) -> Option<u64> {
        let head = self.log.head();
        let open = self.members.iter().filter(|(_, member)| may_be_sent(member));
        open.map(|(_, member)| member.cursor.sent()).filter(|sent| *sent < head).min()
    }

    fn block(&mut self, seats: &[Seat]) {
        self.counters.blocked += seats.len() as u64;
        for seat in seats {
            self.members.block(*seat);
        }
    }

    /// Those that the log has left behind: who has not read what it was sent is dropped, who was sent nothing goes on where
    /// the log begins by now.
    fn look_behind(&mut self, time: Time, shell: &mut impl Shell) {
        let behind = self.members.iter().filter(|(_, member)| member.is_behind(&self.log));
        let due = behind.filter(|(_, member)| time.now >= member.begins_at);
        let due: Vec<_> = due.map(|(seat, member)| (seat, member.has_read_all())).collect();
        for (seat, has_read_all) in due {
            if has_read_all {
                self.begin_where_the_log_does(seat, shell);
            } else {
                self.drop_member(seat, Dropped::DoesNotRead, time, shell);
            }
        }
    }

    fn begin_where_the_log_does(&mut self, seat: Seat, shell: &mut impl Shell) {
        let from = self.log.first() - 1;
        let Some(member) = self.members.get_mut(seat) else { return };
        member.cursor = Cursor::after(from);
        let (address, id) = (member.address.clone(), member.id);
        self.welcome(&address, id, from, self.log.head(), shell);
    }

    /// Somebody loses its place, is told why if there is a way, and the others are told that it left.
    pub(super) fn drop_member(&mut self, seat: Seat, why: Dropped, time: Time, shell: &mut impl Shell) {
        let Some(member) = self.leave(seat, why, time) else { return };
        let refusal = match why {
            Dropped::Silent => Refusal::Silent,
            Dropped::DoesNotRead => Refusal::DoesNotRead,
            Dropped::Superseded => Refusal::Superseded,
            Dropped::Left | Dropped::Gone => return,
        };
        match member.dialect {
            Dialect::Ours => {
                shell.send(&member.address, &encode(&FromRoom::Refused { why: refusal }));
            }
            Dialect::Classic => {
                let text = "You did not read what was sent, and are no longer in the room. Join again.";
                shell.send(&member.address, &classic::text_of(&self.name, text));
            }
        }
    }

    /// Those who have asked are told who is there: each once a turn and once a beat, however often it asks.
    pub(super) fn answer(&mut self, time: Time, shell: &mut impl Shell) {
        let is_due =
            |member: &Member| member.asks_who && !member.is_blocked && time.now >= member.who_again_at;
        if !self.members.iter().any(|(_, member)| is_due(member)) {
            return;
        }
        let names = self.members.iter().map(|(_, member)| member.name.clone()).collect();
        let frame = encode(&FromRoom::Who { names });
        let mut blocked = Vec::new();
        for (seat, member) in self.members.iter_mut().filter(|(_, member)| is_due(member)) {
            if shell.send(&member.address, &frame) == Sent::Taken {
                member.asks_who = false;
                (member.who_again_at, member.told_at) = (time.now + super::BEAT, time.now);
            } else {
                blocked.push(seat);
            }
        }
        self.block(&blocked);
    }

    /// Who has heard nothing for a while is given a beat, or is asked again what is missing.
    pub(super) fn beat(&mut self, time: Time, shell: &mut impl Shell) {
        for (_, member) in self.members.iter_mut() {
            if member.dialect == Dialect::Classic
                || time.now.since(member.told_at) + super::LOOK < super::BEAT
            {
                continue;
            }
            let beat = FromRoom::Beat { sent: member.cursor.sent() };
            let frame = if member.is_asked { FromRoom::Speak } else { beat };
            shell.send(&member.address, &encode(&frame));
            member.told_at = time.now;
        }
    }
}

/// What became of one member's turn.
struct Delivered {
    entries: u64,
    is_blocked: bool,
}

fn send_stretches(
    member: &mut Member,
    log: &Log,
    stretches: &mut Stretches,
    shell: &mut impl Shell,
) -> Delivered {
    let mut delivered = Delivered { entries: 0, is_blocked: false };
    let Since::After(since) = member.since else { return delivered };
    loop {
        let after = member.cursor.sent();
        let to = member.cursor.limit(log).min(log.last_within(after, MAX_STRETCH));
        if to <= after {
            return delivered;
        }
        let stretch = stretches.get(log, after, to);
        let (sent, len) = if since <= after && stretch.special.binary_search(&member.id).is_err() {
            (shell.send(&member.address, &stretch.frame), stretch.len)
        } else {
            let (frame, len) = Stretch::of(log, after, to, member.id, since);
            (shell.send(&member.address, &frame), len)
        };
        if sent != Sent::Taken {
            delivered.is_blocked = true;
            return delivered;
        }
        member.cursor.on_sent(to);
        delivered.entries += len;
    }
}

/// Of classic members, those that may be sent something now.
fn may_be_sent(member: &Member) -> bool {
    member.dialect == Dialect::Classic && !member.is_blocked && member.since != Since::Coming
}

/// A text as classic members, which show it as it comes, can be given it: the same, unless it has lines that could begin as
/// another's do, or what moves a terminal. Then further lines are set in, and signs stand for what cannot be seen.
fn plain(text: &Text) -> Cow<'_, str> {
    let is_trouble = |character: char| {
        character != '\t' && (character.is_control() || matches!(character, '\u{2028}' | '\u{2029}'))
    };
    if !text.as_str().contains(is_trouble) {
        return text.as_str().into();
    }
    harmless::lines(text.as_str()).collect::<Vec<_>>().join("\n  | ").into()
}

/// An entry as classic members get it.
fn classic_frame(bytes: &[u8], room: &Name) -> Option<Vec<u8>> {
    let entry: Entry = rmp_serde::from_slice(bytes).ok()?;
    let name = &entry.name;
    let frame = match &entry.what {
        What::Text(text) => classic::text_of(name, &plain(text)),
        What::Action(text) => classic::text_of(name, &format!("* {name} {}", plain(text))),
        What::Private(text) => classic::text_of(name, &format!("(to you) {}", plain(text))),
        what => classic::text_of(room, &announcement::of(name, what)?),
    };
    debug_assert!(frame.len() <= MAX_CLASSIC);
    Some(frame)
}
