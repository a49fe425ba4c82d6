//! What one speaker says and all members must hear: the same texts, in order, once, byte by byte. No socket; texts go in.
//!
//! ```text
//!        slowest            said
//!   ────────┼─────────────────┼──────▶ numbers of texts
//!           └─ at most the window ─┘
//! ```
//!
//! A text is in flight until every member has got it, so the slowest member sets the pace, whatever a server is.

use anyhow::{Result, bail, ensure};

use crate::load::Shape;
use crate::message;

/// Texts are lines of this connection, without their ends.
const SPEAKER: u32 = 0;

pub(super) struct Audience {
    window: u64,
    size: usize,
    /// Texts said so far, which is also the number of the next one.
    said: u64,
    /// How many texts each member has got.
    got: Vec<u64>,
    /// The last texts, each at its number modulo the window. Invariant: has all that a member may still await.
    recent: Vec<Vec<u8>>,
}

impl Audience {
    /// With as many members as the shape has connections.
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            window: u64::from(shape.in_flight),
            size: shape.size,
            said: 0,
            got: vec![0; shape.connections as usize],
            recent: vec![Vec::new(); shape.in_flight as usize],
        }
    }

    /// How many texts may be said now.
    pub(super) fn room(&self) -> u64 {
        self.window - (self.said - self.slowest())
    }

    /// The next text, if there is room for it.
    pub(super) fn say(&mut self) -> Option<&[u8]> {
        if self.room() == 0 {
            return None;
        }
        let text = &mut self.recent[(self.said % self.window) as usize];
        text.clear();
        message::append(text, SPEAKER, self.said as u32, self.size + 1);
        text.pop();
        self.said += 1;
        Some(text)
    }

    /// Takes what a member heard, and fails unless it is what it must hear next.
    pub(super) fn hear(&mut self, member: usize, text: &[u8]) -> Result<()> {
        let got = self.got[member];
        if got == self.said {
            bail!("member {member} got {} that nobody has said", message::describe(text));
        }
        ensure!(
            text == self.recent[(got % self.window) as usize],
            "member {member} awaits line {got} and got {}",
            message::describe(text)
        );
        self.got[member] += 1;
        Ok(())
    }

    /// Texts said so far.
    pub(super) fn said(&self) -> u64 {
        self.said
    }

    /// How many texts members have got, each counted for each.
    pub(super) fn deliveries(&self) -> u64 {
        self.got.iter().sum()
    }

    /// Whether all members have got all that was said.
    pub(super) fn is_settled(&self) -> bool {
        self.slowest() == self.said
    }

    /// Why nothing goes on any more, for a person.
    pub(super) fn behind(&self) -> String {
        let behind = self.got.iter().filter(|got| **got < self.said).count();
        format!("{behind} members await texts from {} on, of {} said", self.slowest(), self.said)
    }

    fn slowest(&self) -> u64 {
        self.got.iter().copied().min().unwrap_or(self.said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(members: u32, window: u32) -> Audience {
        Audience::new(Shape { connections: members, in_flight: window, size: 100 })
    }

    fn say(audience: &mut Audience) -> Vec<u8> {
        audience.say().unwrap().to_vec()
    }

    #[test]
    fn the_slowest_member_holds_the_speaker() {
        let mut audience = audience(2, 3);
        let texts = [(); 3].map(|()| say(&mut audience));
        assert!(audience.say().is_none());

        for text in &texts {
            audience.hear(0, text).unwrap();
        }
        assert_eq!((audience.room(), audience.deliveries()), (0, 3));

        audience.hear(1, &texts[0]).unwrap();
        assert_eq!((audience.room(), audience.is_settled()), (1, false));
        audience.hear(1, &texts[1]).unwrap();
        audience.hear(1, &texts[2]).unwrap();
        assert!(audience.is_settled());
    }

    #[test]
    fn texts_have_the_size_asked_for_and_differ() {
        let mut audience = audience(1, 2);
        let (first, second) = (say(&mut audience), say(&mut audience));
        assert_eq!((first.len(), second.len()), (100, 100));
        assert_ne!(first, second);
        assert!(first.is_ascii() && !first.ends_with(b"\n"));
    }

    #[test]
    fn a_text_lost_repeated_or_out_of_order_is_refused() {
        let (mut audience, lost) = (audience(1, 3), "awaits line 1 and got line 2 of connection 0");
        let texts = [(); 3].map(|()| say(&mut audience));
        audience.hear(0, &texts[0]).unwrap();

        assert!(audience.hear(0, &texts[2]).unwrap_err().to_string().contains(lost));
        assert!(audience.hear(0, &texts[0]).unwrap_err().to_string().contains("got line 0"));
        assert_eq!(audience.deliveries(), 1);
    }

    #[test]
    fn any_changed_byte_is_refused_and_so_is_what_nobody_said() {
        let mut audience = audience(1, 1);
        let text = say(&mut audience);
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(audience.hear(0, &changed).is_err(), "byte {at}");
        }
        audience.hear(0, &text).unwrap();
        assert!(audience.hear(0, &text).unwrap_err().to_string().contains("nobody has said"));
    }

    #[test]
    fn who_is_behind_is_told() {
        let mut audience = audience(3, 2);
        let text = say(&mut audience);
        audience.hear(1, &text).unwrap();
        assert_eq!(audience.behind(), "2 members await texts from 0 on, of 1 said");
    }
}
