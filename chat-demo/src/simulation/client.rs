//! A client: the shipped machine, its journal, its screen, and the person before it.

use std::{collections::BTreeSet, time::Duration};

use proto::time::Instant;

use super::{paper::Paper, wires::Hands};
use crate::{
    How, Line, Name, Text, Typed,
    client::member::{Beginning, Effect, End, Input, Member, Record, Shown},
    room::Limits,
    wire::room::{FromRoom, Key, MemberId, ToRoom, decode},
};

pub(super) const ROOM: &str = "there:1";
/// Texts that may wait in a client.
const MAX_WAITING: usize = 1_024;

/// What goes wrong below a client, of a thousand times.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    /// A frame is not taken by the socket.
    pub(super) lost: u32,
    /// The disk does not take a record.
    pub(super) unwritten: u32,
    /// The disk does not keep what it took.
    pub(super) unsynced: u32,
}

/// Who is in front of the screen: the same as long as the key is.
pub(super) struct Person {
    pub(super) word: &'static str,
    pub(super) key: Key,
    pub(super) id: MemberId,
    /// Texts that were on its disk at some time, and so must be heard.
    pub(super) promised: BTreeSet<String>,
    /// Of these, what need not be: private texts, which may be to nobody; what a client has said may be lost; and what is in a
    /// journal that nobody opens again.
    pub(super) excused: BTreeSet<String>,
    /// How many texts a client has said may be lost.
    pub(super) doubted: u64,
    /// So many copies of its key were made.
    pub(super) copies: u32,
}

/// One client process and what it leaves behind for the next.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own that has happened, or not")]
pub(super) struct Client {
    pub(super) who: usize,
    /// What its texts begin with.
    label: String,
    pub(super) name: Name,
    pub(super) address: u64,
    member: Member,
    pub(super) paper: Paper,
    pub(super) is_connected: bool,
    pub(super) is_behind: bool,
    /// What is on its way to a screen that cannot follow.
    awaited: Option<Shown>,
    /// The last number that was on the screen.
    on_screen: u64,
    /// It has got no processor until then.
    pub(super) stopped_until: Instant,
    pub(super) typed: u64,
    pub(super) end: Option<End>,
    /// It is started then.
    pub(super) returns_at: Option<Instant>,
    /// The last number that was shown, or from which on all is to be shown.
    shown: u64,
    /// It has no past: what was before its coming is not for it.
    is_new: bool,
    /// After which number it was welcomed last.
    welcomed: u64,
    was_welcomed: bool,
    /// Where it came for the first time, in this life: what was said before is for others.
    spared: u64,
    /// What it was told is gone.
    pub(super) missed: u64,
    /// A person is to take another name.
    pub(super) needs_name: bool,
    random: fastrand::Rng,
}

impl Person {
    pub(super) fn new(word: &'static str) -> Self {
        let mut key = [0; 32];
        key[..word.len()].copy_from_slice(word.as_bytes());
        let key = Key(key);
        let id = key.member();
        let (promised, excused) = (BTreeSet::new(), BTreeSet::new());
        Self { word, key, id, promised, excused, doubted: 0, copies: 0 }
    }

    fn promise(&mut self, texts: Vec<Text>) {
        self.promised.extend(texts.into_iter().map(String::from));
    }
}

impl Client {
    pub(super) fn new(who: usize, person: &Person, address: u64, seed: u64, now: Instant) -> Self {
        let name = Name::new(person.word).unwrap();
        let paper = Paper::default();
        Self {
            who,
            label: format!("{}.{}", person.word, person.copies),
            member: member(&name, &person.key, &paper, seed, now),
            name,
            address,
            paper,
            is_connected: false,
            is_behind: false,
            awaited: None,
            on_screen: 0,
            stopped_until: Instant::ZERO,
            typed: 0,
            end: None,
            returns_at: None,
            shown: 0,
            is_new: true,
            welcomed: 0,
            was_welcomed: false,
            spared: 0,
            missed: 0,
            needs_name: false,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.end.is_none() && self.returns_at.is_none()
    }

    pub(super) fn is_running(&self, now: Instant) -> bool {
        self.is_alive() && now >= self.stopped_until
    }

    /// When it does something by itself.
    pub(super) fn next(&self) -> Instant {
        match self.returns_at {
            Some(at) => at,
            None if self.end.is_some() => Instant::NEVER,
            None => self.member.next_deadline().min(self.paper.synced_at()).max(self.stopped_until),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.member.has_room()
    }

    /// How many texts are not known to be heard.
    fn waiting(&self) -> usize {
        self.member.records().iter().filter(|record| matches!(record, Record::Typed { .. })).count()
    }

    /// Somebody begins elsewhere with a copy of the journal: it has seen what that says, and has those texts to say.
    pub(super) fn bring(&mut self, paper: Paper, person: &mut Person, seed: u64, now: Instant) {
        self.paper = paper;
        person.promise(self.paper.survive(None, false));
        let seen = self.paper.seen();
        self.is_new = seen.is_none();
        (self.shown, self.on_screen) = (seen.unwrap_or_default(), seen.unwrap_or_default());
        self.member = member(&self.name, &person.key, &self.paper, seed, now);
    }

    /// Nobody starts it again, so what waits in its journal is not said.
    pub(super) fn bury(&self, person: &mut Person) {
        for record in self.member.records() {
            if let Record::Typed { text, .. } = record {
                person.excused.insert(text.into());
            }
        }
    }

    pub(super) fn assert_is_bounded(&self) {
        assert!(self.waiting() <= MAX_WAITING);
    }

    /// The process ends without a word; with `left` also the power, and only so many records more than the disk has remain.
    pub(super) fn kill(&mut self, person: &mut Person, left: Option<usize>, is_made_short: bool) {
        // What was not on the screen yet was never seen.
        (self.shown, self.awaited) = (self.on_screen, None);
        person.promise(self.paper.survive(left, is_made_short));
        (self.is_connected, self.is_behind, self.needs_name) = (false, false, false);
    }

    /// Started with what it has kept; what was shown is not shown again, and nothing is left out.
    pub(super) fn begin(&mut self, person: &Person, hands: &Hands, address: u64, seed: u64) {
        self.address = address;
        (self.end, self.returns_at, self.stopped_until) = (None, None, Instant::ZERO);
        let seen = self.paper.seen();
        self.member = member(&self.name, &person.key, &self.paper, seed, hands.now);
        let lacked = std::mem::take(&mut self.paper.lacks_seen);
        let spared = if self.is_new { hands.disk.joined(person.id) } else { self.spared };
        self.spared = 0;
        (self.is_new, self.was_welcomed) = (seen.is_none(), false);
        let seen = seen.unwrap_or_default();
        let (low, high) = (seen.min(self.shown).max(spared), seen.max(self.shown));
        let between = hands.disk.said_to(person.id, low).take_while(|(number, _)| *number <= high).count();
        assert!(
            between == 0 || (lacked && seen < self.shown),
            "{} begins after {seen}, not {}",
            self.label,
            self.shown
        );
        (self.shown, self.on_screen) = (seen, seen);
    }

    /// Types something that no other text is, to all, or to one.
    pub(super) fn say(&mut self, person: &mut Person, to: Option<Name>, hands: &mut Hands, weather: Weather) {
        self.typed += 1;
        let text = Text::new(&format!("{} {}", self.label, self.typed)).unwrap();
        // A private text to nobody is said to nobody.
        if to.is_some() {
            person.excused.insert(text.as_str().to_owned());
        }
        let typed = match to {
            Some(to) => Typed::Tell(to, text),
            None if self.typed.is_multiple_of(5) => Typed::Act(text),
            None => Typed::Say(text),
        };
        self.give(person, Input::Typed { typed, at: 0 }, hands, weather);
    }

    /// All that it does by itself by now.
    pub(super) fn expire(&mut self, person: &mut Person, hands: &mut Hands, weather: Weather) {
        if self.paper.synced_at() > hands.now {
            return self.give(person, Input::Tick, hands, weather);
        }
        if self.random.u32(..1_000) < weather.unsynced {
            let from = self.paper.refuse();
            return self.give(person, Input::Unkept { from, why: "broken".to_owned() }, hands, weather);
        }
        let (to, texts) = self.paper.sync();
        person.promise(texts);
        self.give(person, Input::Synced { to }, hands, weather);
    }

    /// A frame of the room's.
    pub(super) fn hear(&mut self, person: &mut Person, bytes: &[u8], hands: &mut Hands, weather: Weather) {
        // What comes of a connection that is known to be gone, the machine leaves out.
        if self.is_connected
            && let Ok(FromRoom::Welcome(welcome)) = decode(bytes)
        {
            self.welcomed = welcome.from;
            if self.is_new && !std::mem::replace(&mut self.was_welcomed, true) {
                (self.shown, self.on_screen) = (welcome.from, welcome.from);
            }
        }
        self.give(person, Input::Frame { bytes, at: 0 }, hands, weather);
    }

    pub(super) fn give(
        &mut self,
        person: &mut Person,
        input: Input<'_>,
        hands: &mut Hands,
        weather: Weather,
    ) {
        let effects = self.member.on(hands.now, input);
        let mut unkept = None;
        for effect in effects {
            match effect {
                Effect::Send(frame) if self.random.u32(..1_000) >= weather.lost => {
                    look_at(&frame, person, hands);
                    hands.send_to_room(self.address, frame);
                }
                Effect::Show(line) => self.show(person, line, hands),
                Effect::Await(shown) => self.awaited = Some(shown),
                Effect::Keep(_) if unkept.is_some() => {}
                Effect::Keep(written) if self.random.u32(..1_000) < weather.unwritten => {
                    unkept = Some(written.order);
                }
                Effect::Keep(written) => self.paper.write(written),
                Effect::Sync => {
                    let takes = Duration::from_micros(self.random.u64(100..30_000));
                    self.paper.begin_sync(hands.now + takes);
                }
                Effect::End(end) => self.end = Some(end),
                _ => {}
            }
        }
        if let Some(from) = unkept {
            self.paper.lacks_seen = true;
            self.give(person, Input::Unkept { from, why: "full".to_owned() }, hands, weather);
        }
        self.look_at_screen(person, hands, weather);
        assert!(self.end.is_some() || self.member.next_deadline() > hands.now, "it asks for the past");
    }

    fn look_at_screen(&mut self, person: &mut Person, hands: &mut Hands, weather: Weather) {
        if self.is_behind {
            return;
        }
        self.on_screen = self.on_screen.max(self.shown);
        if let Some(shown) = self.awaited.take() {
            self.give(person, Input::Shown(shown), hands, weather);
        }
    }

    fn show(&mut self, person: &mut Person, line: Line, hands: &Hands) {
        match line {
            Line::Said(said) if said.how != How::Mine => self.show_text(person, said.text.as_str(), hands),
            Line::Told(told) if told.contains("no longer kept") => {
                let is_so = hands.without.contains(&(self.address, self.welcomed));
                assert!(is_so, "{}: the room has what is said to be gone", self.label);
                self.missed += 1;
                self.shown = self.shown.max(self.welcomed);
            }
            Line::Warned(warned) => {
                self.needs_name |= warned.contains("somebody else's by now");
                if let Some((_, text)) = warned.split_once("this may not have been heard: ") {
                    person.excused.insert(text.to_owned());
                    person.doubted += 1;
                }
            }
            Line::Told(_) | Line::Said(_) => {}
        }
    }

    /// The next that is for this person, or what is left out was before its coming.
    fn show_text(&mut self, person: &Person, text: &str, hands: &Hands) {
        let number = hands.disk.number_of(text);
        assert!(number > self.shown, "{} is shown {text} again: {number} after {}", self.label, self.shown);
        let coming = if self.is_new { hands.disk.joined(person.id) } else { 0 };
        let next =
            hands.disk.said_to(person.id, self.shown).find(|(next, _)| *next == number || *next > coming);
        assert_eq!(next, Some((number, text)), "{} is shown another after {}", self.label, self.shown);
        (self.shown, self.is_new) = (number, false);
        self.spared = self.spared.max(coming);
    }

    /// Nothing more is there to be shown.
    pub(super) fn assert_has_seen_all(&self, person: &Person, hands: &Hands) {
        let after = self.shown.max(if self.is_new { hands.disk.joined(person.id) } else { 0 });
        let next = hands.disk.said_to(person.id, after).next();
        assert_eq!(next, None, "{} has not been shown it, after {after}", self.label);
        assert_eq!(self.waiting(), 0, "{} has something to say still", self.label);
    }
}

/// Nothing is claimed that a room would have to wait for.
fn look_at(frame: &[u8], person: &Person, hands: &Hands) {
    match decode(frame) {
        Ok(ToRoom::Hello(hello)) => assert!(hello.next <= hands.disk.own(person.id) + 1),
        Ok(ToRoom::Beat { seen }) => assert!(seen <= hands.disk.head()),
        _ => {}
    }
}

fn member(name: &Name, key: &Key, paper: &Paper, seed: u64, now: Instant) -> Member {
    let beginning = Beginning {
        name: name.clone(),
        key: key.clone(),
        room: ROOM.to_owned(),
        grace: Duration::from_secs(5),
        memory: paper.memory(),
        seed,
    };
    Member::new(beginning, now)
}

/// So much a room of the simulation takes.
pub(super) const LIMITS: Limits = Limits { members: 10, entries: 120, bytes: 1 << 20 };
