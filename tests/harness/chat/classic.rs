//! The classic dialect from both sides: [`ClassicMember`] is the simple client that exists everywhere, [`ClassicRoom`] the
//! simple server. Neither knows anything of ours.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use runtime::shard::run_local;
use runtime::zeromq::{Context, Hall, Limits};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::speaker::Speaker;
use crate::harness::{PATIENCE, eventually, eventually_some};

const TAIL: usize = 20;

/// Little waits inside it, so that who speaks notices when it does not read.
const LIMITS: Limits =
    Limits { message: 1024 * 1024, to_one: 10_000, from_one: 10, linger: Duration::from_millis(300) };

/// One that chats in frames of JSON. Dropped, it is gone without a word.
pub(crate) struct ClassicMember {
    name: String,
    speaker: Speaker,
}

/// What a member hears: who says it, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relay {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl ClassicMember {
    /// One that has said nothing yet.
    pub(crate) fn connect(address: SocketAddr, name: &str) -> Self {
        Self { name: name.to_owned(), speaker: Speaker::connect(address) }
    }

    /// One that has joined, and was told so.
    #[track_caller]
    pub(crate) fn join(address: SocketAddr, name: &str) -> Self {
        let member = Self::connect(address, name);
        member.ask_in();
        member.expect_told("You are now online.");
        member
    }

    pub(crate) fn ask_in(&self) {
        self.send(json!({"auth": 1, "name": self.name}).to_string().as_bytes());
    }

    pub(crate) fn leave(&self) {
        self.send(json!({"auth": 0, "name": self.name}).to_string().as_bytes());
    }

    pub(crate) fn say(&self, text: &str) {
        self.send(json!({"name": self.name, "text": format!("{text}\n")}).to_string().as_bytes());
    }

    /// Sends these bytes as a frame, whatever they are.
    pub(crate) fn send(&self, frame: &[u8]) {
        self.speaker.say(frame.to_vec());
    }

    /// All it has heard. What is no frame of this dialect fails the test.
    #[track_caller]
    pub(crate) fn heard(&self) -> Vec<Relay> {
        self.speaker.heard_since(0).iter().map(|frame| Relay::parse(frame)).collect()
    }

    /// The texts it has heard of this one, without their line ends.
    #[track_caller]
    pub(crate) fn texts_of(&self, name: &str) -> Vec<String> {
        let heard = self.heard().into_iter();
        heard.filter(|relay| relay.name == name).map(|relay| relay.text.trim_end().to_owned()).collect()
    }

    /// Waits until it has heard this, of this one.
    #[track_caller]
    pub(crate) fn expect(&self, name: &str, text: &str) {
        eventually_some(PATIENCE, &format!("{} hears {name}: {text}", self.name), || {
            self.texts_of(name).iter().any(|heard| heard == text).then_some(())
        });
    }

    /// Waits until the room has told it something that begins so, and returns all of it.
    #[track_caller]
    pub(crate) fn expect_told(&self, begin: &str) -> String {
        eventually_some(PATIENCE, &format!("{} is told {begin:?}", self.name), || {
            let told = self.texts_of(super::ROOM);
            told.into_iter().find(|text| text.starts_with(begin))
        })
    }
}

impl Drop for ClassicMember {
    fn drop(&mut self) {
        if thread::panicking() {
            let heard = self.speaker.heard_since(0);
            eprintln!("--- {} heard {} frames:", self.name, heard.len());
            for frame in heard.iter().skip(heard.len().saturating_sub(TAIL)) {
                eprintln!("{}", String::from_utf8_lossy(frame));
            }
        }
    }
}

impl Relay {
    #[track_caller]
    fn parse(frame: &[u8]) -> Self {
        let relay: Value = serde_json::from_slice(frame).unwrap_or_else(|error| {
            panic!("a classic member heard {:?}: {error}", frame.escape_ascii().to_string())
        });
        let word = |key: &str| {
            let word = relay[key].as_str();
            word.unwrap_or_else(|| panic!("there is no {key} in {relay}")).to_owned()
        };
        let (name, text) = (word("name"), word("text"));
        assert!(text.ends_with('\n'), "a text ends its line: {text:?}");
        Self { name, text }
    }
}

/// A server as others have written them: knows joins, leaves and texts, and gives no thought to anything else.
pub(crate) struct ClassicRoom {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    reads: watch::Sender<bool>,
    life: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl ClassicRoom {
    pub(crate) fn start() -> Self {
        Self::start_at("tcp://127.0.0.1:0")
    }

    /// One more at the same place, when the one before is gone.
    pub(crate) fn start_again(address: SocketAddr) -> Self {
        Self::start_at(&format!("tcp://{address}"))
    }

    fn start_at(endpoint: &str) -> Self {
        let (end, ends) = oneshot::channel();
        let (bound, place) = std::sync::mpsc::sync_channel(1);
        let heard = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let (endpoint, kept) = (endpoint.to_owned(), Arc::clone(&heard));
        let (reads, reading) = watch::channel(true);
        let thread = thread::spawn(move || {
            let serving = async move {
                let hall = Hall::bind(&Context::new(), &endpoint, &LIMITS).expect("a place to listen");
                bound.send(hall.endpoint().to_owned()).expect("the test waits for it");
                tokio::select! {
                    () = serve(&hall, &kept, reading) => {}
                    _ = ends => {}
                }
            };
            run_local(serving).expect("a thread has a runtime");
        });
        let endpoint = place.recv().expect("the classic room listens");
        let address = endpoint.trim_start_matches("tcp://").parse().expect("an address");
        Self { address, heard, reads, life: Some((end, thread)) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads no more, or goes on with it.
    pub(crate) fn reads(&self, reads: bool) {
        self.reads.send_replace(reads);
    }

    /// Every frame it was sent, by anyone.
    pub(crate) fn frames(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn expect_frame(&self, what: &str, fits: impl Fn(&Value) -> bool) {
        eventually(&format!("the classic room hears {what}"), || {
            self.frames()
                .iter()
                .filter_map(|frame| serde_json::from_str(frame).ok())
                .any(|frame| fits(&frame))
        });
    }
}

impl Drop for ClassicRoom {
    /// Its place is free when this returns.
    fn drop(&mut self) {
        if let Some((end, thread)) = self.life.take() {
            drop(end);
            // What it found wrong, it has said.
            let _ = thread.join();
        }
    }
}

async fn serve(hall: &Hall, heard: &Mutex<Vec<Vec<u8>>>, mut reading: watch::Receiver<bool>) {
    let mut members = HashMap::<Vec<u8>, String>::new();
    loop {
        if reading.wait_for(|reads| *reads).await.is_err() {
            return;
        }
        tokio::select! {
            () = hall.readable() => {}
            _ = reading.changed() => continue,
        }
        if let Some((peer, Ok(frame))) = hall.try_receive() {
            heard.lock().unwrap().push(frame.to_vec());
            if let Ok(said) = serde_json::from_slice::<Value>(&frame) {
                on_frame(hall, &mut members, &peer, &said);
            }
        }
    }
}

fn on_frame(hall: &Hall, members: &mut HashMap<Vec<u8>, String>, peer: &[u8], said: &Value) {
    let Some(name) = said["name"].as_str() else { return };
    let others = |members: &HashMap<Vec<u8>, String>, frame: &Value| {
        for other in members.keys().filter(|other| other.as_slice() != peer) {
            // Who is gone without a word stays a member, as with the others of its kind.
            let _ = hall.try_send(other, frame.to_string().as_bytes());
        }
    };
    let told = |text: String| json!({"name": super::ROOM, "text": text});
    match said["auth"].as_u64() {
        Some(0) => {
            members.remove(peer);
            others(members, &told(format!("{name} left the room. {} online.\n", members.len())));
        }
        auth => {
            if members.insert(peer.to_vec(), name.to_owned()).is_none() {
                let online = members.len();
                let welcome = told(format!("You are now online. {online} online.\n")).to_string();
                let _ = hall.try_send(peer, welcome.as_bytes());
                others(members, &told(format!("{name} joined the room. {online} online.\n")));
            }
            if auth.is_none() {
                others(members, said);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bytes;
    use super::*;

    #[test]
    fn classic_members_chat_in_a_classic_room() {
        let room = ClassicRoom::start();
        let ann = ClassicMember::join(room.address(), "ann");
        let bob = ClassicMember::join(room.address(), "bob");
        ann.expect(super::super::ROOM, "bob joined the room. 2 online.");
        ann.say("¡hola!");
        bob.expect("ann", "¡hola!");
        bob.leave();
        ann.expect(super::super::ROOM, "bob left the room. 1 online.");
        assert_eq!((ann.heard().len(), bob.heard().len()), (3, 2));
        assert_eq!(room.frames().len(), 4);
    }

    #[test]
    fn a_member_made_of_bytes_is_one_like_others() {
        let room = ClassicRoom::start();
        for id in [&b""[..], b"id", &[7; 31]] {
            let mut member = Bytes::dealer(room.address(), id);
            member.say(br#"{"auth": 1, "name": "x"}"#);
            member.expect_text("that it is in", |_, text| {
                text.starts_with("You are now online.").then_some(())
            });
        }
    }

    #[test]
    fn one_that_is_there_before_its_room_speaks_when_the_room_is_there() {
        let address = ClassicRoom::start().address();
        let ann = ClassicMember::connect(address, "ann");
        ann.ask_in();
        let _room = ClassicRoom::start_again(address);
        ann.expect_told("You are now online. 1 online.");
    }
}
