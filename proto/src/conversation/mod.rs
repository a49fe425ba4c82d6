//! What a session makes of what its destinations say (S7 to S9): leaves that decide, and no sockets or lanes.
//!
//! A destination's [`voice`] knows what it owes ([`debts`]) and so whether it replies or asks. The [`ledger`] knows who has
//! said the same; [`asks`] are on their way to the source, or await its answer; [`comparing`] holds a secondary's replies
//! against the primary's; [`opening`] and [`requests`] remember what the source said first and last. The session (`ingress::session`) brings them together.

pub mod asks;
pub mod comparing;
pub mod debts;
pub mod ledger;
pub mod opening;
pub mod requests;
pub mod voice;

use asks::Asks;
use ledger::Ledger;
use opening::Opening;
use requests::Requests;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    policy::{Replies, Talk},
    time::Instant,
};

/// After so many replies in a row that never came, a source is taken to be one that only reports.
pub const ONE_WAY_AFTER: u64 = 8;

/// How the primary's frame in progress reaches the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passing {
    /// Not yet: its bytes are held.
    #[default]
    Undecided,
    /// As it comes.
    Through,
    /// Not at all.
    Withheld,
}

/// What is said in one session, over all its destinations.
#[derive(Debug)]
pub struct Conversation {
    /// Who has said what.
    pub ledger: Ledger,
    /// What destinations asked.
    pub asks: Asks,
    /// What the source said first.
    pub opening: Opening,
    /// What the source said last.
    pub requests: Requests,
    /// How the primary's frame in progress reaches the source.
    pub passing: Passing,
    /// Until when the primary's bytes are held at most because they may become what another has asked.
    pub hold_until: Option<Instant>,
    /// Some stored answer waits for a place in the stream to a destination.
    pub has_answers: bool,
    has_replies: bool,
    /// Replies of the primary that did not come, since the last that did.
    lapsed: u64,
}

impl Conversation {
    /// Nothing said yet.
    pub fn new(talk: &Talk, opening: Opening) -> Self {
        Self {
            ledger: Ledger::new(talk.dedup_window),
            asks: Asks::default(),
            opening,
            requests: Requests::default(),
            passing: Passing::default(),
            hold_until: None,
            has_answers: false,
            has_replies: talk.replies != Replies::None,
            lapsed: 0,
        }
    }

    /// So many replies of the primary did not come.
    pub fn note_lapsed(&mut self, count: u64) {
        self.lapsed += count;
    }

    /// The primary has said something.
    pub fn note_primary(&mut self) {
        self.lapsed = 0;
    }

    /// Whether what the source says is replied to.
    pub fn awaits_replies(&self) -> bool {
        self.has_replies && !self.is_one_way()
    }

    /// Whether the source only reports, and nobody owes it replies.
    pub fn is_one_way(&self) -> bool {
        self.lapsed >= ONE_WAY_AFTER
    }
}

/// The hash by which frames are told apart.
pub fn hash(frame: &[u8]) -> u64 {
    xxh3_64(frame)
}
