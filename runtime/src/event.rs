//! Events: what happened to a node that an observer may want to know at once, published on topic `event`.
//!
//! A shard tells its [`Events`], and whoever publishes its reports publishes them too. They are no traffic: what is told
//! too often is left out, and whoever was not listening has missed it, but for the last few of each shard, which are said
//! again each second under the same sequence. Where nobody publishes, nothing is kept and nothing is made.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use proto::{counters::Tally, id::Incarnation};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{clock::unix_millis, zeromq::Publisher};

/// The topic events are published on.
pub const TOPIC: &[u8] = b"event";
/// The last events of a shard are said again this often.
const REPEAT_INTERVAL: Duration = Duration::from_secs(1);
/// So many of them.
const REPEATED: usize = 16;
/// Events a shard keeps until they are published. Those beyond are lost, and missing in the sequence.
const MAX_WAITING: usize = 1024;
/// Ends of sessions that are told between two repetitions; those beyond are left out.
const MAX_SESSION_ENDS: u32 = 100;

/// One event as published: who says it, when, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Which node.
    pub node: String,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Which shard of it.
    pub shard: u16,
    /// Counts the shard's events, from 1. A number that is missing was lost, one that was there before is a repetition.
    pub sequence: u64,
    /// Milliseconds since 1970 when it happened.
    pub time: u64,
    /// What happened.
    pub event: Event,
}

/// What happened. Names of routes and destinations are those of the settings, sessions are named as in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A secondary's reply differs from the primary's.
    Diverged(Diverged),
    /// The source was told what a destination began by itself.
    Asked(Asked),
    /// A destination said what another had asked before; the source was not told again.
    AskedAgain(Asked),
    /// A destination cannot be reached.
    Away(Outage),
    /// It can again.
    Back(Outage),
    /// A session ended towards its source.
    SessionEnded(SessionEnded),
    /// A worker is gone.
    WorkerLost(WorkerLost),
}

/// A divergence, with samples. Of one destination and finding at most one a second is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverged {
    /// In which session.
    pub session: String,
    /// Of which route.
    pub route: String,
    /// The secondary.
    pub destination: String,
    /// `missing`, `extra` or `different`.
    pub finding: String,
    /// What the source had said; empty if that is not known any more.
    pub request: Sample,
    /// What the primary said to it.
    pub primary: Sample,
    /// What the secondary said to it.
    pub secondary: Sample,
    /// The first byte in which they differ, if it is among those.
    pub offset: Option<u64>,
    /// What differs first in replies to requests: `status`, `header NAME`, `body`, or `body` and the path into JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Of the same kind, not told since the last.
    pub left_out: u64,
}

/// An ask. Of one destination and kind at most one a second is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// In which session.
    pub session: String,
    /// Of which route.
    pub route: String,
    /// Who said it.
    pub destination: String,
    /// What it said.
    pub frame: Sample,
    /// What it is sent instead of being heard again, if there is an answer already.
    pub answer: Option<Sample>,
    /// Of the same kind, not told since the last.
    pub left_out: u64,
}

/// The beginning or the end of an outage, as the worker of the destination sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Of which route.
    pub route: String,
    /// Which destination.
    pub destination: String,
    /// Where it is.
    pub address: String,
    /// Why it cannot be reached; nothing when it can again.
    pub cause: Option<String>,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// Which session.
    pub session: String,
    /// Of which route.
    pub route: String,
    /// `source`, `primary` or `ingress`.
    pub by: String,
    /// How it ended.
    pub ending: String,
    /// `connecting` or `open`.
    pub phase: String,
    /// From the source.
    pub received: Tally,
    /// To the source.
    pub sent: Tally,
    /// Ends not told since the last.
    pub left_out: u64,
}

/// The loss of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerLost {
    /// Which worker.
    pub worker: String,
    /// Of which route.
    pub route: String,
    /// Whose worker it was.
    pub destination: String,
    /// Why it is taken for lost.
    pub why: String,
    /// Sessions that were moved, or lost it.
    pub sessions: u64,
}

/// The beginning of what was said: bytes, 1024 of them at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sample(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl Sample {
    /// Bytes of what was said that an event has room for.
    pub const MOST: usize = 1024;

    /// The beginning of these.
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes[..bytes.len().min(Self::MOST)].to_vec())
    }
}

/// Where the parts of a shard tell what happens to it. Clones tell the same.
#[derive(Clone, Debug, Default)]
pub struct Events(Option<Rc<RefCell<Queue>>>);

impl Events {
    /// For a shard that publishes, or one that does not: that forgets what it is told.
    pub fn new(is_published: bool) -> Self {
        Self(is_published.then(Rc::default))
    }

    /// Something happened. `event` is made if there is somebody to publish it.
    pub fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(queue) = &self.0 {
            queue.borrow_mut().push(event(), unix_millis());
        }
    }

    /// A session ended; its event is made with the number of those left out before it.
    pub fn tell_session_end(&self, event: impl FnOnce(u64) -> SessionEnded) {
        let admitted = self.0.as_ref().and_then(|queue| queue.borrow_mut().admit_session_end());
        if let Some(left_out) = admitted {
            self.tell(|| Event::SessionEnded(event(left_out)));
        }
    }

    /// Those that were told since this was last asked, oldest first.
    pub fn take(&self) -> Vec<(u64, u64, Event)> {
        self.0.as_ref().map(|queue| queue.borrow_mut().waiting.drain(..).collect()).unwrap_or_default()
    }

    fn begin_period(&self) {
        if let Some(queue) = &self.0 {
            queue.borrow_mut().session_ends = 0;
        }
    }
}

/// What is told and not yet published: sequence, time, event.
#[derive(Debug, Default)]
struct Queue {
    told: u64,
    waiting: VecDeque<(u64, u64, Event)>,
    /// Ends of sessions in this period: admitted, and not.
    session_ends: u32,
    left_out: u64,
}

impl Queue {
    fn push(&mut self, event: Event, time: u64) {
        self.told += 1;
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back((self.told, time, event));
        }
    }

    fn admit_session_end(&mut self) -> Option<u64> {
        if self.session_ends == MAX_SESSION_ENDS {
            self.left_out += 1;
            return None;
        }
        self.session_ends += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// The last events of a shard, as they were published.
#[derive(Debug, Default)]
struct Latest(VecDeque<(bool, Vec<u8>)>);

impl Latest {
    /// Ends of sessions are many, and make room first.
    fn keep(&mut self, is_session_end: bool, body: Vec<u8>) {
        self.0.push_back((is_session_end, body));
        if self.0.len() > REPEATED {
            let first = self.0.iter().position(|(is_session_end, _)| *is_session_end);
            self.0.remove(first.unwrap_or(0));
        }
    }
}

/// Publishes the events of one shard, beat by beat.
pub(crate) struct Speaker {
    events: Events,
    latest: Latest,
    node: String,
    incarnation: Incarnation,
    shard: u16,
    /// Beats in a period, and those left of this one.
    beats: (u32, u32),
}

impl Speaker {
    /// One that is given a beat each `interval`.
    pub(crate) fn new(
        events: Events,
        node: String,
        incarnation: Incarnation,
        shard: u16,
        interval: Duration,
    ) -> Self {
        let beats = (REPEAT_INTERVAL.as_millis() / interval.as_millis().max(1)) as u32;
        Self { events, latest: Latest::default(), node, incarnation, shard, beats: (beats, beats) }
    }

    /// Says what is new, and once in a while what is not. What the publisher, or who has a tap, does not take is lost.
    pub(crate) fn beat(&mut self, publisher: Option<&Publisher>, tap: Option<&mpsc::Sender<Vec<u8>>>) {
        for (sequence, time, event) in self.events.take() {
            let is_session_end = matches!(event, Event::SessionEnded(_));
            let (node, incarnation, shard) = (self.node.clone(), self.incarnation, self.shard);
            let published = Published { node, incarnation, shard, sequence, time, event };
            match rmp_serde::to_vec_named(&published) {
                Ok(body) => {
                    let _ = publisher.map(|publisher| publisher.try_send(TOPIC, &body));
                    let _ = tap.map(|tap| tap.try_send(body.clone()));
                    self.latest.keep(is_session_end, body);
                }
                Err(error) => tracing::error!(%error, "an event cannot be encoded"),
            }
        }
        self.beats.1 -= 1;
        if self.beats.1 == 0 {
            self.beats.1 = self.beats.0;
            self.events.begin_period();
            for (_, body) in &self.latest.0 {
                let _ = publisher.map(|publisher| publisher.try_send(TOPIC, body));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session_ended(left_out: u64) -> SessionEnded {
        let text = String::new;
        let (received, sent) = (Tally::new(1, 2), Tally::new(3, 4));
        SessionEnded {
            session: text(),
            route: text(),
            by: text(),
            ending: text(),
            phase: text(),
            received,
            sent,
            left_out,
        }
    }

    fn away() -> Event {
        let (route, destination, address) = ("main".to_owned(), "mirror".to_owned(), "h:1".to_owned());
        Event::Away(Outage { route, destination, address, cause: Some("timed out".to_owned()) })
    }

    #[test]
    fn where_nobody_publishes_nothing_is_made() {
        Events::default().tell(|| unreachable!("nobody wants it"));
        Events::new(false).tell_session_end(|_| unreachable!("nobody wants it"));
    }

    #[test]
    fn events_are_numbered_and_taken_once() {
        let events = Events::new(true);
        let other_part = events.clone();
        events.tell(away);
        other_part.tell(away);

        let taken = events.take();
        assert_eq!(taken.iter().map(|(sequence, ..)| *sequence).collect::<Vec<_>>(), [1, 2]);
        assert!(events.take().is_empty());
    }

    /// Fails if the queue has no bound, or what is lost is not to be seen in the sequence.
    #[test]
    fn what_nobody_fetches_is_lost_and_its_number_with_it() {
        let events = Events::new(true);
        (0..MAX_WAITING + 5).for_each(|_| events.tell(away));
        assert_eq!(events.take().len(), MAX_WAITING);
        events.tell(away);
        assert_eq!(events.take()[0].0, MAX_WAITING as u64 + 6);
    }

    #[test]
    fn too_many_session_ends_are_left_out_and_counted() {
        let events = Events::new(true);
        (0..MAX_SESSION_ENDS + 7).for_each(|_| events.tell_session_end(session_ended));
        assert_eq!(events.take().len(), MAX_SESSION_ENDS as usize);
        events.begin_period();
        events.tell_session_end(session_ended);
        assert_eq!(events.take()[0].2, Event::SessionEnded(session_ended(7)));
    }

    #[test]
    fn the_last_are_kept_and_session_ends_make_room_first() {
        let mut latest = Latest::default();
        latest.keep(false, vec![0]);
        (1..=40).for_each(|number| latest.keep(true, vec![number]));
        assert_eq!(latest.0.len(), REPEATED);
        assert_eq!((latest.0[0].1[0], latest.0[1].1[0], latest.0[15].1[0]), (0, 26, 40));
        (50..90).for_each(|number| latest.keep(false, vec![number]));
        assert_eq!((latest.0[0].1[0], latest.0[15].1[0]), (74, 89));
    }

    /// Fails if samples are arrays of numbers, which is what serde makes of bytes.
    #[test]
    fn an_event_is_a_map_with_names_and_samples_are_bytes() {
        let sample = Sample::of(&[0xff; 2000]);
        assert_eq!(sample.0.len(), Sample::MOST);
        let [session, route, destination] = ["s1", "main", "mirror"].map(str::to_owned);
        let event =
            Event::Asked(Asked { session, route, destination, frame: sample, answer: None, left_out: 0 });
        let (node, incarnation) = ("ingress".to_owned(), Incarnation(1));
        let published = Published { node, incarnation, shard: 0, sequence: 1, time: 2, event };

        let bytes = rmp_serde::to_vec_named(&published).unwrap();
        assert!(bytes.len() < 1024 + 200, "{}", bytes.len());
        assert!(bytes.windows(6).any(|part| part == b"\xa4kind\xa5"));
        assert_eq!(rmp_serde::from_slice::<Published>(&bytes).unwrap(), published);
    }
}
