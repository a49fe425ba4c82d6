//! What the ingress says, one frame at a time.
//!
//! Every batch is judged before its frames are looked at. A frame for a connection that is not there is answered by
//! RESET; one that breaks the protocol makes the worker greet anew.

use std::time::Duration;

use super::{
    Effect, Notice, Shell, Worker,
    connection::{Connection, Order, State},
    datagram::Datagrams,
    link,
};
use crate::{
    credit::{Accept, Chunk, FRAME_COST, Keep},
    id::{Attempt, ConnectionId, LinkIndex, SessionId},
    link::Verdict,
    time::Instant,
    wire::{Batch, Bye, Cause, Frame, Patience},
};

/// A frame that breaks the protocol: the link is greeted anew.
struct Fault(&'static str);

impl Worker {
    /// A batch has come.
    pub fn on_batch(&mut self, index: LinkIndex, bytes: &[u8], now: Instant, shell: &mut impl Shell) {
        let Some(link) = self.links.get_mut(index.0 as usize) else { return };
        if link.is_barred() {
            return;
        }
        let Ok(batch) = Batch::decode(bytes) else {
            self.counters.malformed += 1;
            return self.lose(index, "a batch cannot be decoded", now, shell);
        };
        if let (0, true, [Frame::Bye { reason, version }]) =
            (batch.header.number, batch.header.epoch == link.numbering.epoch(), &batch.frames[..])
        {
            return self.on_bye(index, *reason, *version, now, shell);
        }
        if link.is_live() && !link.has_lease(now) {
            return self.lose(index, "the lease is over", now, shell);
        }
        let acknowledged = link.numbering.acknowledged();
        match link.numbering.judge(batch.header) {
            Verdict::Next => {}
            Verdict::Foreign | Verdict::Repeat => {
                self.counters.stale += 1;
                return;
            }
            Verdict::Gap => {
                self.counters.faults += 1;
                return self.lose(index, "a batch was lost", now, shell);
            }
        }
        link.liveness.heard(link.numbering.acknowledged() > acknowledged || link.all_acknowledged());
        link.lease.acknowledged(link.numbering.acknowledged());
        for frame in batch.frames {
            if let Err(Fault(why)) = self.on_frame(index, frame, now, shell) {
                self.counters.faults += 1;
                return self.lose(index, why, now, shell);
            }
        }
    }

    fn on_frame(
        &mut self,
        link: LinkIndex,
        frame: Frame<'_>,
        now: Instant,
        shell: &mut impl Shell,
    ) -> Result<(), Fault> {
        if let Frame::Bye { reason, version } = frame {
            self.on_bye(link, reason, version, now, shell);
            return Ok(());
        }
        if let Frame::Welcome { version: _, incarnation, ports, auth: _, standings, last } = frame {
            let fits = self.on_welcome(link, incarnation, ports, standings, last, now, shell);
            return if fits { Ok(()) } else { Err(Fault("WELCOME came twice, or names too many")) };
        }
        if !self.links[link.0 as usize].is_live() {
            self.counters.early += 1;
            return Ok(());
        }
        self.on_session_frame(link, &frame, now, shell)
    }

    fn on_session_frame(
        &mut self,
        link: LinkIndex,
        frame: &Frame<'_>,
        now: Instant,
        shell: &mut impl Shell,
    ) -> Result<(), Fault> {
        match *frame {
            Frame::Open { session, attempt, position, limit, window, patience, timeout_millis } => {
                let window = u64::from(window);
                let timeout = Duration::from_millis(timeout_millis.into());
                self.on_open(
                    Order { link, session, attempt, position, limit, window, patience, timeout },
                    now,
                    shell,
                );
            }
            Frame::Data { .. } => return self.on_data(link, frame, now, shell),
            Frame::Grant { session, attempt, taken, written, limit } => {
                let Some(id) = self.find(link, session, attempt) else { return Ok(()) };
                return self.on_totals(id, Some((taken, limit)), written, now, shell);
            }
            Frame::Fin { session, attempt, position } => {
                let Some(id) = self.find(link, session, attempt) else { return Ok(()) };
                let Some(connection) = self.connections.at_mut(id.0) else { return Ok(()) };
                connection.on_fin(position).map_err(fault_of)?;
                self.write(id, now, shell);
            }
            Frame::Reset { session, attempt, cause, unconfirmed: _ } => {
                if let Some(&id) = self.index.get(&(link, session))
                    && self.connections.at(id.0).is_some_and(|connection| connection.order.attempt == attempt)
                {
                    self.close(id, cause != Cause::InOrder, now, shell);
                }
            }
            Frame::Ping => self.links[link.0 as usize].post(&Frame::Pong),
            Frame::Pong => {}
            _ => return Err(Fault("an ingress may not say that")),
        }
        Ok(())
    }

    fn on_open(&mut self, order: Order, now: Instant, shell: &mut impl Shell) {
        if let Some(&id) = self.index.get(&(order.link, order.session)) {
            match self.connections.at(id.0).map(|connection| connection.order.attempt.cmp(&order.attempt)) {
                Some(std::cmp::Ordering::Less) | None => self.close(id, true, now, shell),
                Some(std::cmp::Ordering::Equal) => return,
                Some(std::cmp::Ordering::Greater) => {
                    return self.disown(order.link, order.session, order.attempt);
                }
            }
        }
        let refusal = match order.patience {
            _ if self.is_draining => Some(Cause::Draining),
            _ if order.window > self.settings.max_window => Some(Cause::Limit),
            _ if self.connections.len() == self.settings.max_connections => Some(Cause::Limit),
            Patience::IfAvailable if !self.outage.may_try(now) => Some(self.last_failure),
            _ => None,
        };
        if let Some(cause) = refusal {
            return self.refuse(order.link, order.session, order.attempt, cause);
        }
        self.admit(order, now, shell);
    }

    fn admit(&mut self, order: Order, now: Instant, shell: &mut impl Shell) {
        let at_once = order.patience != Patience::Patient || self.outage.is_available();
        let state = if at_once { State::Connecting { since: now } } else { State::Waiting };
        let keep = if self.links[order.link.0 as usize].is_local { Keep::Nothing } else { Keep::Untaken };
        let has_datagrams = self.settings.has_datagrams;
        let connection = |_| Connection::new(order, state, keep, has_datagrams);
        let Some(id) = self.connections.insert_with(connection).map(ConnectionId) else {
            return self.refuse(order.link, order.session, order.attempt, Cause::Limit);
        };
        self.index.insert((order.link, order.session), id);
        if at_once {
            shell.effect(Effect::Connect { connection: id, timeout: order.timeout });
        } else {
            self.waiting.push_back(id);
        }
    }

    fn on_data(
        &mut self,
        link: LinkIndex,
        frame: &Frame<'_>,
        now: Instant,
        shell: &mut impl Shell,
    ) -> Result<(), Fault> {
        let &Frame::Data { session, attempt, position, written, starts, ends, cuts, payload } = frame else {
            return Err(Fault("not DATA"));
        };
        let Some(id) = self.find(link, session, attempt) else { return Ok(()) };
        self.on_totals(id, None, written, now, shell)?;
        let Some(connection) = self.connections.at_mut(id.0) else { return Ok(()) };
        let link = &self.links[link.0 as usize];
        let (may_write, until) = (link.may_write(now), link.write_end());
        let cost = (u64::from(starts) + cuts.len() as u64) * FRAME_COST + payload.len() as u64;
        if self.settings.has_datagrams {
            let datagrams = Datagrams { position, cuts, payload };
            if !(starts && ends) {
                return Err(Fault("a datagram is torn"));
            }
            let wrote = connection
                .on_datagrams(datagrams, &mut self.ends, may_write, |ends| {
                    shell.write_datagrams(id, payload, ends, until)
                })
                .map_err(fault_of)?;
            self.after_write(id, wrote, now, shell);
            return Ok(());
        }
        let wrote = connection
            .on_data(
                position,
                cost,
                payload,
                |bytes| Chunk::new(bytes, starts, ends, cuts.iter().collect()),
                may_write,
                |bytes| shell.write(id, bytes, until),
            )
            .map_err(fault_of)?;
        self.after_write(id, wrote, now, shell);
        Ok(())
    }

    /// The ingress's totals of the backward direction: `taken` and `limit` come with GRANT, `written` also with DATA.
    fn on_totals(
        &mut self,
        id: ConnectionId,
        grant: Option<(u64, u64)>,
        written: u64,
        now: Instant,
        shell: &mut impl Shell,
    ) -> Result<(), Fault> {
        let Some(connection) = self.connections.at_mut(id.0) else { return Ok(()) };
        let outbound = &mut connection.outbound;
        match grant {
            Some((taken, limit)) => outbound.on_totals(taken, written, limit),
            None => outbound.on_written(written),
        }
        .map_err(|_| Fault("the ingress claims more than it was sent"))?;
        if connection.reads_paused && outbound.end() < outbound.limit() {
            connection.reads_paused = false;
            shell.effect(Effect::ResumeReads { connection: id });
        }
        if connection.outbound.has_unsent() {
            self.make_ready(id);
        }
        self.close_if_over(id, now, shell);
        Ok(())
    }

    /// The connection of this session and attempt; if there is none, the ingress is told.
    fn find(&mut self, link: LinkIndex, session: SessionId, attempt: Attempt) -> Option<ConnectionId> {
        let found = self.index.get(&(link, session)).copied();
        let is_meant =
            |id: &ConnectionId| self.connections.at(id.0).is_some_and(|known| known.order.attempt == attempt);
        let found = found.filter(is_meant);
        if found.is_none() {
            self.disown(link, session, attempt);
        }
        found
    }

    pub(super) fn refuse(&mut self, link: LinkIndex, session: SessionId, attempt: Attempt, cause: Cause) {
        self.links[link.0 as usize].post(&Frame::Refused { session, attempt, cause });
    }

    fn disown(&mut self, link: LinkIndex, session: SessionId, attempt: Attempt) {
        self.links[link.0 as usize].disown(session, attempt);
    }

    fn on_bye(&mut self, index: LinkIndex, reason: Bye, version: u16, now: Instant, shell: &mut impl Shell) {
        let link = &mut self.links[index.0 as usize];
        match reason {
            Bye::GreetAgain => {
                let why = "the ingress asks to be greeted";
                return self.lose_for(link::GREETING_PAUSE, index, why, now, shell);
            }
            Bye::Leaving => return self.lose(index, "the ingress has no room", now, shell),
            Bye::Superseded => {
                link.state = link::State::Barred { until: Instant::NEVER };
                self.abort_all(index, now, shell);
            }
            Bye::Version | Bye::UnknownDestination => {
                link.state = link::State::Barred { until: now + link::BARRED };
            }
        }
        shell.effect(Effect::Notice(Notice::Barred { link: index, reason, version }));
    }

    /// Something is wrong with the epoch: greet again.
    pub(super) fn lose(&mut self, index: LinkIndex, why: &'static str, now: Instant, shell: &mut impl Shell) {
        self.lose_for(link::GREETING_TIMEOUT, index, why, now, shell);
    }

    fn lose_for(
        &mut self,
        pause: Duration,
        index: LinkIndex,
        why: &'static str,
        now: Instant,
        shell: &mut impl Shell,
    ) {
        let link = &mut self.links[index.0 as usize];
        if link.is_live() {
            shell.effect(Effect::Notice(Notice::LinkLost { link: index, why }));
        }
        if !link.is_barred() {
            link.spoil(pause, now);
        }
    }
}

fn fault_of(accept: Accept) -> Fault {
    Fault(match accept {
        Accept::BeyondLimit => "more was sent than permitted",
        _ => "something before this frame is missing",
    })
}
