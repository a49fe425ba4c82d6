//! A room with hands that remember, on a clock that a test moves.

mod classic;
mod greedy;
mod held;
mod ours;
mod storing;

use std::{collections::BTreeMap, time::Duration};

use proto::time::Instant;

use super::{Batch, Input, Life, Limits, Room, Sent, Shell, Stored, Time};
use crate::{
    Name, Text, Tone,
    wire::room::{
        Entry, FromRoom, Hello, Key, LogId, Refusal, Say, ToRoom, Utterance, Welcome, What, decode, encode,
    },
};

const LOG: LogId = LogId([7; 16]);
const LIMITS: Limits = Limits { members: 10, entries: 10_000, bytes: 1 << 20, leeway: 0 };

/// What a room did.
#[derive(Default)]
struct Hands {
    sent: BTreeMap<String, Vec<Vec<u8>>>,
    /// What becomes of frames for these peers.
    deaf: BTreeMap<String, Sent>,
    batch: Option<Batch>,
}

impl Shell for Hands {
    fn send(&mut self, to: &[u8], frame: &[u8]) -> Sent {
        let to = String::from_utf8(to.to_vec()).unwrap();
        if let Some(sent) = self.deaf.get(&to) {
            return *sent;
        }
        self.sent.entry(to).or_default().push(frame.to_vec());
        Sent::Taken
    }

    fn store(&mut self, batch: Batch) {
        assert!(self.batch.replace(batch).is_none(), "one at a time");
    }
}

/// A room, and peers whose routing ids are their names.
struct Scene {
    room: Room,
    hands: Hands,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self::with(LIMITS)
    }

    fn with(limits: Limits) -> Self {
        let now = Instant::from_micros(1_000_000);
        let room = Room::open(name("room"), limits, Stored::empty(LOG), now);
        Self { room, hands: Hands::default(), now }
    }

    fn on(&mut self, input: Input<'_>) {
        self.room.on(input, Time { now: self.now, wall: 5 }, &mut self.hands);
    }

    fn frame(&mut self, from: &str, bytes: &[u8]) {
        self.on(Input::Frame { from: from.as_bytes(), bytes });
    }

    /// One of ours says this, and all of it is stored and delivered.
    fn say(&mut self, from: &str, frame: &ToRoom) {
        self.frame(from, &encode(frame));
        self.settle();
    }

    fn text(&mut self, from: &str, number: u64, text: &str) {
        self.say(from, &texts([(number, text)]));
    }

    /// Until nothing is left to store.
    fn settle(&mut self) {
        self.on(Input::Turn);
        while self.hands.batch.take().is_some() {
            self.on(Input::Stored);
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.settle();
    }

    /// One of ours comes, from the routing id of its name, and what it and the others are sent is forgotten.
    fn joined(&mut self, who: &str) -> Welcome {
        self.say(who, &hello(who, who, None, 0));
        let welcome = self.heard(who).into_iter().find_map(|frame| match frame {
            FromRoom::Welcome(welcome) => Some(welcome),
            _ => None,
        });
        self.hands.sent.clear();
        welcome.expect("it is welcome")
    }

    fn all_joined(&mut self, whos: &[&str]) {
        for who in whos {
            self.joined(who);
        }
    }

    /// The frames of our dialect that this one was sent since this was last asked.
    fn heard(&mut self, who: &str) -> Vec<FromRoom> {
        let frames = self.hands.sent.remove(who).unwrap_or_default();
        frames.iter().map(|frame| decode(frame).unwrap()).collect()
    }

    /// What they say of the log.
    fn entries(&mut self, who: &str) -> Vec<Entry> {
        let frames = self.heard(who).into_iter().filter_map(|frame| match frame {
            FromRoom::Entries(entries) => Some(entries),
            _ => None,
        });
        frames.flat_map(|entries| entries.iter().map(Result::unwrap).collect::<Vec<_>>()).collect()
    }

    /// Texts of the log, as `name: text`.
    fn lines(&mut self, who: &str) -> Vec<String> {
        let entries = self.entries(who);
        entries.iter().map(line).collect()
    }

    /// Texts of the classic dialect, as `name: text`.
    fn classic_lines(&mut self, who: &str) -> Vec<String> {
        let frames = self.hands.sent.remove(who).unwrap_or_default();
        let lines = frames.iter().map(|frame| {
            let object: serde_json::Value = serde_json::from_slice(frame).unwrap();
            let field = |key: &str| object[key].as_str().unwrap().to_owned();
            let text = field("text");
            assert!(text.ends_with('\n'));
            format!("{}: {}", field("name"), text.trim_end())
        });
        lines.collect()
    }
}

fn line(entry: &Entry) -> String {
    let name = &entry.name;
    match &entry.what {
        What::Text(text) => format!("{name}: {}", text.as_str()),
        What::Action(text) => format!("* {name} {}", text.as_str()),
        What::Private(text) => format!("{name} (to you): {}", text.as_str()),
        What::Joined(online) => format!("+{name} {online}"),
        What::Left(online) => format!("-{name} {online}"),
        What::Renamed(new) => format!("{name} = {new}"),
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A key made of a word.
fn key(word: &str) -> Key {
    let mut key = [0; 32];
    key[..word.len()].copy_from_slice(word.as_bytes());
    Key(key)
}

fn hello(whose: &str, as_name: &str, log: Option<LogId>, seen: u64) -> ToRoom {
    ToRoom::Hello(Hello { key: key(whose), name: name(as_name), log, seen, next: 0, life: 0 })
}

fn texts<'a>(said: impl IntoIterator<Item = (u64, &'a str)>) -> ToRoom {
    let utterance = |(number, text)| Utterance { number, text: Text::new(text).unwrap(), tone: Tone::Plain };
    ToRoom::Say(Say { seen: 0, said: said.into_iter().map(utterance).collect() })
}

fn refused(why: Refusal) -> FromRoom {
    FromRoom::Refused { why }
}
