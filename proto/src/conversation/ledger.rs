//! Who has said what of late (S7).
//!
//! ```text
//!   "X" said by    P  S1 S2        a group is one thing said once; a row of them is the same thing said again
//!   group 1        ●  ●  ○   ◀──── S2's next "X" joins here
//!   group 2        ●  ○  ○   ◀──── S1's next "X" joins here
//! ```
//!
//! It promises that a group lets what was said be passed on at most once, that nobody joins a group twice, and that it
//! holds at most [`MAX_GROUPS`]. It keeps hashes and no bytes. Groups that nobody can join any more are not kept.

use std::{
    collections::{VecDeque, hash_map::Entry},
    time::Duration,
};

use rustc_hash::FxHashMap;

use crate::{id::DestinationIndex, time::Instant};

/// Groups a session keeps at most; the oldest is forgotten, and counted.
pub const MAX_GROUPS: usize = 4096;
/// After looking at so many groups in vain, where the search ended is remembered.
const LONG_SEARCH: usize = 8;

/// Some of the destinations of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members(u64);

impl Members {
    /// With one more.
    #[must_use]
    pub const fn with(self, destination: DestinationIndex) -> Self {
        Self(self.0 | 1 << destination.0)
    }

    /// Whether it is one of them.
    pub const fn contains(self, destination: DestinationIndex) -> bool {
        self.0 & (1 << destination.0) != 0
    }

    const fn includes(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }
}

/// A group's name, unique within the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u64);

/// What the ledger knows of something that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The group it belongs to.
    pub group: GroupId,
    /// Nobody had said it before.
    pub is_new: bool,
    /// It is to be passed on to the source.
    pub passes: bool,
    /// Somebody else may still say the same.
    pub may_be_repeated: bool,
    /// When the group is over.
    pub until: Instant,
}

#[derive(Debug)]
struct Group {
    id: GroupId,
    opened_at: Instant,
    said_by: Members,
    /// Who could say it: those in step when it was said first.
    awaited: Members,
    has_passed: bool,
}

/// The ledger of one session.
#[derive(Debug)]
pub struct Ledger {
    window: Duration,
    /// Groups by hash, oldest first; no row is empty. Who chooses hashes that meet in the table makes a search long, but no
    /// longer than `MAX_GROUPS`.
    rows: FxHashMap<u64, VecDeque<Group>>,
    // Invariant: how many the rows hold; at most MAX_GROUPS.
    len: usize,
    /// In the order they were opened, with some that are gone already.
    by_age: VecDeque<(Instant, u64, GroupId)>,
    /// Groups of a hash before this one the destination has joined or cannot join.
    searched: FxHashMap<(u64, DestinationIndex), GroupId>,
    next: u64,
    forgotten: u64,
}

impl Ledger {
    /// An empty ledger, whose groups live for `window`.
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            rows: FxHashMap::default(),
            len: 0,
            by_age: VecDeque::new(),
            searched: FxHashMap::default(),
            next: 0,
            forgotten: 0,
        }
    }

    /// `by` has said something with this hash. `may_pass`: the source may be told, if it has not been. `in_step`: who is
    /// connected now, and so could be saying it too.
    pub fn hear(
        &mut self,
        by: DestinationIndex,
        hash: u64,
        may_pass: bool,
        in_step: Members,
        now: Instant,
    ) -> Heard {
        self.expire(now);
        match self.find(by, hash) {
            Some(index) => self.join(by, hash, index, may_pass),
            None => self.open(by, hash, may_pass, in_step, now),
        }
    }

    /// What opened or joined this group could not be passed on after all: it is as if nobody had said it.
    pub fn withdraw(&mut self, hash: u64, group: GroupId) {
        self.remove(hash, group);
    }

    /// Groups given up because there were too many, since it was last asked.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// Groups it keeps.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it keeps none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where in its row the oldest group of this hash is that the destination has not joined and could.
    fn find(&mut self, by: DestinationIndex, hash: u64) -> Option<usize> {
        let row = self.rows.get(&hash)?;
        let searched = self.searched.get(&(hash, by));
        let from = searched.map_or(0, |searched| row.partition_point(|group| group.id < *searched));
        let found = row.iter().skip(from).position(|group| group.awaits(by)).map(|index| from + index);
        let reached = found.unwrap_or(row.len() - 1);
        if reached >= from + LONG_SEARCH {
            self.searched.insert((hash, by), row[reached].id);
        }
        found
    }

    fn join(&mut self, by: DestinationIndex, hash: u64, index: usize, may_pass: bool) -> Heard {
        let group = self.rows.get_mut(&hash).and_then(|row| row.get_mut(index));
        let Some(group) = group else { unreachable!("it was just found") };
        group.said_by = group.said_by.with(by);
        let passes = may_pass && !group.has_passed;
        group.has_passed |= passes;
        let (id, until) = (group.id, group.opened_at + self.window);
        let may_be_repeated = !group.said_by.includes(group.awaited);
        if !may_be_repeated {
            self.remove(hash, id);
        }
        Heard { group: id, is_new: false, passes, may_be_repeated, until }
    }

    fn open(
        &mut self,
        by: DestinationIndex,
        hash: u64,
        may_pass: bool,
        in_step: Members,
        now: Instant,
    ) -> Heard {
        let id = GroupId(self.next);
        self.next += 1;
        let said_by = Members::default().with(by);
        let may_be_repeated = !said_by.includes(in_step);
        if may_be_repeated {
            self.make_room();
            let group = Group { id, opened_at: now, said_by, awaited: in_step, has_passed: may_pass };
            self.rows.entry(hash).or_insert_with(|| VecDeque::with_capacity(1)).push_back(group);
            self.len += 1;
            self.by_age.push_back((now, hash, id));
        }
        Heard { group: id, is_new: true, passes: may_pass, may_be_repeated, until: now + self.window }
    }

    fn contains(&self, hash: u64, id: GroupId) -> bool {
        self.rows.get(&hash).is_some_and(|row| row.binary_search_by_key(&id, |group| group.id).is_ok())
    }

    /// Whether it was there.
    fn remove(&mut self, hash: u64, id: GroupId) -> bool {
        let Entry::Occupied(mut row) = self.rows.entry(hash) else { return false };
        let Ok(index) = row.get().binary_search_by_key(&id, |group| group.id) else { return false };
        row.get_mut().remove(index);
        if row.get().is_empty() {
            row.remove();
        }
        self.len -= 1;
        true
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(opened_at, hash, id)) = self.by_age.front() {
            let is_over = opened_at + self.window <= now;
            if !is_over && self.contains(hash, id) {
                break;
            }
            self.remove(hash, id);
            self.by_age.pop_front();
        }
        self.tidy();
    }

    fn make_room(&mut self) {
        while self.len >= MAX_GROUPS {
            let Some((_, hash, id)) = self.by_age.pop_front() else { break };
            self.forgotten += u64::from(self.remove(hash, id));
        }
    }

    /// Keeps the side lists within a multiple of what they are about.
    fn tidy(&mut self) {
        let limit = 2 * self.len + 64;
        if self.by_age.len() > limit {
            let mut by_age = std::mem::take(&mut self.by_age);
            by_age.retain(|&(_, hash, id)| self.contains(hash, id));
            self.by_age = by_age;
        }
        if self.searched.len() > limit {
            let newest = |hash| Some(self.rows.get(&hash)?.back()?.id);
            self.searched.retain(|&(hash, _), from| newest(hash).is_some_and(|newest| newest >= *from));
        }
    }
}

impl Group {
    const fn awaits(&self, by: DestinationIndex) -> bool {
        self.awaited.contains(by) && !self.said_by.contains(by)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P: DestinationIndex = DestinationIndex(0);
    const S: DestinationIndex = DestinationIndex(1);
    const T: DestinationIndex = DestinationIndex(2);
    const WINDOW: Duration = Duration::from_secs(30);

    fn all() -> Members {
        Members::default().with(P).with(S).with(T)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn ledger() -> Ledger {
        Ledger::new(WINDOW)
    }

    /// Says it as an ask; whether it is passed on.
    fn ask(ledger: &mut Ledger, by: DestinationIndex, hash: u64, seconds: u64) -> bool {
        ledger.hear(by, hash, true, all(), at(seconds)).passes
    }

    #[test]
    fn what_another_says_within_the_window_is_not_passed_on_again() {
        let mut ledger = ledger();
        assert!(ask(&mut ledger, S, 7, 0));
        assert!(!ask(&mut ledger, P, 7, 29));
        assert!(!ask(&mut ledger, T, 7, 29));
        assert!(ledger.is_empty(), "nobody is left who could join");
    }

    #[test]
    fn the_window_does_not_slide() {
        let mut ledger = ledger();
        assert!(ask(&mut ledger, S, 7, 0));
        assert!(!ask(&mut ledger, P, 7, 20));
        assert!(ask(&mut ledger, T, 7, 35));
    }

    #[test]
    fn a_destination_that_repeats_itself_is_heard_again() {
        let mut ledger = ledger();
        assert!(ask(&mut ledger, S, 7, 0));
        assert!(ask(&mut ledger, S, 7, 1));
        // The other joins the two, one after the other, and then opens a third.
        assert!(!ask(&mut ledger, P, 7, 2));
        assert!(!ask(&mut ledger, P, 7, 2));
        assert!(ask(&mut ledger, P, 7, 2));
    }

    #[test]
    fn who_was_away_when_it_was_said_says_something_new() {
        let mut ledger = ledger();
        let without_t = Members::default().with(P).with(S);
        ledger.hear(P, 7, true, without_t, at(0));
        assert!(ledger.hear(T, 7, true, all(), at(1)).is_new);
        assert!(!ledger.hear(S, 7, true, all(), at(1)).is_new);
    }

    #[test]
    fn a_reply_that_may_not_pass_leaves_the_word_to_the_primary() {
        let mut ledger = ledger();
        assert!(!ledger.hear(S, 7, false, all(), at(0)).passes);
        assert!(ledger.hear(P, 7, true, all(), at(0)).passes);
    }

    #[test]
    fn what_was_withdrawn_may_be_said_by_anybody() {
        let mut ledger = ledger();
        let shed = ledger.hear(S, 7, true, all(), at(0));
        ledger.withdraw(7, shed.group);
        assert!(ask(&mut ledger, T, 7, 1));
        assert!(!ask(&mut ledger, S, 7, 1) && !ask(&mut ledger, P, 7, 1));
    }

    #[test]
    fn the_oldest_group_is_forgotten_when_there_are_too_many() {
        let mut ledger = ledger();
        for hash in 0..=MAX_GROUPS as u64 {
            ask(&mut ledger, P, hash, 0);
        }
        assert_eq!((ledger.len(), ledger.take_forgotten(), ledger.take_forgotten()), (MAX_GROUPS, 1, 0));
        assert!(ask(&mut ledger, S, 0, 1), "the oldest is gone");
    }

    /// The rules said plainly: a list, searched from its front.
    #[derive(Default)]
    struct Plain(Vec<(Instant, u64, Members, Members, bool)>);

    impl Plain {
        fn hear(
            &mut self,
            by: DestinationIndex,
            hash: u64,
            may_pass: bool,
            in_step: Members,
            now: Instant,
        ) -> (bool, bool) {
            self.0.retain(|group| group.0 + WINDOW > now);
            let joins = |group: &&mut (Instant, u64, Members, Members, bool)| {
                group.1 == hash && group.3.contains(by) && !group.2.contains(by)
            };
            if let Some(group) = self.0.iter_mut().find(joins) {
                group.2 = group.2.with(by);
                let passes = may_pass && !group.4;
                group.4 |= passes;
                return (false, passes);
            }
            self.0.push((now, hash, Members::default().with(by), in_step, may_pass));
            (true, may_pass)
        }
    }

    proptest! {
        #[test]
        fn it_does_as_the_rules_say(
            said in proptest::collection::vec((0u16..3, 0u64..3, any::<bool>(), 0u64..8, 0u64..40), 0..400),
        ) {
            let (mut ledger, mut plain, mut now) = (ledger(), Plain::default(), Instant::ZERO);
            for (by, hash, may_pass, in_step, pause) in said {
                // Seldom a pause: many groups of a hash are open at once, and searches long.
                now += Duration::from_secs(pause.saturating_sub(36));
                let (by, in_step) = (DestinationIndex(by), Members(in_step | 1 << by));
                let heard = ledger.hear(by, hash, may_pass, in_step, now);
                prop_assert_eq!((heard.is_new, heard.passes), plain.hear(by, hash, may_pass, in_step, now));
                prop_assert!(ledger.by_age.len() <= 2 * ledger.len() + 65);
                prop_assert_eq!(ledger.len(), ledger.rows.values().map(VecDeque::len).sum::<usize>());
                prop_assert!(ledger.rows.values().all(|row| !row.is_empty()));
            }
        }
    }
}
