//! What workers say, one frame at a time.
//!
//! Every batch is judged before its frames are looked at, and every frame is held against the lane's present attempt.
//! Who breaks the protocol is lost as a worker or ignored as a peer; nobody else notices.

use super::{
    Ingress, Notice, Shell,
    links::{LinkKey, State},
    session::{Said, lane::Lane},
};
use crate::{
    counters::Tally,
    id::{Attempt, DestinationIndex, Peer, SessionId},
    link::{MAX_DISOWNED, Verdict},
    time::Instant,
    wire::{Batch, Bye, Cause, Frame},
};

/// Peers that are ignored, at most; the oldest is forgotten.
const MAX_IGNORED: usize = 1024;
/// A peer is asked to greet at most this often.
const ASK_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);
/// Peers whose last asking is remembered.
const MAX_ASKED: usize = 256;

/// A frame that a worker may not say, or not now.
struct Fault(&'static str);

impl Ingress {
    /// A batch has come from a worker, or from someone who is none.
    pub fn on_batch(&mut self, peer: Peer, bytes: &[u8], now: Instant, shell: &mut impl Shell) {
        if self.ignored.contains(&peer) {
            self.counters.ignored += 1;
            return;
        }
        let Ok(batch) = Batch::decode(bytes) else {
            self.counters.malformed += 1;
            return self.ignore(peer, "it sends what is no batch", now, shell);
        };
        if let Some(Frame::Hello(greeting)) = batch.frames.first() {
            return self.on_hello(peer, batch.header, greeting, now, shell);
        }
        let Some(key) = self.core.links.of_peer(peer) else {
            self.counters.early += 1;
            if batch.frames.iter().any(|frame| matches!(frame, Frame::Bye { .. })) {
                return;
            }
            return self.ask_to_greet(peer, batch.header.epoch, now, shell);
        };
        if let Some(link) = self.core.links.at_mut(key) {
            link.heard_at = now;
        }
        if self.judge(key, &batch, now, shell) {
            for frame in batch.frames {
                if let Err(Fault(why)) = self.on_frame(key, &frame, now, shell) {
                    self.counters.faults += 1;
                    return self.ignore(peer, why, now, shell);
                }
            }
        }
    }

    /// Whether the frames of a batch are to be looked at.
    fn judge(&mut self, key: LinkKey, batch: &Batch<'_>, now: Instant, shell: &mut impl Shell) -> bool {
        let Some(link) = self.core.links.at_mut(key) else { return false };
        if !link.is_live() {
            self.counters.early += 1;
            link.liveness.heard(true);
            let (peer, epoch) = (link.peer, link.numbering.epoch());
            if link.state == State::Broken {
                self.ask_to_greet(peer, epoch, now, shell);
            }
            return false;
        }
        let acknowledged = link.numbering.acknowledged();
        match link.numbering.judge(batch.header) {
            Verdict::Next => {
                let is_news = link.numbering.acknowledged() > acknowledged;
                link.liveness.heard(is_news || link.numbering.acknowledged() == link.numbering.sent());
                true
            }
            Verdict::Foreign | Verdict::Repeat => {
                self.counters.stale += 1;
                false
            }
            Verdict::Gap => {
                self.on_gap(key, now, shell);
                false
            }
        }
    }

    /// Something was lost: nothing more is taken before the worker greets again.
    pub(super) fn on_gap(&mut self, key: LinkKey, now: Instant, shell: &mut impl Shell) {
        self.counters.gaps += 1;
        let Some(link) = self.core.links.at_mut(key) else { return };
        link.state = State::Broken;
        let (peer, epoch) = (link.peer, link.numbering.epoch());
        self.ask_to_greet(peer, epoch, now, shell);
    }

    fn on_frame(
        &mut self,
        key: LinkKey,
        frame: &Frame<'_>,
        now: Instant,
        shell: &mut impl Shell,
    ) -> Result<(), Fault> {
        let Some(link) = self.core.links.at_mut(key) else { return Ok(()) };
        match *frame {
            Frame::Opened { .. }
            | Frame::Refused { .. }
            | Frame::Data { .. }
            | Frame::Grant { .. }
            | Frame::Fin { .. }
            | Frame::Shed { .. }
            | Frame::Reset { .. } => return self.on_session_frame(key, frame, now, shell),
            Frame::Ping => link.outbox.post(&Frame::Pong),
            Frame::Pong => {}
            Frame::Drain if link.state == (State::Live { draining: true }) => {}
            Frame::Drain => {
                link.state = State::Live { draining: true };
                let worker = link.worker.clone();
                shell.effect(super::Effect::Notice(Notice::WorkerDraining { worker }));
            }
            Frame::Bye { .. } => self.lose(key, "it is leaving", now, now, shell),
            Frame::Hello(_) | Frame::Welcome { .. } | Frame::Open { .. } => {
                return Err(Fault("it says what a worker may not say"));
            }
        }
        Ok(())
    }

    fn on_session_frame(
        &mut self,
        key: LinkKey,
        frame: &Frame<'_>,
        now: Instant,
        shell: &mut impl Shell,
    ) -> Result<(), Fault> {
        let (Frame::Opened { session, attempt, .. }
        | Frame::Refused { session, attempt, .. }
        | Frame::Data { session, attempt, .. }
        | Frame::Grant { session, attempt, .. }
        | Frame::Fin { session, attempt, .. }
        | Frame::Shed { session, attempt, .. }
        | Frame::Reset { session, attempt, .. }) = *frame
        else {
            return Err(Fault("not a session's frame"));
        };
        let Some(destination) = self.attempt_on(key, session, attempt) else {
            if !matches!(frame, Frame::Reset { .. } | Frame::Refused { .. }) {
                self.disown(key, session, attempt);
            }
            return Ok(());
        };
        self.check_order(session, destination, frame)?;
        let handled = self.with(session, now, shell, |session, turn| match *frame {
            Frame::Opened { limit, .. } => {
                session.on_opened(destination, limit, turn);
                Ok(())
            }
            Frame::Refused { cause, .. } => {
                session.on_refused(destination, cause, turn);
                Ok(())
            }
            Frame::Reset { cause, unconfirmed, .. } => {
                session.on_reset(destination, cause, unconfirmed, turn);
                Ok(())
            }
            Frame::Data { position, written, starts, ends, cuts, payload, .. } => {
                let said = Said { position, starts, ends, cuts, payload };
                session
                    .on_totals(destination, None, written, turn)
                    .and_then(|()| session.on_data(destination, said, turn))
            }
            Frame::Grant { taken, written, limit, .. } => {
                session.on_totals(destination, Some((taken, limit)), written, turn)
            }
            Frame::Fin { position, .. } => session.on_fin(destination, position, turn),
            Frame::Shed { frames, bytes, .. } => {
                session.on_shed(destination, Tally::new(frames, bytes), turn)
            }
            _ => Ok(()),
        });
        handled.unwrap_or(Ok(())).map_err(|_| Fault("its positions do not fit"))
    }

    /// A destination is opened before it speaks, and not refused after.
    fn check_order(
        &self,
        session: SessionId,
        destination: DestinationIndex,
        frame: &Frame<'_>,
    ) -> Result<(), Fault> {
        let lane = self.sessions.at(session.0).and_then(|session| session.lane_at(destination));
        match (frame, lane.is_some_and(|lane| lane.is_opened)) {
            (Frame::Refused { .. }, true) => Err(Fault("it refuses what it has opened")),
            (Frame::Data { .. } | Frame::Fin { .. } | Frame::Shed { .. }, false) => {
                Err(Fault("it speaks for what is not connected"))
            }
            _ => Ok(()),
        }
    }

    /// Which lane of the session this attempt is, if it is the lane's present one and lies on this link.
    fn attempt_on(&self, key: LinkKey, session: SessionId, attempt: Attempt) -> Option<DestinationIndex> {
        let destination = self.core.links.at(key)?.worker.destination;
        let lane: &Lane = self.sessions.at(session.0)?.lane_at(destination)?;
        (lane.link == Some(key) && lane.attempt == attempt).then_some(destination)
    }

    /// Tells a worker that a session or attempt is unknown here, once a batch.
    fn disown(&mut self, key: LinkKey, session: SessionId, attempt: Attempt) {
        let Some(link) = self.core.links.at_mut(key) else { return };
        if link.disowned.len() < MAX_DISOWNED && !link.disowned.contains(&session) {
            link.disowned.push(session);
            link.outbox.post(&Frame::Reset { session, attempt, cause: Cause::Unknown, unconfirmed: 0 });
        }
    }

    /// A peer that does not speak the protocol is not read again.
    pub(super) fn ignore(&mut self, peer: Peer, why: &'static str, now: Instant, shell: &mut impl Shell) {
        if self.ignored.len() == MAX_IGNORED {
            self.ignored.pop_front();
        }
        self.ignored.push_back(peer);
        shell.effect(super::Effect::Notice(Notice::PeerIgnored { peer, why }));
        if let Some(key) = self.core.links.of_peer(peer) {
            let fence = self.lease_end(key);
            self.lose(key, why, fence, now, shell);
        }
    }

    /// Asks a peer for a greeting: a BYE outside the numbering, in the epoch it used.
    fn ask_to_greet(&mut self, peer: Peer, epoch: crate::id::Epoch, now: Instant, shell: &mut impl Shell) {
        if self.asked.iter().any(|&(asked, at)| asked == peer && now.since(at) < ASK_INTERVAL) {
            return;
        }
        self.asked.retain(|&(asked, at)| asked != peer && now.since(at) < ASK_INTERVAL);
        if self.asked.len() == MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((peer, now));
        self.say_bye(peer, epoch, Bye::GreetAgain, shell);
    }
}
