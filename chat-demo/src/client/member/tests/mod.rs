//! What a member does, state by state and input by input.

mod classic;
mod coming;
mod hearing;
mod speaking;

use serde_bytes::ByteBuf;

use super::*;
use crate::{
    BadText, How, Text,
    wire::{
        classic::Frame,
        room::{Entries, Entry, Hello, LogId, Say, Utterance, Welcome, What, decode, encode, print},
    },
};

const LOG: LogId = LogId([1; 16]);
const OTHER_LOG: LogId = LogId([2; 16]);

/// A member and what it has remembered.
struct Chat {
    member: Member,
    now: Instant,
    records: Vec<Record>,
    /// A screen that cannot follow, and what it is to have.
    is_behind: bool,
    awaited: Option<Shown>,
    /// How many further texts a connection to a classic room takes.
    room: usize,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn welcome() -> Welcome {
    let (room, common) = (name("room"), u64::MAX);
    Welcome {
        room,
        log: LOG,
        heard: 0,
        print: None,
        head: 0,
        past: 0,
        from: 0,
        life: 1,
        common,
        online: 1,
        beat: 1000,
    }
}

fn entry(number: u64, what: What) -> Entry {
    Entry { number, at: 7, name: name("bob"), what }
}

fn entries(after: u64, to: u64, all: &[Entry]) -> FromRoom {
    let bytes: Vec<u8> = all.iter().flat_map(Entry::to_bytes).collect();
    FromRoom::Entries(Entries { after, to, entries: ByteBuf::from(bytes) })
}

impl Chat {
    fn recalling(records: Vec<Record>) -> Self {
        let beginning = Beginning {
            name: name("ann"),
            key: Key([1; 32]),
            room: "there:1".to_owned(),
            grace: secs(5.0),
            memory: Memory::recalled("there:1", records.clone()),
            seed: 1,
        };
        Self {
            member: Member::new(beginning, Instant::ZERO),
            now: Instant::ZERO,
            records,
            is_behind: false,
            awaited: None,
            room: usize::MAX,
        }
    }

    fn new() -> Self {
        Self::recalling(Vec::new())
    }

    fn joining() -> Self {
        let mut chat = Self::new();
        chat.on(Input::Connected);
        chat
    }

    fn greeting() -> Self {
        let mut chat = Self::joining();
        chat.hears(&FromRoom::Speak);
        chat
    }

    fn live() -> Self {
        Self::welcomed(welcome())
    }

    fn welcomed(welcome: Welcome) -> Self {
        let mut chat = Self::greeting();
        chat.hears(&FromRoom::Welcome(welcome));
        chat
    }

    fn classic() -> Self {
        let mut chat = Self::joining();
        chat.hears_classic("You are now online. 1 online.");
        chat
    }

    fn pausing() -> Self {
        let mut chat = Self::live();
        chat.hears(&FromRoom::Speak);
        chat
    }

    fn ended() -> Self {
        let mut chat = Self::live();
        chat.on(Input::Leave);
        chat
    }

    fn on(&mut self, input: Input<'_>) -> Vec<Effect> {
        let mut effects = self.member.on(self.now, input);
        let kept = effects.iter().filter_map(|effect| match effect {
            Effect::Keep(written) => Some(written.record.clone()),
            _ => None,
        });
        self.records.extend(kept);
        for effect in &effects {
            if let Effect::Await(shown) = effect {
                self.awaited = Some(*shown);
            }
        }
        let passed: Vec<_> = effects.iter().filter_map(passed).map(<[_]>::len).collect();
        for texts in passed {
            effects.extend(self.passes_on(texts));
        }
        effects.extend(self.looks());
        effects
    }

    /// The connection takes as many of these texts as it has room for; no others are there to be looked at.
    fn passes_on(&mut self, texts: usize) -> Vec<Effect> {
        let taken = texts.min(self.room);
        self.room -= taken;
        self.on(Input::Passed { taken })
    }

    /// What is given to a screen that follows is on it.
    fn looks(&mut self) -> Vec<Effect> {
        let shown = if self.is_behind { None } else { self.awaited.take() };
        shown.map(|shown| self.on(Input::Shown(shown))).unwrap_or_default()
    }

    fn hears(&mut self, frame: &FromRoom) -> Vec<Effect> {
        self.on(Input::Frame { bytes: &encode(frame), at: 7 })
    }

    fn hears_classic(&mut self, words: &str) -> Vec<Effect> {
        let frame = Frame::Text { name: name("server"), text: text(words) };
        self.on(Input::Frame { bytes: &frame.to_bytes(), at: 7 })
    }

    fn types(&mut self, typed: Typed) -> Vec<Effect> {
        self.on(Input::Typed { typed, at: 7 })
    }

    /// Types a text and brings it to the disk.
    fn says(&mut self, words: &str) -> Vec<Effect> {
        let mut effects = self.types(Typed::Say(text(words)));
        effects.extend(self.syncs());
        effects
    }

    fn syncs(&mut self) -> Vec<Effect> {
        self.on(Input::Synced { to: u64::MAX })
    }

    fn passes(&mut self, time: Duration) -> Vec<Effect> {
        self.now += time;
        self.on(Input::Tick)
    }

    fn state(&self) -> char {
        match self.member.phase {
            Phase::Unconnected { .. } => 'U',
            Phase::Joining { .. } => 'J',
            Phase::Greeting { .. } => 'G',
            Phase::Live(_) => 'L',
            Phase::Classic(_) => 'C',
            Phase::Pausing { .. } => 'P',
            Phase::Ended => 'E',
        }
    }
}

fn sent(effects: &[Effect]) -> Vec<ToRoom> {
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Send(bytes) => decode(bytes).ok(),
        _ => None,
    });
    frames.collect()
}

fn passed(effect: &Effect) -> Option<&[Vec<u8>]> {
    if let Effect::Pass(texts) = effect { Some(texts) } else { None }
}

fn sent_classic(effects: &[Effect]) -> Vec<Frame> {
    let frames = effects.iter().flat_map(|effect| match effect {
        Effect::Send(bytes) => std::slice::from_ref(bytes),
        effect => passed(effect).unwrap_or_default(),
    });
    frames.filter_map(|bytes| Frame::read(bytes).ok()).collect()
}

/// The numbers and texts that are spoken.
fn spoken(effects: &[Effect]) -> Vec<(u64, String)> {
    let said = sent(effects).into_iter().filter_map(|frame| match frame {
        ToRoom::Say(say) => Some(say.said),
        _ => None,
    });
    said.flatten().map(|said| (said.number, said.text.into())).collect()
}

/// Lines as `* told`, `! warned`, `name: said`, `name (missed): said`.
fn shown(effects: &[Effect]) -> Vec<String> {
    let lines = effects.iter().filter_map(|effect| match effect {
        Effect::Show(Line::Told(words)) => Some(format!("* {words}")),
        Effect::Show(Line::Warned(words)) => Some(format!("! {words}")),
        Effect::Show(Line::Said(said)) => {
            let how = if said.how == How::Live { String::new() } else { format!(" {:?}", said.how) };
            Some(format!("{}{how}: {}", said.name, said.text.as_str()))
        }
        _ => None,
    });
    lines.collect()
}

fn ended(effects: &[Effect]) -> Option<End> {
    effects.iter().find_map(|effect| match effect {
        Effect::End(end) => Some(*end),
        _ => None,
    })
}

/// Which state each input leads to from each. A state that an input has no meaning in is left as it is.
#[test]
fn every_input_leads_from_every_state_to_one_that_is_meant() {
    let table = "
        input         U J G L C P E
        connected     J J J J J J E
        disconnected  U U U U U U E
        speak         U G G P G P E
        welcome       U J L L C P E
        taken         U E E P P P E
        superseded    U E E E E E E
        full          U E E P P P E
        silent        U J G P C P E
        entries       U J G L C P E
        gap           U J G P C P E
        heard         U J G L C P E
        unheard       U J G L C P E
        beat          U J G L C P E
        beat_ahead    U J G P C P E
        who           U J G L C P E
        note          U J G L C P E
        closing       U P P P P P E
        classic       U C G L C P E
        garbage       U J G L C P E
        empty         U J G L C P E
        say           U J G L C P E
        tell          U J G L C P E
        rename        U J G L C P E
        who_typed     U J G L C P E
        quit          E E E E E E E
        synced        U J G L C P E
        passed        U J G L C P E
        has_room      U J G L C P E
        delivered     U J G L C P E
        unkept        U J G L C P E
        behind        U J G L C P E
        leave         E E E E E E E
        soon          U J G L C G E
        late          U P P P C G E";
    let mut rows = 0;
    for row in table.lines().skip(2) {
        let mut cells = row.split_whitespace();
        let input = cells.next().unwrap();
        let states = [
            Chat::new(),
            Chat::joining(),
            Chat::greeting(),
            Chat::live(),
            Chat::classic(),
            Chat::pausing(),
            Chat::ended(),
        ];
        for (mut chat, expected) in states.into_iter().zip(cells) {
            let before = chat.state();
            give(&mut chat, input);
            assert_eq!(chat.state().to_string(), expected, "{input} in {before}");
            rows += 1;
        }
    }
    assert_eq!(rows, 34 * 7);
}

fn give(chat: &mut Chat, input: &str) {
    let refused = |why| FromRoom::Refused { why };
    let heard = match input {
        "connected" => return drop(chat.on(Input::Connected)),
        "disconnected" => return drop(chat.on(Input::Disconnected)),
        "classic" => return drop(chat.hears_classic("hello")),
        "garbage" => return drop(chat.on(Input::Frame { bytes: b"\xc1garbage", at: 0 })),
        "empty" => return drop(chat.on(Input::Frame { bytes: b"", at: 0 })),
        "say" => return drop(chat.says("hi")),
        "tell" => return drop(chat.types(Typed::Tell(name("bob"), text("psst")))),
        "rename" => return drop(chat.types(Typed::Rename(name("anna")))),
        "who_typed" => return drop(chat.types(Typed::Who)),
        "quit" => return drop(chat.types(Typed::Quit)),
        "synced" => return drop(chat.syncs()),
        "passed" => return drop(chat.on(Input::Passed { taken: 1 })),
        "has_room" => return drop(chat.on(Input::HasRoom)),
        "delivered" => return drop(chat.on(Input::Delivered)),
        "unkept" => return drop(chat.on(Input::Unkept { from: 1, why: "full".to_owned() })),
        "behind" => return chat.is_behind = true,
        "leave" => return drop(chat.on(Input::Leave)),
        "soon" => return drop(chat.passes(secs(1.0))),
        "late" => return drop(chat.passes(secs(3.5))),
        "speak" => FromRoom::Speak,
        "welcome" => FromRoom::Welcome(welcome()),
        "taken" => refused(Refusal::NameTaken),
        "superseded" => refused(Refusal::Superseded),
        "full" => refused(Refusal::Full),
        "silent" => refused(Refusal::Silent),
        "entries" => entries(0, 1, &[entry(1, What::Text(text("x")))]),
        "gap" => entries(1, 2, &[]),
        "heard" => FromRoom::Heard { number: 1 },
        "unheard" => FromRoom::Unheard { number: 1, why: "full".to_owned() },
        "beat" => FromRoom::Beat { sent: 0 },
        "beat_ahead" => FromRoom::Beat { sent: 1 },
        "who" => FromRoom::Who { names: vec![name("bob")] },
        "note" => FromRoom::Note { text: "note".to_owned() },
        "closing" => FromRoom::Closing,
        other => panic!("there is no input {other}"),
    };
    drop(chat.hears(&heard));
}
