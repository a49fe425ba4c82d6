//! The other members, as far as they are heard, and what each is called so that all can be told apart.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use proto::time::Instant;

use super::{address::Address, clock::Clock, delivery::Delivery, ways::WayId};
use crate::{
    Name,
    wire::mesh::{AuthorId, MAX_PEERS},
};

/// After so much silence a peer is dead.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// A member that was heard of late.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What it is called, once it has said so.
    pub(crate) name: Option<Name>,
    /// Where it hears.
    pub(crate) address: SocketAddr,
    /// By which of its ways it was heard: it is told.
    pub(crate) hears: u64,
    /// When it was heard last.
    pub(crate) heard_at: Instant,
    /// Our way that leads there.
    pub(crate) way: Option<WayId>,
    /// When it said last that it hears us.
    pub(crate) heard_us_at: Option<Instant>,
    /// Whether a person was told that it is here.
    pub(crate) is_present: bool,
    /// Whom it hears by itself.
    pub(crate) meets: Vec<AuthorId>,
    /// What it had when it was met.
    pub(crate) had: Clock,
    /// What it was given.
    pub(crate) delivery: Delivery,
}

/// All that are heard: at most [`MAX_PEERS`].
#[derive(Debug)]
pub(crate) struct Peers {
    own: AuthorId,
    own_name: Name,
    heard: BTreeMap<AuthorId, Peer>,
}

/// Whom a name means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// This one.
    One(AuthorId),
    /// Nobody that is here.
    Nobody,
    /// One of these.
    Several(Vec<Name>),
}

impl Peer {
    /// One that was just heard for the first time.
    pub(crate) fn new(address: SocketAddr, now: Instant) -> Self {
        Self {
            name: None,
            address,
            hears: 0,
            heard_at: now,
            way: None,
            heard_us_at: None,
            is_present: false,
            meets: Vec::new(),
            had: Clock::default(),
            delivery: Delivery::default(),
        }
    }

    /// Whether it hears us, is heard, and has said who it is.
    pub(crate) fn can_be_met(&self, now: Instant) -> bool {
        let hears_us = self.heard_us_at.is_some_and(|at| now.since(at) < SILENCE);
        self.name.is_some() && self.way.is_some() && hears_us
    }

    /// The way to it, if it is here.
    pub(crate) fn way_if_present(&self) -> Option<WayId> {
        self.way.filter(|_| self.is_present)
    }
}

impl Peers {
    pub(crate) fn new(own: AuthorId, own_name: Name) -> Self {
        Self { own, own_name, heard: BTreeMap::new() }
    }

    /// What one is called oneself.
    pub(crate) fn own_name(&self) -> &Name {
        &self.own_name
    }

    pub(crate) fn rename(&mut self, name: Name) {
        self.own_name = name;
    }

    pub(crate) fn get_mut(&mut self, author: AuthorId) -> Option<&mut Peer> {
        self.heard.get_mut(&author)
    }

    pub(crate) fn get(&self, author: AuthorId) -> Option<&Peer> {
        self.heard.get(&author)
    }

    pub(crate) fn remove(&mut self, author: AuthorId) -> Option<Peer> {
        self.heard.remove(&author)
    }

    /// Who hears at this address: whoever was heard last, of several that say so.
    pub(crate) fn at(&self, address: &Address) -> Option<AuthorId> {
        let there = self.iter().filter(|(_, peer)| Address::from(peer.address) == *address);
        there.max_by_key(|(_, peer)| peer.heard_at).map(|(author, _)| author)
    }

    /// The peer, made if there is room for one more.
    pub(crate) fn meet(&mut self, author: AuthorId, address: SocketAddr, now: Instant) -> Option<&mut Peer> {
        if self.heard.len() >= MAX_PEERS && !self.heard.contains_key(&author) {
            return None;
        }
        Some(self.heard.entry(author).or_insert_with(|| Peer::new(address, now)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (AuthorId, &Peer)> {
        self.heard.iter().map(|(&author, peer)| (author, peer))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (AuthorId, &mut Peer)> {
        self.heard.iter_mut().map(|(&author, peer)| (author, peer))
    }

    /// Those that are here, without oneself.
    pub(crate) fn present(&self) -> impl Iterator<Item = (AuthorId, &Peer)> {
        self.iter().filter(|(_, peer)| peer.is_present)
    }

    /// Whether somebody who is heard had this text already when it was met.
    pub(crate) fn had_when_met(&self, author: AuthorId, number: u64) -> bool {
        self.heard.values().any(|peer| number <= peer.had.of(author))
    }

    /// How many are here, with oneself.
    pub(crate) fn online(&self) -> usize {
        1 + self.present().count()
    }

    /// Who has been silent for too long.
    pub(crate) fn silent(&self, now: Instant) -> Vec<AuthorId> {
        let is_silent = |(_, peer): &(AuthorId, &Peer)| now.since(peer.heard_at) >= SILENCE;
        self.iter().filter(is_silent).map(|(author, _)| author).collect()
    }

    /// When somebody will have been.
    pub(crate) fn deadline(&self) -> Instant {
        self.heard.values().map(|peer| peer.heard_at + SILENCE).min().unwrap_or(Instant::NEVER)
    }

    /// An author's name so that it cannot be taken for another's that is here: `ann`, or `ann~ab12`. Who has such a mark in its
    /// name gets one more, as what is marked is never what somebody chose.
    pub(crate) fn shown(&self, author: AuthorId, name: &Name) -> Name {
        let others = self.present().filter_map(|(other, peer)| Some((other, peer.name.as_ref()?)));
        let mut others = others.chain([(self.own, &self.own_name)]).filter(|&(other, _)| other != author);
        let is_marked = name.as_str().contains('~');
        if is_marked || others.any(|(_, other)| other.is_like(name)) {
            marked(author, name)
        } else {
            name.clone()
        }
    }

    /// The names of those that are here, without oneself.
    pub(crate) fn names(&self) -> Vec<Name> {
        let named = self.present().filter_map(|(author, peer)| Some((author, peer.name.as_ref()?)));
        named.map(|(author, name)| self.shown(author, name)).collect()
    }

    /// Who is meant by a name that somebody typed: as it is shown, or as it is.
    pub(crate) fn called(&self, typed: &Name) -> Called {
        let named = self.present().filter_map(|(author, peer)| Some((author, peer.name.as_ref()?)));
        let meant: Vec<_> = named
            .filter(|(author, name)| name.is_like(typed) || self.shown(*author, name).is_like(typed))
            .collect();
        match meant[..] {
            [] => Called::Nobody,
            [(author, _)] => Called::One(author),
            _ => Called::Several(meant.iter().map(|(author, name)| self.shown(*author, name)).collect()),
        }
    }
}

/// The name and the beginning of the author's id, as short as a name has to be.
fn marked(author: AuthorId, name: &Name) -> Name {
    let mark = format!("~{author}");
    let room = Name::MAX_CHARS - mark.chars().count();
    let kept: String = name.as_str().chars().take(room).collect();
    // It begins as a name does, and the mark has nothing that a name may not have.
    Name::new(&(kept + &mark)).unwrap_or_else(|_| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: AuthorId = AuthorId([0; 16]);

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn with(names: &[&str]) -> Peers {
        let mut peers = Peers::new(OWN, name("me"));
        for (at, text) in names.iter().enumerate() {
            let author = AuthorId([at as u8 + 1; 16]);
            let peer = peers.meet(author, "10.0.0.1:1".parse().unwrap(), Instant::ZERO).unwrap();
            peer.name = Some(name(text));
            peer.is_present = true;
        }
        peers
    }

    #[test]
    fn names_are_marked_only_where_they_could_be_confused() {
        let peers = with(&["ann", "Ann", "bob"]);

        assert_eq!(peers.names(), ["ann~0101", "Ann~0202", "bob"].map(name));
        assert_eq!(peers.shown(AuthorId([9; 16]), &name("bob")), name("bob~0909"), "an earlier one");
        assert_eq!(peers.shown(AuthorId([9; 16]), &name("cid")), name("cid"));
        assert_eq!(peers.shown(OWN, &name("me")), name("me"));
    }

    #[test]
    fn a_long_name_that_is_marked_is_still_a_name() {
        let long = "é".repeat(Name::MAX_CHARS);

        let shown = with(&[&long, &long]).names();

        assert!(shown.iter().all(|name| name.as_str().chars().count() == Name::MAX_CHARS));
        assert!(shown[0].as_str().ends_with("~0101"));
    }

    #[test]
    fn a_name_means_one_nobody_or_several() {
        let peers = with(&["ann", "Ann", "bob"]);

        assert_eq!(peers.called(&name("BOB")), Called::One(AuthorId([3; 16])));
        assert_eq!(peers.called(&name("ann~0101")), Called::One(AuthorId([1; 16])));
        assert_eq!(peers.called(&name("ann")), Called::Several(["ann~0101", "Ann~0202"].map(name).into()));
        assert_eq!(peers.called(&name("me")), Called::Nobody);
    }

    #[test]
    fn no_more_peers_are_met_than_the_most() {
        let mut peers = with(&["x"; MAX_PEERS]);

        assert!(peers.meet(AuthorId([200; 16]), "10.0.0.1:1".parse().unwrap(), Instant::ZERO).is_none());
        assert!(peers.meet(AuthorId([1; 16]), "10.0.0.1:1".parse().unwrap(), Instant::ZERO).is_some());
    }
}
