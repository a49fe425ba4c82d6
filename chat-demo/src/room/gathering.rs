//! What waits to be on the disk: one batch is on its way there, and all that is heard meanwhile becomes the next.

use std::collections::{HashMap, HashSet};

use proto::time::Instant;

use super::{Kept, LastWord, Limits, Log, NOBODY, Own, members::Members};
use crate::{
    Name,
    wire::room::{Entry, MemberId, What},
};

/// The most texts that wait. Beyond that frames are left where they are.
pub(super) const MAX_TEXTS: usize = 4_096;
/// The most bytes they have together, but for one frame's.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most comings and goings that wait while nothing can be stored; the oldest are never told.
pub(super) const MAX_EVENTS: usize = 4_096;
/// So many of them wait while the disk is busy. Beyond that frames are left where they are, and the rest is for those that
/// leave without a frame: each member once.
const MANY_EVENTS: usize = MAX_EVENTS / 2;
/// The most authors whose numbers are known; of those who are away, who was silent for longest is forgotten.
pub(super) const MAX_AUTHORS: usize = 65_536;

/// What goes to the disk as one, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The number of the first entry.
    pub(crate) first: u64,
    /// The entries, their numbers rising by one.
    pub(crate) entries: Vec<Kept>,
    /// Of each author of this batch, the last.
    pub(crate) authors: Vec<LastWord>,
    /// Authors that are known no more.
    pub(crate) forgotten: Vec<MemberId>,
    /// Entries before this number are no longer kept.
    pub(crate) keep_from: u64,
}

/// One thing that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) author: MemberId,
    /// The author's own number, if it numbers.
    pub(super) own: Option<Own>,
    pub(super) to: Option<MemberId>,
    /// Nothing is said where only the number counts: a text to nobody.
    pub(super) said: Option<(Name, What)>,
    pub(super) wall: u64,
    pub(super) is_text: bool,
}

/// What a batch that is stored means to members.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Whose texts are kept, and up to which own number.
    pub(super) kept: Vec<(MemberId, u64)>,
    /// Who came, and at which number of the room's.
    pub(super) joined: Vec<(MemberId, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Author {
    /// Its last number that was taken. Invariant: not less than what is kept.
    taken: Own,
    /// Its last number that is on the disk.
    kept: Own,
    /// The room's number then.
    last: u64,
}

/// What is heard, and on its way to the disk.
#[derive(Debug)]
pub(super) struct Gathering {
    waiting: Vec<Waiting>,
    texts: usize,
    bytes: usize,
    storing: Option<(Batch, Vec<Waiting>)>,
    authors: HashMap<MemberId, Author>,
    again_at: Instant,
    /// The disk has refused, and taken nothing since.
    is_failing: bool,
}

impl Gathering {
    pub(super) fn new(authors: Vec<LastWord>) -> Self {
        let known = |LastWord { author, own, at }| (author, Author { taken: own, kept: own, last: at });
        Self {
            waiting: Vec::new(),
            texts: 0,
            bytes: 0,
            storing: None,
            authors: authors.into_iter().map(known).collect(),
            again_at: Instant::ZERO,
            is_failing: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.storing.as_ref().map_or(0, |(_, storing)| storing.len())
    }

    /// How many entries the log will have of what waits.
    pub(super) fn entries(&self) -> u64 {
        let storing = self.storing.iter().flat_map(|(_, storing)| storing);
        storing.chain(&self.waiting).filter(|waiting| waiting.said.is_some()).count() as u64
    }

    /// How many authors are known.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.authors.len()
    }

    pub(super) fn has_room(&self) -> bool {
        // A disk that refuses may do so for days, and members are to be heard meanwhile.
        let may_come_and_go = self.is_failing || self.events() < MANY_EVENTS;
        self.texts < MAX_TEXTS && self.bytes < MAX_BYTES && may_come_and_go
    }

    /// When a store that has failed may be tried again.
    pub(super) fn next_deadline(&self) -> Instant {
        if self.storing.is_none() && !self.waiting.is_empty() { self.again_at } else { Instant::NEVER }
    }

    /// The last of this author that is on the disk.
    pub(super) fn kept(&self, author: MemberId) -> Own {
        self.authors.get(&author).map_or(Own::default(), |author| author.kept)
    }

    /// The last number of this author that was taken.
    pub(super) fn taken(&self, author: MemberId) -> u64 {
        self.authors.get(&author).map_or(0, |author| author.taken.number)
    }

    /// Whether something of this author's is taken, and not known to be on the disk or not.
    pub(super) fn is_on_its_way(&self, author: MemberId) -> bool {
        self.taken(author) > self.kept(author).number
    }

    /// Nothing before this number of an author's will come (again): it was heard elsewhere, or in a log that is lost.
    pub(super) fn expect(&mut self, author: MemberId, number: u64) {
        let before = Own { number: number.saturating_sub(1), print: None };
        if before.number > self.taken(author) && !self.is_on_its_way(author) {
            self.authors.insert(author, Author { taken: before, kept: before, last: 0 });
        }
    }

    /// Somebody leaves: what it expected to say counts for nothing, if it has said nothing here.
    pub(super) fn forget_unspoken(&mut self, author: MemberId) {
        let is_unspoken = |author: &Author| author.last == 0 && author.taken == author.kept;
        if self.authors.get(&author).is_some_and(is_unspoken) {
            self.authors.remove(&author);
        }
    }

    /// Takes what is said.
    pub(super) fn add(&mut self, waiting: Waiting) {
        if let Some(own) = waiting.own {
            let unknown = Author { taken: Own::default(), kept: Own::default(), last: 0 };
            let author = self.authors.entry(waiting.author).or_insert(unknown);
            debug_assert!(own.number > author.taken.number);
            author.taken = own;
        }
        self.texts += usize::from(waiting.is_text);
        self.bytes += waiting.bytes();
        self.waiting.push(waiting);
        self.bound_events();
    }

    /// Everything that waits, if nothing is on its way and it is time.
    pub(super) fn next_batch(
        &mut self,
        log: &Log,
        limits: Limits,
        members: &Members,
        now: Instant,
    ) -> Option<Batch> {
        if self.storing.is_some() || self.waiting.is_empty() || now < self.again_at {
            return None;
        }
        let forgotten = self.forget(members);
        let waiting = std::mem::take(&mut self.waiting);
        (self.texts, self.bytes) = (0, 0);
        let first = log.head() + 1;
        let mut entries = Vec::with_capacity(waiting.len());
        let mut authors = HashMap::new();
        for waiting in &waiting {
            let number = first + entries.len() as u64;
            entries.extend(waiting.kept(number));
            if let Some(own) = waiting.own {
                authors.insert(waiting.author, (own, number));
            }
        }
        let mut authors: Vec<_> =
            authors.into_iter().map(|(author, (own, at))| LastWord { author, own, at }).collect();
        authors.sort_unstable();
        let keep_from = log.first_after(&entries, limits.entries, limits.bytes);
        let batch = Batch { first, entries, authors, forgotten, keep_from };
        self.storing = Some((batch.clone(), waiting));
        Some(batch)
    }

    /// The batch is on the disk, and becomes part of the log.
    pub(super) fn on_stored(&mut self, log: &mut Log) -> News {
        let Some((batch, stored)) = self.storing.take() else { return News::default() };
        self.is_failing = false;
        debug_assert_eq!(batch.first, log.head() + 1);
        let numbered = stored.iter().filter(|waiting| waiting.said.is_some()).zip(batch.first..);
        let joined = numbered.filter(|(waiting, _)| matches!(waiting.said, Some((_, What::Joined(_)))));
        let joined = joined.map(|(waiting, number)| (waiting.author, number)).collect();
        for entry in batch.entries {
            log.push(entry);
        }
        for last in &batch.authors {
            if let Some(author) = self.authors.get_mut(&last.author) {
                (author.kept, author.last) = (last.own, last.at);
            }
        }
        let kept = batch.authors.into_iter().map(|last| (last.author, last.own.number)).collect();
        News { kept, joined }
    }

    /// The batch is not on the disk: texts are given up, the batch's and all behind it, and the rest is tried again later.
    /// Returns whose texts those were, and the first own number of them.
    pub(super) fn on_not_stored(&mut self, again_at: Instant) -> Vec<(MemberId, u64)> {
        (self.again_at, self.is_failing) = (again_at, true);
        let failed = self.storing.take().map(|(_, failed)| failed).unwrap_or_default();
        let all = failed.into_iter().chain(std::mem::take(&mut self.waiting));
        let (texts, events): (Vec<_>, Vec<_>) = all.partition(|waiting| waiting.is_text);
        self.waiting = events;
        self.texts = 0;
        self.bytes = self.waiting.iter().map(Waiting::bytes).sum();
        self.bound_events();
        let mut unheard: Vec<_> = texts.iter().map(|text| text.author).collect();
        unheard.sort_unstable();
        unheard.dedup();
        unheard.into_iter().map(|id| (id, self.take_back(id) + 1)).collect()
    }

    /// What was taken of this author and is not kept may be said again. Returns what is kept.
    fn take_back(&mut self, id: MemberId) -> u64 {
        self.authors.get_mut(&id).map_or(0, |author| {
            author.taken = author.kept;
            author.kept.number
        })
    }

    /// Whose comings wait.
    pub(super) fn coming(&self) -> HashSet<MemberId> {
        let is_coming = |waiting: &&Waiting| matches!(waiting.said, Some((_, What::Joined(_))));
        self.waiting.iter().filter(is_coming).map(|waiting| waiting.author).collect()
    }

    fn events(&self) -> usize {
        self.waiting.len() - self.texts
    }

    /// Texts have their own bound, and wait for room; comings and goings cannot wait while the disk refuses.
    fn bound_events(&mut self) {
        let mut over = self.events().saturating_sub(MAX_EVENTS);
        if over == 0 {
            return;
        }
        self.waiting.retain(|waiting| {
            let is_let_go = over > 0 && !waiting.is_text;
            if is_let_go {
                over -= 1;
                self.bytes -= waiting.bytes();
            }
            !is_let_go
        });
    }

    /// Lets authors go beyond the most there may be.
    fn forget(&mut self, members: &Members) -> Vec<MemberId> {
        let over = self.authors.len().saturating_sub(MAX_AUTHORS);
        if over == 0 {
            return Vec::new();
        }
        let is_away =
            |id: &MemberId, author: &Author| author.taken == author.kept && members.with(*id).is_none();
        let away = self.authors.iter().filter(|(id, author)| is_away(id, author));
        let mut away: Vec<_> = away.map(|(id, author)| (author.last, *id)).collect();
        away.sort_unstable();
        // Some more than must be, since looking at all of them is dear.
        let forgotten: Vec<_> = away.into_iter().take(over + MAX_AUTHORS / 64).map(|(_, id)| id).collect();
        for id in &forgotten {
            self.authors.remove(id);
        }
        forgotten
    }
}

impl Waiting {
    /// What happened to somebody, which all are told.
    pub(super) fn event(author: MemberId, name: Name, what: What, wall: u64) -> Self {
        // Who is renamed hears of it as all do; who comes or goes does not.
        let author = if matches!(what, What::Renamed(_)) { NOBODY } else { author };
        Self { author, own: None, to: None, said: Some((name, what)), wall, is_text: false }
    }

    fn kept(&self, number: u64) -> Option<Kept> {
        let (name, what) = self.said.clone()?;
        let bytes = Entry { number, at: self.wall, name, what }.to_bytes().into();
        Some(Kept { author: self.author, to: self.to, bytes })
    }

    fn bytes(&self) -> usize {
        let said = self.said.as_ref().map_or(0, |(_, what)| match what {
            What::Text(text) | What::Action(text) | What::Private(text) => text.as_str().len(),
            What::Joined(_) | What::Left(_) | What::Renamed(_) => 0,
        });
        size_of::<Self>() + said
    }
}
