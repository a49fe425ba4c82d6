//! What a member does, state by state and input by input.

use serde_bytes::ByteBuf;

use super::*;
use crate::{
    BadText, How, Text,
    wire::room::{Entries, Entry, LogId, Say, Utterance, Welcome, What, decode, encode},
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
    Welcome { room: name("room"), log: LOG, heard: 0, head: 0, from: 0, online: 1, beat: 1000 }
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
        effects.extend(self.looks());
        effects
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
            Phase::Classic => 'C',
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

fn sent_classic(effects: &[Effect]) -> Vec<Frame> {
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Send(bytes) => Frame::read(bytes).ok(),
        _ => None,
    });
    frames.collect()
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
    assert_eq!(rows, 31 * 7);
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

#[test]
fn who_comes_joins_says_hello_and_is_told_how_many_there_are() {
    let mut chat = Chat::new();

    let joins = chat.on(Input::Connected);
    assert_eq!(sent_classic(&joins), [Frame::Join { name: name("ann"), is_ours: true }]);
    let greets = chat.hears(&FromRoom::Speak);
    let hello = Hello { key: Key([1; 32]), name: name("ann"), log: None, seen: 0, next: 0 };
    assert_eq!(sent(&greets), [ToRoom::Hello(hello)]);
    let is_in = chat.hears(&FromRoom::Welcome(Welcome { online: 3, ..welcome() }));

    assert_eq!(shown(&is_in), ["* You are now online. 3 online."]);
    assert_eq!(sent(&is_in), [ToRoom::Who]);
    let names = vec![name("ann"), name("bob")];
    let knows = chat.hears(&FromRoom::Who { names: names.clone() });
    assert_eq!(knows, [Effect::Know(names)]);
}

#[test]
fn a_room_that_does_not_answer_is_told_once_and_tried_again() {
    let mut chat = Chat::new();
    let early = chat.passes(secs(1.9));
    let told = chat.passes(secs(0.2));

    assert_eq!(shown(&early), [""; 0]);
    let words =
        "! The room at there:1 does not answer yet: nobody answers there. It is tried again until it does.";
    assert_eq!(shown(&told), [words]);
    chat.on(Input::Connected);
    for _ in 0..5 {
        let pauses = chat.passes(secs(2.0));
        let tries = chat.passes(secs(2.0));
        assert_eq!((shown(&pauses).len(), shown(&tries).len()), (0, 0));
        assert_eq!(sent_classic(&tries).len(), 1);
    }
    chat.hears(&FromRoom::Speak);
    assert_eq!(shown(&chat.hears(&FromRoom::Welcome(welcome()))), ["* You are now online. 1 online."]);
}

/// Fails if a text is spoken before its number is on the disk.
#[test]
fn a_text_is_spoken_when_it_is_on_the_disk() {
    let mut chat = Chat::live();

    let typed = chat.types(Typed::Say(text("hi")));
    assert_eq!(shown(&typed), ["ann Mine: hi"]);
    assert_eq!(spoken(&typed), []);
    assert_eq!(typed.last(), Some(&Effect::Sync));
    let further = chat.types(Typed::Act(text("waves")));
    assert!(!further.contains(&Effect::Sync), "one at a time");
    let first = chat.on(Input::Synced { to: 3 });

    assert_eq!(spoken(&first), [(1, "hi".to_owned())]);
    assert_eq!(first.last(), Some(&Effect::Sync));
    assert_eq!(spoken(&chat.syncs()), [(2, "waves".to_owned())]);
}

#[test]
fn what_is_heard_is_forgotten_and_what_is_not_is_said_again_after_the_next_welcome() {
    let mut chat = Chat::live();
    for words in ["one", "two", "three"] {
        chat.says(words);
    }
    chat.hears(&FromRoom::Heard { number: 1 });
    assert_eq!(chat.member.memory.waiting(), 2);

    chat.on(Input::Disconnected);
    chat.says("four");
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    let again = chat.hears(&FromRoom::Welcome(Welcome { heard: 2, ..welcome() }));

    assert_eq!(spoken(&again), [(3, "three".to_owned())]);
    assert_eq!(spoken(&chat.syncs()), [(4, "four".to_owned())]);
}

/// Fails if silence about what was said is taken for consent.
#[test]
fn what_is_not_heard_in_time_is_asked_after() {
    let mut chat = Chat::live();
    chat.says("hi");
    let mut frames = Vec::new();
    for _ in 0..8 {
        chat.hears(&FromRoom::Beat { sent: 0 });
        frames.extend(sent(&chat.passes(secs(0.5))));
    }

    assert!(frames.iter().any(|frame| matches!(frame, ToRoom::Hello(_))), "{frames:?}");
    let again = chat.hears(&FromRoom::Welcome(welcome()));
    assert_eq!(spoken(&again), [(1, "hi".to_owned())]);
    assert_eq!(shown(&again), [""; 0], "nobody was away");
}

#[test]
fn what_the_room_cannot_keep_is_told_once_and_tried_again() {
    let mut chat = Chat::live();
    chat.says("one");
    chat.says("two");
    let unheard = FromRoom::Unheard { number: 1, why: "the disk is full".to_owned() };

    assert_eq!(
        shown(&chat.hears(&unheard)),
        ["! The room cannot keep what you say: the disk is full. It is tried again."]
    );
    assert_eq!(spoken(&chat.says("three")), [], "the room takes nothing that does not follow");
    let again = spoken(&chat.passes(secs(1.0)));
    assert_eq!(again.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(shown(&chat.hears(&unheard)), [""; 0]);
}

#[test]
fn entries_are_shown_once_in_order_and_acknowledged() {
    let mut chat = Chat::live();
    let all = [
        entry(1, What::Joined(2)),
        entry(2, What::Text(text("hi"))),
        entry(3, What::Renamed(name("rob"))),
        entry(5, What::Left(1)),
    ];
    let first = chat.hears(&entries(0, 6, &all));
    let again = chat.hears(&entries(0, 6, &all));

    assert_eq!(
        shown(&first),
        [
            "* bob joined the room. 2 online.",
            "bob: hi",
            "* bob is now called rob.",
            "* bob left the room. 1 online."
        ]
    );
    assert_eq!(shown(&again), [""; 0]);
    assert_eq!(sent(&chat.passes(secs(1.0))), [ToRoom::Beat { seen: 6 }]);
    let log = LOG;
    assert_eq!(chat.records.last(), Some(&Record::Seen { room: "there:1".to_owned(), log, number: 6 }));
}

#[test]
fn a_quarter_of_the_window_is_acknowledged_at_once() {
    let mut chat = Chat::live();
    assert_eq!(sent(&chat.hears(&entries(0, 1023, &[]))), []);
    assert_eq!(sent(&chat.hears(&entries(1023, 1024, &[]))), [ToRoom::Beat { seen: 1024 }]);
}

#[test]
fn while_the_screen_cannot_follow_nothing_is_acknowledged_or_remembered_as_seen() {
    let mut chat = Chat::live();
    let before = chat.records.len();
    chat.is_behind = true;
    chat.hears(&entries(0, 2000, &[entry(1, What::Text(text("hi")))]));
    assert_eq!(sent(&chat.passes(secs(1.0))), [ToRoom::Beat { seen: 0 }]);
    assert_eq!(chat.records.len(), before);

    chat.is_behind = false;
    let caught_up = chat.looks();

    assert_eq!(sent(&caught_up), [ToRoom::Beat { seen: 2000 }]);
    assert_eq!(chat.records.len(), before + 1);
}

/// Fails if a place that is lost meanwhile makes the same lines wait for the screen again, or if they are not remembered when
/// they are on it.
#[test]
fn what_a_screen_that_cannot_follow_was_given_is_not_given_to_it_again_by_a_new_place() {
    let mut chat = Chat::live();
    let hi = entries(0, 2, &[entry(1, What::Text(text("hi"))), entry(2, What::Text(text("you")))]);
    chat.is_behind = true;
    assert_eq!(shown(&chat.hears(&hi)), ["bob: hi", "bob: you"]);
    chat.hears(&FromRoom::Speak);
    let hello = sent(&chat.passes(secs(1.0)));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.seen == 0), "{hello:?}");
    chat.hears(&FromRoom::Welcome(Welcome { head: 2, ..welcome() }));
    let again =
        chat.hears(&entries(0, 3, &[entry(2, What::Text(text("you"))), entry(3, What::Text(text("!")))]));
    assert_eq!(shown(&again), ["bob: !"]);

    chat.on(Input::Disconnected);
    chat.is_behind = false;
    chat.looks();

    assert!(matches!(chat.records.last(), Some(Record::Seen { number: 3, .. })));
}

#[test]
fn a_gap_sends_it_back_to_say_hello_with_what_it_has() {
    let mut chat = Chat::live();
    chat.hears(&entries(0, 4, &[entry(4, What::Text(text("four")))]));

    let gap = chat.hears(&entries(5, 6, &[entry(6, What::Text(text("six")))]));
    assert_eq!(shown(&gap), [""; 0]);
    let hello = sent(&chat.passes(secs(1.0)));

    assert!(
        matches!(&hello[..], [ToRoom::Hello(hello)] if hello.seen == 4 && hello.log == Some(LOG)),
        "{hello:?}"
    );
}

#[test]
fn what_was_missed_is_shown_as_such_without_who_came_and_went() {
    let seen = Record::Seen { room: "there:1".to_owned(), log: LOG, number: 3 };
    let mut chat = Chat::recalling(vec![seen]);
    chat.on(Input::Connected);
    let hello = sent(&chat.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.seen == 3));
    chat.hears(&FromRoom::Welcome(Welcome { head: 6, from: 3, ..welcome() }));

    let all =
        [entry(4, What::Joined(2)), entry(5, What::Text(text("old"))), entry(7, What::Text(text("new")))];
    let caught_up = chat.hears(&entries(3, 7, &all));

    assert_eq!(shown(&caught_up), ["bob Missed: old", "bob: new"]);
}

#[test]
fn what_is_no_longer_kept_is_counted() {
    let seen = Record::Seen { room: "there:1".to_owned(), log: LOG, number: 3 };
    let back = |welcome| {
        let mut chat = Chat::recalling(vec![seen.clone()]);
        chat.on(Input::Connected);
        chat.hears(&FromRoom::Speak);
        let effects = chat.hears(&FromRoom::Welcome(welcome));
        (shown(&effects), chat)
    };

    let (told, mut chat) = back(Welcome { head: 20, from: 10, ..welcome() });
    assert_eq!(told, ["* You are now online. 1 online.", "* 7 messages are no longer kept."]);
    assert_eq!(shown(&chat.hears(&entries(10, 11, &[entry(11, What::Text(text("x")))]))), ["bob Missed: x"]);

    let (told, _) = back(Welcome { log: OTHER_LOG, ..welcome() });
    assert!(told[1].starts_with("* The room has a new log"), "{told:?}");

    let (_, mut chat) = back(Welcome { head: 1, from: 1, ..welcome() });
    let later = chat.hears(&entries(1, 2, &[entry(2, What::Text(text("put back")))]));
    assert_eq!(shown(&later), ["bob: put back"], "numbers of a log that was put back come again");
}

#[test]
fn who_is_away_is_told_once_and_once_that_it_is_back() {
    let mut chat = Chat::live();
    let lost = chat.on(Input::Disconnected);
    assert_eq!(shown(&lost), ["! The room is away: the connection is lost. What you say is kept for it."]);
    chat.on(Input::Connected);
    let no_answer = chat.passes(secs(2.0));
    assert_eq!(shown(&no_answer), [""; 0]);
    chat.passes(secs(2.0));
    chat.hears(&FromRoom::Speak);
    assert_eq!(shown(&chat.hears(&FromRoom::Welcome(welcome()))), ["* You are now online. 1 online."]);
}

#[test]
fn silence_of_three_beats_is_absence() {
    let mut chat = Chat::live();
    chat.passes(secs(2.9));
    assert_eq!(chat.state(), 'L');
    let silent = chat.passes(secs(0.1));
    assert_eq!(shown(&silent), ["! The room is away: it is silent. What you say is kept for it."]);
}

#[test]
fn a_room_that_closes_is_waited_for() {
    let mut chat = Chat::live();
    assert_eq!(shown(&chat.hears(&FromRoom::Closing)), ["* Server is off."]);
    assert_eq!(shown(&chat.on(Input::Disconnected)), [""; 0]);
    chat.says("meanwhile");
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    assert_eq!(shown(&chat.hears(&FromRoom::Welcome(welcome()))), ["* You are now online. 1 online."]);
    assert_eq!(spoken(&chat.syncs()), [(1, "meanwhile".to_owned())]);
}

#[test]
fn a_taken_name_ends_who_comes_and_not_who_comes_back() {
    let taken = FromRoom::Refused { why: Refusal::NameTaken };
    assert_eq!(ended(&Chat::greeting().hears(&taken)), Some(End::Refused(Refusal::NameTaken)));

    let mut chat = Chat::live();
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    let told = shown(&chat.hears(&taken));
    assert!(told[0].starts_with("! The name ann is somebody else's by now."), "{told:?}");
    chat.passes(secs(2.0));
    assert_eq!(shown(&chat.hears(&taken)), [""; 0], "once");
    chat.types(Typed::Rename(name("anna")));
    let hello = sent(&chat.passes(secs(2.0)));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.name == name("anna")), "{hello:?}");
}

#[test]
fn a_name_is_asked_for_after_what_was_typed_before_it() {
    let mut chat = Chat::live();
    chat.types(Typed::Say(text("as ann")));
    let asks = chat.types(Typed::Rename(name("anna")));
    assert_eq!(sent(&asks), []);

    let frames = sent(&chat.syncs());
    assert!(matches!(&frames[..], [ToRoom::Say(_), ToRoom::Rename { .. }]), "{frames:?}");
    let renamed = Entry { name: name("ann"), ..entry(1, What::Renamed(name("anna"))) };
    let effects = chat.hears(&entries(0, 1, &[renamed]));
    assert!(effects.contains(&Effect::Rename(name("anna"))));
    assert_eq!(shown(&effects), ["* You are now called anna."]);
}

/// Fails if a name that was asked for is given up with the place.
#[test]
fn a_name_that_was_asked_for_is_asked_for_until_the_room_answers() {
    let mut chat = Chat::live();
    let rename = ToRoom::Rename { name: name("anna") };
    assert_eq!(sent(&chat.types(Typed::Rename(name("anna")))), [rename]);
    assert_eq!(sent(&chat.says("hi")).len(), 1, "it is not asked for twice");
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    let hello = sent(&chat.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.name == name("anna")), "{hello:?}");
    let back = chat.hears(&FromRoom::Welcome(welcome()));
    assert_eq!(shown(&back), ["* You are now online. 1 online.", "* You are now called anna."]);
    let renamed = Entry { name: name("ann"), ..entry(1, What::Renamed(name("anna"))) };
    assert_eq!(shown(&chat.hears(&entries(0, 1, &[renamed]))), [""; 0]);

    chat.types(Typed::Rename(name("bob")));
    let why = "The name bob is taken. Try another.".to_owned();
    let refused = chat.hears(&FromRoom::NotRenamed { name: name("bob"), why });
    assert_eq!(shown(&refused), ["! The name bob is taken. Try another."]);
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    let hello = sent(&chat.hears(&FromRoom::Speak));
    assert!(matches!(&hello[..], [ToRoom::Hello(hello)] if hello.name == name("anna")), "{hello:?}");
}

#[test]
fn who_asks_who_is_there_is_told() {
    let mut chat = Chat::live();
    let who = FromRoom::Who { names: vec![name("ann"), name("bob")] };
    assert_eq!(shown(&chat.hears(&who)), [""; 0], "the first was for completing");
    chat.types(Typed::Who);
    assert_eq!(shown(&chat.hears(&who)), ["* 2 online: ann, bob."]);
    assert_eq!(shown(&chat.hears(&who)), [""; 0]);
}

/// Fails if a script that only asks who is there is gone before it is told.
#[test]
fn who_asks_before_it_has_a_place_is_told_when_it_has_one() {
    let mut chat = Chat::joining();
    assert_eq!(shown(&chat.types(Typed::Who)), [""; 0]);
    assert_eq!(ended(&chat.types(Typed::Quit)), None);
    chat.hears(&FromRoom::Speak);
    assert_eq!(ended(&chat.hears(&FromRoom::Welcome(welcome()))), None);
    let told = chat.hears(&FromRoom::Who { names: vec![name("ann")] });
    assert_eq!(shown(&told), ["* 1 online: ann."]);
    assert_eq!(ended(&told), Some(End::Left));
}

#[test]
fn a_room_of_another_version_ends_it() {
    for mut chat in [Chat::joining(), Chat::greeting()] {
        let effects = chat.on(Input::Frame { bytes: b"\x92\x02\xc0", at: 0 });
        assert_eq!(ended(&effects), Some(End::Refused(Refusal::Version)));
    }
}

#[test]
fn names_are_kept_up_to_date() {
    let mut chat = Chat::live();
    chat.hears(&FromRoom::Who { names: vec![name("ann")] });
    let known = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Know(names) => Some(names),
            _ => None,
        })
    };
    let joined = chat.hears(&entries(0, 1, &[entry(1, What::Joined(2))]));
    assert_eq!(known(joined), Some(vec![name("ann"), name("bob")]));
    let renamed = chat.hears(&entries(1, 2, &[entry(2, What::Renamed(name("rob")))]));
    assert_eq!(known(renamed), Some(vec![name("ann"), name("rob")]));
    let left = Entry { name: name("rob"), ..entry(3, What::Left(1)) };
    assert_eq!(known(chat.hears(&entries(2, 3, &[left]))), Some(vec![name("ann")]));
}

#[test]
fn who_quits_with_nothing_to_say_leaves_at_once() {
    let effects = Chat::live().types(Typed::Quit);
    assert_eq!(sent(&effects), [ToRoom::Bye]);
    assert_eq!(ended(&effects), Some(End::Left));
}

/// Fails if who leaves does not wait for what it said to be heard.
#[test]
fn who_quits_is_heard_first() {
    let mut chat = Chat::live();
    chat.types(Typed::Say(text("last words")));
    assert_eq!(ended(&chat.types(Typed::Quit)), None);
    assert!(!chat.member.has_room());
    assert_eq!(ended(&chat.syncs()), None);

    let heard = chat.hears(&FromRoom::Heard { number: 1 });

    assert_eq!(sent(&heard), [ToRoom::Bye]);
    assert_eq!(ended(&heard), Some(End::Left));
}

#[test]
fn who_is_not_heard_in_time_leaves_its_texts_for_the_next_time() {
    let mut chat = Chat::new();
    chat.says("one");
    chat.says("two");
    chat.types(Typed::Quit);
    assert_eq!(
        shown(&chat.passes(secs(0.6))),
        ["* 2 texts are not delivered yet: waiting for the room, 5 s at most."]
    );
    assert_eq!(ended(&chat.passes(secs(4.4))), Some(End::GraceExpired(2)));
    assert_eq!(left_behind(2), "2 texts are not delivered: they will be said next time.");

    let mut next = Chat::recalling(chat.records);
    next.on(Input::Connected);
    next.hears(&FromRoom::Speak);
    next.hears(&FromRoom::Welcome(welcome()));
    assert_eq!(spoken(&next.syncs()), [(1, "one".to_owned()), (2, "two".to_owned())]);
}

#[test]
fn what_cannot_be_written_down_is_not_said() {
    let mut chat = Chat::live();
    let typed = chat.types(Typed::Say(text("hi")));
    let order = typed.iter().find_map(|effect| match effect {
        Effect::Keep(written) => Some(written.order),
        _ => None,
    });

    let lost = chat.on(Input::Unkept { from: order.unwrap(), why: "no space left".to_owned() });

    let words = "! 1 text is not said, for want of a place to write it down first: no space left.";
    assert_eq!(shown(&lost), [words]);
    assert_eq!(spoken(&chat.syncs()), []);
    assert_eq!(chat.member.memory.waiting(), 0);
}

#[test]
fn a_number_that_cannot_be_written_down_is_given_again_later() {
    let mut chat = Chat::new();
    chat.says("hi");
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    let welcomed = chat.hears(&FromRoom::Welcome(welcome()));
    assert!(matches!(chat.records.last(), Some(Record::Numbered { number: 1, .. })), "{welcomed:?}");
    let order = 3;

    let told = chat.on(Input::Unkept { from: order, why: "no space left".to_owned() });
    assert_eq!(shown(&told).len(), 1);
    assert_eq!(spoken(&chat.syncs()), []);
    chat.passes(secs(1.0));

    assert_eq!(spoken(&chat.syncs()), [(1, "hi".to_owned())]);
}

#[test]
fn a_classic_room_is_spoken_to_as_it_is_used_to() {
    let mut chat = Chat::joining();
    let greeted = chat.hears_classic("You are now online. 1 online.\n");
    assert_eq!(shown(&greeted)[1], "server: You are now online. 1 online.");

    let says = chat.says("hi");
    chat.types(Typed::Act(text("waves")));
    let acts = chat.syncs();

    assert_eq!(sent_classic(&says), [Frame::Text { name: name("ann"), text: text("hi") }]);
    assert_eq!(sent_classic(&acts), [Frame::Text { name: name("ann"), text: text("* ann waves") }]);
    assert_eq!(chat.member.memory.waiting(), 0);
    for typed in [Typed::Who, Typed::Rename(name("b")), Typed::Tell(name("b"), text("psst"))] {
        let effects = chat.types(typed);
        assert!(shown(&effects)[0].starts_with("! This room is a classic one"), "{effects:?}");
        assert_eq!(sent_classic(&effects), []);
    }
    assert_eq!(sent_classic(&chat.types(Typed::Quit)), [Frame::Leave { name: name("ann") }]);
}

#[test]
fn what_is_typed_for_one_before_a_room_turns_out_classic_is_not_said_to_all() {
    let mut chat = Chat::new();
    chat.types(Typed::Tell(name("bob"), text("secret")));
    chat.syncs();
    chat.on(Input::Connected);

    let effects = chat.hears_classic("You are now online. 1 online.");

    assert_eq!(sent_classic(&effects), []);
    assert!(shown(&effects).iter().any(|line| line.starts_with("! Your private text for bob is not said")));
}

#[test]
fn a_classic_room_is_joined_again_when_the_connection_is_new() {
    let mut chat = Chat::classic();
    chat.on(Input::Disconnected);
    chat.says("kept");
    let joins = chat.on(Input::Connected);
    assert_eq!(sent_classic(&joins).len(), 1);

    let back = chat.hears_classic("You are now online. 1 online.");
    assert_eq!(sent_classic(&back), [Frame::Text { name: name("ann"), text: text("kept") }]);
}

#[test]
fn numbers_that_a_room_has_lost_are_given_anew() {
    let mut chat = Chat::welcomed(Welcome { heard: 7, ..welcome() });
    assert_eq!(spoken(&chat.says("eight")), [(8, "eight".to_owned())]);
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);

    chat.hears(&FromRoom::Welcome(Welcome { log: OTHER_LOG, heard: 0, ..welcome() }));
    assert_eq!(spoken(&chat.syncs()), [(1, "eight".to_owned())]);
    chat.says("nine");
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    chat.hears(&FromRoom::Welcome(Welcome { log: OTHER_LOG, heard: 1, ..welcome() }));
    chat.says("ten");
    chat.on(Input::Disconnected);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);

    // Of the same log, put back to an earlier day.
    chat.hears(&FromRoom::Welcome(Welcome { log: OTHER_LOG, heard: 0, ..welcome() }));
    assert_eq!(spoken(&chat.syncs()), [(1, "nine".to_owned()), (2, "ten".to_owned())]);
}

#[test]
fn what_was_said_for_another_room_stays_for_it() {
    let mut there = Chat::new();
    there.says("for there");
    let memory = Memory::recalled("elsewhere:1", there.records.clone());
    assert_eq!(memory.waiting(), 0);
    assert_eq!(Memory::recalled("there:1", there.records).waiting(), 1);
}

#[test]
fn a_lying_room_cannot_make_it_panic() {
    for heard in [u64::MAX, u64::MAX - 1, 0] {
        let mut chat =
            Chat::welcomed(Welcome { heard, head: u64::MAX, from: u64::MAX, beat: 0, ..welcome() });
        chat.says("one");
        chat.says("two");
        for frame in [
            FromRoom::Heard { number: u64::MAX },
            FromRoom::Unheard { number: 0, why: String::new() },
            entries(u64::MAX, u64::MAX, &[entry(u64::MAX, What::Left(0))]),
            FromRoom::Beat { sent: u64::MAX },
        ] {
            chat.hears(&frame);
            chat.passes(secs(10.0));
        }
    }
}

#[test]
fn a_frame_of_texts_is_never_longer_than_frames_may_be() {
    let mut chat = Chat::new();
    while chat.member.has_room() {
        chat.types(Typed::Say(text(&"x".repeat(Text::MAX_BYTES))));
    }
    chat.syncs();
    assert_eq!(chat.member.memory.waiting(), memory::MAX_KEPT);
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    chat.hears(&FromRoom::Welcome(welcome()));

    let effects = chat.syncs();

    assert_eq!(spoken(&effects).len(), memory::MAX_KEPT);
    let longest = effects.iter().map(|effect| if let Effect::Send(bytes) = effect { bytes.len() } else { 0 });
    assert!(longest.max().unwrap() <= room::MAX_FRAME);
    let frames = sent(&effects);
    assert!(frames.iter().all(|frame| matches!(frame, ToRoom::Say(Say { said, .. }) if said.len() <= 256)));
}

#[test]
fn small_texts_go_together() {
    let mut chat = Chat::new();
    for number in 0..300 {
        chat.types(Typed::Say(text(&number.to_string())));
    }
    chat.syncs();
    chat.on(Input::Connected);
    chat.hears(&FromRoom::Speak);
    chat.hears(&FromRoom::Welcome(welcome()));
    let lengths = |frames: Vec<ToRoom>| -> Vec<usize> {
        let said =
            |frame| if let ToRoom::Say(Say { said, .. }) = frame { said } else { Vec::<Utterance>::new() };
        frames.into_iter().map(|frame| said(frame).len()).collect()
    };
    assert_eq!(lengths(sent(&chat.syncs())), [256, 44]);
    assert_eq!(Text::new(""), Err(BadText::Empty));
}

/// Fails if a record that changes the memory is not one that is written, or says something else when it is read.
#[test]
fn memory_is_what_its_records_say() {
    let mut chat = Chat::live();
    for words in ["one", "two", "three"] {
        chat.says(words);
    }
    chat.hears(&FromRoom::Heard { number: 1 });
    chat.hears(&entries(0, 9, &[]));

    let recalled = Memory::recalled("there:1", chat.records.clone());
    let shortened = Memory::recalled("there:1", chat.member.records());

    for memory in [recalled, shortened] {
        assert_eq!(memory.last_seen(), (Some(LOG), 9));
        assert_eq!(memory.waiting(), 2);
        assert_eq!(memory.next(), 2);
        let numbers: Vec<_> = memory.speakable(LOG, 1, 10).iter().map(|said| said.number).collect();
        assert_eq!(numbers, [2, 3]);
    }
}
