//! Many members of our own dialect on one thread of the test: some speak, the others only listen.
//!
//! All listeners must hear the very same bytes, so what one hears is compared with what the first to hear it kept: a
//! hundred times a hundred thousand texts cost a comparison of memory, and only one of them is read. Speakers hear all but
//! themselves, entry by entry.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use chat::wire::room::{
    Entries, Entry, FromRoom, Hello, Key, LogId, MAX_SAID, Say, ToRoom, Utterance, Welcome, What, decode,
    encode,
};
use chat::{Name, Text, Tone};
use runtime::shard::run_local;
use runtime::zeromq::{Context, Dealer, PeerId};
use serde_json::json;
use tokio::task::spawn_local;
use tokio::time::timeout;

/// So many entries may be heard before it is said that they were; the room's patience is four times that.
const QUARTER: u64 = 1024;

/// How often one says that it lives.
const BEAT: Duration = Duration::from_millis(500);

/// What is said before there is a connection is tried again so often.
const PAUSE: Duration = Duration::from_millis(5);

/// So many texts of a speaker are on their way at once, at the most.
const IN_FLIGHT: u64 = 2048;

/// How long all of it may take on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// Who comes, and what is said.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) listeners: usize,
    pub(crate) speakers: usize,
    /// Of each speaker.
    pub(crate) texts: u64,
}

/// What all listeners of a crowd heard, in its order: who, and what.
pub(crate) type Heard = Vec<(String, String)>;

impl Crowd {
    /// Everybody comes; once all are there, the speakers begin; and once all have heard all, it is over.
    #[track_caller]
    pub(crate) fn chats(self, room: SocketAddr) -> Heard {
        let chat =
            async move { timeout(LONG, self.chat(room)).await.expect("every member hears all in good time") };
        run_local(chat).expect("a thread has a runtime")
    }

    /// What its speakers are called, and say.
    pub(crate) fn said(self) -> impl Iterator<Item = (String, Vec<String>)> {
        let texts = move |at| (1..=self.texts).map(move |number| text_of(at, number)).collect();
        (0..self.speakers).map(move |at| (name_of(at), texts(at)))
    }

    fn size(self) -> usize {
        self.listeners + self.speakers
    }

    async fn chat(self, room: SocketAddr) -> Heard {
        let context = Context::new();
        let shared = Rc::new(Shared::of(self));
        let members = (0..self.size()).map(|at| {
            let id = PeerId::ours(fastrand::u64(..));
            let dealer = Dealer::connect(&context, &format!("tcp://{room}"), id.as_bytes());
            let dealer = dealer.expect("a dealer connects to anything");
            spawn_local(Member::new(at, dealer, Rc::clone(&shared)).chat())
        });
        for member in members.collect::<Vec<_>>() {
            member.await.expect("a member does its part");
        }
        let reference = shared.reference.borrow();
        reference.heard.clone()
    }
}

struct Shared {
    crowd: Crowd,
    reference: RefCell<Reference>,
    /// How many have a place.
    there: Cell<usize>,
    /// How many have heard all and said all.
    done: Cell<usize>,
}

impl Shared {
    fn of(crowd: Crowd) -> Self {
        Self { crowd, reference: RefCell::default(), there: Cell::new(0), done: Cell::new(0) }
    }
}

/// What listeners hear, kept once, from the first text on.
#[derive(Default)]
struct Reference {
    entries: Vec<u8>,
    heard: Heard,
    last: u64,
}

impl Reference {
    /// Compares what a listener heard when it had heard `at` bytes, or keeps it where nobody was that far.
    fn compare(&mut self, at: usize, bytes: &[u8]) {
        let (known, new) = bytes.split_at(bytes.len().min(self.entries.len() - at));
        assert!(
            known == &self.entries[at..at + known.len()],
            "listeners hear different things after {at} bytes"
        );
        self.entries.extend(new);
        for entry in read(new) {
            assert!(entry.number > self.last, "{} comes after {}", entry.number, self.last);
            self.last = entry.number;
            self.heard.extend(text_in(entry));
        }
    }
}

struct Member {
    at: usize,
    dealer: Dealer,
    shared: Rc<Shared>,
    log: Option<LogId>,
    /// The last number heard.
    seen: u64,
    /// The last that the room was told of.
    told: u64,
    /// How many bytes of the reference a listener has heard.
    bytes: usize,
    /// What a speaker has heard.
    heard: Heard,
    /// The last text said, and the last that the room keeps.
    said: u64,
    kept: u64,
    is_there: bool,
    is_done: Cell<bool>,
}

impl Member {
    fn new(at: usize, dealer: Dealer, shared: Rc<Shared>) -> Self {
        Self {
            at,
            dealer,
            shared,
            log: None,
            seen: 0,
            told: 0,
            bytes: 0,
            heard: Heard::new(),
            said: 0,
            kept: 0,
            is_there: false,
            is_done: Cell::new(false),
        }
    }

    async fn chat(mut self) {
        let join = json!({"auth": 1, "name": name_of(self.at), "pegloom": 1}).to_string().into_bytes();
        while self.dealer.try_send(join.clone()).is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        let mut beat = tokio::time::interval(BEAT);
        while !self.are_all_done() {
            tokio::select! {
                () = self.dealer.readable() => self.hear(),
                _ = beat.tick() => if self.is_there { self.tell() },
            }
            self.speak();
        }
        self.send(&ToRoom::Bye);
    }

    fn hear(&mut self) {
        while let Some(received) = self.dealer.try_receive() {
            let frame = received.expect("a message of one part");
            self.on_frame(decode(&frame).expect("a frame of our dialect"));
        }
    }

    fn on_frame(&mut self, frame: FromRoom) {
        match frame {
            FromRoom::Speak => self.send(&ToRoom::Hello(self.hello())),
            FromRoom::Welcome(welcome) => self.on_welcome(&welcome),
            FromRoom::Entries(entries) => self.on_entries(&entries),
            FromRoom::Heard { number } => self.on_kept(number),
            FromRoom::Unheard { why, .. } => panic!("{} is not heard: {why}", name_of(self.at)),
            FromRoom::Refused { why } => panic!("{} is refused: {why:?}", name_of(self.at)),
            _ => {}
        }
    }

    fn hello(&self) -> Hello {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(self.at as u64 + 1).to_le_bytes());
        Hello {
            key: Key(key),
            name: name(self.at),
            log: self.log,
            seen: self.seen,
            next: self.kept + 1,
            life: 0,
        }
    }

    fn on_welcome(&mut self, welcome: &Welcome) {
        if self.is_there {
            assert_eq!(
                (self.log, self.seen),
                (Some(welcome.log), welcome.from),
                "what is kept is what was missed"
            );
        } else {
            self.is_there = true;
            self.shared.there.set(self.shared.there.get() + 1);
        }
        (self.log, self.seen, self.told) = (Some(welcome.log), welcome.from, welcome.from);
        self.on_kept(welcome.heard);
        self.said = welcome.heard;
    }

    fn on_entries(&mut self, entries: &Entries) {
        assert!(entries.after <= self.seen, "{} comes after {}", entries.after, self.seen);
        if entries.to <= self.seen {
            return;
        }
        self.seen = entries.to;
        if self.is_speaker() {
            self.heard.extend(read(&entries.entries).filter_map(text_in));
        } else {
            let bytes =
                if self.bytes == 0 { after_the_comers(&entries.entries) } else { &entries.entries[..] };
            self.shared.reference.borrow_mut().compare(self.bytes, bytes);
            self.bytes += bytes.len();
        }
        if self.seen - self.told >= QUARTER {
            self.tell();
        }
    }

    fn on_kept(&mut self, number: u64) {
        self.kept = number;
    }

    fn tell(&mut self) {
        self.told = self.seen;
        self.send(&ToRoom::Beat { seen: self.seen });
    }

    fn speak(&mut self) {
        let are_all_there = self.shared.there.get() == self.shared.crowd.size();
        while are_all_there && self.is_speaker() && self.said < self.shared.crowd.texts {
            let last = self.shared.crowd.texts.min(self.kept + IN_FLIGHT).min(self.said + MAX_SAID as u64);
            if last == self.said {
                return;
            }
            let said = (self.said + 1..=last).map(|number| self.utterance(number)).collect();
            (self.said, self.told) = (last, self.seen);
            self.send(&ToRoom::Say(Say { seen: self.seen, said }));
        }
    }

    fn utterance(&self, number: u64) -> Utterance {
        let text = Text::new(&text_of(self.at, number)).expect("it is short");
        Utterance { number, text, tone: Tone::Plain }
    }

    fn send(&self, frame: &ToRoom) {
        // Its queue has no end, so the connection is gone; the room's `Speak` will say so.
        let _ = self.dealer.try_send(encode(frame));
    }

    fn is_speaker(&self) -> bool {
        self.at < self.shared.crowd.speakers
    }

    fn are_all_done(&self) -> bool {
        let done = &self.shared.done;
        if !self.is_done.get() && self.has_it_all() {
            self.is_done.set(true);
            done.set(done.get() + 1);
        }
        done.get() == self.shared.crowd.size()
    }

    fn has_it_all(&self) -> bool {
        let Crowd { texts, speakers, .. } = self.shared.crowd;
        let reference = self.shared.reference.borrow();
        let is_complete = reference.heard.len() as u64 == texts * speakers as u64;
        if !self.is_speaker() {
            return is_complete && self.bytes == reference.entries.len();
        }
        let has_heard = self.heard.len() as u64 == texts * (speakers as u64 - 1);
        if is_complete && has_heard {
            let own = name_of(self.at);
            let others = reference.heard.iter().filter(|(name, _)| *name != own);
            assert!(others.eq(&self.heard), "{own} hears another order");
        }
        is_complete && has_heard && self.kept == texts
    }
}

/// Entries from the first text on: before it, people come, and nobody hears of itself.
fn after_the_comers(entries: &[u8]) -> &[u8] {
    let comers = read(entries).take_while(|entry| !matches!(entry.what, What::Text(_)));
    &entries[comers.map(|entry| entry.to_bytes().len()).sum()..]
}

fn read(mut entries: &[u8]) -> impl Iterator<Item = Entry> {
    std::iter::from_fn(move || {
        let is_over = entries.is_empty();
        (!is_over).then(|| rmp_serde::decode::from_read(&mut entries).expect("an entry"))
    })
}

fn text_in(entry: Entry) -> Option<(String, String)> {
    match entry.what {
        What::Text(text) => Some((entry.name.into(), text.into())),
        _ => None,
    }
}

fn name(at: usize) -> Name {
    Name::new(&name_of(at)).expect("a name")
}

fn name_of(at: usize) -> String {
    format!("member {at}")
}

fn text_of(at: usize, number: u64) -> String {
    format!("text {number} of member {at}")
}
