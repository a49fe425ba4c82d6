//! A member of our own dialect led frame by frame, which says what a real client would only say after a crash.

use std::net::SocketAddr;

use chat::wire::room::{FromRoom, Hello, Key, Say, ToRoom, Utterance, Welcome, decode, encode};
use chat::{Name, Text, Tone};
use serde_json::json;

use super::speaker::Speaker;
use crate::harness::{PATIENCE, eventually_some};

/// One that says what it is told, and nothing else: no beats either.
pub(crate) struct OurMember {
    name: String,
    speaker: Speaker,
    /// How many frames were looked at.
    past: usize,
}

impl OurMember {
    pub(crate) fn connect(address: SocketAddr, name: &str) -> Self {
        Self { name: name.to_owned(), speaker: Speaker::connect(address), past: 0 }
    }

    /// Comes in, with this as the first of its own numbers that the room has not said to keep.
    #[track_caller]
    pub(crate) fn enter(&mut self, next: u64) -> Welcome {
        self.speaker.say(json!({"auth": 1, "name": self.name, "pegloom": 1}).to_string().into_bytes());
        self.expect("to be asked to speak", |frame| matches!(frame, FromRoom::Speak).then_some(()));
        let name = Name::new(&self.name).expect("a name");
        self.send(&ToRoom::Hello(Hello { key: Key([7; 32]), name, log: None, seen: 0, next, life: 0 }));
        self.expect("to be welcome", |frame| match frame {
            FromRoom::Welcome(welcome) => Some(welcome),
            _ => None,
        })
    }

    /// Says a text under this number of its own, and waits until that is kept.
    #[track_caller]
    pub(crate) fn say(&mut self, number: u64, text: &str) {
        let text = Text::new(text).expect("a text");
        self.send(&ToRoom::Say(Say { seen: 0, said: vec![Utterance { number, text, tone: Tone::Plain }] }));
        let is_kept =
            |frame| matches!(frame, FromRoom::Heard { number: kept } if kept >= number).then_some(());
        self.expect(&format!("that {number} is kept"), is_kept);
    }

    fn send(&self, frame: &ToRoom) {
        self.speaker.say(encode(frame));
    }

    #[track_caller]
    fn expect<T>(&mut self, what: &str, pick: impl Fn(FromRoom) -> Option<T>) -> T {
        eventually_some(PATIENCE, &format!("{} hears {what}", self.name), || {
            self.speaker.heard_since(self.past).iter().find_map(|frame| {
                self.past += 1;
                pick(decode(frame).expect("a frame of our dialect"))
            })
        })
    }
}
