//! Who had which name last: for what is said to one who is away.

use std::collections::{BTreeMap, HashMap};

use super::Kept;
use crate::{
    Name,
    wire::room::{Entry, MemberId, What},
};

/// The most names that are known; the one that was taken longest ago is forgotten first.
const MAX_NAMES: usize = 65_536;

/// By likeness of names. Members without a key do not come back, so a name that one of them had last is nobody's.
#[derive(Debug, Default)]
pub(super) struct LastCalled {
    // Invariant: both have the same names, and at most `MAX_NAMES`.
    by_name: HashMap<String, (MemberId, u64)>,
    by_turn: BTreeMap<u64, String>,
    turn: u64,
}

impl LastCalled {
    /// As these entries tell, in their order.
    pub(super) fn of(entries: &[Kept]) -> Self {
        let mut called = Self::default();
        for kept in entries {
            // What cannot be read is told when it is delivered.
            let Ok(entry) = Entry::of_bytes(&kept.bytes) else { continue };
            match entry.what {
                // It is everybody's, and its author known by the name that was.
                What::Renamed(name) => {
                    if let Some(id) = called.get(&entry.name) {
                        called.take(&name, id);
                    }
                }
                _ => called.take(&entry.name, kept.author),
            }
        }
        called
    }

    /// Somebody has this name from now on.
    pub(super) fn take(&mut self, name: &Name, id: MemberId) {
        let likeness = name.likeness();
        if let Some((_, turn)) = self.by_name.remove(&likeness) {
            self.by_turn.remove(&turn);
        }
        if id.is_unkeyed() {
            return;
        }
        self.turn += 1;
        self.by_name.insert(likeness.clone(), (id, self.turn));
        self.by_turn.insert(self.turn, likeness);
        if self.by_turn.len() > MAX_NAMES
            && let Some((_, oldest)) = self.by_turn.pop_first()
        {
            self.by_name.remove(&oldest);
        }
    }

    /// Who had it last.
    pub(super) fn get(&self, name: &Name) -> Option<MemberId> {
        self.by_name.get(&name.likeness()).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Text, room::NOBODY};

    const ANN: MemberId = MemberId([1; 16]);
    const BOB: MemberId = MemberId([2; 16]);

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    fn kept(number: u64, author: MemberId, called: &str, what: What) -> Kept {
        let entry = Entry { number, at: 0, name: name(called), what };
        Kept { author, to: None, bytes: entry.to_bytes().into() }
    }

    #[test]
    fn a_log_tells_who_had_which_name_last() {
        let hi = || What::Text(Text::new("hi").unwrap());
        let called = LastCalled::of(&[
            kept(1, ANN, "Ann", What::Joined(1)),
            kept(2, BOB, "bob", hi()),
            kept(3, NOBODY, "Ann", What::Renamed(name("carl"))),
            kept(4, MemberId::unkeyed(7), "BOB", hi()),
        ]);

        assert_eq!(
            ["ann", "carl", "bob", "eve"].map(|who| called.get(&name(who))),
            [Some(ANN), Some(ANN), None, None]
        );
    }

    #[test]
    fn the_name_that_was_taken_longest_ago_is_forgotten_first() {
        let mut called = LastCalled::default();
        (0..=MAX_NAMES).for_each(|number| called.take(&name(&format!("n{number}")), ANN));
        assert_eq!((called.get(&name("n0")), called.get(&name("n1"))), (None, Some(ANN)));
        called.take(&name("n1"), BOB);
        called.take(&name("new"), BOB);
        assert_eq!((called.get(&name("n1")), called.get(&name("n2"))), (Some(BOB), None));
        assert_eq!(called.by_name.len(), MAX_NAMES);
    }
}
