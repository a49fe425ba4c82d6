//! A speaker and members of a room of ours, or of the bare relay: one thread, a DEALER each, everything that is heard
//! checked. In a room each member speaks as `wire::room` has it: it says hello, says how far it has read, and beats.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chat::wire::room::{self, Entries, FromRoom, Hello, Key, Say, ToRoom, Utterance, What};
use chat::{Name, Text, Tone};
use runtime::zeromq::{Context, Dealer, PeerId};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::{interval, sleep, timeout_at};

use super::SILENCE;
use super::audience::Audience;
use crate::load::Shape;

const RETRY: Duration = Duration::from_millis(5);
const BEAT: Duration = Duration::from_secs(1);
/// A quarter of what a room sends a member that has not said that it has read it.
const ACKNOWLEDGED_AFTER: u64 = 1024;
/// Messages that one client takes before others have their turn.
const TURN: usize = 64;
/// What a text needs in a frame besides itself, and a frame besides its texts; more than they do.
const OVERHEAD: usize = 64;

/// What the other side is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Room,
    /// It sends what it gets, and back what is empty.
    Relay,
}

#[derive(Clone, Copy)]
enum Role {
    Speaker,
    Member(usize),
    /// A member that reads nothing more once it has its place, and yet beats.
    Deaf,
}

/// All clients of a server.
pub(super) struct Dealers {
    tasks: LocalSet,
    crowd: Rc<Crowd>,
    // The last to go: sockets leave it before they close.
    runtime: Runtime,
}

struct Crowd {
    dialect: Dialect,
    /// The speaker first.
    clients: Vec<Client>,
    texts_a_frame: u64,
    audience: RefCell<Audience>,
    /// There is room for a text, all is settled, a client is ready, or has failed.
    progress: Notify,
    failure: RefCell<Option<anyhow::Error>>,
    /// A text, or a place. A server that only beats has stopped.
    last_heard: Cell<Instant>,
}

struct Client {
    dealer: Dealer,
    role: Role,
    number: u64,
    is_ready: Cell<bool>,
    seen: Cell<u64>,
    /// What of `seen` the room knows.
    told: Cell<u64>,
}

impl Dealers {
    /// Returns when all are there. `deaf` members come in addition to those of the shape.
    pub(super) fn connect(endpoint: &str, dialect: Dialect, shape: Shape, deaf: usize) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let tasks = LocalSet::new();
        let crowd = {
            let _inside = runtime.enter();
            Rc::new(Crowd::new(endpoint, dialect, shape, deaf)?)
        };
        for index in 0..crowd.clients.len() {
            tasks.spawn_local(Crowd::attend(Rc::clone(&crowd), index));
        }
        if dialect == Dialect::Room {
            tasks.spawn_local(Crowd::beat(Rc::clone(&crowd)));
        }
        let dealers = Self { tasks, crowd, runtime };
        dealers.block_on(|crowd| crowd.until(None, |crowd| Ok(crowd.is_ready())))?;
        Ok(dealers)
    }

    pub(super) fn audience(&self) -> Ref<'_, Audience> {
        self.crowd.audience.borrow()
    }

    /// Speaks for so long.
    pub(super) fn run_for(&self, duration: Duration) -> Result<()> {
        let deadline = Instant::now() + duration;
        self.block_on(|crowd| crowd.until(Some(deadline), |crowd| crowd.speak(u64::MAX).map(|()| false)))
    }

    /// Speaks until so many texts have been said in all.
    pub(super) fn say_in_all(&self, texts: u64) -> Result<()> {
        self.block_on(|crowd| {
            crowd.until(None, move |crowd| {
                crowd.speak(texts)?;
                Ok(crowd.audience.borrow().said() >= texts)
            })
        })
    }

    /// Says nothing more, and waits until all have heard all.
    pub(super) fn settle(&self) -> Result<()> {
        self.block_on(|crowd| crowd.until(None, |crowd| Ok(crowd.audience.borrow().is_settled())))
    }

    fn block_on<F: Future<Output = Result<()>>>(&self, body: impl FnOnce(Rc<Crowd>) -> F) -> Result<()> {
        self.tasks.block_on(&self.runtime, body(Rc::clone(&self.crowd)))
    }
}

impl Crowd {
    fn new(endpoint: &str, dialect: Dialect, shape: Shape, deaf: usize) -> Result<Self> {
        let context = Context::new();
        let members = (0..shape.connections as usize).map(Role::Member);
        let roles = [Role::Speaker].into_iter().chain(members).chain((0..deaf).map(|_| Role::Deaf));
        let clients = roles.zip(1..).map(|(role, number)| Client::connect(&context, endpoint, role, number));
        ensure!(shape.size <= Text::MAX_BYTES, "a text has at most {} bytes", Text::MAX_BYTES);
        Ok(Self {
            dialect,
            clients: clients.collect::<Result<_>>()?,
            texts_a_frame: texts_a_frame(shape.size),
            audience: RefCell::new(Audience::new(shape)),
            progress: Notify::new(),
            failure: RefCell::new(None),
            last_heard: Cell::new(Instant::now()),
        })
    }

    /// Looks whenever something has changed, until the look says that it is done, or the deadline.
    async fn until(
        self: Rc<Self>,
        deadline: Option<Instant>,
        look: impl Fn(&Self) -> Result<bool>,
    ) -> Result<()> {
        loop {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if look(&self)? {
                return Ok(());
            }
            let (now, silent) = (Instant::now(), self.last_heard.get() + SILENCE);
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(());
            }
            if now >= silent {
                bail!("no text has come for {SILENCE:?}: {}", self.audience.borrow().behind());
            }
            let patience = deadline.unwrap_or(silent).min(silent);
            // What has changed, or that nothing has, is seen by the next look.
            let _ = timeout_at(patience.into(), self.progress.notified()).await;
        }
    }

    fn is_ready(&self) -> bool {
        self.clients.iter().all(|client| client.is_ready.get())
    }

    /// Says what there is room for, up to so many texts in all.
    fn speak(&self, most: u64) -> Result<()> {
        let mut audience = self.audience.borrow_mut();
        let speaker = &self.clients[0];
        loop {
            let first = audience.said();
            let count = audience.room().min(most.saturating_sub(first)).min(self.texts_a_frame);
            match self.dialect {
                _ if count == 0 => return Ok(()),
                Dialect::Relay => speaker.send(audience.say().unwrap_or_default().to_vec())?,
                Dialect::Room => {
                    let texts = (first..first + count).map_while(|_| audience.say().and_then(as_text));
                    speaker.say((first..).zip(texts))?;
                }
            }
        }
    }

    async fn attend(self: Rc<Self>, index: usize) {
        if let Err(problem) = self.try_attend(&self.clients[index]).await {
            *self.failure.borrow_mut() = Some(problem);
            self.progress.notify_one();
        }
    }

    async fn try_attend(&self, client: &Client) -> Result<()> {
        client.introduce(self.dialect).await?;
        loop {
            client.dealer.readable().await;
            for _ in 0..TURN {
                let Some(received) = client.dealer.try_receive() else { break };
                let message = received.ok().context("a message has more than one part")?;
                self.hear(client, &message)?;
                if client.is_deaf() {
                    self.progress.notify_one();
                    return Ok(());
                }
            }
            let audience = self.audience.borrow();
            if audience.room() > 0 || audience.is_settled() {
                self.progress.notify_one();
            }
        }
    }

    fn hear(&self, client: &Client, message: &[u8]) -> Result<()> {
        match self.dialect {
            Dialect::Relay if message.is_empty() => self.admit(client),
            Dialect::Relay => self.take(client, message)?,
            Dialect::Room => self.hear_room(client, message)?,
        }
        Ok(())
    }

    fn hear_room(&self, client: &Client, message: &[u8]) -> Result<()> {
        match room::decode(message).context("the room sent what is no frame")? {
            FromRoom::Speak => client.say_hello(),
            FromRoom::Welcome(welcome) => {
                client.seen.set(welcome.from);
                self.admit(client);
                Ok(())
            }
            FromRoom::Entries(entries) => self.hear_entries(client, &entries),
            FromRoom::Heard { .. } | FromRoom::Beat { .. } | FromRoom::Who { .. } => Ok(()),
            other => bail!("the room says {other:?}"),
        }
    }

    fn hear_entries(&self, client: &Client, entries: &Entries) -> Result<()> {
        ensure!(entries.after <= client.seen.get(), "the room left entries out after {}", client.seen.get());
        for entry in entries.iter() {
            if let What::Text(text) = entry.context("the room sent what is no entry")?.what {
                self.take(client, text.as_str().as_bytes())?;
            }
        }
        client.seen.set(entries.to);
        if entries.to - client.told.get() >= ACKNOWLEDGED_AFTER { client.tell() } else { Ok(()) }
    }

    fn admit(&self, client: &Client) {
        client.is_ready.set(true);
        self.last_heard.set(Instant::now());
    }

    fn take(&self, client: &Client, text: &[u8]) -> Result<()> {
        self.last_heard.set(Instant::now());
        match client.role {
            Role::Member(member) => self.audience.borrow_mut().hear(member, text),
            Role::Speaker => bail!("the speaker got a text"),
            Role::Deaf => Ok(()),
        }
    }

    async fn beat(self: Rc<Self>) {
        let mut beats = interval(BEAT);
        loop {
            beats.tick().await;
            for client in self.clients.iter().filter(|client| client.is_ready.get()) {
                // What could not be sent is said by the next that cannot.
                let _ = client.tell();
            }
        }
    }
}

impl Client {
    fn connect(context: &Context, endpoint: &str, role: Role, number: u64) -> Result<Self> {
        let id = PeerId::ours(number);
        let dealer = Dealer::connect(context, endpoint, id.as_bytes()).context("cannot make a DEALER")?;
        let (is_ready, seen, told) = Default::default();
        Ok(Self { dealer, role, number, is_ready, seen, told })
    }

    fn name(&self) -> String {
        format!("member-{}", self.number)
    }

    fn is_deaf(&self) -> bool {
        matches!(self.role, Role::Deaf) && self.is_ready.get()
    }

    /// As soon as there is a connection.
    async fn introduce(&self, dialect: Dialect) -> Result<()> {
        let words = match dialect {
            Dialect::Room => format!(r#"{{"auth": 1, "name": "{}", "pegloom": 1}}"#, self.name()),
            Dialect::Relay => String::new(),
        };
        let deadline = Instant::now() + SILENCE;
        while self.dealer.try_send(words.clone().into_bytes()).is_err() {
            ensure!(Instant::now() < deadline, "cannot connect to the server");
            sleep(RETRY).await;
        }
        Ok(())
    }

    fn say_hello(&self) -> Result<()> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.number.to_be_bytes());
        let name = Name::new(&self.name())?;
        self.send(room::encode(&ToRoom::Hello(Hello {
            key: Key(key),
            name,
            log: None,
            seen: 0,
            next: 1,
            life: 0,
        })))
    }

    /// Texts with their numbers, from 0.
    fn say(&self, texts: impl Iterator<Item = (u64, Text)>) -> Result<()> {
        let utterance = |(number, text)| Utterance { number: number + 1, text, tone: Tone::Plain };
        let said = texts.map(utterance).collect();
        self.told.set(self.seen.get());
        self.send(room::encode(&ToRoom::Say(Say { seen: self.seen.get(), said })))
    }

    /// Tells the room how far it has read.
    fn tell(&self) -> Result<()> {
        self.told.set(self.seen.get());
        self.send(room::encode(&ToRoom::Beat { seen: self.seen.get() }))
    }

    fn send(&self, message: Vec<u8>) -> Result<()> {
        self.dealer.try_send(message).context("cannot send to the server")
    }
}

fn as_text(text: &[u8]) -> Option<Text> {
    Text::new(std::str::from_utf8(text).ok()?).ok()
}

fn texts_a_frame(size: usize) -> u64 {
    ((room::MAX_FRAME - OVERHEAD) / (size + OVERHEAD)).min(room::MAX_SAID) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_as_many_texts_as_may_be_is_not_too_long() {
        for size in [16, 100, Text::MAX_BYTES] {
            let text = Text::new(&"x".repeat(size)).unwrap();
            let utterance = |_| Utterance { number: u64::MAX, text: text.clone(), tone: Tone::Plain };
            let said: Vec<_> = (0..texts_a_frame(size)).map(utterance).collect();
            assert!(!said.is_empty() && said.len() <= room::MAX_SAID);

            let frame = room::encode(&ToRoom::Say(Say { seen: u64::MAX, said }));
            assert!(frame.len() <= room::MAX_FRAME, "{} bytes of texts of {size}", frame.len());
        }
    }
}
