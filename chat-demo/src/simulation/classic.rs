//! Somebody with a simple client, which speaks the classic dialect, keeps nothing and is told nothing twice.

use crate::{
    Name, Text,
    wire::classic::{Frame, text_of},
};

use super::{client::Person, disk::Disk, wires::Hands};

pub(super) struct Classic {
    pub(super) name: Name,
    pub(super) address: u64,
    typed: u64,
    /// The last number it heard, since when nothing was lost on its connection.
    last: Option<u64>,
    pub(super) heard: u64,
}

impl Classic {
    pub(super) fn new(word: &str, address: u64) -> Self {
        Self { name: Name::new(word).unwrap(), address, typed: 0, last: None, heard: 0 }
    }

    pub(super) fn join(&mut self, hands: &mut Hands) {
        self.last = None;
        hands.send_to_room(self.address, Frame::Join { name: self.name.clone(), is_ours: false }.to_bytes());
    }

    pub(super) fn leave(&mut self, hands: &mut Hands) {
        self.last = None;
        hands.send_to_room(self.address, Frame::Leave { name: self.name.clone() }.to_bytes());
    }

    /// Something for it may be lost.
    pub(super) fn on_torn(&mut self) {
        self.last = None;
    }

    pub(super) fn say(&mut self, hands: &mut Hands) {
        self.typed += 1;
        let text = format!("{} {}", self.name, self.typed);
        hands.send_to_room(self.address, text_of(&self.name, &text));
    }

    /// One of the room's announcements, or the next text that is for it.
    pub(super) fn hear(&mut self, bytes: &[u8], people: &[Person], disk: &Disk) {
        if bytes[0] != b'{' {
            return;
        }
        let Ok(Frame::Text { name, text }) = Frame::read(bytes) else { panic!("a room says texts") };
        if name.as_str() == "room" {
            // Whatever happened, it may have begun anew.
            self.last = self.last.filter(|_| !is_of_this_one(&text));
            return;
        }
        self.heard += 1;
        let (text, is_private) = as_said(&name, &text);
        let number = disk.number_of(text);
        let line = disk.line(number).unwrap();
        assert!(!text.starts_with(self.name.as_str()), "{} hears itself", self.name);
        assert_eq!(line.kept.to.is_some(), is_private);
        let is_keyed = |to| people.iter().any(|person| person.id == to);
        assert!(line.kept.to.is_none_or(|to| !is_keyed(to) && self.is(to, number, disk)));
        if let Some(last) = self.last {
            assert!(number > last, "{} hears {text} late, or again", self.name);
            let is_left_out = |said: &str| !said.starts_with(self.name.as_str());
            let between = disk.after(last).take((number - last - 1) as usize);
            let mut between = between.filter(|line| line.kept.to.is_none()).filter_map(|line| line.text());
            assert!(!between.any(is_left_out), "{} does not hear all before {text}", self.name);
        }
        self.last = Some(number);
    }

    /// Whether this was given to whoever had this name at that number.
    fn is(&self, id: crate::wire::room::MemberId, number: u64, disk: &Disk) -> bool {
        let mut before = (1..number).rev().filter_map(|number| disk.line(number));
        before.any(|line| line.is_coming_of(&self.name) && line.kept.author == id)
    }
}

/// What follows may not follow what was before.
fn is_of_this_one(text: &Text) -> bool {
    text.as_str().starts_with("You ") || text.as_str().starts_with("Server is off")
}

fn as_said<'a>(name: &Name, text: &'a Text) -> (&'a str, bool) {
    let text = text.as_str();
    if let Some(text) = text.strip_prefix("(to you) ") {
        return (text, true);
    }
    let action = text.strip_prefix("* ").and_then(|rest| rest.strip_prefix(name.as_str()));
    (action.map_or(text, |rest| rest.trim_start()), false)
}
