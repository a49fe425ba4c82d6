//! Who is asking a server for what: of many requests for the same, one goes and the others wait for what it brings.
//!
//! A claim is also how a change is noticed that overtakes a reply: what was asked for before it must not be kept after it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::watch, time};

use super::key::Key;

/// What came of the request that others waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is kept: look again.
    Stored,
    /// It may not be kept: everyone asks for himself.
    NotStorable,
    /// It broke, or its client went away: nobody knows more than before.
    Failed,
    /// The wait took too long.
    TimedOut,
}

/// All requests that are at a server, by what they are for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(Arc<Mutex<HashMap<Key, Vec<Arc<Fetch>>>>>);

#[derive(Debug)]
struct Fetch {
    /// Others may wait for it.
    is_shared: bool,
    is_overtaken: AtomicBool,
    outcome: watch::Sender<Option<Outcome>>,
}

/// Either the right to ask the server, or somebody to wait for.
#[derive(Debug)]
pub enum Claim {
    /// Ask the server, and say what came of it.
    Lead(Lead),
    /// Somebody asks already.
    Follow(Follower),
}

/// The duty to ask. Dropped without a word, those who wait are told that it failed.
#[derive(Debug)]
pub struct Lead {
    claims: Claims,
    key: Option<Key>,
    fetch: Arc<Fetch>,
}

/// Waits for who asks.
#[derive(Debug)]
pub struct Follower(watch::Receiver<Option<Outcome>>);

impl Claims {
    fn table(&self) -> MutexGuard<'_, HashMap<Key, Vec<Arc<Fetch>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leads if nobody does.
    pub(crate) fn claim(&self, key: Key) -> Claim {
        let mut table = self.table();
        let led = table.get(&key).and_then(|fetches| fetches.iter().find(|fetch| fetch.is_open()));
        match led {
            Some(fetch) => Claim::Follow(Follower(fetch.outcome.subscribe())),
            None => Claim::Lead(self.enter(&mut table, Some(key), true)),
        }
    }

    /// Leads nobody.
    pub(crate) fn alone(&self, key: Option<Key>) -> Lead {
        self.enter(&mut self.table(), key, false)
    }

    fn enter(&self, table: &mut HashMap<Key, Vec<Arc<Fetch>>>, key: Option<Key>, is_shared: bool) -> Lead {
        let outcome = watch::Sender::new(None);
        let fetch = Arc::new(Fetch { is_shared, is_overtaken: AtomicBool::new(false), outcome });
        if let Some(key) = &key {
            table.entry(key.clone()).or_default().push(fetch.clone());
        }
        Lead { claims: self.clone(), key, fetch }
    }

    /// What is being asked for under `key` is no longer to be kept.
    pub(crate) fn overtake(&self, key: &str) {
        self.table().get(key).into_iter().flatten().for_each(|fetch| fetch.is_overtaken.store(true, Relaxed));
    }

    /// The same for all keys that begin with `prefix`.
    pub(crate) fn overtake_beginning_with(&self, prefix: &str) {
        let table = self.table();
        let all = table.iter().filter(|(key, _)| key.as_str().starts_with(prefix));
        all.flat_map(|(_, fetches)| fetches).for_each(|fetch| fetch.is_overtaken.store(true, Relaxed));
    }

    /// How many requests are at a server.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.table().values().map(Vec::len).sum()
    }
}

impl Fetch {
    /// Nobody waits for what was overtaken: it is not what he would get.
    fn is_open(&self) -> bool {
        self.is_shared && self.outcome.borrow().is_none() && !self.is_overtaken.load(Relaxed)
    }
}

impl Lead {
    /// Says what came of it. Only the first word counts.
    pub(crate) fn decide(&self, outcome: Outcome) {
        self.fetch.outcome.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(outcome);
            is_first
        });
    }

    /// Does not ask after all: there is an answer.
    pub(crate) fn give_way(self) -> Claim {
        self.decide(Outcome::Stored);
        Claim::Follow(Follower(self.fetch.outcome.subscribe()))
    }

    /// What it is for.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Whether a change came after it.
    pub(crate) fn is_overtaken(&self) -> bool {
        self.fetch.is_overtaken.load(Relaxed)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.decide(Outcome::Failed);
        let Some(key) = &self.key else { return };
        let mut table = self.claims.table();
        if let Some(fetches) = table.get_mut(key) {
            fetches.retain(|fetch| !Arc::ptr_eq(fetch, &self.fetch));
            if fetches.is_empty() {
                table.remove(key);
            }
        }
    }
}

impl Follower {
    /// Waits until it is decided what came of the request, at most for `timeout`. A long body is decided on when all of it is
    /// kept.
    pub async fn wait(mut self, timeout: Duration) -> Outcome {
        let decided = self.0.wait_for(Option::is_some);
        match time::timeout(timeout, decided).await {
            Ok(Ok(outcome)) => outcome.unwrap_or(Outcome::Failed),
            Ok(Err(_)) => Outcome::Failed,
            Err(_) => Outcome::TimedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn key(name: &str) -> Key {
        Key::recall(format!("http://h/{name}"))
    }

    fn wait(follower: Follower, timeout: Duration) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(follower.wait(timeout))
    }

    /// Fails if `claim` does not look and enter under one lock.
    #[test]
    fn of_many_threads_one_leads_and_all_hear_what_came_of_it() {
        let claims = Claims::default();
        let all: Vec<Claim> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| claims.claim(key("a")))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (leads, followers): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|claim| matches!(claim, Claim::Lead(_)));
        assert_eq!((leads.len(), followers.len()), (1, 15));

        thread::scope(|scope| {
            for claim in followers {
                let Claim::Follow(follower) = claim else { unreachable!() };
                scope.spawn(|| assert_eq!(wait(follower, LONG), Outcome::Stored));
            }
            let Some(Claim::Lead(lead)) = leads.first() else { unreachable!() };
            lead.decide(Outcome::Stored);
        });
    }

    /// Fails if dropping a leader does not tell.
    #[test]
    fn a_leader_that_goes_away_frees_all_and_the_next_leads() {
        let claims = Claims::default();
        let Claim::Lead(lead) = claims.claim(key("a")) else { panic!("nobody leads yet") };
        let Claim::Follow(follower) = claims.claim(key("a")) else { panic!("somebody leads") };
        drop(lead);

        assert_eq!(wait(follower, LONG), Outcome::Failed);
        assert_eq!(claims.len(), 0);
        assert!(matches!(claims.claim(key("a")), Claim::Lead(_)));
    }

    #[test]
    fn nobody_waits_longer_than_he_says_and_only_for_the_same() {
        let claims = Claims::default();
        let _lead = claims.claim(key("a"));
        let Claim::Follow(follower) = claims.claim(key("a")) else { panic!("somebody leads") };

        assert_eq!(wait(follower, Duration::ZERO), Outcome::TimedOut);
        assert!(matches!(claims.claim(key("b")), Claim::Lead(_)));
    }

    #[test]
    fn who_comes_after_a_change_does_not_wait_for_what_was_asked_before() {
        let claims = Claims::default();
        let Claim::Lead(before) = claims.claim(key("a")) else { panic!("nobody leads yet") };
        claims.overtake("http://h/a");

        assert!(before.is_overtaken());
        assert!(matches!(claims.claim(key("a")), Claim::Lead(after) if !after.is_overtaken()));
    }
}
